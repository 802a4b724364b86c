/* plan.c — laying out a pass.
 *
 * The schedule of a pass is known when it is made: forward, loss, backward and, for second order, the tangents of all
 * three. So every buffer's lifetime is known too. This file walks through the schedule once, gives each value, tangent
 * and cotangent a span, touches it at each step that will use it, lets tc_plan_spans overlay those that never meet, and
 * resolves all pointers. Nothing is looked up or allocated when the pass runs.
 *
 * A cotangent is never summed for its own sake: each user of a value leaves an addend, and the layer that computed the
 * value adds them up as it reads them (tc_sum). The sum can be left in the memory of an addend which nobody else still
 * needs (which is not "shared"). */
#include "nn/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct terms {
    int count;
    int span[TC_MAX_TERMS];
} terms;

/* A layer's buffers, as span numbers; −1: none. */
typedef struct places {
    int q, q_t;
    int dx[TC_MAX_INPUTS], dx_t[TC_MAX_INPUTS], dx_u[TC_MAX_INPUTS];
} places;

typedef struct draft {
    tc_pass *pass;
    const tc_model *model;
    int layers;
    bool second; /* a second-order phase exists */
    tc_span *span;
    bool *shared; /* [spans]: must not be overwritten in place */
    int spans;
    int *value, *tangent;  /* [values]: spans */
    bool *from_theta;      /* [values]: depends on a parameter */
    bool *needs, *needs_t; /* [values]: its cotangent, its cotangent's tangent, is wanted */
    terms *dy, *dy_t;      /* [values] */
    places *place;         /* [layers] */
    int dlogits, dlogits_t;
    int *seed; /* [values]: a named value's cotangent from outside, an addend of its own */
} draft;

/* ---- the schedule ---- */

static int at_forward(const draft *d, int layer) {
    (void)d;
    return layer;
}
static int at_loss(const draft *d) {
    return d->layers;
}
static int at_backward(const draft *d, int layer) {
    return 2 * d->layers - layer;
}
static int at_forward_t(const draft *d, int layer) {
    return 2 * d->layers + 1 + layer;
}
static int at_loss_t(const draft *d) {
    return 3 * d->layers + 1;
}
static int at_backward_t(const draft *d, int layer) {
    return 4 * d->layers + 1 - layer;
}
static int at_end(const draft *d) {
    return d->second ? 4 * d->layers + 2 : 2 * d->layers + 1;
}

/* ---- spans ---- */

static int new_span(draft *d, tc_shape shape) {
    d->span[d->spans] = (tc_span){.bytes = tc_shape_bytes(d->pass->device, shape), .first = 0, .last = -1};
    return d->spans++;
}

static void touch(draft *d, int span, int time) {
    if (span >= 0) tc_span_touch(&d->span[span], time);
}

static void touch_terms(draft *d, const terms *list, int time) {
    for (int i = 0; i < list->count; i++) touch(d, list->span[i], time);
}

static tc_status add_term(draft *d, terms *list, int span, tc_error *error) {
    if (list->count == TC_MAX_TERMS)
        return tc_raise(error, TC_INVALID,
                        "model %s: a value is used by more layers than the engine adds up (%d addends)", d->model->name,
                        TC_MAX_TERMS);
    list->span[list->count++] = span;
    return TC_OK;
}

/* ---- what is needed ---- */

static void find_needs(draft *d) {
    const unsigned want = d->pass->options.want;
    for (int i = 0; i < d->layers; i++) {
        const tc_layer *layer = &d->pass->layer[i];
        bool from = layer->weight >= 0;
        for (int j = 0; j < layer->inputs; j++) from |= d->from_theta[layer->input[j]];
        d->from_theta[layer->output] = from;
    }
    for (int v = 0; v < d->model->values; v++) {
        if (d->model->value[v].layer < -1) continue;
        const bool input = v == 0;
        if (want & (TC_WANT_GRAD_X | TC_WANT_JVP_X))
            d->needs[v] = !input || (want & TC_WANT_GRAD_X);
        else
            d->needs[v] = want && d->from_theta[v];
        if (want & TC_WANT_JVP_X)
            d->needs_t[v] = true;
        else
            d->needs_t[v] = (want & TC_WANT_JVP_THETA) && d->from_theta[v];
    }
}

