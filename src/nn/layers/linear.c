/* linear.c — z = a Wᵀ + b on rows, W [out][in], optionally followed by a ReLU. A row is an image, or a position of one:
 * a transformer's token.
 *
 *     backward           ā = z̄ W          W̄ = z̄ᵀ a       b̄ = Σ z̄
 *     forward tangent    ż = a Ẇᵀ + ȧ Wᵀ + ḃ
 *     backward tangent   ā̇ = z̄̇ W + z̄ Ẇ     W̄̇ = z̄̇ᵀ a + z̄ᵀ ȧ     b̄̇ = Σ z̄̇ */
#include "nn/layer.h"

enum { FORWARD, FORWARD_T, FORWARD_MORE, DATA, DATA_MORE, WEIGHTS, EACH, EACH_MORE };
enum { MORE, ONES }; /* saved: a second weight gradient, for W̄̇; as many ones as an image has rows */

static int rows_of(const tc_step *s) {
    return s->out.n * s->out.h * s->out.w;
}

/* ---- each image's gradient: W̄_i = z̄_iᵀ a_i over its T rows ---- */

static int rows_of_each(const tc_step *s) {
    return s->out.h * s->out.w;
}

/* ‖W̄_i‖² + ‖b̄_i‖² = Σ_pp′ (⟨a_p, a_p′⟩ + 1) ⟨z̄_p, z̄_p′⟩ takes T² (in + out) multiplications, W̄_i itself T in out. */
static bool by_inner_products(const tc_step *s) {
    const double in = s->in[0].c, out = s->out.c;
    return rows_of_each(s) * (in + out) < in * out;
}

static tc_status plan_each(tc_step *s, tc_error *error) {
    const int rows = rows_of_each(s), in = s->in[0].c, out = s->out.c;
    const bool inner = by_inner_products(s), bias = s->layer->bias >= 0;
    const tc_product of_x = {.m = rows, .n = rows, .k = in, .transpose_b = true, .bias = bias},
                     of_q = {.m = rows, .n = rows, .k = out, .transpose_b = true},
                     direct = {.m = out, .n = in, .k = rows, .transpose_a = true};
    tc_product_plan *made = NULL;
    tc_status status = TC_OK;
    tc_step_need(s, rows == 1 ? 2 * (size_t)s->out.n : inner ? 2 * (size_t)rows * (size_t)rows : 0);
    if (rows == 1) return TC_OK;
    TC_TRY(s->device->k->product_create(s->device, inner ? &of_x : &direct, &made, error));
    s->plan[EACH] = made;
    if (!inner) goto done;
    TC_TRY(s->device->k->product_create(s->device, &of_q, &made, error));
    s->plan[EACH_MORE] = made;
    TC_TRY(tc_step_keep(s, ONES, (size_t)rows, error));
    s->device->k->fill(s->device, (size_t)rows, 1, s->saved[ONES]);
done:
    return status;
}

/* One row an image: (‖a‖² + 1) ‖z̄‖². */
static void squares_of_rows(tc_step *s, const void *q, void *squares) {
    const tc_kernels *k = s->device->k;
    const size_t n = (size_t)s->out.n;
    void *of_x = s->scratch, *of_q = tc_at(s->device, s->scratch, n);
    k->fill(s->device, n, s->layer->bias >= 0 ? 1 : 0, of_x);
    k->fill(s->device, n, 0, of_q);
    tc_step_square_rows(s, s->out.n, (size_t)s->in[0].c, s->x[0], of_x);
    tc_step_square_rows(s, s->out.n, (size_t)s->out.c, q, of_q);
    k->multiply(s->device, n, of_x, of_q, squares, true);
}

static void square_by_inner_products(tc_step *s, const void *x, const void *q, void *square) {
    const tc_kernels *k = s->device->k;
    const size_t count = (size_t)rows_of_each(s) * (size_t)rows_of_each(s);
    void *of_x = s->scratch, *of_q = tc_at(s->device, s->scratch, count);
    k->product_run(s->plan[EACH], x, x, s->layer->bias >= 0 ? s->saved[ONES] : NULL, of_x);
    k->product_run(s->plan[EACH_MORE], q, q, NULL, of_q);
    tc_step_add_inner(s, count, of_x, of_q, square);
}

static void square_directly(tc_step *s, const void *x, const void *q, void *square) {
    const tc_kernels *k = s->device->k;
    void *db = tc_at(s->device, s->scratch, s->weights);
    k->product_run(s->plan[EACH], q, x, NULL, s->scratch);
    if (s->layer->bias >= 0) k->column_sums(s->device, rows_of_each(s), s->out.c, q, db, false);
    tc_step_add_inner(s, s->weights + s->biases, s->scratch, s->scratch, square);
}

