/* cuda_runtime.h — as much of CUDA's runtime as the backend uses, on a processor (README.md here). Names, types and
 * meanings are CUDA's; C sees the host's part, C++ also what kernels are written in. */
#ifndef TC_EMULATOR_CUDA_RUNTIME_H
#define TC_EMULATOR_CUDA_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#define CUDART_VERSION 13000

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInitializationError = 3,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorLaunchFailure = 719,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorUnknown = 999,
} cudaError_t;

typedef enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault,
} cudaMemcpyKind;

typedef enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal,
    cudaStreamCaptureModeThreadLocal,
    cudaStreamCaptureModeRelaxed,
} cudaStreamCaptureMode;

typedef struct tc_emulated_stream *cudaStream_t;
typedef struct tc_emulated_graph *cudaGraph_t;
typedef struct tc_emulated_graph *cudaGraphExec_t;
typedef struct tc_emulated_event *cudaEvent_t;
#define cudaStreamNonBlocking  1u
#define cudaEventBlockingSync  1u
#define cudaEventDisableTiming 2u

typedef struct tc_emulated_pool *cudaMemPool_t;
typedef enum cudaDeviceAttr { cudaDevAttrMemoryPoolsSupported = 115 } cudaDeviceAttr;
typedef enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 } cudaMemPoolAttr;

struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem;
    int major, minor, multiProcessorCount;
};

cudaError_t cudaGetDeviceCount(int *count); /* as many as TOCSIN_EMULATED_GPUS says, else 1 */
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaMemGetInfo(size_t *left, size_t *total);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t error);

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaMalloc(void **memory, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMallocAsync(void **memory, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value); /* keeps all anyway */
cudaError_t cudaMallocHost(void **memory, size_t bytes);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *ready, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t ready, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t ready);

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaEventDestroy(cudaEvent_t event);

#ifdef __cplusplus
}

/* ---- what kernels are written in ---- */

#include <functional>
#include <math.h>
#include <tuple>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__      static /* one block at a time, in one thread */
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

void __syncthreads();
void __syncwarp(unsigned mask = 0xffffffffu);

/* The warp's values change hands as bytes of at most eight. */
void tc_emulator_exchange(void *mine, size_t size, int lane);

template <class T> T __shfl_sync(unsigned, T x, int lane) {
    tc_emulator_exchange(&x, sizeof x, lane & 31);
    return x;
}

template <class T> T __shfl_down_sync(unsigned, T x, unsigned by) {
    const int lane = (int)(threadIdx.x % 32 + by);
    tc_emulator_exchange(&x, sizeof x, lane < 32 ? lane : (int)(threadIdx.x % 32));
    return x;
}

template <class T> T __shfl_xor_sync(unsigned, T x, int with) {
    tc_emulator_exchange(&x, sizeof x, (int)(threadIdx.x % 32) ^ with);
    return x;
}

inline double __dadd_rn(double a, double b) {
    return a + b;
}

inline double __dmul_rn(double a, double b) {
    return a * b;
}

template <class T> T __ldg(const T *from) {
    return *from;
}

/* Queues `kernel` with a copy of its arguments, as a launch does. */
void tc_emulator_launch(cudaStream_t stream, dim3 blocks, dim3 threads, std::function<void()> kernel);

template <class K, class... A>
void tc_emulator_call(cudaStream_t stream, dim3 blocks, dim3 threads, K kernel, A... arguments) {
    const std::tuple<A...> kept(arguments...);
    tc_emulator_launch(stream, blocks, threads, [=] { std::apply(kernel, kept); });
}

/* Queues anything else; for cudnn.cc and cublaslt.cc. */
void tc_emulator_queue(cudaStream_t stream, std::function<void()> work);

#define TC_KERNEL_CALL(kernel, blocks, threads, stream, ...)                                                           \
    tc_emulator_call(stream, blocks, threads, kernel, __VA_ARGS__)
#endif

#endif
