/* cuda.h — what the parts of the CUDA backend share: the device's state and how failures are kept.
 *
 * Everything a device is asked to do goes into one stream, in order, and most of it has not happened yet when the call
 * returns; only what gives numbers back (download, sum, dot) waits. Activations are plain NHWC. Reals are floats.
 *
 * Several devices may be used side by side, each by the thread that has opened it, on one GPU or on several: they share
 * nothing but the process's context, whose failure is everybody's. No call waits for the whole GPU but for what
 * gives memory back where there is no pool.
 *
 * Read by C (gcc) and by CUDA (nvcc). */
#ifndef TC_COMPUTE_CUDA_H
#define TC_COMPUTE_CUDA_H

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "compute/device.h"

typedef float real;

enum {
    TC_CUDA_PARTS = 1024,          /* of a sum over a whole array: as many blocks, each with one partial result */
    TC_CUDA_ROOM = 8 << 20,        /* reals of shared room for partial sums by channel */
    TC_CUDA_WORKSPACE = 256 << 20, /* bytes that an algorithm of cuDNN or cuBLAS may work in */
    TC_CUDA_STAGE = 1 << 16,       /* bytes of pinned memory for results that come back */
};

typedef struct tc_cuda_block tc_cuda_block;           /* one allocation (memory.c) */
typedef struct tc_cuda_algorithms tc_cuda_algorithms; /* chosen for convolutions (algorithms.c) */

/* Memory that several plans work in, one after the other; lives as long as one of them does. */
typedef struct tc_cuda_scratch {
    void *memory;
    size_t bytes;
    int users;
} tc_cuda_scratch;

typedef struct tc_cuda_state {
    cudaStream_t stream;
    cudnnHandle_t dnn;
    cublasLtHandle_t blas;
    int multiprocessors, capability; /* 75, 80, 90 … */
    bool pooled;                     /* memory comes from the driver's pool (memory.c) */
    tc_cuda_block *block;            /* [blocks] what is allocated, for release to count back */
    size_t blocks, block_room;
    double *partials; /* device [TC_CUDA_PARTS] and, behind them, what is made of the totals: two numbers */
    real *room;       /* device [TC_CUDA_ROOM]: a kernel's partial sums; no longer of use when it ends */
    void *workspace;  /* device [TC_CUDA_WORKSPACE], likewise */
    char *stage;      /* host, pinned [TC_CUDA_STAGE] */
    tc_cuda_algorithms *algorithms;
    tc_cuda_scratch *scratch; /* for the next plan, if it is enough for it; or NULL */
    bool failed;              /* something has: results from then on mean nothing, and the first failure is … */
    char failure[256];
    bool refused; /* between record_begin and record_end what fails was only refused; the first is … */
    char refusal[256];
} tc_cuda_state;

static inline tc_cuda_state *tc_cuda_state_of(const tc_device *device) {
    return (tc_cuda_state *)device->state;
}

/* Remembers the first failure; false if this is one. `what` was asked for. */
bool tc_cuda_went(tc_device *device, cudaError_t status, const char *what);
bool tc_cuda_dnn_went(tc_device *device, cudnnStatus_t status, const char *what);
bool tc_cuda_blas_went(tc_device *device, cublasStatus_t status, const char *what);

/* The GPU that the options name, *index of *count, if it can do what they ask. Opens nothing (look.c). */
tc_status tc_cuda_find(const tc_device_options *options, int *index, int *count, struct cudaDeviceProp *properties,
                       tc_error *error);
tc_status tc_cuda_look(const tc_device_options *options, tc_device_facts *facts, tc_error *error);

/* At least `bytes` of shared memory for a plan. What other plans have been given stays where it is: captured graphs
 * know its address. */
tc_status tc_cuda_scratch_take(tc_device *device, size_t bytes, tc_cuda_scratch **scratch, tc_error *error);
void tc_cuda_scratch_return(tc_device *device, tc_cuda_scratch *scratch); /* may be NULL */

tc_status tc_cuda_open(tc_device *device, tc_error *error);
void tc_cuda_close(tc_device *device);
tc_status tc_cuda_health(tc_device *device, tc_error *error);
void tc_cuda_enter(tc_device *device);

#ifdef __cplusplus
}
#endif

#endif
