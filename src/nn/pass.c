/* pass.c — running a pass: the schedule that plan.c laid out, one map of one layer after the other. */
#include "nn/plan.h"

#include <stdlib.h>

enum { MAX_BATCH = 1 << 20 };

/* ---- making and freeing ---- */

static tc_status reals(tc_pass *pass, size_t count, void *pointer, tc_error *error) {
    return tc_device_reals(pass->device, count, pointer, error);
}

static tc_status allocate_ends(tc_pass *pass, tc_error *error) {
    const size_t n = (size_t)pass->options.batch, classes = (size_t)pass->model->classes;
    const tc_shape in = tc_model_input(pass->model);
    const size_t x = n * tc_shape_count(in);
    tc_status status = TC_OK;
    TC_TRY(reals(pass, x, &pass->x, error));
    if (pass->options.want & TC_WANT_X_DOT) TC_TRY(reals(pass, x, &pass->x_dot, error));
    TC_TRY(tc_device_bytes(pass->device, n * sizeof *pass->labels, &pass->labels, error));
    if (pass->options.soft_targets) TC_TRY(reals(pass, n * classes, &pass->soft, error));
    TC_TRY(reals(pass, n, &pass->losses, error));
done:
    return status;
}

static tc_status allocate_tables(tc_pass *pass, tc_error *error) {
    const size_t values = (size_t)pass->model->values;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&pass->shape, values, sizeof *pass->shape, error));
    TC_TRY(tc_new(&pass->step, (size_t)pass->layers, sizeof *pass->step, error));
    TC_TRY(tc_new(&pass->value, values, sizeof *pass->value, error));
    TC_TRY(tc_new(&pass->tangent, values, sizeof *pass->tangent, error));
    TC_TRY(tc_new(&pass->cotangent, values, sizeof *pass->cotangent, error));
    TC_TRY(tc_new(&pass->cotangent_t, values, sizeof *pass->cotangent_t, error));
    TC_TRY(tc_new(&pass->reaches, values, sizeof *pass->reaches, error));
    TC_TRY(tc_new(&pass->seed, values, sizeof *pass->seed, error));
done:
    return status;
}

tc_status tc_pass_create(tc_device *device, const tc_model *model, const tc_pass_options *options, tc_pass **pass,
                         tc_error *error) {
    *pass = NULL;
    if (options->batch < 1 || options->batch > MAX_BATCH)
        return tc_raise(error, TC_INVALID, "batch: %d images; must be 1 … %d", options->batch, MAX_BATCH);
    tc_pass *made = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    made->device = device;
    made->model = model;
    made->options = *options;
    made->layer = options->mode == TC_EVALUATE ? model->folded : model->layer;
    made->layers = options->mode == TC_EVALUATE ? model->folded_layers : model->layers;
    const size_t before = device->bytes;
    TC_TRY(allocate_tables(made, error));
    TC_TRY(allocate_ends(made, error));
    TC_TRY(tc_pass_plan(made, error));
    made->bytes = device->bytes - before;
    *pass = made;
done:
    if (status != TC_OK) tc_pass_free(made);
    return status;
}

void tc_pass_free(tc_pass *pass) {
    if (!pass) return;
    tc_device *device = pass->device;
    for (int i = 0; pass->step && i < pass->layers; i++) {
        tc_step *step = &pass->step[i];
        if (!step->layer) continue;
        if (step->layer->class->release) step->layer->class->release(step);
        tc_step_release_kept(step);
    }
    void *held[] = {pass->workspace, pass->scratch, pass->x,      pass->x_dot,
                    pass->labels,    pass->soft,    pass->losses, pass->squares};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i]) device->k->release(device, held[i]);
    free(pass->shape);
    free(pass->step);
    free(pass->value);
    free(pass->tangent);
    free(pass->cotangent);
    free(pass->cotangent_t);
    free(pass->reaches);
    free(pass->seed);
    free(pass->host_square);
    free(pass);
}

/* ---- looking in ---- */

void *tc_pass_input(tc_pass *pass) {
    return pass->x;
}

int32_t *tc_pass_labels(tc_pass *pass) {
    return pass->labels;
}

void *tc_pass_soft(tc_pass *pass) {
    return pass->soft;
}

void tc_pass_set_stream(tc_pass *pass, tc_stream stream) {
    pass->stream = stream;
}

void tc_pass_set_pace(tc_pass *pass, const tc_pace *pace) {
    pass->pace = pace;
}

const void *tc_pass_logits(const tc_pass *pass) {
    return pass->value[pass->model->logits];
}

size_t tc_pass_bytes(const tc_pass *pass) {
    return pass->bytes;
}

tc_shape tc_pass_feature_shape(const tc_pass *pass, tc_node node) {
    const tc_shape s = pass->shape[node];
    return tc_nhwc(s.n, s.h, s.w, s.c);
}

void tc_pass_features(const tc_pass *pass, tc_node node, void *features) {
    pass->device->k->from_layout(pass->device, pass->shape[node], pass->value[node], features);
}

