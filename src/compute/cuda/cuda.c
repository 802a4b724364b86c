/* cuda.c — opening a GPU, and keeping what went wrong on it until somebody asks. */
#include "compute/cuda/cuda.h"

#include "compute/cuda/convolution.h"
#include "compute/cuda/kernels.h"
#include "compute/plugin.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- failures ---- */

static bool went(tc_device *device, bool well, const char *what, const char *why) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    bool *already = device->recording ? &state->refused : &state->failed;
    char *kept = device->recording ? state->refusal : state->failure;
    if (well || *already) return well;
    *already = true;
    snprintf(kept, sizeof state->failure, "%s: %s", what, why);
    return false;
}

bool tc_cuda_went(tc_device *device, cudaError_t status, const char *what) {
    return went(device, status == cudaSuccess, what, status == cudaSuccess ? "" : cudaGetErrorString(status));
}

bool tc_cuda_dnn_went(tc_device *device, cudnnStatus_t status, const char *what) {
    const bool well = status == CUDNN_STATUS_SUCCESS;
    return went(device, well, what, well ? "" : cudnnGetErrorString(status));
}

bool tc_cuda_blas_went(tc_device *device, cublasStatus_t status, const char *what) {
    const bool well = status == CUBLAS_STATUS_SUCCESS;
    return went(device, well, what, well ? "" : cublasLtGetStatusString(status));
}

tc_status tc_cuda_health(tc_device *device, tc_error *error) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    tc_cuda_went(device, cudaStreamSynchronize(state->stream), "waiting for the GPU");
    if (!state->failed) return TC_OK;
    return tc_raise(error, TC_FAILED, "device cuda:%d: %s; what was computed since is lost, run again",
                    device->options.index, state->failure);
}

/* CUDA's current GPU is a thread's. */
void tc_cuda_enter(tc_device *device) {
    tc_cuda_went(device, cudaSetDevice(device->options.index), "choosing the GPU");
}

/* ---- opening ---- */

static tc_status choose(tc_device *device, tc_error *error) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    struct cudaDeviceProp properties;
    int count = 0;
    tc_status status = TC_OK;
    TC_TRY(tc_cuda_find(&device->options, &device->options.index, &count, &properties, error));
    tc_cuda_enter(device);
    if (state->failed) TC_TRY(tc_cuda_health(device, error));
    state->multiprocessors = properties.multiProcessorCount;
    state->capability = 10 * properties.major + properties.minor;
done:
    return status;
}

/* The driver would give memory back to the system whenever somebody waits. Some virtual GPUs have no pool. */
static bool keep_memory(tc_device *device) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    cudaMemPool_t pool;
    uint64_t all = UINT64_MAX;
    int pools = 0;
    if (!tc_cuda_went(device, cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, device->options.index),
                      "asking for the pool"))
        return false;
    state->pooled = pools != 0;
    if (!state->pooled) return true;
    return tc_cuda_went(device, cudaDeviceGetDefaultMemPool(&pool, device->options.index), "asking for the pool") &&
           tc_cuda_went(device, cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all),
                        "keeping the pool's memory");
}

static tc_status make(tc_device *device, tc_error *error) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    tc_status status = TC_OK;
    void *memory = NULL;
    if (!tc_cuda_went(device, cudaStreamCreateWithFlags(&state->stream, cudaStreamNonBlocking), "making a stream") ||
        !keep_memory(device) || !tc_cuda_dnn_went(device, cudnnCreate(&state->dnn), "opening cuDNN") ||
        !tc_cuda_dnn_went(device, cudnnSetStream(state->dnn, state->stream), "opening cuDNN") ||
        !tc_cuda_blas_went(device, cublasLtCreate(&state->blas), "opening cuBLAS") ||
        !tc_cuda_went(device, cudaMallocHost(&memory, TC_CUDA_STAGE), "allocating pinned memory"))
        TC_TRY(tc_cuda_health(device, error));
    state->stage = memory;
    TC_TRY(tc_cuda_allocate(device, (TC_CUDA_PARTS + 2) * sizeof(double), &memory, error));
    state->partials = memory;
    TC_TRY(tc_cuda_allocate(device, TC_CUDA_ROOM * sizeof(real), &memory, error));
    state->room = memory;
    TC_TRY(tc_cuda_allocate(device, TC_CUDA_WORKSPACE, &state->workspace, error));
done:
    return status;
}

tc_status tc_cuda_open(tc_device *device, tc_error *error) {
    tc_cuda_state *state = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&state, 1, sizeof *state, error));
    device->state = state;
    device->k = &tc_cuda_kernels;
    device->element = sizeof(real);
    device->channel_block = 0;
    device->halves = device->options.precision == TC_BF16_MATHS;
    TC_TRY(choose(device, error));
    TC_TRY(make(device, error));
done:
    if (status != TC_OK && state) tc_cuda_close(device);
    return status;
}

void tc_cuda_close(tc_device *device) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    tc_cuda_release(device, state->partials);
    tc_cuda_release(device, state->room);
    tc_cuda_release(device, state->workspace);
    if (state->stage) cudaFreeHost(state->stage);
    if (state->blas) cublasLtDestroy(state->blas);
    if (state->dnn) cudnnDestroy(state->dnn);
    if (state->stream) cudaStreamDestroy(state->stream);
    tc_cuda_forget_algorithms(state);
    free(state->block);
    free(state);
    device->state = NULL;
}

__attribute__((visibility("default"))) extern const tc_plugin tocsin_plugin_v1;
const tc_plugin tocsin_plugin_v1 = {.version = TOCSIN_VERSION,
                                    .kernels = sizeof(tc_kernels),
                                    .device = sizeof(tc_device),
                                    .look = tc_cuda_look,
                                    .open = tc_cuda_open,
                                    .close = tc_cuda_close};
