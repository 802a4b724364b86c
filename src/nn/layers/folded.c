/* folded.c — y = act(γ (W ∗ a + b − μ)/σ + β + residual) with constant μ and σ: a convolution and the batch norm after
 * it in evaluation mode, run as one convolution (nn/fold.c). Per output channel, with c = b − μ and s = γ/σ,
 *
 *     W' = sW,  b' = β + sc         y = act(W' ∗ a + b' + residual)
 *
 * so that neither the convolution's own value nor its cotangent is ever written or read. With q = act′ ȳ, W̄' = q ⊗ a
 * and b̄' = Σq,
 *
 *     backward           ā = W'ᵀ ∗ q      W̄ = sW̄'      b̄ = s b̄'      β̄ = b̄'      γ̄ = (⟨W̄', W⟩ + c b̄')/σ
 *     forward tangent    ṡ = γ̇/σ,  Ẇ' = ṡW + sẆ,  ḃ' = β̇ + ṡc + sḃ
 *                        ẏ = act′ (Ẇ' ∗ a + W' ∗ ȧ + ḃ' + residual's)
 *     backward tangent   ā̇ = W'ᵀ ∗ q̇ + Ẇ'ᵀ ∗ q   (two addends)
 *                        W̄̇ = sW̄̇' + ṡW̄'      b̄̇ = s b̄̇' + ṡ b̄'      β̄̇ = b̄̇'
 *                        γ̄̇ = (⟨W̄̇', W⟩ + ⟨W̄', Ẇ⟩ + c b̄̇' + ḃ b̄')/σ
 *
 * where ⟨·,·⟩ is taken per output channel. */
#include "nn/layer.h"

/* Slots of `saved`: vectors of one number per output channel; W̄', if its tangent will be wanted. */
enum { VECTORS, DW };
enum { INVERSE /* 1/σ */, SCALE /* s */, CENTRE /* c */, SHIFT /* b' */, SCALE_T, SHIFT_T, DB /* b̄' */, DB_T, COUNT };

static tc_conv_plan *plan_of(const tc_step *s) {
    return s->plan[0];
}

static size_t channels(const tc_step *s) {
    return (size_t)s->out.c;
}

static void *vector(const tc_step *s, int which) {
    return tc_at(s->device, s->saved[VECTORS], (size_t)which * channels(s));
}

/* A weight tensor as [out channels][the rest] for the kernels that take one number per image and channel. */
static tc_shape rows(const tc_step *s) {
    return (tc_shape){.n = s->out.c, .h = (int)(s->weights / channels(s)), .w = 1, .c = 1, .block = 1};
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
        .bias = true,
        .relu = s->layer->options.relu && s->layer->inputs == 1,
        .first = !s->wants_dx && !s->wants_dx_t,
        .forward_only = !s->wants_theta && !s->wants_dx,
        .tangents = s->has_second,
    };
    tc_conv_plan *made = NULL;
    tc_status status = s->device->k->conv_create(s->device, &geometry, &made, error);
    s->plan[0] = made;
    if (status == TC_OK) status = tc_step_keep(s, VECTORS, COUNT * channels(s), error);
    if (status == TC_OK && s->wants_theta_t) status = tc_step_keep(s, DW, s->weights, error);
    return status;
}

static void release(tc_step *s) {
    if (s->plan[0]) s->device->k->conv_destroy(s->device, s->plan[0]);
}

/* ---- forward ---- */