static bool has_tangent(const draft *d, tc_node v) {
    if (!d->second) return false;
    return (d->pass->options.want & TC_WANT_X_DOT) || d->from_theta[v];
}

static bool is_residual(const tc_layer *layer, int j) {
    return (layer->class->traits & TC_RESIDUAL_IS_Q) && j == 1;
}

static bool backward_reads_x(const draft *d, const tc_layer *layer, int j, bool tangent) {
    const unsigned traits = layer->class->traits, want = d->pass->options.want;
    const unsigned for_theta = tangent ? TC_WANT_JVP_THETA : TC_WANT_GRAD_THETA | TC_WANT_JVP_THETA;
    if (is_residual(layer, j)) return false;
    if (traits & TC_READS_X) return true;
    if ((traits & TC_READS_X_TRAINING) && d->pass->options.mode == TC_TRAIN) return true;
    return (traits & TC_READS_X_THETA) && (want & for_theta);
}

/* A max pool lets nothing back to where the ReLU below is zero, so that layer, whose only user it is, need not mask. */
static bool masked_by_pool(const draft *d, const tc_layer *layer) {
    if (!layer || (layer->class != &tc_convolution_layer && layer->class != &tc_folded_layer)) return false;
    const tc_value *value = &d->model->value[layer->output];
    const bool seeded = (d->pass->options.want & TC_WANT_FEATURES) && value->name[0];
    if (!layer->options.relu || value->users != 1 || seeded) return false;
    for (const tc_layer *user = layer + 1; user < d->pass->layer + d->layers; user++)
        if (user->input[0] == layer->output) return user->class == &tc_max_pool_layer;
    return false;
}

/* The layer of this pass that computes x; NULL: none. */
static const tc_layer *layer_below(const draft *d, tc_node x) {
    for (const tc_layer *layer = d->pass->layer; layer < d->pass->layer + d->layers; layer++)
        if (layer->output == x) return layer;
    return NULL;
}

static bool masks(const draft *d, const tc_layer *layer) {
    return layer->options.relu && !masked_by_pool(d, layer);
}

static bool backward_reads_y(const draft *d, const tc_layer *layer) {
    return (layer->class->traits & TC_READS_Y) || masks(d, layer);
}

/* ---- walking through the schedule ---- */

/* Where features are wanted, a named value's cotangent has one more addend, which tc_pass_vjp fills in. */
static tc_status walk_seeds(draft *d, tc_error *error) {
    tc_status status = TC_OK;
    if (!(d->pass->options.want & TC_WANT_FEATURES)) goto done;
    for (int v = 1; v < d->model->values; v++) {
        if (!d->model->value[v].name[0] || !d->needs[v]) continue;
        d->seed[v] = new_span(d, d->pass->shape[v]);
        touch(d, d->seed[v], at_loss(d));
        TC_TRY(add_term(d, &d->dy[v], d->seed[v], error));
    }
done:
    return status;
}

static void walk_forward(draft *d, int i) {
    const tc_layer *layer = &d->pass->layer[i];
    d->value[layer->output] = new_span(d, d->pass->shape[layer->output]);
    for (int j = 0; j < layer->inputs; j++) touch(d, d->value[layer->input[j]], at_forward(d, i));
    touch(d, d->value[layer->output], at_forward(d, i));
    if (layer->output == d->model->logits || d->model->value[layer->output].name[0])
        touch(d, d->value[layer->output], at_end(d));
}

