/* What is finished is there again after the process is gone; what is not as it was stored is not believed; and nobody
 * gets at a folder in which another is at work. */
#include "experiment/store/store.h"

#include "../../scratch.h"
#include "../plans.h"

#include <unistd.h>

static const char *place(const char *name) {
    static char path[TC_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static tc_store *begin(const char *name, const tc_plan *plan) {
    tc_store *store = NULL;
    tc_study_record record = {.asked = json_pack("{s:i}", "seed", 3), .machine = json_object(), .data = json_object()};
    record.text = strdup("seed: 3\n");
    snprintf(record.version, sizeof record.version, "9");
    MUST(tc_store_open(place(name), TC_STORE_NEW, &store, error));
    MUST(tc_store_begin(store, plan, &record, error));
    tc_study_record_free(&record);
    return store;
}

static tc_store *again(const char *name) {
    tc_store *store = NULL;
    MUST(tc_store_open(place(name), TC_STORE_RESUME, &store, error));
    return store;
}

typedef struct seen {
    const tc_plan *plan;
    int count, finished;
    double sum;
} seen;

static tc_status see(void *context, const tc_stored *stored, tc_error *error) {
    seen *s = context;
    (void)error;
    assert_string_equal(stored->key, s->plan->phase[s->count++].key);
    if (!stored->payload) return TC_OK;
    s->finished++;
    s->sum += json_number_value(json_object_get(stored->payload, "x")) + stored->seconds;
    return TC_OK;
}

static void finish(tc_store *store, const tc_phase *phase, double x, const char *bytes) {
    tc_phase_result result = {.payload = json_pack("{s:f}", "x", x)};
    if (bytes) result.blob = (tc_blob){(uint8_t *)(uintptr_t)bytes, strlen(bytes)};
    if (bytes) MUST(tc_store_put_blob(store, phase, &result.blob, error));
    MUST(tc_store_finish(store, phase->key, &result, 2, error));
    json_decref(result.payload);
}

static void remembers(void **state) {
    (void)state;
    tc_plan *plan = small_plan();
    tc_store *store = begin("remembers", plan);
    const double tenth = 0.1;
    finish(store, &plan->phase[0], tenth, NULL);
    finish(store, &plan->phase[4], 5, NULL);
    tc_store_close(store);
    store = again("remembers");
    seen s = {.plan = plan};
    MUST(tc_store_each(store, see, &s, error));
    assert_int_equal(s.count, plan->phases);
    assert_int_equal(s.finished, 2);
    assert_true(s.sum == tenth + 2 + 7); /* to the last bit */
    tc_study_record record;
    MUST(tc_store_study(store, &record, error));
    assert_int_equal(json_integer_value(json_object_get(record.asked, "seed")), 3);
    assert_string_equal(record.text, "seed: 3\n");
    assert_string_equal(record.version, "9");
    assert_int_equal(strlen(record.started), 20);
    assert_string_equal(record.finished, "");
    tc_study_record_free(&record);
    MUST(tc_store_end(store, error));
    MUST(tc_store_study(store, &record, error));
    assert_int_equal(strlen(record.finished), 20);
    tc_study_record_free(&record);
    tc_store_close(store);
    tc_plan_free(plan);
}

static bool blob_is(tc_store *store, const tc_phase *phase, bool trusted, const char *expected) {
    tc_blob blob;
    bool found;
    MUST(tc_store_get_blob(store, phase, trusted, &blob, &found, error));
    const bool same = found && blob.size == strlen(expected) && !memcmp(blob.bytes, expected, blob.size);
    tc_blob_free(&blob);
    return same;
}

static void doubts_blobs(void **state) {
    (void)state;
    tc_plan *plan = small_plan();
    tc_store *store = begin("blobs", plan);
    const tc_phase *phase = &plan->phase[0];
    char path[TC_PATH_SIZE + 64];
    tc_names names;
    finish(store, phase, 1, "some weights");
    assert_true(blob_is(store, phase, false, "some weights"));
    MUST(tc_folder_list(tc_store_work(store), false, &names, error));
    assert_int_equal(names.count, 1);
    snprintf(path, sizeof path, "%s/%s", tc_store_work(store), names.name[0]);
    tc_names_free(&names);
    MUST(tc_file_write(path, "same weights", 12, error)); /* as long, but not it */
    assert_false(blob_is(store, phase, false, "same weights"));
    assert_true(blob_is(store, phase, true, "same weights"));
    MUST(tc_file_write(path, "some", 4, error));
    assert_false(blob_is(store, phase, false, "some"));
    unlink(path);
    assert_false(blob_is(store, phase, true, ""));
    MUST(tc_store_forget(store, phase->key, error));
    seen s = {.plan = plan};
    MUST(tc_store_each(store, see, &s, error));
    assert_int_equal(s.finished, 0);
    tc_store_close(store);
    tc_plan_free(plan);
}

static void tidies(void **state) {
    (void)state;
    static const char *const kept[] = {"0.safetensors", "5.checkpoint"}, *const gone[] = {"1.safetensors",
                                                                                          "0.checkpoint",
                                                                                          "5.safetensors", "x.tmp"};
    tc_plan *plan = small_plan();
    tc_store *store = begin("tidies", plan);
    bool *done = calloc((size_t)plan->phases, 1), *keep = calloc((size_t)plan->phases, 1);
    char path[TC_PATH_SIZE + 64];
    int first[2] = {-1, -1}, waiting = -1; /* two surrogates are done, one is kept; a victim is waiting */
    for (int p = plan->phases - 1; p >= 0; p--) {
        if (plan->phase[p].kind == TC_PHASE_SURROGATE && plan->phase[p].index < 2) first[plan->phase[p].index] = p;
        if (plan->phase[p].kind == TC_PHASE_VICTIM) waiting = p;
    }
    done[first[0]] = done[first[1]] = keep[first[0]] = true;
    for (int round = 0; round < 2; round++) {
        const char *const *list = round ? gone : kept;
        for (int i = 0; i < (round ? 4 : 2); i++) {
            const int p = list[i][0] == '5' ? waiting : list[i][0] == 'x' ? -1 : first[list[i][0] - '0'];
            snprintf(path, sizeof path, "%s/%s%s", tc_store_work(store), p < 0 ? "x" : plan->phase[p].key, list[i] + 1);
            MUST(tc_file_write(path, "x", 1, error));
        }
    }
    snprintf(path, sizeof path, "%s/poisons/1-2.77-1.tmp", place("tidies"));
    MUST(tc_folder_make(path, error));
    tc_store_tidy(store, plan, done, keep);
    assert_false(tc_folder_exists(path));
    tc_names names;
    MUST(tc_folder_list(tc_store_work(store), false, &names, error));
    assert_int_equal(names.count, 2);
    tc_names_free(&names);
    snprintf(path, sizeof path, "%s/%s.checkpoint", tc_store_work(store), plan->phase[waiting].key);
    assert_true(tc_file_exists(path));
    free(done);
    free(keep);
    tc_store_close(store);
    tc_plan_free(plan);
}

static void refused(const char *name, tc_store_mode mode, const char *part) {
    tc_store *store = NULL;
    tc_error error = {0};
    assert_int_equal(tc_store_open(place(name), mode, &store, &error), TC_INVALID);
    if (!strstr(error.message, part)) fail_msg("'%s' does not say '%s'", error.message, part);
    assert_null(store);
}

static void is_for_one(void **state) {
    (void)state;
    tc_plan *plan = small_plan();
    assert_false(tc_store_is_running(place("one")));
    tc_store *store = begin("one", plan), *looking = NULL;
    assert_true(tc_store_is_running(place("one")));
    refused("one", TC_STORE_RESUME, "another run is at work there: process");
    refused("one", TC_STORE_OVERWRITE, "another run is at work there");
    finish(store, &plan->phase[0], 1, NULL);
    MUST(tc_store_look(place("one"), &looking, error)); /* which disturbs nobody */
    seen s = {.plan = plan};
    MUST(tc_store_each(looking, see, &s, error));
    assert_int_equal(s.finished, 1);
    const tc_job_record job = {.worker = 2, .began = 10, .told = 11, .fraction = 0.5, .what = "craft"};
    MUST(tc_store_put_jobs(store, &job, 1, error));
    tc_job_record *jobs;
    int count;
    MUST(tc_store_jobs(looking, &jobs, &count, error));
    assert_int_equal(count, 1);
    assert_int_equal(jobs[0].worker, 2);
    assert_true(jobs[0].fraction == 0.5);
    assert_string_equal(jobs[0].what, "craft");
    free(jobs);
    tc_store_close(looking);
    tc_store_close(store);
    assert_false(tc_store_is_running(place("one")));
    refused("one", TC_STORE_NEW, "holds the results of an earlier run");
    MUST(tc_store_open(place("one"), TC_STORE_OVERWRITE, &store, error));
    tc_study_record record;
    MUST(tc_store_study(store, &record, error));
    assert_null(record.asked); /* nothing is left of it */
    tc_store_close(store);
    tc_plan_free(plan);
}

static void refuses_what_is_no_store(void **state) {
    (void)state;
    static const char noise[5000] = "SQLite format 3 it is not";
    char path[TC_PATH_SIZE + 16];
    MUST(tc_folder_make(place("noise"), error));
    snprintf(path, sizeof path, "%s/run.db", place("noise"));
    MUST(tc_file_write(path, noise, sizeof noise, error));
    refused("noise", TC_STORE_RESUME, "is damaged or no store of Tocsin's");
    tc_store *store = NULL;
    tc_error error = {0};
    assert_int_equal(tc_store_look(place("nowhere"), &store, &error), TC_INVALID);
    assert_false(tc_folder_exists(place("nowhere")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers),
        cmocka_unit_test(doubts_blobs),
        cmocka_unit_test(tidies),
        cmocka_unit_test(is_for_one),
        cmocka_unit_test(refuses_what_is_no_store),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
