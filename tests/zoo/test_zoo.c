/* The zoo against PyTorch: names, shapes and order of all tensors (torch_tensors.h), initialisation, options, and what
 * is refused. */
#include "zoo/zoo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "torch_tensors.h"

enum { NETWORKS = sizeof torch_networks / sizeof *torch_networks };

static tc_model *build(const char *name, int side, int channels, const char *setting) {
    tc_model *model = NULL;
    tc_error error = {0};
    if (tc_zoo_build(name, tc_nhwc(1, side, side, channels), 10, &setting, setting != NULL, &model, &error) != TC_OK)
        fail_msg("%s", error.message);
    return model;
}

/* ---- against PyTorch ---- */

static void shape_of(const tc_tensor *tensor, char text[64]) {
    int at = 0;
    for (int i = 0; i < tensor->rank; i++)
        at += snprintf(text + at, 64 - (size_t)at, "%s%d", i ? "x" : "", tensor->size[i]);
}

static void same_tensor(const tc_tensor *tensor, const char *word) {
    char shape[64], text[TC_NAME_SIZE + 64];
    shape_of(tensor, shape);
    snprintf(text, sizeof text, "%s:%s", tensor->name, shape);
    assert_string_equal(text, word);
}

/* Every tensor of PyTorch's list is the next one of θ or of the state, and nothing is left over. */
static void names_and_shapes(void **context) {
    (void)context;
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build(torch_networks[i].model, torch_networks[i].side, torch_networks[i].channels,
                                torch_networks[i].setting);
        const tc_tensor *theta, *state;
        const int thetas = tc_model_tensors(model, &theta), states = tc_model_state_tensors(model, &state);
        int t = 0, s = 0;
        for (const char *const *word = torch_networks[i].tensors; *word; word++) {
            if (strstr(*word, "num_batches_tracked")) continue;
            if (strstr(*word, "running_")) {
                assert_true(s < states);
                same_tensor(&state[s++], *word);
            } else {
                assert_true(t < thetas);
                same_tensor(&theta[t++], *word);
            }
        }
        assert_int_equal(t, thetas);
        assert_int_equal(s, states);
        assert_int_equal(tc_model_parameters(model), torch_networks[i].parameters);
        tc_model_free(model);
    }
}

static void every_row_is_held_against_torch(void **context) {
    (void)context;
    int count = 0;
    for (const tc_zoo_entry *entry = tc_zoo_entries(); entry->name; entry++, count++) {
        int found = 0;
        for (int i = 0; i < NETWORKS; i++) found += !strcmp(torch_networks[i].model, entry->name);
        assert_int_equal(found, 1);
        assert_ptr_equal(tc_zoo_find(entry->name), entry);
        assert_true(strlen(entry->summary) > 10);
    }
    assert_int_equal(count, NETWORKS);
}

/* ---- initialisation ---- */

static double fan_in(const tc_tensor *weight) {
    double product = 1;
    for (int i = 1; i < weight->rank; i++) product *= weight->size[i];
    return product;
}

