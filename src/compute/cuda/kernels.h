/* kernels.h — the functions of the CUDA backend's table, under the names and with the meaning of compute/device.h. */
#ifndef TC_COMPUTE_CUDA_KERNELS_H
#define TC_COMPUTE_CUDA_KERNELS_H

#include "compute/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const tc_kernels tc_cuda_kernels;

tc_status tc_cuda_allocate(tc_device *device, size_t bytes, void **memory, tc_error *error);
void tc_cuda_release(tc_device *device, void *memory);
void tc_cuda_upload_float(tc_device *device, void *to, const float *from, size_t count);
void tc_cuda_upload_double(tc_device *device, void *to, const double *from, size_t count);
void tc_cuda_download_float(tc_device *device, float *to, const void *from, size_t count);
void tc_cuda_download_double(tc_device *device, double *to, const void *from, size_t count);
void tc_cuda_upload_bytes(tc_device *device, void *to, const void *from, size_t bytes);
void tc_cuda_download_bytes(tc_device *device, void *to, const void *from, size_t bytes);
void tc_cuda_fill(tc_device *device, size_t count, double value, void *y);
void tc_cuda_copy(tc_device *device, size_t count, const void *x, void *y);
void tc_cuda_axpby(tc_device *device, size_t count, double a, const void *x, double b, void *y);
void tc_cuda_multiply(tc_device *device, size_t count, const void *a, const void *b, void *y, bool accumulate);
void tc_cuda_add(tc_device *device, tc_shape shape, tc_sum terms, void *y);
void tc_cuda_add_relu(tc_device *device, tc_shape shape, tc_sum terms, void *y);
double tc_cuda_sum(tc_device *device, size_t count, const void *x);
double tc_cuda_dot(tc_device *device, size_t count, const void *x, const void *y);
double tc_cuda_sum_power(tc_device *device, size_t count, double p, const void *x);
void tc_cuda_sign_power(tc_device *device, size_t count, double a, double p, const void *x, void *y);
void tc_cuda_normal(tc_device *device, size_t count, tc_stream stream, double sigma, void *y);
void tc_cuda_uniform(tc_device *device, size_t count, tc_stream stream, double low, double high, void *y);
void tc_cuda_uniform_paced(tc_device *device, size_t count, const tc_pace *pace, const char *purpose, double low,
                           double high, void *y);
void tc_cuda_clamp(tc_device *device, size_t count, double low, double high, void *y);
void tc_cuda_ascend(tc_device *device, size_t count, double rho, const void *g, const void *x, void *y);
void tc_cuda_cosine(tc_device *device, size_t count, double norm, const void *t, const void *g, void *u, double *phi);
void tc_cuda_sgd_step(tc_device *device, size_t count, const tc_sgd *sgd, const void *gradient, void *velocity,
                      void *theta);
void tc_cuda_adam_step(tc_device *device, size_t count, const tc_adam *adam, const void *gradient, void *m, void *v,
                       void *theta);
tc_status tc_cuda_conv_create(tc_device *device, const tc_convolution *geometry, tc_conv_plan **plan, tc_error *error);
void tc_cuda_conv_destroy(tc_device *device, tc_conv_plan *plan);
void tc_cuda_conv_pack(tc_conv_plan *plan, int which, const void *weights);
void tc_cuda_conv_forward(tc_conv_plan *plan, int which, const void *x, const void *bias, void *z, bool accumulate);
void tc_cuda_conv_backward_data(tc_conv_plan *plan, int which, const void *dz, void *dx);
void tc_cuda_conv_backward_weights(tc_conv_plan *plan, const void *x, const void *dz, void *dw, void *db,
                                   bool accumulate);
tc_status tc_cuda_product_create(tc_device *device, const tc_product *geometry, tc_product_plan **plan,
                                 tc_error *error);
void tc_cuda_product_destroy(tc_device *device, tc_product_plan *plan);
void tc_cuda_product_run(tc_product_plan *plan, const void *a, const void *b, const void *bias, void *c);
void tc_cuda_column_sums(tc_device *device, int rows, int columns, const void *x, void *y, bool accumulate);
void tc_cuda_channel_sums(tc_device *device, tc_shape shape, const void *x, void *y, bool accumulate);
void tc_cuda_channel_add(tc_device *device, tc_shape shape, const void *bias, void *y);
void tc_cuda_norm_forward(tc_device *device, const tc_norm *norm);
void tc_cuda_norm_backward(tc_device *device, const tc_norm *norm);
void tc_cuda_norm_forward_tangent(tc_device *device, const tc_norm *norm);
void tc_cuda_norm_backward_tangent(tc_device *device, const tc_norm *norm);
void tc_cuda_layer_norm(tc_device *device, const tc_layer_norm *norm);
void tc_cuda_layer_norm_backward(tc_device *device, const tc_layer_norm *norm);
void tc_cuda_layer_norm_tangent(tc_device *device, const tc_layer_norm *norm);
void tc_cuda_layer_norm_backward_tangent(tc_device *device, const tc_layer_norm *norm);
size_t tc_cuda_attention_room(tc_device *device, const tc_attention *attention);
void tc_cuda_attention(tc_device *device, const tc_attention *attention);
void tc_cuda_attention_backward(tc_device *device, const tc_attention *attention);
void tc_cuda_attention_tangent(tc_device *device, const tc_attention *attention);
void tc_cuda_attention_backward_tangent(tc_device *device, const tc_attention *attention);
void tc_cuda_activation(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape, const void *x,
                        void *y);
