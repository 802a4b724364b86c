/* Networks from lists of layers: those that the zoo has too are the same networks, whatever is written wrongly is said
 * in one line that tells where, and whoever saves by fingerprint can tell networks apart. */
#include "../nn/checks.h"

#include "zoo/zoo.h"

static tc_status try_layers(const char *layers, tc_shape input, tc_model **model, tc_error *error) {
    static char setting[TC_ZOO_LAYERS_SIZE + 64];
    snprintf(setting, sizeof setting, "layers=%s", layers);
    return tc_zoo_build("sequential", input, 10, (const char *const[]){setting}, 1, model, error);
}

static tc_model *build(const char *layers, int side, int channels) {
    tc_model *model = NULL;
    tc_error error = {0};
    if (try_layers(layers, tc_nhwc(1, side, side, channels), &model, &error) != TC_OK) fail_msg("%s", error.message);
    return model;
}

/* ---- the same networks ---- */

#define BLOCK(channels)                                                                                                \
    "{residual: [conv " channels " bias=false, batch-norm, relu, conv " channels " bias=false, batch-norm]}, relu, "
#define NARROWING(channels)                                                                                            \
    "{residual: [conv " channels " stride=2 bias=false, batch-norm, relu, conv " channels                              \
    " bias=false, batch-norm], shortcut: [conv " channels " kernel=1 stride=2 bias=false, batch-norm]}, relu, "

static const struct twin {
    const char *name, *setting, *layers;
    int side, channels;
    bool same_names; /* the zoo's is an nn.Sequential, too */
} twins[] = {
    {"logreg", NULL, "[flatten, linear]", 5, 3, true},
    {"mlp", "width=9", "[flatten, linear 9, leaky-relu 0.2, linear 9, leaky-relu 0.2, linear]", 5, 2, true},
    {"lenet", NULL,
     "[conv 6 kernel=5, relu, max-pool 2, conv 16 kernel=5 padding=0, relu, max-pool, flatten, linear 120, relu, "
     "linear 84, relu, linear]",
     28, 1, true},
    {"cnn", "width=3",
     "- conv 3 kernel=5\n- relu\n- max-pool\n# the second\n- conv 6 kernel=5\n- relu\n- max-pool\n- flatten\n- "
     "linear\n",
     8, 1, true},
    {"resnet18", "width=2",
     "[conv 2 bias=false, batch-norm, relu, {repeat 2: [" BLOCK("2") "]}, " NARROWING("4") BLOCK("4") NARROWING("8")
         BLOCK("8") NARROWING("16") BLOCK("16") "global-pool, linear]",
     12, 3, false},
};
enum { TWINS = sizeof twins / sizeof *twins };

static void same_tensors(const tc_model *ours, const tc_model *zoos, bool names) {
    const tc_tensor *a, *b;
    const int count = tc_model_tensors(ours, &a);
    assert_int_equal(count, tc_model_tensors(zoos, &b));
    for (int i = 0; i < count; i++) {
        if (names) assert_string_equal(a[i].name, b[i].name);
        assert_int_equal(a[i].rank, b[i].rank);
        assert_memory_equal(a[i].size, b[i].size, sizeof a[i].size);
        assert_true(a[i].init == b[i].init && a[i].bound == b[i].bound);
    }
}

static void same_derivatives(tc_device *device, const tc_model *ours, const tc_model *zoos, tc_mode mode) {
    const tc_pass_options options = {.batch = 3, .mode = mode, .want = EVERYTHING};
    lab a = lab_open(device, ours, options), b = lab_open(device, zoos, options);
    lab_run(&a, mode, true, true, true);
    lab_run(&b, mode, true, true, true);
    assert_true(a.loss == b.loss);
    for (int i = 0; i < 4; i++) assert_memory_equal(a.host[i], b.host[i], (i % 2 ? a.x : a.p) * sizeof(double));
    lab_close(&a);
    lab_close(&b);
}

