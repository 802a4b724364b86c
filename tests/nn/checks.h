/* checks.h — holding a network's derivatives against differences of themselves and against the other backend.
 *
 * A lab is one model on one device with random weights, images, labels and directions. The same seed gives every
 * device the same numbers. */
#ifndef TC_TESTS_NN_CHECKS_H
#define TC_TESTS_NN_CHECKS_H

#include "../devices.h"
#include "nn/pass.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct lab {
    tc_device *device;
    const tc_model *model;
    tc_pass *pass;
    size_t p, x, s;                                /* lengths of θ, of the batch's pixels, of the state */
    void *theta, *state, *direction, *x_direction; /* device */
    void *g, *g_x, *j, *j_x;                       /* results, device */
    double *host[4];                               /* the same in host memory: g, g_x, j, j_x */
    double loss;
} lab;

enum { G, G_X, J, J_X };

/* Both backends, for a group of tests; the fast one is cpu, or what TOCSIN_TEST_DEVICE says. */
typedef struct devices {
    tc_device *cpu, *reference;
} devices;

static inline int open_devices(void **state) {
    devices *d = calloc(1, sizeof *d);
    tc_error error = {0};
    if (open_device(tested_device("cpu"), 2, &d->cpu, &error) != TC_OK ||
        open_device("reference", 2, &d->reference, &error) != TC_OK)
        fail_msg("%s", error.message);
    *state = d;
    return 0;
}

static inline int close_devices(void **state) {
    devices *d = *state;
    tc_device_close(d->cpu);
    tc_device_close(d->reference);
    free(d);
    return 0;
}

/* What is proved of the oracle alone was proved without naming a device; with one, only what looks at it is run. */
static inline bool oracle_is_proved(void) {
    return getenv("TOCSIN_TEST_DEVICE") != NULL;
}

static inline void *lab_reals(tc_device *device, size_t count) {
    void *memory = NULL;
    tc_error error = {0};
    if (tc_device_reals(device, count, &memory, &error) != TC_OK) fail_msg("%s", error.message);
    return memory;
}

/* Weights around their initial values, BN scales and running statistics away from 0 and 1, so that no term hides. */
static inline void lab_fill_weights(lab *l) {
    const tc_tensor *tensors;
    double *theta = calloc(l->p + 1, sizeof *theta), *state = calloc(l->s + 1, sizeof *state);
    const tc_stream stream = tc_stream_make(11);
    for (int i = 0, n = tc_model_tensors(l->model, &tensors); i < n; i++)
        for (size_t e = tensors[i].offset; e < tensors[i].offset + tensors[i].count; e++) {
            const double u = 2 * tc_uniform_at(stream, e) - 1;
            theta[e] = tensors[i].init == TC_INIT_UNIFORM ? 1.7 * u * tensors[i].bound
                       : tensors[i].init == TC_INIT_ONE   ? 1 + 0.4 * u
                                                          : 0.3 * u;
        }
    for (int i = 0, n = tc_model_state_tensors(l->model, &tensors); i < n; i++)
        for (size_t e = tensors[i].offset; e < tensors[i].offset + tensors[i].count; e++)
            state[e] = (tensors[i].init == TC_INIT_ONE ? 0.8 : 0) + 0.3 * tc_uniform_at(stream, 1000000 + e);
    l->device->k->upload_double(l->device, l->theta, theta, l->p);
    l->device->k->upload_double(l->device, l->state, state, l->s);
    free(theta);
    free(state);
}