static void walk_forward_tangent(draft *d, int i) {
    const tc_layer *layer = &d->pass->layer[i];
    if (!has_tangent(d, layer->output)) return;
    const int time = at_forward_t(d, i);
    d->tangent[layer->output] = new_span(d, d->pass->shape[layer->output]);
    for (int j = 0; j < layer->inputs; j++) {
        if (!is_residual(layer, j)) touch(d, d->value[layer->input[j]], time);
        touch(d, d->tangent[layer->input[j]], time);
    }
    touch(d, d->value[layer->output], time);
    touch(d, d->tangent[layer->output], time);
    if (layer->output == d->model->logits) touch(d, d->tangent[layer->output], at_end(d));
}

/* Where a layer leaves its gathered cotangent: nowhere if there is nothing to gather, in an addend's memory if that is
 * its alone (which then becomes the first), else in its own. */
static int place_q(draft *d, const tc_layer *layer, terms *dy) {
    if (!(layer->class->traits & TC_USES_Q) || (dy->count == 1 && !masks(d, layer))) return -1;
    for (int i = 0; i < dy->count; i++) {
        const int span = dy->span[i];
        if (d->shared[span]) continue;
        dy->span[i] = dy->span[0];
        return dy->span[0] = span;
    }
    return new_span(d, d->pass->shape[layer->output]);
}

/* The addend that input j's cotangent gets from layer i, or −1 where a new buffer has to be made. */
static int inherited_term(const tc_layer *layer, int j, int q, const terms *dy) {
    if (is_residual(layer, j)) return q >= 0 ? q : dy->span[0];
    return -1;
}

static tc_status walk_input(draft *d, int i, int j, bool tangent, tc_error *error) {
    const tc_layer *layer = &d->pass->layer[i];
    const tc_node x = layer->input[j];
    const terms *dy = tangent ? &d->dy_t[layer->output] : &d->dy[layer->output];
    terms *dx = tangent ? &d->dy_t[x] : &d->dy[x];
    places *place = &d->place[i];
    tc_status status = TC_OK;
    if (!(tangent ? d->needs_t[x] : d->needs[x])) return TC_OK;
    if (layer->class->traits & TC_PASSES_ON) {
        const int q = tangent ? place->q_t : place->q, whole = q >= 0 ? q : dy->span[0];
        d->shared[whole] = true;
        return add_term(d, dx, whole, error);
    }
    const int given = inherited_term(layer, j, tangent ? place->q_t : place->q, dy);
    if (given >= 0) {
        /* Nobody may overwrite what this layer still reads: an ungathered addend, or a q that its tangent of backward
         * will read again. */
        const bool gathered = (tangent ? place->q_t : place->q) >= 0;
        d->shared[given] |= !gathered || (d->second && !tangent);
        return add_term(d, dx, given, error);
    }
    int *slot = tangent ? &place->dx_t[j] : &place->dx[j];
    *slot = new_span(d, d->pass->shape[x]);
    TC_TRY(add_term(d, dx, *slot, error));
    if (!tangent || !(layer->class->traits & TC_TWO_ADDENDS)) return TC_OK;
    place->dx_u[j] = new_span(d, d->pass->shape[x]);
    status = add_term(d, dx, place->dx_u[j], error);
done:
    return status;
}

static void touch_backward(draft *d, int i, int time, bool tangent) {
    const tc_layer *layer = &d->pass->layer[i];
    const places *place = &d->place[i];
    if (layer->class->traits & TC_PASSES_ON) {
        if ((tangent ? place->q_t : place->q) < 0) return;
        touch_terms(d, tangent ? &d->dy_t[layer->output] : &d->dy[layer->output], time);
        touch(d, tangent ? place->q_t : place->q, time);
        return;
    }
    if (backward_reads_y(d, layer)) touch(d, d->value[layer->output], time);
    touch(d, place->q, time);
    if (!tangent || place->q < 0) touch_terms(d, &d->dy[layer->output], time);
    if (tangent) touch_terms(d, &d->dy_t[layer->output], time);
    if (tangent) touch(d, place->q_t, time);
    for (int j = 0; j < layer->inputs; j++) {
        touch(d, tangent ? place->dx_t[j] : place->dx[j], time);
        if (tangent) touch(d, place->dx_u[j], time);
        if (!backward_reads_x(d, layer, j, tangent)) continue;
        touch(d, d->value[layer->input[j]], time);
        if (tangent) touch(d, d->tangent[layer->input[j]], time);
    }
}

