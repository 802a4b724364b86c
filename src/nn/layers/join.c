/* join.c — layers with several inputs: sum, concatenation along the channels, and the channel-wise product of
 * squeeze-and-excitation blocks (Hu et al. 2018).
 *
 *     sum       z = a + b; the cotangent of both is z̄ itself (TC_PASSES_ON), added up first where it comes in several
 *               addends, so that they do not pile up along a chain of sums
 *     product   z = a·s;   ā = s·z̄, s̄ = Σ_hw a·z̄;   ż = ȧ·s + a·ṡ;   ā̇ = ṡ·z̄ + s·z̄̇, s̄̇ = Σ (ȧ·z̄ + a·z̄̇) */
#include "nn/layer.h"

static void add_forward(tc_step *s) {
    const tc_sum terms = {2, {s->x[0], s->x[1]}};
    s->device->k->add(s->device, s->out, terms, s->y);
}

static void add_forward_tangent(tc_step *s) {
    tc_sum terms = {.count = 0};
    for (int i = 0; i < 2; i++)
        if (s->x_t[i]) terms.term[terms.count++] = s->x_t[i];
    if (terms.count)
        s->device->k->add(s->device, s->out, terms, s->y_t);
    else
        s->device->k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
}

static void add_backward(tc_step *s) {
    tc_step_gather(s);
}

static void add_backward_tangent(tc_step *s) {
    tc_step_gather_tangent(s);
}

const tc_layer_class tc_add_layer = {
    .name = "sum",
    .traits = TC_PASSES_ON | TC_USES_Q | TC_HALVES,
    .forward = add_forward,
    .backward = add_backward,
    .forward_tangent = add_forward_tangent,
    .backward_tangent = add_backward_tangent,
};

static void concat_forward(tc_step *s) {
    for (int i = 0, at = 0; i < s->layer->inputs; at += s->in[i++].c)
        s->device->k->concat(s->device, s->in[i], s->out, at, s->x[i], s->y);
}

static void concat_forward_tangent(tc_step *s) {
    s->device->k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
    for (int i = 0, at = 0; i < s->layer->inputs; at += s->in[i++].c)
        if (s->x_t[i]) s->device->k->concat(s->device, s->in[i], s->out, at, s->x_t[i], s->y_t);
}

static void slices(tc_step *s, tc_sum dy, void *const *dx) {
    for (int i = 0, at = 0; i < s->layer->inputs; at += s->in[i++].c)
        if (dx[i]) s->device->k->slice(s->device, s->out, s->in[i], at, dy, dx[i]);
}

static void concat_backward(tc_step *s) {
    slices(s, s->dy, s->dx);
}

static void concat_backward_tangent(tc_step *s) {
    slices(s, s->dy_t, s->dx_t);
}

const tc_layer_class tc_concat_layer = {
    .name = "concatenation",
    .traits = TC_HALVES,
    .forward = concat_forward,
    .backward = concat_backward,
    .forward_tangent = concat_forward_tangent,
    .backward_tangent = concat_backward_tangent,
};

static void scale_forward(tc_step *s) {
    s->device->k->scale(s->device, s->out, s->x[0], s->x[1], s->y, false);
}

static void scale_forward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
    if (s->x_t[0]) k->scale(s->device, s->out, s->x_t[0], s->x[1], s->y_t, true);
    if (s->x_t[1]) k->scale(s->device, s->out, s->x[0], s->x_t[1], s->y_t, true);
}

static void scale_backward(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_gather(s);
    if (s->dx[0]) k->scale(s->device, s->out, q, s->x[1], s->dx[0], false);
    if (s->dx[1]) k->scale_reduce(s->device, s->out, s->x[0], q, s->dx[1], false);
}

static void scale_backward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_q(s);
    const void *q_t = tc_step_gather_tangent(s);
    if (s->dx_t[0]) {
        k->scale(s->device, s->out, q_t, s->x[1], s->dx_t[0], false);
        if (s->x_t[1]) k->scale(s->device, s->out, q, s->x_t[1], s->dx_t[0], true);
    }
    if (s->dx_t[1]) {
        k->scale_reduce(s->device, s->out, s->x[0], q_t, s->dx_t[1], false);
        if (s->x_t[0]) k->scale_reduce(s->device, s->out, s->x_t[0], q, s->dx_t[1], true);
    }
}

const tc_layer_class tc_scale_layer = {
    .name = "channel-wise product",
    .traits = TC_READS_X | TC_USES_Q | TC_HALVES,
    .forward = scale_forward,
    .backward = scale_backward,
    .forward_tangent = scale_forward_tangent,
    .backward_tangent = scale_backward_tangent,
};
