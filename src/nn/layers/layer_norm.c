/* layer_norm.c — y = γ x̂ + β, x̂ = (x − μ)/σ with the statistics of each token's own channels (Ba, Kiros and Hinton
 * 2016). The same in training and in evaluation mode. The four maps are the kernel table's. */
#include "nn/layer.h"

/* timm's and the original's; PyTorch's own default is 1e-5. */
#define EPSILON 1e-6

enum { MEAN, INV_STD, SUMS };

static size_t rows_of(const tc_step *s) {
    return (size_t)s->out.n * (size_t)s->out.h * (size_t)s->out.w;
}

static tc_status plan(tc_step *s, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_step_keep(s, MEAN, rows_of(s), error));
    TC_TRY(tc_step_keep(s, INV_STD, rows_of(s), error));
    TC_TRY(tc_step_keep(s, SUMS, (2 * TC_LAYER_NORM_PARTS + 1) * (size_t)s->out.c, error));
done:
    return status;
}

static tc_layer_norm describe(const tc_step *s) {
    const tc_layer *layer = s->layer;
    return (tc_layer_norm){
        .rows = (int)rows_of(s),
        .c = s->out.c,
        .epsilon = EPSILON,
        .x = s->x[0],
        .gamma = tc_step_at(s, s->theta, layer->weight, s->weight),
        .beta = tc_step_at(s, s->theta, layer->bias, s->bias),
        .y = s->y,
        .mean = s->saved[MEAN],
        .inv_std = s->saved[INV_STD],
        .dx = s->dx[0],
        .dgamma = tc_step_at(s, s->g, layer->weight, s->weight),
        .dbeta = tc_step_at(s, s->g, layer->bias, s->bias),
        .x_t = s->x_t[0],
        .y_t = s->y_t,
        .gamma_t = tc_step_at(s, s->theta_t, layer->weight, s->weight),
        .beta_t = tc_step_at(s, s->theta_t, layer->bias, s->bias),
        .dx_t = s->dx_t[0],
        .dgamma_t = tc_step_at(s, s->g_t, layer->weight, s->weight),
        .dbeta_t = tc_step_at(s, s->g_t, layer->bias, s->bias),
        .sums = s->saved[SUMS],
    };
}

static void forward(tc_step *s) {
    const tc_layer_norm norm = describe(s);
    s->device->k->layer_norm(s->device, &norm);
}

static void backward(tc_step *s) {
    tc_layer_norm norm = describe(s);
    norm.q = tc_step_gather(s);
    s->device->k->layer_norm_backward(s->device, &norm);
}

static void forward_tangent(tc_step *s) {
    const tc_layer_norm norm = describe(s);
    s->device->k->layer_norm_tangent(s->device, &norm);
}

static void backward_tangent(tc_step *s) {
    tc_layer_norm norm = describe(s);
    norm.q = tc_step_q(s);
    norm.q_t = tc_step_gather_tangent(s);
    s->device->k->layer_norm_backward_tangent(s->device, &norm);
}

/* γ̄ and β̄ over an image's own rows. */
static void squares(tc_step *s, void *to) {
    const size_t c = (size_t)s->out.c, rows = (size_t)s->out.h * (size_t)s->out.w;
    tc_layer_norm norm = describe(s);
    norm.rows = (int)rows;
    norm.dx = NULL;
    norm.dgamma = s->scratch;
    norm.dbeta = tc_at(s->device, s->scratch, c);
    for (int i = 0; i < s->out.n; i++) {
        norm.x = tc_step_image(s, s->in[0], s->x[0], i);
        norm.q = tc_step_image(s, s->out, tc_step_q(s), i);
        norm.mean = tc_at(s->device, s->saved[MEAN], (size_t)i * rows);
        norm.inv_std = tc_at(s->device, s->saved[INV_STD], (size_t)i * rows);
        s->device->k->layer_norm_backward(s->device, &norm);
        tc_step_add_inner(s, 2 * c, s->scratch, s->scratch, tc_at(s->device, to, (size_t)i));
    }
}

const tc_layer_class tc_layer_norm_layer = {
    .name = "layer norm",
    .traits = TC_READS_X | TC_USES_Q | TC_WHOLE_ROWS,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .forward_tangent = forward_tangent,
    .backward_tangent = backward_tangent,
    .squares = squares,
};
