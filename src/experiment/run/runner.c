/* runner.c — the coordinator's loop. What it does with a finished phase: keep.c; how a run begins and ends:
 * study_run.c. */
#include "experiment/run/inside.h"

#include "base/csv.h"
#include "base/width.h"
#include "train/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double waiting = 0.25;     /* seconds between two looks at the stop hook */
static const double jobs_apart = 10;    /* seconds between two notes for `tocsin status` */
static const double results_apart = 10; /* seconds between two results.json, at least */
enum { RESULTS_SHARE = 400 };           /* and so many times what writing one takes */

void tc_runner_note(const tc_runner *r, const char *format, ...) {
    char text[TC_TEXT_SIZE];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (r->hooks->note) r->hooks->note(r->hooks->context, text);
}

/* ---- what is told ---- */

static double wall_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* For `tocsin status`: rarely, because it is a transaction. A failure is told by the next phase that is finished. */
static void note_jobs(tc_runner *r) {
    int count = 0;
    if (tc_clock() - r->jobs_noted < jobs_apart) return;
    r->jobs_noted = tc_clock();
    for (int w = 0; w < r->crew->workers; w++) {
        if (r->worker[w].phase < 0) continue;
        r->worker[w].told.told = wall_clock();
        r->jobs[count++] = r->worker[w].told;
    }
    tc_store_put_jobs(r->store, r->jobs, count, NULL);
}

void tc_runner_told(void *context, int worker, const tc_progress *progress) {
    tc_runner *r = context;
    tc_job_record *told = &r->worker[worker].told;
    told->fraction = progress->fraction;
    told->seconds_left = progress->seconds_left;
    snprintf(told->what, sizeof told->what, "trial %lld/%lld  %s%s%.*s", (long long)progress->trial,
             (long long)progress->trials, progress->phase, *progress->label ? " " : "",
             (int)tc_width_fit(progress->label, 80), progress->label);
    note_jobs(r);
    const tc_standing standing = tc_runner_standing(r);
    if (r->hooks->progress) r->hooks->progress(r->hooks->context, worker, progress, &standing);
}

bool tc_runner_stopped(void *context) {
    const tc_runner *r = context;
    return r->stopping || (r->hooks->stop && r->hooks->stop(r->hooks->context));
}

/* ---- handing out ---- */

static tc_status load_inputs(tc_runner *r, int phase, tc_blob *input, tc_error *error) {
    const tc_phase *wanted = &r->plan->phase[phase];
    bool found = false;
    for (int i = 0; i < wanted->need_count; i++) {
        const int need = wanted->needs[i];
        const tc_status status =
            tc_store_get_blob(r->store, &r->plan->phase[need], r->fresh[need], &input[i], &found, error);
        if (status != TC_OK) return status;
        if (!found)
            return tc_raise(error, TC_FAILED, "%s/%s: is gone or damaged; look at the disk, then --resume",
                            tc_store_work(r->store), r->plan->phase[need].key);
    }
    return TC_OK;
}

static tc_status hand_out(tc_runner *r, int w, int phase, tc_error *error) {
    const int count = r->plan->phase[phase].need_count;
    tc_blob *input = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&input, (size_t)count, sizeof *input, error));
    TC_TRY(load_inputs(r, phase, input, error));
    TC_TRY(r->crew->send(r->crew, w, phase, input, error));
    r->worker[w].phase = phase;
    r->worker[w].told = (tc_job_record){.worker = w, .began = wall_clock(), .seconds_left = NAN};
    memcpy(r->worker[w].told.key, r->plan->phase[phase].key, TC_KEY_SIZE);
    snprintf(r->worker[w].told.what, sizeof r->worker[w].told.what, "trial %lld/%lld  %s",
             (long long)r->plan->phase[phase].trial + 1, (long long)r->plan->trials,
             tc_phase_names[r->plan->phase[phase].kind]);
done:
    for (int i = 0; input && i < count; i++) tc_blob_free(&input[i]);
    free(input);
    return status;
}

static tc_status hand_out_all(tc_runner *r, tc_error *error) {
    tc_status status = TC_OK;
    for (int w = 0; w < r->crew->workers && !r->stopping && status == TC_OK; w++) {
        if (r->worker[w].gone || r->worker[w].phase >= 0) continue;
        const int phase = tc_agenda_take(&r->agenda);
        if (phase < 0) break;
        status = hand_out(r, w, phase, error);
    }
    return status;
}

/* ---- taking back ---- */

static void stop(tc_runner *r) {
    if (r->stopping) return;
    r->stopping = true;
    r->crew->stop(r->crew);
}

static void count_done(tc_runner *r, int phase, double seconds) {
    const int kind = (int)r->plan->phase[phase].kind;
    r->seconds[phase] = seconds;
    r->kind[kind].done++;
    r->kind[kind].seconds += seconds;
}

