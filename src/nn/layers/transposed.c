/* transposed.c — transposed convolution: the mirror of a convolution from its output to its input, so every map is one
 * of the convolution's with the roles of a and z exchanged:
 *
 *     z = Wᵀ ∗ a + b         ā = W ∗ z̄        W̄ = a ⊗ z̄       b̄ = Σ z̄
 *
 * W is IOHW, as in PyTorch, which is OIHW of the mirrored convolution. */
#include "nn/layer.h"

enum { BATCH, EACH }; /* plans: of the batch, and of one image for its gradient alone */

static tc_status plan_each(tc_step *s, tc_convolution mirrored, tc_error *error) {
    tc_conv_plan *made = NULL;
    if (!s->wants_each) return TC_OK;
    tc_step_need(s, tc_step_each_room(s));
    mirrored.in.n = mirrored.out.n = 1;
    mirrored.first = true;
    const tc_status status = s->device->k->conv_create(s->device, &mirrored, &made, error);
    s->plan[EACH] = made;
    return status;
}

static tc_status plan(tc_step *s, tc_error *error) {
    const tc_conv_options *o = &s->layer->options.conv;
    const tc_convolution mirrored = {
        .in = s->out,
        .out = s->in[0],
        .kernel = o->kernel,
        .stride = o->stride,
        .padding = o->padding,
        .groups = o->groups,
        .tangents = s->has_second,
    };
    tc_conv_plan *made = NULL;
    tc_status status = s->device->k->conv_create(s->device, &mirrored, &made, error);
    s->plan[BATCH] = made;
    if (status == TC_OK) status = plan_each(s, mirrored, error);
    /* The kernels overwrite, and ż and ā̇ are sums of two: room for the second term. */
    const size_t in = tc_shape_count(s->in[0]), out = tc_shape_count(s->out);
    if (status == TC_OK && s->has_second) status = tc_step_keep(s, 0, in > out ? in : out, error);
    return status;
}

static void release(tc_step *s) {
    for (int i = BATCH; i <= EACH; i++)
        if (s->plan[i]) s->device->k->conv_destroy(s->device, s->plan[i]);
}

static void forward(tc_step *s) {
    const tc_kernels *k = s->device->k;
    k->conv_pack(s->plan[BATCH], TC_WEIGHTS, tc_at(s->device, s->theta, s->weight));
    k->conv_backward_data(s->plan[BATCH], TC_WEIGHTS, s->x[0], s->y);
    if (s->layer->bias >= 0) k->channel_add(s->device, s->out, tc_at(s->device, s->theta, s->bias), s->y);
}

static void backward(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_gather(s);
    if (s->g) {
        k->conv_backward_weights(s->plan[BATCH], q, s->x[0], tc_at(s->device, s->g, s->weight), NULL, false);
        if (s->layer->bias >= 0) k->channel_sums(s->device, s->out, q, tc_at(s->device, s->g, s->bias), false);
    }
    if (s->dx[0]) k->conv_forward(s->plan[BATCH], TC_WEIGHTS, q, NULL, s->dx[0], false);
}

static void forward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const size_t count = tc_shape_count(s->out);
    k->fill(s->device, count, 0, s->y_t);
    if (s->theta_t) {
        k->conv_pack(s->plan[BATCH], TC_WEIGHTS_T, tc_at(s->device, s->theta_t, s->weight));
        k->conv_backward_data(s->plan[BATCH], TC_WEIGHTS_T, s->x[0], s->y_t);
        if (s->layer->bias >= 0) k->channel_add(s->device, s->out, tc_at(s->device, s->theta_t, s->bias), s->y_t);
    }
    if (!s->x_t[0]) return;
    k->conv_backward_data(s->plan[BATCH], TC_WEIGHTS, s->x_t[0], s->saved[0]);
    k->axpby(s->device, count, 1, s->saved[0], 1, s->y_t);
}

static void backward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_q(s);
    const void *q_t = tc_step_gather_tangent(s);
    if (s->g_t) {
        void *dw = tc_at(s->device, s->g_t, s->weight);
        k->conv_backward_weights(s->plan[BATCH], q_t, s->x[0], dw, NULL, false);
        if (s->x_t[0]) k->conv_backward_weights(s->plan[BATCH], q, s->x_t[0], dw, NULL, true);
        if (s->layer->bias >= 0) k->channel_sums(s->device, s->out, q_t, tc_at(s->device, s->g_t, s->bias), false);
    }
    if (!s->dx_t[0]) return;
    k->conv_forward(s->plan[BATCH], TC_WEIGHTS, q_t, NULL, s->dx_t[0], false);
    if (s->theta_t) k->conv_forward(s->plan[BATCH], TC_WEIGHTS_T, q, NULL, s->dx_t[0], true);
}

static void squares(tc_step *s, void *to) {
    const tc_kernels *k = s->device->k;
    tc_shape one = s->out;
    one.n = 1;
    for (int i = 0; i < s->out.n; i++) {
        const tc_each e = tc_step_each(s, i);
        k->conv_backward_weights(s->plan[EACH], e.q, e.x, e.dw, NULL, false);
        if (e.db) k->channel_sums(s->device, one, e.q, e.db, false);
        tc_step_add_inner(s, s->weights + s->biases, e.dw, e.dw, tc_at(s->device, to, (size_t)i));
    }
}

const tc_layer_class tc_transposed_layer = {
    .name = "transposed convolution",
    .traits = TC_READS_X_THETA | TC_USES_Q,
    .plan = plan,
    .release = release,
    .forward = forward,
    .backward = backward,
    .forward_tangent = forward_tangent,
    .backward_tangent = backward_tangent,
    .squares = squares,
};
