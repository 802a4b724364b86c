/* activation.c — z = f(a), element by element. The piecewise linear ones (ReLU, leaky ReLU, ReLU6) are z = Ma with a
 * fixed mask M in all four maps; the smooth ones (sigmoid, tanh, GELU) add f″(a) ȧ z̄ to the tangent of backward. */
#include "nn/layer.h"

static void forward(tc_step *s) {
    s->device->k->activation(s->device, s->layer->options.activation, s->layer->options.slope, s->out, s->x[0], s->y);
}

static void backward(tc_step *s) {
    if (s->dx[0])
        s->device->k->activation_backward(s->device, s->layer->options.activation, s->layer->options.slope, s->out,
                                          s->x[0], s->y, s->dy, s->dx[0]);
}

static void forward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    if (!s->x_t[0])
        k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
    else
        k->activation_tangent(s->device, s->layer->options.activation, s->layer->options.slope, s->out, s->x[0], s->y,
                              s->x_t[0], s->y_t);
}

static void backward_tangent(tc_step *s) {
    if (s->dx_t[0])
        s->device->k->activation_backward_tangent(s->device, s->layer->options.activation, s->layer->options.slope,
                                                  s->out, s->x[0], s->y, s->x_t[0], s->dy, s->dy_t, s->dx_t[0]);
}

const tc_layer_class tc_activation_layer = {
    .name = "activation",
    .traits = TC_READS_X | TC_READS_Y | TC_HALVES,
    .forward = forward,
    .backward = backward,
    .forward_tangent = forward_tangent,
    .backward_tangent = backward_tangent,
};
