/* Every network of the zoo, narrow, in training and in evaluation mode:
 *
 *     reference    grad against central differences of the loss, grad_jvp against central differences of grad;
 *                  H symmetric, mixed partials commute
 *     cpu          loss, gradients and directional derivatives against the reference */
#include "nn/pass.h"
#include "zoo/zoo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 3, CLASSES = 4 };
/* Of the differences. A step that carries a ReLU input over its edge says nothing about the derivative, so a failure
 * counts only when all of them fail; a wrong formula fails at each. */
static const double steps[] = {1e-7, 1e-6, 1e-5};
enum { STEPS = sizeof steps / sizeof *steps };

typedef struct network {
    const char *name, *settings[2];
    int side, channels;
} network;

static const network networks[] = {
    {"logreg", {NULL}, 5, 3},         {"mlp", {"width=9"}, 5, 2},       {"mlp", {"width=9", "dropout=0.3"}, 4, 1},
    {"lenet", {"width=3"}, 12, 2},    {"cnn", {"width=3"}, 8, 1},       {"cnn-cifar", {"width=2"}, 32, 1},
    {"convnet", {"width=3"}, 10, 3},  {"vgg11", {"width=2"}, 32, 1},    {"vgg13", {"width=2", "dropout=0.1"}, 32, 1},
    {"vgg16", {"width=2"}, 32, 3},    {"resnet18", {"width=3"}, 12, 3}, {"resnet18", {"width=2", "dropout=0.2"}, 11, 1},
    {"resnet34", {"width=2"}, 12, 1},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

/* One network on one device: a point (θ, x), two directions, and room for results. */
typedef struct bench {
    tc_device *device;
    tc_model *model;
    tc_pass *pass;
    size_t p, pixels, states;
    double *theta, *x, *state;           /* host: the point */
    double *v, *r, *u, *s;               /* host: directions in θ and x, two each */
    void *d_theta, *d_state, *d_v, *d_r; /* device */
    void *d_g, *d_gx, *d_j, *d_jx;
} bench;

static double *draw(size_t count, tc_stream stream, const char *purpose, double scale) {
    double *values = calloc(count + 1, sizeof *values);
    const tc_stream mine = tc_stream_child(stream, purpose, 0);
    for (size_t i = 0; i < count; i++) values[i] = (double)(float)(scale * tc_normal_at(mine, i));
    return values;
}

/* values: on entry noise, on return `initial`, with the noise where that is a constant, positive where it is 1. */
static void settle(const tc_tensor *tensor, const float *initial, double *values) {
    for (size_t i = tensor->offset; i < tensor->offset + tensor->count; i++) {
        const double noise = tensor->init == TC_INIT_ONE ? fabs(values[i]) : values[i];
        values[i] = (double)(float)((double)initial[i] + (tensor->init == TC_INIT_UNIFORM ? 0 : noise));
    }
}

/* PyTorch's initial values, with the batch norms' scales, shifts and statistics moved away from 1 and 0, so that no
 * term vanishes. Everything is a float, so that both devices stand at the same point. */
static void draw_point(bench *b, tc_stream stream) {
    float *theta = calloc(b->p, sizeof *theta), *state = calloc(b->states + 1, sizeof *state);
    const tc_tensor *tensors;
    tc_model_init(b->model, tc_stream_child(stream, "init", 0), theta, state);
    b->theta = draw(b->p, stream, "theta", 0.2);
    b->state = draw(b->states, stream, "state", 0.2);
    int count = tc_model_tensors(b->model, &tensors);
    for (int t = 0; t < count; t++) settle(&tensors[t], theta, b->theta);
    count = tc_model_state_tensors(b->model, &tensors);
    for (int t = 0; t < count; t++) settle(&tensors[t], state, b->state);
    b->x = draw(b->pixels, stream, "x", 1);
    b->v = draw(b->p, stream, "v", 0.1);
    b->u = draw(b->p, stream, "u", 0.1);
    b->r = draw(b->pixels, stream, "r", 1);
    b->s = draw(b->pixels, stream, "s", 1);
    free(theta);
    free(state);
}

static void *on_device(bench *b, size_t count, const double *values) {
    void *memory = NULL;
    assert_int_equal(tc_device_reals(b->device, count + 1, &memory, NULL), TC_OK);
    if (values) b->device->k->upload_double(b->device, memory, values, count);
    return memory;
}

static void set_up(bench *b, const char *backend, const network *n, tc_mode mode, uint64_t seed) {
    tc_error error = {0};
    const int settings = (n->settings[0] != NULL) + (n->settings[1] != NULL);
    *b = (bench){0};
    if (tc_device_open(backend, 1, &b->device, &error) != TC_OK) fail_msg("%s", error.message);
    if (tc_zoo_build(n->name, tc_nhwc(1, n->side, n->side, n->channels), CLASSES, n->settings, settings, &b->model,
                     &error))
        fail_msg("%s", error.message);
    const tc_pass_options options = {.batch = BATCH, .mode = mode, .want = 31, .loss = TC_CROSS_ENTROPY};
    if (tc_pass_create(b->device, b->model, &options, &b->pass, &error)) fail_msg("%s", error.message);
    b->p = tc_model_parameters(b->model);
    b->states = tc_model_state(b->model);
    b->pixels = BATCH * tc_shape_count(tc_model_input(b->model));
    draw_point(b, tc_stream_make(seed));
    b->d_theta = on_device(b, b->p, NULL);
    b->d_state = on_device(b, b->states, NULL);
    b->d_v = on_device(b, b->p, NULL);
    b->d_r = on_device(b, b->pixels, NULL);
    b->d_g = on_device(b, b->p, NULL);
    b->d_gx = on_device(b, b->pixels, NULL);
    b->d_j = on_device(b, b->p, NULL);
    b->d_jx = on_device(b, b->pixels, NULL);
    b->device->k->upload_bytes(b->device, tc_pass_labels(b->pass), (int32_t[BATCH]){2, 0, 3}, BATCH * sizeof(int32_t));
    tc_pass_set_stream(b->pass, tc_stream_make(9));
}

static void tear_down(bench *b) {
    void *const device[] = {b->d_theta, b->d_state, b->d_v, b->d_r, b->d_g, b->d_gx, b->d_j, b->d_jx};
    double *const host[] = {b->theta, b->x, b->state, b->v, b->r, b->u, b->s};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++) b->device->k->release(b->device, device[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; i++) free(host[i]);
    tc_pass_free(b->pass);
    tc_model_free(b->model);
    tc_device_close(b->device);
}

/* Loss and gradient at (θ + e v, x + e r); g [p + pixels], NULL: not wanted. */
static double gradient_at(bench *b, double e, double *g) {
    const tc_kernels *k = b->device->k;
    double *theta = malloc(b->p * sizeof *theta), *x = malloc(b->pixels * sizeof *x);
    for (size_t i = 0; i < b->p; i++) theta[i] = b->theta[i] + e * b->v[i];
    for (size_t i = 0; i < b->pixels; i++) x[i] = b->x[i] + e * b->r[i];
    k->upload_double(b->device, b->d_theta, theta, b->p);
    k->upload_double(b->device, b->d_state, b->state, b->states);
    k->upload_double(b->device, tc_pass_input(b->pass), x, b->pixels);
    const double loss = tc_pass_grad(b->pass, b->d_theta, b->d_state, b->d_g, b->d_gx);
    if (g) {
        k->download_double(b->device, g, b->d_g, b->p);
        k->download_double(b->device, g + b->p, b->d_gx, b->pixels);
    }
    free(theta);
    free(x);
    return loss;
}

/* The directional derivative at (θ, x) along (v, r), either NULL for zero. j [p + pixels] */
static void jvp(bench *b, const double *v, const double *r, double *j) {
    const tc_kernels *k = b->device->k;
    gradient_at(b, 0, NULL);
    if (v) k->upload_double(b->device, b->d_v, v, b->p);
    if (r) k->upload_double(b->device, b->d_r, r, b->pixels);
    tc_pass_grad_jvp(b->pass, v ? b->d_v : NULL, r ? b->d_r : NULL, b->d_j, b->d_jx);
    k->download_double(b->device, j, b->d_j, b->p);
    k->download_double(b->device, j + b->p, b->d_jx, b->pixels);
}

static double dot(size_t count, const double *a, const double *b) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

/* ‖a − b‖/‖b‖ */
static double relative(size_t count, const double *a, const double *b) {
    double difference = 0;
    for (size_t i = 0; i < count; i++) difference += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(difference / dot(count, b, b));
}

static void below(double error, double limit, const network *n, tc_mode mode, const char *what) {
    if (!(error < limit))
        fail_msg("%s %s %s: %s is off by %.2e", n->name, n->settings[0] ? n->settings[0] : "",
                 mode == TC_TRAIN ? "train" : "eval", what, error);
}

/* The largest of the relative errors of grad and of both halves of grad_jvp, against differences of this step. */
static double difference(bench *b, double step, const double *g, const double *j, double *up, double *down) {
    const size_t all = b->p + b->pixels;
    const double rise = gradient_at(b, step, up) - gradient_at(b, -step, down);
    const double slope = dot(b->p, g, b->v) + dot(b->pixels, g + b->p, b->r);
    for (size_t i = 0; i < all; i++) up[i] = (up[i] - down[i]) / (2 * step);
    const double by_theta = relative(b->p, j, up), by_x = relative(b->pixels, j + b->p, up + b->p);
    return fmax(fabs(rise / (2 * step) - slope) / fabs(slope), fmax(by_theta, by_x));
}

static void differences(bench *b, const network *n, tc_mode mode) {
    const size_t all = b->p + b->pixels;
    double *g = calloc(all, sizeof *g), *j = calloc(all, sizeof *j), *up = calloc(all, sizeof *up),
           *down = calloc(all, sizeof *down);
    double least = INFINITY;
    gradient_at(b, 0, g);
    jvp(b, b->v, b->r, j);
    for (int i = 0; i < STEPS && !(least < 1e-6); i++) least = fmin(least, difference(b, steps[i], g, j, up, down));
    below(least, 1e-6, n, mode, "a derivative");
    free(g);
    free(j);
    free(up);
    free(down);
}

static void near(double a, double b, const network *n, tc_mode mode, const char *what) {
    below(fabs(a - b) / (fabs(a) + fabs(b)), 1e-9, n, mode, what);
}

/* With directions in θ alone and in x alone: the paths where the other is absent. */
static void symmetries(bench *b, const network *n, tc_mode mode) {
    const size_t all = b->p + b->pixels;
    double *jv = calloc(all, sizeof *jv), *ju = calloc(all, sizeof *ju), *jr = calloc(all, sizeof *jr),
           *js = calloc(all, sizeof *js);
    jvp(b, b->v, NULL, jv);
    jvp(b, b->u, NULL, ju);
    jvp(b, NULL, b->r, jr);
    jvp(b, NULL, b->s, js);
    near(dot(b->p, b->u, jv), dot(b->p, b->v, ju), n, mode, "⟨u, Hv⟩ = ⟨v, Hu⟩");
    near(dot(b->pixels, jv + b->p, b->r), dot(b->p, jr, b->v), n, mode, "mixed partials");
    near(dot(b->pixels, b->s, jr + b->p), dot(b->pixels, b->r, js + b->p), n, mode, "⟨s, L_xx r⟩ = ⟨r, L_xx s⟩");
    jvp(b, b->v, b->r, ju);
    for (size_t i = 0; i < all; i++) jv[i] += jr[i];
    below(relative(all, jv, ju), 1e-10, n, mode, "sum of directions");
    free(jv);
    free(ju);
    free(jr);
    free(js);
}

static void on_reference(void **context) {
    (void)context;
    for (int i = 0; i < NETWORKS; i++)
        for (tc_mode mode = TC_EVALUATE; mode <= TC_TRAIN; mode++) {
            bench b;
            set_up(&b, "reference", &networks[i], mode, 7);
            differences(&b, &networks[i], mode);
            symmetries(&b, &networks[i], mode);
            tear_down(&b);
        }
}

/* The largest relative error of the cpu device at the point drawn from `seed`, in units of what single precision is
 * allowed: 1e-5 of the loss, 1e-4 of a gradient, 1e-3 of a directional derivative. */
static double disagreement(const network *n, tc_mode mode, uint64_t seed) {
    bench fast, slow;
    set_up(&fast, "cpu", n, mode, seed);
    set_up(&slow, "reference", n, mode, seed);
    const size_t p = fast.p, all = p + fast.pixels;
    double *a = calloc(all, sizeof *a), *b = calloc(all, sizeof *b);
    const double loss = gradient_at(&fast, 0, a), right = gradient_at(&slow, 0, b);
    double worst = fabs(loss - right) / fabs(right) / 1e-5;
    worst = fmax(worst, fmax(relative(p, a, b), relative(all - p, a + p, b + p)) / 1e-4);
    jvp(&fast, fast.v, fast.r, a);
    jvp(&slow, slow.v, slow.r, b);
    worst = fmax(worst, fmax(relative(p, a, b), relative(all - p, a + p, b + p)) / 1e-3);
    free(a);
    free(b);
    tear_down(&fast);
    tear_down(&slow);
    return worst;
}

/* Rounding may carry a ReLU input over its edge, where the derivative jumps; hardly at each of three points. */
static void cpu_agrees(void **context) {
    (void)context;
    for (int i = 0; i < NETWORKS; i++)
        for (tc_mode mode = TC_EVALUATE; mode <= TC_TRAIN; mode++) {
            double least = INFINITY;
            for (uint64_t seed = 7; seed < 10 && !(least < 1); seed++)
                least = fmin(least, disagreement(&networks[i], mode, seed));
            below(least, 1, &networks[i], mode, "the cpu device, in units of what is allowed,");
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_reference), cmocka_unit_test(cpu_agrees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
