/* Passes whose activations are kept in bf16 (nn/layout.c): which those are, that their gradients are those of the
 * oracle but for rounding, that they take half the memory, and that a training with them comes to the same. */
#include "../nn/checks.h"
#include "../nn/networks.h"
#include "running.h"

#include "nn/plan.h"
#include "zoo/zoo.h"

static const tc_pass_options training = {.batch = 8, .mode = TC_TRAIN, .want = TC_WANT_GRAD_THETA};

static tc_model *built(const char *name, int side, int channels, const char *const *settings) {
    tc_model *model = NULL;
    tc_error error = {0};
    int count = 0;
    while (settings[count]) count++;
    if (tc_zoo_build(name, tc_nhwc(1, side, side, channels), 4, settings, count, &model, &error) != TC_OK)
        fail_msg("%s: %s", name, error.message);
    return model;
}

/* How many values are halves; fails if one is that has to be a real. */
static int halves_in(const tc_pass *pass) {
    int halves = 0;
    for (int v = 0; v < pass->model->values; v++) {
        const tc_shape s = pass->shape[v];
        if (s.half && (v == 0 || s.h * s.w == 1)) fail_msg("%s: value %d is halves", tc_model_name(pass->model), v);
        halves += s.half;
    }
    return halves;
}

/* ---- gradients ---- */

/* 1 − the cosine of the angle between a pass's gradient and the oracle's. */
static double apart(tc_device *device, tc_device *reference, const tc_model *model, unsigned want, bool expect_halves) {
    tc_pass_options options = training;
    options.want |= want;
    lab a = lab_open(device, model, options), b = lab_open(reference, model, training);
    if ((halves_in(a.pass) > 0) != expect_halves) fail_msg("%s: what it is kept as", tc_model_name(model));
    assert_int_equal(halves_in(b.pass), 0);
    lab_run(&a, TC_TRAIN, false, false, false);
    lab_run(&b, TC_TRAIN, false, false, false);
    if (!(fabs(a.loss - b.loss) < 0.02 * (1 + fabs(b.loss))))
        fail_msg("%s: loss %.6g and %.6g", tc_model_name(model), a.loss, b.loss);
    const double length = sqrt(inner(a.host[G], a.host[G], a.p)), expected = sqrt(inner(b.host[G], b.host[G], b.p));
    if (!(fabs(length / expected - 1) < 0.25))
        fail_msg("%s: a gradient of length %.4g, expected %.4g", tc_model_name(model), length, expected);
    const double cosine = inner(a.host[G], b.host[G], a.p) / (length * expected);
    lab_close(&a);
    lab_close(&b);
    return 1 - cosine;
}

/* Halves cost little beside what the precision costs anyway, where factors are rounded and what is kept is not. */
static void check_gradient(const devices *d, const tc_model *model, bool expect_halves) {
    const double rounded = apart(d->cpu, d->reference, model, TC_WANT_FEATURES, false),
                 halves = apart(d->cpu, d->reference, model, 0, expect_halves);
    if (!(halves < 10 * rounded + 1e-5))
        fail_msg("%s: %.3g apart, %.3g with reals", tc_model_name(model), halves, rounded);
}

/* Networks with a layer that does not take halves where there are positions, or with nowhere to keep them. */
static bool stays_real(const char *name) {
    static const char *const names[] = {"transposed", "linear",    "dropout",    "tokens",
                                        "layer norm", "attention", "transformer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(name, names[i])) return true;
    return false;
}

static void test_layers(void **state) {
    const devices *d = *state;
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build_network(i);
        check_gradient(d, model, !stays_real(networks[i].name));
        tc_model_free(model);
    }
}

