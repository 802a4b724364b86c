/* windows.cuh — which inputs a convolution's window lies on, and which windows lie on an input; for the kernels of our
 * own. G has `stride` and `padding`. */
#ifndef TC_COMPUTE_CUDA_WINDOWS_CUH
#define TC_COMPUTE_CUDA_WINDOWS_CUH

#include "compute/cuda/convolution.h"
#include "compute/cuda/stored.cuh"

/* Input row or column under place k of the window of output `at`; −1 outside. */
template <class G> static inline __device__ int tc_cuda_under(const G &g, unsigned at, int k, unsigned size) {
    const int x = (int)at * g.stride + k - g.padding;
    return x < (int)size ? x : -1; /* what is negative is outside already */
}

/* Output row or column whose window has input `at` at place k; −1 for none. */
template <class G> static inline __device__ int tc_cuda_over(const G &g, unsigned at, int k, unsigned size) {
    const int shifted = (int)at + g.padding - k;
    return shifted >= 0 && shifted % g.stride == 0 && shifted / g.stride < (int)size ? shifted / g.stride : -1;
}

#endif
