/* Workers in other processes: a phase comes back as if it had been done here; and data that are not the coordinator's
 * are noticed, here under the same path, elsewhere on another machine. */
#include "experiment/crew/crew.h"

#include "../../scratch.h"
#include "../plans.h"

#include <unistd.h>

static char source[TC_PATH_SIZE]; /* "npz:FOLDER/data.npz" */

static void write_data(uint8_t change) {
    const tc_dataset_options options = {.train_per_class = 6, .test_per_class = 3};
    tc_dataset *data;
    MUST(tc_dataset_open("glyphs", &options, &data, error));
    data->train.images[0] ^= change;
    MUST(tc_dataset_write(data, "npz", source + 4, error));
    tc_dataset_free(data);
}

static void told(void *context, int worker, const tc_progress *progress) {
    (void)context;
    (void)worker;
    (void)progress;
}

static bool never(void *context) {
    (void)context;
    return false;
}

typedef struct team {
    tc_plan *plan;
    tc_crew_job job;
    tc_crew *crew;
} team;

/* One forked worker. Like a study's, it opens its data when it is first given something to do. */
static void begin(team *t) {
    const char *changes[PLAN_CHANGES + 1];
    char change[TC_PATH_SIZE + 32];
    tc_line *line = NULL, **ends = NULL;
    snprintf(change, sizeof change, "dataset.source=%s", source);
    for (int i = 0; i < PLAN_CHANGES; i++) changes[i] = plan_changes[i];
    changes[PLAN_CHANGES] = change;
    MUST(tc_plan_make(NULL, changes, PLAN_CHANGES + 1, &t->plan, error));
    MUST(tc_line_fork(1, 1, &line, &ends, error));
    if (ends) {
        tc_crew_serve_all(t->plan, folder, ends, 1);
        _exit(0);
    }
    t->job = (tc_crew_job){.plan = t->plan, .work = folder, .progress = told, .stop = never};
    MUST(tc_labs_create(0, &t->job.labs, error));
    MUST(tc_crew_remote(&t->job, line, &t->crew, error));
}

static void end(team *t) {
    t->crew->close(t->crew);
    tc_labs_free(t->job.labs);
    tc_plan_free(t->plan);
}

static tc_event first_phase(const team *t) {
    tc_event event = {0};
    MUST(t->crew->send(t->crew, 0, 0, NULL, error));
    while (event.kind == TC_EVENT_NOTHING) MUST(t->crew->receive(t->crew, 10, &event, error));
    return event;
}

static void a_phase_comes_back(void **state) {
    (void)state;
    team t;
    tc_phase_result here;
    write_data(0);
    begin(&t);
    tc_event event = first_phase(&t);
    if (event.kind != TC_EVENT_DONE) fail_msg("%s", event.error.message);
    MUST(tc_phase_run(t.job.labs, &(tc_phase_job){.phase = &t.plan->phase[0]}, &here, error));
    assert_int_equal(here.blob.size, event.result.blob.size);
    assert_memory_equal(here.blob.bytes, event.result.blob.bytes, here.blob.size);
    tc_phase_result_free(&here);
    tc_phase_result_free(&event.result);
    end(&t);
}

static void other_data_are_noticed(void **state) {
    (void)state;
    char mine[TC_DIGEST_TEXT];
    team t;
    write_data(0);
    begin(&t);
    MUST(tc_labs_contents(t.job.labs, t.plan->phase[0].spec, mine, error));
    write_data(1); /* before the worker has looked */
    const tc_event event = first_phase(&t);
    assert_int_equal(event.kind, TC_EVENT_FAILED);
    assert_int_equal(event.error.status, TC_FAILED);
    assert_non_null(strstr(event.error.message, source));
    assert_non_null(strstr(event.error.message, "does not hold what it held"));
    mine[12] = '\0';
    assert_non_null(strstr(event.error.message, mine));
    end(&t);
}

/* Within one process, too: labs that have let go of data and open them again hold them against what they were. */
static void labs_remember_what_data_held(void **state) {
    (void)state;
    char first[TC_DIGEST_TEXT], second[TC_DIGEST_TEXT];
    tc_error wrong = {0};
    team t;
    write_data(0);
    begin(&t);
    const tc_spec *spec = t.plan->phase[0].spec;
    MUST(tc_labs_contents(t.job.labs, spec, first, error));
    MUST(tc_labs_expect(t.job.labs, spec, first, error));
    memcpy(second, first, sizeof second);
    second[0] = first[0] == '0' ? '1' : '0';
    assert_int_equal(tc_labs_expect(t.job.labs, spec, second, &wrong), TC_FAILED);
    json_t *all = tc_labs_all_contents(t.job.labs);
    assert_int_equal(json_array_size(all), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(all, 0), "sha256")), first);
    assert_string_equal(json_string_value(json_object_get(json_array_get(all, 0), "source")), source);
    json_decref(all);
    end(&t);
}

static int make_data(void **state) {
    (void)state;
    if (make_folder(state)) return 1;
    snprintf(source, sizeof source, "npz:%s/data.npz", folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_phase_comes_back), cmocka_unit_test(other_data_are_noticed),
                                       cmocka_unit_test(labs_remember_what_data_held)};
    return cmocka_run_group_tests(tests, make_data, remove_folder);
}
