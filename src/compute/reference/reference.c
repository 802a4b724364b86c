/* reference.c — the oracle's table: the portable kernels over double, and its own convolution, product and batch
 * normalisation, which are nothing but their formulas as loops. */
#include "compute/reference/reference.h"

#include "compute/reference/kernels.h"

typedef double real;
#include "compute/portable/portable.h"

static const tc_kernels kernels = {
    TC_PORTABLE_KERNELS,
    .conv_create = tc_reference_conv_create,
    .conv_destroy = tc_reference_conv_destroy,
    .conv_pack = tc_reference_conv_pack,
    .conv_forward = tc_reference_conv_forward,
    .conv_backward_data = tc_reference_conv_backward_data,
    .conv_backward_weights = tc_reference_conv_backward_weights,
    .product_create = tc_reference_product_create,
    .product_destroy = tc_reference_product_destroy,
    .product_run = tc_reference_product_run,
    .norm_forward = tc_reference_norm_forward,
    .norm_backward = tc_reference_norm_backward,
    .norm_forward_tangent = tc_reference_norm_forward_tangent,
    .norm_backward_tangent = tc_reference_norm_backward_tangent,
};

tc_status tc_reference_open(tc_device *device, tc_error *error) {
    (void)error;
    device->k = &kernels;
    device->element = sizeof(real);
    device->channel_block = 0;
    return TC_OK;
}

void tc_reference_close(tc_device *device) {
    (void)device;
}
