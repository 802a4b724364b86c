/* norm_tangent.cu — the tangents of both maps of batch normalisation; formulas: docs/derivatives.md.
 *
 * As in norm.cu, two walks in training and one in evaluation. Of N numbers each, with T addends, they read and write
 *
 *     forward     z, ż | z, ż, residual̇, y → ẏ                     5 … 7 N;  evaluation 2 … 5 N
 *     backward    T terms, y, z, q, ż → q̇ | q̇, q, ż, z → dż        8 + T … 10 + T N;  evaluation 1 + T … 6 + T N
 *
 * Statistics that do not move (evaluation, or ż = 0) need no first walk forward. */
#include "compute/cuda/norm.cuh"

static inline __host__ __device__ bool moves(const tc_norm &n) {
    return n.training && n.z_t;
}

/* Whether ẏ has a part along x̂ itself; else z is not read, and need not be there any more. */
static inline __host__ __device__ bool turns(const tc_norm &n) {
    return n.gamma_t || moves(n);
}

/* ---- forward ---- */

/* Σ ż and Σ ż (z − μ) */
template <int V> struct statistics_t {
    enum { SUMS = 2 };
    tc_cuda_vector<V> mean;

    __device__ statistics_t(const tc_norm &n, int c) : mean(tc_cuda_channels<V>(n.mean, c, 0)) {}

    __device__ void add(const tc_norm &n, int, size_t at, real (&sum)[SUMS][V]) const {
        const tc_cuda_vector<V> z_t = tc_cuda_load<V>(n.z_t, at), z = tc_cuda_load<V>(n.z, at);
        for (int v = 0; v < V; v++) {
            sum[0][v] += z_t.v[v];
            sum[1][v] += z_t.v[v] * (z.v[v] - mean.v[v]);
        }
    }

    __device__ void rows(const tc_norm &n, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        tc_cuda_add_run<V>(*this, n, run, total);
    }
};

/* μ̇ and σ̇/σ = mean(x̂ ż)/σ, since x̂ has mean 0 */
struct tell_statistics_t {
    __device__ void operator()(const tc_norm &n, int c, const double (&total)[2]) const {
        const double count = tc_cuda_norm_count(n), inv = (double)((const real *)n.inv_std)[c];
        ((real *)n.mean_t)[c] = (real)(total[0] / count);
        ((real *)n.ratio_t)[c] = (real)(inv * inv * total[1] / count);
    }
};

/* ẏ = act′ (a (ż − μ̇) + b (z − μ) + β̇ + residual̇), a = γ/σ, b = (γ̇ − γ σ̇/σ)/σ */
template <int V> struct forward_tangent_map {
    tc_cuda_vector<V> mean, mean_t, a, b, beta_t;

    __device__ forward_tangent_map(const tc_norm &n, int c)
        : mean(tc_cuda_channels<V>(n.mean, c, 0)), mean_t(tc_cuda_channels<V>(moves(n) ? n.mean_t : NULL, c, 0)),
          beta_t(tc_cuda_channels<V>(n.beta_t, c, 0)) {
        const tc_cuda_vector<V> inv = tc_cuda_channels<V>(n.inv_std, c, 1), gamma = tc_cuda_channels<V>(n.gamma, c, 1),
                                gamma_t = tc_cuda_channels<V>(n.gamma_t, c, 0),
                                ratio = tc_cuda_channels<V>(moves(n) ? n.ratio_t : NULL, c, 0);
        for (int v = 0; v < V; v++) {
            a.v[v] = gamma.v[v] * inv.v[v];
            b.v[v] = (gamma_t.v[v] - gamma.v[v] * ratio.v[v]) * inv.v[v];
        }
    }

    __device__ void row(const tc_norm &n, size_t at) const {
        tc_cuda_vector<V> y_t = beta_t;
        if (n.z_t) {
            const tc_cuda_vector<V> z_t = tc_cuda_load<V>(n.z_t, at);
            for (int v = 0; v < V; v++) y_t.v[v] += a.v[v] * (z_t.v[v] - mean_t.v[v]);
        }
        if (turns(n)) {
            const tc_cuda_vector<V> z = tc_cuda_load<V>(n.z, at);
            for (int v = 0; v < V; v++) y_t.v[v] += b.v[v] * (z.v[v] - mean.v[v]);
        }
        if (n.residual_t) {
            const tc_cuda_vector<V> r_t = tc_cuda_load<V>(n.residual_t, at);
            for (int v = 0; v < V; v++) y_t.v[v] += r_t.v[v];
        }
        if (n.relu) {
            const tc_cuda_vector<V> y = tc_cuda_load<V>(n.y, at);
            for (int v = 0; v < V; v++) y_t.v[v] = y.v[v] > 0 ? y_t.v[v] : 0;
        }
        tc_cuda_store<V>(n.y_t, at, y_t);
    }
};

