/* A phase is a pure function of its inputs: twice the same bits, the blobs of one are what the next takes, and a
 * damaged blob is refused instead of believed. */
#include "experiment/trial/phase.h"

#include "../plans.h"

#include <math.h>
#include <unistd.h>

typedef struct lab {
    tc_plan *plan;
    tc_labs *labs;
} lab;

static int set_up(void **state) {
    lab *l = calloc(1, sizeof *l);
    l->plan = small_plan();
    MUST(tc_labs_create(0, &l->labs, error));
    *state = l;
    return 0;
}

static int tear_down(void **state) {
    lab *l = *state;
    tc_labs_free(l->labs);
    tc_plan_free(l->plan);
    free(l);
    return 0;
}

/* Runs a phase and all that it needs. */
static tc_phase_result run(const lab *l, int number) {
    const tc_phase *phase = &l->plan->phase[number];
    tc_blob input[8] = {{0}};
    tc_phase_result result;
    for (int i = 0; i < phase->need_count; i++) {
        tc_phase_result need = run(l, phase->needs[i]);
        input[i] = need.blob;
        json_decref(need.payload);
    }
    MUST(tc_phase_run(l->labs, &(tc_phase_job){.phase = phase, .input = input}, &result, error));
    for (int i = 0; i < phase->need_count; i++) tc_blob_free(&input[i]);
    return result;
}

static void forget_times(json_t *payload) {
    assert_true(json_number_value(json_object_get(payload, "wall")) >=
                json_number_value(json_object_get(payload, "seconds")));
    json_object_del(payload, "wall");
    json_object_del(payload, "seconds");
}

static void phases_are_pure(void **state) {
    const lab *l = *state;
    const tc_cell *cell = &l->plan->cell[2];
    const int phases[] = {l->plan->phase[cell->craft[1]].needs[1], cell->clean[1], cell->craft[1],
                          cell->victim_phase[1]};
    for (int i = 0; i < 4; i++) {
        tc_phase_result a = run(l, phases[i]), b = run(l, phases[i]);
        forget_times(a.payload);
        forget_times(b.payload);
        assert_true(json_equal(a.payload, b.payload));
        assert_int_equal(a.blob.size, b.blob.size);
        if (a.blob.size) assert_memory_equal(a.blob.bytes, b.blob.bytes, a.blob.size);
        assert_int_equal(a.blob.bytes != NULL, i % 2 == 0); /* only what others need */
        tc_phase_result_free(&a);
        tc_phase_result_free(&b);
    }
}

static void payloads_say_what_they_shall(void **state) {
    const lab *l = *state;
    const tc_cell *cell = &l->plan->cell[1];
    tc_phase_result clean = run(l, cell->clean[0]), craft = run(l, cell->craft[0]);
    tc_phase_result surrogate = run(l, l->plan->phase[cell->craft[0]].needs[0]);
    assert_int_equal(json_array_size(json_object_get(surrogate.payload, "curve")), 3);
    assert_int_equal(json_array_size(json_object_get(clean.payload, "curve")), 2);
    assert_int_equal(json_array_size(json_object_get(clean.payload, "predicted")), 1);
    const json_t *threat = json_object_get(clean.payload, "threat");
    assert_true(json_integer_value(json_object_get(threat, "target_class")) !=
                json_integer_value(json_object_get(threat, "intended_class")));
    assert_int_equal(json_integer_value(json_object_get(craft.payload, "linf")), 16);
    assert_int_equal(json_integer_value(json_object_get(craft.payload, "poisons")), 6);
    assert_true(json_integer_value(json_object_get(craft.payload, "steps")) >= 2);
    tc_phase_result_free(&clean);
    tc_phase_result_free(&craft);
    tc_phase_result_free(&surrogate);
}

