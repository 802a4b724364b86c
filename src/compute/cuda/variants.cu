/* variants.cu — what steps do on the device by themselves that the host would else have to look at a number for: the
 * variants of training (train/variant.h), and matching gradients (attack/parts/matching.h). */
#include "compute/cuda/kernels.h"
#include "compute/cuda/launch.h"
#include "compute/cuda/random.cuh"

void tc_cuda_uniform_paced(tc_device *device, size_t count, const tc_pace *pace, const char *purpose, double low,
                           double high, void *y) {
    const uint64_t name = tc_cuda_name(purpose);
    real *to = (real *)y;
    tc_cuda_each(device, count, "uniform_paced", [=] __device__(size_t i) {
        to[i] = (real)(low + (high - low) * tc_cuda_uniform_at(tc_cuda_child(pace->variant, name, 0), i));
    });
}

/* ---- along directions whose length only the device knows: one thread makes the factors of the sums, and leaves them
 * where those were ---- */

static double *dot_on_device(tc_device *device, const char *what, size_t count, const real *x, const real *y,
                             int which) {
    double *at = tc_cuda_state_of(device)->partials + TC_CUDA_PARTS + which;
    tc_cuda_total(
        device, count, what, [=] __device__(size_t i) { return (double)x[i] * (double)y[i]; }, at);
    return at;
}

void tc_cuda_ascend(tc_device *device, size_t count, double rho, const void *g, const void *x, void *y) {
    const real *slope = (const real *)g, *from = (const real *)x;
    real *to = (real *)y;
    double *factor = dot_on_device(device, "ascend", count, slope, slope, 0);
    tc_cuda_each(device, 1, "ascend", [=] __device__(size_t) {
        const double norm = sqrt(*factor);
        *factor = norm == 0 ? 0 : rho / norm;
    });
    tc_cuda_each(device, count, "ascend", [=] __device__(size_t i) { to[i] = from[i] + (real)*factor * slope[i]; });
}

void tc_cuda_cosine(tc_device *device, size_t count, double norm, const void *t, const void *g, void *u, double *phi) {
    const real *target = (const real *)t, *own = (const real *)g;
    real *to = (real *)u;
    double *along_t = dot_on_device(device, "cosine", count, target, own, 0);
    double *along_g = dot_on_device(device, "cosine", count, own, own, 1);
    tc_cuda_each(device, 1, "cosine", [=] __device__(size_t) {
        const double dot = *along_t, size = sqrt(*along_g), both = norm * size;
        const bool vanished = !(norm > 0) || !(size > 0);
        *phi += vanished ? 1 : 1 - dot / both;
        *along_t = vanished ? 0 : -1 / both;
        *along_g = vanished ? 0 : dot / (both * size * size);
    });
    if (u)
        tc_cuda_each(device, count, "cosine",
                     [=] __device__(size_t i) { to[i] = (real)*along_t * target[i] + (real)*along_g * own[i]; });
}

/* A thread for each number of the targets. */
void tc_cuda_blend_labels(tc_device *device, int n, int classes, const tc_target *target, int32_t *labels, void *soft) {
    const size_t width = (size_t)classes;
    real *to = (real *)soft;
    tc_cuda_each(device, (size_t)n * width, "blend_labels", [=] __device__(size_t i) {
        const tc_target t = target[i / width];
        const int c = (int)(i % width);
        to[i] = (c == t.label[0] ? t.share[0] : 0) + (c == t.label[1] ? t.share[1] : 0);
        if (c == 0) labels[i / width] = t.label[0];
    });
}
