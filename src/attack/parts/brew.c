#include "attack/parts/brew.h"

#include <stdlib.h>

/* ---- making ---- */

tc_status tc_brew_create(const tc_craft_job *job, const tc_brew_options *options, tc_brew *b, tc_error *error) {
    tc_status status = TC_OK;
    const size_t poisons = job->threat->poisons;
    *b = (tc_brew){.job = job, .options = options};
    TC_TRY(tc_ensemble_create(job, (size_t)options->batch, options->memory, &b->surrogates, error));
    TC_TRY(tc_lens_create(job->device, job->dataset, poisons, b->surrogates.piece, options->shift, options->flip,
                          &b->lens, error));
    TC_TRY(tc_perturbation_create(job->device, job->dataset, job->threat, &b->delta, error));
    TC_TRY(tc_descent_create(&b->delta, &b->descent, error));
    TC_TRY(tc_new(&b->labels, poisons, sizeof *b->labels, error));
    for (size_t i = 0; i < poisons; i++) b->labels[i] = job->threat->intended_class;
done:
    if (status != TC_OK) tc_brew_free(b);
    return status;
}

void tc_brew_free(tc_brew *b) {
    tc_descent_free(&b->descent);
    tc_ensemble_free(&b->surrogates);
    if (b->lens.device) tc_lens_free(&b->lens);
    if (b->delta.device) tc_perturbation_free(&b->delta);
    free(b->labels);
    *b = (tc_brew){0};
}

int tc_brew_pieces(const tc_craft_job *job) {
    return TC_DESCENT_PIECES + TC_ENSEMBLE_PIECES * job->surrogate_count;
}

void tc_brew_keep(tc_brew *b, bool weights, tc_snapshot *snapshot) {
    tc_descent_keep(&b->descent, snapshot);
    tc_ensemble_keep(&b->surrogates, weights, snapshot);
}

/* ---- steps ---- */

void tc_brew_start(tc_brew *b, tc_stream stream) {
    tc_perturbation_start(&b->delta, tc_stream_child(stream, "start", 0));
    tc_descent_restart(&b->descent);
}

/* In 8-bit steps. */
static double step_size(const tc_brew *b, int64_t step) {
    const tc_brew_options *o = b->options;
    const double rate = tc_deviations(b->job->dataset, o->step_size * (double)o->batch / 512);
    return tc_decayed(rate, o->decay, step, o->steps);
}

void tc_brew_step(tc_brew *b, tc_stream stream, int64_t step, double *loss) {
    tc_lens_draw(&b->lens, tc_stream_child(stream, "augment", (uint64_t)step));
    tc_perturbation_apply(&b->delta);
    tc_ensemble_match(&b->surrogates, &b->lens, b->delta.pixels, b->labels, b->descent.gradient);
    tc_descent_step(&b->descent, step_size(b, step), step, true);
    if (loss) *loss = tc_ensemble_phi(&b->surrogates);
}

double tc_brew_step_work(const tc_craft_job *job) {
    return TC_MATCHING_THIRDS / 3.0 * (double)job->threat->poisons;
}

/* ---- what came of them ---- */

/* Of the 8-bit images in delta.pixels. */
static double final_loss(tc_brew *b) {
    tc_lens_draw(&b->lens, tc_stream_child(b->job->stream, "final", 0));
    tc_ensemble_match(&b->surrogates, &b->lens, b->delta.pixels, b->labels, NULL);
    return tc_ensemble_phi(&b->surrogates);
}

double tc_brew_round(tc_brew *b, uint8_t *images) {
    tc_perturbation_round(&b->delta, images);
    return final_loss(b);
}

double tc_brew_loss(tc_brew *b, const uint8_t *images) {
    for (size_t i = 0; i < b->delta.values; i++) b->delta.host[i] = images[i];
    b->job->device->k->upload_float(b->job->device, b->delta.pixels, b->delta.host, b->delta.values);
    return final_loss(b);
}
