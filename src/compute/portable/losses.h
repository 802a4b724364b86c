/* losses.h — losses on logits. A kind is a row of `portable_losses`: on one sample, its value with the gradient, and
 * the tangent of the gradient. Arithmetic within a sample is in double whatever `real` is. */
#ifndef TC_COMPUTE_PORTABLE_LOSSES_H
#define TC_COMPUTE_PORTABLE_LOSSES_H

#include "compute/portable/blocks.h"

/* One sample. */
typedef struct portable_sample {
    int classes, label;
    double weight, kappa;
    const real *z;
    const real *soft; /* NULL: one-hot of label */
} portable_sample;

static inline double portable_target(const portable_sample *s, int i) {
    return s->soft ? (double)s->soft[i] : i == s->label;
}

/* log Σ exp z, safe from overflow; and with it softmax(z)_i. */
static double portable_log_sum(const portable_sample *s) {
    double most = (double)s->z[0], sum = 0;
    for (int i = 1; i < s->classes; i++) most = fmax(most, (double)s->z[i]);
    for (int i = 0; i < s->classes; i++) sum += exp((double)s->z[i] - most);
    return most + log(sum);
}

static double portable_target_total(const portable_sample *s) {
    if (!s->soft) return 1;
    double total = 0;
    for (int i = 0; i < s->classes; i++) total += (double)s->soft[i];
    return total;
}

static double portable_cross_entropy(const portable_sample *s, real *dz) {
    const double normaliser = portable_log_sum(s), total = portable_target_total(s);
    double value = 0;
    for (int i = 0; i < s->classes; i++) {
        const double t = portable_target(s, i);
        if (t != 0) value += t * (normaliser - (double)s->z[i]); /* 0 · ∞ is 0 here */
        if (dz) dz[i] = (real)(s->weight * (total * exp((double)s->z[i] - normaliser) - t));
    }
    return value;
}

static void portable_cross_entropy_tangent(const portable_sample *s, const real *z_t, real *dz_t) {
    const double normaliser = portable_log_sum(s), scale = s->weight * portable_target_total(s);
    double mean = 0; /* ⟨p, ż⟩ */
    for (int i = 0; i < s->classes; i++) mean += exp((double)s->z[i] - normaliser) * (double)z_t[i];
    for (int i = 0; i < s->classes; i++)
        dz_t[i] = (real)(scale * exp((double)s->z[i] - normaliser) * ((double)z_t[i] - mean));
}

static double portable_squared_error(const portable_sample *s, real *dz) {
    double value = 0;
    for (int i = 0; i < s->classes; i++) {
        const double error = (double)s->z[i] - portable_target(s, i);
        value += error * error / 2;
        if (dz) dz[i] = (real)(s->weight * error);
    }
    return value;
}

static void portable_squared_error_tangent(const portable_sample *s, const real *z_t, real *dz_t) {
    for (int i = 0; i < s->classes; i++) dz_t[i] = (real)(s->weight * (double)z_t[i]);
}

/* max(floor, offset + z_j − z_y), j the first largest of the others; where the floor is reached the gradient is 0. */
static double portable_gap(const portable_sample *s, double offset, double floor_value, real *dz) {
    int j = -1;
    for (int i = 0; i < s->classes; i++)
        if (i != s->label && (j < 0 || s->z[i] > s->z[j])) j = i;
    const double gap = j < 0 ? floor_value : offset + (double)s->z[j] - (double)s->z[s->label];
    const bool above = gap > floor_value;
    if (dz) {
        memset(dz, 0, (size_t)s->classes * sizeof *dz);
        if (above) {
            dz[j] = (real)s->weight;
            dz[s->label] = (real)-s->weight;
        }
    }
    return above || isnan(gap) ? gap : floor_value;
}

static double portable_hinge(const portable_sample *s, real *dz) {
    return portable_gap(s, 1, 0, dz);
}

static double portable_margin(const portable_sample *s, real *dz) {
    return portable_gap(s, 0, -s->kappa, dz);
}

/* Piecewise linear: the gradient does not change along any direction. */
static void portable_no_tangent(const portable_sample *s, const real *z_t, real *dz_t) {
    (void)z_t;
    memset(dz_t, 0, (size_t)s->classes * sizeof *dz_t);
}

static const struct {
    double (*value)(const portable_sample *sample, real *dz /* NULL: not wanted */);
    void (*tangent)(const portable_sample *sample, const real *z_t, real *dz_t);
} portable_losses[] = {
    [TC_CROSS_ENTROPY] = {portable_cross_entropy, portable_cross_entropy_tangent},
    [TC_SQUARED_ERROR] = {portable_squared_error, portable_squared_error_tangent},
    [TC_HINGE] = {portable_hinge, portable_no_tangent},
    [TC_MARGIN] = {portable_margin, portable_no_tangent},
};

static inline portable_sample portable_sample_at(const tc_loss *loss, size_t n) {
    const size_t at = n * (size_t)loss->classes;
    return (portable_sample){.classes = loss->classes,
                             .label = loss->soft ? 0 : (int)loss->labels[n],
                             .weight = loss->weight,
                             .kappa = loss->kappa,
                             .z = (const real *)loss->logits + at,
                             .soft = loss->soft ? (const real *)loss->soft + at : NULL};
}

static void portable_loss(tc_device *device, const tc_loss *loss, void *value, void *dz) {
    const size_t n = (size_t)loss->n, classes = (size_t)loss->classes;
    PORTABLE_PARALLEL_COSTLY(n * classes)
    for (size_t i = 0; i < n; i++) {
        const portable_sample sample = portable_sample_at(loss, i);
        ((real *)value)[i] = (real)portable_losses[loss->kind].value(&sample, dz ? (real *)dz + i * classes : NULL);
    }
}

static void portable_loss_tangent(tc_device *device, const tc_loss *loss, const void *logits_t, void *dz_t) {
    const size_t n = (size_t)loss->n, classes = (size_t)loss->classes;
    PORTABLE_PARALLEL_COSTLY(n * classes)
    for (size_t i = 0; i < n; i++) {
        const portable_sample sample = portable_sample_at(loss, i);
        portable_losses[loss->kind].tangent(&sample, (const real *)logits_t + i * classes, (real *)dz_t + i * classes);
    }
}

#define TC_PORTABLE_LOSSES .loss = portable_loss, .loss_tangent = portable_loss_tangent

#endif
