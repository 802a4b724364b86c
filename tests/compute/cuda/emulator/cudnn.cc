/* cudnn.cc — convolutions by their definition. */
#include "cudnn.h"

struct tc_emulated_dnn {
    cudaStream_t stream;
};

extern "C" {

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
    *handle = new tc_emulated_dnn();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    delete handle;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

const char *cudnnGetErrorString(cudnnStatus_t status) {
    return status == CUDNN_STATUS_SUCCESS     ? "CUDNN_STATUS_SUCCESS"
           : status == CUDNN_STATUS_BAD_PARAM ? "CUDNN_STATUS_BAD_PARAM"
                                              : "CUDNN_STATUS_NOT_SUPPORTED";
}

size_t cudnnGetVersion(void) {
    return CUDNN_VERSION;
}

} /* extern "C" */
