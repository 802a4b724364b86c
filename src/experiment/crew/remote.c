/* remote.c — workers in other processes: what the coordinator says to them, and a worker's life.
 *
 *     coordinator → worker   TASK (what the data hold, number of blobs, blobs), STOP, END
 *     worker → coordinator   PROGRESS (numbers, names), then RESULT (payload, blob) or FAILED (status, why) or LOST
 * (the same): the phase is no worse than others, but whoever was at it can do nothing more */
#include "experiment/crew/crew.h"

#include "base/file.h"
#include "train/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double told_apart = 0.2; /* seconds between two reports of a worker */

void tc_crew_checkpoint(const char *work, const tc_phase *phase, char *path, size_t size) {
    const bool fits = snprintf(path, size, "%s/%s.checkpoint", work, phase->key) < (int)size;
    if (!fits || !tc_folder_exists(work)) path[0] = '\0';
}

/* ---- progress as bytes ---- */

static void pack_progress(tc_packer *to, const tc_progress *p) {
    const double number[] = {p->fraction, p->loss, p->accuracy, p->images_per_second, p->seconds_left};
    const int64_t trial[] = {p->trial, p->trials};
    tc_put(to, number, sizeof number);
    tc_put(to, trial, sizeof trial);
    tc_put_block(to, p->phase, strlen(p->phase) + 1);
    tc_put_block(to, p->label, strlen(p->label) + 1);
}

/* The texts stay in the body. */
static bool unpack_progress(const tc_message *message, tc_progress *p) {
    tc_unpacker from = {.bytes = message->body, .size = (size_t)message->size};
    double number[5];
    int64_t trial[2];
    size_t length[2];
    tc_take(&from, number, sizeof number);
    tc_take(&from, trial, sizeof trial);
    const char *phase = (const char *)tc_take_block(&from, &length[0]);
    const char *label = (const char *)tc_take_block(&from, &length[1]);
    if (from.failed || !phase || !label || phase[length[0] - 1] || label[length[1] - 1]) return false;
    *p = (tc_progress){.phase = phase,
                       .label = label,
                       .trial = trial[0],
                       .trials = trial[1],
                       .fraction = number[0],
                       .loss = number[1],
                       .accuracy = number[2],
                       .images_per_second = number[3],
                       .seconds_left = number[4]};
    return true;
}

/* ---- the coordinator's side ---- */

typedef struct remote {
    tc_crew crew;
    const tc_crew_job *job;
    tc_line *line;
    int *doing;  /* [workers] phase; −1: none */
    bool *given; /* [workers] up: has told that it can do no more */
} remote;

static tc_status no_memory(tc_error *error) {
    return tc_raise(error, TC_FAILED, "memory: none left for a worker's message; free some");
}

static tc_status remote_send(tc_crew *crew, int worker, int phase, const tc_blob *input, tc_error *error) {
    remote *r = (remote *)crew;
    const int32_t count = r->job->plan->phase[phase].need_count;
    char contents[TC_DIGEST_TEXT];
    tc_packer body = {0};
    const tc_status status = tc_labs_contents(r->job->labs, r->job->plan->phase[phase].spec, contents, error);
    if (status != TC_OK) return status;
    tc_put(&body, contents, sizeof contents);
    tc_put(&body, &count, sizeof count);
    for (int i = 0; i < count; i++) tc_put_block(&body, input[i].bytes, input[i].size);
    const tc_message task = {TC_SAY_TASK, phase, body.size, body.bytes};
    r->doing[worker] = phase;
    if (!body.failed) r->line->send(r->line, worker, &task); /* where it is gone, `receive` says so */
    free(body.bytes);
    return body.failed ? no_memory(error) : TC_OK;
}

static void take_result(const tc_message *message, tc_event *event) {
    tc_unpacker from = {.bytes = message->body, .size = (size_t)message->size};
    size_t text_size, blob_size;
    const char *text = (const char *)tc_take_block(&from, &text_size);
    const uint8_t *blob = tc_take_block(&from, &blob_size);
    event->kind = TC_EVENT_DONE;
    event->result.payload = text ? json_loadb(text, text_size, 0, NULL) : NULL;
    tc_status status = event->result.payload ? TC_OK : no_memory(&event->error);
    if (status == TC_OK && blob) status = tc_new(&event->result.blob.bytes, blob_size, 1, &event->error);
    if (status == TC_OK && blob) memcpy(event->result.blob.bytes, blob, blob_size);
    event->result.blob.size = blob_size;
    if (status == TC_OK) return;
    tc_phase_result_free(&event->result);
    event->kind = TC_EVENT_FAILED;
}