/* What a weighted sum of single images' gradients is made of: the parameters' inputs and cotangents. */
static void keep_for_each(draft *d, int i) {
    const tc_layer *layer = &d->pass->layer[i];
    if (!(d->pass->options.want & TC_WANT_EACH) || layer->weight < 0) return;
    touch(d, d->value[layer->input[0]], at_end(d));
    touch(d, d->place[i].q >= 0 ? d->place[i].q : d->dy[layer->output].span[0], at_end(d));
}

static tc_status walk_backward(draft *d, int i, bool tangent, tc_error *error) {
    const tc_layer *layer = &d->pass->layer[i];
    terms *dy = tangent ? &d->dy_t[layer->output] : &d->dy[layer->output];
    tc_status status = TC_OK;
    if (!dy->count) return TC_OK;
    *(tangent ? &d->place[i].q_t : &d->place[i].q) = place_q(d, layer, dy);
    for (int j = 0; j < layer->inputs; j++) TC_TRY(walk_input(d, i, j, tangent, error));
    touch_backward(d, i, tangent ? at_backward_t(d, i) : at_backward(d, i), tangent);
    if (!tangent) keep_for_each(d, i);
done:
    return status;
}

/* For another direction, everything that the tangents read has to outlive them. */
static void keep_first_order(draft *d) {
    for (int span = 0; span < d->spans; span++)
        if (d->span[span].last >= d->span[span].first) touch(d, span, at_end(d));
}

static tc_status walk(draft *d, tc_error *error) {
    const tc_shape logits = d->pass->shape[d->model->logits];
    tc_status status = TC_OK;
    for (int i = 0; i < d->layers; i++) walk_forward(d, i);
    if (!d->pass->options.want) goto done;
    d->dlogits = new_span(d, logits);
    touch(d, d->dlogits, at_loss(d));
    if (d->needs[d->model->logits]) TC_TRY(add_term(d, &d->dy[d->model->logits], d->dlogits, error));
    TC_TRY(walk_seeds(d, error));
    for (int i = d->layers - 1; i >= 0; i--) TC_TRY(walk_backward(d, i, false, error));
    touch_terms(d, &d->dy[0], at_end(d));
    if (!d->second) goto done;
    if (d->pass->options.want & TC_WANT_MANY_DIRECTIONS) keep_first_order(d);
    for (int i = 0; i < d->layers; i++) walk_forward_tangent(d, i);
    d->dlogits_t = new_span(d, logits);
    touch(d, d->dlogits_t, at_loss_t(d));
    TC_TRY(add_term(d, &d->dy_t[d->model->logits], d->dlogits_t, error));
    for (int i = d->layers - 1; i >= 0; i--) TC_TRY(walk_backward(d, i, true, error));
    touch_terms(d, &d->dy_t[0], at_end(d));
done:
    return status;
}

/* ---- pointers ---- */

static void *resolve(const draft *d, int span) {
    if (span < 0 || d->span[span].last < d->span[span].first) return NULL;
    return (char *)d->pass->workspace + d->span[span].offset;
}

static tc_sum resolve_terms(const draft *d, const terms *list) {
    tc_sum sum = {.count = list->count};
    for (int i = 0; i < list->count; i++) sum.term[i] = resolve(d, list->span[i]);
    return sum;
}

static size_t offset_of(const tc_tensor *tensors, int index) {
    return index >= 0 ? tensors[index].offset : 0;
}