static void squares(tc_step *s, void *to) {
    const void *q = tc_step_q(s);
    if (rows_of_each(s) == 1) {
        squares_of_rows(s, q, to);
        return;
    }
    for (int i = 0; i < s->out.n; i++)
        (by_inner_products(s) ? square_by_inner_products : square_directly)(
            s, tc_step_image(s, s->in[0], s->x[0], i), tc_step_image(s, s->out, q, i), tc_at(s->device, to, (size_t)i));
}

/* ---- the layer ---- */

static tc_status plan(tc_step *s, tc_error *error) {
    const int n = rows_of(s), in = s->in[0].c, out = s->out.c;
    const bool bias = s->layer->bias >= 0;
    const struct {
        bool wanted;
        tc_product product;
    } rows[] = {
        [FORWARD] = {true, {n, out, in, .transpose_b = true, .bias = bias, .relu = s->layer->options.relu}},
        [FORWARD_T] = {s->has_second, {n, out, in, .transpose_b = true, .bias = bias}},
        [FORWARD_MORE] = {s->has_second, {n, out, in, .transpose_b = true, .accumulate = true}},
        [DATA] = {s->wants_dx || s->wants_dx_t, {.m = n, .n = in, .k = out}},
        [DATA_MORE] = {s->has_second && s->wants_dx_t, {n, in, out, .accumulate = true}},
        [WEIGHTS] = {s->wants_theta || s->wants_theta_t, {out, in, n, .transpose_a = true}},
    };
    tc_status status = TC_OK;
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        if (!rows[i].wanted) continue;
        tc_product_plan *made = NULL;
        TC_TRY(s->device->k->product_create(s->device, &rows[i].product, &made, error));
        s->plan[i] = made;
    }
    if (s->wants_theta_t) TC_TRY(tc_step_keep(s, MORE, s->weights, error));
    if (s->wants_each) TC_TRY(plan_each(s, error));
done:
    return status;
}

static void release(tc_step *s) {
    for (size_t i = 0; i < sizeof s->plan / sizeof *s->plan; i++)
        if (s->plan[i]) s->device->k->product_destroy(s->device, s->plan[i]);
}

static void forward(tc_step *s) {
    s->device->k->product_run(s->plan[FORWARD], s->x[0], tc_at(s->device, s->theta, s->weight),
                              tc_step_at(s, s->theta, s->layer->bias, s->bias), s->y);
}

static void backward(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_gather(s);
    if (s->g) {
        k->product_run(s->plan[WEIGHTS], q, s->x[0], NULL, tc_at(s->device, s->g, s->weight));
        if (s->layer->bias >= 0)
            k->column_sums(s->device, rows_of(s), s->out.c, q, tc_at(s->device, s->g, s->bias), false);
    }
    if (s->dx[0]) k->product_run(s->plan[DATA], q, tc_at(s->device, s->theta, s->weight), NULL, s->dx[0]);
}

static void forward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    if (s->theta_t)
        k->product_run(s->plan[FORWARD_T], s->x[0], tc_at(s->device, s->theta_t, s->weight),
                       tc_step_at(s, s->theta_t, s->layer->bias, s->bias), s->y_t);
    else
        k->fill(s->device, tc_shape_count(s->out), 0, s->y_t);
    if (s->x_t[0])
        k->product_run(s->plan[FORWARD_MORE], s->x_t[0], tc_at(s->device, s->theta, s->weight), NULL, s->y_t);
    if (s->masks) k->activation_tangent(s->device, TC_RELU, 0, s->out, NULL, s->y, s->y_t, s->y_t);
}

static void backward_tangent(tc_step *s) {
    const tc_kernels *k = s->device->k;
    const void *q = tc_step_q(s);
    const void *q_t = tc_step_gather_tangent(s);
    if (s->g_t) {
        void *dw = tc_at(s->device, s->g_t, s->weight);
        k->product_run(s->plan[WEIGHTS], q_t, s->x[0], NULL, dw);
        if (s->x_t[0]) {
            k->product_run(s->plan[WEIGHTS], q, s->x_t[0], NULL, s->saved[MORE]);
            k->axpby(s->device, s->weights, 1, s->saved[MORE], 1, dw);
        }
        if (s->layer->bias >= 0)
            k->column_sums(s->device, rows_of(s), s->out.c, q_t, tc_at(s->device, s->g_t, s->bias), false);
    }
    if (!s->dx_t[0]) return;
    k->product_run(s->plan[DATA], q_t, tc_at(s->device, s->theta, s->weight), NULL, s->dx_t[0]);
    if (s->theta_t) k->product_run(s->plan[DATA_MORE], q, tc_at(s->device, s->theta_t, s->weight), NULL, s->dx_t[0]);
}

const tc_layer_class tc_linear_layer = {
    .name = "linear",
    .traits = TC_READS_X_THETA | TC_USES_Q | TC_WHOLE_ROWS,
    .plan = plan,
    .release = release,
    .forward = forward,
    .backward = backward,
    .forward_tangent = forward_tangent,
    .backward_tangent = backward_tangent,
    .squares = squares,
};
