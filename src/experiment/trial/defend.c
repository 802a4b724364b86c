#include "experiment/trial/defend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_filter(const tc_defence *defence) {
    return defence->filter && !defence->due;
}

bool tc_defend_watches(const tc_defending *d) {
    return d->chosen && d->chosen->defence->due;
}

tc_status tc_defend_keep(void *defending, const tc_train_moment *moment, uint8_t *keep, tc_error *error) {
    const tc_defending *d = defending;
    return tc_defence_during(&d->during, moment, keep, error);
}

static tc_status filter(tc_defending *d, const tc_training *training, tc_error *error) {
    const tc_lab *lab = d->trial->lab;
    const tc_filter_job job = {.device = lab->device,
                               .view = &d->whole,
                               .model = lab->victim,
                               .weights = training->inspected,
                               .stream = tc_stream_child(d->trial->stream, "filter", 0),
                               .stop = lab->hooks ? lab->hooks->stop : NULL,
                               .context = lab->hooks ? lab->hooks->context : NULL};
    tc_filtered filtered = {0};
    tc_status status = TC_OK;
    if (!job.weights)
        TC_RAISE(TC_INVALID, "%s: needs a network trained on the same data to look through; train one without it first",
                 d->chosen->name);
    TC_TRY(tc_defence_filter(d->chosen->defence, d->chosen->options, &job, &filtered, error));
    memcpy(d->kept, filtered.keep, d->whole.count * sizeof *d->kept);
    d->seconds = filtered.seconds;
    TC_TRY(tc_view_keep(&d->whole, d->kept, &d->rest, error));
    d->view = &d->rest;
done:
    tc_filtered_free(&filtered);
    return status;
}

tc_status tc_defend_begin(const tc_trial *trial, const tc_training *training, tc_defending *d, tc_error *error) {
    const tc_lab *lab = trial->lab;
    tc_status status = TC_OK;
    *d = (tc_defending){.trial = trial, .chosen = training->defence, .view = &d->whole, .seconds = NAN};
    TC_TRY(tc_view_create(lab->dataset, training->poison, &d->whole, error));
    if (!d->chosen) return TC_OK;
    const tc_defence *defence = d->chosen->defence;
    if (!defence->filter) return TC_OK;
    TC_TRY(tc_new(&d->kept, d->whole.count, sizeof *d->kept, error));
    memset(d->kept, true, d->whole.count * sizeof *d->kept);
    d->during = (tc_during){.defence = defence,
                            .options = d->chosen->options,
                            .stop = lab->hooks ? lab->hooks->stop : NULL,
                            .context = lab->hooks ? lab->hooks->context : NULL,
                            .kept = d->kept};
    if (is_filter(defence)) TC_TRY(filter(d, training, error));
done:
    return status;
}

tc_defence_verdict tc_defend_judge(const tc_defending *d) {
    tc_defence_verdict made = {.kept = NAN, .precision = NAN, .recall = NAN, .seconds = d->seconds};
    if (!d->kept) return made;
    const tc_filter_verdict found = tc_filter_judge(&d->whole, d->kept);
    made.kept = (double)found.kept / (double)found.samples;
    made.precision = found.precision;
    made.recall = found.recall;
    return made;
}

void tc_defend_end(tc_defending *d) {
    tc_view_free(&d->rest);
    tc_view_free(&d->whole);
    free(d->kept);
    *d = (tc_defending){0};
}
