/* derive.c — `tocsin derive`: the loss, its gradients and, along a direction, their exact directional derivatives, as a
 * file, so that anyone can hold this engine against another framework (tests/oracle/derive.py does so with PyTorch).
 *
 *     L(θ, x),  grad = (∇_θ L, ∇_x L),  jvp = d/dε grad at (θ + εθ̇, x + εẋ)
 *
 * Everything is read and checked before the device is opened; vectors travel in double precision up to it, and the file
 * holds the device's own reals (F32 on cpu, F64 on reference; the loss always F64). */
#include "base/log.h"
#include "cli/cli.h"
#include "compute/device.h"
#include "data/npy.h"
#include "nn/pass.h"
#include "nn/safetensors.h"
#include "nn/weights.h"
#include "zoo/zoo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SETTINGS = TC_MOST_ARGUMENTS, USUAL_CLASSES = 10, OUT_NAME = TC_NAME_SIZE + 8 };

static const tc_flag flags[] = {
    {"model", "NAME", "network of the zoo (required)"},
    {"set", "KEY=VALUE", "option of the network, e.g. width=16; may be repeated"},
    {"weights", "FILE", "W.safetensors: parameters and running statistics (required)"},
    {"batch", "FILE", "B.npz: x float [N,H,W,C], y integer [N] (required)"},
    {"theta-dot", "FILE", "V.safetensors: direction in the parameters"},
    {"x-dot", "FILE", "R.npy: direction in the input, of x's shape"},
    {"mode", "MODE", "train or eval, of batch norm and dropout [eval]"},
    {"backend", "NAME", "cpu (single precision), reference (double) or cuda [cpu]"},
    TC_GPU_FLAGS,
    {"threads", "N", "threads to compute with; 0: all cores"},
    {"out", "FILE", "O.safetensors: loss, grad.NAME, grad.x, jvp.NAME, jvp.x (required)"},
    TC_COMMON_FLAGS,
    TC_FLAGS_END,
};

static const tc_usage usage = {
    .command = "derive",
    .operands = "",
    .summary = "loss, gradient and directional derivative of the gradient, to a file",
    .details = "The loss is the mean cross-entropy over the batch. x goes into the first layer as it is given.\n",
    .flags = flags,
};

/* What is asked for, in host memory. */
typedef struct question {
    tc_model *model;
    int n;
    tc_npz *batch; /* owns x and y */
    double *x;     /* [n][h][w][c] */
    int32_t *y;    /* [n] */
    double *theta, *state;
    double *theta_dot; /* [p], NULL: none */
    tc_npy r;          /* ẋ */
    double *x_dot;     /* [n][h][w][c], NULL: none */
} question;

/* The same on the device, with the answers. */
typedef struct answer {
    tc_device *device;
    tc_pass *pass;
    size_t p, pixels; /* lengths of θ and of x */
    void *theta, *state, *theta_dot, *x_dot;
    void *g_theta, *g_x, *j_theta, *j_x; /* device; j_…: NULL without a direction */
    double loss;
} answer;

/* ---- reading the question ---- */

static tc_status check_finite(const char *path, const char *name, const double *values, size_t count, tc_error *error) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return tc_raise(error, TC_INVALID, "%s: %s holds NaN or infinity; write it again", path, name);
    return TC_OK;
}

static tc_status read_batch(const char *path, question *q, tc_npy **x, tc_error *error) {
    tc_status status = TC_OK;
    tc_npy *y;
    TC_TRY(tc_new(&q->batch, 1, sizeof *q->batch, error));
    TC_TRY(tc_npz_read(path, q->batch, error));
    TC_TRY(tc_npz_want(q->batch, path, "x", 4, 4, x, error));
    TC_TRY(tc_npz_want(q->batch, path, "y", 1, 1, &y, error));
    for (int i = 0; i < 4; i++)
        if ((*x)->shape[i] < 1 || (*x)->shape[i] > 1 << 20)
            TC_RAISE(TC_INVALID, "%s: x has a side of %zu; give [N,H,W,C], none of them 0", path, (*x)->shape[i]);
    if (y->count != (*x)->shape[0])
        TC_RAISE(TC_INVALID, "%s: %zu labels for %zu images; give one each", path, y->count, (*x)->shape[0]);
    status = tc_npy_cast(*x, TC_NPY_F64, "x", error);
    if (status == TC_OK) status = tc_npy_cast(y, TC_NPY_I32, "y", error);
    if (status != TC_OK) TC_TRY(tc_error_at(error, path));
    TC_TRY(check_finite(path, "x", (*x)->data, (*x)->count, error));
    q->n = (int)y->count;
    q->x = (*x)->data;
    q->y = y->data;
done:
    return status;
}

