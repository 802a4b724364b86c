/* tokens.c — from an image's patches to a transformer's tokens and back.
 *
 *     tokens        y = [class token; patches] + positions    [n][1 + h·w][1][c]
 *     first token   y = x's first token                       [n][1][1][c]
 *
 * An image's tokens are one row of 1 + h·w times c numbers, and so both are concatenation and slicing of rows. Both are
 * linear: the cotangents of the positions are sums over images, and the class token's is that of the first position. */
#include "nn/layer.h"

/* The tokens of an image as one row. */
static tc_shape as_row(tc_shape s) {
    return tc_nhwc(s.n, 1, 1, s.h * s.w * s.c);
}

enum { ADDED }; /* what every image gets: positions, and the class token */

static tc_status plan(tc_step *s, tc_error *error) {
    return tc_step_keep(s, ADDED, (size_t)as_row(s->out).c, error);
}

/* y := the patches behind an empty token, plus class token and positions of θ or a direction. */
static void apply(tc_step *s, const void *patches, const void *theta, void *y) {
    const tc_kernels *k = s->device->k;
    const tc_shape row = as_row(s->out);
    k->fill(s->device, tc_shape_count(row), 0, y);
    if (patches) k->concat(s->device, as_row(s->in[0]), row, s->out.c, patches, y);
    if (!theta) return;
    k->copy(s->device, (size_t)row.c, tc_at(s->device, theta, s->bias), s->saved[ADDED]);
    k->axpby(s->device, (size_t)s->out.c, 1, tc_at(s->device, theta, s->weight), 1, s->saved[ADDED]);
    k->channel_add(s->device, row, s->saved[ADDED], y);
}

static void sums(tc_step *s, const void *q, void *g) {
    const tc_kernels *k = s->device->k;
    const tc_shape row = as_row(s->out);
    void *positions = tc_at(s->device, g, s->bias);
    k->column_sums(s->device, row.n, row.c, q, positions, false);
    k->copy(s->device, (size_t)s->out.c, positions, tc_at(s->device, g, s->weight));
}

static void back(tc_step *s, const void *q, void *g, void *dx) {
    if (g) sums(s, q, g);
    if (dx) s->device->k->slice(s->device, as_row(s->out), as_row(s->in[0]), s->out.c, tc_one(q), dx);
}

static void tokens_forward(tc_step *s) {
    apply(s, s->x[0], s->theta, s->y);
}

static void tokens_backward(tc_step *s) {
    back(s, tc_step_gather(s), s->g, s->dx[0]);
}

static void tokens_forward_tangent(tc_step *s) {
    apply(s, s->x_t[0], s->theta_t, s->y_t);
}

static void tokens_backward_tangent(tc_step *s) {
    back(s, tc_step_gather_tangent(s), s->g_t, s->dx_t[0]);
}

/* An image's gradient by the positions is its cotangent, by the class token that of the first position. */
static void tokens_squares(tc_step *s, void *to) {
    const tc_shape row = as_row(s->out), first = tc_nhwc(s->out.n, 1, 1, s->out.c);
    const void *q = tc_step_q(s);
    tc_step_square_rows(s, row.n, (size_t)row.c, q, to);
    s->device->k->slice(s->device, row, first, 0, tc_one(q), s->scratch);
    tc_step_square_rows(s, first.n, (size_t)first.c, s->scratch, to);
}

const tc_layer_class tc_tokens_layer = {
    .name = "class token and positions",
    .traits = TC_USES_Q | TC_WHOLE_ROWS,
    .plan = plan,
    .forward = tokens_forward,
    .backward = tokens_backward,
    .forward_tangent = tokens_forward_tangent,
    .backward_tangent = tokens_backward_tangent,
    .squares = tokens_squares,
};

static void take(tc_step *s, const void *x, void *y) {
    if (x)
        s->device->k->slice(s->device, as_row(s->in[0]), s->out, 0, tc_one(x), y);
    else
        s->device->k->fill(s->device, tc_shape_count(s->out), 0, y);
}

static void put(tc_step *s, const void *q, void *dx) {
    if (!dx) return;
    s->device->k->fill(s->device, tc_shape_count(s->in[0]), 0, dx);
    s->device->k->concat(s->device, s->out, as_row(s->in[0]), 0, q, dx);
}

static void first_forward(tc_step *s) {
    take(s, s->x[0], s->y);
}

static void first_backward(tc_step *s) {
    put(s, tc_step_gather(s), s->dx[0]);
}

static void first_forward_tangent(tc_step *s) {
    take(s, s->x_t[0], s->y_t);
}

static void first_backward_tangent(tc_step *s) {
    put(s, tc_step_gather_tangent(s), s->dx_t[0]);
}

const tc_layer_class tc_first_token_layer = {
    .name = "first token",
    .traits = TC_USES_Q | TC_WHOLE_ROWS,
    .forward = first_forward,
    .backward = first_backward,
    .forward_tangent = first_forward_tangent,
    .backward_tangent = first_backward_tangent,
};
