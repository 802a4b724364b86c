#include "attack/parts/ensemble.h"

#include <math.h>
#include <stdlib.h>

/* ---- passes ---- */

/* How many images of `batch` one pass may hold within `memory`. Images take the same each, so two small passes tell. */
static tc_status piece_within(const tc_ensemble *e, const tc_model *model, const tc_pass_options *options, size_t batch,
                              int *piece, tc_error *error) {
    enum { SMALL = 4, LARGE = 12 };
    tc_status status = TC_OK;
    tc_passes probe = {.device = e->job->device, .model = model, .options = *options};
    tc_pass *small, *large;
    *piece = (int)batch;
    if (batch <= LARGE) return TC_OK;
    TC_TRY(tc_passes_get(&probe, SMALL, &small, error));
    TC_TRY(tc_passes_get(&probe, LARGE, &large, error));
    const double image = ((double)tc_pass_bytes(large) - (double)tc_pass_bytes(small)) / (LARGE - SMALL);
    const double most = floor(e->memory * 1048576 / fmax(image, 1));
    if (most < (double)batch) *piece = most > 1 ? (int)most : 1;
done:
    tc_passes_free(&probe);
    return status;
}

static int first_of_model(const tc_craft_job *job, int i) {
    int first = 0;
    while (job->surrogates[first].model != job->surrogates[i].model) first++;
    return first;
}

static tc_status make_passes(tc_ensemble *e, int i, int *piece, tc_error *error) {
    tc_status status = TC_OK;
    const tc_model *model = e->job->surrogates[i].model;
    const size_t poisons = e->job->threat->poisons;
    const size_t batch = poisons < e->batch ? poisons : e->batch, last = poisons % batch;
    e->passes[i] = (tc_passes){.device = e->job->device,
                               .model = model,
                               .options = {.mode = TC_EVALUATE, .want = TC_MATCHER_WANT, .loss = TC_CROSS_ENTROPY}};
    TC_TRY(piece_within(e, model, &e->passes[i].options, batch, piece, error));
    TC_TRY(tc_passes_for(&e->passes[i], batch, *piece, error));
    if (last) TC_TRY(tc_passes_for(&e->passes[i], last, *piece, error));
done:
    return status;
}

/* ---- making ---- */

static tc_status make_matcher(tc_ensemble *e, int i, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = e->job;
    const int first = first_of_model(job, i);
    int piece = e->matcher[first].piece;
    TC_TRY(tc_model_fits(job->surrogates[i].model, job->dataset, error));
    if (first == i) TC_TRY(make_passes(e, i, &piece, error));
    TC_TRY(tc_matcher_create(job->device, &job->surrogates[i], &e->passes[first], piece, &e->matcher[i], error));
    if (piece > e->piece) e->piece = piece;
done:
    return status;
}

tc_status tc_ensemble_create(const tc_craft_job *job, size_t batch, double memory, tc_ensemble *e, tc_error *error) {
    tc_status status = TC_OK;
    *e = (tc_ensemble){.job = job, .batch = batch, .memory = memory};
    if (job->surrogate_count < 1) TC_RAISE(TC_INVALID, "attack: no surrogate is given; train one first");
    TC_TRY(tc_new(&e->passes, (size_t)job->surrogate_count, sizeof *e->passes, error));
    TC_TRY(tc_new(&e->matcher, (size_t)job->surrogate_count, sizeof *e->matcher, error));
    TC_TRY(tc_device_bytes(job->device, sizeof *e->phi, &e->phi, error));
    for (int i = 0; i < job->surrogate_count; i++) TC_TRY(make_matcher(e, i, error));
done:
    if (status != TC_OK) tc_ensemble_free(e);
    return status;
}

void tc_ensemble_free(tc_ensemble *e) {
    if (!e->job) return;
    const int count = e->job->surrogate_count;
    for (int i = 0; e->matcher && i < count; i++)
        if (e->matcher[i].device) tc_matcher_free(&e->matcher[i]);
    for (int i = 0; e->passes && i < count; i++) tc_passes_free(&e->passes[i]);
    if (e->phi) e->job->device->k->release(e->job->device, e->phi);
    free(e->passes);
    free(e->matcher);
    *e = (tc_ensemble){0};
}

/* ---- what is matched to ---- */

typedef struct aim_at {
    const tc_sharpness_options *sharpness;
    const uint8_t *images; /* [count][h][w][c] */
    const int32_t *labels; /* [count] */
    size_t count;
} aim_at;