/* ---- running ---- */

static tc_loss loss_of(const tc_pass *pass) {
    return (tc_loss){
        .kind = pass->options.loss,
        .kappa = pass->options.kappa,
        .n = pass->options.batch,
        .classes = pass->model->classes,
        .logits = tc_pass_logits(pass),
        .labels = pass->labels,
        .soft = pass->soft,
        .weight = 1.0 / pass->options.batch,
    };
}

static void forward(tc_pass *pass, const void *theta, void *state) {
    for (int i = 0; i < pass->layers; i++) {
        tc_step *step = &pass->step[i];
        step->theta = theta;
        step->state = state;
        step->number = (uint64_t)i;
        step->stream = tc_stream_child(pass->stream, "layer", step->number);
        step->pace = pass->pace;
        step->layer->class->forward(step);
    }
}

static void lose(tc_pass *pass, void *dlogits) {
    const tc_loss loss = loss_of(pass);
    pass->device->k->loss(pass->device, &loss, pass->losses, dlogits);
}

double tc_pass_mean_loss(const tc_pass *pass) {
    return pass->device->k->sum(pass->device, (size_t)pass->options.batch, pass->losses) / pass->options.batch;
}

void tc_pass_tally(const tc_pass *pass, tc_count *count) {
    const tc_loss loss = loss_of(pass);
    pass->device->k->tally(pass->device, &loss, pass->losses, count);
}

void tc_pass_watch(const tc_pass *pass, tc_count *count) {
    pass->device->k->watch(pass->device, (size_t)pass->options.batch, pass->losses, count);
}

static void backward_step(tc_step *step, void *g_theta) {
    step->g = step->layer->weight >= 0 ? g_theta : NULL;
    if (step->dy.count && step->layer->class->backward) step->layer->class->backward(step);
}

/* What was not asked for when the pass was made has no plan and no memory. */
static void *if_wanted(const tc_pass *pass, unsigned want, void *result) {
    return pass->options.want & want ? result : NULL;
}

static void deliver(const tc_pass *pass, const tc_sum *cotangent, void *g_x) {
    if (g_x && cotangent->count) pass->device->k->add(pass->device, pass->shape[0], *cotangent, g_x);
}

/* No cotangents from outside, until tc_pass_vjp gives one. */
static void clear_seeds(tc_pass *pass) {
    for (int v = 1; v < pass->model->values; v++)
        if (pass->seed[v]) pass->device->k->fill(pass->device, tc_shape_count(pass->shape[v]), 0, pass->seed[v]);
}

double tc_pass_forward(tc_pass *pass, const void *theta, void *state) {
    forward(pass, theta, state);
    lose(pass, NULL);
    return tc_pass_mean_loss(pass);
}

void tc_pass_grad_async(tc_pass *pass, const void *theta, void *state, void *g_theta, void *g_x) {
    g_theta = if_wanted(pass, TC_WANT_GRAD_THETA | TC_WANT_JVP_THETA, g_theta);
    pass->theta = theta;
    pass->state = state;
    pass->spent = false;
    forward(pass, theta, state);
    lose(pass, pass->dlogits);
    clear_seeds(pass);
    for (int i = pass->layers - 1; i >= 0; i--) backward_step(&pass->step[i], g_theta);
    deliver(pass, &pass->cotangent[0], g_x);
}

double tc_pass_grad(tc_pass *pass, const void *theta, void *state, void *g_theta, void *g_x) {
    tc_pass_grad_async(pass, theta, state, g_theta, g_x);
    return tc_pass_mean_loss(pass);
}

void tc_pass_grad_jvp(tc_pass *pass, const void *theta_dot, const void *x_dot, void *gdot_theta, void *gdot_x) {
    const tc_kernels *k = pass->device->k;
    const int layers = pass->layers;
    gdot_theta = if_wanted(pass, TC_WANT_JVP_THETA, gdot_theta);
    /* In training mode the running statistics have seen this batch already. */
    if (pass->spent)
        tc_pass_grad_async(pass, pass->theta, pass->options.mode == TC_TRAIN ? NULL : pass->state, NULL, NULL);
    pass->spent = !(pass->options.want & TC_WANT_MANY_DIRECTIONS);
    if (pass->x_dot) {
        const size_t count = tc_shape_count(pass->shape[0]);
        if (x_dot)
            k->copy(pass->device, count, x_dot, pass->x_dot);
        else
            k->fill(pass->device, count, 0, pass->x_dot);
    }
    for (int i = 0; i < layers; i++) {
        tc_step *step = &pass->step[i];
        step->theta_t = theta_dot;
        if (step->y_t) step->layer->class->forward_tangent(step);
    }
    const tc_loss loss = loss_of(pass);
    k->loss_tangent(pass->device, &loss, pass->tangent[pass->model->logits], pass->dlogits_t);
    for (int i = layers - 1; i >= 0; i--) {
        tc_step *step = &pass->step[i];
        step->g_t = step->layer->weight >= 0 ? gdot_theta : NULL;
        if (step->dy_t.count && step->layer->class->backward_tangent) step->layer->class->backward_tangent(step);
    }
    deliver(pass, &pass->cotangent_t[0], gdot_x);
}