static void test_twins(void **state) {
    const devices *d = *state;
    for (int i = 0; i < TWINS; i++) {
        const struct twin *t = &twins[i];
        tc_model *ours = build(t->layers, t->side, t->channels), *zoos = NULL;
        tc_error error = {0};
        if (tc_zoo_build(t->name, tc_nhwc(1, t->side, t->side, t->channels), 10, &t->setting, t->setting != NULL, &zoos,
                         &error) != TC_OK)
            fail_msg("%s", error.message);
        same_tensors(ours, zoos, t->same_names);
        for (int mode = TC_EVALUATE; mode <= TC_TRAIN; mode++)
            same_derivatives(d->reference, ours, zoos, (tc_mode)mode);
        assert_true(tc_model_find(ours, "features") >= 0);
        tc_model_free(ours);
        tc_model_free(zoos);
    }
}

/* ---- names ---- */

static void test_names(void **state) {
    (void)state;
    static const char *const should[] = {"stem.weight",
                                         "stem.bias",
                                         "1.body.0.weight",
                                         "1.body.0.bias",
                                         "1.body.1.weight",
                                         "1.body.1.bias",
                                         "1.shortcut.0.weight",
                                         "1.shortcut.0.bias",
                                         "2.weight",
                                         "2.bias",
                                         "3.weight",
                                         "3.bias",
                                         "squeeze.gate.1.weight",
                                         "squeeze.gate.1.bias",
                                         "5.0.0.weight",
                                         "5.0.0.bias",
                                         "5.1.0.weight",
                                         "5.1.0.bias",
                                         "7.weight",
                                         "7.bias"};
    tc_model *model = build("[conv 4 name=stem value=early, {residual: [conv 8, batch-norm], shortcut: [conv 8]}, "
                            "{repeat 2: [conv 8]}, {scale name=squeeze: [global-pool, linear 8, sigmoid]}, "
                            "{concat: [[conv 4], [conv 4]]}, global-pool, linear]",
                            8, 1);
    const tc_tensor *tensors;
    assert_int_equal(tc_model_tensors(model, &tensors), sizeof should / sizeof *should);
    for (size_t i = 0; i < sizeof should / sizeof *should; i++) assert_string_equal(tensors[i].name, should[i]);
    assert_true(tc_model_find(model, "early") >= 0);
    tc_model_free(model);
}

/* What a user calls features is what attacks look at. */
static void test_own_features(void **state) {
    (void)state;
    tc_model *own = build("[flatten, linear 7 value=features, relu, linear 5, relu, linear]", 4, 1),
             *usual = build("[flatten, linear 7, relu, linear 5, relu, linear]", 4, 1);
    const char *names[4];
    assert_int_equal(tc_model_names(own, names, 4), 1);
    assert_int_equal(tc_model_names(usual, names, 4), 1);
    assert_true(tc_model_find(own, "features") < tc_model_find(usual, "features"));
    tc_model_free(own);
    tc_model_free(usual);
}

/* ---- fingerprints ---- */

static void test_fingerprints(void **state) {
    (void)state;
    static const char *const different[] = {"[conv 4, relu, global-pool, linear]",
                                            "[conv 4, gelu, global-pool, linear]",
                                            "[conv 4 stride=2, relu, global-pool, linear]",
                                            "[conv 4, relu, dropout 0.1, global-pool, linear]",
                                            "[conv 4, leaky-relu, global-pool, linear]",
                                            "[conv 4, leaky-relu 0.2, global-pool, linear]",
                                            "[conv 4, relu, dropout 0.2, global-pool, linear]"};
    enum { COUNT = sizeof different / sizeof *different };
    uint64_t sums[COUNT];
    for (int i = 0; i < COUNT; i++) {
        tc_model *model = build(different[i], 8, 1), *again = build(different[i], 8, 1);
        sums[i] = tc_model_fingerprint(model);
        assert_true(sums[i] == tc_model_fingerprint(again));
        for (int j = 0; j < i; j++) assert_true(sums[i] != sums[j]);
        tc_model_free(model);
        tc_model_free(again);
    }
}

