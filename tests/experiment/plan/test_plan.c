/* What a study comes to: cells, phases, and which of them share their work. */
#include "../../scratch.h"

#include "experiment/plan/plan.h"

#include "base/file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char small[] = "trials: 3\n"
                            "dataset: {source: glyphs}\n"
                            "surrogate: {model: lenet, count: 2}\n"
                            "victim: {model: lenet}\n"
                            "attacks:\n"
                            "  - name: gradient-matching\n"
                            "  - {name: gradient-matching, label: SAPA, sharpness: worst-case}\n";

static const char *write_spec(const char *name, const char *content) {
    static char path[TC_PATH_SIZE];
    tc_error error = {0};
    assert_int_equal(tc_path_format(path, &error, "%s/%s", folder, name), TC_OK);
    assert_int_equal(tc_file_write(path, content, strlen(content), &error), TC_OK);
    return path;
}

static tc_plan *make(const char *content, const char *const *changes, int count) {
    tc_error error = {0};
    tc_plan *plan = NULL;
    if (tc_plan_make(write_spec("study.yaml", content), changes, count, &plan, &error) != TC_OK)
        fail_msg("%s", error.message);
    return plan;
}

static int count_kind(const tc_plan *plan, tc_phase_kind kind) {
    int count = 0;
    for (int p = 0; p < plan->phases; p++) count += plan->phase[p].kind == kind;
    return count;
}

static void expect_phases(const tc_plan *plan, int surrogates, int clean, int craft, int victims) {
    assert_int_equal(count_kind(plan, TC_PHASE_SURROGATE), surrogates);
    assert_int_equal(count_kind(plan, TC_PHASE_CLEAN), clean);
    assert_int_equal(count_kind(plan, TC_PHASE_CRAFT), craft);
    assert_int_equal(count_kind(plan, TC_PHASE_VICTIM), victims);
}

/* Everything a phase needs comes before it, belongs to its trial and is of the right kind; every cell finds its own. */
static void check_order(const tc_plan *plan) {
    for (int p = 0; p < plan->phases; p++) {
        const tc_phase *phase = &plan->phase[p];
        assert_int_equal(strlen(phase->key), TC_KEY_SIZE - 1);
        for (int i = 0; i < phase->need_count; i++) {
            assert_true(phase->needs[i] >= 0 && phase->needs[i] < p);
            const tc_phase *need = &plan->phase[phase->needs[i]];
            assert_int_equal(need->trial, phase->trial);
            assert_int_equal(need->kind, phase->kind == TC_PHASE_CRAFT ? TC_PHASE_SURROGATE : TC_PHASE_CRAFT);
            if (phase->kind == TC_PHASE_CRAFT) assert_int_equal(need->index, i);
        }
    }
    for (int c = 0; c < plan->cells; c++) {
        const tc_cell *cell = &plan->cell[c];
        for (int64_t t = 0; t < plan->trials; t++) {
            assert_int_equal(plan->phase[cell->clean[t]].kind, TC_PHASE_CLEAN);
            assert_int_equal(plan->phase[cell->craft[t]].kind, TC_PHASE_CRAFT);
            assert_int_equal(plan->phase[cell->victim_phase[t]].kind, TC_PHASE_VICTIM);
            assert_int_equal(plan->phase[cell->victim_phase[t]].needs[0], cell->craft[t]);
            assert_int_equal(plan->phase[cell->victim_phase[t]].trial, t);
        }
    }
}

/* The control needs no surrogate, the two attacks share theirs, and all three the clean victim. */
static void test_sharing(void **state) {
    (void)state;
    tc_plan *plan = make(small, NULL, 0);
    assert_int_equal(plan->variants, 1);
    assert_int_equal(plan->cells, 3);
    expect_phases(plan, 3 * 2, 3, 3 * 3, 3 * 3);
    assert_int_equal(plan->asked_for[TC_PHASE_SURROGATE], 3 * 2 * 2);
    assert_int_equal(plan->asked_for[TC_PHASE_CLEAN], 3 * 3);
    assert_int_equal(plan->base->study.threads, 1);
    check_order(plan);
    tc_plan_free(plan);
}

