/* pass.c — making a pass, and what may be asked of it. */
#include "base/log.h"
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

static bool draws_masks(const tc_pass *pass) {
    bool draws = false;
    for (int i = 0; i < pass->layers; i++) draws |= pass->layer[i].class == &tc_dropout_layer;
    return draws && pass->options.mode == TC_TRAIN;
}

static void pass_on_remark(tc_device *device) {
    if (!device->remark[0] || device->remarked) return;
    device->remarked = true;
    tc_log("%s: %s", device->name, device->remark);
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
    made->draws = draws_masks(made);
    pass_on_remark(device);
    *pass = made;
done:
    if (status != TC_OK) tc_pass_free(made);
    return status;
}

void tc_pass_free(tc_pass *pass) {
    if (!pass) return;
    tc_device *device = pass->device;
    for (int i = 0; i < TC_PASS_TRACKS; i++) tc_track_forget(device, &pass->track[i].track);
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

/* ---- asking: what is bound to the layers, then the map (maps.c), replayed where it is known ---- */

/* What was not asked for when the pass was made has no plan and no memory. */
static void *if_wanted(const tc_pass *pass, unsigned want, void *result) {
    return pass->options.want & want ? result : NULL;
}

/* What the layers read and the call has not: it stays for the calls that follow. */
static void bind(tc_pass *pass, const void *theta, void *state) {
    pass->theta = theta;
    pass->state = state;
    for (int i = 0; i < pass->layers; i++) {
        tc_step *step = &pass->step[i];
        step->theta = theta;
        step->state = state;
        step->number = (uint64_t)i;
        step->stream = tc_stream_child(pass->stream, "layer", step->number);
        step->pace = pass->pace;
    }
}

static void bind_gradient(tc_pass *pass, void *g_theta) {
    for (int i = 0; i < pass->layers; i++) {
        tc_step *step = &pass->step[i];
        step->g = step->layer->weight >= 0 ? g_theta : NULL;
    }
}

static void bind_direction(tc_pass *pass, const void *theta_dot, void *gdot_theta) {
    for (int i = 0; i < pass->layers; i++) {
        tc_step *step = &pass->step[i];
        step->theta_t = theta_dot;
        step->g_t = step->layer->weight >= 0 ? gdot_theta : NULL;
    }
}

static bool same(const tc_pass_call *a, const tc_pass_call *b) {
    return a->map == b->map && a->node == b->node && a->theta == b->theta && a->theta_dot == b->theta_dot &&
           a->x_dot == b->x_dot && a->cotangent == b->cotangent && a->state == b->state && a->g_theta == b->g_theta &&
           a->g_x == b->g_x && a->pace == b->pace && a->stream == b->stream;
}

/* 0: nothing is lost with it; 1: nothing is recorded yet; 2: something is. */
static int worth(const tc_pass *pass, const tc_pass_track *t) {
    if (!t->used || pass->calls - t->used > TC_PASS_STALE) return 0;
    return t->track.recording ? 2 : 1;
}

/* Whose track goes for another's. Of those that nothing is recorded for, the last that came: of more calls than there
 * are tracks for, asked in turn, most are known when their turn comes again. */
static bool goes_before(const tc_pass *pass, const tc_pass_track *a, const tc_pass_track *b) {
    const int of_a = worth(pass, a), of_b = worth(pass, b);
    if (of_a != of_b) return of_a < of_b;
    return of_a == 1 ? a->used > b->used : a->used < b->used;
}

static tc_pass_track *track_of(tc_pass *pass, const tc_pass_call *call) {
    tc_pass_track *goes = pass->track;
    for (tc_pass_track *t = pass->track; t < pass->track + TC_PASS_TRACKS; t++) {
        if (t->used && same(&t->call, call)) return t;
        if (goes_before(pass, t, goes)) goes = t;
    }
    tc_track_forget(pass->device, &goes->track);
    goes->call = *call;
    return goes;
}

typedef struct errand {
    tc_pass *pass;
    const tc_pass_call *call;
} errand;

static void perform(void *context) {
    const errand *e = context;
    tc_pass_maps[e->call->map](e->pass, e->call);
}

/* What was bound belongs to the call. */
static void run(tc_pass *pass, tc_pass_call call) {
    call.theta = pass->theta;
    call.state = pass->state;
    call.pace = pass->draws ? pass->pace : NULL;
    call.stream = pass->draws && !pass->pace ? pass->stream.key : 0;
    errand e = {pass, &call};
    if (!pass->device->k->record_begin || pass->device->tracked) {
        perform(&e);
        return;
    }
    tc_pass_track *track = track_of(pass, &call);
    track->used = ++pass->calls;
    tc_track_run(pass->device, &track->track, perform, &e);
}

double tc_pass_mean_loss(const tc_pass *pass) {
    return pass->device->k->sum(pass->device, (size_t)pass->options.batch, pass->losses) / pass->options.batch;
}

void tc_pass_tally(const tc_pass *pass, tc_count *count) {
    const tc_loss loss = tc_pass_loss(pass);
    pass->device->k->tally(pass->device, &loss, pass->losses, count);
}

void tc_pass_watch(const tc_pass *pass, tc_count *count) {
    pass->device->k->watch(pass->device, (size_t)pass->options.batch, pass->losses, count);
}

double tc_pass_forward(tc_pass *pass, const void *theta, void *state) {
    bind(pass, theta, state);
    run(pass, (tc_pass_call){.map = TC_MAP_FORWARD});
    return tc_pass_mean_loss(pass);
}

void tc_pass_grad_async(tc_pass *pass, const void *theta, void *state, void *g_theta, void *g_x) {
    g_theta = if_wanted(pass, TC_WANT_GRAD_THETA | TC_WANT_JVP_THETA, g_theta);
    pass->spent = false;
    bind(pass, theta, state);
    bind_gradient(pass, g_theta);
    run(pass, (tc_pass_call){.map = TC_MAP_GRAD, .g_theta = g_theta, .g_x = g_x});
}

double tc_pass_grad(tc_pass *pass, const void *theta, void *state, void *g_theta, void *g_x) {
    tc_pass_grad_async(pass, theta, state, g_theta, g_x);
    return tc_pass_mean_loss(pass);
}

void tc_pass_grad_jvp(tc_pass *pass, const void *theta_dot, const void *x_dot, void *gdot_theta, void *gdot_x) {
    gdot_theta = if_wanted(pass, TC_WANT_JVP_THETA, gdot_theta);
    /* In training mode the running statistics have seen this batch already. */
    if (pass->spent)
        tc_pass_grad_async(pass, pass->theta, pass->options.mode == TC_TRAIN ? NULL : pass->state, NULL, NULL);
    pass->spent = !(pass->options.want & TC_WANT_MANY_DIRECTIONS);
    bind_direction(pass, theta_dot, gdot_theta);
    run(pass,
        (tc_pass_call){
            .map = TC_MAP_GRAD_JVP, .theta_dot = theta_dot, .x_dot = x_dot, .g_theta = gdot_theta, .g_x = gdot_x});
}

double tc_pass_grad_each(tc_pass *pass, const void *theta, int count, double *squares) {
    const tc_kernels *k = pass->device->k;
    const double n = pass->options.batch;
    bind(pass, theta, NULL);
    bind_gradient(pass, NULL);
    run(pass, (tc_pass_call){.map = TC_MAP_EACH});
    k->download_double(pass->device, squares, pass->squares, (size_t)count);
    for (int i = 0; i < count; i++) squares[i] *= n * n; /* the cotangents are those of the mean */
    return k->sum(pass->device, (size_t)count, pass->losses) / count;
}

void tc_pass_grad_sum(tc_pass *pass, int count, const double *weights, void *g_theta) {
    for (size_t i = 0; i < pass->padded; i++)
        pass->host_square[i] = i < (size_t)count ? weights[i] * pass->options.batch : 0;
    pass->device->k->upload_double(pass->device, pass->squares, pass->host_square, pass->padded);
    bind_gradient(pass, g_theta);
    run(pass, (tc_pass_call){.map = TC_MAP_SUM, .g_theta = g_theta});
}

void tc_pass_vjp(tc_pass *pass, const void *theta, tc_node node, const void *cotangent, void *g_theta, void *g_x) {
    bind(pass, theta, pass->state);
    bind_gradient(pass, g_theta);
    run(pass, (tc_pass_call){.map = TC_MAP_VJP, .node = node, .cotangent = cotangent, .g_theta = g_theta, .g_x = g_x});
}
