/* activations.h — element-wise functions. A kind is a row of `portable_curves`: its value, slope and curvature on a
 * block; the four maps of every kind follow from these three. */
#ifndef TC_COMPUTE_PORTABLE_ACTIVATIONS_H
#define TC_COMPUTE_PORTABLE_ACTIVATIONS_H

#include "compute/portable/exponential.h"

#include <tgmath.h> /* exp and tanh in the precision of `real` */

typedef struct portable_curve {
    void (*value)(size_t n, real slope, const real *x, real *y);                /* y = f(x) */
    void (*first)(size_t n, real slope, const real *x, const real *y, real *d); /* d = f′(x) */
    void (*second)(size_t n, const real *x, real *d);                           /* d = f″(x); NULL: zero */
} portable_curve;

/* The piecewise linear kinds know their slope from y alone, so x need not be kept. */

static void portable_leaky(size_t n, real slope, const real *x, real *y) {
    PORTABLE_SIMD
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

static void portable_leaky_first(size_t n, real slope, const real *x, const real *y, real *d) {
    (void)x;
    PORTABLE_SIMD
    for (size_t i = 0; i < n; i++) d[i] = y[i] > 0 ? 1 : slope;
}

static void portable_relu(size_t n, real slope, const real *x, real *y) {
    (void)slope;
    PORTABLE_SIMD
    for (size_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays NaN */
}

static void portable_relu_first(size_t n, real slope, const real *x, const real *y, real *d) {
    (void)slope;
    portable_leaky_first(n, 0, x, y, d);
}

static void portable_relu6(size_t n, real slope, const real *x, real *y) {
    (void)slope;
    PORTABLE_SIMD
    for (size_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i] > 6 ? 6 : x[i];
}

static void portable_relu6_first(size_t n, real slope, const real *x, const real *y, real *d) {
    (void)slope, (void)x;
    PORTABLE_SIMD
    for (size_t i = 0; i < n; i++) d[i] = y[i] > 0 && y[i] < 6 ? 1 : 0;
}

static void portable_sigmoid(size_t n, real slope, const real *x, real *y) {
    (void)slope;
    for (size_t i = 0; i < n; i++) y[i] = 1 / (1 + exp(-x[i]));
}

static void portable_sigmoid_first(size_t n, real slope, const real *x, const real *y, real *d) {
    (void)y;
    portable_sigmoid(n, slope, x, d);
    for (size_t i = 0; i < n; i++) d[i] = d[i] * (1 - d[i]);
}

static void portable_sigmoid_second(size_t n, const real *x, real *d) {
    portable_sigmoid(n, 0, x, d);
    for (size_t i = 0; i < n; i++) d[i] = d[i] * (1 - d[i]) * (1 - 2 * d[i]);
}

static void portable_tanh(size_t n, real slope, const real *x, real *y) {
    (void)slope;
    for (size_t i = 0; i < n; i++) y[i] = tanh(x[i]);
}

static void portable_tanh_first(size_t n, real slope, const real *x, const real *y, real *d) {
    (void)y;
    portable_tanh(n, slope, x, d);
    for (size_t i = 0; i < n; i++) d[i] = 1 - d[i] * d[i];
}

static void portable_tanh_second(size_t n, const real *x, real *d) {
    portable_tanh(n, 0, x, d);
    for (size_t i = 0; i < n; i++) d[i] = -2 * d[i] * (1 - d[i] * d[i]);
}

/* GELU: x Φ(x) with the exact Φ of the normal distribution, φ its density. */

static void portable_gelu(size_t n, real slope, const real *x, real *y) {
    (void)slope;
    PORTABLE_SIMD
    for (size_t i = 0; i < n; i++) {
        real density;
        y[i] = x[i] * portable_normal_law(x[i], &density);
    }
}

static void portable_gelu_first(size_t n, real slope, const real *x, const real *y, real *d) {
    (void)slope, (void)y;
    PORTABLE_SIMD
    for (size_t i = 0; i < n; i++) {
        real density;
        const real law = portable_normal_law(x[i], &density);
        d[i] = law + x[i] * density;
    }
}

static void portable_gelu_second(size_t n, const real *x, real *d) {
    PORTABLE_SIMD
    for (size_t i = 0; i < n; i++) {
        real density;
        portable_normal_law(x[i], &density);
        d[i] = (2 - x[i] * x[i]) * density;
    }
}

static const portable_curve portable_curves[] = {
    [TC_RELU] = {portable_relu, portable_relu_first, NULL},
    [TC_LEAKY_RELU] = {portable_leaky, portable_leaky_first, NULL},
    [TC_RELU6] = {portable_relu6, portable_relu6_first, NULL},
    [TC_SIGMOID] = {portable_sigmoid, portable_sigmoid_first, portable_sigmoid_second},
    [TC_TANH] = {portable_tanh, portable_tanh_first, portable_tanh_second},
    [TC_GELU] = {portable_gelu, portable_gelu_first, portable_gelu_second},
};

/* ---- the four maps ---- */

/* x is not needed by every kind and may then be NULL. */
static inline const real *portable_from(const void *x, size_t from) {
    return x ? (const real *)x + from : NULL;
}

static void portable_activation(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape, const void *x,
                                void *y) {
    const portable_curve *f = &portable_curves[kind];
    const size_t count = tc_shape_count(shape);
    PORTABLE_PARALLEL(count)
    for (size_t from = 0; from < count; from += PORTABLE_BLOCK)
        f->value(portable_length(from, count), (real)slope, portable_from(x, from), (real *)y + from);
}

/* to := Σ of one to three terms where y > 0, else 0. The mask of every ReLU in a network goes through here, three times
 * a matching step, so it is one loop without temporaries. */
static void portable_masked(size_t n, const real *y, const real *a, const real *b, const real *c, real *to) {
    if (c) {
        PORTABLE_SIMD
        for (size_t i = 0; i < n; i++) to[i] = y[i] > 0 ? a[i] + b[i] + c[i] : 0;
    } else if (b) {
        PORTABLE_SIMD
        for (size_t i = 0; i < n; i++) to[i] = y[i] > 0 ? a[i] + b[i] : 0;
    } else {
        PORTABLE_SIMD
        for (size_t i = 0; i < n; i++) to[i] = y[i] > 0 ? a[i] : 0;
    }
}

static void portable_relu_backward(tc_device *device, size_t count, const real *y, tc_sum dy, real *dx) {
    PORTABLE_PARALLEL(count)
    for (size_t from = 0; from < count; from += PORTABLE_BLOCK) {
        real room[PORTABLE_BLOCK];
        const size_t n = portable_length(from, count);
        const real *a = portable_from(dy.term[0], from);
        const real *b = dy.count > 1 ? portable_from(dy.term[1], from) : NULL;
        const real *c = dy.count > 2 ? portable_from(dy.term[2], from) : NULL;
        if (dy.count > 3) {
            portable_add_up(&dy, from, n, room);
            a = room, b = c = NULL;
        }
        portable_masked(n, y + from, a, b, c, dx + from);
    }
}

static void portable_activation_backward(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape,
                                         const void *x, const void *y, tc_sum dy, void *dx) {
    const portable_curve *f = &portable_curves[kind];
    const size_t count = tc_shape_count(shape);
    real *to = dx;
    if (kind == TC_RELU && dy.count > 0) {
        portable_relu_backward(device, count, y, dy, dx);
        return;
    }
    PORTABLE_PARALLEL(count)
    for (size_t from = 0; from < count; from += PORTABLE_BLOCK) {
        real room[PORTABLE_BLOCK], d[PORTABLE_BLOCK];
        const size_t n = portable_length(from, count);
        const real *q = portable_gather(&dy, from, n, room);
        f->first(n, (real)slope, portable_from(x, from), portable_from(y, from), d);
        PORTABLE_SIMD
        for (size_t i = 0; i < n; i++) to[from + i] = d[i] * q[i];
    }
}

static void portable_activation_tangent(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape,
                                        const void *x, const void *y, const void *x_t, void *y_t) {
    if (x_t)
        portable_activation_backward(device, kind, slope, shape, x, y, tc_one(x_t), y_t); /* f′(x) ẋ: the same map */
    else
        memset(y_t, 0, tc_shape_count(shape) * sizeof(real));
}

static void portable_activation_backward_tangent(tc_device *device, tc_activation_kind kind, double slope,
                                                 tc_shape shape, const void *x, const void *y, const void *x_t,
                                                 tc_sum dy, tc_sum dy_t, void *dx_t) {
    const portable_curve *f = &portable_curves[kind];
    if (!f->second || !x_t) {
        portable_activation_backward(device, kind, slope, shape, x, y, dy_t, dx_t);
        return;
    }
    const size_t count = tc_shape_count(shape);
    real *to = dx_t;
    PORTABLE_PARALLEL_COSTLY(count)
    for (size_t from = 0; from < count; from += PORTABLE_BLOCK) {
        real room[PORTABLE_BLOCK], room_t[PORTABLE_BLOCK], d[PORTABLE_BLOCK], e[PORTABLE_BLOCK];
        const size_t n = portable_length(from, count);
        const real *q = portable_gather(&dy, from, n, room), *q_t = portable_gather(&dy_t, from, n, room_t);
        const real *along = (const real *)x_t + from;
        f->first(n, (real)slope, portable_from(x, from), portable_from(y, from), d);
        f->second(n, portable_from(x, from), e);
        PORTABLE_SIMD
        for (size_t i = 0; i < n; i++) to[from + i] = d[i] * q_t[i] + e[i] * along[i] * q[i];
    }
}

#define TC_PORTABLE_ACTIVATIONS                                                                                        \
    .activation = portable_activation, .activation_backward = portable_activation_backward,                            \
    .activation_tangent = portable_activation_tangent,                                                                 \
    .activation_backward_tangent = portable_activation_backward_tangent

#endif