void tc_cuda_norm_forward_tangent(tc_device *device, const tc_norm *norm) {
    const tc_norm n = *norm;
    const int rows = tc_cuda_norm_rows(norm), c = n.shape.c;
    const bool four = tc_cuda_by_four(c, {n.z, n.z_t, n.residual_t, n.y, n.y_t});
    if (moves(n))
        tc_cuda_columns<statistics_t>(device, rows, c, four, "norm_forward_tangent", n, tell_statistics_t());
    else
        tc_cuda_each(device, (size_t)c, "norm_forward_tangent",
                     [=] __device__(size_t i) { ((real *)n.mean_t)[i] = ((real *)n.ratio_t)[i] = 0; });
    tc_cuda_each_row<forward_tangent_map>(device, rows, c, four, "norm_forward_tangent", n);
}

/* ---- backward ---- */

/* q̇, in evaluation also dż = (γ q̇ + γ̇ q)/σ, and if asked for Σ q̇, Σ q̇ (z − μ) and Σ q (ż − μ̇). */
template <int V> struct backward_tangent_gather {
    enum { SUMS = 3 };
    tc_cuda_vector<V> mean, mean_t, scale, scale_t;

    __device__ backward_tangent_gather(const tc_norm &n, int c)
        : mean(tc_cuda_channels<V>(n.mean, c, 0)), mean_t(tc_cuda_channels<V>(moves(n) ? n.mean_t : NULL, c, 0)),
          scale(tc_cuda_channels<V>(n.gamma, c, 1)), scale_t(tc_cuda_channels<V>(n.gamma_t, c, 0)) {
        const tc_cuda_vector<V> inv = tc_cuda_channels<V>(n.inv_std, c, 1);
        for (int v = 0; v < V; v++) {
            scale.v[v] *= inv.v[v];
            scale_t.v[v] *= inv.v[v];
        }
    }

    __device__ tc_cuda_vector<V> row(const tc_norm &n, size_t at) const {
        const tc_cuda_vector<V> q_t = tc_cuda_norm_gather<V>(n, n.dy_t, n.q_t, at);
        if (n.training || !n.dz_t) return q_t;
        tc_cuda_vector<V> dz_t;
        for (int v = 0; v < V; v++) dz_t.v[v] = scale.v[v] * q_t.v[v];
        if (n.gamma_t) {
            const tc_cuda_vector<V> q = tc_cuda_load<V>(tc_cuda_norm_q(n), at);
            for (int v = 0; v < V; v++) dz_t.v[v] += scale_t.v[v] * q.v[v];
        }
        tc_cuda_store<V>(n.dz_t, at, dz_t);
        return q_t;
    }

    /* What dż may overwrite is read before. */
    __device__ void add(const tc_norm &n, int, size_t at, real (&sum)[SUMS][V]) const {
        const tc_cuda_vector<V> z = tc_cuda_load<V>(n.z, at);
        if (n.z_t) {
            const tc_cuda_vector<V> q = tc_cuda_load<V>(tc_cuda_norm_q(n), at), z_t = tc_cuda_load<V>(n.z_t, at);
            for (int v = 0; v < V; v++) sum[2][v] += q.v[v] * (z_t.v[v] - mean_t.v[v]);
        }
        const tc_cuda_vector<V> q_t = row(n, at);
        for (int v = 0; v < V; v++) {
            sum[0][v] += q_t.v[v];
            sum[1][v] += q_t.v[v] * (z.v[v] - mean.v[v]);
        }
    }

    __device__ void rows(const tc_norm &n, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        tc_cuda_add_run<V>(*this, n, run, total);
    }
};

/* dγ̇ = Σ q̇ x̂ + Σ q x̂̇ with Σ q x̂̇ = Σ q (ż − μ̇)/σ − dγ σ̇/σ */
struct tell_backward_t {
    __device__ void operator()(const tc_norm &n, int c, const double (&total)[3]) const {
        const double inv = (double)((const real *)n.inv_std)[c];
        double dgamma_t = inv * (total[1] + total[2]);
        if (moves(n)) dgamma_t -= (double)((const real *)n.ratio_t)[c] * (double)((const real *)n.dgamma)[c];
        if (n.dbeta_t) ((real *)n.dbeta_t)[c] = (real)total[0];
        if (n.dgamma_t) ((real *)n.dgamma_t)[c] = (real)dgamma_t;
    }
};