static void check_uniform(const tc_tensor *tensor, const float *values, double bound) {
    double sum = 0, squares = 0;
    const double n = (double)tensor->count;
    for (size_t i = 0; i < tensor->count; i++) {
        assert_true(fabs((double)values[i]) <= bound * (1 + 1e-6));
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    if (n < 100) return;
    /* U(−b, b) has variance b²/3, and its square the variance (4/45) b⁴: five standard errors each. */
    assert_true(fabs(sum / n) < 5 * bound / sqrt(3 * n));
    assert_true(fabs(squares / n - bound * bound / 3) < 5 * bound * bound * sqrt(4.0 / 45 / n));
}

static void starts_as_torch_does(void **context) {
    (void)context;
    static const char *const names[] = {"resnet18", "vgg11", "lenet", "mobilenetv2"};
    for (int k = 0; k < 4; k++) {
        tc_model *model = build(names[k], 32, 3, "width=8");
        const tc_tensor *tensor;
        const int count = tc_model_tensors(model, &tensor);
        float *theta = calloc(tc_model_parameters(model), sizeof *theta);
        float *state = calloc(tc_model_state(model) + 1, sizeof *state);
        tc_model_init(model, tc_stream_make(5), theta, state);
        double fan = 0;
        for (int i = 0; i < count; i++) {
            const float *values = theta + tensor[i].offset;
            if (tensor[i].rank > 1) fan = fan_in(&tensor[i]);
            if (tensor[i].init == TC_INIT_UNIFORM)
                check_uniform(&tensor[i], values, 1 / sqrt(fan));
            else
                for (size_t j = 0; j < tensor[i].count; j++)
                    assert_true(values[j] == (strstr(tensor[i].name, ".weight") ? 1.0F : 0.0F));
        }
        const int states = tc_model_state_tensors(model, &tensor);
        for (int i = 0; i < states; i++)
            for (size_t j = 0; j < tensor[i].count; j++)
                assert_true(state[tensor[i].offset + j] == (strstr(tensor[i].name, "_var") ? 1.0F : 0.0F));
        free(theta);
        free(state);
        tc_model_free(model);
    }
}

/* Linear weights and positions as timm's: the moments of N(0, 0.02²) to five standard errors. */
static void transformer_starts_normal(void **context) {
    (void)context;
    tc_model *model = build("vit", 32, 3, "width=64");
    const tc_tensor *tensor;
    const int count = tc_model_tensors(model, &tensor);
    float *theta = calloc(tc_model_parameters(model), sizeof *theta);
    int normal = 0;
    tc_model_init(model, tc_stream_make(5), theta, NULL);
    for (int i = 0; i < count; i++) {
        if (tensor[i].init != TC_INIT_NORMAL) continue;
        const double n = (double)tensor[i].count, sigma = strcmp(tensor[i].name, "cls_token") ? 0.02 : 1e-6;
        double sum = 0, squares = 0;
        for (size_t j = tensor[i].offset; j < tensor[i].offset + tensor[i].count; j++) {
            sum += (double)theta[j];
            squares += (double)theta[j] * (double)theta[j];
        }
        assert_true(fabs(sum / n) < 5 * sigma / sqrt(n));
        assert_true(fabs(squares / n / (sigma * sigma) - 1) < 5 * sqrt(2 / n));
        normal++;
    }
    assert_int_equal(normal, 2 + 7 * 4 + 1);
    free(theta);
    tc_model_free(model);
}

/* Two tensors of one size do not start alike, another seed starts otherwise, the same seed the same. */
static void streams_are_apart(void **context) {
    (void)context;
    tc_model *model = build("resnet18", 32, 3, "width=8");
    const tc_tensor *tensor;
    const int count = tc_model_tensors(model, &tensor);
    const size_t p = tc_model_parameters(model);
    float *a = calloc(p, sizeof *a), *b = calloc(p, sizeof *b), *state = calloc(tc_model_state(model), sizeof *state);
    tc_model_init(model, tc_stream_make(1), a, state);
    tc_model_init(model, tc_stream_make(1), b, state);
    assert_memory_equal(a, b, p * sizeof *a);
    tc_model_init(model, tc_stream_make(2), b, state);
    for (int i = 0; i < count; i++) {
        if (tensor[i].init != TC_INIT_UNIFORM) continue;
        assert_memory_not_equal(a + tensor[i].offset, b + tensor[i].offset, tensor[i].count * sizeof *a);
        for (int k = 0; k < i; k++)
            if (tensor[k].init == TC_INIT_UNIFORM && tensor[k].count == tensor[i].count)
                assert_memory_not_equal(a + tensor[i].offset, a + tensor[k].offset, tensor[i].count * sizeof *a);
    }
    free(a);
    free(b);
    free(state);
    tc_model_free(model);
}

/* ---- options ---- */

static void width_scales(void **context) {
    (void)context;
    static const struct {
        const char *name, *setting, *tensor;
        int rows; /* of the tensor */
    } cases[] = {
        {"resnet18", "width=16", "layer4.1.conv2.weight", 128},
        {"resnet50", "width=16", "layer4.2.conv3.weight", 512},
        {"mobilenetv2", "width=16", "layers.16.conv3.weight", 160},
        {"mobilenetv2", "width=16", "layers.2.conv3.weight", 16}, /* 12, to a multiple of 8 */
        {"mobilenetv2", "width=44", "layers.0.conv3.weight", 24}, /* 22 */
        {"mobilenetv2", "width=22", "layers.0.conv3.weight", 16}, /* 11: 8 would take too much */
        {"vgg16", "width=8", "features.40.weight", 64},
        {"convnet", "width=4", "model.conv7.weight", 16},
        {"mlp", "width=100", "3.weight", 100},
        {"lenet", "width=12", "9.weight", 168},
        {"vit", "width=64", "blocks.6.attn.qkv.weight", 192},
        {"vit", "mlp_ratio=4", "blocks.0.mlp.fc1.weight", 1536},
        {"cnn", "width=3", "3.weight", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tc_model *model = build(cases[i].name, 32, 3, cases[i].setting);
        const tc_tensor *tensor;
        const int count = tc_model_tensors(model, &tensor);
        int found = 0;
        for (int t = 0; t < count; t++)
            if (!strcmp(tensor[t].name, cases[i].tensor)) found = tensor[t].size[0];
        assert_int_equal(found, cases[i].rows);
        tc_model_free(model);
    }
}

/* A network that is none before its layers are given: test_sequential.c. */
static bool is_own(const tc_zoo_entry *entry) {
    return !strcmp(entry->name, "sequential");
}

/* Dropout adds no parameters, and zeroed options mean each network's own width. */
static void dropout_and_defaults(void **context) {
    (void)context;
    for (const tc_zoo_entry *entry = tc_zoo_entries(); entry->name; entry++) {
        if (is_own(entry)) continue;
        tc_model *plain = build(entry->name, 32, 3, NULL), *direct = NULL, *dropped = NULL;
        const tc_zoo_options zero = {0}, half = {.dropout = 0.5};
        assert_int_equal(entry->build(entry, tc_nhwc(1, 32, 32, 3), 10, &zero, &direct, NULL), TC_OK);
        assert_int_equal(entry->build(entry, tc_nhwc(1, 32, 32, 3), 10, &half, &dropped, NULL), TC_OK);
        assert_int_equal(tc_model_parameters(plain), tc_model_parameters(direct));
        assert_int_equal(tc_model_parameters(plain), tc_model_parameters(dropped));
        tc_model_free(plain);
        tc_model_free(direct);
        tc_model_free(dropped);
    }
}

static void values_have_names(void **context) {
    (void)context;
    static const struct {
        const char *model, *values;
    } cases[] = {
        {"resnet18", "layer1 layer2 layer3 layer4 features "},
        {"resnet50", "layer1 layer2 layer3 layer4 features "},
        {"mobilenetv2", "layer1 layer2 layer3 layer4 features "},
        {"vgg13", "block1 block2 block3 block4 features "},
        {"convnet", "block1 features "},
        {"lenet", "block1 block2 features "},
        {"vit", "block1 block2 block3 block4 block5 block6 block7 features "},
        {"cnn", "block1 features "},
        {"mlp", "block1 features "},
        {"logreg", "features "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tc_model *model = build(cases[i].model, 32, 3, NULL);
        const char *names[16];
        char list[256] = "";
        const int count = tc_model_names(model, names, 16);
        for (int n = 0; n < count; n++) {
            strcat(strcat(list, names[n]), " ");
            assert_true(tc_model_find(model, names[n]) >= 0);
        }
        assert_string_equal(list, cases[i].values);
        tc_model_free(model);
    }
}

/* ---- what is refused ---- */

static void refused(const char *name, tc_shape input, int classes, const char *setting, const char *part) {
    tc_model *model = (tc_model *)&model;
    tc_error error = {0};
    assert_int_equal(tc_zoo_build(name, input, classes, &setting, setting != NULL, &model, &error), TC_INVALID);
    assert_null(model);
    if (!strstr(error.message, part)) fail_msg("'%s' does not say '%s'", error.message, part);
}

static void refusals(void **context) {
    (void)context;
    const tc_shape colour = tc_nhwc(1, 32, 32, 3), grey = tc_nhwc(1, 28, 28, 1);
    refused("resnet81", colour, 10, NULL, "resnet18");
    refused("perceptron-of-1958", colour, 10, NULL, "tocsin list models");
    refused("resnet18", colour, 10, "widht=3", "width");
    refused("resnet18", colour, 10, "width=0", "resnet18: width");
    refused("resnet18", colour, 10, "width", "resnet18");
    refused("logreg", colour, 10, "width=3", "width");
    refused("mlp", colour, 10, "dropout=1.5", "dropout");
    refused("vgg11", grey, 10, NULL, "vgg11: images of 28 x 28 pixels are too small: it needs 32");
    refused("lenet", tc_nhwc(1, 11, 28, 1), 10, NULL, "too small");
    refused("resnet18", tc_nhwc(1, 0, 32, 3), 10, NULL, "0 x 32");
    refused("mlp", tc_nhwc(1, 28, 28, 0), 10, NULL, "channels");
    refused("mlp", tc_nhwc(1, 1 << 20, 28, 1), 10, NULL, "pixels");
    refused("mlp", grey, 1, NULL, "classes");
    refused("vit", colour, 10, "heads=5", "vit: 5 heads do not divide a width of 384; set heads or width");
    refused("vit", colour, 10, "patch=5", "do not tile images of 32 x 32");
    refused("resnet18", tc_nhwc(1, 32, 64, 3), 10, NULL, "resnet18");
}

/* Whatever the size, a network is built or one line says why not. */
static void all_sizes(void **context) {
    (void)context;
    for (const tc_zoo_entry *entry = tc_zoo_entries(); entry->name; entry++)
        for (int side = 1; side <= 70 && !is_own(entry); side++) {
            tc_model *model = NULL;
            tc_error error = {0};
            const char *narrow = "width=2";
            const tc_status status = tc_zoo_build(entry->name, tc_nhwc(1, side, side, 1), 3, &narrow,
                                                  strcmp(entry->name, "logreg") != 0, &model, &error);
            if (status == TC_OK)
                assert_true(tc_model_find(model, "features") >= 0);
            else
                assert_true(status == TC_INVALID && strstr(error.message, entry->name) &&
                            (side < 32 || strstr(error.message, "do not tile")));
            tc_model_free(model);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_shapes),
        cmocka_unit_test(every_row_is_held_against_torch),
        cmocka_unit_test(starts_as_torch_does),
        cmocka_unit_test(transformer_starts_normal),
        cmocka_unit_test(streams_are_apart),
        cmocka_unit_test(width_scales),
        cmocka_unit_test(dropout_and_defaults),
        cmocka_unit_test(values_have_names),
        cmocka_unit_test(refusals),
        cmocka_unit_test(all_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
