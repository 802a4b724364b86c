/* convolution.c — z = W ∗ a + b, optionally followed by a ReLU.
 *
 *     backward           ā = Wᵀ ∗ z̄        W̄ = z̄ ⊗ a       b̄ = Σ z̄
 *     forward tangent    ż = Ẇ ∗ a + W ∗ ȧ + ḃ
 *     backward tangent   ā̇ = Wᵀ ∗ z̄̇ + Ẇᵀ ∗ z̄   (left as two addends: the layer below adds them up as it reads)
 *                        W̄̇ = z̄̇ ⊗ a + z̄ ⊗ ȧ     b̄̇ = Σ z̄̇ */
#include "nn/layer.h"

enum { BATCH, EACH }; /* plans: of the batch, and of one image for its gradient alone */

static tc_conv_plan *plan_of(const tc_step *s) {
    return s->plan[BATCH];
}

/* Images abreast are told apart by a kernel. */
static tc_status plan_each(tc_step *s, tc_convolution geometry, tc_error *error) {
    tc_conv_plan *made = NULL;
    if (!s->wants_each || tc_shape_abreast(s->out) > 1) return TC_OK;
    tc_step_need(s, tc_step_each_room(s));
    geometry.in.n = geometry.out.n = 1;
    geometry.first = true;
    geometry.direct = true; /* Winograd's transformed gradient would have to be led back for every image */
    const tc_status status = s->device->k->conv_create(s->device, &geometry, &made, error);
    s->plan[EACH] = made;
    return status;
}

static tc_status plan(tc_step *s, tc_error *error) {
    const tc_conv_options *o = &s->layer->options.conv;
    const tc_convolution geometry = {
        .in = s->in[0],
        .out = s->out,
        .kernel = o->kernel,
        .stride = o->stride,
        .padding = o->padding,
        .groups = o->groups,
        .bias = s->layer->bias >= 0,
        .relu = s->layer->options.relu,
        .first = !s->wants_dx && !s->wants_dx_t,
        .forward_only = !s->wants_theta && !s->wants_dx,
        .tangents = s->has_second,
    };
    tc_conv_plan *made = NULL;
    const tc_status status = s->device->k->conv_create(s->device, &geometry, &made, error);
    s->plan[BATCH] = made;
    return status == TC_OK ? plan_each(s, geometry, error) : status;
}

static void release(tc_step *s) {
    for (int i = BATCH; i <= EACH; i++)
        if (s->plan[i]) s->device->k->conv_destroy(s->device, s->plan[i]);
}

static void forward(tc_step *s) {
    const tc_kernels *k = s->device->k;
    k->conv_pack(plan_of(s), TC_WEIGHTS, tc_at(s->device, s->theta, s->weight));
    k->conv_forward(plan_of(s), TC_WEIGHTS, s->x[0], tc_step_at(s, s->theta, s->layer->bias, s->bias), s->y, false);
}

static void backward(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_gather(s);
    if (s->g)
        k->conv_backward_weights(plan_of(s), s->x[0], q, tc_at(s->device, s->g, s->weight),
                                 tc_step_at(s, s->g, s->layer->bias, s->bias), false);
    if (s->dx[0]) k->conv_backward_data(plan_of(s), TC_WEIGHTS, q, s->dx[0]);
}

static void forward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    if (s->theta_t) {
        k->conv_pack(plan_of(s), TC_WEIGHTS_T, tc_at(s->device, s->theta_t, s->weight));
        k->conv_forward(plan_of(s), TC_WEIGHTS_T, s->x[0], tc_step_at(s, s->theta_t, s->layer->bias, s->bias), s->y_t,
                        false);
    } else {
        k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
    }
    if (s->x_t[0]) k->conv_forward(plan_of(s), TC_WEIGHTS, s->x_t[0], NULL, s->y_t, true);
    if (s->masks) k->activation_tangent(s->device, TC_RELU, 0, s->out, NULL, s->y, s->y_t, s->y_t);
}

static void backward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_q(s);
    const void *q_t = tc_step_gather_tangent(s);
    if (s->g_t) {
        void *dw = tc_at(s->device, s->g_t, s->weight);
        k->conv_backward_weights(plan_of(s), s->x[0], q_t, dw, tc_step_at(s, s->g_t, s->layer->bias, s->bias), false);
        if (s->x_t[0]) k->conv_backward_weights(plan_of(s), s->x_t[0], q, dw, NULL, true);
    }
    if (!s->dx_t[0]) return;
    k->conv_backward_data(plan_of(s), TC_WEIGHTS, q_t, s->dx_t[0]);
    if (s->theta_t)
        k->conv_backward_data(plan_of(s), TC_WEIGHTS_T, q, s->dx_u[0]);
    else
        k->fill(s->device, tc_shape_count(s->in[0]), 0, s->dx_u[0]);
}

static void squares(tc_step *s, void *to) {
    const tc_kernels *k = s->device->k;
    if (tc_shape_abreast(s->out) > 1) {
        k->conv_squares(plan_of(s), s->x[0], tc_step_q(s), to);
        return;
    }
    for (int i = 0; i < s->out.n; i++) {
        const tc_each e = tc_step_each(s, i);
        k->conv_backward_weights(s->plan[EACH], e.x, e.q, e.dw, e.db, false);
        tc_step_add_inner(s, s->weights + s->biases, e.dw, e.dw, tc_at(s->device, to, (size_t)i));
    }
}

const tc_layer_class tc_convolution_layer = {
    .name = "convolution",
    .traits = TC_READS_X_THETA | TC_USES_Q | TC_TWO_ADDENDS | TC_HALVES,
    .plan = plan,
    .release = release,
    .forward = forward,
    .backward = backward,
    .forward_tangent = forward_tangent,
    .backward_tangent = backward_tangent,
    .squares = squares,
};