static void damaged_poisons_are_refused(void **state) {
    const lab *l = *state;
    const tc_cell *cell = &l->plan->cell[1];
    tc_phase_result craft = run(l, cell->craft[0]);
    tc_lab opened;
    tc_poison *poison;
    MUST(tc_labs_open(l->labs, l->plan->base, -1, &opened, error));
    for (size_t size = 0; size < craft.blob.size; size += size < 64 ? 1 : 97) {
        tc_error error = {0};
        const tc_blob cut = {craft.blob.bytes, size};
        assert_int_equal(tc_poison_decode(opened.dataset, &cut, &poison, &error), TC_INVALID);
        assert_null(poison);
    }
    MUST(tc_poison_decode(opened.dataset, &craft.blob, &poison, error));
    tc_blob encoded;
    MUST(tc_poison_encode(poison, &encoded, error));
    assert_int_equal(encoded.size, craft.blob.size);
    assert_memory_equal(encoded.bytes, craft.blob.bytes, encoded.size);
    tc_poison_free(poison);
    for (size_t at = 8; at < 32; at++) { /* the counts of its header */
        tc_error error = {0};
        encoded.bytes[at] ^= 0x81;
        assert_int_equal(tc_poison_decode(opened.dataset, &encoded, &poison, &error), TC_INVALID);
        encoded.bytes[at] ^= 0x81;
    }
    tc_blob_free(&encoded);
    tc_labs_close(&opened);
    tc_phase_result_free(&craft);
}

/* ---- a crafting that is stopped ---- */

typedef struct counted {
    int asked, after; /* stops at the after-th question; 0: never */
} counted;

static bool stop_after(void *context) {
    counted *c = context;
    return ++c->asked == c->after;
}

static tc_plan *error_min_plan(void) {
    static const char *const changes[] = {"trials=1",
                                          "dataset.source=glyphs",
                                          "dataset.train_per_class=6",
                                          "dataset.test_per_class=3",
                                          "threat.goal=untargeted",
                                          "threat.ratio=1",
                                          "surrogate.model=logreg",
                                          "victim.model=logreg",
                                          "attacks.1.name=error-min",
                                          "attacks.1.epochs=2",
                                          "attacks.1.stop=0",
                                          "attacks.1.steps=3",
                                          "attacks.1.batch=40"};
    tc_plan *plan = NULL;
    MUST(tc_plan_make(NULL, changes, sizeof changes / sizeof *changes, &plan, error));
    return plan;
}

static tc_status craft_once(const lab *l, const tc_phase *phase, const char *path, int after, tc_phase_result *result,
                            tc_error *error) {
    counted asked = {.after = after};
    const tc_trial_hooks hooks = {.stop = stop_after, .context = &asked};
    return tc_phase_run(l->labs, &(tc_phase_job){.phase = phase, .checkpoint = path, .hooks = &hooks}, result, error);
}

/* It goes on from its checkpoint, and one that is damaged costs time and nothing else. */
static void a_stopped_crafting_goes_on(void **state) {
    const lab *l = *state;
    tc_plan *plan = error_min_plan();
    const tc_phase *phase = &plan->phase[plan->cell[1].craft[0]];
    char folder[] = "/tmp/tocsin-phase-XXXXXX", path[64];
    tc_phase_result whole, result;
    assert_int_equal(phase->kind, TC_PHASE_CRAFT);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/one.checkpoint", folder);
    MUST(craft_once(l, phase, NULL, 0, &whole, error));
    for (int damaged = 0; damaged < 2; damaged++) {
        tc_error stopped = {0};
        assert_int_equal(craft_once(l, phase, path, 25, &result, &stopped), TC_INTERRUPTED);
        assert_true(tc_file_exists(path));
        if (damaged) assert_int_equal(truncate(path, 200), 0);
        MUST(craft_once(l, phase, path, 0, &result, error));
        assert_int_equal(result.blob.size, whole.blob.size);
        assert_memory_equal(result.blob.bytes, whole.blob.bytes, whole.blob.size);
        assert_false(tc_file_exists(path));
        tc_phase_result_free(&result);
    }
    assert_int_equal(rmdir(folder), 0);
    tc_phase_result_free(&whole);
    tc_plan_free(plan);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {CASE(phases_are_pure), CASE(payloads_say_what_they_shall),
                                       CASE(damaged_poisons_are_refused), CASE(a_stopped_crafting_goes_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
