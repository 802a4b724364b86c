/* kernels.h — the kernels of the cpu backend that do not come from portable.h. */
#ifndef TC_COMPUTE_CPU_KERNELS_H
#define TC_COMPUTE_CPU_KERNELS_H

#include "compute/device.h"

/* convolution.c */
tc_status tc_cpu_conv_create(tc_device *device, const tc_convolution *geometry, tc_conv_plan **plan, tc_error *error);
void tc_cpu_conv_destroy(tc_device *device, tc_conv_plan *plan);
void tc_cpu_conv_pack(tc_conv_plan *plan, int which, const void *weights);
void tc_cpu_conv_forward(tc_conv_plan *plan, int which, const void *x, const void *bias, void *z, bool accumulate);
void tc_cpu_conv_backward_data(tc_conv_plan *plan, int which, const void *dz, void *dx);
void tc_cpu_conv_backward_weights(tc_conv_plan *plan, const void *x, const void *dz, void *dw, void *db,
                                  bool accumulate);
void tc_cpu_conv_squares(tc_conv_plan *plan, const void *x, const void *dz, void *squares);

/* product.c */
tc_status tc_cpu_product_create(tc_device *device, const tc_product *geometry, tc_product_plan **plan, tc_error *error);
void tc_cpu_product_destroy(tc_device *device, tc_product_plan *plan);
void tc_cpu_product_run(tc_product_plan *plan, const void *a, const void *b, const void *bias, void *c);

#endif
