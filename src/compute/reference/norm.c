/* norm.c — batch normalisation and its backward map, per channel, N pixels:
 *
 *     training       μ = mean(z), σ² = mean((z − μ)²) + ε;  evaluation: the running ones, constants
 *     forward        y = act(γ x̂ + β + residual)
 *     backward       q = act′ Σdy,  dβ = Σq,  dγ = Σ q x̂
 *                    training    dz = γ/σ (q − mean(q) − x̂ mean(q x̂))
 *                    evaluation  dz = γ/σ q */
#include "compute/reference/norm.h"

#include <math.h>

/* PyTorch's rule: r ← (1 − m) r + m · batch, with the unbiased variance. */
static void update_running(const tc_norm *norm, size_t c, double mean, double variance, double count) {
    const double m = norm->momentum, unbiased = count > 1 ? variance * count / (count - 1) : variance;
    if (norm->running_mean) set(norm->running_mean, c, (1 - m) * value_at(norm->running_mean, c) + m * mean);
    if (norm->running_var) set(norm->running_var, c, (1 - m) * value_at(norm->running_var, c) + m * unbiased);
}

static void statistics(const tc_norm *norm, int c) {
    const size_t channel = (size_t)c;
    const double count = pixel_count(norm->shape);
    double mean = 0, variance = 0;
    if (norm->training) {
        EACH_PIXEL(norm->shape, c, i) mean += value_at(norm->z, i) / count;
        EACH_PIXEL(norm->shape, c, i) variance += pow(value_at(norm->z, i) - mean, 2) / count;
        update_running(norm, channel, mean, variance, count);
    } else {
        mean = value_at(norm->running_mean, channel);
        variance = value_at(norm->running_var, channel);
    }
    set(norm->mean, channel, mean);
    set(norm->inv_std, channel, 1 / sqrt(variance + norm->epsilon));
}

void tc_reference_norm_forward(tc_device *device, const tc_norm *norm) {
#pragma omp parallel for num_threads(device->threads)
    for (int c = 0; c < norm->shape.c; c++) {
        const double gamma = value_at(norm->gamma, (size_t)c), beta = value_at(norm->beta, (size_t)c);
        statistics(norm, c);
        EACH_PIXEL(norm->shape, c, i) {
            const double y = gamma * normalised(norm, c, i) + beta + value_or_zero(norm->residual, i);
            set(norm->y, i, norm->relu && y < 0 ? 0 : y);
        }
    }
}

void tc_reference_norm_backward(tc_device *device, const tc_norm *norm) {
    const double count = pixel_count(norm->shape);
#pragma omp parallel for num_threads(device->threads)
    for (int c = 0; c < norm->shape.c; c++) {
        const double scale = value_at(norm->gamma, (size_t)c) * value_at(norm->inv_std, (size_t)c);
        const void *q = norm->q ? norm->q : norm->dy.term[0];
        double sum_q = 0, sum_qx = 0;
        EACH_PIXEL(norm->shape, c, i) {
            const double masked = masked_sum(norm, &norm->dy, i);
            if (norm->q) set(norm->q, i, masked);
            sum_q += masked;
            if (norm->dgamma) sum_qx += masked * normalised(norm, c, i);
        }
        if (norm->dbeta) set(norm->dbeta, (size_t)c, sum_q);
        if (norm->dgamma) set(norm->dgamma, (size_t)c, sum_qx);
        if (!norm->dz) continue;
        EACH_PIXEL(norm->shape, c, i) {
            const double centre = norm->training ? sum_q / count + normalised(norm, c, i) * sum_qx / count : 0;
            set(norm->dz, i, scale * (value_at(q, i) - centre));
        }
    }
}
