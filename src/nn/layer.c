#include "nn/layer.h"

tc_status tc_step_keep(tc_step *step, int slot, size_t reals, tc_error *error) {
    return tc_device_reals(step->device, reals, &step->saved[slot], error);
}

void tc_step_release_kept(tc_step *step) {
    for (size_t i = 0; i < sizeof step->saved / sizeof *step->saved; i++) {
        if (step->saved[i]) step->device->k->release(step->device, step->saved[i]);
        step->saved[i] = NULL;
    }
}

void tc_step_need(tc_step *step, size_t reals) {
    if (step->room < reals) step->room = reals;
}

enum { ALIGNED = 16, ALIGNED_BYTES = 64 }; /* reals, of at least 4 bytes */

static size_t image_reals(tc_shape s) {
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static size_t rounded(size_t reals) {
    return (reals + ALIGNED - 1) / ALIGNED * ALIGNED;
}

size_t tc_step_each_room(const tc_step *step) {
    return rounded(step->weights + step->biases) + rounded(image_reals(step->in[0])) + rounded(image_reals(step->out));
}

/* An image is copied where those before it leave it crooked. */
static const void *straight_image(const tc_step *step, tc_shape shape, const void *base, int i, void *room) {
    const void *image = tc_step_image(step, shape, base, i);
    if ((uintptr_t)image % ALIGNED_BYTES == 0) return image;
    step->device->k->copy(step->device, image_reals(shape), image, room);
    return room;
}

tc_each tc_step_each(const tc_step *step, int i) {
    void *x = tc_at(step->device, step->scratch, rounded(step->weights + step->biases));
    void *q = tc_at(step->device, x, rounded(image_reals(step->in[0])));
    return (tc_each){.x = straight_image(step, step->in[0], step->x[0], i, x),
                     .q = straight_image(step, step->out, tc_step_q(step), i, q),
                     .dw = step->scratch,
                     .db = step->layer->bias >= 0 ? tc_at(step->device, step->scratch, step->weights) : NULL};
}

/* A sum over positions, where the positions are all there is. */
void tc_step_square_rows(const tc_step *step, int n, size_t count, const void *x, void *squares) {
    step->device->k->scale_reduce(step->device, tc_nhwc(n, (int)count, 1, 1), x, x, squares, true);
}

void tc_step_add_inner(const tc_step *step, size_t count, const void *x, const void *y, void *square) {
    step->device->k->scale_reduce(step->device, tc_nhwc(1, (int)count, 1, 1), x, y, square, true);
}

static const void *gather(const tc_step *step, const tc_sum *dy, void *q) {
    const tc_kernels *k = step->device->k;
    if (step->masks) {
        k->activation_backward(step->device, TC_RELU, 0, step->out, NULL, step->y, *dy, q);
        return q;
    }
    if (dy->count == 1) return dy->term[0];
    k->add(step->device, step->out, *dy, q);
    return q;
}

const void *tc_step_gather(const tc_step *step) {
    return gather(step, &step->dy, step->q);
}

const void *tc_step_gather_tangent(const tc_step *step) {
    return gather(step, &step->dy_t, step->q_t);
}
