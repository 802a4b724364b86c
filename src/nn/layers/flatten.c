/* flatten.c — an activation as rows of c·h·w features in PyTorch's (c, h, w) order: a permutation, so linear. */
#include "nn/layer.h"

static void forward(tc_step *s) {
    s->device->k->flatten(s->device, s->in[0], s->x[0], s->y);
}

static void backward(tc_step *s) {
    if (s->dx[0]) s->device->k->unflatten(s->device, s->in[0], s->dy, s->dx[0]);
}

static void forward_tangent(tc_step *s) {
    if (s->x_t[0])
        s->device->k->flatten(s->device, s->in[0], s->x_t[0], s->y_t);
    else
        s->device->k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
}

static void backward_tangent(tc_step *s) {
    if (s->dx_t[0]) s->device->k->unflatten(s->device, s->in[0], s->dy_t, s->dx_t[0]);
}

const tc_layer_class tc_flatten_layer = {
    .name = "flatten",
    .traits = TC_HALVES,
    .forward = forward,
    .backward = backward,
    .forward_tangent = forward_tangent,
    .backward_tangent = backward_tangent,
};