/* ---- what is refused ---- */

static void test_refusals(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "layers: is empty"},
        {"[]", "layers: is empty"},
        {"conv 3", "layers: is no list"},
        {"[flatten, {repeat 2: [linear 5 value=x]}, relu, linear]", "two values are called 'x'"},
        {"[flatten, linear 5 value=x, linear]", "what goes into the last layer is called features"},
        {"[conv 64", "not valid YAML"},
        {"[flatten, linear 3", "not valid YAML"},
        {"[cnv 64]", "layers: 0 'cnv 64': model sequential: 'cnv' is no layer; did you mean 'conv'?"},
        {"[3]", "`tocsin list layers` has them all"},
        {"[conv 64 strde=2, linear]", "did you mean 'stride'?"},
        {"[conv 64 stride=0, linear]", "stride is 0; must be 1"},
        {"[conv 64 stride=two, linear]", "stride is 'two'; must be a whole number"},
        {"[conv 64 3]", "'3' is one value too many; write NAME=VALUE"},
        {"[relu 3]", "'3' is one value too many"},
        {"[conv]", "channels, kernel, stride and groups must be at least 1"},
        {"[conv 64, linear]", "layers: 1 'linear': model sequential: 1: a linear layer needs flattened features"},
        {"[global-pool, linear 3]", "ends in 1×1×3 values; 10 logits are needed"},
        {"[relu, {residual: [relu, conv 64]}]", "layers: 1 'residual': model sequential: a sum of 8×8×64 and 8×8×3"},
        {"[{residual: [relu, {residual: [cnv 3]}]}]", "layers: 0.body.1.body.0 'cnv 3'"},
        {"[{residual: []}]", "its body must be a list with something in it"},
        {"[residual]", "needs its body; write residual: [LAYERS]"},
        {"[{residual: [relu], shotcut: [relu]}]", "'shotcut' does not belong here"},
        {"[{residual: [relu], shortcut: relu}]", "its shortcut must be a list"},
        {"[{scale: [relu], shortcut: [relu]}]", "'shortcut' does not belong here"},
        {"[{concat: [relu]}]", "its branches must be a list of lists"},
        {"[{concat: [[relu],[relu],[relu],[relu],[relu],[relu],[relu],[relu],[relu]]}]", "more than 8 branches"},
        {"[{conv: 64, kernel: 3}]", "write it in one line: conv CHANNELS NAME=VALUE"},
        {"[[relu]]", "'' is no layer"},
        {"[{}]", "'' is no layer"},
        {"[{[relu]: [relu]}]", "'' is no layer"},
        {"[{repeat 100000: [relu]}]", "times is 100000; must be 1 … 2000"},
        {"[{repeat 2 name=x: [relu]}]", "unknown option 'name'"},
        {"[{repeat 1000: [{repeat 1000: [relu]}]}]", "more than 2000 layers"},
        {"&a [{repeat 2: *a}]", "blocks within blocks are 17 deep; at most 16"},
        {"[flatten, linear name=a/b]", "'a/b' is no name"},
        {"[flatten, linear 10 name=x, relu, linear name=x]", "two tensors are called 'x.weight'"},
        {"[flatten, linear 16000000, linear 16000000, linear]", "parameters"},
        {"[tokens, attention 2]", "2 heads do not divide a third of 3 channels"},
        {"[max-pool 100]", "does not fit 8×8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tc_model *model = (tc_model *)&model;
        tc_error error = {0};
        assert_int_equal(try_layers(cases[i][0], tc_nhwc(1, 8, 8, 3), &model, &error), TC_INVALID);
        assert_null(model);
        if (!strstr(error.message, cases[i][1]))
            fail_msg("%s: '%s' does not say '%s'", cases[i][0], error.message, cases[i][1]);
        if (strchr(error.message, '\n')) fail_msg("%s: more than one line", cases[i][0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twins),        cmocka_unit_test(test_names),    cmocka_unit_test(test_own_features),
        cmocka_unit_test(test_fingerprints), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
