/* convolution.h — what the parts of the convolutions share: the plan's description for cuDNN, how its algorithm is
 * chosen (algorithms.c), and the kernels around its calls (weights.cu) and in their place
 * (depthwise.cu). */
#ifndef TC_COMPUTE_CUDA_CONVOLUTION_H
#define TC_COMPUTE_CUDA_CONVOLUTION_H

#include "compute/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TC_CUDA_FLOAT, TC_CUDA_BF16, TC_CUDA_TYPES };
enum { TC_CUDA_FORWARD, TC_CUDA_DATA, TC_CUDA_GRADIENT, TC_CUDA_SENSES };

/* What the numbers are that cuDNN multiplies, what those are that it leaves, and what it may make of the former. */
typedef struct tc_cuda_way {
    int operands, results; /* TC_CUDA_FLOAT, TC_CUDA_BF16 */
    cudnnMathType_t math;
} tc_cuda_way;

/* A convolution in cuDNN's words. */
typedef struct tc_cuda_described {
    cudnnTensorDescriptor_t in[TC_CUDA_TYPES], out[TC_CUDA_TYPES];
    cudnnFilterDescriptor_t weights[TC_CUDA_TYPES];
    cudnnConvolutionDescriptor_t sense[TC_CUDA_SENSES];
} tc_cuda_described;

typedef struct tc_cuda_algorithm {
    int number; /* cudnnConvolution…Algo_t of its direction */
    cudnnMathType_t math;
    size_t workspace; /* bytes; more than TC_CUDA_WORKSPACE is the plan's to find */
} tc_cuda_algorithm;

/* How to compute one direction; *chosen.number is −1 where cuDNN knows no way. TC_FAILED: memory. */
tc_status tc_cuda_choose(tc_device *device, const tc_convolution *geometry, const tc_cuda_described *described,
                         int sense, tc_cuda_way way, tc_cuda_algorithm *chosen, tc_error *error);
void tc_cuda_forget_algorithms(tc_cuda_state *state);

/* ---- kernels; `type` is that of the array which is not float ---- */

/* [outs][ins][kernel²] of floats, as parameters are kept, into [outs][kernel²][ins] */
void tc_cuda_weights_pack(tc_device *device, int outs, int ins, int taps, const void *from, int type, void *to);
/* and back */
void tc_cuda_weights_unpack(tc_device *device, int outs, int ins, int taps, int type, const void *from, void *to,
                            bool accumulate);

/* to[i] = act(from[i] + bias[i % channels] (+ to[i])) */
typedef struct tc_cuda_finish {
    size_t count;
    int channels;
    const void *from; /* may be `to` */
    void *to;
    int from_type, to_type; /* TC_CUDA_FLOAT, TC_CUDA_BF16 */
    const void *bias;       /* floats; NULL for none */
    bool relu, accumulate;
} tc_cuda_finish;

void tc_cuda_conv_finish(tc_device *device, const tc_cuda_finish *finish);

/* ---- each channel alone (depthwise.cu); weights as tc_cuda_weights_pack leaves them for outs = 1 ---- */

bool tc_cuda_depthwise_fits(const tc_convolution *geometry);
void tc_cuda_depthwise_forward(tc_device *device, const tc_convolution *geometry, const void *weights, const void *x,
                               const void *bias, bool relu, bool accumulate, void *z);
void tc_cuda_depthwise_data(tc_device *device, const tc_convolution *geometry, const void *weights, const void *dz,
                            void *dx);
void tc_cuda_depthwise_gradient(tc_device *device, const tc_convolution *geometry, const void *x, const void *dz,
                                void *dw, bool accumulate);

#ifdef __cplusplus
}
#endif

#endif