static void test_victims(void **state) {
    (void)state;
    static const char *const changes[] = {"victims.1.model=lenet", "victims.2.model=logreg", "victims.3.model=lenet",
                                          "victims.3.label=longer", "victims.longer.train.epochs=7"};
    char *text = strdup(small);
    memcpy(strstr(text, "victim: {model: lenet}"), "# and no single victim", 22);
    tc_plan *plan = make(text, changes, 5);
    assert_int_equal(plan->cells, 9);
    expect_phases(plan, 3 * 2, 3 * 3, 3 * 3, 3 * 9); /* one poison for three victims */
    check_order(plan);
    assert_string_equal(json_string_value(json_object_get(plan->cell[8].factors, "victim")), "longer");
    assert_string_equal(json_string_value(json_object_get(plan->cell[8].factors, "label")), "SAPA");
    tc_plan_free(plan);
    free(text);
}

/* ---- keys ---- */

/* The keys of the first trial's four phases of the last attack. */
typedef struct four {
    char key[TC_PHASE_KINDS][TC_KEY_SIZE];
} four;

static four keys_with(const char *const *changes, int count) {
    tc_plan *plan = make(small, changes, count);
    const tc_cell *cell = &plan->cell[plan->cells - 1];
    const tc_phase *craft = &plan->phase[cell->craft[0]];
    four made;
    memcpy(made.key[TC_PHASE_SURROGATE], plan->phase[craft->needs[0]].key, TC_KEY_SIZE);
    memcpy(made.key[TC_PHASE_CLEAN], plan->phase[cell->clean[0]].key, TC_KEY_SIZE);
    memcpy(made.key[TC_PHASE_CRAFT], craft->key, TC_KEY_SIZE);
    memcpy(made.key[TC_PHASE_VICTIM], plan->phase[cell->victim_phase[0]].key, TC_KEY_SIZE);
    tc_plan_free(plan);
    return made;
}

/* What each setting has a say in, and in nothing else. */
static void test_keys(void **state) {
    (void)state;
    static const struct {
        const char *change;
        bool differs[TC_PHASE_KINDS]; /* surrogate, clean, craft, victim */
    } rows[] = {
        {"name=other", {false, false, false, false}},
        {"trials=4", {false, false, false, false}},
        {"keep_models=true", {false, false, false, false}},
        {"attacks.1.steps=7", {false, false, false, false}},
        {"attacks.SAPA.label=other", {false, false, false, false}},
        {"surrogate.count=1", {false, false, true, true}},
        {"victim.train.checkpoint_minutes=1", {false, false, false, false}},
        {"victim.train.recipe=sapa", {false, false, false, false}}, /* which is what the defaults say */
        {"threat.epsilon=8", {false, false, true, true}},
        {"threat.ratio=0.02", {false, false, true, true}},
        {"threat.targets=2", {false, true, true, true}},
        {"threat.intended_class=3", {false, true, true, true}},
        {"attacks.SAPA.rho=0.1", {false, false, true, true}},
        {"surrogate.train.epochs=7", {true, false, true, true}},
        {"surrogate.model=logreg", {true, false, true, true}},
        {"victim.train.epochs=7", {false, true, false, true}},
        {"victim.train.recipe=witches-brew", {false, true, false, true}},
        {"victim.model=logreg", {false, true, false, true}},
        {"seed=2", {true, true, true, true}},
        {"device=reference", {true, true, true, true}},
        {"threads=2", {true, true, true, true}},
        {"dataset.train_per_class=9", {true, true, true, true}},
    };
    const four before = keys_with(NULL, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const four after = keys_with(&rows[i].change, 1);
        for (int k = 0; k < TC_PHASE_KINDS; k++)
            if (!strcmp(before.key[k], after.key[k]) == rows[i].differs[k])
                fail_msg("%s: the key of %s is %s", rows[i].change, tc_phase_names[k],
                         rows[i].differs[k] ? "still the same" : "another");
    }
}

