/* Proofs of the engine: every layer, in both modes, under every loss. */
#include "checks.h"
#include "networks.h"
#include "nn/plan.h"

static void test_differences(void **state) {
    const devices *d = *state;
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build_network(i);
        for (int mode = TC_EVALUATE; mode <= TC_TRAIN; mode++)
            check_against_differences(d->reference, model, (tc_pass_options){.batch = 3, .mode = (tc_mode)mode}, 1e-6);
        tc_model_free(model);
    }
}

static void test_losses(void **state) {
    const devices *d = *state;
    const tc_loss_kind kinds[] = {TC_CROSS_ENTROPY, TC_SQUARED_ERROR, TC_HINGE, TC_MARGIN};
    tc_model *model = build_network(0);
    for (int i = 0; i < 4; i++) {
        const tc_pass_options options = {.batch = 4, .loss = kinds[i], .kappa = 0.5};
        if (!oracle_is_proved()) check_against_differences(d->reference, model, options, 1e-6);
        check_against_reference(d->cpu, d->reference, model, options, 1e-4, 1e-3);
    }
    tc_model_free(model);
}

static void test_backends(void **state) {
    const devices *d = *state;
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build_network(i);
        for (int mode = TC_EVALUATE; mode <= TC_TRAIN; mode++)
            check_against_reference(d->cpu, d->reference, model, (tc_pass_options){.batch = 5, .mode = (tc_mode)mode},
                                    1e-4, 1e-3);
        tc_model_free(model);
    }
}

/* A pass that is asked for less gives the same numbers for what it is asked for, in less memory. */
static void test_wants(void **state) {
    const devices *d = *state;
    const unsigned wants[] = {TC_WANT_GRAD_THETA, TC_WANT_GRAD_X, TC_WANT_GRAD_THETA | TC_WANT_JVP_X,
                              TC_WANT_GRAD_THETA | TC_WANT_JVP_THETA,
                              TC_WANT_GRAD_THETA | TC_WANT_GRAD_X | TC_WANT_FEATURES};
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build_network(i);
        for (int mode = TC_EVALUATE; mode <= TC_TRAIN; mode++) {
            lab all =
                lab_open(d->reference, model, (tc_pass_options){.batch = 3, .mode = (tc_mode)mode, .want = EVERYTHING});
            lab_run(&all, (tc_mode)mode, true, true, false);
            for (size_t w = 0; w < sizeof wants / sizeof *wants; w++) {
                lab some = lab_open(d->reference, model,
                                    (tc_pass_options){.batch = 3, .mode = (tc_mode)mode, .want = wants[w]});
                const bool second = wants[w] & (TC_WANT_JVP_X | TC_WANT_JVP_THETA);
                lab_run(&some, (tc_mode)mode, second, true, false);
                const unsigned asked[] = {TC_WANT_GRAD_THETA, TC_WANT_GRAD_X, TC_WANT_JVP_THETA, TC_WANT_JVP_X};
                for (int r = 0; r < 4; r++)
                    if ((wants[w] & asked[r]) &&
                        relative_error(some.host[r], all.host[r], r % 2 ? all.x : all.p) > 1e-12)
                        fail_msg("%s: result %d differs where only %u is wanted", networks[i].name, r, wants[w]);
                assert_true(tc_pass_bytes(some.pass) <= tc_pass_bytes(all.pass));
                lab_close(&some);
            }
            lab_close(&all);
        }
        tc_model_free(model);
    }
}