/* While the disk is at work on one phase the crew is at the next: blobs first, then hand out, then the transaction. */
static tc_status finish(tc_runner *r, tc_event *event, tc_error *error) {
    const int phase = event->phase;
    const double seconds = json_number_value(json_object_get(event->result.payload, "wall"));
    tc_status status = TC_OK;
    r->worker[event->worker].phase = -1;
    TC_TRY(tc_runner_keep_blob(r, phase, &event->result, error));
    count_done(r, phase, seconds);
    tc_agenda_finish(&r->agenda, phase);
    TC_TRY(hand_out_all(r, error));
    TC_TRY(tc_runner_keep(r, phase, &event->result, seconds, error));
done:
    tc_phase_result_free(&event->result);
    return status;
}

static void describe(const tc_runner *r, int phase, char *text, size_t size) {
    const tc_phase *p = &r->plan->phase[phase];
    const char *label = p->attack >= 0 ? p->spec->attacks[p->attack].label : "";
    snprintf(text, size, "trial %lld, %s%s%.*s (phase %s)", (long long)p->trial + 1, tc_phase_names[p->kind],
             *label ? " of " : "", (int)tc_width_fit(label, 80), label, p->key);
}

static bool has_need(const tc_phase *phase, int need) {
    for (int i = 0; i < phase->need_count; i++)
        if (phase->needs[i] == need) return true;
    return false;
}

static bool concerns(const tc_runner *r, const tc_cell *cell, int phase) {
    const int64_t t = r->plan->phase[phase].trial;
    const int victim = cell->victim_phase[t], craft = cell->craft[t];
    return phase == victim || phase == craft || phase == cell->clean[t] || has_need(&r->plan->phase[craft], phase) ||
           has_need(&r->plan->phase[victim], phase);
}

/* "cell 2 (victim.train.rate 900) and 1 more": the first of those that miss the phase, by what a sweep changes in it.
 */
static void describe_cells(const tc_runner *r, int phase, char *text, size_t size) {
    const tc_plan *plan = r->plan;
    int first = -1, count = 0;
    for (int c = plan->cells - 1; c >= 0; c--)
        if (concerns(r, &plan->cell[c], phase)) first = c, count++;
    size_t at = (size_t)snprintf(text, size, "cell %d", first);
    for (size_t i = 0; first >= 0 && i < json_array_size(plan->sweep) && at < size; i++) {
        const char *name = json_string_value(json_array_get(plan->sweep, i));
        const json_t *factor = json_object_get(plan->cell[first].factors, name);
        char number[TC_CSV_NUMBER], *value = json_dumps(factor, JSON_ENCODE_ANY);
        const char *shown = json_is_real(factor) ? tc_csv_number(json_real_value(factor), number) : value;
        at += (size_t)snprintf(text + at, size - at, "%s%s %.*s", i ? ", " : " (", name,
                               (int)tc_width_fit(shown ? shown : "", 40), shown ? shown : "");
        if (i + 1 == json_array_size(plan->sweep) && at < size) at += (size_t)snprintf(text + at, size - at, ")");
        free(value);
    }
    if (count > 1 && at < size) snprintf(text + at, size - at, " and %d more", count - 1);
}

/* Several workers may live in one process. */
static bool shared(const tc_runner *r) {
    return r->crew->workers > r->crew->processes;
}

/* A crash takes all who live in a process, and a GPU that fails fails for all of them, one after the other: what a
 * phase meets in one process counts once. Where others were beside it, it may be one of them that does it: then it is
 * tried in one process more. */
static bool died_too_often(tc_runner *r, int phase, int worker) {
    tc_deaths *deaths = &r->deaths[phase];
    const int process = worker % r->crew->processes;
    for (int i = 0; i < deaths->count; i++)
        if (deaths->process[i] == process) return false;
    if (deaths->count == (shared(r) ? 2 : 1)) return true;
    deaths->process[deaths->count++] = process;
    return false;
}

/* A worker has died, or has told why it can do no more: its GPU has failed. */
static tc_status lost(tc_runner *r, const tc_event *event, tc_error *error) {
    char what[512] = "nothing";
    const char *why = event->error.message;
    r->worker[event->worker].gone = true;
    r->worker[event->worker].phase = -1;
    r->alive--;
    if (event->phase >= 0) describe(r, event->phase, what, sizeof what);
    if (event->phase >= 0 && died_too_often(r, event->phase, event->worker))
        return tc_raise(error, TC_FAILED, "%s: %s died at it%s%.500s; look for what killed them%s, then --resume", what,
                        shared(r) ? "workers of three processes" : "two workers", *why ? ", the last of: " : "", why,
                        *why ? "" : " (memory?)");
    tc_runner_note(r, "worker %d died at %s%s%.500s; %d of %d are left", event->worker + 1, what, *why ? " of: " : "",
                   why, r->alive, r->crew->workers);
    if (event->phase >= 0) tc_agenda_return(&r->agenda, event->phase);
    if (r->alive == 0)
        return tc_raise(error, TC_FAILED, "the last worker died at %s%s%.500s; look for what killed %s, then --resume",
                        what, *why ? " of: " : "", why, r->crew->workers > 1 ? "them" : "it");
    return TC_OK;
}

