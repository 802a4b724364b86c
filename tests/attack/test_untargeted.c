/* Attacks on everything: they reach their objective, keep their limits, are repeatable, and little is learnt from what
 * they leave. */
#include "untargeted.h"

/* ---- error-min ---- */

/* How often a network must look, its training aside: once (or once for each Gaussian point) a step of the noise, and
 * with worst-case one gradient more of every batch where v̂ is computed, which is once a round. */
static int64_t gradients_of(int kind, int64_t rounds, int64_t batches, int64_t noise_steps) {
    return (kind == 2 ? 2 : 1) * noise_steps + (kind == 1 ? rounds * batches : 0);
}

static void error_min_makes_images_easy(void **state) {
    (void)state;
    static const char *const kinds[] = {"none", "worst-case", "gaussian"};
    untargeted s;
    untargeted_begin(&s, 6, 0.8);
    for (int kind = 0; kind < 3; kind++) {
        char sharpness[64];
        tc_craft_report report;
        tc_weights weights;
        snprintf(sharpness, sizeof sharpness, "sharpness=%s", kinds[kind]);
        tc_poison *poison =
            untargeted_craft(&s, &tc_error_min,
                             (const char *const[]){"epochs=8", "model_steps=1", "steps=2", "batch=32", "stop=0",
                                                   "samples=2", "sigma=0.01", sharpness, NULL},
                             &report);
        untargeted_limits(&s, poison);
        assert_true(s.last < 0.85 * s.first && fabs(report.objective - s.last) < 0.02);
        assert_int_equal(report.steps, 8 * 2 * 4); /* 97 poisons are 4 batches */
        assert_int_equal(report.gradients, gradients_of(kind, 8, 4, report.steps));
        assert_int_equal(report.trainings, 1);
        untargeted_train(&s, poison, &weights);
        assert_true(untargeted_loss(&s, &weights, poison, false) < 0.9 * untargeted_loss(&s, &weights, poison, true));
        tc_weights_free(&weights);
        tc_poison_free(poison);
    }
    untargeted_end(&s);
}

/* What its network is trained by has a part in the noise, bar what has to be asked for. */
static void error_min_obeys_its_networks_training(void **state) {
    (void)state;
    static const struct {
        const char *training, *option;
        bool alike; /* to what neither says */
    } ways[] = {{"momentum=0", NULL, false},
                {"weight_decay=0.01", NULL, false},
                {"optimiser=adam", NULL, false},
                {"sam_rho=0.1", NULL, false},
                {"mixup=1", NULL, false},
                {"cutout=3", NULL, false},
                {"adversarial_epsilon=4", NULL, false},
                {"schedule=linear", NULL, true},
                {"schedule=linear", "schedule=recipe", false},
                {"crop=2", NULL, true},
                {"crop=2", "augment=true", false}};
    tc_poison *plain = NULL;
    untargeted s;
    untargeted_begin(&s, 8, 0.8);
    const tc_train_options usual = s.train;
    for (int k = -1; k < (int)(sizeof ways / sizeof *ways); k++) {
        tc_error error;
        const char *option = k >= 0 && ways[k].option ? ways[k].option : "stop=0";
        if (k >= 0) must(tc_options_assign(tc_train_table, &s.train, ways[k].training, &error));
        tc_poison *made = untargeted_craft(
            &s, &tc_error_min,
            (const char *const[]){"epochs=3", "steps=1", "model_steps=4", "batch=97", "stop=0", option, NULL}, NULL);
        untargeted_limits(&s, made);
        const size_t bytes = made->replaced * made->image_bytes;
        if (k >= 0) assert_int_equal(!memcmp(made->images, plain->images, bytes), ways[k].alike);
        if (k >= 0) tc_poison_free(made);
        if (k < 0) plain = made;
        s.train = usual;
    }
    tc_poison_free(plain);
    untargeted_end(&s);
}

static void error_min_ends_when_it_is_good_enough(void **state) {
    (void)state;
    tc_craft_report report;
    untargeted s;
    untargeted_begin(&s, 16, 1);
    tc_poison *poison =
        untargeted_craft(&s, &tc_error_min, (const char *const[]){"epochs=50", "steps=5", "stop=0.02", NULL}, &report);
    assert_true(report.steps < 50 * 5);
    tc_poison_free(poison);
    untargeted_end(&s);
}