static inline lab lab_open(tc_device *device, const tc_model *model, tc_pass_options options) {
    lab l = {.device = device, .model = model};
    tc_error error = {0};
    const tc_shape in = tc_model_input(model);
    l.p = tc_model_parameters(model);
    l.s = tc_model_state(model);
    l.x = (size_t)options.batch * tc_shape_count(in);
    if (tc_pass_create(device, model, &options, &l.pass, &error) != TC_OK) fail_msg("%s", error.message);
    void **vectors[] = {&l.theta, &l.direction, &l.g, &l.j}, **images[] = {&l.x_direction, &l.g_x, &l.j_x};
    for (int i = 0; i < 4; i++) *vectors[i] = lab_reals(device, l.p);
    for (int i = 0; i < 3; i++) *images[i] = lab_reals(device, l.x);
    l.state = lab_reals(device, l.s);
    for (int i = 0; i < 4; i++) l.host[i] = calloc((i % 2 ? l.x : l.p) + 1, sizeof(double));
    lab_fill_weights(&l);
    device->k->normal(device, l.p, tc_stream_make(12), 0.1, l.direction);
    device->k->normal(device, l.x, tc_stream_make(13), 0.3, l.x_direction);
    device->k->normal(device, l.x, tc_stream_make(14), 1, tc_pass_input(l.pass));
    int32_t *labels = calloc((size_t)options.batch, sizeof *labels);
    for (int i = 0; i < options.batch; i++)
        labels[i] = (int32_t)(tc_bits_at(tc_stream_make(15), (uint64_t)i) % (uint64_t)tc_model_classes(model));
    device->k->upload_bytes(device, tc_pass_labels(l.pass), labels, (size_t)options.batch * sizeof *labels);
    free(labels);
    tc_pass_set_stream(l.pass, tc_stream_make(16));
    return l;
}

static inline void lab_close(lab *l) {
    void *held[] = {l->theta, l->state, l->direction, l->x_direction, l->g, l->g_x, l->j, l->j_x};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) l->device->k->release(l->device, held[i]);
    for (int i = 0; i < 4; i++) free(l->host[i]);
    tc_pass_free(l->pass);
}

/* Loss and gradients, then the tangents along (a·direction, b·x_direction) where second order is wanted; to the host.
 * Running statistics are not touched: training mode gets no state. */
static inline void lab_run(lab *l, tc_mode mode, bool second, bool along_theta, bool along_x) {
    tc_device *d = l->device;
    l->loss = tc_pass_grad(l->pass, l->theta, mode == TC_TRAIN ? NULL : l->state, l->g, l->g_x);
    if (second)
        tc_pass_grad_jvp(l->pass, along_theta ? l->direction : NULL, along_x ? l->x_direction : NULL, l->j, l->j_x);
    void *from[] = {l->g, l->g_x, l->j, l->j_x};
    for (int i = 0; i < (second ? 4 : 2); i++) d->k->download_double(d, l->host[i], from[i], i % 2 ? l->x : l->p);
}

static inline void lab_move(lab *l, double theta_step, double x_step) {
    l->device->k->axpby(l->device, l->p, theta_step, l->direction, 1, l->theta);
    l->device->k->axpby(l->device, l->x, x_step, l->x_direction, 1, tc_pass_input(l->pass));
}

static inline double relative_error(const double *a, const double *b, size_t count) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return sqrt(difference) / (sqrt(norm) + 1e-12);
}