/* ---- gradients of single images ---- */

/* The same images lie side by side in groups or one after the other; of each, all that it has. */
static tc_shape by_image(tc_shape s) {
    const int abreast = tc_shape_abreast(s);
    return (tc_shape){.n = (int)tc_shape_groups(s), .h = s.h * s.w * s.c, .w = 1, .c = abreast, .block = abreast};
}

double tc_pass_grad_each(tc_pass *pass, const void *theta, int count, double *squares) {
    const tc_kernels *k = pass->device->k;
    const double n = pass->options.batch;
    forward(pass, theta, NULL);
    lose(pass, pass->dlogits);
    clear_seeds(pass);
    k->fill(pass->device, pass->padded, 0, pass->squares);
    for (int i = pass->layers - 1; i >= 0; i--) {
        tc_step *step = &pass->step[i];
        backward_step(step, NULL);
        if (step->wants_each && step->dy.count) step->layer->class->squares(step, pass->squares);
    }
    k->download_double(pass->device, squares, pass->squares, (size_t)count);
    for (int i = 0; i < count; i++) squares[i] *= n * n; /* the cotangents are those of the mean */
    return k->sum(pass->device, (size_t)count, pass->losses) / count;
}

/* The parameters' gradient of one layer alone, from its cotangent with each image's weight. */
static void sum_step(const tc_pass *pass, const tc_step *step, void *g_theta) {
    tc_step alone = *step;
    pass->device->k->scale(pass->device, by_image(step->out), tc_step_q(step), pass->squares, step->scratch, false);
    alone.dy = tc_one(step->scratch);
    alone.q = NULL;
    alone.masks = false; /* it has been */
    for (int j = 0; j < TC_MAX_INPUTS; j++) alone.dx[j] = NULL;
    backward_step(&alone, g_theta);
}

void tc_pass_grad_sum(tc_pass *pass, int count, const double *weights, void *g_theta) {
    for (size_t i = 0; i < pass->padded; i++)
        pass->host_square[i] = i < (size_t)count ? weights[i] * pass->options.batch : 0;
    pass->device->k->upload_double(pass->device, pass->squares, pass->host_square, pass->padded);
    for (int i = pass->layers - 1; i >= 0; i--)
        if (pass->step[i].wants_each && pass->step[i].dy.count) sum_step(pass, &pass->step[i], g_theta);
}

/* ---- vector-Jacobian products from inside the network ---- */

/* reaches[v]: the value of v has an influence on `node`. */
static void mark_ancestors(tc_pass *pass, tc_node node) {
    for (int v = 0; v < pass->model->values; v++) pass->reaches[v] = v == node;
    for (int i = pass->layers - 1; i >= 0; i--) {
        const tc_layer *layer = &pass->layer[i];
        if (!pass->reaches[layer->output]) continue;
        for (int j = 0; j < layer->inputs; j++) pass->reaches[layer->input[j]] = true;
    }
}

/* A layer that does not lead to the node contributes nothing to its inputs' cotangents. */
static void contribute_zero(tc_step *step, void *g_theta) {
    const tc_kernels *k = step->device->k;
    const tc_layer *layer = step->layer;
    const size_t c = (size_t)step->out.c;
    if (g_theta && layer->weight >= 0)
        k->fill(step->device, step->weights, 0, tc_at(step->device, g_theta, step->weight));
    if (g_theta && layer->bias >= 0) k->fill(step->device, step->biases, 0, tc_at(step->device, g_theta, step->bias));
    if (g_theta && layer->gamma >= 0) k->fill(step->device, c, 0, tc_at(step->device, g_theta, step->gamma));
    if (g_theta && layer->beta >= 0) k->fill(step->device, c, 0, tc_at(step->device, g_theta, step->beta));
    if (step->q) k->fill(step->device, tc_shape_count(step->out), 0, step->q);
    for (int j = 0; j < layer->inputs; j++)
        if (step->dx[j]) k->fill(step->device, tc_shape_count(step->in[j]), 0, step->dx[j]);
}

void tc_pass_vjp(tc_pass *pass, const void *theta, tc_node node, const void *cotangent, void *g_theta, void *g_x) {
    const tc_kernels *k = pass->device->k;
    const bool at_logits = node == pass->model->logits;
    k->fill(pass->device, tc_shape_count(pass->shape[pass->model->logits]), 0, pass->dlogits);
    clear_seeds(pass);
    k->to_layout(pass->device, pass->shape[node], cotangent, at_logits ? pass->dlogits : pass->seed[node]);
    mark_ancestors(pass, node);
    for (int i = pass->layers - 1; i >= 0; i--) {
        tc_step *step = &pass->step[i];
        step->theta = theta;
        if (pass->reaches[step->layer->output])
            backward_step(step, g_theta);
        else
            contribute_zero(step, g_theta);
    }
    deliver(pass, &pass->cotangent[0], g_x);
}
