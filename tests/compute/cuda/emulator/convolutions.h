/* convolutions.h — cuDNN's descriptors, and convolutions by their definition. */
#ifndef TC_EMULATOR_CONVOLUTIONS_H
#define TC_EMULATOR_CONVOLUTIONS_H

#include "cudnn.h"

#include <vector>

struct tc_emulated_tensor {
    bool set;
    cudnnTensorFormat_t format;
    cudnnDataType_t type;
    int n, c, h, w;
};

struct tc_emulated_filter {
    bool set;
    cudnnTensorFormat_t format;
    cudnnDataType_t type;
    int k, c, h, w;
};

struct tc_emulated_convolution {
    bool set;
    int pad, stride, groups;
    cudnnMathType_t math;
};

struct tc_emulated_activation {
    cudnnActivationMode_t mode;
    cudnnNanPropagation_t nan;
};

/* One call; the arrays are read or written as its direction says. */
struct tc_emulated_call {
    tc_emulated_tensor in_shape, out_shape;
    tc_emulated_filter filter;
    tc_emulated_convolution how;
    void *in, *weights, *out;
    float alpha, beta;
    const float *bias; /* forward: added; or NULL */
    bool relu;
    int bits_lost; /* of every operand */
};

void tc_emulated_forward(const tc_emulated_call &call);
void tc_emulated_data(const tc_emulated_call &call);
void tc_emulated_gradient(const tc_emulated_call &call);

#endif