static tc_status resolve_step(draft *d, int i, tc_error *error) {
    tc_pass *pass = d->pass;
    const tc_model *m = d->model;
    const tc_layer *layer = &pass->layer[i];
    const places *place = &d->place[i];
    tc_step *s = &pass->step[i];
    *s =
        (tc_step){.device = pass->device, .layer = layer, .options = &pass->options, .out = pass->shape[layer->output]};
    s->weight = offset_of(m->tensor, layer->weight);
    s->bias = offset_of(m->tensor, layer->bias);
    s->gamma = offset_of(m->tensor, layer->gamma);
    s->beta = offset_of(m->tensor, layer->beta);
    s->mean = offset_of(m->state_tensor, layer->mean);
    s->variance = offset_of(m->state_tensor, layer->variance);
    s->weights = layer->weight >= 0 ? m->tensor[layer->weight].count : 0;
    s->biases = layer->bias >= 0 ? m->tensor[layer->bias].count : 0;
    s->wants_theta = layer->weight >= 0 && (pass->options.want & (TC_WANT_GRAD_THETA | TC_WANT_JVP_THETA));
    s->wants_theta_t = layer->weight >= 0 && (pass->options.want & TC_WANT_JVP_THETA);
    s->wants_each = layer->weight >= 0 && (pass->options.want & TC_WANT_EACH);
    /* The scaled cotangent; as much as the tensors is what most layers need to form an image's gradient. */
    if (layer->class->traits & TC_SCRATCH) tc_step_need(s, s->weights);
    if (s->wants_each) tc_step_need(s, s->weights + s->biases);
    if (s->wants_each) tc_step_need(s, tc_shape_count(s->out));
    s->has_second = d->second;
    s->masks = masks(d, layer);
    s->masks_below = layer->class == &tc_max_pool_layer && masked_by_pool(d, layer_below(d, layer->input[0]));
    s->y = pass->value[layer->output];
    s->y_t = pass->tangent[layer->output];
    s->dy = pass->cotangent[layer->output];
    s->dy_t = pass->cotangent_t[layer->output];
    s->q = resolve(d, place->q);
    s->q_t = resolve(d, place->q_t);
    for (int j = 0; j < layer->inputs; j++) {
        s->in[j] = pass->shape[layer->input[j]];
        s->x[j] = pass->value[layer->input[j]];
        s->x_t[j] = pass->tangent[layer->input[j]];
        s->dx[j] = resolve(d, place->dx[j]);
        s->dx_t[j] = resolve(d, place->dx_t[j]);
        s->dx_u[j] = resolve(d, place->dx_u[j]);
        s->wants_dx |= s->dx[j] != NULL;
        s->wants_dx_t |= s->dx_t[j] != NULL;
    }
    return layer->class->plan ? layer->class->plan(s, error) : TC_OK;
}

/* Its layers run one after the other, so room for the largest serves all. */
static tc_status allocate_scratch(tc_pass *pass, tc_error *error) {
    size_t most = 0;
    for (int i = 0; i < pass->layers; i++)
        if (pass->step[i].room > most) most = pass->step[i].room;
    const tc_status status = most ? tc_device_reals(pass->device, most, &pass->scratch, error) : TC_OK;
    for (int i = 0; i < pass->layers; i++) pass->step[i].scratch = pass->scratch;
    return status;
}

/* Whether every parameter's gradient can be told image by image, and where the results go. */
static tc_status prepare_each(tc_pass *pass, tc_error *error) {
    tc_status status = TC_OK;
    if (!(pass->options.want & TC_WANT_EACH)) return TC_OK;
    for (int i = 0; i < pass->layers; i++)
        if (pass->layer[i].weight >= 0 && !pass->layer[i].class->squares)
            TC_RAISE(TC_INVALID, "model %s: with %s no image has a gradient of its own; take a network without",
                     pass->model->name, pass->layer[i].class->name);
    for (int v = 0; v < pass->model->values; v++) {
        const size_t images = tc_shape_groups(pass->shape[v]) * (size_t)tc_shape_abreast(pass->shape[v]);
        if (images > pass->padded) pass->padded = images;
    }
    TC_TRY(tc_device_reals(pass->device, pass->padded, &pass->squares, error));
    TC_TRY(tc_new(&pass->host_square, pass->padded, sizeof *pass->host_square, error));
done:
    return status;
}

