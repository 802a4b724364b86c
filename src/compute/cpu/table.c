/* table.c — the cpu backend's kernel table: the portable kernels over float, compiled for one instruction set, and the
 * backend's own convolution, product and batch normalisation. */
#include "compute/cpu/isa.h"
#include "compute/cpu/kernels.h"

typedef float real;
#include "compute/portable/portable.h"

const tc_kernels TC_ISA(table) = {
    TC_PORTABLE_KERNELS,
    .conv_create = tc_cpu_conv_create,
    .conv_destroy = tc_cpu_conv_destroy,
    .conv_pack = tc_cpu_conv_pack,
    .conv_forward = tc_cpu_conv_forward,
    .conv_backward_data = tc_cpu_conv_backward_data,
    .conv_backward_weights = tc_cpu_conv_backward_weights,
    .conv_squares = tc_cpu_conv_squares,
    .product_create = tc_cpu_product_create,
    .product_destroy = tc_cpu_product_destroy,
    .product_run = tc_cpu_product_run,
    .max_pool = TC_ISA(max_pool),
    .max_pool_gather = TC_ISA(max_pool_gather),
    .max_pool_scatter = TC_ISA(max_pool_scatter),
    .norm_forward = TC_ISA(norm_forward),
    .norm_backward = TC_ISA(norm_backward),
    .norm_forward_tangent = TC_ISA(norm_forward_tangent),
    .norm_backward_tangent = TC_ISA(norm_backward_tangent),
};