/* 1/σ, s, c and b' from this call's parameters and running statistics. */
static void fold_vectors(const tc_step *s) {
    const tc_kernels *k = s->device->k;
    const size_t c = channels(s);
    void *inverse = vector(s, INVERSE), *scale = vector(s, SCALE), *centre = vector(s, CENTRE),
         *shift = vector(s, SHIFT);
    k->fill(s->device, c, TC_NORM_EPSILON, inverse);
    k->axpby(s->device, c, 1, tc_at(s->device, s->state, s->variance), 1, inverse);
    k->sign_power(s->device, c, 1, -0.5, inverse, inverse);
    k->multiply(s->device, c, tc_at(s->device, s->theta, s->gamma), inverse, scale, false);
    k->axpby(s->device, c, -1, tc_at(s->device, s->state, s->mean), 0, centre);
    if (s->layer->bias >= 0) k->axpby(s->device, c, 1, tc_at(s->device, s->theta, s->bias), 1, centre);
    k->copy(s->device, c, tc_at(s->device, s->theta, s->beta), shift);
    k->multiply(s->device, c, scale, centre, shift, true);
}

static void forward(tc_step *s) {
    const tc_kernels *k = s->device->k;
    fold_vectors(s);
    k->scale(s->device, rows(s), tc_at(s->device, s->theta, s->weight), vector(s, SCALE), s->scratch, false);
    k->conv_pack(plan_of(s), TC_WEIGHTS, s->scratch);
    k->conv_forward(plan_of(s), TC_WEIGHTS, s->x[0], vector(s, SHIFT), s->y, false);
    if (s->layer->inputs == 1) return;
    const tc_sum terms = {2, {s->y, s->x[1]}};
    if (s->layer->options.relu)
        k->add_relu(s->device, s->out, terms, s->y);
    else
        k->add(s->device, s->out, terms, s->y);
}

/* ---- backward ---- */

/* The parameters' gradient in `g` from W̄' (which may lie where W̄ belongs) and b̄'. */
static void unfold(const tc_step *s, const void *dw, void *g) {
    const tc_kernels *k = s->device->k;
    const size_t c = channels(s);
    const void *db = vector(s, DB), *scale = vector(s, SCALE);
    void *dgamma = tc_at(s->device, g, s->gamma);
    k->scale_reduce(s->device, rows(s), dw, tc_at(s->device, s->theta, s->weight), dgamma, false);
    k->multiply(s->device, c, vector(s, CENTRE), db, dgamma, true);
    k->multiply(s->device, c, dgamma, vector(s, INVERSE), dgamma, false);
    k->copy(s->device, c, db, tc_at(s->device, g, s->beta));
    k->scale(s->device, rows(s), dw, scale, tc_at(s->device, g, s->weight), false);
    if (s->layer->bias >= 0) k->multiply(s->device, c, scale, db, tc_at(s->device, g, s->bias), false);
}

static void backward(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_gather(s);
    void *dw = s->saved[DW] ? s->saved[DW] : tc_step_at(s, s->g, s->layer->weight, s->weight);
    if (dw) k->conv_backward_weights(plan_of(s), s->x[0], q, dw, vector(s, DB), false);
    if (s->g) unfold(s, dw, s->g);
    if (s->dx[0]) k->conv_backward_data(plan_of(s), TC_WEIGHTS, q, s->dx[0]);
}

/* ---- tangent of forward ---- */

static void fold_tangents(const tc_step *s) {
    const tc_kernels *k = s->device->k;
    const size_t c = channels(s);
    void *scale_t = vector(s, SCALE_T), *shift_t = vector(s, SHIFT_T);
    k->multiply(s->device, c, tc_at(s->device, s->theta_t, s->gamma), vector(s, INVERSE), scale_t, false);
    k->copy(s->device, c, tc_at(s->device, s->theta_t, s->beta), shift_t);
    k->multiply(s->device, c, scale_t, vector(s, CENTRE), shift_t, true);
    if (s->layer->bias >= 0)
        k->multiply(s->device, c, vector(s, SCALE), tc_at(s->device, s->theta_t, s->bias), shift_t, true);
    k->scale(s->device, rows(s), tc_at(s->device, s->theta, s->weight), scale_t, s->scratch, false);
    k->scale(s->device, rows(s), tc_at(s->device, s->theta_t, s->weight), vector(s, SCALE), s->scratch, true);
    k->conv_pack(plan_of(s), TC_WEIGHTS_T, s->scratch);
}

