/* cudnn.cc — the calls: descriptors, what fits together, which algorithms there are. What they compute is in
 * convolutions.cc. */
#include "cudnn.h"

#include "convolutions.h"
#include "library.h"

#include <cstdlib>

struct tc_emulated_dnn {
    cudaStream_t stream;
};

namespace {

enum { FORWARD, DATA, FILTER };

/* ---- algorithms: the fastest first, as the library would list them ---- */

const size_t FAR_TOO_MUCH = (size_t)1 << 40, SOME = 1 << 16;

struct algorithm {
    int number;
    bool deterministic, transforms;
    size_t workspace;
};

const std::vector<algorithm> known[] = {
    {{CUDNN_CONVOLUTION_FWD_ALGO_FFT, true, true, FAR_TOO_MUCH},
     {CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED, true, true, SOME},
     {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, true, false, SOME},
     {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, true, false, 0}},
    {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, false, false, 0},
     {CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED, true, true, SOME},
     {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, true, false, SOME}},
    {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, false, false, SOME},
     {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED, true, true, SOME},
     {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, false, false, 0},
     {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, true, false, SOME}},
};

/* The descriptors of one direction: what is read, twice, and what is written. */
struct asked {
    int sense;
    tc_emulated_tensor in, out;
    tc_emulated_filter weights;
    tc_emulated_convolution how;

    cudnnDataType_t operands() const {
        return sense == DATA ? out.type : in.type;
    }
    cudnnDataType_t second() const {
        return sense == FORWARD ? weights.type : sense == DATA ? weights.type : out.type;
    }
    cudnnDataType_t results() const {
        return sense == FORWARD ? out.type : sense == DATA ? in.type : weights.type;
    }
};

int reached(int in, int pad, int kernel, int stride) {
    return (in + 2 * pad - kernel) / stride + 1;
}

/* What the library would say to these descriptors, whatever the algorithm. */
cudnnStatus_t judge(const asked &a) {
    const tc_emulated_convolution &c = a.how;
    if (!a.in.set || !a.out.set || !a.weights.set || !c.set) return CUDNN_STATUS_BAD_PARAM;
    if (a.in.format != CUDNN_TENSOR_NHWC || a.out.format != CUDNN_TENSOR_NHWC || a.weights.format != CUDNN_TENSOR_NHWC)
        return CUDNN_STATUS_NOT_SUPPORTED_LAYOUT;
    if (a.in.n != a.out.n || a.in.c != a.weights.c * c.groups || a.out.c != a.weights.k || a.out.c % c.groups ||
        a.in.h + 2 * c.pad < a.weights.h || a.in.w + 2 * c.pad < a.weights.w ||
        a.out.h != reached(a.in.h, c.pad, a.weights.h, c.stride) ||
        a.out.w != reached(a.in.w, c.pad, a.weights.w, c.stride))
        return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
    if (a.operands() != a.second()) return CUDNN_STATUS_NOT_SUPPORTED;
    if (a.operands() == CUDNN_DATA_FLOAT && a.results() != CUDNN_DATA_FLOAT) return CUDNN_STATUS_NOT_SUPPORTED;
    if (a.operands() == CUDNN_DATA_BFLOAT16) {
        if (c.groups > 1 || c.math == CUDNN_FMA_MATH) return CUDNN_STATUS_NOT_SUPPORTED;
        if (a.results() == CUDNN_DATA_FLOAT && !getenv("TOCSIN_EMULATED_MIXED")) return CUDNN_STATUS_NOT_SUPPORTED;
    }
    return CUDNN_STATUS_SUCCESS;
}

bool able(const asked &a, const algorithm &by) {
    return !by.transforms || (a.weights.h == 3 && a.weights.w == 3 && a.how.stride == 1 && a.how.groups == 1 &&
                              a.operands() == CUDNN_DATA_FLOAT);
}

const algorithm *find(const asked &a, int number) {
    for (const algorithm &by : known[a.sense])
        if (by.number == number) return able(a, by) ? &by : nullptr;
    return nullptr;
}

/* TOCSIN_EMULATED_HUNGRY: tensors are turned about before they are taken, in so much memory more. */
size_t needed(const algorithm &by) {
    const size_t turned = getenv("TOCSIN_EMULATED_HUNGRY") ? (size_t)257 << 20 : 0;
    return by.workspace + turned;
}