static void take_failure(const tc_message *message, tc_event *event) {
    tc_unpacker from = {.bytes = message->body, .size = (size_t)message->size};
    int32_t status;
    size_t size;
    tc_take(&from, &status, sizeof status);
    const char *why = (const char *)tc_take_block(&from, &size);
    event->kind = message->word == TC_SAY_LOST     ? TC_EVENT_LOST
                  : message->word == TC_SAY_BARREN ? TC_EVENT_BARREN
                                                   : TC_EVENT_FAILED;
    tc_raise(&event->error, (tc_status)status, "%.*s", (int)size, why ? why : "");
}

static void take(remote *r, int worker, const tc_message *message, tc_event *event) {
    tc_progress progress;
    *event = (tc_event){.worker = worker, .phase = r->doing[worker]};
    switch (message->word) {
    case TC_SAY_PROGRESS:
        if (unpack_progress(message, &progress)) r->job->progress(r->job->context, worker, &progress);
        return;
    case TC_SAY_RESULT:
        take_result(message, event);
        break;
    case TC_SAY_FAILED:
    case TC_SAY_BARREN:
    case TC_SAY_LOST:
        take_failure(message, event);
        break;
    default:
        event->kind = r->given[worker] ? TC_EVENT_NOTHING : TC_EVENT_LOST;
    }
    r->given[worker] |= event->kind == TC_EVENT_LOST;
    r->doing[worker] = -1;
}

static tc_status remote_receive(tc_crew *crew, double seconds, tc_event *event, tc_error *error) {
    remote *r = (remote *)crew;
    tc_message message;
    int worker;
    *event = (tc_event){.phase = -1};
    const tc_status status = r->line->receive(r->line, seconds, &worker, &message, error);
    if (status != TC_OK || worker < 0) return status;
    take(r, worker, &message, event);
    free(message.body);
    return TC_OK;
}

static void remote_stop(tc_crew *crew) {
    remote *r = (remote *)crew;
    for (int i = 0; i < crew->workers; i++)
        if (r->doing[i] >= 0) r->line->send(r->line, i, &(tc_message){.word = TC_SAY_STOP});
}

static void remote_close(tc_crew *crew) {
    remote *r = (remote *)crew;
    for (int i = 0; i < crew->workers; i++) r->line->send(r->line, i, &(tc_message){.word = TC_SAY_END});
    r->line->close(r->line);
    free(r->doing);
    free(r->given);
    free(r);
}

tc_status tc_crew_remote(const tc_crew_job *job, tc_line *line, tc_crew **crew, tc_error *error) {
    remote *r = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&r, 1, sizeof *r, error));
    *r = (remote){.crew = {line->peers, line->processes, remote_send, remote_receive, remote_stop, remote_close},
                  .job = job,
                  .line = line};
    TC_TRY(tc_new(&r->doing, (size_t)line->peers, sizeof *r->doing, error));
    TC_TRY(tc_new(&r->given, (size_t)line->peers, sizeof *r->given, error));
    for (int i = 0; i < line->peers; i++) r->doing[i] = -1;
    *crew = &r->crew;
    return TC_OK;
done:
    if (r) free(r->doing);
    free(r);
    line->close(line);
    return status;
}

/* ---- a worker's side ---- */

typedef struct worker {
    const tc_plan *plan;
    const char *work;
    tc_line *line;
    tc_labs *labs;
    bool stop, end; /* asked to */
    double told;    /* when last */
} worker;

static void told(void *context, const tc_progress *progress) {
    worker *w = context;
    tc_packer body = {0};
    if (tc_clock() - w->told < told_apart) return;
    w->told = tc_clock();
    pack_progress(&body, progress);
    if (!body.failed) w->line->send(w->line, 0, &(tc_message){TC_SAY_PROGRESS, 0, body.size, body.bytes});
    free(body.bytes);
}

/* Between steps: has the coordinator asked to stop, or has it died? */
static bool asked_to_stop(void *context) {
    worker *w = context;
    tc_message message;
    int from;
    if (w->stop || w->end) return true;
    if (w->line->receive(w->line, 0, &from, &message, NULL) != TC_OK) return false;
    if (from < 0) return false;
    free(message.body);
    w->stop = message.word == TC_SAY_STOP;
    w->end = message.word == TC_SAY_END || message.word == TC_SAY_GONE;
    return w->stop || w->end;
}

