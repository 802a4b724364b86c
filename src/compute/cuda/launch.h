/* launch.h — the ways in which this backend runs over arrays:
 *
 *     each     element i of n, nothing shared between elements
 *     sums     Σ over n in double, in an order that the size alone decides
 *     launch   a kernel of its own, whose threads work together in blocks
 *
 * The first two take a lambda, so that a kernel reads as its formula:
 *
 *     tc_cuda_each(device, count, "fill", [=] __device__(size_t i) { y[i] = value; }); */
#ifndef TC_COMPUTE_CUDA_LAUNCH_H
#define TC_COMPUTE_CUDA_LAUNCH_H

#include "compute/cuda/cuda.h"

#ifndef TC_KERNEL_CALL /* elsewhere than in nvcc, who compiles says how a kernel is called */
#define TC_KERNEL_CALL(kernel, blocks, threads, stream, ...) kernel<<<(blocks), (threads), 0, (stream)>>>(__VA_ARGS__)
#endif

/* kernel<<<blocks, threads>>>(…) in the device's stream; a failure is remembered under the name `what`. */
#define TC_LAUNCH(device, what, kernel, blocks, threads, ...)                                                          \
    do {                                                                                                               \
        TC_KERNEL_CALL(kernel, blocks, threads, tc_cuda_state_of(device)->stream, __VA_ARGS__);                        \
        tc_cuda_went((device), cudaGetLastError(), (what));                                                            \
    } while (0)

enum { TC_WARP = 32, TC_THREADS = 256 };

/* So many blocks that the device is full several times over, and no more than there is work for. */
static inline unsigned tc_cuda_blocks(const tc_device *device, size_t threads) {
    const size_t wanted = (threads + TC_THREADS - 1) / TC_THREADS;
    const size_t most = (size_t)tc_cuda_state_of(device)->multiprocessors * 16;
    return (unsigned)(wanted < most ? wanted : most);
}

/* A lambda may keep small arrays. As a constant of the launch it is read where it lies; else every thread would begin
 * with a copy of its own, in memory. */
template <class F> static __global__ void tc_cuda_each_kernel(size_t count, const __grid_constant__ F f) {
    const size_t stride = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) f(i);
}

template <class F> static void tc_cuda_each(tc_device *device, size_t count, const char *what, F f) {
    if (count == 0) return;
    TC_LAUNCH(device, what, tc_cuda_each_kernel<F>, tc_cuda_blocks(device, count), TC_THREADS, count, f);
}

/* ---- within a block ---- */

template <class T> static inline __device__ T tc_cuda_warp_sum(T x) {
    for (int offset = TC_WARP / 2; offset > 0; offset /= 2) x += __shfl_down_sync(0xffffffffu, x, offset);
    return x; /* in lane 0 */
}

/* Σ of every thread's x, in thread 0; all threads of the block call it. blockDim.x is a multiple of TC_WARP. */
template <class T> static inline __device__ T tc_cuda_block_sum(T x) {
    __shared__ T of_warp[TC_WARP];
    const unsigned lane = threadIdx.x % TC_WARP, warp = threadIdx.x / TC_WARP, warps = blockDim.x / TC_WARP;
    __syncthreads(); /* whoever still reads the last call's */
    x = tc_cuda_warp_sum(x);
    if (lane == 0) of_warp[warp] = x;
    __syncthreads();
    if (warp == 0) x = tc_cuda_warp_sum(lane < warps ? of_warp[lane] : T(0));
    return x;
}

/* ---- over a whole array ---- */

/* Each block's part of N sums → partial [N][blocks] */
template <int N, class F>
static __global__ void tc_cuda_partial_kernel(size_t count, const __grid_constant__ F f, double *partial) {
    const size_t stride = (size_t)gridDim.x * blockDim.x;
    double sum[N] = {0};
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) f(i, sum);
    for (int n = 0; n < N; n++) {
        const double whole = tc_cuda_block_sum(sum[n]);
        if (threadIdx.x == 0) partial[(size_t)n * gridDim.x + blockIdx.x] = whole;
    }
}

template <int N, class T>
static __global__ void tc_cuda_total_kernel(int parts, const double *partial, const __grid_constant__ T tell) {
    double total[N];
    for (int n = 0; n < N; n++) {
        double sum = 0;
        for (int i = (int)threadIdx.x; i < parts; i += (int)blockDim.x) sum += partial[n * parts + i];
        total[n] = tc_cuda_block_sum(sum);
    }
    if (threadIdx.x == 0) tell(total);
}

/* N sums over i, to which f(i, sum [N]) adds; one thread is told them: tell(total [N]). How many parts there are does
 * not depend on the GPU, so neither does the result. */
template <int N, class F, class T>
static void tc_cuda_sums(tc_device *device, size_t count, const char *what, F f, T tell) {
    double *partial = tc_cuda_state_of(device)->partials;
    const size_t wanted = (count + TC_THREADS - 1) / TC_THREADS;
    const size_t most = TC_CUDA_PARTS / N;
    const int parts = (int)(wanted < 1 ? 1 : wanted < most ? wanted : most);
    const auto some = tc_cuda_partial_kernel<N, F>;
    const auto all = tc_cuda_total_kernel<N, T>;
    TC_LAUNCH(device, what, some, (unsigned)parts, TC_THREADS, count, f, partial);
    TC_LAUNCH(device, what, all, 1u, TC_THREADS, parts, (const double *)partial, tell);
}

#endif
