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

/* ---- along directions whose length only the device knows: who is told the sums makes the factors of them ---- */

void tc_cuda_ascend(tc_device *device, size_t count, double rho, const void *g, const void *x, void *y) {
    const real *slope = (const real *)g, *from = (const real *)x;
    real *to = (real *)y;
    double *factor = tc_cuda_state_of(device)->partials + TC_CUDA_PARTS;
    tc_cuda_sums<1>(
        device, count, "ascend",
        [=] __device__(size_t i, double(&sum)[1]) { sum[0] += (double)slope[i] * (double)slope[i]; },
        [=] __device__(const double(&square)[1]) { *factor = square[0] == 0 ? 0 : rho / sqrt(square[0]); });
    tc_cuda_each(device, count, "ascend", [=] __device__(size_t i) { to[i] = from[i] + (real)*factor * slope[i]; });
}

/* The sums are ⟨t, g⟩ and ‖g‖², the factors those of t and g in u. */
void tc_cuda_cosine(tc_device *device, size_t count, double norm, const void *t, const void *g, void *u, double *phi) {
    const real *target = (const real *)t, *own = (const real *)g;
    real *to = (real *)u;
    double *along_t = tc_cuda_state_of(device)->partials + TC_CUDA_PARTS, *along_g = along_t + 1;
    tc_cuda_sums<2>(
        device, count, "cosine",
        [=] __device__(size_t i, double(&sum)[2]) {
            sum[0] += (double)target[i] * (double)own[i];
            sum[1] += (double)own[i] * (double)own[i];
        },
        [=] __device__(const double(&sum)[2]) {
            const double dot = sum[0], size = sqrt(sum[1]), both = norm * size;
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