static void class_wise_noise_is_one_for_a_class(void **state) {
    (void)state;
    tc_error error;
    int seen[3][8 * 8 * 3], classes = 0;
    bool known[3] = {false};
    untargeted s;
    untargeted_begin(&s, 10, 0.8);
    tc_poison *poison = untargeted_craft(
        &s, &tc_error_min, (const char *const[]){"noise=class-wise", "steps=1", "epochs=8", "batch=20", "stop=0", NULL},
        NULL);
    untargeted_limits(&s, poison);
    for (size_t i = 0; i < poison->replaced; i++) {
        const int label = poison->labels[i];
        for (size_t j = 0; j < poison->image_bytes; j++) { /* 60 … 229: nothing is clipped */
            if (!known[label]) seen[label][j] = untargeted_delta(&s, poison, i, j);
            assert_int_equal(untargeted_delta(&s, poison, i, j), seen[label][j]);
        }
        classes += !known[label];
        known[label] = true;
    }
    assert_int_equal(classes, 3);
    assert_memory_not_equal(seen[0], seen[1], sizeof seen[0]);
    tc_poison_free(poison);
    (void)error;
    untargeted_end(&s);
}

/* ---- error-max ---- */

static void error_max_raises_the_loss(void **state) {
    (void)state;
    static const char *const aims[] = {"aim=away", "aim=next-class", "aim=permutation"};
    static const char *const kinds[] = {"sharpness=none", "sharpness=worst-case"};
    untargeted s;
    untargeted_begin(&s, 12, 0.8);
    for (int k = 0; k < 6; k++) {
        tc_craft_report report;
        tc_poison *poison = untargeted_craft(&s, &tc_error_max,
                                             (const char *const[]){"steps=8", "step=0.2", "batch=40", "shift=1",
                                                                   "flip=false", aims[k / 2], kinds[k % 2], NULL},
                                             &report);
        untargeted_limits(&s, poison);
        assert_int_equal(report.steps, 3 * 8); /* 97 poisons are 3 batches */
        assert_int_equal(report.gradients, 3 * 8 + (k % 2 ? 3 : 0));
        const double before = untargeted_loss(&s, &s.surrogate.weights, poison, true);
        const double after = untargeted_loss(&s, &s.surrogate.weights, poison, false);
        assert_true(after > before + 0.3);
        if (k / 2 == 0) assert_float_equal(report.objective, after, 1e-4);
        tc_poison_free(poison);
    }
    untargeted_end(&s);
}

/* Image by image the best of the attempts: no worse than any one of them, and better on the whole. */
static void restarts_keep_the_best_of_each(void **state) {
    (void)state;
    static const char *const restarts[] = {"restarts=1", "restarts=5"};
    static const char *const aims[] = {"aim=away", "aim=next-class"};
    untargeted s;
    untargeted_begin(&s, 8, 0.8);
    for (int a = 0; a < 2; a++) {
        tc_craft_report report[2];
        for (int k = 0; k < 2; k++) {
            tc_poison *poison = untargeted_craft(&s, &tc_error_max,
                                                 (const char *const[]){"steps=3", "step=0.3", "batch=40", "shift=0",
                                                                       "flip=false", restarts[k], aims[a], NULL},
                                                 &report[k]);
            untargeted_limits(&s, poison);
            tc_poison_free(poison);
        }
        assert_int_equal(report[1].steps, 5 * report[0].steps);
        assert_int_equal(report[1].gradients, 5 * report[0].gradients);
        const double gained = report[1].objective - report[0].objective;
        assert_true(a ? gained < -1e-3 : gained > 1e-3);
    }
    untargeted_end(&s);
}

/* Towards the next class: it is what the surrogate then says more often than before. */
static void class_targeted_goes_to_its_class(void **state) {
    (void)state;
    tc_error error;
    size_t hits[2] = {0};
    untargeted s;
    untargeted_begin(&s, 20, 1);
    tc_poison *poison = untargeted_craft(
        &s, &tc_error_max,
        (const char *const[]){"steps=20", "step=0.2", "shift=0", "flip=false", "aim=next-class", NULL}, NULL);
    float *logits = malloc(poison->replaced * 3 * sizeof *logits);
    const uint8_t *const images[] = {s.data->train.images, poison->images};
    for (int k = 0; k < 2; k++) {
        must(tc_predict(s.device, s.model, &s.surrogate.weights, s.data, images[k], poison->replaced, logits, &error));
        for (size_t i = 0; i < poison->replaced; i++)
            hits[k] += tc_argmax(logits + 3 * i, 3) == (poison->labels[i] + 1) % 3;
    }
    assert_true(hits[1] > hits[0] + poison->replaced / 3);
    free(logits);
    tc_poison_free(poison);
    untargeted_end(&s);
}

