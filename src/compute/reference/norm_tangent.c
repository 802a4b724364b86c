/* norm_tangent.c — the tangents of both maps of batch normalisation along (ż, γ̇, β̇, residual̇), per channel:
 *
 *     training       μ̇ = mean(ż),  σ̇/σ = mean(x̂ (ż − μ̇))/σ;   evaluation: both zero, the statistics are constants
 *                    x̂̇ = (ż − μ̇)/σ − x̂ σ̇/σ
 *     forward        ẏ = act′ (γ̇ x̂ + γ x̂̇ + β̇ + residual̇)
 *     backward       q̇ = act′ Σdẏ,  dβ̇ = Σq̇,  dγ̇ = Σ (q̇ x̂ + q x̂̇);  with Q = γ q,  Q̇ = γ̇ q + γ q̇
 *                    training    dż = [Q̇ − mean(Q̇) − x̂̇ mean(Q x̂) − x̂ (mean(Q̇ x̂) + mean(Q x̂̇))]/σ − dz σ̇/σ
 *                    evaluation  dż = Q̇/σ */
#include "compute/reference/norm.h"

/* Channel c's constants. */
typedef struct channel {
    double gamma, gamma_t, beta_t, inv_std, mean_t, ratio_t; /* ratio_t = σ̇/σ */
} channel;

static channel constants(const tc_norm *norm, int at) {
    const size_t c = (size_t)at;
    const bool moves = norm->training && norm->z_t; /* else the statistics stand still */
    return (channel){
        value_at(norm->gamma, c),   value_or_zero(norm->gamma_t, c),       value_or_zero(norm->beta_t, c),
        value_at(norm->inv_std, c), moves ? value_at(norm->mean_t, c) : 0, moves ? value_at(norm->ratio_t, c) : 0};
}

/* x̂̇ */
static double normalised_t(const tc_norm *norm, const channel *k, int c, size_t i) {
    return (value_or_zero(norm->z_t, i) - k->mean_t) * k->inv_std - normalised(norm, c, i) * k->ratio_t;
}

static void statistics_t(const tc_norm *norm, int c) {
    const double count = pixel_count(norm->shape);
    double mean_t = 0, sigma_t = 0;
    if (norm->training && norm->z_t) {
        EACH_PIXEL(norm->shape, c, i) mean_t += value_at(norm->z_t, i) / count;
        EACH_PIXEL(norm->shape, c, i) sigma_t += normalised(norm, c, i) * (value_at(norm->z_t, i) - mean_t) / count;
    }
    set(norm->mean_t, (size_t)c, mean_t);
    set(norm->ratio_t, (size_t)c, sigma_t * value_at(norm->inv_std, (size_t)c));
}

void tc_reference_norm_forward_tangent(tc_device *device, const tc_norm *norm) {
#pragma omp parallel for num_threads(device->threads)
    for (int c = 0; c < norm->shape.c; c++) {
        statistics_t(norm, c);
        const channel k = constants(norm, c);
        EACH_PIXEL(norm->shape, c, i) {
            const bool shut = norm->relu && !(value_at(norm->y, i) > 0);
            const double y_t = k.gamma_t * normalised(norm, c, i) + k.gamma * normalised_t(norm, &k, c, i) + k.beta_t +
                               value_or_zero(norm->residual_t, i);
            set(norm->y_t, i, shut ? 0 : y_t);
        }
    }
}

/* q̇ into its buffer, and dγ̇, dβ̇. */
static void reduce_t(const tc_norm *norm, const channel *k, int c, const void *q) {
    double sum_q = 0, sum_qx = 0;
    EACH_PIXEL(norm->shape, c, i) {
        const double q_t = masked_sum(norm, &norm->dy_t, i);
        if (norm->q_t) set(norm->q_t, i, q_t);
        sum_q += q_t;
        if (!norm->dgamma_t) continue;
        sum_qx += q_t * normalised(norm, c, i) + value_at(q, i) * normalised_t(norm, k, c, i);
    }
    if (norm->dbeta_t) set(norm->dbeta_t, (size_t)c, sum_q);
    if (norm->dgamma_t) set(norm->dgamma_t, (size_t)c, sum_qx);
}

/* The means in dż: of Q, Q x̂, Q̇, and of d/dε (Q x̂). */
typedef struct means {
    double q, qx, q_t, qx_t;
} means;

static double scaled_t(const channel *k, const void *q, const void *q_t, size_t i) {
    return k->gamma_t * value_at(q, i) + k->gamma * value_at(q_t, i);
}

static means average(const tc_norm *norm, const channel *k, int c, const void *q, const void *q_t) {
    const double count = pixel_count(norm->shape);
    means m = {0, 0, 0, 0};
    EACH_PIXEL(norm->shape, c, i) {
        const double scaled = k->gamma * value_at(q, i), x = normalised(norm, c, i);
        m.q += scaled / count;
        m.qx += scaled * x / count;
        m.q_t += scaled_t(k, q, q_t, i) / count;
        m.qx_t += (scaled_t(k, q, q_t, i) * x + scaled * normalised_t(norm, k, c, i)) / count;
    }
    return m;
}

void tc_reference_norm_backward_tangent(tc_device *device, const tc_norm *norm) {
    const void *q = norm->q ? norm->q : norm->dy.term[0], *q_t = norm->q_t ? norm->q_t : norm->dy_t.term[0];
#pragma omp parallel for num_threads(device->threads)
    for (int c = 0; c < norm->shape.c; c++) {
        const channel k = constants(norm, c);
        reduce_t(norm, &k, c, q);
        if (!norm->dz_t) continue;
        if (!norm->training) {
            EACH_PIXEL(norm->shape, c, i) set(norm->dz_t, i, scaled_t(&k, q, q_t, i) * k.inv_std);
            continue;
        }
        const means m = average(norm, &k, c, q, q_t);
        EACH_PIXEL(norm->shape, c, i) {
            const double x = normalised(norm, c, i), x_t = normalised_t(norm, &k, c, i);
            const double dz = (k.gamma * value_at(q, i) - m.q - x * m.qx) * k.inv_std;
            const double bracket = scaled_t(&k, q, q_t, i) - m.q_t - x_t * m.qx - x * m.qx_t;
            set(norm->dz_t, i, bracket * k.inv_std - dz * k.ratio_t);
        }
    }
}