static tc_status failed(tc_runner *r, const tc_event *event, tc_error *error) {
    char what[512];
    r->worker[event->worker].phase = -1;
    if (event->error.status == TC_INTERRUPTED) {
        stop(r);
        return TC_OK;
    }
    describe(r, event->phase, what, sizeof what);
    return tc_raise(error, event->error.status, "%s: %.700s", what, event->error.message);
}

static bool under_way(const tc_runner *r, int phase) {
    for (int w = 0; w < r->crew->workers; w++)
        if (r->worker[w].phase == phase) return true;
    return false;
}

/* A row of the results needs the clean victim, too: without it there is nothing to train the poisoned ones for. */
static int give_up_rows(tc_runner *r, int clean) {
    const int64_t t = r->plan->phase[clean].trial;
    int count = 0;
    for (int c = 0; c < r->plan->cells; c++) {
        const tc_cell *cell = &r->plan->cell[c];
        const bool concerned = cell->clean[t] == clean && !under_way(r, cell->victim_phase[t]);
        if (concerned) count += tc_agenda_give_up(&r->agenda, cell->victim_phase[t]);
    }
    return count;
}

/* Its own doing: the others may do better. */
static tc_status give_up(tc_runner *r, const tc_event *event) {
    char what[256], where[320];
    int count = tc_agenda_give_up(&r->agenda, event->phase);
    r->worker[event->worker].phase = -1;
    if (r->plan->phase[event->phase].kind == TC_PHASE_CLEAN) count += give_up_rows(r, event->phase);
    describe(r, event->phase, what, sizeof what);
    describe_cells(r, event->phase, where, sizeof where);
    if (!r->given_up) snprintf(r->first, sizeof r->first, "%s of %s: %.300s", what, where, event->error.message);
    r->given_up += count;
    if (count > 1)
        tc_runner_note(r, "given up: %s of %s, and %d that %s it: %.500s", what, where, count - 1,
                       count == 2 ? "needs" : "need", event->error.message);
    else
        tc_runner_note(r, "given up: %s of %s: %.500s", what, where, event->error.message);
    return TC_OK;
}

static tc_status handle(tc_runner *r, tc_event *event, tc_error *error) {
    switch (event->kind) {
    case TC_EVENT_DONE:
        return finish(r, event, error);
    case TC_EVENT_FAILED:
        return failed(r, event, error);
    case TC_EVENT_BARREN:
        return give_up(r, event);
    case TC_EVENT_LOST:
        return lost(r, event, error);
    default:
        return TC_OK;
    }
}

/* ---- the loop ---- */

static bool anybody_at_work(const tc_runner *r) {
    for (int w = 0; w < r->crew->workers; w++)
        if (r->worker[w].phase >= 0) return true;
    return false;
}

static tc_status write_results_in_between(tc_runner *r, tc_error *error) {
    const double before = tc_clock();
    if (before - r->results_written < fmax(results_apart, RESULTS_SHARE * r->results_cost)) return TC_OK;
    const tc_status status = tc_runner_write_results(r, error);
    r->results_written = tc_clock();
    r->results_cost = r->results_written - before;
    return status;
}

static tc_status step(tc_runner *r, tc_error *error) {
    tc_event event;
    tc_status status = TC_OK;
    TC_TRY(hand_out_all(r, error));
    TC_TRY(r->crew->receive(r->crew, waiting, &event, error));
    TC_TRY(handle(r, &event, error));
    note_jobs(r);
    TC_TRY(write_results_in_between(r, error));
    if (!r->stopping && tc_runner_stopped(r)) stop(r);
done:
    return status;
}

/* Trouble with one phase or with the disk: the others save where they are, and what they finish meanwhile is kept if it
 * can be. */
static void wind_up(tc_runner *r) {
    tc_event event;
    stop(r);
    while (anybody_at_work(r)) {
        if (r->crew->receive(r->crew, waiting, &event, NULL) != TC_OK) return;
        handle(r, &event, NULL);
    }
}

tc_status tc_runner_loop(tc_runner *r, tc_error *error) {
    tc_status status = TC_OK;
    r->started = r->jobs_noted = r->results_written = tc_clock();
    while (status == TC_OK && (r->stopping ? anybody_at_work(r) : r->agenda.left > 0)) status = step(r, error);
    if (status != TC_OK) {
        wind_up(r);
        return status;
    }
    if (r->agenda.left == 0) return TC_OK;
    return tc_raise(error, TC_INTERRUPTED, "%s: interrupted; what was finished is kept, --resume goes on", r->folder);
}
