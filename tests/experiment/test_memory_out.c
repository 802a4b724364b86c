/* Memory runs out at every place where it can: for n = 1, 2, 3, … the nth request for memory of a piece of work is
 * refused, and so, in a second round, are all after it. Each time the work must end with TC_FAILED and one line,
 * without having touched what it did not get (the sanitizers watch, and count what is not given back).
 *
 * The linker hands this program's own requests to the functions below (--wrap, meson.build); those of the system's
 * libraries are their own affair. */
#include "../scratch.h"

#include "attack/attack.h"
#include "experiment/plan/cost.h"
#include "experiment/run/study_run.h"

#include "base/file.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the fault ---- */

static atomic_long asked, refused_at; /* refused_at: which request, from 1; 0: none */
static bool ever_after;
static bool spared; /* it was only asked to give some back, which may go wrong without harm */

static bool refuse(void) {
    const long number = atomic_fetch_add(&asked, 1) + 1, at = atomic_load(&refused_at);
    return at && (number == at || (ever_after && number > at));
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) {
    return refuse() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
    return refuse() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *old, size_t size) {
    if (!refuse()) return __real_realloc(old, size);
    spared = spared || (old && size <= malloc_usable_size(old));
    return NULL;
}
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return refuse() ? NULL : __real_aligned_alloc(alignment, size);
}
char *__wrap_strdup(const char *text) {
    return refuse() ? NULL : __real_strdup(text);
}

/* ---- the work ---- */

static char spec_path[TC_PATH_SIZE], sweep_path[TC_PATH_SIZE], door_path[TC_PATH_SIZE], aim_path[TC_PATH_SIZE],
    study_path[TC_PATH_SIZE];

static tc_status build_networks(tc_error *error) {
    static const char *const names[] = {"lenet", "resnet18", "vgg11", "convnet", "mlp"};
    static const char *const narrow[] = {"width=4"};
    tc_status status = TC_OK;
    for (int i = 0; i < 5 && status == TC_OK; i++) {
        tc_model *model = NULL;
        tc_weights weights = {0};
        const bool takes_width = tc_option_find(tc_zoo_find(names[i])->options, "width") != NULL;
        status = tc_zoo_build(names[i], tc_nhwc(1, 32, 32, 3), 4, narrow, takes_width, &model, error);
        if (status == TC_OK) status = tc_weights_create(model, &weights, error);
        if (status != TC_OK) assert_null(weights.theta);
        tc_weights_free(&weights);
        tc_model_free(model);
    }
    return status;
}

static tc_status read_spec(tc_error *error) {
    tc_spec *spec = NULL;
    const char *changes[] = {"attacks.2.label=other", "victim.train.epochs=2"};
    const tc_status status = tc_spec_load(spec_path, changes, 2, TC_SPEC_STUDY, &spec, error);
    assert_true((spec != NULL) == (status == TC_OK));
    tc_spec_free(spec);
    return status;
}

/* With a sweep, and over the file of the others. */
static tc_status make_plan(tc_error *error) {
    tc_plan *plan = NULL;
    const tc_status status = tc_plan_make(sweep_path, NULL, 0, &plan, error);
    assert_true((plan != NULL) == (status == TC_OK));
    tc_plan_free(plan);
    return status;
}

static tc_status measure_plan(tc_error *error) {
    tc_plan *plan = NULL;
    tc_cost cost;
    tc_status status = tc_plan_make(spec_path, NULL, 0, &plan, error);
    if (status == TC_OK) status = tc_plan_check(plan, error);
    if (status == TC_OK) status = tc_plan_measure(plan, NULL, 1e9, NULL, NULL, &cost, error);
    tc_plan_free(plan);
    return status;
}

/* Written once beforehand (main), in every format. */
static tc_status read_data(tc_error *error) {
    static const char *const formats[] = {"npz", "idx", "images"};
    tc_status status = TC_OK;
    for (int i = 0; i < 3 && status == TC_OK; i++) {
        char source[TC_PATH_SIZE];
        tc_dataset *dataset = NULL;
        snprintf(source, sizeof source, "%s:%s/data-%s", formats[i], folder, formats[i]);
        status = tc_dataset_open(source, &(tc_dataset_options){.train_per_class = 2}, &dataset, error);
        assert_true((dataset != NULL) == (status == TC_OK));
        tc_dataset_free(dataset);
    }
    return status;
}

static tc_status run_study(const char *path, const char *const *changes, int count, tc_error *error) {
    tc_plan *plan = NULL;
    const tc_study_order order = {.folder = study_path, .mode = TC_STORE_OVERWRITE, .here = true, .spec = path};
    tc_status status = tc_plan_make(path, changes, count, &plan, error);
    if (status == TC_OK) status = tc_study_run(plan, &order, NULL, error);
    tc_plan_free(plan);
    return status;
}

static tc_status study_on_cpu(tc_error *error) {
    return run_study(spec_path, NULL, 0, error);
}

static tc_status study_on_reference(tc_error *error) {
    static const char *const changes[] = {"device=reference", "surrogate.model=logreg", "victim.model=logreg"};
    return run_study(spec_path, changes, 3, error); /* which is slow */
}

static tc_status study_of_backdoors(tc_error *error) {
    return run_study(door_path, NULL, 0, error);
}

static tc_status study_of_targets(tc_error *error) {
    return run_study(aim_path, NULL, 0, error);
}

