/* MetaPoison at tiny scale: staggered networks, the objective, its cost, its limits, and a victim from scratch. */
#include "crafting.h"

#include "attack/parts/stagger.h"

static const char *const quick[] = {"steps=5", "models=3", "batch=24", "poisons=9", "inner_rate=0.3", NULL};

static void make_setup(crafting *c, int64_t targets) {
    crafting_begin(c, "cpu", tiny_dataset(8, 3, 3, 120, 30));
    crafting_draw(c, targets, 0.15, 5); /* 18 poisons */
    c->training.epochs = 10;
}

static void end_setup(crafting *c) {
    tc_dataset *data = c->data;
    crafting_end(c);
    tiny_dataset_free(data);
}

static void networks_age_and_start_anew(void **state) {
    (void)state;
    static const int64_t ages[][4] = {{1, 3, 5}, {2, 4, 6}, {3, 5, 1}, {4, 6, 2}, {5, 1, 3}};
    tc_error error;
    crafting c;
    tc_stagger s;
    make_setup(&c, 1);
    tc_craft_job job = crafting_job(&c, 0);
    job.architecture_count = 2;
    must(tc_stagger_create(&job, 3, 2, &s, &error));
    for (int m = 0; m < 3; m++) {
        for (int64_t age = 0; age < tc_stagger_first_age(&s, m); age++) must(tc_stagger_begin(&s, m, &error));
        assert_ptr_equal(job.architectures[s.model[m].architecture].model, m == 1 ? c.second : c.model);
    }
    for (int step = 0; step < 5; step++)
        for (int m = 0; m < 3; m++) {
            assert_int_equal(s.model[m].age, ages[step][m]);
            assert_int_equal(s.model[m].generation, ages[step][m] < ages[0][m]);
            must(tc_stagger_advance(&s, m, &error));
        }
    assert_int_equal(tc_stagger_generations(&s), 5);
    tc_stagger_free(&s);
    job.architecture_count = 0;
    assert_int_equal(tc_stagger_create(&job, 3, 2, &s, &error), TC_INVALID);
    c.architectures[0].train = NULL;
    job.architecture_count = 1;
    assert_int_equal(tc_stagger_create(&job, 3, 2, &s, &error), TC_INVALID);
    end_setup(&c);
}

/* The rate of an age is the schedule's, and stays at its end. */
static void networks_train_at_the_rate_of_their_age(void **state) {
    (void)state;
    tc_error error;
    crafting c;
    tc_stagger s;
    make_setup(&c, 1);
    c.training.epochs = 4;
    must(tc_options_assign(tc_train_table, &c.training, "milestones=0.5", &error));
    const tc_craft_job job = crafting_job(&c, 0);
    must(tc_stagger_create(&job, 1, 1, &s, &error));
    for (int64_t age = 0; age < 8; age++) {
        s.model[0].age = age;
        assert_float_equal(tc_stagger_rate(&s, 0), age < 2 ? 0.02 : 0.002, 1e-12);
    }
    tc_stagger_free(&s);
    end_setup(&c);
}

static double loss_of(crafting *c, const tc_craft_job *job, const tc_attack *attack, const char *const *settings) {
    static const char *const none[] = {NULL};
    tc_error error;
    double loss;
    tc_poison *poison = crafting_craft(job, attack, attack == &tc_random_noise ? none : settings, NULL);
    tc_craft_job elsewhere = *job; /* other networks than those that it was made with */
    elsewhere.stream = tc_stream_make(99);
    void *options = crafting_options(&tc_meta_poison, settings);
    must(tc_meta_poison_loss(&elsewhere, options, poison, &loss, &error));
    crafting_check_limits(c, poison);
    tc_poison_free(poison);
    free(options);
    return loss;
}

