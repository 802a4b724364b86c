/* kernels.h — the kernels of the oracle that portable.h leaves to a backend. All numbers are double. */
#ifndef TC_COMPUTE_REFERENCE_KERNELS_H
#define TC_COMPUTE_REFERENCE_KERNELS_H

#include "compute/device.h"

/* convolution.c */
tc_status tc_reference_conv_create(tc_device *device, const tc_convolution *geometry, tc_conv_plan **plan,
                                   tc_error *error);
void tc_reference_conv_destroy(tc_device *device, tc_conv_plan *plan);
void tc_reference_conv_pack(tc_conv_plan *plan, int which, const void *weights);
void tc_reference_conv_forward(tc_conv_plan *plan, int which, const void *x, const void *bias, void *z,
                               bool accumulate);
void tc_reference_conv_backward_data(tc_conv_plan *plan, int which, const void *dz, void *dx);
void tc_reference_conv_backward_weights(tc_conv_plan *plan, const void *x, const void *dz, void *dw, void *db,
                                        bool accumulate);

/* product.c */
tc_status tc_reference_product_create(tc_device *device, const tc_product *geometry, tc_product_plan **plan,
                                      tc_error *error);
void tc_reference_product_destroy(tc_device *device, tc_product_plan *plan);
void tc_reference_product_run(tc_product_plan *plan, const void *a, const void *b, const void *bias, void *c);

/* norm.c, norm_tangent.c */
void tc_reference_norm_forward(tc_device *device, const tc_norm *norm);
void tc_reference_norm_backward(tc_device *device, const tc_norm *norm);
void tc_reference_norm_forward_tangent(tc_device *device, const tc_norm *norm);
void tc_reference_norm_backward_tangent(tc_device *device, const tc_norm *norm);

#endif
