/* What a study comes to: cells, phases, and which of them share their work. */
#include "experiment/plan.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[] = "/tmp/tocsin-plan-XXXXXX";

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

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    return tc_folder_remove(folder, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_victims),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