void tc_cuda_activation_backward(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape,
                                 const void *x, const void *y, tc_sum dy, void *dx);
void tc_cuda_activation_tangent(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape, const void *x,
                                const void *y, const void *x_t, void *y_t);
void tc_cuda_activation_backward_tangent(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape,
                                         const void *x, const void *y, const void *x_t, tc_sum dy, tc_sum dy_t,
                                         void *dx_t);
void tc_cuda_max_pool(tc_device *device, const tc_pool *pool, const void *x, void *y, int32_t *winner);
void tc_cuda_max_pool_gather(tc_device *device, const tc_pool *pool, const int32_t *winner, const void *x_t, void *y_t);
void tc_cuda_max_pool_scatter(tc_device *device, const tc_pool *pool, const int32_t *winner, tc_sum dy, void *dx);
void tc_cuda_average_pool(tc_device *device, const tc_pool *pool, const void *x, void *y);
void tc_cuda_average_pool_backward(tc_device *device, const tc_pool *pool, tc_sum dy, void *dx);
void tc_cuda_concat(tc_device *device, tc_shape part, tc_shape whole, int at, const void *x, void *y);
void tc_cuda_slice(tc_device *device, tc_shape whole, tc_shape part, int at, tc_sum x, void *y);
void tc_cuda_scale(tc_device *device, tc_shape shape, const void *x, const void *s, void *y, bool accumulate);
void tc_cuda_scale_reduce(tc_device *device, tc_shape shape, const void *x, const void *dy, void *ds, bool accumulate);
void tc_cuda_flatten(tc_device *device, tc_shape shape, const void *x, void *y);
void tc_cuda_unflatten(tc_device *device, tc_shape shape, tc_sum y, void *x);
void tc_cuda_to_layout(tc_device *device, tc_shape shape, const void *nhwc, void *x);
void tc_cuda_from_layout(tc_device *device, tc_shape shape, const void *x, void *nhwc);
void tc_cuda_dropout_mask(tc_device *device, tc_shape shape, const tc_dropout *dropout, void *mask);
void tc_cuda_loss(tc_device *device, const tc_loss *loss, void *value, void *dz);
void tc_cuda_loss_tangent(tc_device *device, const tc_loss *loss, const void *logits_t, void *dz_t);
void tc_cuda_next_step(tc_device *device, const tc_walk *walk, int n, int32_t *labels);
void tc_cuda_next_rows(tc_device *device, const tc_walk *walk, int n, size_t size, const void *rows, void *row);
void tc_cuda_tally(tc_device *device, const tc_loss *loss, const void *value, tc_count *count);
void tc_cuda_watch(tc_device *device, size_t n, const void *value, tc_count *count);
tc_status tc_cuda_record_begin(tc_device *device, tc_error *error);
tc_status tc_cuda_record_end(tc_device *device, tc_recording **recording, tc_error *error);
void tc_cuda_replay(tc_device *device, tc_recording *recording);
void tc_cuda_recording_free(tc_device *device, tc_recording *recording);
void tc_cuda_load_images(tc_device *device, tc_shape shape, const uint8_t *images, const uint32_t *index,
                         const tc_warp *warp, const float *mean, const float *std, void *x);
void tc_cuda_warp(tc_device *device, tc_shape shape, const tc_warp *warp, const void *x, void *y);
void tc_cuda_warp_adjoint(tc_device *device, tc_shape shape, const tc_warp *warp, const void *dy, void *dx);
void tc_cuda_blend(tc_device *device, tc_shape shape, const tc_blend *blend, const void *x, void *y);
void tc_cuda_blend_labels(tc_device *device, int n, int classes, const tc_target *target, int32_t *labels, void *soft);
void tc_cuda_normalise(tc_device *device, tc_shape shape, const float *mean, const float *std, const void *pixels,
                       void *x);
void tc_cuda_normalise_adjoint(tc_device *device, tc_shape shape, const float *std, const void *dx, void *dpixels);
void tc_cuda_project(tc_device *device, size_t count, double epsilon, const uint8_t *base, void *delta);

#ifdef __cplusplus
}
#endif

#endif