static tc_status aim(tc_ensemble *e, int i, const aim_at *at, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = e->job;
    tc_matcher *m = &e->matcher[i];
    tc_objective *q = NULL;
    tc_sharpness sharpness = {.device = job->device};
    TC_TRY(tc_image_objective(job->device, job->surrogates[i].model, m->state, job->dataset, at->images, at->labels,
                              at->count, &q, error));
    TC_TRY(tc_sharpness_create(job->device, at->sharpness, m->parameters,
                               tc_stream_child(job->stream, "sharpness", (uint64_t)i), &sharpness, error));
    const double value = tc_sharpness_gradient(&sharpness, q, m->theta, m->target);
    e->gradients += q->gradients;
    tc_matcher_aimed(m);
    if (!isfinite(value))
        TC_RAISE_FRUITLESS(
            TC_FAILED,
            "attack: the objective is not a number on surrogate %d; take a smaller rho or sigma, or train the "
            "surrogate again",
            i + 1);
done:
    tc_objective_free(q);
    tc_sharpness_free(&sharpness);
    return status;
}

tc_status tc_ensemble_aim_at(tc_ensemble *e, const tc_sharpness_options *sharpness, const uint8_t *images, size_t count,
                             tc_error *error) {
    tc_status status = TC_OK;
    int32_t *labels = NULL;
    TC_TRY(tc_new(&labels, count, sizeof *labels, error));
    for (size_t i = 0; i < count; i++) labels[i] = e->job->threat->intended_class;
    for (int i = 0; i < e->job->surrogate_count; i++)
        TC_TRY(aim(e, i, &(aim_at){sharpness, images, labels, count}, error));
done:
    free(labels);
    return status;
}

tc_status tc_ensemble_aim(tc_ensemble *e, const tc_sharpness_options *sharpness, tc_error *error) {
    const tc_threat *threat = e->job->threat;
    uint8_t *images = NULL;
    tc_status status = tc_new(&images, threat->targets, tc_dataset_image_bytes(e->job->dataset), error);
    if (status == TC_OK) {
        tc_threat_targets(e->job->dataset, threat, images);
        status = tc_ensemble_aim_at(e, sharpness, images, threat->targets, error);
    }
    free(images);
    return status;
}

void tc_ensemble_replace(tc_ensemble *e, int i, const tc_weights *weights) {
    const tc_matcher *m = &e->matcher[i];
    const tc_kernels *k = e->job->device->k;
    k->upload_float(e->job->device, m->theta, weights->theta, m->parameters);
    k->upload_float(e->job->device, m->state, weights->state, tc_model_state(e->job->surrogates[i].model));
}

/* ---- matching ---- */

void tc_ensemble_match(tc_ensemble *e, const tc_lens *lens, const void *pixels, const int32_t *labels, void *dpixels) {
    tc_device *device = e->job->device;
    const int surrogates = e->job->surrogate_count;
    const size_t image = tc_dataset_image_bytes(e->job->dataset);
    const double none = 0;
    device->k->upload_bytes(device, e->phi, &none, sizeof none);
    e->terms = 0;
    if (dpixels) device->k->fill(device, lens->count * image, 0, dpixels);
    for (size_t from = 0; from < lens->count; from += e->batch) {
        const size_t left = lens->count - from;
        const tc_match_batch batch = {lens, pixels, labels, from, left < e->batch ? left : e->batch};
        for (int i = 0; i < surrogates; i++, e->terms++)
            tc_match(&e->matcher[i], &batch, 1.0 / surrogates, dpixels, e->phi);
    }
}

double tc_ensemble_phi(const tc_ensemble *e) {
    double sum = 0;
    e->job->device->k->download_bytes(e->job->device, &sum, e->phi, sizeof sum);
    return sum / e->terms;
}

void tc_ensemble_keep(tc_ensemble *e, bool weights, tc_snapshot *snapshot) {
    const size_t element = e->job->device->element;
    for (int i = 0; i < e->job->surrogate_count; i++) {
        tc_matcher *m = &e->matcher[i];
        tc_snapshot_host(snapshot, &m->gradients, sizeof m->gradients);
        tc_snapshot_host(snapshot, &m->jvps, sizeof m->jvps);
        if (!weights) continue;
        tc_snapshot_device(snapshot, m->theta, m->parameters * element);
        tc_snapshot_device(snapshot, m->state, tc_model_state(e->job->surrogates[i].model) * element);
    }
}

void tc_ensemble_spent(const tc_ensemble *e, tc_craft_report *report) {
    report->gradients = e->gradients;
    report->jvps = 0;
    for (int i = 0; i < e->job->surrogate_count; i++) {
        report->gradients += e->matcher[i].gradients;
        report->jvps += e->matcher[i].jvps;
    }
}
