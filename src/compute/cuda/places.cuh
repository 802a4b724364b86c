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

enum { TC_PACK = 4 };

#endif
