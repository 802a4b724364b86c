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
