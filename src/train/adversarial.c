/* adversarial.c — adversarial training (Madry et al., "Towards deep learning models resistant to adversarial attacks",
 * ICLR 2018, arXiv 1706.06083): each step trains on what projected gradient descent makes of the batch,
 *
 *     p := b + U(−ε, ε);   repeat:   p := clip(b + clip(p + α sign(∇_p L) − b, ±ε), 0, 255)
 *
 * b and p are pixels in 8-bit steps, not rounded: b is what crop, flip and the other changes have left, so the attack
 * is on the very loss that the step trains on, mixed labels included.
 *
 * The inner gradients are taken with the network as it is trained, in training mode: batch normalisation by the batch's
 * own statistics, as Madry's and most later code (TRADES attacks in evaluation mode instead). The running statistics
 * are updated by the training pass only, and dropout drops the same throughout a step. */
#include "train/trainer.h"

typedef struct adversarial {
    void *base, *pixels, *slope;     /* b, p and ∇_x L: device reals [batch][h][w][c] */
    float back_mean[4], back_std[4]; /* with which `normalise` leads from normalised units back to pixels */
} adversarial;

static bool on(const tc_train_options *options) {
    return options->adversarial_epsilon > 0;
}

static tc_status make(const tc_trainer *t, void *own, tc_error *error) {
    adversarial *a = own;
    const tc_dataset *data = t->view->dataset;
    const size_t count = (size_t)t->batch * tc_dataset_image_bytes(data);
    tc_status status = TC_OK;
    TC_TRY(tc_device_reals(t->device, count, &a->base, error));
    TC_TRY(tc_device_reals(t->device, count, &a->pixels, error));
    TC_TRY(tc_device_reals(t->device, count, &a->slope, error));
    /* x = (p/255 − m)/s is an affine map, and so is its inverse: 255(s x + m) = (x/255 − m′)/s′. */
    for (int c = 0; c < data->channels; c++) {
        a->back_std[c] = 1 / (255 * 255 * data->std[c]);
        a->back_mean[c] = -data->mean[c] / (255 * data->std[c]);
    }
done:
    return status;
}

static void release(const tc_trainer *t, void *own) {
    const adversarial *a = own;
    void *const held[] = {a->base, a->pixels, a->slope};
    for (int i = 0; i < 3; i++)
        if (held[i]) t->device->k->release(t->device, held[i]);
}

/* Into the ball around b, then into the range of pixels; b lies in both, so the second leaves the first true. */
static void project(const tc_trainer *t, const adversarial *a, size_t count) {
    const tc_kernels *k = t->device->k;
    const double epsilon = t->options->adversarial_epsilon;
    k->axpby(t->device, count, -1, a->base, 1, a->pixels);
    k->clamp(t->device, count, -epsilon, epsilon, a->pixels);
    k->axpby(t->device, count, 1, a->base, 1, a->pixels);
    k->clamp(t->device, count, 0, 255, a->pixels);
}

static void change(const tc_trainer *t, const void *own, const tc_batch *batch) {
    const adversarial *a = own;
    const tc_kernels *k = t->device->k;
    const tc_dataset *data = t->view->dataset;
    const tc_shape shape = tc_nhwc(batch->n, data->height, data->width, data->channels);
    const size_t count = tc_shape_count(shape);
    const double epsilon = t->options->adversarial_epsilon;
    void *x = tc_pass_input(batch->pass);
    k->normalise(t->device, shape, a->back_mean, a->back_std, x, a->base);
    k->clamp(t->device, count, 0, 255, a->base); /* rounding */
    k->uniform_paced(t->device, count, t->pace, "adversarial", -epsilon, epsilon, a->pixels);
    k->axpby(t->device, count, 1, a->base, 1, a->pixels);
    k->clamp(t->device, count, 0, 255, a->pixels);
    for (int64_t i = 0; i < t->options->adversarial_steps; i++) {
        k->normalise(t->device, shape, data->mean, data->std, a->pixels, x);
        tc_pass_grad_async(batch->pass, t->run.theta, NULL, NULL, a->slope);
        k->sign_power(t->device, count, t->options->adversarial_step_size, 0, a->slope, a->slope); /* std > 0 */
        k->axpby(t->device, count, 1, a->slope, 1, a->pixels);
        project(t, a, count);
    }
    k->normalise(t->device, shape, data->mean, data->std, a->pixels, x);
}

/* A step of the attack wants no ∇_θ: two thirds of a gradient. */
static double work(const tc_train_options *options) {
    return 1 + 2.0 / 3 * (double)options->adversarial_steps;
}

const tc_variant tc_adversarial = {.name = "adversarial training",
                                   .size = sizeof(adversarial),
                                   .want = TC_WANT_GRAD_X,
                                   .on = on,
                                   .work = work,
                                   .make = make,
                                   .release = release,
                                   .change = change};
