/* Every network of the zoo, at small width, in both modes: derivatives against differences of themselves on the oracle,
 * and the fast backend against the oracle; gradients of single images. */
#include "../nn/each.h"

#include "zoo/zoo.h"

/* As narrow and small as each goes; every option that adds layers once. */
static const struct network {
    const char *name, *settings[5];
    int side, channels;
} networks[] = {
    {"logreg", {NULL}, 5, 3},
    {"mlp", {"width=9"}, 5, 2},
    {"mlp", {"width=9", "dropout=0.3"}, 4, 1},
    {"lenet", {"width=3"}, 12, 2},
    {"cnn", {"width=3"}, 8, 1},
    {"cnn", {"width=16"}, 8, 2}, /* in panels on cpu */
    {"cnn-cifar", {"width=2"}, 32, 1},
    {"convnet", {"width=3"}, 10, 3},
    {"vgg11", {"width=2"}, 32, 1},
    {"vgg13", {"width=2", "dropout=0.1"}, 32, 1},
    {"vgg16", {"width=2"}, 32, 3},
    {"resnet18", {"width=3"}, 12, 3},
    {"resnet18", {"width=2", "dropout=0.2"}, 11, 1},
    {"resnet34", {"width=2"}, 12, 1},
    {"resnet18", {"width=16"}, 16, 3},
    {"resnet50", {"width=3", "dropout=0.2"}, 11, 3},
    {"mobilenetv2", {"width=8", "dropout=0.2"}, 11, 3}, /* partly in panels on cpu */
    {"vit", {"width=8", "heads=2", "depth=3"}, 8, 3},
    {"vit", {"width=9", "heads=3", "depth=2", "patch=2", "dropout=0.1"}, 6, 1},
    {"vit", {"width=32", "heads=2", "depth=1", "patch=2", "mlp_ratio=2"}, 8, 3},
    {"sequential",
     {"layers=[conv 4, batch-norm, relu, {concat: [[conv 3 kernel=1, tanh], [average-pool 3 stride=1 padding=1]]}, "
      "{scale: [global-pool, linear 3, relu6, linear 7, sigmoid]}, conv-transposed 4, leaky-relu, {residual: [conv 6 "
      "stride=2, gelu, dropout 0.2], shortcut: [max-pool, conv 6 kernel=1]}, flatten, linear]"},
     6,
     2},
    {"sequential",
     {"layers=[conv 8 kernel=2 stride=2 padding=0, tokens, {repeat 2: [{residual: [layer-norm, linear-each 24, "
      "attention 2, linear-each 8]}]}, first-token, linear]"},
     6,
     3},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

/* More of the same layers as another row has: too much for a GPU made of a processor. */
static bool is_deep(const struct network *n) {
    static const char *const deep[] = {"vgg13", "vgg16", "resnet34"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(n->name, deep[i])) return true;
    return false;
}

static tc_model *build(const struct network *n) {
    int settings = 0;
    while (settings < 5 && n->settings[settings]) settings++;
    tc_model *model = NULL;
    tc_error error = {0};
    if (tc_zoo_build(n->name, tc_nhwc(1, n->side, n->side, n->channels), 4, n->settings, settings, &model, &error) !=
        TC_OK)
        fail_msg("%s: %s", n->name, error.message);
    return model;
}

/* A network that joins the zoo has to join this test. */
static void test_all_are_here(void **state) {
    (void)state;
    for (const tc_zoo_entry *entry = tc_zoo_entries(); entry->name; entry++) {
        int i = 0;
        while (i < NETWORKS && strcmp(networks[i].name, entry->name) != 0) i++;
        if (i == NETWORKS) fail_msg("%s has no row in this test", entry->name);
    }
}

static void test_differences(void **state) {
    const devices *d = *state;
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build(&networks[i]);
        for (int mode = TC_EVALUATE; mode <= TC_TRAIN; mode++)
            check_against_differences(d->reference, model, (tc_pass_options){.batch = 3, .mode = (tc_mode)mode}, 1e-6);
        tc_model_free(model);
    }
}

static void test_backends(void **state) {
    const devices *d = *state;
    for (int i = 0; i < NETWORKS; i++) {
        if (is_deep(&networks[i]) && !strcmp(d->cpu->name, "cuda")) continue;
        tc_model *model = build(&networks[i]);
        for (int mode = TC_EVALUATE; mode <= TC_TRAIN; mode++)
            check_against_reference(d->cpu, d->reference, model, (tc_pass_options){.batch = 4, .mode = (tc_mode)mode},
                                    1e-4, 1e-3);
        tc_model_free(model);
    }
}

static void test_each(void **state) {
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build(&networks[i]);
        check_each(*state, model);
        tc_model_free(model);
    }
}

int main(void) {
    const struct CMUnitTest of_the_oracle[] = {cmocka_unit_test(test_all_are_here), cmocka_unit_test(test_differences)};
    const struct CMUnitTest of_both[] = {cmocka_unit_test(test_backends), cmocka_unit_test(test_each)};
    const int failed = oracle_is_proved() ? 0 : cmocka_run_group_tests(of_the_oracle, open_devices, close_devices);
    return failed + cmocka_run_group_tests(of_both, open_devices, close_devices);
}