static inline double inner(const double *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

static inline double *lab_copy(const double *from, size_t count) {
    double *to = calloc(count + 1, sizeof *to);
    memcpy(to, from, count * sizeof *to);
    return to;
}

enum { EVERYTHING = TC_WANT_GRAD_THETA | TC_WANT_GRAD_X | TC_WANT_JVP_THETA | TC_WANT_JVP_X | TC_WANT_X_DOT };

/* On the reference backend: the loss's slope along the directions against ⟨g, direction⟩, and grad_jvp against central
 * differences of grad, to `tolerance`; then the symmetries of second derivatives. */
static inline void check_against_differences(tc_device *reference, const tc_model *model, tc_pass_options options,
                                             double tolerance) {
    const double h = 1e-7;
    options.want = EVERYTHING;
    lab l = lab_open(reference, model, options);
    double *theta_direction = calloc(l.p + 1, sizeof(double)), *x_direction = calloc(l.x + 1, sizeof(double));
    reference->k->download_double(reference, theta_direction, l.direction, l.p);
    reference->k->download_double(reference, x_direction, l.x_direction, l.x);
    lab_run(&l, options.mode, true, true, true);
    const double slope = inner(l.host[G], theta_direction, l.p) + inner(l.host[G_X], x_direction, l.x);
    double *j = lab_copy(l.host[J], l.p), *j_x = lab_copy(l.host[J_X], l.x);
    lab_move(&l, h, h);
    lab_run(&l, options.mode, false, false, false);
    const double above = l.loss;
    double *g = lab_copy(l.host[G], l.p), *g_x = lab_copy(l.host[G_X], l.x);
    lab_move(&l, -2 * h, -2 * h);
    lab_run(&l, options.mode, false, false, false);
    const double difference = (above - l.loss) / (2 * h);
    for (size_t i = 0; i < l.p; i++) g[i] = (g[i] - l.host[G][i]) / (2 * h);
    for (size_t i = 0; i < l.x; i++) g_x[i] = (g_x[i] - l.host[G_X][i]) / (2 * h);
    lab_move(&l, h, h);
    const char *name = tc_model_name(model), *mode = options.mode == TC_TRAIN ? "training" : "evaluation";
    const double errors[] = {fabs(slope - difference) / (fabs(difference) + 1e-3), relative_error(j, g, l.p),
                             relative_error(j_x, g_x, l.x)};
    for (int i = 0; i < 3; i++)
        if (!(errors[i] < tolerance))
            fail_msg("%s, %s mode: %s is off by %.2e", name, mode, (const char *[]){"grad", "ġ_θ", "ġ_x"}[i],
                     errors[i]);
    /* Mixed partials commute: ⟨ġ_x(θ̇ = u), r⟩ = ⟨ġ_θ(ẋ = r), u⟩. */
    lab_run(&l, options.mode, true, true, false);
    const double one = inner(l.host[J_X], x_direction, l.x);
    double *h_u = lab_copy(l.host[J], l.p);
    lab_run(&l, options.mode, true, false, true);
    const double other = inner(l.host[J], theta_direction, l.p);
    if (fabs(one - other) > 1e-9 * (fabs(one) + 1))
        fail_msg("%s, %s mode: mixed partials %.12g and %.12g", name, mode, one, other);
    /* H is symmetric: ⟨v, H u⟩ = ⟨u, H v⟩, v another direction. */
    double *v = calloc(l.p + 1, sizeof *v);
    for (size_t i = 0; i < l.p; i++) v[i] = 0.1 * tc_normal_at(tc_stream_make(21), i);
    reference->k->upload_double(reference, l.direction, v, l.p);
    lab_run(&l, options.mode, true, true, false);
    const double vhu = inner(h_u, v, l.p), uhv = inner(l.host[J], theta_direction, l.p);
    if (fabs(vhu - uhv) > 1e-9 * (fabs(vhu) + 1)) fail_msg("%s, %s mode: vHu %.12g, uHv %.12g", name, mode, vhu, uhv);
    double *mine[] = {theta_direction, x_direction, j, j_x, g, g_x, h_u, v};
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++) free(mine[i]);
    lab_close(&l);
}

/* The fast backend against the oracle: loss, gradients to `first`, tangents to `second`. */
static inline void check_against_reference(tc_device *fast, tc_device *reference, const tc_model *model,
                                           tc_pass_options options, double first, double second) {
    options.want = EVERYTHING;
    lab a = lab_open(fast, model, options), b = lab_open(reference, model, options);
    lab_run(&a, options.mode, true, true, true);
    lab_run(&b, options.mode, true, true, true);
    const char *name = tc_model_name(model), *mode = options.mode == TC_TRAIN ? "training" : "evaluation";
    if (!(fabs(a.loss - b.loss) < first * (1 + fabs(b.loss))))
        fail_msg("%s, %s mode: loss %.9g and %.9g", name, mode, a.loss, b.loss);
    for (int i = 0; i < 4; i++) {
        const double error = relative_error(a.host[i], b.host[i], i % 2 ? a.x : a.p);
        if (!(error < (i < 2 ? first : second)))
            fail_msg("%s, %s mode: %s of %s and %s differ by %.2e", name, mode,
                     (const char *[]){"g_θ", "g_x", "ġ_θ", "ġ_x"}[i], fast->name, reference->name, error);
    }
    lab_close(&a);
    lab_close(&b);
}

#endif