/* dż is linear in q̇, q, ż − μ̇ and z − μ, or x̂̇ = (ż − μ̇)/σ − x̂ ρ and x̂, where ρ = σ̇/σ: with m, k for the means of q,
 * q x̂ and ṁ, k̇ for those of their tangents,
 *
 *     σ dż = γ q̇ + (γ̇ − ρ γ) q − γ k x̂̇ − (γ̇ k + γ k̇ − ρ γ k) x̂ − (γ̇ m + γ ṁ − ρ γ m) */
template <int V> struct backward_tangent_map {
    tc_cuda_vector<V> mean, mean_t, of_q_t, of_q, of_z_t, of_z, constant;

    __device__ backward_tangent_map(const tc_norm &n, int c)
        : mean(tc_cuda_channels<V>(n.mean, c, 0)), mean_t(tc_cuda_channels<V>(moves(n) ? n.mean_t : NULL, c, 0)) {
        const tc_cuda_vector<V> inv = tc_cuda_channels<V>(n.inv_std, c, 1), gamma = tc_cuda_channels<V>(n.gamma, c, 1),
                                gamma_t = tc_cuda_channels<V>(n.gamma_t, c, 0),
                                ratio = tc_cuda_channels<V>(moves(n) ? n.ratio_t : NULL, c, 0),
                                m = tc_cuda_channels<V>(n.dbeta, c, 0), k = tc_cuda_channels<V>(n.dgamma, c, 0),
                                m_t = tc_cuda_channels<V>(n.dbeta_t, c, 0), k_t = tc_cuda_channels<V>(n.dgamma_t, c, 0);
        const real share = (real)(1 / tc_cuda_norm_count(n));
        for (int v = 0; v < V; v++) {
            const real s = inv.v[v], g = gamma.v[v], g_t = gamma_t.v[v] - ratio.v[v] * g;
            of_q_t.v[v] = s * g;
            of_q.v[v] = s * g_t;
            const real along_t = -s * g * k.v[v] * share, along = -s * (g_t * k.v[v] + g * k_t.v[v]) * share;
            of_z_t.v[v] = s * along_t;
            of_z.v[v] = s * (along - along_t * ratio.v[v]);
            constant.v[v] = -s * (g_t * m.v[v] + g * m_t.v[v]) * share;
        }
    }

    __device__ void row(const tc_norm &n, size_t at) const {
        const tc_cuda_vector<V> q_t = tc_cuda_load<V>(n.q_t ? n.q_t : n.dy_t.term[0], at),
                                q = tc_cuda_load<V>(tc_cuda_norm_q(n), at), z = tc_cuda_load<V>(n.z, at);
        tc_cuda_vector<V> dz_t = constant;
        for (int v = 0; v < V; v++)
            dz_t.v[v] += of_q_t.v[v] * q_t.v[v] + of_q.v[v] * q.v[v] + of_z.v[v] * (z.v[v] - mean.v[v]);
        if (n.z_t) {
            const tc_cuda_vector<V> z_t = tc_cuda_load<V>(n.z_t, at);
            for (int v = 0; v < V; v++) dz_t.v[v] += of_z_t.v[v] * (z_t.v[v] - mean_t.v[v]);
        }
        tc_cuda_store<V>(n.dz_t, at, dz_t);
    }
};

void tc_cuda_norm_backward_tangent(tc_device *device, const tc_norm *norm) {
    const tc_norm n = *norm;
    const int rows = tc_cuda_norm_rows(norm), c = n.shape.c;
    const bool four =
        tc_cuda_by_four(c, {n.z, n.z_t, n.y, n.q, n.q_t, n.dz_t, tc_cuda_norm_q(n)}) && tc_cuda_by_four(n.dy_t);
    if (n.dgamma_t || n.dbeta_t)
        tc_cuda_columns<backward_tangent_gather>(device, rows, c, four, "norm_backward_tangent", n, tell_backward_t());
    else if (n.q_t || n.dz_t)
        tc_cuda_each_row<backward_tangent_gather>(device, rows, c, four, "norm_backward_tangent", n);
    if (n.training && n.dz_t) tc_cuda_each_row<backward_tangent_map>(device, rows, c, four, "norm_backward_tangent", n);
}