/* For networks of another seed, with one architecture and two, for one target and four. */
static void it_lowers_its_objective_on_networks_it_has_not_seen(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        crafting c;
        make_setup(&c, i / 2 ? 4 : 1);
        tc_craft_job job = crafting_job(&c, 0);
        job.architecture_count = 1 + i % 2;
        const double attack = loss_of(&c, &job, &tc_meta_poison, quick);
        const double noise = loss_of(&c, &job, &tc_random_noise, quick);
        assert_true(attack < noise - 0.1);
        end_setup(&c);
    }
}

/* 2 shares of 9 poisons on 3 networks in 5 steps: an unrolling is 3 gradients, 2 directional derivatives and a gradient
 * of Q; judging the poison is 2 gradients and one of Q. Sharpness: one more for each of Q. */
static void sharpness_costs_one_gradient_where_it_is_computed(void **state) {
    (void)state;
    static const char *const kinds[] = {"sharpness=none", "sharpness=worst-case", "sharpness=gaussian"};
    static const int64_t of_q[] = {1, 2, 4};
    for (int kind = 0; kind < 3; kind++) {
        crafting c;
        tc_craft_report report;
        make_setup(&c, 2);
        const tc_craft_job job = crafting_job(&c, 0);
        const char *const settings[] = {quick[0], quick[1], quick[2], quick[3], kinds[kind], "samples=4", NULL};
        tc_poison *poison = crafting_craft(&job, &tc_meta_poison, settings, &report);
        assert_int_equal(report.steps, 5);
        assert_int_equal(report.jvps, 2 * 3 * 5 * 2);
        assert_int_equal(report.gradients, 2 * 3 * (5 * (3 + of_q[kind]) + 2 + of_q[kind]));
        assert_int_equal(report.trainings, 3 + 4); /* they live for 3 epochs and are trained for 4 more */
        crafting_check_limits(&c, poison);
        tc_poison_free(poison);
        end_setup(&c);
    }
}

static void its_manners(void **state) {
    (void)state;
    crafting c;
    make_setup(&c, 2);
    crafting_check_manners(&c, &tc_meta_poison,
                           (const char *const[]){"steps=2", "models=2", "batch=16", "poisons=5", "shift=1", NULL}, 0);
    end_setup(&c);
}

/* A step on one image is refused; more images than there are is not: clean ones come again and again. */
static void odd_batches(void **state) {
    (void)state;
    tc_error error;
    crafting c;
    make_setup(&c, 1);
    tc_poison *poison = NULL;
    const tc_craft_job job = crafting_job(&c, 0);
    void *options = crafting_options(&tc_meta_poison, (const char *const[]){"batch=1", "steps=1", NULL});
    assert_int_equal(tc_meta_poison.craft(&job, options, &poison, NULL, &error), TC_INVALID);
    free(options);
    static const char *const many[] = {"batch=5000", "poisons=5000", "steps=1", "models=1", NULL};
    poison = crafting_craft(&job, &tc_meta_poison, many, NULL);
    crafting_check_limits(&c, poison);
    tc_poison_free(poison);
    end_setup(&c);
}

/* From scratch, which is what it is for. */
static void it_beats_noise_on_the_shapes(void **state) {
    (void)state;
    static const char *const settings[] = {"steps=16", "models=4", "batch=40", "poisons=30", "warmup=1", NULL};
    crafting c;
    crafting_on_shapes(&c);
    tc_train_options victim = c.training;
    victim.epochs = 20;
    const duel d = crafting_duel(&c, &tc_meta_poison, settings, 2, &victim, true);
    assert_true(d.attack > d.control);
    assert_true(d.attack_gap < d.control_gap - 1);
    crafting_leave_shapes(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_age_and_start_anew),
        cmocka_unit_test(networks_train_at_the_rate_of_their_age),
        cmocka_unit_test(it_lowers_its_objective_on_networks_it_has_not_seen),
        cmocka_unit_test(sharpness_costs_one_gradient_where_it_is_computed),
        cmocka_unit_test(its_manners),
        cmocka_unit_test(odd_batches),
        cmocka_unit_test(it_beats_noise_on_the_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
