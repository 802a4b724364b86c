#include "attack/parts/sharpness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const tc_sharpness_names[] = {"none", "worst-case", "gaussian", NULL};

/* ---- v̂ ---- */

/* p = 1: all of ρ on the largest coordinate. Rare enough to do on the host. */
static void worst_1(const tc_sharpness *s, const void *g, void *v) {
    const tc_kernels *k = s->device->k;
    k->download_double(s->device, s->host, g, s->parameters);
    size_t largest = 0;
    for (size_t i = 1; i < s->parameters; i++)
        if (fabs(s->host[i]) > fabs(s->host[largest])) largest = i;
    const double value = copysign(s->options->rho, s->host[largest]);
    k->fill(s->device, s->parameters, 0, v);
    k->upload_double(s->device, tc_at(s->device, v, largest), &value, 1);
}

/* v̂ does not change when g is scaled; dividing by max|g| first keeps large powers from overflowing. */
static void worst_p(const tc_sharpness *s, double most, const void *g, void *v) {
    const tc_kernels *k = s->device->k;
    const double q = isinf(s->p) ? 1 : s->p / (s->p - 1);
    k->axpby(s->device, s->parameters, 1 / most, g, 0, v);
    const double norm = pow(k->sum_power(s->device, s->parameters, q, v), 1 / s->p); /* (‖g‖_q^q)^{1/p} */
    k->sign_power(s->device, s->parameters, s->options->rho / norm, q - 1, v, v);
}

void tc_sharpness_worst(const tc_sharpness *s, const void *g, void *v) {
    const tc_kernels *k = s->device->k;
    const double most = k->sum_power(s->device, s->parameters, INFINITY, g);
    if (!(most > 0))
        k->fill(s->device, s->parameters, 0, v);
    else if (s->p == 1)
        worst_1(s, g, v);
    else
        worst_p(s, most, g, v);
}

/* ---- ∇Q^S ---- */

static double none(tc_sharpness *s, tc_objective *q, const void *theta, void *g) {
    (void)s;
    return q->gradient(q, theta, g);
}

static double worst_case(tc_sharpness *s, tc_objective *q, const void *theta, void *g) {
    q->gradient(q, theta, g);
    tc_sharpness_worst(s, g, s->moved);
    s->device->k->axpby(s->device, s->parameters, 1, theta, 1, s->moved); /* θ* + v̂ */
    return q->gradient(q, s->moved, g);
}

static double gaussian(tc_sharpness *s, tc_objective *q, const void *theta, void *g) {
    const tc_kernels *k = s->device->k;
    const double share = 1 / (double)s->options->samples;
    double value = 0;
    for (int64_t i = 0; i < s->options->samples; i++) {
        k->normal(s->device, s->parameters, tc_stream_child(s->stream, "weights", (uint64_t)i), s->options->sigma,
                  s->moved);
        k->axpby(s->device, s->parameters, 1, theta, 1, s->moved); /* θ* + σ n */
        value += share * q->gradient(q, s->moved, s->part);
        k->axpby(s->device, s->parameters, share, s->part, i > 0, g);
    }
    return value;
}

/* In the order of tc_sharpness_kind. */
static double (*const kinds[])(tc_sharpness *s, tc_objective *q, const void *theta, void *g) = {none, worst_case,
                                                                                                gaussian};

double tc_sharpness_gradient(tc_sharpness *sharpness, tc_objective *objective, const void *theta, void *g) {
    return kinds[sharpness->options->kind](sharpness, objective, theta, g);
}

/* ---- from where to look ---- */

void tc_sharpness_aim(tc_sharpness *s, tc_objective *objective, const void *theta, void *g) {
    if (s->options->kind != TC_SHARPNESS_WORST_CASE) return;
    objective->gradient(objective, theta, g);
    tc_sharpness_worst(s, g, s->moved);
    s->device->k->axpby(s->device, s->parameters, 1, theta, 1, s->moved); /* θ + v̂ */
}

int tc_sharpness_points(const tc_sharpness *s) {
    return s->options->kind == TC_SHARPNESS_GAUSSIAN ? (int)s->options->samples : 1;
}

const void *tc_sharpness_point(tc_sharpness *s, const void *theta) {
    if (s->options->kind == TC_SHARPNESS_NONE) return theta;
    if (s->options->kind == TC_SHARPNESS_GAUSSIAN) {
        const tc_stream stream = tc_stream_child(s->stream, "points", s->drawn++);
        s->device->k->normal(s->device, s->parameters, stream, s->options->sigma, s->moved);
        s->device->k->axpby(s->device, s->parameters, 1, theta, 1, s->moved); /* θ + σ n */
    }
    return s->moved;
}

double tc_sharpness_gradients(const tc_sharpness_options *options) {
    if (options->kind == TC_SHARPNESS_WORST_CASE) return 2;
    return options->kind == TC_SHARPNESS_GAUSSIAN ? (double)options->samples : 1;
}

/* ---- making ---- */

static tc_status read_norm(const char *text, double *p, tc_error *error) {
    char *end = NULL;
    *p = strcmp(text, "inf") ? strtod(text, &end) : INFINITY;
    const bool number = !end || (end != text && !*end && isfinite(*p));
    if (number && *p >= 1) return TC_OK;
    return tc_raise(error, TC_INVALID, "p: '%.32s' is no norm; give a number from 1 or inf", text);
}

tc_status tc_sharpness_check(const tc_sharpness_options *options, tc_error *error) {
    double p;
    return read_norm(options->p, &p, error);
}

tc_status tc_sharpness_create(tc_device *device, const tc_sharpness_options *options, size_t parameters,
                              tc_stream stream, tc_sharpness *sharpness, tc_error *error) {
    tc_status status = TC_OK;
    *sharpness =
        (tc_sharpness){.device = device, .options = options, .parameters = parameters, .p = 2, .stream = stream};
    TC_TRY(read_norm(options->p, &sharpness->p, error));
    if (options->kind == TC_SHARPNESS_NONE) goto done;
    TC_TRY(tc_device_reals(device, parameters, &sharpness->moved, error));
    if (options->kind == TC_SHARPNESS_GAUSSIAN) TC_TRY(tc_device_reals(device, parameters, &sharpness->part, error));
    if (sharpness->p == 1) TC_TRY(tc_new(&sharpness->host, parameters, sizeof *sharpness->host, error));
done:
    if (status != TC_OK) tc_sharpness_free(sharpness);
    return status;
}

void tc_sharpness_free(tc_sharpness *sharpness) {
    if (sharpness->moved) sharpness->device->k->release(sharpness->device, sharpness->moved);
    if (sharpness->part) sharpness->device->k->release(sharpness->device, sharpness->part);
    free(sharpness->host);
    sharpness->moved = sharpness->part = sharpness->host = NULL;
}