static tc_status resolve_all(draft *d, tc_error *error) {
    tc_pass *pass = d->pass;
    tc_status status = TC_OK;
    for (int v = 0; v < d->model->values; v++) {
        pass->value[v] = v ? resolve(d, d->value[v]) : pass->x;
        pass->tangent[v] = v ? resolve(d, d->tangent[v]) : pass->x_dot;
        pass->cotangent[v] = resolve_terms(d, &d->dy[v]);
        pass->cotangent_t[v] = resolve_terms(d, &d->dy_t[v]);
        pass->seed[v] = resolve(d, d->seed[v]);
    }
    pass->dlogits = resolve(d, d->dlogits);
    pass->dlogits_t = resolve(d, d->dlogits_t);
    for (int i = 0; i < d->layers; i++) TC_TRY(resolve_step(d, i, error));
done:
    return status;
}

/* ---- the whole ---- */

static tc_status begin(draft *d, tc_pass *pass, tc_error *error) {
    const size_t values = (size_t)pass->model->values, layers = (size_t)pass->layers;
    /* Per value a value, a tangent and a seed; per layer q, q_t and, per input, dx, dx_t, dx_u; the loss's two. */
    const size_t room = 3 * values + layers * (2 + 3 * TC_MAX_INPUTS) + 2;
    tc_status status = TC_OK;
    *d = (draft){.pass = pass, .model = pass->model, .layers = pass->layers, .dlogits = -1, .dlogits_t = -1};
    d->second = pass->options.want & (TC_WANT_JVP_THETA | TC_WANT_JVP_X);
    TC_TRY(tc_new(&d->span, room, sizeof *d->span, error));
    TC_TRY(tc_new(&d->shared, room, sizeof *d->shared, error));
    TC_TRY(tc_new(&d->value, values, sizeof *d->value, error));
    TC_TRY(tc_new(&d->tangent, values, sizeof *d->tangent, error));
    TC_TRY(tc_new(&d->from_theta, values, sizeof *d->from_theta, error));
    TC_TRY(tc_new(&d->needs, values, sizeof *d->needs, error));
    TC_TRY(tc_new(&d->needs_t, values, sizeof *d->needs_t, error));
    TC_TRY(tc_new(&d->dy, values, sizeof *d->dy, error));
    TC_TRY(tc_new(&d->dy_t, values, sizeof *d->dy_t, error));
    TC_TRY(tc_new(&d->place, layers, sizeof *d->place, error));
    TC_TRY(tc_new(&d->seed, values, sizeof *d->seed, error));
    memset(d->seed, -1, values * sizeof *d->seed);
    memset(d->value, -1, values * sizeof *d->value);
    memset(d->tangent, -1, values * sizeof *d->tangent);
    memset(d->place, -1, layers * sizeof *d->place);
done:
    return status;
}

static void finish(draft *d) {
    free(d->span);
    free(d->shared);
    free(d->value);
    free(d->tangent);
    free(d->from_theta);
    free(d->needs);
    free(d->needs_t);
    free(d->dy);
    free(d->dy_t);
    free(d->place);
    free(d->seed);
}

static tc_status allocate_workspace(draft *d, tc_error *error) {
    tc_pass *pass = d->pass;
    pass->bytes = tc_plan_spans(d->span, d->spans, error);
    if (pass->bytes == SIZE_MAX) return TC_FAILED;
    return pass->device->k->allocate(pass->device, pass->bytes, &pass->workspace, error);
}

tc_status tc_pass_plan(tc_pass *pass, tc_error *error) {
    draft d;
    tc_status status = TC_OK;
    TC_TRY(begin(&d, pass, error));
    tc_pass_choose_shapes(pass);
    find_needs(&d);
    TC_TRY(walk(&d, error));
    TC_TRY(prepare_each(pass, error));
    TC_TRY(allocate_workspace(&d, error));
    TC_TRY(resolve_all(&d, error));
    TC_TRY(allocate_scratch(pass, error));
done:
    finish(&d);
    return status;
}
