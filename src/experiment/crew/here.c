/* here.c — the crew of one: this process does its phase while the runner waits for it. */
#include "experiment/crew/crew.h"

#include <stdlib.h>
#include <string.h>

typedef struct here {
    tc_crew crew;
    const tc_crew_job *job;
    int phase;       /* to be done; −1: none */
    tc_blob *inputs; /* [need_count of that phase] copies */
    int input_count;
} here;

static void free_inputs(here *h) {
    for (int i = 0; i < h->input_count; i++) tc_blob_free(&h->inputs[i]);
    free(h->inputs);
    h->inputs = NULL;
    h->input_count = 0;
}

static tc_status here_send(tc_crew *crew, int worker, int phase, const tc_blob *input, tc_error *error) {
    here *h = (here *)crew;
    const int count = h->job->plan->phase[phase].need_count;
    (void)worker;
    tc_status status = tc_new(&h->inputs, (size_t)count, sizeof *h->inputs, error);
    for (int i = 0; i < count && status == TC_OK; i++) {
        status = tc_new(&h->inputs[i].bytes, input[i].size, 1, error);
        h->input_count = i + 1;
        if (status != TC_OK) break;
        memcpy(h->inputs[i].bytes, input[i].bytes, input[i].size);
        h->inputs[i].size = input[i].size;
    }
    h->phase = phase;
    return status;
}

static void told(void *context, const tc_progress *progress) {
    const tc_crew_job *job = context;
    job->progress(job->context, 0, progress);
}

static bool asked_to_stop(void *context) {
    const tc_crew_job *job = context;
    return job->stop(job->context);
}

static tc_status here_receive(tc_crew *crew, double seconds, tc_event *event, tc_error *error) {
    here *h = (here *)crew;
    char checkpoint[4096];
    (void)seconds;
    (void)error;
    *event = (tc_event){.phase = h->phase};
    if (h->phase < 0) return TC_OK;
    const tc_phase *phase = &h->job->plan->phase[h->phase];
    const tc_trial_hooks hooks = {told, asked_to_stop, (void *)(uintptr_t)h->job};
    tc_crew_checkpoint(h->job->work, phase, checkpoint, sizeof checkpoint);
    const tc_phase_job job = {
        .phase = phase, .input = h->inputs, .checkpoint = *checkpoint ? checkpoint : NULL, .hooks = &hooks};
    const tc_status status = tc_phase_run(h->job->labs, &job, &event->result, &event->error);
    event->kind = status == TC_OK ? TC_EVENT_DONE : event->result.fruitless ? TC_EVENT_BARREN : TC_EVENT_FAILED;
    event->error.status = status;
    h->phase = -1;
    free_inputs(h);
    return TC_OK;
}

static void here_stop(tc_crew *crew) {
    (void)crew; /* it asks by itself, and is never under way while somebody else is */
}

static void here_close(tc_crew *crew) {
    free_inputs((here *)crew);
    free(crew);
}

tc_status tc_crew_here(const tc_crew_job *job, tc_crew **crew, tc_error *error) {
    here *h = NULL;
    const tc_status status = tc_new(&h, 1, sizeof *h, error);
    if (status != TC_OK) return status;
    *h = (here){.crew = {1, 1, here_send, here_receive, here_stop, here_close}, .job = job, .phase = -1};
    *crew = &h->crew;
    return TC_OK;
}