static void test_zoo(void **state) {
    static const struct {
        const char *name, *settings[3];
        int side, channels;
        bool halves;
    } rows[] = {
        {"cnn", {"width=3"}, 8, 1, true},       {"lenet", {"width=3"}, 12, 2, true},
        {"convnet", {"width=3"}, 10, 3, true},  {"vgg11", {"width=2"}, 32, 1, true},
        {"resnet18", {"width=8"}, 12, 3, true}, {"mobilenetv2", {"width=8"}, 12, 3, true},
        {"mlp", {"width=9"}, 5, 2, false},      {"vit", {"width=8", "heads=2"}, 8, 3, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tc_model *model = built(rows[i].name, rows[i].side, rows[i].channels, rows[i].settings);
        check_gradient(*state, model, rows[i].halves);
        tc_model_free(model);
    }
}

/* ---- which passes ---- */

static tc_pass *pass_of(tc_device *device, const tc_model *model, tc_pass_options options) {
    tc_pass *pass = NULL;
    tc_error error = {0};
    if (tc_pass_create(device, model, &options, &pass, &error) != TC_OK) fail_msg("%s", error.message);
    return pass;
}

static void test_only_training(void **state) {
    const devices *d = *state;
    static const tc_pass_options others[] = {
        {.batch = 2, .mode = TC_EVALUATE},
        {.batch = 2, .mode = TC_EVALUATE, .want = TC_WANT_GRAD_THETA},
        {.batch = 2, .mode = TC_TRAIN, .want = TC_WANT_GRAD_THETA | TC_WANT_GRAD_X},
        {.batch = 2, .mode = TC_TRAIN, .want = TC_WANT_GRAD_THETA | TC_WANT_JVP_THETA},
        {.batch = 2, .mode = TC_TRAIN, .want = TC_WANT_GRAD_THETA | TC_WANT_FEATURES},
    };
    tc_model *model = built("resnet18", 8, 3, (const char *const[]){"width=2", NULL});
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        tc_pass *pass = pass_of(d->cpu, model, others[i]);
        assert_int_equal(halves_in(pass), 0);
        tc_pass_free(pass);
    }
    tc_model_free(model);
}

/* A training's features can still be looked at, and are reals to whoever does. */
static void test_features(void **state) {
    const devices *d = *state;
    tc_model *model = built("resnet18", 8, 3, (const char *const[]){"width=4", NULL});
    lab a = lab_open(d->cpu, model, training), b = lab_open(d->reference, model, training);
    const char *names[16];
    lab_run(&a, TC_TRAIN, false, false, false);
    lab_run(&b, TC_TRAIN, false, false, false);
    for (int i = 0, n = tc_model_names(model, names, 16); i < n; i++) {
        const tc_node node = tc_model_find(model, names[i]);
        const size_t count = tc_shape_count(tc_pass_feature_shape(a.pass, node));
        const lab *of[2] = {&a, &b};
        double *x[2];
        for (int j = 0; j < 2; j++) {
            void *features = lab_reals(of[j]->device, count);
            tc_pass_features(of[j]->pass, node, features);
            x[j] = calloc(count, sizeof *x[j]);
            of[j]->device->k->download_double(of[j]->device, x[j], features, count);
            of[j]->device->k->release(of[j]->device, features);
        }
        const double off = relative_error(x[0], x[1], count);
        if (!(off < 0.05)) fail_msg("%s: off by %.3g", names[i], off);
        free(x[0]);
        free(x[1]);
    }
    lab_close(&a);
    lab_close(&b);
    tc_model_free(model);
}

static void test_memory(void **state) {
    const devices *d = *state;
    tc_device *floats = NULL;
    tc_model *model = built("resnet18", 16, 3, (const char *const[]){"width=8", NULL});
    tc_pass_options options = training;
    options.batch = 32;
    assert_int_equal(tc_device_open(d->cpu->name, 1, &floats, NULL), TC_OK);
    tc_pass *half = pass_of(d->cpu, model, options), *whole = pass_of(floats, model, options);
    const double share = (double)tc_pass_bytes(half) / (double)tc_pass_bytes(whole);
    if (!(share < 0.6)) fail_msg("%zu of %zu bytes", tc_pass_bytes(half), tc_pass_bytes(whole));
    tc_pass_free(half);
    tc_pass_free(whole);
    tc_device_close(floats);
    tc_model_free(model);
}

/* ---- a whole training ---- */

static tc_train_result trained(const char *precision) {
    static const char *const settings[] = {"epochs=12", "batch=16", "crop=1", "flip=true", "rate=0.05", NULL};
    setenv("TOCSIN_TEST_PRECISION", precision, 1);
    setup s = make_setup(tested_device("cuda"), true, 96, settings);
    tc_weights weights;
    const tc_train_result result = run(&s, 5, NULL, &weights);
    tc_weights_free(&weights);
    end_setup(&s);
    return result;
}

static void test_training(void **state) {
    (void)state;
    const tc_train_result f32 = trained("f32"), bf16 = trained("bf16");
    assert_true(f32.accuracy > 0.8); /* of three classes */
    if (!(fabs(bf16.accuracy - f32.accuracy) < 0.06) || !(fabs(bf16.loss - f32.loss) < 0.1 * f32.loss + 0.02))
        fail_msg("loss %.4f, accuracy %.3f; in f32 %.4f, %.3f", bf16.loss, bf16.accuracy, f32.loss, f32.accuracy);
}

int main(void) {
    if (!ask_for_bf16("cuda")) return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),   cmocka_unit_test(test_zoo),    cmocka_unit_test(test_only_training),
        cmocka_unit_test(test_features), cmocka_unit_test(test_memory), cmocka_unit_test(test_training),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
