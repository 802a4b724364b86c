/* maps.c — what a pass can do, as the kernels that it takes: the schedule that plan.c laid out, one map of one layer
 * after the other. Nothing here waits for the device, brings anything to it, or reads what another call may have
 * changed but for what pass.c has bound: so each can be recorded. */
#include "nn/plan.h"

tc_loss tc_pass_loss(const tc_pass *pass) {
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

static void forward(tc_pass *pass) {
    for (int i = 0; i < pass->layers; i++) pass->step[i].layer->class->forward(&pass->step[i]);
}

static void lose(tc_pass *pass, void *dlogits) {
    const tc_loss loss = tc_pass_loss(pass);
    pass->device->k->loss(pass->device, &loss, pass->losses, dlogits);
}

static void backward_step(tc_step *step) {
    if (step->dy.count && step->layer->class->backward) step->layer->class->backward(step);
}

static void deliver(const tc_pass *pass, const tc_sum *cotangent, void *g_x) {
    if (g_x && cotangent->count) pass->device->k->add(pass->device, pass->shape[0], *cotangent, g_x);
}

/* No cotangents from outside, until tc_pass_vjp gives one. */
static void clear_seeds(tc_pass *pass) {
    for (int v = 1; v < pass->model->values; v++)
        if (pass->seed[v]) pass->device->k->fill(pass->device, tc_shape_count(pass->shape[v]), 0, pass->seed[v]);
}

/* ---- values, gradients, directional derivatives ---- */

static void map_forward(tc_pass *pass, const tc_pass_call *call) {
    (void)call;
    forward(pass);
    lose(pass, NULL);
}

static void map_grad(tc_pass *pass, const tc_pass_call *call) {
    forward(pass);
    lose(pass, pass->dlogits);
    clear_seeds(pass);
    for (int i = pass->layers - 1; i >= 0; i--) backward_step(&pass->step[i]);
    deliver(pass, &pass->cotangent[0], call->g_x);
}

static void take_direction(const tc_pass *pass, const void *x_dot) {
    const size_t count = tc_shape_count(pass->shape[0]);
    if (x_dot)
        pass->device->k->copy(pass->device, count, x_dot, pass->x_dot);
    else
        pass->device->k->fill(pass->device, count, 0, pass->x_dot);
}

static void map_grad_jvp(tc_pass *pass, const tc_pass_call *call) {
    const int layers = pass->layers;
    if (pass->x_dot) take_direction(pass, call->x_dot);
    for (int i = 0; i < layers; i++) {
        tc_step *step = &pass->step[i];
        if (step->y_t) step->layer->class->forward_tangent(step);
    }
    const tc_loss loss = tc_pass_loss(pass);
    pass->device->k->loss_tangent(pass->device, &loss, pass->tangent[pass->model->logits], pass->dlogits_t);
    for (int i = layers - 1; i >= 0; i--) {
        tc_step *step = &pass->step[i];
        if (step->dy_t.count && step->layer->class->backward_tangent) step->layer->class->backward_tangent(step);
    }
    deliver(pass, &pass->cotangent_t[0], call->g_x);
}

/* ---- gradients of single images ---- */

/* The same images lie side by side in groups or one after the other; of each, all that it has. */
static tc_shape by_image(tc_shape s) {
    const int abreast = tc_shape_abreast(s);
    return (tc_shape){.n = (int)tc_shape_groups(s), .h = s.h * s.w * s.c, .w = 1, .c = abreast, .block = abreast};
}

static void map_each(tc_pass *pass, const tc_pass_call *call) {
    (void)call;
    forward(pass);
    lose(pass, pass->dlogits);
    clear_seeds(pass);
    pass->device->k->fill(pass->device, pass->padded, 0, pass->squares);
    for (int i = pass->layers - 1; i >= 0; i--) {
        tc_step *step = &pass->step[i];
        backward_step(step);
        if (step->wants_each && step->dy.count) step->layer->class->squares(step, pass->squares);
    }
}

/* The parameters' gradient of one layer alone, from its cotangent with each image's weight. */
static void sum_step(const tc_pass *pass, const tc_step *step) {
    tc_step alone = *step;
    pass->device->k->scale(pass->device, by_image(step->out), tc_step_q(step), pass->squares, step->scratch, false);
    alone.dy = tc_one(step->scratch);
    alone.q = NULL;
    alone.masks = false; /* it has been */
    for (int j = 0; j < TC_MAX_INPUTS; j++) alone.dx[j] = NULL;
    backward_step(&alone);
}

static void map_sum(tc_pass *pass, const tc_pass_call *call) {
    (void)call;
    for (int i = pass->layers - 1; i >= 0; i--)
        if (pass->step[i].wants_each && pass->step[i].dy.count) sum_step(pass, &pass->step[i]);
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

static void map_vjp(tc_pass *pass, const tc_pass_call *call) {
    const tc_kernels *k = pass->device->k;
    const bool at_logits = call->node == pass->model->logits;
    k->fill(pass->device, tc_shape_count(pass->shape[pass->model->logits]), 0, pass->dlogits);
    clear_seeds(pass);
    k->to_layout(pass->device, pass->shape[call->node], call->cotangent,
                 at_logits ? pass->dlogits : pass->seed[call->node]);
    mark_ancestors(pass, call->node);
    for (int i = pass->layers - 1; i >= 0; i--) {
        tc_step *step = &pass->step[i];
        if (pass->reaches[step->layer->output])
            backward_step(step);
        else
            contribute_zero(step, call->g_theta);
    }
    deliver(pass, &pass->cotangent[0], call->g_x);
}

/* ---- all of them ---- */

void (*const tc_pass_maps[])(tc_pass *pass, const tc_pass_call *call) = {
    [TC_MAP_FORWARD] = map_forward, [TC_MAP_GRAD] = map_grad, [TC_MAP_GRAD_JVP] = map_grad_jvp,
    [TC_MAP_EACH] = map_each,       [TC_MAP_SUM] = map_sum,   [TC_MAP_VJP] = map_vjp,
};