/* The residual's tangent and the mask, in one walk. */
static void finish_tangent(const tc_step *s) {
    const tc_kernels *k = s->device->k;
    const bool residual = s->layer->inputs > 1 && s->x_t[1];
    const tc_sum terms = {residual ? 2 : 1, {s->y_t, residual ? s->x_t[1] : NULL}};
    if (s->masks)
        k->activation_backward(s->device, TC_RELU, 0, s->out, NULL, s->y, terms, s->y_t);
    else if (residual)
        k->add(s->device, s->out, terms, s->y_t);
}

static void forward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    if (s->theta_t) {
        fold_tangents(s);
        k->conv_forward(plan_of(s), TC_WEIGHTS_T, s->x[0], vector(s, SHIFT_T), s->y_t, false);
    } else {
        k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
    }
    if (s->x_t[0]) k->conv_forward(plan_of(s), TC_WEIGHTS, s->x_t[0], NULL, s->y_t, true);
    finish_tangent(s);
}

/* ---- tangent of backward ---- */

static void unfold_tangent(const tc_step *s) {
    const tc_kernels *k = s->device->k;
    const size_t c = channels(s);
    const void *db = vector(s, DB), *db_t = vector(s, DB_T), *scale = vector(s, SCALE), *scale_t = vector(s, SCALE_T);
    void *dw_t = tc_at(s->device, s->g_t, s->weight), *dgamma_t = tc_at(s->device, s->g_t, s->gamma);
    void *dbias_t = tc_step_at(s, s->g_t, s->layer->bias, s->bias);
    k->scale_reduce(s->device, rows(s), dw_t, tc_at(s->device, s->theta, s->weight), dgamma_t, false);
    k->multiply(s->device, c, vector(s, CENTRE), db_t, dgamma_t, true);
    k->copy(s->device, c, db_t, tc_at(s->device, s->g_t, s->beta));
    k->scale(s->device, rows(s), dw_t, scale, dw_t, false);
    if (dbias_t) k->multiply(s->device, c, scale, db_t, dbias_t, false);
    if (s->theta_t) {
        const void *bias_t = tc_step_at(s, s->theta_t, s->layer->bias, s->bias);
        k->scale_reduce(s->device, rows(s), s->saved[DW], tc_at(s->device, s->theta_t, s->weight), dgamma_t, true);
        if (bias_t) k->multiply(s->device, c, bias_t, db, dgamma_t, true);
        k->scale(s->device, rows(s), s->saved[DW], scale_t, dw_t, true);
        if (dbias_t) k->multiply(s->device, c, scale_t, db, dbias_t, true);
    }
    k->multiply(s->device, c, dgamma_t, vector(s, INVERSE), dgamma_t, false);
}

static void backward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_q(s);
    const void *q_t = tc_step_gather_tangent(s);
    if (s->g_t) {
        void *dw_t = tc_at(s->device, s->g_t, s->weight);
        k->conv_backward_weights(plan_of(s), s->x[0], q_t, dw_t, vector(s, DB_T), false);
        if (s->x_t[0]) k->conv_backward_weights(plan_of(s), s->x_t[0], q, dw_t, NULL, true);
        unfold_tangent(s);
    }
    if (!s->dx_t[0]) return;
    k->conv_backward_data(plan_of(s), TC_WEIGHTS, q_t, s->dx_t[0]);
    if (s->theta_t)
        k->conv_backward_data(plan_of(s), TC_WEIGHTS_T, q, s->dx_u[0]);
    else
        k->fill(s->device, tc_shape_count(s->in[0]), 0, s->dx_u[0]);
}

const tc_layer_class tc_folded_layer = {
    .name = "folded convolution",
    .traits = TC_READS_X_THETA | TC_USES_Q | TC_TWO_ADDENDS | TC_RESIDUAL_IS_Q | TC_SCRATCH,
    .plan = plan,
    .release = release,
    .forward = forward,
    .backward = backward,
    .forward_tangent = forward_tangent,
    .backward_tangent = backward_tangent,
};
