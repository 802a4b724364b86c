/* vectors.h — arithmetic on flat vectors: parameters, gradients, directions. */
#ifndef TC_COMPUTE_PORTABLE_VECTORS_H
#define TC_COMPUTE_PORTABLE_VECTORS_H

#include "compute/portable/normals.h"

static void portable_fill(tc_device *device, size_t count, double value, void *y) {
    real *to = y;
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) to[i] = (real)value;
}

static void portable_copy(tc_device *device, size_t count, const void *x, void *y) {
    const real *from = x;
    real *to = y;
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) to[i] = from[i];
}

static void portable_axpby(tc_device *device, size_t count, double a, const void *x, double b, void *y) {
    const real p = (real)a, q = (real)b, *from = x;
    real *to = y;
    if (q == 0) { /* y may hold anything, NaN included */
        PORTABLE_PARALLEL_SIMD(count)
        for (size_t i = 0; i < count; i++) to[i] = p * from[i];
        return;
    }
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) to[i] = p * from[i] + q * to[i];
}

static void portable_multiply(tc_device *device, size_t count, const void *a, const void *b, void *y, bool accumulate) {
    const real *p = a, *q = b;
    real *to = y;
    if (accumulate) {
        PORTABLE_PARALLEL_SIMD(count)
        for (size_t i = 0; i < count; i++) to[i] += p[i] * q[i];
        return;
    }
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) to[i] = p[i] * q[i];
}

/* y may be a term, so each block is added up beside it first. */
static void portable_add(tc_device *device, tc_shape shape, tc_sum terms, void *y) {
    const size_t count = tc_shape_count(shape);
    real *to = y;
    PORTABLE_PARALLEL(count)
    for (size_t from = 0; from < count; from += PORTABLE_BLOCK) {
        real room[PORTABLE_BLOCK];
        const size_t n = portable_length(from, count);
        portable_add_up(&terms, from, n, room);
        memcpy(to + from, room, n * sizeof *to);
    }
}

static void portable_add_relu(tc_device *device, tc_shape shape, tc_sum terms, void *y) {
    const size_t count = tc_shape_count(shape);
    real *to = y;
    PORTABLE_PARALLEL(count)
    for (size_t from = 0; from < count; from += PORTABLE_BLOCK) {
        real room[PORTABLE_BLOCK];
        const size_t n = portable_length(from, count);
        portable_add_up(&terms, from, n, room);
        PORTABLE_SIMD
        for (size_t i = 0; i < n; i++) to[from + i] = room[i] < 0 ? 0 : room[i]; /* NaN stays NaN */
    }
}

static double portable_part_sum(size_t n, double p, const real *x, const real *y) {
    (void)p, (void)y;
    double sum = 0;
    PORTABLE_PRAGMA(omp simd reduction(+ : sum))
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    return sum;
}

static double portable_part_dot(size_t n, double p, const real *x, const real *y) {
    (void)p;
    double sum = 0;
    PORTABLE_PRAGMA(omp simd reduction(+ : sum))
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

static double portable_part_absolute(size_t n, double p, const real *x, const real *y) {
    (void)p, (void)y;
    double sum = 0;
    PORTABLE_PRAGMA(omp simd reduction(+ : sum))
    for (size_t i = 0; i < n; i++) sum += fabs((double)x[i]);
    return sum;
}

static double portable_part_power(size_t n, double p, const real *x, const real *y) {
    (void)y;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += pow(fabs((double)x[i]), p);
    return sum;
}

static double portable_sum(tc_device *device, size_t count, const void *x) {
    return portable_total(device, count, portable_part_sum, 0, x, NULL);
}

static double portable_dot(tc_device *device, size_t count, const void *x, const void *y) {
    return portable_total(device, count, portable_part_dot, 0, x, y);
}

/* The largest |x|; NaN if any element is, so that a diverged vector is noticed. */
static double portable_largest(tc_device *device, size_t count, const real *x) {
    double largest = 0;
    bool broken = false;
    PORTABLE_PRAGMA(omp parallel for num_threads(device->threads) schedule(static) reduction(max : largest)
                        reduction(|| : broken) if (count >= PORTABLE_FEW))
    for (size_t i = 0; i < count; i++) {
        const double size = fabs((double)x[i]);
        broken = broken || isnan(size);
        largest = size > largest ? size : largest;
    }
    return broken ? NAN : largest;
}

static double portable_sum_power(tc_device *device, size_t count, double p, const void *x) {
    if (isinf(p)) return portable_largest(device, count, x);
    if (p == 2) return portable_total(device, count, portable_part_dot, p, x, x);
    return portable_total(device, count, p == 1 ? portable_part_absolute : portable_part_power, p, x, NULL);
}

static void portable_sign_power(tc_device *device, size_t count, double a, double p, const void *x, void *y) {
    const real *from = x;
    real *to = y;
    if (p == 1) {
        portable_axpby(device, count, a, x, 0, y);
        return;
    }
    PORTABLE_PARALLEL_COSTLY(count)
    for (size_t i = 0; i < count; i++) {
        const double v = (double)from[i], size = p == 0 ? 1 : pow(fabs(v), p);
        to[i] = (real)(v == 0 ? 0 : a * copysign(size, v));
    }
}

static void portable_uniform(tc_device *device, size_t count, tc_stream stream, double low, double high, void *y) {
    real *to = y;
    PORTABLE_PARALLEL_COSTLY(count)
    for (size_t i = 0; i < count; i++) to[i] = (real)(low + (high - low) * tc_uniform_at(stream, i));
}

static void portable_uniform_paced(tc_device *device, size_t count, const tc_pace *pace, const char *purpose,
                                   double low, double high, void *y) {
    portable_uniform(device, count, tc_stream_child((tc_stream){.key = pace->variant}, purpose, 0), low, high, y);
}

static void portable_clamp(tc_device *device, size_t count, double low, double high, void *y) {
    const real least = (real)low, most = (real)high;
    real *to = y;
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) to[i] = to[i] < least ? least : to[i] > most ? most : to[i];
}

/* By the kernels that a host would call who waits for the norm. */
static void portable_ascend(tc_device *device, size_t count, double rho, const void *g, const void *x, void *y) {
    const double norm = sqrt(portable_dot(device, count, g, g));
    portable_copy(device, count, x, y);
    if (norm != 0) portable_axpby(device, count, rho / norm, g, 1, y);
}

static void portable_cosine(tc_device *device, size_t count, double norm, const void *t, const void *g, void *u,
                            double *phi) {
    const double dot = portable_dot(device, count, t, g), size = sqrt(portable_dot(device, count, g, g));
    const double both = norm * size;
    const bool vanished = !(norm > 0) || !(size > 0);
    *phi += vanished ? 1 : 1 - dot / both;
    if (!u) return;
    if (vanished) {
        portable_fill(device, count, 0, u);
        return;
    }
    portable_copy(device, count, g, u);
    portable_axpby(device, count, -1 / both, t, dot / (both * size * size), u);
}

#define TC_PORTABLE_VECTORS                                                                                            \
    .fill = portable_fill, .copy = portable_copy, .axpby = portable_axpby, .multiply = portable_multiply,              \
    .add = portable_add, .add_relu = portable_add_relu, .sum = portable_sum, .dot = portable_dot,                      \
    .sum_power = portable_sum_power, .sign_power = portable_sign_power, .normal = portable_normal,                     \
    .uniform = portable_uniform, .uniform_paced = portable_uniform_paced, .clamp = portable_clamp,                     \
    .ascend = portable_ascend, .cosine = portable_cosine

#endif