/* ⟨cotangent, J direction⟩ by the pass against a difference of the features. */
static void check_features(tc_device *device, const tc_model *model, const char *name) {
    const double h = 1e-6;
    const tc_node node = tc_model_find(model, name);
    assert_true(node >= 0);
    const unsigned want = TC_WANT_GRAD_THETA | TC_WANT_GRAD_X | TC_WANT_FEATURES;
    lab l = lab_open(device, model, (tc_pass_options){.batch = 2, .mode = TC_EVALUATE, .want = want});
    const size_t count = tc_shape_count(tc_pass_feature_shape(l.pass, node));
    void *cotangent = lab_reals(device, count), *features = lab_reals(device, count);
    double *theta_direction = calloc(l.p, sizeof(double)), *x_direction = calloc(l.x, sizeof(double));
    device->k->normal(device, count, tc_stream_make(31), 1, cotangent);
    device->k->download_double(device, theta_direction, l.direction, l.p);
    device->k->download_double(device, x_direction, l.x_direction, l.x);
    tc_pass_forward(l.pass, l.theta, l.state);
    tc_pass_vjp(l.pass, l.theta, node, cotangent, l.g, l.g_x);
    device->k->download_double(device, l.host[G], l.g, l.p);
    device->k->download_double(device, l.host[G_X], l.g_x, l.x);
    const double slope = inner(l.host[G], theta_direction, l.p) + inner(l.host[G_X], x_direction, l.x);
    double side[2];
    for (int i = 0; i < 2; i++) {
        lab_move(&l, i ? -2 * h : h, i ? -2 * h : h);
        tc_pass_forward(l.pass, l.theta, l.state);
        tc_pass_features(l.pass, node, features);
        side[i] = device->k->dot(device, count, features, cotangent);
    }
    const double difference = (side[0] - side[1]) / (2 * h);
    if (fabs(slope - difference) > 1e-6 * (fabs(difference) + 1e-3))
        fail_msg("%s: vjp from %s gives %.9g, differences %.9g", tc_model_name(model), name, slope, difference);
    /* The next ordinary gradient is none the worse for it. */
    lab_move(&l, h, h);
    const double loss = tc_pass_grad(l.pass, l.theta, l.state, l.g, l.g_x);
    device->k->download_double(device, l.host[G], l.g, l.p);
    double *again = lab_copy(l.host[G], l.p);
    lab plain = lab_open(
        device, model, (tc_pass_options){.batch = 2, .mode = TC_EVALUATE, .want = TC_WANT_GRAD_THETA | TC_WANT_GRAD_X});
    lab_run(&plain, TC_EVALUATE, false, false, false);
    assert_true(fabs(plain.loss - loss) < 1e-6);
    assert_true(relative_error(again, plain.host[G], l.p) < 1e-5);
    device->k->release(device, cotangent);
    device->k->release(device, features);
    free(theta_direction);
    free(x_direction);
    free(again);
    lab_close(&plain);
    lab_close(&l);
}

static void test_features(void **state) {
    const devices *d = *state;
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build_network(i);
        const char *names[8];
        const int count = tc_model_names(model, names, 8);
        for (int n = 0; n < count; n++) check_features(d->reference, model, names[n]);
        tc_model_free(model);
    }
}

/* Running statistics follow PyTorch's rule in training mode and stay in evaluation mode. */
static void test_running_statistics(void **state) {
    const devices *d = *state;
    tc_model *model = build_network(4);
    for (int mode = TC_EVALUATE; mode <= TC_TRAIN; mode++) {
        lab l = lab_open(d->reference, model,
                         (tc_pass_options){.batch = 3, .mode = (tc_mode)mode, .want = TC_WANT_GRAD_THETA});
        double *before = calloc(l.s, sizeof *before), *after = calloc(l.s, sizeof *after);
        d->reference->k->download_double(d->reference, before, l.state, l.s);
        tc_pass_grad(l.pass, l.theta, l.state, l.g, NULL);
        d->reference->k->download_double(d->reference, after, l.state, l.s);
        const bool moved = relative_error(after, before, l.s) > 1e-9;
        assert_int_equal(moved, mode == TC_TRAIN);
        free(before);
        free(after);
        lab_close(&l);
    }
    tc_model_free(model);
}

/* The same call gives the same bits, and neither it nor anything in it allocates. */
static void test_repeats_without_allocating(void **state) {
    const devices *d = *state;
    tc_model *model = build_network(NETWORKS - 1);
    lab l = lab_open(d->cpu, model, (tc_pass_options){.batch = 9, .mode = TC_TRAIN, .want = EVERYTHING});
    lab_run(&l, TC_TRAIN, true, true, true);
    double *first[4];
    for (int i = 0; i < 4; i++) first[i] = lab_copy(l.host[i], i % 2 ? l.x : l.p);
    const uint64_t allocations = d->cpu->allocations;
    for (int repeat = 0; repeat < 3; repeat++) {
        lab_run(&l, TC_TRAIN, true, true, true);
        for (int i = 0; i < 4; i++) assert_memory_equal(first[i], l.host[i], sizeof(double) * (i % 2 ? l.x : l.p));
    }
    assert_int_equal(allocations, d->cpu->allocations);
    for (int i = 0; i < 4; i++) free(first[i]);
    lab_close(&l);
    tc_model_free(model);
}