template <class Performance>
cudnnStatus_t list(const asked &a, int wanted, int *count, Performance *found, size_t limit) {
    const cudnnStatus_t fit = judge(a);
    *count = 0;
    if (fit != CUDNN_STATUS_SUCCESS) return fit;
    if (getenv("TOCSIN_EMULATED_WITHOUT")) return CUDNN_STATUS_SUCCESS;
    for (const algorithm &by : known[a.sense]) {
        if (*count == wanted) break;
        Performance &p = found[(*count)++];
        memset(&p, 0, sizeof p);
        p.algo = (decltype(p.algo))by.number;
        p.status = able(a, by) && needed(by) <= limit ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
        p.time = p.status == CUDNN_STATUS_SUCCESS ? (float)*count : -1;
        p.memory = needed(by);
        p.determinism = by.deterministic ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
        p.mathType = a.how.math;
    }
    return CUDNN_STATUS_SUCCESS;
}

template <class Performance>
cudnnStatus_t get(const char *name, const asked &a, int wanted, int *count, Performance *found) {
    if (tc_emulator_fails(name)) return CUDNN_STATUS_EXECUTION_FAILED;
    tc_emulator_count(tc_emulator_tally.asked);
    return list(a, wanted, count, found, SIZE_MAX);
}

/* Timing runs everything and waits: it is refused while a stream is captured. */
template <class Performance>
cudnnStatus_t time(const char *name, cudnnHandle_t handle, const asked &a, const void *one, const void *two,
                   void *result, int wanted, int *count, Performance *found, void *workspace, size_t bytes) {
    if (tc_emulator_fails(name)) return CUDNN_STATUS_EXECUTION_FAILED;
    if (!one || !two || !result || (bytes && !workspace)) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    if (cudaStreamSynchronize(handle->stream) != cudaSuccess) return CUDNN_STATUS_EXECUTION_FAILED;
    tc_emulator_count(tc_emulator_tally.timed);
    return list(a, wanted, count, found, bytes);
}

cudnnStatus_t workspace_of(const asked &a, int number, size_t *bytes) {
    const cudnnStatus_t fit = judge(a);
    const algorithm *by = find(a, number);
    if (fit != CUDNN_STATUS_SUCCESS) return fit;
    if (!by) return CUDNN_STATUS_NOT_SUPPORTED;
    *bytes = needed(*by);
    return CUDNN_STATUS_SUCCESS;
}

/* ---- running ---- */

bool uneven(const void *pointer) {
    return (uintptr_t)pointer % 16 != 0;
}

cudnnStatus_t run(const char *name, cudnnHandle_t handle, const asked &a, int number, tc_emulated_call call,
                  void *workspace, size_t bytes) {
    if (tc_emulator_fails(name)) return CUDNN_STATUS_EXECUTION_FAILED;
    const cudnnStatus_t fit = judge(a);
    const algorithm *by = find(a, number);
    if (fit != CUDNN_STATUS_SUCCESS) return fit;
    if (!by) return CUDNN_STATUS_NOT_SUPPORTED;
    const size_t need = needed(*by);
    if (!call.in || !call.weights || !call.out || (need && !workspace)) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    if (uneven(call.in) || uneven(call.weights) || uneven(call.out) || uneven(call.bias) || uneven(workspace))
        return CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER;
    if (bytes < need) return CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT;
    tc_emulator_count(tc_emulator_tally.convolutions);
    tc_emulator_count(tc_emulator_tally.fused, call.relu);
    tc_emulator_count(tc_emulator_tally.nondeterministic, !by->deterministic);
    tc_emulator_count(tc_emulator_tally.transformed, by->transforms);
    call.in_shape = a.in;
    call.out_shape = a.out;
    call.filter = a.weights;
    call.how = a.how;
    /* bf16 is what it is; floats are cut to TF32 wherever that is allowed */
    call.bits_lost = a.operands() == CUDNN_DATA_FLOAT && a.how.math != CUDNN_FMA_MATH ? 13 : 0;
    const int sense = a.sense;
    tc_emulator_queue(handle->stream, [=] {
        if (need) memset(workspace, 0xff, need); /* it is the call's to write to, all of it */
        (sense == FORWARD ? tc_emulated_forward : sense == DATA ? tc_emulated_data : tc_emulated_gradient)(call);
    });
    return CUDNN_STATUS_SUCCESS;
}

tc_emulated_call call_of(const void *in, const void *weights, const void *out, const void *alpha, const void *beta) {
    tc_emulated_call call = {};
    call.in = (void *)in;
    call.weights = (void *)weights;
    call.out = (void *)out;
    call.alpha = *(const float *)alpha;
    call.beta = *(const float *)beta;
    return call;
}

} // namespace

extern "C" {

/* ---- handles ---- */

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
    if (tc_emulator_fails("cudnnCreate")) return CUDNN_STATUS_EXECUTION_FAILED;
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
    switch (CUDNN_STATUS_CATEGORY(status)) {
    case CUDNN_STATUS_SUCCESS:
        return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_BAD_PARAM:
        return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
        return "CUDNN_STATUS_NOT_SUPPORTED";
    default:
        return "CUDNN_STATUS_EXECUTION_FAILED";
    }
}

