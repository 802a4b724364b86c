/* pool.c — max and average pooling. Both are linear once the forward pass has fixed which inputs win:
 * z = Ma, ā = Mᵀz̄, ż = Mȧ, ā̇ = Mᵀz̄̇. Global pooling is average pooling with a window as large as its input.
 * A max pool above a fused ReLU takes the ReLU's mask over: M is zero where the maximum is. */
#include "nn/layer.h"

static tc_pool describe(const tc_step *s) {
    const tc_layer_options *o = &s->layer->options;
    return (tc_pool){s->in[0], s->out, o->kernel, o->stride, o->padding, s->masks_below};
}

static tc_status plan_winners(tc_step *s, tc_error *error) {
    return s->device->k->allocate(s->device, tc_shape_count(s->out) * sizeof(int32_t), &s->saved[0], error);
}

static void max_forward(tc_step *s) {
    const tc_pool pool = describe(s);
    s->device->k->max_pool(s->device, &pool, s->x[0], s->y, s->saved[0]);
}

static void max_backward(tc_step *s) {
    const tc_pool pool = describe(s);
    if (s->dx[0]) s->device->k->max_pool_scatter(s->device, &pool, s->saved[0], s->dy, s->dx[0]);
}

static void max_forward_tangent(tc_step *s) {
    const tc_pool pool = describe(s);
    if (s->x_t[0])
        s->device->k->max_pool_gather(s->device, &pool, s->saved[0], s->x_t[0], s->y_t);
    else
        s->device->k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
}

static void max_backward_tangent(tc_step *s) {
    const tc_pool pool = describe(s);
    if (s->dx_t[0]) s->device->k->max_pool_scatter(s->device, &pool, s->saved[0], s->dy_t, s->dx_t[0]);
}

static void average_forward(tc_step *s) {
    const tc_pool pool = describe(s);
    s->device->k->average_pool(s->device, &pool, s->x[0], s->y);
}

static void average_backward(tc_step *s) {
    const tc_pool pool = describe(s);
    if (s->dx[0]) s->device->k->average_pool_backward(s->device, &pool, s->dy, s->dx[0]);
}

static void average_forward_tangent(tc_step *s) {
    const tc_pool pool = describe(s);
    if (s->x_t[0])
        s->device->k->average_pool(s->device, &pool, s->x_t[0], s->y_t);
    else
        s->device->k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
}

static void average_backward_tangent(tc_step *s) {
    const tc_pool pool = describe(s);
    if (s->dx_t[0]) s->device->k->average_pool_backward(s->device, &pool, s->dy_t, s->dx_t[0]);
}

const tc_layer_class tc_max_pool_layer = {
    .name = "max pool",
    .traits = TC_HALVES,
    .plan = plan_winners,
    .forward = max_forward,
    .backward = max_backward,
    .forward_tangent = max_forward_tangent,
    .backward_tangent = max_backward_tangent,
};

const tc_layer_class tc_average_pool_layer = {
    .name = "average pool",
    .traits = TC_HALVES,
    .forward = average_forward,
    .backward = average_backward,
    .forward_tangent = average_forward_tangent,
    .backward_tangent = average_backward_tangent,
};