/* Several directions after one gradient, kept or computed again, are each what a gradient of their own would give. */
static void test_many_directions(void **state) {
    const devices *d = *state;
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build_network(i);
        for (unsigned many = 0; many <= TC_WANT_MANY_DIRECTIONS; many += TC_WANT_MANY_DIRECTIONS) {
            for (int mode = TC_EVALUATE; mode <= TC_TRAIN; mode++) {
                lab l = lab_open(d->reference, model,
                                 (tc_pass_options){.batch = 3, .mode = (tc_mode)mode, .want = EVERYTHING | many});
                lab_run(&l, (tc_mode)mode, true, true, true);
                double *j = lab_copy(l.host[J], l.p), *j_x = lab_copy(l.host[J_X], l.x);
                for (int other = 0; other < 2; other++) tc_pass_grad_jvp(l.pass, l.g, NULL, l.j, l.j_x);
                tc_pass_grad_jvp(l.pass, l.direction, l.x_direction, l.j, l.j_x);
                l.device->k->download_double(l.device, l.host[J], l.j, l.p);
                l.device->k->download_double(l.device, l.host[J_X], l.j_x, l.x);
                assert_memory_equal(j, l.host[J], l.p * sizeof *j);
                assert_memory_equal(j_x, l.host[J_X], l.x * sizeof *j_x);
                free(j);
                free(j_x);
                lab_close(&l);
            }
        }
        tc_model_free(model);
    }
}

/* Everything a pass took from the device it gives back. */
static void test_gives_back(void **state) {
    const devices *d = *state;
    tc_model *model = build_network(6);
    const size_t before = d->cpu->bytes;
    lab l = lab_open(d->cpu, model, (tc_pass_options){.batch = 4, .mode = TC_TRAIN, .want = EVERYTHING});
    assert_true(d->cpu->bytes > before);
    lab_close(&l);
    assert_int_equal(d->cpu->bytes, before);
    tc_model_free(model);
}

static void test_absurd_batches(void **state) {
    const devices *d = *state;
    tc_model *model = build_network(0);
    const int batches[] = {0, -1, INT32_MAX};
    for (int i = 0; i < 3; i++) {
        tc_error error = {0};
        tc_pass *pass = NULL;
        assert_int_equal(tc_pass_create(d->cpu, model, &(tc_pass_options){.batch = batches[i]}, &pass, &error),
                         TC_INVALID);
        assert_null(pass);
    }
    tc_model_free(model);
}

/* ---- what a device replays ---- */

static const tc_kernels *real_table;
static tc_kernels counting, plainly;
static int replays, freed;

static void count_replay(tc_device *device, tc_recording *recording) {
    replays++;
    real_table->replay(device, recording);
}

static void count_free(tc_device *device, tc_recording *recording) {
    freed++;
    real_table->recording_free(device, recording);
}

static void watch_replays(tc_device *device) {
    real_table = device->k;
    counting = plainly = *real_table;
    replays = freed = 0;
    if (counting.replay) counting.replay = count_replay;
    if (counting.recording_free) counting.recording_free = count_free;
    plainly.record_begin = NULL;
}

/* All that can be asked of a pass, of weights that lie at two places, with results that do. */
static void ask_everything(lab *l, tc_mode mode, int round, const void *cotangent) {
    const tc_node logits = l->model->logits;
    tc_pass *pass = l->pass;
    tc_pass_set_stream(pass, tc_stream_make((uint64_t)round));
    l->loss = tc_pass_grad(pass, l->theta, l->state, l->g, l->g_x);
    tc_pass_grad_jvp(pass, l->direction, l->x_direction, l->j, l->j_x);
    tc_pass_grad_jvp(pass, l->g, NULL, l->j, NULL);
    l->loss += tc_pass_grad(pass, l->direction, l->state, l->j, NULL);
    tc_pass_grad_async(pass, l->theta, mode == TC_TRAIN ? NULL : l->state, l->g, l->j_x);
    tc_pass_grad_jvp(pass, l->j, NULL, l->g, l->g_x);
    l->loss += tc_pass_forward(pass, l->theta, l->state);
    tc_pass_vjp(pass, l->theta, logits, cotangent, l->j, l->j_x);
    if (l->s) return; /* with batch normalisation no image has a gradient of its own */
    double squares[3];
    l->loss += tc_pass_grad_each(pass, l->theta, 3, squares);
    for (int i = 0; i < 3; i++) l->loss += squares[i];
    tc_pass_grad_sum(pass, 3, squares, l->j);
}

static void expect_same_bits(lab *a, lab *b, const char *name, int round) {
    const size_t size[] = {a->p, a->x, a->p, a->x, a->s};
    void *const of_a[] = {a->g, a->g_x, a->j, a->j_x, a->state}, *const of_b[] = {b->g, b->g_x, b->j, b->j_x, b->state};
    if (a->loss != b->loss) fail_msg("%s: losses differ in round %d", name, round);
    for (int i = 0; i < 5; i++) {
        double *one = calloc(2 * size[i] + 1, sizeof *one), *other = one + size[i];
        a->device->k->download_double(a->device, one, of_a[i], size[i]);
        b->device->k->download_double(b->device, other, of_b[i], size[i]);
        if (memcmp(one, other, size[i] * sizeof *one)) fail_msg("%s: result %d differs in round %d", name, i, round);
        free(one);
    }
}