size_t cudnnGetVersion(void) {
    return CUDNN_VERSION;
}

/* ---- descriptors ---- */

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *tensor) {
    if (tc_emulator_fails("cudnnCreateTensorDescriptor")) return CUDNN_STATUS_EXECUTION_FAILED;
    *tensor = new tc_emulated_tensor();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) {
    delete tensor;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
    if (n < 1 || c < 1 || h < 1 || w < 1) return CUDNN_STATUS_BAD_PARAM;
    *tensor = {true, format, type, n, c, h, w};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *filter) {
    *filter = new tc_emulated_filter();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter) {
    delete filter;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
    if (k < 1 || c < 1 || h < 1 || w < 1) return CUDNN_STATUS_BAD_PARAM;
    *filter = {true, format, type, k, c, h, w};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *convolution) {
    if (tc_emulator_fails("cudnnCreateConvolutionDescriptor")) return CUDNN_STATUS_EXECUTION_FAILED;
    *convolution = new tc_emulated_convolution();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t convolution) {
    delete convolution;
    return CUDNN_STATUS_SUCCESS;
}

/* Squares are all that is used. */
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convolution, int pad_h, int pad_w, int u,
                                              int v, int dilation_h, int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t computing) {
    if (pad_h < 0 || u < 1) return CUDNN_STATUS_BAD_PARAM;
    if (pad_h != pad_w || u != v || dilation_h != 1 || dilation_w != 1 || mode != CUDNN_CROSS_CORRELATION ||
        computing != CUDNN_DATA_FLOAT)
        return CUDNN_STATUS_NOT_SUPPORTED;
    *convolution = {true, pad_h, u, 1, CUDNN_DEFAULT_MATH};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t convolution, int groups) {
    if (groups < 1) return CUDNN_STATUS_BAD_PARAM;
    convolution->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convolution, cudnnMathType_t math) {
    convolution->math = math;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t *activation) {
    *activation = new tc_emulated_activation();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t activation) {
    delete activation;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t activation, cudnnActivationMode_t mode,
                                           cudnnNanPropagation_t nan, double) {
    *activation = {mode, nan};
    return CUDNN_STATUS_SUCCESS;
}

/* ---- algorithms ---- */

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                     cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t how,
                                                     cudnnTensorDescriptor_t y, int wanted, int *count,
                                                     cudnnConvolutionFwdAlgoPerf_t *found) {
    return get(__func__, {FORWARD, *x, *y, *w, *how}, wanted, count, found);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t, cudnnFilterDescriptor_t w,
                                                          cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t how,
                                                          cudnnTensorDescriptor_t dx, int wanted, int *count,
                                                          cudnnConvolutionBwdDataAlgoPerf_t *found) {
    return get(__func__, {DATA, *dx, *dy, *w, *how}, wanted, count, found);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                            cudnnTensorDescriptor_t dy,
                                                            cudnnConvolutionDescriptor_t how,
                                                            cudnnFilterDescriptor_t dw, int wanted, int *count,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t *found) {
    return get(__func__, {FILTER, *x, *dy, *dw, *how}, wanted, count, found);
}

cudnnStatus_t cudnnFindConvolutionForwardAlgorithmEx(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                     const void *x_data, cudnnFilterDescriptor_t w, const void *w_data,
                                                     cudnnConvolutionDescriptor_t how, cudnnTensorDescriptor_t y,
                                                     void *y_data, int wanted, int *count,
                                                     cudnnConvolutionFwdAlgoPerf_t *found, void *workspace,
                                                     size_t workspace_bytes) {
    return time(__func__, handle, {FORWARD, *x, *y, *w, *how}, x_data, w_data, y_data, wanted, count, found, workspace,
                workspace_bytes);
}

cudnnStatus_t cudnnFindConvolutionBackwardDataAlgorithmEx(cudnnHandle_t handle, cudnnFilterDescriptor_t w,
                                                          const void *w_data, cudnnTensorDescriptor_t dy,
                                                          const void *dy_data, cudnnConvolutionDescriptor_t how,
                                                          cudnnTensorDescriptor_t dx, void *dx_data, int wanted,
                                                          int *count, cudnnConvolutionBwdDataAlgoPerf_t *found,
                                                          void *workspace, size_t workspace_bytes) {
    return time(__func__, handle, {DATA, *dx, *dy, *w, *how}, w_data, dy_data, dx_data, wanted, count, found, workspace,
                workspace_bytes);
}

