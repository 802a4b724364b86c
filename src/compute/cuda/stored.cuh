/* stored.cuh — activations as they lie in memory: reals, or bf16 where a shape says half (compute/shape.h). Kernels
 * compute in reals; what they touch has a type T, real or tc_cuda_bf16, and comes and goes through the functions
 * here. */
#ifndef TC_COMPUTE_CUDA_STORED_CUH
#define TC_COMPUTE_CUDA_STORED_CUH

#include "compute/cuda/places.cuh"

#include <string.h>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#endif

struct tc_cuda_bf16 {
    uint16_t bits;
};

static inline __device__ real tc_cuda_real(real x) {
    return x;
}

static inline __device__ real tc_cuda_real(tc_cuda_bf16 x) {
    const uint32_t word = (uint32_t)x.bits << 16;
    real y;
    memcpy(&y, &word, sizeof y);
    return y;
}

static inline __device__ void tc_cuda_keep(real *to, real x) {
    *to = x;
}

/* To nearest, ties to even; NaN stays NaN. An instruction from capability 8.0 on. */
static inline __device__ void tc_cuda_keep(tc_cuda_bf16 *to, real x) {
#ifdef __CUDACC__
    to->bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
#else
    uint32_t word;
    memcpy(&word, &x, sizeof word);
    to->bits = isnan(x) ? (uint16_t)(word >> 16 | 0x40u) : (uint16_t)((word + 0x7fffu + (word >> 16 & 1u)) >> 16);
#endif
}

/* x as it will be found again. */
template <class T> static inline __device__ real tc_cuda_kept(real x) {
    T kept;
    tc_cuda_keep(&kept, x);
    return tc_cuda_real(kept);
}

/* ---- packs of N neighbours ---- */

template <class T, int N> static inline __device__ tc_cuda_pack<real, N> tc_cuda_reals(const tc_cuda_pack<T, N> &kept) {
    tc_cuda_pack<real, N> x;
    for (int k = 0; k < N; k++) x.at[k] = tc_cuda_real(kept.at[k]);
    return x;
}

template <class T, int N>
static inline __device__ void tc_cuda_keep(tc_cuda_pack<T, N> *to, const tc_cuda_pack<real, N> &x) {
    tc_cuda_pack<T, N> kept;
    for (int k = 0; k < N; k++) tc_cuda_keep(&kept.at[k], x.at[k]);
    *to = kept;
}

/* Pack i of a tensor that is the sum of its addends. */
template <class T, int N> static inline __device__ tc_cuda_pack<real, N> tc_cuda_pack_of(const tc_sum &sum, size_t i) {
    tc_cuda_pack<real, N> x = {};
    if (sum.count > 0) x = tc_cuda_reals(((const tc_cuda_pack<T, N> *)sum.term[0])[i]);
    for (int t = 1; t < sum.count; t++) {
        const tc_cuda_pack<real, N> y = tc_cuda_reals(((const tc_cuda_pack<T, N> *)sum.term[t])[i]);
        for (int k = 0; k < N; k++) x.at[k] += y.at[k];
    }
    return x;
}

/* Whether an array of T may be read in packs. Whether its rows may is the caller's to know: their length is a
 * multiple. */
template <class T> static inline bool tc_cuda_packs(const void *x) {
    return (uintptr_t)x % (TC_PACK * sizeof(T)) == 0;
}

template <class T> static inline bool tc_cuda_packs(const tc_sum &sum) {
    for (int t = 0; t < sum.count; t++)
        if (!tc_cuda_packs<T>(sum.term[t])) return false;
    return true;
}

#endif
