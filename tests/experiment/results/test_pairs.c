/* Which cells are held against each other trial by trial, and how: those of one variant that differ in one thing, also
 * where a cell stands in several variants because what is swept is none of its business. */
#include "experiment/results/parts.h"

#include "../../scratch.h"
#include "../plans.h"

#include <math.h>

#define BODY                                                                                                           \
    "trials: 4\n"                                                                                                      \
    "dataset: {source: glyphs}\n"                                                                                      \
    "surrogate: {model: logreg}\n"
#define ATTACKS                                                                                                        \
    "attacks:\n"                                                                                                       \
    "  - {name: gradient-matching, label: plain}\n"                                                                    \
    "  - {name: gradient-matching, label: SAPA, sharpness: worst-case}\n"

static tc_plan *make(const char *content) {
    char path[TC_PATH_SIZE];
    tc_plan *plan = NULL;
    MUST(tc_path_format(path, error, "%s/study.yaml", folder));
    MUST(tc_file_write(path, content, strlen(content), error));
    MUST(tc_plan_make(path, NULL, 0, &plan, error));
    return plan;
}

/* What a finished study would say in which SAPA always succeeds and every other attack never; accuracies rise by a
 * point for each attack of the list. The first `trials` are finished. */
static json_t *pairs_of(const tc_plan *plan, int64_t trials) {
    json_t *root = json_object();
    json_t **payload = calloc((size_t)plan->phases, sizeof *payload);
    for (int p = 0; p < plan->phases; p++) {
        const tc_phase *phase = &plan->phase[p];
        const char *label = phase->attack < 0 ? "" : phase->spec->attacks[phase->attack].label;
        if (phase->trial < trials)
            payload[p] = json_pack("{s:i, s:f}", "success", !strcmp(label, "SAPA"), "accuracy",
                                   0.5 + 0.01 * phase->attack + 0.001 * (double)(phase->trial % 2 * phase->attack));
    }
    const tc_results results = {.plan = plan, .payload = payload};
    assert_true(tc_results_pairs(&results, root));
    for (int p = 0; p < plan->phases; p++) json_decref(payload[p]);
    free(payload);
    json_t *made = json_incref(json_object_get(root, "pairs"));
    json_decref(root);
    return made;
}

/* "plain 8", "SAPA 8 0.05", … with the victim behind where it is not the only one. */
static void name_of(const tc_plan *plan, int cell, char name[128]) {
    const json_t *factors = plan->cell[cell].factors, *rho = json_object_get(factors, "rho");
    const bool swept = rho && json_array_size(plan->sweep) > 1;
    int used = snprintf(name, 128, "%s %g", json_string_value(json_object_get(factors, "label")),
                        json_number_value(json_object_get(factors, "epsilon")));
    if (swept) used += snprintf(name + used, 128 - (size_t)used, " %g", json_number_value(rho));
    if (plan->base->victim_count > 1)
        snprintf(name + used, 128 - (size_t)used, " %s", json_string_value(json_object_get(factors, "victim")));
}

static const json_t *find(const tc_plan *plan, const json_t *pairs, const char *a, const char *b, const char *metric) {
    const json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        char first[128], second[128];
        name_of(plan, (int)json_integer_value(json_object_get(pair, "a")), first);
        name_of(plan, (int)json_integer_value(json_object_get(pair, "b")), second);
        if (strcmp(first, a) || strcmp(second, b) || strcmp(json_string_value(json_object_get(pair, "metric")), metric))
            continue;
        if (found) fail_msg("%s and %s are compared twice", a, b);
        found = pair;
    }
    return found;
}

static void expect(const tc_plan *plan, const json_t *pairs, const char *const wanted[][2], size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!find(plan, pairs, wanted[i][0], wanted[i][1], "success"))
            fail_msg("%s and %s are not compared", wanted[i][0], wanted[i][1]);
    assert_int_equal(json_array_size(pairs), 2 * count); /* success and accuracy */
}

