/* What a spec means once it is read: defaults, recipes, labels, changes, and that writing it out loses nothing. The
 * refusals are in tests/cli/test_spec.sh, where their whole text is checked. */
#include "../../scratch.h"

#include "experiment/spec/spec.h"

#include "base/file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "trials: 3\n"
                           "threat: {epsilon: 8}\n"
                           "surrogate:\n"
                           "  model: lenet\n"
                           "  count: 2\n"
                           "  train: &t\n"
                           "    rate: 0.05\n"
                           "    recipe: witches-brew\n"
                           "victim: {model: resnet18, width: 16, train: *t}\n"
                           "attacks:\n"
                           "  - name: gradient-matching\n"
                           "    steps: 7\n"
                           "  - name: gradient-matching\n"
                           "    sharpness: worst-case\n"
                           "    rho: 0.1\n";

static tc_spec *load(const char *content, const char *const *changes, int count, tc_spec_need need) {
    char path[TC_PATH_SIZE];
    tc_error error = {0};
    tc_spec *spec = NULL;
    assert_int_equal(tc_path_format(path, &error, "%s/my.study.yaml", folder), TC_OK);
    assert_int_equal(tc_file_write(path, content, strlen(content), &error), TC_OK);
    if (tc_spec_load(path, changes, count, need, &spec, &error) != TC_OK) fail_msg("%s", error.message);
    return spec;
}

static double real_of(const tc_method_spec *method, const char *name) {
    char value[64];
    tc_option_format(tc_option_find(method->attack->options, name), method->options, value, sizeof value);
    return strtod(value, NULL);
}

static void test_values(void **state) {
    (void)state;
    tc_spec *spec = load(text, NULL, 0, TC_SPEC_STUDY);
    assert_string_equal(spec->study.name, "my.study"); /* the file's own name */
    assert_int_equal(spec->study.trials, 3);
    assert_int_equal(spec->study.seed, 1); /* a default */
    assert_true(fabs(spec->threat.epsilon - 8) <= 0);
    assert_true(fabs(spec->threat.ratio - 0.01) <= 0);
    assert_int_equal(spec->surrogates[0].count, 2);
    assert_string_equal(spec->surrogates[0].entry->name, "lenet");
    assert_int_equal(spec->victims[0].count, 1);
    assert_int_equal(spec->victims[0].zoo.width, 16);
    tc_spec_free(spec);
}

/* The recipe comes first whatever the order in the file, and an anchor brings the same values. */
static void test_recipe(void **state) {
    (void)state;
    tc_spec *spec = load(text, NULL, 0, TC_SPEC_STUDY);
    const tc_train_options *both[] = {&spec->surrogates[0].train, &spec->victims[0].train};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(both[i]->epochs, 40);        /* the recipe's */
        assert_true(fabs(both[i]->rate - 0.05) <= 0); /* the file's */
    }
    tc_spec_free(spec);
}

static void test_attacks(void **state) {
    (void)state;
    tc_spec *spec = load(text, NULL, 0, TC_SPEC_STUDY);
    assert_int_equal(spec->attack_count, 3);
    assert_string_equal(spec->attacks[0].name, "random-noise"); /* the control that nobody asked for */
    assert_string_equal(spec->attacks[1].label, "gradient-matching");
    assert_string_equal(spec->attacks[2].label, "gradient-matching + worst-case");
    assert_true(fabs(real_of(&spec->attacks[1], "steps") - 7) <= 0);
    assert_true(fabs(real_of(&spec->attacks[2], "rho") - 0.1) <= 0);
    tc_spec_free(spec);
    spec = load("attacks: [{name: random-noise, label: noise}]\n", NULL, 0, TC_SPEC_STUDY);
    assert_int_equal(spec->attack_count, 1); /* it is there already */
    tc_spec_free(spec);
    spec = load("seed: 4\n", NULL, 0, TC_SPEC_PHASE);
    assert_int_equal(spec->attack_count, 0);
    tc_spec_free(spec);
}

static void test_changes(void **state) {
    (void)state;
    static const char *const changes[] = {"threat.epsilon=4",
                                          "attacks.2.rho=0.2",
                                          "attacks.2.label=SAPA",
                                          "attacks.SAPA.steps=9",
                                          "victim.train.epochs=5",
                                          "attacks.3.name=random-noise",
                                          "attacks.1.label=threat.x",
                                          "seed=12",
                                          "seed=13"};
    tc_spec *spec = load(text, changes, 9, TC_SPEC_STUDY);
    assert_true(fabs(spec->threat.epsilon - 4) <= 0);
    assert_int_equal(spec->victims[0].train.epochs, 5);
    assert_int_equal(spec->surrogates[0].train.epochs, 40);
    assert_int_equal(spec->study.seed, 13); /* the last word */
    assert_int_equal(spec->attack_count, 3);
    assert_string_equal(spec->attacks[0].label, "threat.x");
    assert_string_equal(spec->attacks[1].label, "SAPA");
    assert_true(fabs(real_of(&spec->attacks[1], "rho") - 0.2) <= 0);
    assert_true(fabs(real_of(&spec->attacks[1], "steps") - 9) <= 0);
    assert_string_equal(spec->attacks[2].name, "random-noise");
    tc_spec_free(spec);
}

/* spec.resolved.yaml reads back to the very same spec, odd names included. */
static void test_round_trip(void **state) {
    (void)state;
    static const char *const changes[] = {"name=a: #b 'c' \"d\" é", "attacks.1.label=- [x]", "surrogate.train.rate=0.1",
                                          "threat.ratio=0.333333333333333314"};
    char path[TC_PATH_SIZE];
    tc_error error = {0};
    tc_spec *spec = load(text, changes, 4, TC_SPEC_STUDY), *again = NULL;
    assert_int_equal(tc_path_format(path, &error, "%s/resolved.yaml", folder), TC_OK);
    assert_int_equal(tc_json_save_yaml(tc_spec_json(spec), path, &error), TC_OK);
    if (tc_spec_load(path, NULL, 0, TC_SPEC_STUDY, &again, &error) != TC_OK) fail_msg("%s", error.message);
    json_t *first = tc_spec_json(spec), *second = tc_spec_json(again);
    assert_true(json_equal(first, second));
    assert_string_equal(json_string_value(json_object_get(first, "name")), "a: #b 'c' \"d\" é");
    json_decref(first);
    json_decref(second);
    tc_spec_free(spec);
    tc_spec_free(again);
}

/* Cut off anywhere, a spec is read or refused, and says on which line of which file. */
static void test_truncated(void **state) {
    (void)state;
    char path[TC_PATH_SIZE], start[TC_PATH_SIZE + 1];
    tc_error error = {0};
    assert_int_equal(tc_path_format(path, &error, "%s/cut.yaml", folder), TC_OK);
    snprintf(start, sizeof start, "%s:", path);
    int refused = 0;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        tc_spec *spec = NULL;
        assert_int_equal(tc_file_write(path, text, size, &error), TC_OK);
        const tc_status status = tc_spec_load(path, NULL, 0, TC_SPEC_STUDY, &spec, &error);
        if (status != TC_OK) {
            assert_int_equal(status, TC_INVALID);
            assert_int_equal(strncmp(error.message, start, strlen(start)), 0);
            refused++;
        }
        tc_spec_free(spec);
    }
    assert_true(refused > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_recipe),     cmocka_unit_test(test_attacks),
        cmocka_unit_test(test_changes), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