/* ---- the test ---- */

/* Where every request costs several times as much the long works are sampled that much more sparsely. */
#ifdef __SANITIZE_ADDRESS__
enum { SPARSER = 3 };
#else
enum { SPARSER = 1 };
#endif

/* `step`: from one refusal to the next; the long works are only sampled. */
static void exhaust(const char *what, tc_status (*work)(tc_error *error), long step) {
    tc_error error = {0};
    atomic_store(&asked, 0);
    if (work(&error) != TC_OK) fail_msg("%s: %s", what, error.message);
    const long all = atomic_load(&asked);
    assert_true(all > 10);
    for (int round = 0; round < 2; round++) {
        ever_after = round;
        for (long at = 1; at <= all; at += step) {
            error = (tc_error){0};
            spared = false;
            atomic_store(&asked, 0);
            atomic_store(&refused_at, at);
            const tc_status status = work(&error);
            atomic_store(&refused_at, 0);
            if (atomic_load(&asked) < at) break; /* what is looked up once is not asked for again */
            if (spared && status == TC_OK) continue;
            if (status != TC_FAILED || !error.message[0] || strchr(error.message, '\n'))
                fail_msg("%s: request %ld of %ld refused: status %d, '%s'", what, at, all, (int)status, error.message);
        }
    }
}

static void networks(void **state) {
    (void)state;
    exhaust("networks", build_networks, 1);
}
static void specs(void **state) {
    (void)state;
    exhaust("spec", read_spec, 3);
}
static void plans(void **state) {
    (void)state;
    exhaust("plan", make_plan, 7);
    exhaust("measured plan", measure_plan, 97 * SPARSER);
}
static void data_sets(void **state) {
    (void)state;
    exhaust("data", read_data, 1);
}
static void studies(void **state) {
    (void)state;
    exhaust("study", study_on_cpu, 149 * SPARSER);
    exhaust("study, reference", study_on_reference, 151 * SPARSER);
    exhaust("study of backdoors", study_of_backdoors, 149 * SPARSER);
    exhaust("study of targets", study_of_targets, 149 * SPARSER);
}

static int prepare(void **state) {
    static const char *const formats[] = {"npz", "idx", "images"};
    static const char text[] = "trials: 1\n"
                               "threads: 1\n"
                               "keep_models: true\n"
                               "dataset: {source: glyphs, train_per_class: 3, test_per_class: 1}\n"
                               "threat: {ratio: 0.1}\n"
                               "surrogate: {model: lenet, train: &t {epochs: 1, crop: 0}}\n"
                               "victim: {model: lenet, train: *t}\n"
                               "attacks:\n"
                               "  - {name: gradient-matching, sharpness: worst-case, steps: 1, restarts: 1}\n"
                               "  - {name: gradient-matching, steps: 1, restarts: 1}\n";
    static const char sweep[] = "extends: spec.yaml\n"
                                "sweep:\n"
                                "  grid: {threat.epsilon: [4, 8], attacks.gradient-matching.steps: [1, 2]}\n"
                                "  cells: [{seed: 3}]\n";
    static const char door[] = "extends: spec.yaml\n"
                               "threat: {goal: backdoor, trigger_size: 6, ratio: 0.1}\n"
                               "attacks:\n"
                               "  - {name: badnets}\n"
                               "  - {name: clean-label-backdoor, steps: 1}\n"
                               "  - {name: hidden-trigger, steps: 1}\n"
                               "  - {name: sleeper-agent, steps: 2, retrainings: 1, sharpness: worst-case}\n";
    static const char aim[] = "extends: spec.yaml\n"
                              "attacks:\n"
                              "  - {name: poison-frogs, steps: 1, sharpness: worst-case}\n"
                              "  - {name: bullseye-polytope, steps: 1, layers: all}\n"
                              "  - {name: meta-poison, steps: 2, models: 2, batch: 8, sharpness: worst-case}\n";
    tc_error error = {0};
    tc_dataset *made = NULL;
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    if (make_folder(state)) return -1;
    snprintf(spec_path, sizeof spec_path, "%s/spec.yaml", folder);
    snprintf(study_path, sizeof study_path, "%s/study", folder);
    snprintf(door_path, sizeof door_path, "%s/door.yaml", folder);
    snprintf(aim_path, sizeof aim_path, "%s/aim.yaml", folder);
    snprintf(sweep_path, sizeof sweep_path, "%s/sweep.yaml", folder);
    TC_TRY(tc_file_write(spec_path, text, sizeof text - 1, &error));
    TC_TRY(tc_file_write(door_path, door, sizeof door - 1, &error));
    TC_TRY(tc_file_write(aim_path, aim, sizeof aim - 1, &error));
    TC_TRY(tc_file_write(sweep_path, sweep, sizeof sweep - 1, &error));
    TC_TRY(tc_dataset_open("glyphs", &(tc_dataset_options){.train_per_class = 3, .test_per_class = 1}, &made, &error));
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/data-%s", folder, formats[i]);
        TC_TRY(tc_dataset_write(made, formats[i], path, &error));
    }
done:
    tc_dataset_free(made);
    if (status != TC_OK) fprintf(stderr, "%s\n", error.message);
    return status == TC_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks),  cmocka_unit_test(specs),   cmocka_unit_test(plans),
        cmocka_unit_test(data_sets), cmocka_unit_test(studies),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
