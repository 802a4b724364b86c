/* status.c — `tocsin status DIR`: how far a study is, from another terminal, without disturbing it. */
#include "cli/board.h"
#include "cli/cli.h"

#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const tc_flag flags[] = {{"json", NULL, "print it as JSON"}, TC_COMMON_FLAGS, TC_FLAGS_END};

static const tc_usage usage = {.command = "status",
                               .operands = "DIR",
                               .summary = "how far a running, interrupted or finished study is",
                               .details =
                                   "DIR is what `tocsin run --out DIR` fills. A running study is not disturbed.\n",
                               .least = 1,
                               .most = 1,
                               .flags = flags};

typedef struct tally {
    int phases[TC_PHASE_KINDS], done[TC_PHASE_KINDS];
    double seconds[TC_PHASE_KINDS];
} tally;

static tc_status count(void *context, const tc_stored *stored, tc_error *error) {
    tally *t = context;
    (void)error;
    for (int k = 0; k < TC_PHASE_KINDS; k++) {
        if (strcmp(stored->kind, tc_phase_names[k])) continue;
        t->phases[k]++;
        t->done[k] += stored->payload != NULL;
        t->seconds[k] += stored->payload ? stored->seconds : 0;
    }
    return TC_OK;
}

/* With as many workers as there are now; NaN while a kind of phase has never been seen. */
static double seconds_left(const tally *t, int workers) {
    double total = 0;
    for (int k = 0; k < TC_PHASE_KINDS; k++) {
        const int left = t->phases[k] - t->done[k];
        if (left && !t->done[k]) return NAN;
        if (left) total += left * t->seconds[k] / t->done[k];
    }
    return workers > 0 ? total / workers : NAN;
}

static const char *state_of(const char *folder, const tc_study_record *record) {
    if (*record->finished) return "finished";
    return tc_store_is_running(folder) ? "running" : "stopped";
}

static json_t *phases_json(const tally *t) {
    json_t *made = json_object();
    for (int k = 0; k < TC_PHASE_KINDS; k++)
        json_object_set_new(
            made, tc_phase_names[k],
            json_pack("{s:i, s:i, s:f}", "done", t->done[k], "phases", t->phases[k], "seconds", t->seconds[k]));
    return made;
}

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *jobs_json(const tc_job_record *jobs, int job_count) {
    json_t *made = json_array();
    for (int i = 0; i < job_count; i++)
        json_array_append_new(made, json_pack("{s:i, s:s, s:s, s:o, s:o}", "worker", jobs[i].worker + 1, "phase",
                                              jobs[i].key, "what", jobs[i].what, "fraction", number(jobs[i].fraction),
                                              "began", number(jobs[i].began)));
    return made;
}

static void print(const char *folder, const tc_study_record *record, const char *state, const tally *t,
                  const tc_job_record *jobs, int job_count) {
    char left[32];
    tc_board_time(seconds_left(t, job_count), left, sizeof left);
    const char *name = json_string_value(json_object_get(json_object_get(record->asked, "spec"), "name"));
    printf("%s in %s: %s%s%s\n", name ? name : "study", folder, state, *left ? ", about " : "", left);
    printf("begun %s%s%s\n\n", record->started, *record->finished ? ", finished " : "", record->finished);
    for (int k = 0; k < TC_PHASE_KINDS; k++)
        if (t->phases[k])
            printf("%-10s %6d of %6d done, %.1f s each\n", tc_phase_names[k], t->done[k], t->phases[k],
                   t->done[k] ? t->seconds[k] / t->done[k] : 0);
    const double now = (double)time(NULL);
    for (int i = 0; i < job_count; i++)
        printf("%sworker %d: %s, %.0f %% (%.0f s ago)\n", i ? "" : "\n", jobs[i].worker + 1, jobs[i].what,
               100 * jobs[i].fraction, fmax(0, now - jobs[i].told));
}

static tc_status show(const tc_arguments *arguments, tc_error *error) {
    const char *folder = arguments->positional[0];
    tc_store *store = NULL;
    tc_study_record record = {0};
    tc_job_record *jobs = NULL;
    int job_count = 0;
    tally t = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_store_look(folder, &store, error));
    TC_TRY(tc_store_study(store, &record, error));
    if (!record.asked) TC_RAISE(TC_INVALID, "%s: the study there has not begun yet; look again in a moment", folder);
    TC_TRY(tc_store_each(store, count, &t, error));
    const char *state = state_of(folder, &record);
    if (!strcmp(state, "running")) TC_TRY(tc_store_jobs(store, &jobs, &job_count, error));
    if (tc_arguments_has(arguments, "json"))
        TC_TRY(tc_cli_print_json(json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "state", state, "started", record.started,
                                           "finished", record.finished, "phases", phases_json(&t), "jobs",
                                           jobs_json(jobs, job_count), "seconds_left",
                                           number(seconds_left(&t, job_count))),
                                 error));
    else
        print(folder, &record, state, &t, jobs, job_count);
done:
    free(jobs);
    tc_study_record_free(&record);
    tc_store_close(store);
    return status;
}

int tc_cli_status(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = show(&arguments, &error);
    return tc_cli_finish(status, &error);
}
