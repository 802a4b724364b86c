/* weights.cu — what happens around cuDNN's convolutions: parameters from the flat vector's order (output, input, row,
 * column) into the one that goes with NHWC (output, row, column, input) and back, operands to bf16, and the ends that
 * cuDNN does not take over. */
#include "compute/cuda/convolution.h"
#include "compute/cuda/launch.h"

#include <string.h>

/* To nearest, ties to even; NaN stays NaN. */
static inline __device__ uint16_t bf16_of(float x) {
    uint32_t word;
    memcpy(&word, &x, sizeof word);
    if ((word & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(word >> 16 | 0x40u);
    return (uint16_t)((word + 0x7fffu + (word >> 16 & 1u)) >> 16);
}

static inline __device__ float float_of(uint16_t x) {
    const uint32_t word = (uint32_t)x << 16;
    float y;
    memcpy(&y, &word, sizeof y);
    return y;
}

static inline __device__ float float_of(float x) {
    return x;
}

static inline __device__ void store(uint16_t *to, float x) {
    *to = bf16_of(x);
}

static inline __device__ void store(float *to, float x) {
    *to = x;
}

/* Where element i of [outs][taps][ins] lies in [outs][ins][taps]. */
static inline __device__ size_t in_flat(size_t i, size_t ins, size_t taps) {
    const size_t in = i % ins, tap = i / ins % taps, out = i / ins / taps;
    return (out * ins + in) * taps + tap;
}

template <class T> static void pack(tc_device *device, size_t outs, size_t ins, size_t taps, const real *from, T *to) {
    tc_cuda_each(device, outs * ins * taps, "packing weights",
                 [=] __device__(size_t i) { store(to + i, from[in_flat(i, ins, taps)]); });
}

void tc_cuda_weights_pack(tc_device *device, int outs, int ins, int taps, const void *from, int type, void *to) {
    if (type == TC_CUDA_BF16)
        pack(device, (size_t)outs, (size_t)ins, (size_t)taps, (const real *)from, (uint16_t *)to);
    else
        pack(device, (size_t)outs, (size_t)ins, (size_t)taps, (const real *)from, (real *)to);
}

template <class T>
static void unpack(tc_device *device, size_t outs, size_t ins, size_t taps, const T *from, real *to, bool accumulate) {
    tc_cuda_each(device, outs * ins * taps, "unpacking weights", [=] __device__(size_t i) {
        const size_t at = in_flat(i, ins, taps);
        to[at] = (accumulate ? to[at] : 0) + float_of(from[i]);
    });
}

void tc_cuda_weights_unpack(tc_device *device, int outs, int ins, int taps, int type, const void *from, void *to,
                            bool accumulate) {
    if (type == TC_CUDA_BF16)
        unpack(device, (size_t)outs, (size_t)ins, (size_t)taps, (const uint16_t *)from, (real *)to, accumulate);
    else
        unpack(device, (size_t)outs, (size_t)ins, (size_t)taps, (const real *)from, (real *)to, accumulate);
}

void tc_cuda_round(tc_device *device, size_t count, const void *from, void *to) {
    const real *x = (const real *)from;
    uint16_t *y = (uint16_t *)to;
    tc_cuda_each(device, count, "rounding to bf16", [=] __device__(size_t i) { y[i] = bf16_of(x[i]); });
}

template <class T>
static void finish(tc_device *device, size_t count, size_t channels, const T *from, const real *bias, bool relu,
                   bool accumulate, real *to) {
    tc_cuda_each(device, count, "the end of a convolution", [=] __device__(size_t i) {
        real sum = float_of(from[i]);
        if (bias) sum += bias[i % channels];
        if (accumulate) sum += to[i];
        to[i] = relu && sum < 0 ? 0 : sum; /* NaN stays NaN */
    });
}

void tc_cuda_conv_finish(tc_device *device, size_t count, int channels, int type, const void *from, const void *bias,
                         bool relu, bool accumulate, void *to) {
    if (type == TC_CUDA_BF16)
        finish(device, count, (size_t)channels, (const uint16_t *)from, (const real *)bias, relu, accumulate,
               (real *)to);
    else
        finish(device, count, (size_t)channels, (const real *)from, (const real *)bias, relu, accumulate, (real *)to);
}
