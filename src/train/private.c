/* private.c — gradients that no single example can move far: clipped, and drowned in noise. `dp_unit` says of what.
 *
 * example: differentially private SGD (Abadi et al., "Deep learning with differential privacy", CCS 2016, arXiv
 * 1607.00133, algorithm 1),
 *
 *     lot: each example with probability q = batch/N      g := (1/batch) (Σ_{i in lot} g_i min(1, C/‖g_i‖) + N(0, σ²C²
 * I))
 *
 * The lot is drawn as the analysis has it, example by example, so its size varies; an epoch is ⌈N/batch⌉ lots. What is
 * spent is told by accountant.c, for the gradients: neither the data's mean and deviation nor the reported loss and
 * accuracy are private. The gradients g_i are exact, from passes of one image, and therefore take about as long as
 * training with batches of one. Batch normalisation is refused: with it an example's gradient depends on the others in
 * its batch, and the running statistics leak past the noise. So is what makes a sample of two examples (Mix-Up,
 * CutMix), and SAM, whose second gradient would be taken where all examples together point.
 *
 * batch: gradient shaping (Hong et al., "On the effectiveness of mitigating data poisoning attacks with gradient
 * shaping", arXiv 2002.11497) as Witches' Brew's code has it for networks with batch normalisation: the mean gradient
 * of the batch is clipped to C and gets N(0, σ²C² I). No privacy is promised. */
#include "train/accountant.h"
#include "train/trainer.h"

#include <math.h>

enum { EXAMPLE, BATCH }; /* the choices of dp_unit */

typedef struct private {
    void *one; /* an example's gradient: device reals [p] */
}
private;

static bool by_example(const tc_train_options *options) {
    return options->dp_clip > 0 && options->dp_unit == EXAMPLE;
}

static bool by_batch(const tc_train_options *options) {
    return options->dp_clip > 0 && options->dp_unit == BATCH;
}

static tc_status refuse_sam(const tc_train_options *options, tc_error *error) {
    if (options->sam_rho == 0) return TC_OK;
    return tc_raise(error, TC_INVALID, "dp_clip: SAM is a gradient rule of its own; set sam_rho or dp_clip to 0");
}

static tc_status check_example(const tc_train_options *options, const tc_dataset *dataset, const tc_model *model,
                               tc_error *error) {
    (void)dataset;
    if (options->mixup > 0 || options->cutmix > 0)
        return tc_raise(error, TC_INVALID,
                        "dp_clip: with mixup or cutmix a gradient is of two examples; set those to 0, or dp_unit to "
                        "batch");
    if (model && tc_model_state(model) > 0)
        return tc_raise(error, TC_INVALID,
                        "dp_clip: with batch normalisation %s has no gradient of a single example; take a network "
                        "without, or dp_unit=batch",
                        tc_model_name(model));
    return refuse_sam(options, error);
}

static tc_status check_batch(const tc_train_options *options, const tc_dataset *dataset, const tc_model *model,
                             tc_error *error) {
    (void)dataset, (void)model;
    return refuse_sam(options, error);
}

static tc_status make(const tc_trainer *t, void *own, tc_error *error) {
    return tc_device_reals(t->device, t->run.parameters, &((private *)own)->one, error);
}

static void release(const tc_trainer *t, void *own) {
    const private *p = own;
    if (p->one) t->device->k->release(t->device, p->one);
}

/* to := the noise of this step */
static void draw_noise(const tc_trainer *t, void *to) {
    const double sigma = t->options->dp_noise * t->options->dp_clip;
    const tc_stream stream = tc_stream_child(t->stream, "noise", (uint64_t)t->run.at.steps);
    if (sigma > 0)
        t->device->k->normal(t->device, t->run.parameters, stream, sigma, to);
    else
        t->device->k->fill(t->device, t->run.parameters, 0, to);
}

/* to += one, shortened to the norm C */
static void add_clipped(const tc_trainer *t, const void *one, void *to) {
    const double norm = sqrt(t->device->k->sum_power(t->device, t->run.parameters, 2, one));
    const double clip = t->options->dp_clip;
    t->device->k->axpby(t->device, t->run.parameters, norm > clip ? clip / norm : 1, one, 1, to);
}

static tc_tally gradient_by_example(tc_trainer *t, void *own, int n) {
    const private *p = own;
    const tc_train_place *at = &t->run.at;
    const size_t lot = tc_samples_draw_lot(&t->samples, at->steps, (double)t->batch / (double)t->samples.count);
    tc_tally tally = {0};
    (void)n; /* the lot's own size */
    draw_noise(t, t->gradient);
    for (size_t i = 0; i < lot; i++) {
        tc_pass *pass = tc_trainer_load(t, at->steps, i, 1, tc_stream_child(t->stream, "example", i));
        const double loss = tc_pass_grad(pass, t->run.theta, t->run.state, p->one, NULL);
        tc_trainer_count(t, pass, 1, loss, &tally);
        add_clipped(t, p->one, t->gradient);
    }
    t->device->k->axpby(t->device, t->run.parameters, 1.0 / t->batch, t->gradient, 0, t->gradient);
    return tally;
}

static tc_tally gradient_by_batch(tc_trainer *t, void *own, int n) {
    const private *p = own;
    const tc_train_place *at = &t->run.at;
    tc_tally tally = {0};
    tc_pass *pass = tc_trainer_load(t, at->epoch, (size_t)at->place, n, t->stream);
    const double loss = tc_pass_grad(pass, t->run.theta, t->run.state, p->one, NULL);
    tc_trainer_count(t, pass, n, loss, &tally);
    draw_noise(t, t->gradient);
    add_clipped(t, p->one, t->gradient);
    return tally;
}

double tc_private_epsilon(const tc_trainer *t) {
    if (!by_example(t->options)) return INFINITY;
    return tc_privacy_spent((double)t->batch / (double)t->samples.count, t->options->dp_noise, (double)t->run.at.steps,
                            t->options->dp_delta);
}

/* Between 1.5 and 34, by network (docs/performance.md). */
static double work_by_example(const tc_train_options *options) {
    (void)options;
    return 13;
}

const tc_variant tc_private = {.name = "DP-SGD",
                               .size = sizeof(private),
                               .single = true,
                               .on = by_example,
                               .work = work_by_example,
                               .check = check_example,
                               .make = make,
                               .release = release,
                               .gradient = gradient_by_example};
const tc_variant tc_shaping = {.name = "gradient shaping",
                               .size = sizeof(private),
                               .on = by_batch,
                               .check = check_batch,
                               .make = make,
                               .release = release,
                               .gradient = gradient_by_batch};
