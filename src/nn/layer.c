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

/* A sum over positions, where the positions are all there is. */
void tc_step_square_rows(const tc_step *step, int n, size_t count, const void *x, void *squares) {
    step->device->k->scale_reduce(step->device, tc_nhwc(n, (int)count, 1, 1), x, x, squares, true);
}

void tc_step_add_inner(const tc_step *step, size_t count, const void *x, const void *y, void *square) {
    step->device->k->scale_reduce(step->device, tc_nhwc(1, (int)count, 1, 1), x, y, square, true);
}

static const void *gather(const tc_step *step, const tc_sum *dy, void *q) {
    const tc_kernels *k = step->device->k;
    const size_t count = tc_shape_count(step->out);
    if (step->masks) {
        k->activation_backward(step->device, TC_RELU, 0, count, NULL, step->y, *dy, q);
        return q;
    }
    if (dy->count == 1) return dy->term[0];
    k->add(step->device, count, *dy, q);
    return q;
}

const void *tc_step_gather(const tc_step *step) {
    return gather(step, &step->dy, step->q);
}

const void *tc_step_gather_tangent(const tc_step *step) {
    return gather(step, &step->dy_t, step->q_t);
}
