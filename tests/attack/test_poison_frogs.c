/* Poison Frogs on small trained networks: it lowers its objective, keeps its limits and beats noise. */
#include "collisions.h"

static void it_lowers_its_objective(void **state) {
    (void)state;
    collisions_lower_their_objective(&tc_poison_frogs, 0.95);
}

static void sharpness_costs_one_gradient_where_it_is_computed(void **state) {
    (void)state;
    collisions_cost_what_they_say(&tc_poison_frogs, 1);
}

static void its_manners(void **state) {
    (void)state;
    collisions_have_manners(&tc_poison_frogs);
}

/* With an overwhelming weight on looks, the poison is its base image; ε is no obstacle to that. */
static void the_penalty_keeps_poisons_near_their_bases(void **state) {
    (void)state;
    int farthest[3];
    static const char *const betas[] = {"beta=0", "beta=300", "beta=1e9"};
    for (int i = 0; i < 3; i++) {
        crafting c;
        collisions_begin(&c, 1);
        c.threat.epsilon = 64;
        const tc_craft_job job = crafting_job(&c, 1);
        tc_poison *poison =
            crafting_craft(&job, &tc_poison_frogs, (const char *const[]){"steps=40", betas[i], NULL}, NULL);
        farthest[i] = tc_poison_linf(poison, c.data);
        tc_poison_free(poison);
        crafting_leave_bars(&c);
    }
    assert_int_equal(farthest[0], 64);
    assert_in_range(farthest[1], 1, 63);
    assert_int_equal(farthest[2], 0);
}

/* Steps that do not help are taken back: what is told never rises. */
static double lowest;
static void told(void *context, double fraction, double objective) {
    (void)context;
    (void)fraction;
    assert_true(objective <= lowest);
    lowest = objective;
}

static void it_never_rises(void **state) {
    (void)state;
    crafting c;
    collisions_begin(&c, 2);
    tc_craft_job job = crafting_job(&c, 2);
    job.progress = told;
    lowest = INFINITY;
    tc_poison_free(crafting_craft(&job, &tc_poison_frogs, (const char *const[]){"steps=60", "step=50", NULL}, NULL));
    assert_true(lowest > 0 && isfinite(lowest));
    crafting_leave_bars(&c);
}

static void it_beats_noise_on_the_shapes(void **state) {
    (void)state;
    collisions_beat_noise(&tc_poison_frogs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_lowers_its_objective),
        cmocka_unit_test(sharpness_costs_one_gradient_where_it_is_computed),
        cmocka_unit_test(its_manners),
        cmocka_unit_test(the_penalty_keeps_poisons_near_their_bases),
        cmocka_unit_test(it_never_rises),
        cmocka_unit_test(it_beats_noise_on_the_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