static tc_status check_labels(const char *path, const question *q, tc_error *error) {
    const int classes = tc_model_classes(q->model);
    for (int i = 0; i < q->n; i++)
        if (q->y[i] < 0 || q->y[i] >= classes)
            return tc_raise(error, TC_INVALID, "%s: label %d of image %d; must be 0 … %d", path, q->y[i], i,
                            classes - 1);
    return TC_OK;
}

/* The number of classes is what the file says of the last tensor of θ, which is the logits' layer's in every network.
 */
static tc_status classes_of(const char *path, const tc_model *model, int *classes, tc_error *error) {
    tc_safetensors *file;
    const tc_tensor *tensors;
    const int count = tc_model_tensors(model, &tensors);
    const tc_status status = tc_safetensors_open(path, &file, error);
    if (status != TC_OK) return status;
    const tc_safetensor *stored = tc_safetensors_find(file, tensors[count - 1].name);
    *classes = stored && stored->rank && stored->size[0] > 0 && stored->size[0] < 1 << 20 ? (int)stored->size[0]
                                                                                          : tc_model_classes(model);
    tc_safetensors_close(file);
    return TC_OK;
}

static tc_status build_model(const tc_arguments *a, const char *weights, const tc_npy *x, question *q,
                             tc_error *error) {
    const char *settings[MAX_SETTINGS], *name = tc_arguments_value(a, "model", NULL);
    const int count = tc_arguments_values(a, "set", settings);
    const tc_shape input = tc_nhwc(1, (int)x->shape[1], (int)x->shape[2], (int)x->shape[3]);
    int classes = USUAL_CLASSES;
    tc_status status = TC_OK;
    TC_TRY(tc_zoo_build(name, input, classes, settings, count, &q->model, error));
    TC_TRY(classes_of(weights, q->model, &classes, error));
    if (classes != USUAL_CLASSES) {
        tc_model_free(q->model);
        TC_TRY(tc_zoo_build(name, input, classes, settings, count, &q->model, error));
    }
done:
    return status;
}

static tc_status read_x_dot(const char *path, const tc_npy *x, question *q, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_npy_read(path, &q->r, error));
    bool same = q->r.rank == x->rank;
    for (int i = 0; same && i < x->rank; i++) same = q->r.shape[i] == x->shape[i];
    if (!same) TC_RAISE(TC_INVALID, "%s: has not the shape of x; give [N,H,W,C] as in the batch", path);
    TC_TRY(tc_npy_cast(&q->r, TC_NPY_F64, path, error));
    TC_TRY(check_finite(path, "the array", q->r.data, q->r.count, error));
    q->x_dot = q->r.data;
done:
    return status;
}

static tc_status read_question(const tc_arguments *a, question *q, tc_error *error) {
    const char *weights = tc_arguments_value(a, "weights", NULL), *batch = tc_arguments_value(a, "batch", NULL);
    const char *v = tc_arguments_value(a, "theta-dot", NULL), *r = tc_arguments_value(a, "x-dot", NULL);
    tc_npy *x;
    tc_status status = TC_OK;
    TC_TRY(read_batch(batch, q, &x, error));
    TC_TRY(build_model(a, weights, x, q, error));
    TC_TRY(check_labels(batch, q, error));
    TC_TRY(tc_new(&q->theta, tc_model_parameters(q->model), sizeof *q->theta, error));
    TC_TRY(tc_new(&q->state, tc_model_state(q->model), sizeof *q->state, error));
    TC_TRY(tc_weights_read(q->model, weights, q->theta, q->state, error));
    if (v) {
        TC_TRY(tc_new(&q->theta_dot, tc_model_parameters(q->model), sizeof *q->theta_dot, error));
        TC_TRY(tc_weights_read(q->model, v, q->theta_dot, NULL, error));
    }
    if (r) TC_TRY(read_x_dot(r, x, q, error));
done:
    return status;
}

