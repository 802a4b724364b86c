/* batch_norm.c — y = act(γ (z − μ)/σ + β + residual): batch normalisation (Ioffe and Szegedy 2015) with the residual
 * sum and the ReLU that follow it in residual networks, in one walk through memory where the device can. The four maps
 * are the kernel table's; this file hands them their places. */
#include "nn/layer.h"

enum { MEAN, INV_STD, SUM_T, MEAN_T, RATIO_T, SUM }; /* SUM, SUM_T: dγ, dβ where the caller does not want them */

static tc_status plan(tc_step *s, tc_error *error) {
    tc_status status = TC_OK;
    const size_t c = (size_t)s->out.c;
    TC_TRY(tc_step_keep(s, MEAN, c, error));
    TC_TRY(tc_step_keep(s, INV_STD, c, error));
    TC_TRY(tc_step_keep(s, SUM, 2 * c, error));
    if (!s->has_second) goto done;
    TC_TRY(tc_step_keep(s, SUM_T, 2 * c, error));
    TC_TRY(tc_step_keep(s, MEAN_T, c, error));
    TC_TRY(tc_step_keep(s, RATIO_T, c, error));
done:
    return status;
}

static tc_norm describe(const tc_step *s) {
    const bool residual = s->layer->inputs > 1, training = s->options->mode == TC_TRAIN;
    const bool sums = training || s->wants_theta, sums_t = s->has_second && (training || s->wants_theta_t);
    const size_t c = (size_t)s->out.c;
    return (tc_norm){
        .shape = s->out,
        .training = training,
        .relu = s->layer->options.relu,
        .epsilon = TC_NORM_EPSILON,
        .momentum = 0.1,
        .z = s->x[0],
        .residual = residual ? s->x[1] : NULL,
        .y = s->y,
        .gamma = tc_at(s->device, s->theta, s->weight),
        .beta = tc_at(s->device, s->theta, s->bias),
        .running_mean = tc_step_at(s, s->state, s->layer->mean, s->mean),
        .running_var = tc_step_at(s, s->state, s->layer->variance, s->variance),
        .mean = s->saved[MEAN],
        .inv_std = s->saved[INV_STD],
        .dy = s->dy,
        .q = s->q,
        .dz = s->dx[0],
        .dgamma = sums ? s->saved[SUM] : NULL,
        .dbeta = sums ? tc_at(s->device, s->saved[SUM], c) : NULL,
        .z_t = s->x_t[0],
        .residual_t = residual ? s->x_t[1] : NULL,
        .y_t = s->y_t,
        .gamma_t = tc_step_at(s, s->theta_t, s->layer->weight, s->weight),
        .beta_t = tc_step_at(s, s->theta_t, s->layer->bias, s->bias),
        .mean_t = s->saved[MEAN_T],
        .ratio_t = s->saved[RATIO_T],
        .dy_t = s->dy_t,
        .q_t = s->q_t,
        .dz_t = s->dx_t[0],
        .dgamma_t = sums_t ? s->saved[SUM_T] : NULL,
        .dbeta_t = sums_t ? tc_at(s->device, s->saved[SUM_T], c) : NULL,
    };
}

static void forward(tc_step *s) {
    const tc_norm norm = describe(s);
    s->device->k->norm_forward(s->device, &norm);
}

/* γ and β lie anywhere in θ; the sums lie together in `sums`. */
static void deliver(const tc_step *s, void *vector, const void *sums) {
    if (!vector) return;
    const size_t c = (size_t)s->out.c;
    s->device->k->copy(s->device, c, sums, tc_at(s->device, vector, s->weight));
    s->device->k->copy(s->device, c, tc_at(s->device, sums, c), tc_at(s->device, vector, s->bias));
}

static void backward(tc_step *s) {
    const tc_norm norm = describe(s);
    s->device->k->norm_backward(s->device, &norm);
    deliver(s, s->g, s->saved[SUM]);
}

static void forward_tangent(tc_step *s) {
    const tc_norm norm = describe(s);
    s->device->k->norm_forward_tangent(s->device, &norm);
}

static void backward_tangent(tc_step *s) {
    const tc_norm norm = describe(s);
    s->device->k->norm_backward_tangent(s->device, &norm);
    deliver(s, s->g_t, s->saved[SUM_T]);
}

const tc_layer_class tc_batch_norm_layer = {
    .name = "batch norm",
    .traits = TC_READS_X_THETA | TC_READS_X_TRAINING | TC_USES_Q | TC_RESIDUAL_IS_Q | TC_HALVES,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .forward_tangent = forward_tangent,
    .backward_tangent = backward_tangent,
};
