#include "train/plain.h"

#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

/* Room for an epoch of all samples; one of fewer has fewer steps. */
tc_status tc_plain_make(tc_trainer *t, tc_error *error) {
    tc_status status = TC_OK;
    tc_plain *p = &t->plain;
    tc_walk *walk = &p->walk;
    const size_t samples = t->samples.count, steps = (samples + (size_t)t->batch - 1) / (size_t)t->batch;
    if (!tc_variants_resident(t)) return TC_OK;
    TC_TRY(tc_new(&p->paces, steps, sizeof *p->paces, error));
    TC_TRY(tc_device_bytes(t->device, samples * sizeof *walk->answers, &walk->answers, error));
    TC_TRY(tc_device_bytes(t->device, samples * sizeof *walk->order, &walk->order, error));
    TC_TRY(tc_device_bytes(t->device, steps * sizeof *walk->paces, &walk->paces, error));
    if (t->samples.augment) {
        TC_TRY(tc_new(&p->warps, samples, sizeof *p->warps, error));
        TC_TRY(tc_device_bytes(t->device, samples * sizeof *walk->warps, &walk->warps, error));
    }
    walk->index = t->samples.index;
    walk->warp = t->samples.warp;
    walk->pace = t->pace;
    walk->count = t->count;
    t->device->k->upload_bytes(t->device, walk->answers, t->samples.labels, samples * sizeof *walk->answers);
    p->on = true;
    p->drawn = -1;
done:
    return status;
}

void tc_plain_forget(tc_trainer *t) {
    for (int i = 0; i < TC_MAX_PASSES; i++) tc_track_forget(t->device, &t->plain.track[i]);
}

void tc_plain_free(tc_trainer *t) {
    tc_plain *p = &t->plain;
    void *const on_device[] = {p->walk.answers, p->walk.order, p->walk.warps, p->walk.paces};
    tc_plain_forget(t);
    for (size_t i = 0; i < sizeof on_device / sizeof *on_device; i++)
        if (on_device[i]) t->device->k->release(t->device, on_device[i]);
    free(p->warps);
    free(p->paces);
    *p = (tc_plain){0};
}

/* ---- an epoch ---- */

/* Of the step from that place of the epoch on. */
static int samples_of(const tc_trainer *t, size_t place) {
    const size_t left = t->epoch_samples - place;
    return left < (size_t)t->batch ? (int)left : t->batch;
}

/* Of the epoch's step number `step`, which is step number `number` of the run. */
static void set_pace(const tc_trainer *t, int64_t epoch, size_t step, int64_t number, tc_pace *pace) {
    const size_t place = step * (size_t)t->batch;
    const double rate = tc_trainer_rate(t, epoch, (int64_t)place, samples_of(t, place));
    *pace = tc_optimiser_pace(&t->run.optimiser, rate, number + 1);
    tc_trainer_key(t->stream, number, pace);
}

static size_t steps_of_epoch(const tc_trainer *t) {
    return (t->epoch_samples + (size_t)t->batch - 1) / (size_t)t->batch;
}

/* What the variants that are on want for that step. */
static void draw_rows(tc_trainer *t, size_t step, int64_t number) {
    const size_t place = step * (size_t)t->batch;
    const int n = samples_of(t, place);
    for (int i = 0; i < n; i++) t->samples.host_labels[i] = t->samples.labels[t->samples.order[place + (size_t)i]];
    tc_variants_draw(t, t->stream, number, place, n, t->samples.host_labels);
}

/* On the host. `first`: the number of the epoch's first step in the run. */
static void draw(tc_trainer *t, int64_t epoch, int64_t first) {
    tc_plain *p = &t->plain;
    const size_t steps = steps_of_epoch(t);
    tc_samples_begin_epoch(&t->samples, epoch);
    for (size_t i = 0; i < steps; i++) {
        set_pace(t, epoch, i, first + (int64_t)i, &p->paces[i]);
        draw_rows(t, i, first + (int64_t)i);
    }
    if (p->warps) tc_samples_warps(&t->samples, epoch, 0, t->epoch_samples, p->warps);
    p->drawn = epoch;
}

void tc_plain_draw_next(tc_trainer *t) {
    const bool settled = !t->run.samples; /* nobody will be asked which samples are kept */
    if (settled && t->run.at.epoch + 1 < t->options->epochs) draw(t, t->run.at.epoch + 1, t->run.at.steps);
}

void tc_plain_begin(tc_trainer *t) {
    const tc_kernels *k = t->device->k;
    const tc_train_place *at = &t->run.at;
    const tc_walk *walk = &t->plain.walk;
    const int64_t done = at->place / t->batch;
    const tc_count count = {.steps = done, .correct = at->correct, .loss = at->loss_sum};
    if (t->plain.drawn != at->epoch) draw(t, at->epoch, at->steps - done);
    t->plain.walk.batch = t->batch;
    k->upload_bytes(t->device, walk->paces, t->plain.paces, steps_of_epoch(t) * sizeof *walk->paces);
    k->upload_bytes(t->device, walk->order, t->samples.order, t->epoch_samples * sizeof *walk->order);
    if (walk->warps) k->upload_bytes(t->device, walk->warps, t->plain.warps, t->epoch_samples * sizeof *walk->warps);
    tc_variants_bring_epoch(t, t->epoch_samples);
    k->upload_bytes(t->device, walk->count, &count, sizeof count);
}

void tc_plain_read(tc_trainer *t) {
    tc_train_place *at = &t->run.at;
    tc_count count;
    t->device->k->download_bytes(t->device, &count, t->plain.walk.count, sizeof count);
    at->seen = at->place;
    at->correct = count.correct;
    at->loss_sum = count.loss;
}

/* ---- a step ---- */

typedef struct stride {
    tc_trainer *trainer;
    int n;
    tc_pass *pass;
} stride;

static void take(void *context) {
    const stride *s = context;
    tc_trainer *t = s->trainer;
    const tc_walk *walk = &t->plain.walk;
    t->device->k->next_step(t->device, walk, s->n, tc_pass_labels(s->pass));
    tc_variants_fetch(t, walk, s->n);
    tc_trainer_show(t, s->pass, s->n);
    tc_trainer_climb(t, s->pass);
    tc_optimiser_step_at(&t->run.optimiser, walk->pace, t->gradient, t->run.theta);
}

void tc_plain_step(tc_trainer *t, int n) {
    stride s = {t, n, tc_passes_find(&t->passes, n)};
    int which = 0;
    while (t->passes.pass[which] != s.pass) which++;
    tc_track_run(t->device, &t->plain.track[which], take, &s);
    t->run.at.steps++;
    t->run.at.place += n;
    t->trained += n;
}