/* ---- what all of them keep ---- */

static const struct {
    const tc_attack *attack;
    const char *settings[6];
} all[] = {{&tc_error_min, {"epochs=2", "steps=3", "batch=40", "shift=1", NULL}},
           {&tc_error_min, {"epochs=2", "steps=2", "batch=40", "noise=class-wise", NULL}},
           {&tc_error_max, {"steps=4", "batch=40", "shift=1", "sharpness=gaussian", "samples=2", NULL}},
           {&tc_error_max, {"steps=4", "batch=40", "sharpness=worst-case", NULL}},
           {&tc_separable, {NULL}},
           {&tc_autoregressive, {NULL}}};
enum { ALL = sizeof all / sizeof *all };

static void same_seed_same_poison_for_any_threads_and_nothing_leaks(void **state) {
    (void)state;
    untargeted s;
    untargeted_begin(&s, 9.5, 0.5);
    tc_device *one = s.device, *three = tiny_device_of("cpu", 3);
    for (int k = 0; k < ALL; k++) {
        const size_t before = one->bytes;
        tc_poison *a = untargeted_craft(&s, all[k].attack, all[k].settings, NULL);
        assert_int_equal(one->bytes, before);
        s.device = three;
        tc_poison *b = untargeted_craft(&s, all[k].attack, all[k].settings, NULL);
        s.device = one;
        assert_memory_equal(a->images, b->images, a->replaced * a->image_bytes);
        untargeted_limits(&s, a);
        assert_true(tc_poison_linf(a, s.data) <= 9);
        tc_poison_free(a);
        tc_poison_free(b);
    }
    tc_device_close(three);
    untargeted_end(&s);
}

static void can_be_stopped(void **state) {
    (void)state;
    untargeted s;
    untargeted_begin(&s, 8, 1);
    for (int k = 0; k < 4; k++) {
        tc_error error;
        tc_poison *poison;
        void *options = untargeted_options(all[k].attack, all[k].settings);
        const tc_craft_job job = untargeted_job(&s);
        s.stop_after = 1;
        assert_int_equal(all[k].attack->craft(&job, options, &poison, NULL, &error), TC_INTERRUPTED);
        assert_null(poison);
        s.stop_after = 0;
        free(options);
    }
    untargeted_end(&s);
}

static void what_is_missing_is_said(void **state) {
    (void)state;
    tc_error error;
    tc_poison *poison;
    untargeted s;
    untargeted_begin(&s, 8, 1);
    tc_craft_job job = untargeted_job(&s);
    void *options = untargeted_options(&tc_error_max, NULL);
    job.surrogate_count = 0;
    assert_int_equal(tc_error_max.craft(&job, options, &poison, NULL, &error), TC_INVALID);
    assert_string_equal(error.message, "error-max: no surrogate is given; train one first");
    free(options);
    options = untargeted_options(&tc_error_min, NULL);
    s.own.train = NULL;
    assert_int_equal(tc_error_min.craft(&job, options, &poison, NULL, &error), TC_INVALID);
    assert_string_equal(error.message, "error-min: trains a network of its own; say how it is trained");
    free(options);
    options = untargeted_options(&tc_separable, (const char *const[]){"patch=8", NULL});
    must(tc_separable.craft(&job, options, &poison, NULL, &error));
    tc_poison_free(poison);
    free(options);
    untargeted_end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_min_makes_images_easy),
        cmocka_unit_test(error_min_obeys_its_networks_training),
        cmocka_unit_test(error_min_ends_when_it_is_good_enough),
        cmocka_unit_test(class_wise_noise_is_one_for_a_class),
        cmocka_unit_test(error_max_raises_the_loss),
        cmocka_unit_test(restarts_keep_the_best_of_each),
        cmocka_unit_test(class_targeted_goes_to_its_class),
        cmocka_unit_test(same_seed_same_poison_for_any_threads_and_nothing_leaks),
        cmocka_unit_test(can_be_stopped),
        cmocka_unit_test(what_is_missing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