/* ---- sweeps ---- */

static const char swept[] = "trials: 2\n"
                            "dataset: {source: glyphs}\n"
                            "surrogate: {model: lenet, count: 2}\n"
                            "victim: {model: lenet}\n"
                            "attacks:\n"
                            "  - name: gradient-matching\n"
                            "  - {name: gradient-matching, label: SAPA, sharpness: worst-case}\n"
                            "sweep:\n"
                            "  grid: {threat.epsilon: [4, 8], attacks.SAPA.rho: &rhos [0.01, 0.05]}\n"
                            "  cells:\n"
                            "    - {threat.epsilon: 8, victim.train.epochs: 20}\n";

static double factor(const tc_cell *cell, const char *name) {
    const json_t *value = json_object_get(cell->factors, name);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static int count_cells(const tc_plan *plan, const char *label, double epsilon) {
    int count = 0;
    for (int c = 0; c < plan->cells; c++)
        count += !strcmp(json_string_value(json_object_get(plan->cell[c].factors, "label")), label) &&
                 fabs(factor(&plan->cell[c], "epsilon") - epsilon) <= 0;
    return count;
}

/* ρ is SAPA's alone: the others' cells do not stand there once for each of its values. */
static void test_sweep(void **state) {
    (void)state;
    tc_plan *plan = make(swept, NULL, 0);
    assert_int_equal(plan->variants, 5);
    assert_int_equal(plan->cells, 2 + 2 + 4 + 3);
    assert_int_equal(count_cells(plan, "random-noise", 4), 1);
    assert_int_equal(count_cells(plan, "random-noise", 8), 2);
    assert_int_equal(count_cells(plan, "SAPA", 4), 2);
    assert_int_equal(count_cells(plan, "SAPA", 8), 3);
    /* All share the surrogates; of the clean victims there are two kinds; the longer victims share the poisons, but for
     * SAPA's, whose ρ is the default there and 0.05 in the grid: the same again. */
    expect_phases(plan, 2 * 2, 2 * 2, 2 * 8, 2 * 11);
    check_order(plan);
    assert_int_equal(json_array_size(plan->sweep), 3);
    static const char *const names[] = {"epsilon", "rho", "victim.train.epochs"};
    for (size_t i = 0; i < 3; i++) assert_string_equal(json_string_value(json_array_get(plan->sweep, i)), names[i]);
    const tc_cell *last = &plan->cell[plan->cells - 1], *first = &plan->cell[0];
    assert_true(fabs(factor(last, "victim.train.epochs") - 20) <= 0);
    assert_true(fabs(factor(last, "rho") - 0.05) <= 0);
    assert_true(fabs(factor(first, "victim.train.epochs") - 160) <= 0); /* the default, for whoever makes the table */
    for (int c = 0; c < plan->cells; c++) { /* what is swept for SAPA only is no factor of the others */
        const char *label = json_string_value(json_object_get(plan->cell[c].factors, "label"));
        assert_int_equal(json_object_get(plan->cell[c].factors, "rho") != NULL, !strcmp(label, "SAPA"));
    }
    tc_plan_free(plan);
}

/* Factors of one victim of several stand in its cells only. */
static void test_sweep_of_victims(void **state) {
    (void)state;
    tc_plan *plan = make("trials: 1\n"
                         "dataset: {source: glyphs}\n"
                         "surrogate: {model: logreg}\n"
                         "victims: [{model: lenet}, {model: logreg, label: small}]\n"
                         "attacks: [{name: random-noise}]\n"
                         "sweep: {grid: {victims.small.train.epochs: [3, 4], dataset.source: [glyphs, shapes10]}}\n",
                         NULL, 0);
    assert_int_equal(plan->variants, 4);
    assert_int_equal(plan->cells, 2 + 4);
    expect_phases(plan, 0, 6, 2, 6);
    for (int c = 0; c < plan->cells; c++) {
        const bool small_one = !strcmp(json_string_value(json_object_get(plan->cell[c].factors, "victim")), "small");
        assert_int_equal(json_object_get(plan->cell[c].factors, "victim.train.epochs") != NULL, small_one);
    }
    assert_string_equal(json_string_value(json_object_get(plan->cell[2].factors, "dataset")), "shapes10");
    tc_plan_free(plan);
}

/* What is written to spec.resolved.yaml makes the same plan, although the control has become the first attack there. */
static void test_round_trip(void **state) {
    (void)state;
    static const char *const texts[] = {small, swept};
    for (size_t i = 0; i < 2; i++) {
        char path[TC_PATH_SIZE];
        tc_error error = {0};
        tc_plan *plan = make(texts[i], NULL, 0), *again = NULL;
        assert_int_equal(tc_path_format(path, &error, "%s/resolved.yaml", folder), TC_OK);
        assert_int_equal(tc_plan_save_yaml(plan, path, &error), TC_OK);
        if (tc_plan_make(path, NULL, 0, &again, &error) != TC_OK) fail_msg("%s", error.message);
        assert_int_equal(plan->phases, again->phases);
        for (int p = 0; p < plan->phases; p++) assert_string_equal(plan->phase[p].key, again->phase[p].key);
        assert_int_equal(plan->cells, again->cells);
        for (int c = 0; c < plan->cells; c++) assert_true(json_equal(plan->cell[c].factors, again->cell[c].factors));
        json_t *first = tc_plan_json(plan), *second = tc_plan_json(again);
        assert_true(json_equal(first, second)); /* the sweep too, and the name that was the first file's */
        json_decref(first);
        json_decref(second);
        tc_plan_free(plan);
        tc_plan_free(again);
    }
}

/* ---- extends ---- */

static void test_extends(void **state) {
    (void)state;
    tc_error error = {0};
    tc_plan *plan = NULL;
    write_spec("base.yaml", "name: base\n"
                            "seed: 7\n"
                            "threat: {epsilon: 8, ratio: 0.02}\n"
                            "victim: {model: lenet, train: {epochs: 9}}\n"
                            "attacks: [{name: random-noise}, {name: gradient-matching, steps: 9}]\n"
                            "sweep: {grid: {seed: [1, 2, 3]}}\n");
    write_spec("middle.yaml", "extends: base.yaml\ntrials: 5\nthreat: {ratio: 0.03}\n");
    const char *path = write_spec("top.yaml", "extends: ./middle.yaml\n"
                                              "victims: [{model: lenet}, {model: logreg}]\n"
                                              "attacks: [{name: gradient-matching}]\n"
                                              "sweep: {grid: {seed: [1, 2]}}\n");
    if (tc_plan_make(path, NULL, 0, &plan, &error) != TC_OK) fail_msg("%s", error.message);
    assert_string_equal(plan->base->study.name, "top");
    assert_int_equal(plan->trials, 5);
    assert_true(fabs(plan->base->threat.epsilon - 8) <= 0 && fabs(plan->base->threat.ratio - 0.03) <= 0);
    assert_int_equal(plan->base->victim_count, 2);
    assert_int_equal(plan->base->victims[0].train.epochs, 160); /* the list is another one, not a change of the old */
    assert_int_equal(plan->base->attack_count, 2);
    assert_string_equal(plan->base->attacks[0].name, "random-noise");
    assert_true(plan->base->control_added);
    assert_int_equal(plan->variants, 2);
    assert_int_equal(plan->variant[1]->study.seed, 2);
    tc_plan_free(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sharing), cmocka_unit_test(test_victims),          cmocka_unit_test(test_keys),
        cmocka_unit_test(test_sweep),   cmocka_unit_test(test_sweep_of_victims), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_extends),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