/* A device that replays what it has been asked before gives the bits of one that is called kernel by kernel, while
 * images and weights change. Masks that come from another stream each time are no repetition. */
static void test_replays(void **state) {
    const devices *d = *state;
    enum { ROUNDS = 3, CALLS = 8, APART = 6 }; /* plain, residual, with dropout, by channel */
    watch_replays(d->cpu);
    for (int i = 0; i < NETWORKS; i += APART) {
        tc_model *model = build_network(i);
        for (int mode = TC_EVALUATE; mode <= TC_TRAIN; mode++) {
            const unsigned want = EVERYTHING | TC_WANT_FEATURES | (tc_model_state(model) ? 0 : TC_WANT_EACH);
            const tc_pass_options options = {.batch = 3, .mode = (tc_mode)mode, .want = want};
            lab a = lab_open(d->cpu, model, options), b = lab_open(d->cpu, model, options);
            void *cotangent = lab_reals(d->cpu, 3 * TEST_CLASSES);
            d->cpu->k->normal(d->cpu, 3 * TEST_CLASSES, tc_stream_make(3), 1, cotangent);
            replays = 0;
            for (int round = 0; round < ROUNDS; round++) {
                d->cpu->k = &counting;
                ask_everything(&a, (tc_mode)mode, round, cotangent);
                d->cpu->k = &plainly;
                ask_everything(&b, (tc_mode)mode, round, cotangent);
                d->cpu->k = real_table;
                expect_same_bits(&a, &b, networks[i].name, round);
                lab_move(&a, 0.1, 0.2);
                lab_move(&b, 0.1, 0.2);
            }
            const bool draws = mode == TC_TRAIN && !strcmp(networks[i].name, "dropout");
            if (real_table->record_begin) assert_true(draws ? !replays : replays >= (ROUNDS - 1) * CALLS);
            d->cpu->k->release(d->cpu, cotangent);
            lab_close(&a);
            lab_close(&b);
        }
        tc_model_free(model);
    }
}

/* Of more weights than it can remember a pass keeps what it can; what is not asked for any more makes room. */
static void test_remembers_a_few(void **state) {
    const devices *d = *state;
    enum { MANY = TC_PASS_TRACKS + 5, ROUNDS = 3, NEW = 2 };
    tc_device *device = d->cpu;
    tc_model *model = build_network(0);
    watch_replays(device);
    device->k = &counting;
    lab l = lab_open(device, model, (tc_pass_options){.batch = 3, .want = TC_WANT_GRAD_THETA});
    void *all = lab_reals(device, (MANY + NEW) * l.p);
    double loss[MANY + NEW];
    device->k->normal(device, (MANY + NEW) * l.p, tc_stream_make(4), 0.1, all);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < MANY; i++) {
            const double now = tc_pass_grad(l.pass, tc_at(device, all, (size_t)i * l.p), l.state, l.g, NULL);
            if (!round) loss[i] = now;
            assert_true(now == loss[i]);
        }
    }
    if (device->k->record_begin) assert_int_equal(replays, (ROUNDS - 1) * (TC_PASS_TRACKS - 1));
    for (int i = 0; device->k->record_begin && i <= TC_PASS_STALE; i++)
        tc_pass_grad_async(l.pass, all, l.state, l.g, NULL);
    replays = freed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = MANY; i < MANY + NEW; i++) {
            const double now = tc_pass_grad(l.pass, tc_at(device, all, (size_t)i * l.p), l.state, l.g, NULL);
            if (!round) loss[i] = now;
            assert_true(now == loss[i]);
        }
    }
    if (device->k->record_begin) {
        assert_int_equal(replays, (ROUNDS - 1) * NEW);
        assert_true(freed > 0);
    }
    device->k->release(device, all);
    lab_close(&l);
    if (real_table->record_begin) assert_true(freed >= TC_PASS_TRACKS - 1);
    device->k = real_table;
    tc_model_free(model);
}

int main(void) {
    const struct CMUnitTest of_the_oracle[] = {
        cmocka_unit_test(test_differences),     cmocka_unit_test(test_wants),
        cmocka_unit_test(test_features),        cmocka_unit_test(test_running_statistics),
        cmocka_unit_test(test_many_directions),
    };
    const struct CMUnitTest of_both[] = {
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_backends),
        cmocka_unit_test(test_repeats_without_allocating),
        cmocka_unit_test(test_replays),
        cmocka_unit_test(test_remembers_a_few),
        cmocka_unit_test(test_gives_back),
        cmocka_unit_test(test_absurd_batches),
    };
    const int failed = oracle_is_proved() ? 0 : cmocka_run_group_tests(of_the_oracle, open_devices, close_devices);
    return failed + cmocka_run_group_tests(of_both, open_devices, close_devices);
}