static void say_failed(worker *w, int phase, bool fruitless, const tc_error *error) {
    const int32_t status = error->status;
    tc_packer body = {0};
    tc_put(&body, &status, sizeof status);
    tc_put_block(&body, error->message, strlen(error->message));
    const tc_word word = tc_labs_lost(w->labs) ? TC_SAY_LOST : fruitless ? TC_SAY_BARREN : TC_SAY_FAILED;
    if (!body.failed) w->line->send(w->line, 0, &(tc_message){word, phase, body.size, body.bytes});
    w->end |= body.failed; /* then the coordinator notices that nobody is here */
    w->end |= word == TC_SAY_LOST && w->line->leave;
    free(body.bytes);
}

static tc_status say_result(worker *w, int phase, const tc_phase_result *result, tc_error *error) {
    tc_packer body = {0};
    char *text = json_dumps(result->payload, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (text) tc_put_block(&body, text, strlen(text));
    tc_put_block(&body, result->blob.bytes, result->blob.size);
    const tc_status status = text && !body.failed ? TC_OK : no_memory(error);
    if (status == TC_OK) w->line->send(w->line, 0, &(tc_message){TC_SAY_RESULT, phase, body.size, body.bytes});
    free(text);
    free(body.bytes);
    return status;
}

/* The blobs, borrowed from the body; contents [TC_DIGEST_TEXT]. */
static tc_status unpack_task(const tc_phase *phase, const tc_message *message, char *contents, tc_blob **inputs,
                             tc_error *error) {
    tc_unpacker from = {.bytes = message->body, .size = (size_t)message->size};
    int32_t count;
    tc_take(&from, contents, TC_DIGEST_TEXT);
    tc_take(&from, &count, sizeof count);
    contents[TC_DIGEST_TEXT - 1] = '\0';
    if (from.failed || count != phase->need_count) return tc_raise(error, TC_FAILED, "a worker's message is cut off");
    const tc_status status = tc_new(inputs, (size_t)count, sizeof **inputs, error);
    for (int i = 0; i < count && status == TC_OK; i++)
        (*inputs)[i].bytes = (uint8_t *)(uintptr_t)tc_take_block(&from, &(*inputs)[i].size);
    if (status != TC_OK || !from.failed) return status;
    return tc_raise(error, TC_FAILED, "a worker's message is cut off");
}

static void do_task(worker *w, const tc_message *message) {
    const tc_phase *phase = &w->plan->phase[message->phase];
    const tc_trial_hooks hooks = {told, asked_to_stop, w};
    char checkpoint[TC_PATH_SIZE], contents[TC_DIGEST_TEXT];
    tc_blob *inputs = NULL;
    tc_phase_result result = {0};
    tc_error error = {0};
    tc_status status = TC_OK;
    w->stop = false;
    tc_crew_checkpoint(w->work, phase, checkpoint, sizeof checkpoint);
    TC_TRY(unpack_task(phase, message, contents, &inputs, &error));
    TC_TRY(tc_labs_expect(w->labs, phase->spec, contents, &error));
    const tc_phase_job job = {
        .phase = phase, .input = inputs, .checkpoint = *checkpoint ? checkpoint : NULL, .hooks = &hooks};
    TC_TRY(tc_phase_run(w->labs, &job, &result, &error));
    TC_TRY(say_result(w, message->phase, &result, &error));
done:
    error.status = status;
    if (status != TC_OK) say_failed(w, message->phase, result.fruitless, &error);
    tc_phase_result_free(&result);
    free(inputs);
}

void tc_crew_serve(const tc_plan *plan, const char *work, int turn, tc_line *line) {
    worker w = {.plan = plan, .work = work, .line = line};
    tc_message message;
    int from;
    if (tc_labs_create(turn, &w.labs, NULL) != TC_OK) w.end = true;
    while (!w.end && line->receive(line, -1, &from, &message, NULL) == TC_OK) {
        if (from < 0) continue;
        if (message.word == TC_SAY_TASK && message.phase >= 0 && message.phase < plan->phases)
            do_task(&w, &message);
        else
            w.end = message.word != TC_SAY_STOP; /* one that came too late */
        free(message.body);
    }
    tc_labs_free(w.labs);
    line->close(line);
}
