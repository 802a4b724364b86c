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
 * accuracy are private. The gradients g_i are exact and none of them is ever formed: a pass of many images tells their
 * norms, and then adds them up with the factors that follow (tc_pass_grad_each; "ghost norms", Goodfellow, arXiv
 * 1510.01799, and Li et al., arXiv 2110.05679; one backward pass for both, Bu et al., arXiv 2210.00038). Batch
 * normalisation is refused: with it an example's gradient depends on the others in its batch, and the running
 * statistics leak past the noise. So is what makes a sample of two examples (Mix-Up, CutMix), and SAM, whose second
 * gradient would be taken where all examples together point.
 *
 * batch: gradient shaping (Hong et al., "On the effectiveness of mitigating data poisoning attacks with gradient
 * shaping", arXiv 2002.11497) as Witches' Brew's code has it for networks with batch normalisation: the mean gradient
 * of the batch is clipped to C and gets N(0, σ²C² I). No privacy is promised. */
#include "train/accountant.h"
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>

enum { EXAMPLE, BATCH }; /* the choices of dp_unit */

typedef struct private {
    void *one;       /* a gradient before it is added: device reals [p] */
    double *factors; /* [batch]: ‖g_i‖², then min(1, C/‖g_i‖) */
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
    private *p = own;
    tc_status status = TC_OK;
    TC_TRY(tc_device_reals(t->device, t->run.parameters, &p->one, error));
    TC_TRY(tc_new(&p->factors, (size_t)t->batch, sizeof *p->factors, error));
done:
    return status;
}

static void release(const tc_trainer *t, void *own) {
    const private *p = own;
    if (p->one) t->device->k->release(t->device, p->one);
    free(p->factors);
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

/* What shortens a gradient of that norm to C at most. */
static double factor(const tc_trainer *t, double norm) {
    return norm > t->options->dp_clip ? t->options->dp_clip / norm : 1;
}

/* gradient += Σ g_i min(1, C/‖g_i‖) over the `count` images from `from` of the lot, in a pass of `size` */
static void add_part(tc_trainer *t, const private *p, size_t from, int count, int size, tc_tally *tally) {
    tc_pass *pass = tc_trainer_load(t, t->run.at.steps, from, size, tc_stream_child(t->stream, "example", from));
    const double loss = tc_pass_grad_each(pass, t->run.theta, count, p->factors);
    tc_trainer_count(t, pass, count, loss, tally);
    for (int i = 0; i < count; i++) p->factors[i] = factor(t, sqrt(p->factors[i]));
    tc_pass_grad_sum(pass, count, p->factors, p->one);
    t->device->k->axpby(t->device, t->run.parameters, 1, p->one, 1, t->gradient);
}

static int least(int a, size_t b) {
    return (size_t)a < b ? a : (int)b;
}

static tc_tally gradient_by_example(tc_trainer *t, void *own, int n) {
    const private *p = own;
    const tc_train_place *at = &t->run.at;
    const size_t lot = tc_samples_draw_lot(&t->samples, at->steps, (double)t->batch / (double)t->samples.count);
    tc_tally tally = {0};
    (void)n; /* the lot's own size */
    draw_noise(t, t->gradient);
    for (size_t done = 0; done < lot;) {
        const int size = tc_passes_lot_part(t->batch, lot - done), count = least(size, lot - done);
        add_part(t, p, done, count, size, &tally);
        done += (size_t)count;
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
    const double norm = sqrt(t->device->k->sum_power(t->device, t->run.parameters, 2, p->one));
    t->device->k->axpby(t->device, t->run.parameters, factor(t, norm), p->one, 1, t->gradient);
    return tally;
}

double tc_private_epsilon(const tc_trainer *t) {
    if (!by_example(t->options)) return INFINITY;
    return tc_privacy_spent((double)t->batch / (double)t->samples.count, t->options->dp_noise, (double)t->run.at.steps,
                            t->options->dp_delta);
}

/* Between 1.6 and 2.8, by network (docs/performance.md). */
static double work_by_example(const tc_train_options *options) {
    (void)options;
    return 2;
}

const tc_variant tc_private = {.name = "DP-SGD",
                               .size = sizeof(private),
                               .want = TC_WANT_EACH,
                               .lots = true,
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
