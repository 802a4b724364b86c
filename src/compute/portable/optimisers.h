/* optimisers.h — one step of stochastic gradient descent or of Adam on flat vectors, in place; the update rules are
 * PyTorch's, so that learning rates and decays found there mean the same here. */
#ifndef TC_COMPUTE_PORTABLE_OPTIMISERS_H
#define TC_COMPUTE_PORTABLE_OPTIMISERS_H

#include "compute/portable/blocks.h"

/* g := gradient + λθ;  v := m v + g;  θ −= η (g + m v with Nesterov, else v). Without momentum velocity may be NULL. */
static void portable_sgd_step(tc_device *device, size_t count, const tc_sgd *sgd, const void *gradient, void *velocity,
                              void *theta) {
    const real rate = (real)(sgd->pace ? sgd->pace->rate : sgd->rate);
    const real momentum = (real)sgd->momentum, decay = (real)sgd->weight_decay;
    const real *g = gradient;
    real *v = velocity, *t = theta;
    if (momentum == 0) {
        PORTABLE_PARALLEL_SIMD(count)
        for (size_t i = 0; i < count; i++) t[i] -= rate * (g[i] + decay * t[i]);
        return;
    }
    /* the step along g, the step along the new v */
    const real along_g = sgd->nesterov ? rate : 0, along_v = sgd->nesterov ? rate * momentum : rate;
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) {
        const real direction = g[i] + decay * t[i];
        v[i] = momentum * v[i] + direction;
        t[i] -= along_g * direction + along_v * v[i];
    }
}

/* m := β₁m + (1−β₁)g;  v := β₂v + (1−β₂)g²;  θ −= η m̂/(√v̂ + ε), the hats undoing the start at zero. Weight decay is
 * part of g, or, decoupled (AdamW), shrinks θ directly. */
static void portable_adam_step(tc_device *device, size_t count, const tc_adam *adam, const void *gradient, void *m,
                               void *v, void *theta) {
    const real beta1 = (real)adam->beta1, beta2 = (real)adam->beta2, epsilon = (real)adam->epsilon;
    const real keep1 = (real)(1 - adam->beta1), keep2 = (real)(1 - adam->beta2);
    const tc_pace pace = adam->pace ? *adam->pace : tc_adam_pace(adam);
    const real step = (real)pace.along, unbias = (real)pace.unbias, shrink = (real)pace.shrink;
    const real in_gradient = adam->decoupled ? 0 : (real)adam->weight_decay;
    const bool sign = adam->signed_gradient;
    const real *from = gradient;
    real *first = m, *second = v, *t = theta;
    PORTABLE_PARALLEL(count)
    for (size_t i = 0; i < count; i++) {
        const real raw = sign ? (real)((from[i] > 0) - (from[i] < 0)) : from[i];
        const real g = raw + in_gradient * t[i];
        first[i] = beta1 * first[i] + keep1 * g;
        second[i] = beta2 * second[i] + keep2 * g * g;
        t[i] = shrink * t[i] - step * first[i] / ((real)sqrt(second[i]) * unbias + epsilon);
    }
}

#define TC_PORTABLE_OPTIMISERS .sgd_step = portable_sgd_step, .adam_step = portable_adam_step

#endif
