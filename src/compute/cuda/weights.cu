/* weights.cu — what happens around cuDNN's convolutions: parameters from the flat vector's order (output, input, row,
 * column) into the one that goes with NHWC (output, row, column, input) and back, and activations from one kind of
 * number into another, together with the ends that cuDNN does not take over. */
#include "compute/cuda/convolution.h"
#include "compute/cuda/stored.cuh"

/* Where element i of [outs][taps][ins] lies in [outs][ins][taps]. */
static inline __device__ size_t in_flat(size_t i, size_t ins, size_t taps) {
    const size_t in = i % ins, tap = i / ins % taps, out = i / ins / taps;
    return (out * ins + in) * taps + tap;
}

template <class T> static void pack(tc_device *device, size_t outs, size_t ins, size_t taps, const real *from, T *to) {
    tc_cuda_each(device, outs * ins * taps, "packing weights",
                 [=] __device__(size_t i) { tc_cuda_keep(to + i, from[in_flat(i, ins, taps)]); });
}

void tc_cuda_weights_pack(tc_device *device, int outs, int ins, int taps, const void *from, int type, void *to) {
    if (type == TC_CUDA_BF16)
        pack(device, (size_t)outs, (size_t)ins, (size_t)taps, (const real *)from, (tc_cuda_bf16 *)to);
    else
        pack(device, (size_t)outs, (size_t)ins, (size_t)taps, (const real *)from, (real *)to);
}

template <class T>
static void unpack(tc_device *device, size_t outs, size_t ins, size_t taps, const T *from, real *to, bool accumulate) {
    tc_cuda_each(device, outs * ins * taps, "unpacking weights", [=] __device__(size_t i) {
        const size_t at = in_flat(i, ins, taps);
        to[at] = (accumulate ? to[at] : 0) + tc_cuda_real(from[i]);
    });
}

void tc_cuda_weights_unpack(tc_device *device, int outs, int ins, int taps, int type, const void *from, void *to,
                            bool accumulate) {
    if (type == TC_CUDA_BF16)
        unpack(device, (size_t)outs, (size_t)ins, (size_t)taps, (const tc_cuda_bf16 *)from, (real *)to, accumulate);
    else
        unpack(device, (size_t)outs, (size_t)ins, (size_t)taps, (const real *)from, (real *)to, accumulate);
}

/* ---- activations ---- */

template <class I, class O, int N> static void finish(tc_device *device, const tc_cuda_finish &f) {
    const tc_cuda_pack<I, N> *from = (const tc_cuda_pack<I, N> *)f.from;
    tc_cuda_pack<O, N> *to = (tc_cuda_pack<O, N> *)f.to;
    const real *bias = (const real *)f.bias;
    const int channels = f.channels;
    const bool relu = f.relu, accumulate = f.accumulate;
    tc_cuda_each(device, f.count / N, "the end of a convolution", [=] __device__(size_t i) {
        tc_cuda_pack<real, N> sum = tc_cuda_reals(from[i]);
        if (bias) {
            size_t at = i * N;
            const int c = tc_cuda_take(&at, channels);
            for (int k = 0; k < N; k++) sum.at[k] += bias[c + k];
        }
        if (accumulate) {
            const tc_cuda_pack<real, N> before = tc_cuda_reals(to[i]);
            for (int k = 0; k < N; k++) sum.at[k] += before.at[k];
        }
        for (int k = 0; relu && k < N; k++) sum.at[k] = sum.at[k] < 0 ? 0 : sum.at[k]; /* NaN stays NaN */
        tc_cuda_keep(to + i, sum);
    });
}

template <class I, class O> static void finish_as(tc_device *device, const tc_cuda_finish &f) {
    const bool fours = f.count % TC_PACK == 0 && (!f.bias || f.channels % TC_PACK == 0) && tc_cuda_packs<I>(f.from) &&
                       tc_cuda_packs<O>(f.to);
    (fours ? finish<I, O, TC_PACK> : finish<I, O, 1>)(device, f);
}

void tc_cuda_conv_finish(tc_device *device, const tc_cuda_finish *f) {
    static void (*const by[TC_CUDA_TYPES][TC_CUDA_TYPES])(tc_device *, const tc_cuda_finish &) = {
        {finish_as<real, real>, finish_as<real, tc_cuda_bf16>},
        {finish_as<tc_cuda_bf16, real>, finish_as<tc_cuda_bf16, tc_cuda_bf16>}};
    by[f->from_type][f->to_type](device, *f);
}