cudnnStatus_t cudnnFindConvolutionBackwardFilterAlgorithmEx(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                            const void *x_data, cudnnTensorDescriptor_t dy,
                                                            const void *dy_data, cudnnConvolutionDescriptor_t how,
                                                            cudnnFilterDescriptor_t dw, void *dw_data, int wanted,
                                                            int *count, cudnnConvolutionBwdFilterAlgoPerf_t *found,
                                                            void *workspace, size_t workspace_bytes) {
    return time(__func__, handle, {FILTER, *x, *dy, *dw, *how}, x_data, dy_data, dw_data, wanted, count, found,
                workspace, workspace_bytes);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                      cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t how,
                                                      cudnnTensorDescriptor_t y, cudnnConvolutionFwdAlgo_t algorithm,
                                                      size_t *bytes) {
    return workspace_of({FORWARD, *x, *y, *w, *how}, algorithm, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t, cudnnFilterDescriptor_t w,
                                                           cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t how,
                                                           cudnnTensorDescriptor_t dx,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm, size_t *bytes) {
    return workspace_of({DATA, *dx, *dy, *w, *how}, algorithm, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                             cudnnTensorDescriptor_t dy,
                                                             cudnnConvolutionDescriptor_t how,
                                                             cudnnFilterDescriptor_t dw,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm, size_t *bytes) {
    return workspace_of({FILTER, *x, *dy, *dw, *how}, algorithm, bytes);
}

/* ---- convolutions ---- */

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x,
                                      const void *x_data, cudnnFilterDescriptor_t w, const void *w_data,
                                      cudnnConvolutionDescriptor_t how, cudnnConvolutionFwdAlgo_t algorithm,
                                      void *workspace, size_t workspace_bytes, const void *beta,
                                      cudnnTensorDescriptor_t y, void *y_data) {
    return run(__func__, handle, {FORWARD, *x, *y, *w, *how}, algorithm, call_of(x_data, w_data, y_data, alpha, beta),
               workspace, workspace_bytes);
}

cudnnStatus_t cudnnConvolutionBiasActivationForward(
    cudnnHandle_t handle, const void *alpha1, cudnnTensorDescriptor_t x, const void *x_data, cudnnFilterDescriptor_t w,
    const void *w_data, cudnnConvolutionDescriptor_t how, cudnnConvolutionFwdAlgo_t algorithm, void *workspace,
    size_t workspace_bytes, const void *alpha2, cudnnTensorDescriptor_t z, const void *z_data,
    cudnnTensorDescriptor_t bias, const void *bias_data, cudnnActivationDescriptor_t activation,
    cudnnTensorDescriptor_t y, void *y_data) {
    if (getenv("TOCSIN_EMULATED_UNFUSED")) return CUDNN_STATUS_NOT_SUPPORTED;
    if (!z_data || !bias_data) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    if (bias->n != 1 || bias->h != 1 || bias->w != 1 || bias->c != y->c || bias->type != CUDNN_DATA_FLOAT ||
        y->type != CUDNN_DATA_FLOAT || z->c != y->c || z->n != y->n)
        return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
    if (activation->mode != CUDNN_ACTIVATION_RELU || z_data != y_data) return CUDNN_STATUS_NOT_SUPPORTED;
    tc_emulated_call call = call_of(x_data, w_data, y_data, alpha1, alpha2);
    call.bias = (const float *)bias_data;
    call.relu = true;
    return run(__func__, handle, {FORWARD, *x, *y, *w, *how}, algorithm, call, workspace, workspace_bytes);
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, cudnnFilterDescriptor_t w,
                                           const void *w_data, cudnnTensorDescriptor_t dy, const void *dy_data,
                                           cudnnConvolutionDescriptor_t how, cudnnConvolutionBwdDataAlgo_t algorithm,
                                           void *workspace, size_t workspace_bytes, const void *beta,
                                           cudnnTensorDescriptor_t dx, void *dx_data) {
    return run(__func__, handle, {DATA, *dx, *dy, *w, *how}, algorithm, call_of(dx_data, w_data, dy_data, alpha, beta),
               workspace, workspace_bytes);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x,
                                             const void *x_data, cudnnTensorDescriptor_t dy, const void *dy_data,
                                             cudnnConvolutionDescriptor_t how,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void *workspace,
                                             size_t workspace_bytes, const void *beta, cudnnFilterDescriptor_t dw,
                                             void *dw_data) {
    return run(__func__, handle, {FILTER, *x, *dy, *dw, *how}, algorithm,
               call_of(x_data, dw_data, dy_data, alpha, beta), workspace, workspace_bytes);
}

} /* extern "C" */
