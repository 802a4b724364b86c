/* sam.c — sharpness-aware minimisation (Foret et al., "Sharpness-aware minimization for efficiently improving
 * generalization", ICLR 2021, arXiv 2010.01412), p = 2:
 *
 *     ε̂ = ρ g / ‖g‖₂,   g = ∇_θ L(θ) on the batch;      the optimiser steps from θ with ∇_θ L(θ + ε̂) on the same batch
 *
 * Batch normalisation takes its running statistics from the first pass alone, as the authors' code does (it keeps the
 * `inner_state`); both passes normalise by the batch. Dropout drops the same in both. That code also counts the weight
 * decay as part of the loss, so that it bends ε̂; here, as in most later code, g is the gradient of the loss alone and
 * the optimiser adds the decay at θ. Loss and accuracy are reported at θ. */
#include "train/trainer.h"

typedef struct sam {
    void *there; /* θ + ε̂: device reals [p] */
} sam;

static bool on(const tc_train_options *options) {
    return options->sam_rho > 0;
}

static tc_status make(const tc_trainer *t, void *own, tc_error *error) {
    return tc_device_reals(t->device, t->run.parameters, &((sam *)own)->there, error);
}

static void release(const tc_trainer *t, void *own) {
    const sam *s = own;
    if (s->there) t->device->k->release(t->device, s->there);
}

static void climb(const tc_trainer *t, const void *own, tc_pass *pass) {
    const sam *s = own;
    const tc_train_state *run = &t->run;
    tc_pass_grad_async(pass, run->theta, run->state, t->gradient, NULL);
    tc_pass_tally(pass, t->count);
    t->device->k->ascend(t->device, run->parameters, t->options->sam_rho, t->gradient, run->theta, s->there);
    tc_pass_grad_async(pass, s->there, NULL, t->gradient, NULL);
    tc_pass_watch(pass, t->count);
}

static double work(const tc_train_options *options) {
    (void)options;
    return 2;
}

const tc_variant tc_sam = {
    .name = "SAM", .size = sizeof(sam), .on = on, .work = work, .make = make, .release = release, .climb = climb};