/* ρ is SAPA's alone: each of its cells meets the one plain cell of its ε, and the one control. */
static void what_one_attack_sweeps_meets_all_others(void **state) {
    (void)state;
    static const char *const wanted[][2] = {
        {"random-noise 4", "plain 4"},     {"random-noise 4", "SAPA 4 0.01"}, {"random-noise 4", "SAPA 4 0.05"},
        {"random-noise 4", "SAPA 4 0.1"},  {"plain 4", "SAPA 4 0.01"},        {"plain 4", "SAPA 4 0.05"},
        {"plain 4", "SAPA 4 0.1"},         {"random-noise 8", "plain 8"},     {"random-noise 8", "SAPA 8 0.01"},
        {"random-noise 8", "SAPA 8 0.05"}, {"random-noise 8", "SAPA 8 0.1"},  {"plain 8", "SAPA 8 0.01"},
        {"plain 8", "SAPA 8 0.05"},        {"plain 8", "SAPA 8 0.1"}};
    tc_plan *plan = make(BODY "victim: {model: logreg}\n" ATTACKS
                              "sweep: {grid: {threat.epsilon: [4, 8], attacks.SAPA.rho: [0.01, 0.05, 0.1]}}\n");
    json_t *pairs = pairs_of(plan, 4);
    assert_int_equal(plan->cells, 2 * 5);
    expect(plan, pairs, wanted, sizeof wanted / sizeof *wanted);
    const json_t *pair = find(plan, pairs, "plain 8", "SAPA 8 0.1", "success");
    assert_string_equal(json_string_value(json_object_get(pair, "test")), "McNemar, exact");
    assert_int_equal(json_integer_value(json_object_get(pair, "n")), 4);
    const json_t *mean = json_object_get(json_object_get(pair, "difference"), "mean");
    assert_true(fabs(json_number_value(mean) + 1) <= 0);
    assert_true(fabs(json_number_value(json_object_get(pair, "p")) - 0.125) < 1e-12); /* 2 · 2⁻⁴ */
    pair = find(plan, pairs, "plain 8", "SAPA 8 0.1", "accuracy");
    assert_string_equal(json_string_value(json_object_get(pair, "test")), "paired t");
    json_decref(pairs);
    tc_plan_free(plan);
}

/* Two victims, of which one is swept: attacks meet within a victim, victims within an attack, both never differ. */
static void what_one_victim_sweeps_meets_the_other(void **state) {
    (void)state;
    tc_plan *plan = make(BODY "victims: [{model: logreg}, {model: lenet}]\n"
                              "attacks: [{name: gradient-matching, label: plain}]\n"
                              "sweep: {grid: {victims.lenet.train.epochs: [3, 4]}}\n");
    json_t *pairs = pairs_of(plan, 4);
    assert_int_equal(plan->cells, 2 * 3);
    assert_non_null(find(plan, pairs, "random-noise 16 logreg", "plain 16 logreg", "success"));
    /* 3 pairs of attacks (one a victim), and for each attack its logreg beside two lenets */
    assert_int_equal(json_array_size(pairs), 2 * (3 + 2 * 2));
    json_decref(pairs);
    tc_plan_free(plan);
}

/* Places in the list of attacks shift where a variant gets its control added: what counts is the place in the variant.
 */
static void places_shift_between_variants(void **state) {
    (void)state;
    static const char *const wanted[][2] = {{"random-noise 16", "SAPA 16"},
                                            {"random-noise 16", "gradient-matching 16"},
                                            {"SAPA 16", "gradient-matching 16"}};
    tc_plan *plan = make(BODY "victim: {model: logreg}\n"
                              "attacks: [{name: random-noise}, {name: gradient-matching, label: SAPA, steps: 3}]\n"
                              "sweep: {grid: {attacks.1.name: [random-noise, gradient-matching]}}\n");
    json_t *pairs = pairs_of(plan, 4);
    assert_int_equal(plan->cells, 3);
    for (int c = 0; c < plan->cells; c++) assert_non_null(json_object_get(plan->cell[c].factors, "attack"));
    expect(plan, pairs, wanted, sizeof wanted / sizeof *wanted);
    json_decref(pairs);
    tc_plan_free(plan);
}

/* Only trials that both have finished count; none, and there is no pair. */
static void unfinished_trials_are_left_out(void **state) {
    (void)state;
    tc_plan *plan = make(BODY "victim: {model: logreg}\n" ATTACKS);
    json_t *none = pairs_of(plan, 0), *three = pairs_of(plan, 3);
    assert_int_equal(json_array_size(none), 0);
    assert_int_equal(json_array_size(three), 2 * 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(three, 0), "n")), 3);
    json_decref(none);
    json_decref(three);
    tc_plan_free(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_one_attack_sweeps_meets_all_others),
                                       cmocka_unit_test(what_one_victim_sweeps_meets_the_other),
                                       cmocka_unit_test(places_shift_between_variants),
                                       cmocka_unit_test(unfinished_trials_are_left_out)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