static void forget_question(question *q) {
    if (q->batch) tc_npz_free(q->batch);
    tc_npy_free(&q->r);
    free(q->theta_dot);
    free(q->state);
    free(q->theta);
    tc_model_free(q->model);
}

/* ---- computing ---- */

/* *to := a device array with these values; NULL where there are none. */
static tc_status upload(answer *w, const double *values, size_t count, void **to, tc_error *error) {
    if (!values) return TC_OK;
    const tc_status status = tc_device_reals(w->device, count, to, error);
    if (status == TC_OK) w->device->k->upload_double(w->device, *to, values, count);
    return status;
}

static tc_status create_pass(const question *q, tc_mode mode, answer *w, tc_error *error) {
    tc_pass_options options = {.batch = q->n, .mode = mode, .loss = TC_CROSS_ENTROPY};
    options.want = TC_WANT_GRAD_THETA | TC_WANT_GRAD_X;
    if (q->theta_dot || q->x_dot) options.want |= TC_WANT_JVP_THETA | TC_WANT_JVP_X;
    if (q->x_dot) options.want |= TC_WANT_X_DOT;
    return tc_pass_create(w->device, q->model, &options, &w->pass, error);
}

static tc_status compute(const question *q, tc_mode mode, answer *w, tc_error *error) {
    const tc_kernels *k = w->device->k;
    tc_status status = TC_OK;
    w->p = tc_model_parameters(q->model);
    w->pixels = (size_t)q->n * tc_shape_count(tc_model_input(q->model));
    TC_TRY(create_pass(q, mode, w, error));
    TC_TRY(upload(w, q->theta, w->p, &w->theta, error));
    TC_TRY(upload(w, q->state, tc_model_state(q->model), &w->state, error));
    TC_TRY(upload(w, q->theta_dot, w->p, &w->theta_dot, error));
    TC_TRY(upload(w, q->x_dot, w->pixels, &w->x_dot, error));
    TC_TRY(tc_device_reals(w->device, w->p, &w->g_theta, error));
    TC_TRY(tc_device_reals(w->device, w->pixels, &w->g_x, error));
    k->upload_double(w->device, tc_pass_input(w->pass), q->x, w->pixels);
    k->upload_bytes(w->device, tc_pass_labels(w->pass), q->y, (size_t)q->n * sizeof *q->y);
    tc_pass_set_stream(w->pass, tc_stream_make(0));
    w->loss = tc_pass_grad(w->pass, w->theta, w->state, w->g_theta, w->g_x);
    if (!q->theta_dot && !q->x_dot) goto done;
    TC_TRY(tc_device_reals(w->device, w->p, &w->j_theta, error));
    TC_TRY(tc_device_reals(w->device, w->pixels, &w->j_x, error));
    tc_pass_grad_jvp(w->pass, w->theta_dot, w->x_dot, w->j_theta, w->j_x);
done:
    return status;
}

static void forget_answer(answer *w) {
    if (!w->device) return;
    void *const memory[] = {w->theta, w->state, w->theta_dot, w->x_dot, w->g_theta, w->g_x, w->j_theta, w->j_x};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i]) w->device->k->release(w->device, memory[i]);
    tc_pass_free(w->pass);
    tc_device_close(w->device);
}

/* ---- writing the answer ---- */

typedef struct sheet {
    tc_safetensor *tensors;
    char (*names)[OUT_NAME];
    size_t count;
} sheet;

static tc_safetensor *add(sheet *out, tc_dtype dtype, const void *data, const char *prefix, const char *name) {
    char *text = out->names[out->count];
    snprintf(text, OUT_NAME, "%s%s", prefix, name);
    tc_safetensor *t = &out->tensors[out->count++];
    *t = (tc_safetensor){.name = text, .dtype = dtype, .data = data};
    return t;
}

/* PREFIX.NAME for every tensor of θ and PREFIX.x, from host copies of the two device vectors. */
static void add_pair(sheet *out, const question *q, const answer *w, const char *prefix, const void *theta,
                     const void *x) {
    const tc_dtype dtype = w->device->element == sizeof(float) ? TC_F32 : TC_F64;
    const tc_shape input = tc_model_input(q->model);
    const tc_tensor *tensors;
    const int count = tc_model_tensors(q->model, &tensors);
    for (int i = 0; i < count; i++) {
        tc_safetensor *t = add(out, dtype, tc_at(w->device, theta, tensors[i].offset), prefix, tensors[i].name);
        t->rank = tensors[i].rank;
        for (int s = 0; s < t->rank; s++) t->size[s] = tensors[i].size[s];
    }
    tc_safetensor *t = add(out, dtype, x, prefix, "x");
    t->rank = 4;
    memcpy(t->size, (int64_t[4]){q->n, input.h, input.w, input.c}, 4 * sizeof *t->size);
}

