/* norm.h — what the four maps of batch normalisation share: one channel at a time, its pixels one after another. */
#ifndef TC_COMPUTE_REFERENCE_NORM_H
#define TC_COMPUTE_REFERENCE_NORM_H

#include "compute/reference/kernels.h"

/* Runs i over the places of channel c in every image and pixel. */
#define EACH_PIXEL(s, c, i)                                                                                            \
    for (int n_ = 0; n_ < (s).n; n_++)                                                                                 \
        for (size_t p_ = 0, i = tc_shape_index((s), n_, 0, 0, (c)); p_ < (size_t)((s).h * (s).w);                      \
             p_++, i += (size_t)(s).block)

static inline double pixel_count(tc_shape s) {
    return (double)s.n * s.h * s.w;
}

static inline double value_at(const void *array, size_t i) {
    return ((const double *)array)[i];
}

/* The same for what may be NULL, meaning zero. */
static inline double value_or_zero(const void *array, size_t i) {
    return array ? value_at(array, i) : 0;
}

static inline void set(void *array, size_t i, double value) {
    ((double *)array)[i] = value;
}

/* Σ over the terms at i, or 0 where the ReLU behind the normalisation was shut. */
static inline double masked_sum(const tc_norm *norm, const tc_sum *sum, size_t i) {
    if (norm->relu && !(value_at(norm->y, i) > 0)) return 0;
    double total = 0;
    for (int t = 0; t < sum->count; t++) total += value_at(sum->term[t], i);
    return total;
}

/* x̂ = (z − μ)/σ */
static inline double normalised(const tc_norm *norm, int c, size_t i) {
    return (value_at(norm->z, i) - value_at(norm->mean, (size_t)c)) * value_at(norm->inv_std, (size_t)c);
}

#endif
