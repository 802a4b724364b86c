/* dropout.c — z = m·a in training mode, m drawn afresh by each forward pass (0, or 1/(1−rate) so that the mean stays),
 * z = a in evaluation mode. The mask is fixed for the other three maps. */
#include "nn/layer.h"

static bool active(const tc_step *s) {
    return s->options->mode == TC_TRAIN && s->layer->options.rate > 0;
}

static tc_status plan(tc_step *s, tc_error *error) {
    return active(s) ? tc_step_keep(s, 0, tc_shape_count(s->out), error) : TC_OK;
}

static void apply(tc_step *s, const void *x, void *y) {
    const tc_kernels *k = s->device->k;
    const size_t count = tc_shape_count(s->out);
    if (!x)
        k->fill(s->device, count, 0, y);
    else if (active(s))
        k->multiply(s->device, count, x, s->saved[0], y, false);
    else
        k->copy(s->device, count, x, y);
}

static void forward(tc_step *s) {
    const tc_dropout dropout = {s->layer->options.rate, s->stream, s->pace, s->number};
    if (active(s)) s->device->k->dropout_mask(s->device, s->out, &dropout, s->saved[0]);
    apply(s, s->x[0], s->y);
}

static void backward(tc_step *s) {
    if (s->dx[0]) apply(s, tc_step_gather(s), s->dx[0]);
}

static void forward_tangent(tc_step *s) {
    apply(s, s->x_t[0], s->y_t);
}

static void backward_tangent(tc_step *s) {
    if (s->dx_t[0]) apply(s, tc_step_gather_tangent(s), s->dx_t[0]);
}

const tc_layer_class tc_dropout_layer = {
    .name = "dropout",
    .traits = TC_USES_Q,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .forward_tangent = forward_tangent,
    .backward_tangent = backward_tangent,
};
