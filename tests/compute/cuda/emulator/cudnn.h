/* cudnn.h — as much of cuDNN 9 as the backend uses, on a processor (README.md here). Names, types and meanings are
 * cuDNN's. */
#ifndef TC_EMULATOR_CUDNN_H
#define TC_EMULATOR_CUDNN_H

#include "cuda_runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CUDNN_MAJOR   9
#define CUDNN_VERSION 90000

typedef enum cudnnStatus_t {
    CUDNN_STATUS_SUCCESS = 0,
    CUDNN_STATUS_BAD_PARAM = 2000,
    CUDNN_STATUS_NOT_SUPPORTED = 3000,
} cudnnStatus_t;

typedef struct tc_emulated_dnn *cudnnHandle_t;

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle);
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle);
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream);
const char *cudnnGetErrorString(cudnnStatus_t status);
size_t cudnnGetVersion(void);

#ifdef __cplusplus
}
#endif

#endif
