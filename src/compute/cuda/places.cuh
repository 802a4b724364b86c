/* places.cuh — where in a tensor element i lies, and neighbouring channels taken several at a time. */
#ifndef TC_COMPUTE_CUDA_PLACES_CUH
#define TC_COMPUTE_CUDA_PLACES_CUH

#include "compute/cuda/launch.h"

/* i mod `by`, and i := i / by; the coordinates of an element fall out one after the other, the fastest first. A
 * division in 64 bits costs tens of instructions, and next to no tensor needs one. */
static inline __device__ int tc_cuda_take(size_t *i, int by) {
    const size_t whole = *i;
    if (whole <= UINT32_MAX) {
        const uint32_t few = (uint32_t)whole, quotient = few / (uint32_t)by;
        *i = quotient;
        return (int)(few - quotient * (uint32_t)by);
    }
    *i = whole / (size_t)by;
    return (int)(whole - *i * (size_t)by);
}

/* N neighbouring elements, loaded and stored in one instruction. */
template <class T, int N> struct alignas(N * sizeof(T)) tc_cuda_pack { T at[N]; };

template <int N> static inline __device__ tc_cuda_pack<real, N> tc_cuda_pack_of(const tc_sum &sum, size_t i) {
    tc_cuda_pack<real, N> x = {};
    if (sum.count > 0) x = ((const tc_cuda_pack<real, N> *)sum.term[0])[i];
    for (int t = 1; t < sum.count; t++) {
        const tc_cuda_pack<real, N> y = ((const tc_cuda_pack<real, N> *)sum.term[t])[i];
        for (int k = 0; k < N; k++) x.at[k] += y.at[k];
    }
    return x;
}

enum { TC_PACK = 4 };

/* Whether an array may be read in packs. Whether its rows may is the caller's to know: their length is a multiple. */
static inline bool tc_cuda_packs(const void *x) {
    return (uintptr_t)x % (TC_PACK * sizeof(real)) == 0;
}

static inline bool tc_cuda_packs(const tc_sum &sum) {
    for (int t = 0; t < sum.count; t++)
        if (!tc_cuda_packs(sum.term[t])) return false;
    return true;
}

#endif
