#include "attack/parts/unroll.h"

#include <stdlib.h>

tc_status tc_unroll_create(tc_device *device, const tc_model *model, tc_pass *pass, int batch, int steps, tc_unroll *u,
                           tc_error *error) {
    tc_status status = TC_OK;
    const size_t p = tc_model_parameters(model);
    *u = (tc_unroll){.device = device, .pass = pass, .steps = steps, .parameters = p};
    TC_TRY(tc_new(&u->theta, (size_t)steps + 1, sizeof *u->theta, error));
    for (int i = 0; i <= steps; i++) TC_TRY(tc_device_reals(device, p, &u->theta[i], error));
    TC_TRY(tc_device_reals(device, p, &u->g, error));
    TC_TRY(tc_device_reals(device, p, &u->adjoint, error));
    TC_TRY(tc_device_reals(device, (size_t)batch * tc_shape_count(tc_model_input(model)), &u->dx, error));
done:
    if (status != TC_OK) tc_unroll_free(u);
    return status;
}

void tc_unroll_free(tc_unroll *u) {
    void *const memory[] = {u->g, u->adjoint, u->dx};
    for (int i = 0; i < 3; i++)
        if (memory[i]) u->device->k->release(u->device, memory[i]);
    for (int i = 0; u->theta && i <= u->steps; i++)
        if (u->theta[i]) u->device->k->release(u->device, u->theta[i]);
    free(u->theta);
    *u = (tc_unroll){0};
}

/* g := ∇_θ L(θ_k, x_k); NULL where only what the pass keeps for grad_jvp is wanted. */
static void train(tc_unroll *u, const tc_feed *feed, int k, void *g) {
    feed->load(feed->context, k, u->pass);
    tc_pass_grad_async(u->pass, u->theta[k], NULL, g, NULL);
    u->gradients++;
}

double tc_unroll_forward(tc_unroll *u, double rate, const tc_feed *feed, tc_objective *q, tc_sharpness *sharpness) {
    const tc_kernels *kernels = u->device->k;
    for (int k = 0; k < u->steps; k++) {
        train(u, feed, k, u->g);
        kernels->copy(u->device, u->parameters, u->theta[k], u->theta[k + 1]);
        kernels->axpby(u->device, u->parameters, -rate, u->g, 1, u->theta[k + 1]);
    }
    return tc_sharpness_gradient(sharpness, q, u->theta[u->steps], u->adjoint);
}

double tc_unroll_gradient(tc_unroll *u, double rate, const tc_feed *feed, tc_objective *q, tc_sharpness *sharpness) {
    const tc_kernels *kernels = u->device->k;
    const double value = tc_unroll_forward(u, rate, feed, q, sharpness);
    for (int k = u->steps - 1; k >= 0; k--) {
        if (k < u->steps - 1) train(u, feed, k, NULL);
        tc_pass_grad_jvp(u->pass, u->adjoint, NULL, k ? u->g : NULL, u->dx);
        u->jvps++;
        feed->gradient(feed->context, k, -rate, u->dx);
        if (k) kernels->axpby(u->device, u->parameters, -rate, u->g, 1, u->adjoint);
    }
    return value;
}