static tc_status download(const answer *w, const void *from, size_t count, void *pointer, tc_error *error) {
    void *memory = NULL;
    const tc_status status = tc_new(&memory, count, w->device->element, error);
    if (status == TC_OK) w->device->k->download_bytes(w->device, memory, from, count * w->device->element);
    memcpy(pointer, &memory, sizeof memory);
    return status;
}

static tc_status write_answer(const char *path, const question *q, const answer *w, tc_error *error) {
    tc_status status = TC_OK;
    sheet out = {0};
    void *g_theta = NULL, *g_x = NULL, *j_theta = NULL, *j_x = NULL;
    const tc_tensor *tensors;
    const size_t room = 2 * ((size_t)tc_model_tensors(q->model, &tensors) + 1) + 1;
    TC_TRY(tc_new(&out.tensors, room, sizeof *out.tensors, error));
    TC_TRY(tc_new(&out.names, room, sizeof *out.names, error));
    TC_TRY(download(w, w->g_theta, w->p, &g_theta, error));
    TC_TRY(download(w, w->g_x, w->pixels, &g_x, error));
    add(&out, TC_F64, &w->loss, "", "loss");
    add_pair(&out, q, w, "grad.", g_theta, g_x);
    if (w->j_theta) {
        TC_TRY(download(w, w->j_theta, w->p, &j_theta, error));
        TC_TRY(download(w, w->j_x, w->pixels, &j_x, error));
        add_pair(&out, q, w, "jvp.", j_theta, j_x);
    }
    TC_TRY(tc_safetensors_write(path, out.tensors, out.count, error));
done:
    free(j_x);
    free(j_theta);
    free(g_x);
    free(g_theta);
    free(out.names);
    free(out.tensors);
    return status;
}

/* ---- the command ---- */

static tc_status check_arguments(const tc_arguments *a, tc_mode *mode, tc_error *error) {
    static const char *const required[] = {"model", "weights", "batch", "out"};
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        if (!tc_arguments_has(a, required[i]))
            return tc_raise(error, TC_INVALID, "derive: --%s is missing; see `tocsin derive --help`", required[i]);
    static const char *const read[] = {"weights", "batch", "theta-dot", "x-dot"};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        const tc_status status =
            tc_cli_check_apart(tc_arguments_value(a, "out", ""), tc_arguments_value(a, read[i], NULL), error);
        if (status != TC_OK) return status;
    }
    const char *text = tc_arguments_value(a, "mode", "eval");
    *mode = !strcmp(text, "train") ? TC_TRAIN : TC_EVALUATE;
    if (*mode == TC_EVALUATE && strcmp(text, "eval") != 0)
        return tc_raise(error, TC_INVALID, "derive: --mode is '%.64s'; must be train or eval", text);
    return tc_cli_check_file("--out", tc_arguments_value(a, "out", NULL), error);
}

static tc_status derive(int argc, char **argv, tc_error *error) {
    tc_arguments a;
    tc_mode mode = TC_EVALUATE;
    question q = {0};
    answer w = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_arguments_parse(&usage, argc, argv, &a, error));
    TC_TRY(check_arguments(&a, &mode, error));
    TC_TRY(read_question(&a, &q, error));
    TC_TRY(tc_cli_device(&a, "backend", "cpu", &w.device, error));
    TC_TRY(compute(&q, mode, &w, error));
    TC_TRY(tc_device_health(w.device, error));
    TC_TRY(write_answer(tc_arguments_value(&a, "out", NULL), &q, &w, error));
    tc_log_detail("loss %.9g, %d images, %zu parameters", w.loss, q.n, w.p);
done:
    forget_answer(&w);
    forget_question(&q);
    return status;
}

int tc_cli_derive(int argc, char **argv) {
    tc_error error = {0};
    return tc_cli_finish(derive(argc, argv, &error), &error);
}
