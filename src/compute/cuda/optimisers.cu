/* optimisers.cu — one step of stochastic gradient descent or of Adam on flat vectors, in place, by PyTorch's rules.
 *
 * What is new in a step is given, or lies on the device (pace): one kernel for both, so that the bits are the same. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/launch.h"

/* g := gradient + λθ;  v := m v + g;  θ −= η (g + m v with Nesterov, else v). Without momentum velocity may be NULL. */
void tc_cuda_sgd_step(tc_device *device, size_t count, const tc_sgd *sgd, const void *gradient, void *velocity,
                      void *theta) {
    const real given = (real)sgd->rate, momentum = (real)sgd->momentum, decay = (real)sgd->weight_decay;
    const tc_pace *pace = sgd->pace;
    const bool nesterov = sgd->nesterov;
    const real *g = (const real *)gradient;
    real *v = (real *)velocity, *t = (real *)theta;
    if (momentum == 0) {
        tc_cuda_each(device, count, "sgd_step", [=] __device__(size_t i) {
            const real rate = pace ? (real)pace->rate : given;
            t[i] -= rate * (g[i] + decay * t[i]);
        });
        return;
    }
    tc_cuda_each(device, count, "sgd_step", [=] __device__(size_t i) {
        const real rate = pace ? (real)pace->rate : given;
        /* the step along g, the step along the new v */
        const real along_g = nesterov ? rate : 0, along_v = nesterov ? rate * momentum : rate;
        const real direction = g[i] + decay * t[i], faster = momentum * v[i] + direction;
        v[i] = faster;
        t[i] -= along_g * direction + along_v * faster;
    });
}

/* m := β₁m + (1−β₁)g;  v := β₂v + (1−β₂)g²;  θ −= η m̂/(√v̂ + ε), the hats undoing the start at zero. Weight decay is
 * part of g, or, decoupled (AdamW), shrinks θ directly. */
void tc_cuda_adam_step(tc_device *device, size_t count, const tc_adam *adam, const void *gradient, void *m, void *v,
                       void *theta) {
    const real beta1 = (real)adam->beta1, beta2 = (real)adam->beta2, epsilon = (real)adam->epsilon;
    const real keep1 = (real)(1 - adam->beta1), keep2 = (real)(1 - adam->beta2);
    const real in_gradient = adam->decoupled ? 0 : (real)adam->weight_decay;
    const tc_pace given = adam->pace ? tc_pace() : tc_adam_pace(adam);
    const tc_pace *pace = adam->pace;
    const bool sign = adam->signed_gradient;
    const real *from = (const real *)gradient;
    real *first = (real *)m, *second = (real *)v, *t = (real *)theta;
    tc_cuda_each(device, count, "adam_step", [=] __device__(size_t i) {
        const real step = (real)(pace ? pace->along : given.along), unbias = (real)(pace ? pace->unbias : given.unbias);
        const real shrink = (real)(pace ? pace->shrink : given.shrink);
        const real raw = sign ? (real)((from[i] > 0) - (from[i] < 0)) : from[i];
        const real g = raw + in_gradient * t[i];
        const real mean = beta1 * first[i] + keep1 * g, square = beta2 * second[i] + keep2 * g * g;
        first[i] = mean;
        second[i] = square;
        t[i] = shrink * t[i] - step * mean / (sqrtf(square) * unbias + epsilon);
    });
}
