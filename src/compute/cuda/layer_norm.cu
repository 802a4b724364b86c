/* layer_norm.cu — layer normalisation of rows; formulas: docs/derivatives.md.
 *
 * A warp takes a row, which the cache keeps between its two or three walks; sums over a row are in single precision,
 * 32 of them side by side. What γ and β receive are sums over all rows and so a second kernel's, which reads the same
 * arrays again. Of N numbers each, memory sees
 *
 *     forward             x → y                                    2 N
 *     backward            x, q → dx;  x, q                         5 N
 *     tangent             x, ẋ → ẏ                                 3 N
 *     tangent of backward x, ẋ;  x, ẋ, q, q̇;  x, ẋ, q, q̇ → dẋ     11 N
 *
 * less what is not wanted. The tangent of backward first leaves every row's μ̇ and σ̇/σ in the device's room for the
 * sums' kernel. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/rows.cuh"

/* ---- rows ---- */

/* Σ of the lanes' x, the same in all of them. */
static __device__ real all_lanes(real x) {
    for (int lane = TC_WARP / 2; lane > 0; lane /= 2) x += __shfl_xor_sync(0xffffffffu, x, lane);
    return x;
}

#define EACH_LANE(i, c) for (int i = (int)threadIdx.x % TC_WARP; i < (c); i += TC_WARP)

static __device__ const real *or_null(const void *array, size_t offset) {
    return array ? (const real *)array + offset : NULL;
}

/* One row with its statistics. */
struct row {
    int c;
    size_t at; /* of its first number */
    const real *x, *gamma;
    real mean, inv_std;

    __device__ row(const tc_layer_norm &n, int number)
        : c(n.c), at((size_t)number * (size_t)n.c), x((const real *)n.x + at), gamma((const real *)n.gamma),
          mean(((const real *)n.mean)[number]), inv_std(((const real *)n.inv_std)[number]) {}

    /* x̂ */
    __device__ real normed(int i) const {
        return (x[i] - mean) * inv_std;
    }
};

/* x̂̇ = (ẋ − μ̇)/σ − x̂ σ̇/σ of one row; ẋ may be NULL. */
struct drift {
    const real *x_t;
    real mean_t, ratio;

    __device__ drift(const tc_layer_norm &n, const row &r) : x_t(or_null(n.x_t, r.at)), mean_t(0), ratio(0) {
        if (!x_t) return;
        real sum = 0, along = 0;
        EACH_LANE(i, r.c) {
            sum += x_t[i];
            along += x_t[i] * r.normed(i);
        }
        mean_t = all_lanes(sum) / (real)r.c;
        ratio = all_lanes(along) / (real)r.c * r.inv_std;
    }

    __device__ real normed_t(const row &r, int i) const {
        return x_t ? (x_t[i] - mean_t) * r.inv_std - r.normed(i) * ratio : 0;
    }
};

/* The warp's row, or −1. */
static __device__ int row_number(const tc_layer_norm &n) {
    const int number = (int)(blockIdx.x * (blockDim.x / TC_WARP) + threadIdx.x / TC_WARP);
    return number < n.rows ? number : -1;
}

static unsigned row_blocks(const tc_layer_norm *n) {
    const unsigned warps = TC_THREADS / TC_WARP;
    return ((unsigned)n->rows + warps - 1) / warps;
}

/* ---- forward and its tangent ---- */

static __global__ void forward_kernel(tc_layer_norm n) {
    const int number = row_number(n);
    if (number < 0) return;
    const size_t at = (size_t)number * (size_t)n.c;
    const real *x = (const real *)n.x + at, *gamma = (const real *)n.gamma, *beta = (const real *)n.beta;
    real sum = 0, off = 0, squares = 0;
    EACH_LANE(i, n.c) sum += x[i];
    real mean = all_lanes(sum) / (real)n.c;
    EACH_LANE(i, n.c) {
        const real d = x[i] - mean;
        off += d;
        squares += d * d;
    }
    off = all_lanes(off) / (real)n.c; /* what rounding left: far from zero it counts */
    const double variance = (double)all_lanes(squares) / n.c - (double)off * (double)off;
    const real inv_std = (real)(1 / sqrt((variance > 0 || isnan(variance) ? variance : 0) + n.epsilon));
    mean += off;
    EACH_LANE(i, n.c)((real *)n.y)[at + (size_t)i] = gamma[i] * ((x[i] - mean) * inv_std) + beta[i];
    if (threadIdx.x % TC_WARP > 0) return;
    ((real *)n.mean)[number] = mean;
    ((real *)n.inv_std)[number] = inv_std;
}

void tc_cuda_layer_norm(tc_device *device, const tc_layer_norm *norm) {
    TC_LAUNCH(device, "layer_norm", forward_kernel, row_blocks(norm), TC_THREADS, *norm);
}

static __global__ void tangent_kernel(tc_layer_norm n) {
    const int number = row_number(n);
    if (number < 0) return;
    const row r(n, number);
    const drift t(n, r);
    const real *gamma_t = (const real *)n.gamma_t, *beta_t = (const real *)n.beta_t;
    EACH_LANE(i, n.c) {
        real y_t = r.gamma[i] * t.normed_t(r, i);
        if (gamma_t) y_t += gamma_t[i] * r.normed(i);
        if (beta_t) y_t += beta_t[i];
        ((real *)n.y_t)[r.at + (size_t)i] = y_t;
    }
}

void tc_cuda_layer_norm_tangent(tc_device *device, const tc_layer_norm *norm) {
    TC_LAUNCH(device, "layer_norm_tangent", tangent_kernel, row_blocks(norm), TC_THREADS, *norm);
}

/* ---- backward ---- */

static __global__ void backward_kernel(tc_layer_norm n) {
    const int number = row_number(n);
    if (number < 0) return;
    const row r(n, number);
    const real *q = (const real *)n.q + r.at;
    real sum = 0, along = 0;
    EACH_LANE(i, r.c) {
        const real w = q[i] * r.gamma[i];
        sum += w;
        along += w * r.normed(i);
    }
    const real mean = all_lanes(sum) / (real)r.c, slope = all_lanes(along) / (real)r.c;
    EACH_LANE(i, r.c)
    ((real *)n.dx)[r.at + (size_t)i] = r.inv_std * (q[i] * r.gamma[i] - mean - r.normed(i) * slope);
}

/* Σ q x̂ and Σ q over the rows. */
template <int V> struct backward_sums {
    enum { SUMS = 2 };

    __device__ backward_sums(const tc_layer_norm &, int) {}

    __device__ void add(const tc_layer_norm &n, int number, size_t at, real (&sum)[SUMS][V]) const {
        const real mean = ((const real *)n.mean)[number], inv_std = ((const real *)n.inv_std)[number];
        const tc_cuda_vector<V> x = tc_cuda_load<V>(n.x, at), q = tc_cuda_load<V>(n.q, at);
        for (int v = 0; v < V; v++) {
            sum[0][v] += q.v[v] * ((x.v[v] - mean) * inv_std);
            sum[1][v] += q.v[v];
        }
    }

    __device__ void rows(const tc_layer_norm &n, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        tc_cuda_add_run<V>(*this, n, run, total);
    }
};

struct tell_backward {
    __device__ void operator()(const tc_layer_norm &n, int c, const double (&total)[2]) const {
        if (n.dgamma) ((real *)n.dgamma)[c] = (real)total[0];
        if (n.dbeta) ((real *)n.dbeta)[c] = (real)total[1];
    }
};

void tc_cuda_layer_norm_backward(tc_device *device, const tc_layer_norm *norm) {
    const tc_layer_norm n = *norm;
    if (n.dgamma || n.dbeta) /* first: dx may take q's place */
        tc_cuda_columns<backward_sums>(device, n.rows, n.c, tc_cuda_by_four(n.c, {n.x, n.q}), "layer_norm_backward", n,
                                       tell_backward());
    if (n.dx) TC_LAUNCH(device, "layer_norm_backward", backward_kernel, row_blocks(norm), TC_THREADS, n);
}

/* ---- tangent of backward ---- */

/* The map's arrays and its room [2][rows]: μ̇, then σ̇/σ. */
struct drifting {
    tc_layer_norm n;
    real *mean_t, *ratio;
};

static __global__ void drift_kernel(drifting a) {
    const int number = row_number(a.n);
    if (number < 0) return;
    const row r(a.n, number);
    const drift t(a.n, r);
    if (threadIdx.x % TC_WARP > 0) return;
    a.mean_t[number] = t.mean_t;
    a.ratio[number] = t.ratio;
}

static __global__ void backward_tangent_kernel(drifting a) {
    const tc_layer_norm &n = a.n;
    const int number = row_number(n);
    if (number < 0) return;
    const row r(n, number);
    const real *q = (const real *)n.q + r.at, *q_t = (const real *)n.q_t + r.at, *gamma_t = (const real *)n.gamma_t;
    const drift t(n, r);
    real sum = 0, along = 0, sum_t = 0, along_t = 0;
    EACH_LANE(i, r.c) {
        const real u = r.normed(i), w = q[i] * r.gamma[i],
                   w_t = q_t[i] * r.gamma[i] + (gamma_t ? q[i] * gamma_t[i] : 0);
        sum += w;
        along += w * u;
        sum_t += w_t;
        along_t += w_t * u + w * t.normed_t(r, i);
    }
    const real share = 1 / (real)r.c, mean = all_lanes(sum) * share, slope = all_lanes(along) * share,
               mean_t = all_lanes(sum_t) * share, slope_t = all_lanes(along_t) * share;
    EACH_LANE(i, r.c) {
        const real u = r.normed(i), w = q[i] * r.gamma[i],
                   w_t = q_t[i] * r.gamma[i] + (gamma_t ? q[i] * gamma_t[i] : 0);
        ((real *)n.dx_t)[r.at + (size_t)i] =
            r.inv_std * (w_t - mean_t - t.normed_t(r, i) * slope - u * slope_t - t.ratio * (w - mean - u * slope));
    }
}

/* Σ (q̇ x̂ + q x̂̇) and Σ q̇ over the rows. */
template <int V> struct backward_tangent_sums {
    enum { SUMS = 2 };

    __device__ backward_tangent_sums(const drifting &, int) {}

    __device__ void add(const drifting &a, int number, size_t at, real (&sum)[SUMS][V]) const {
        const tc_layer_norm &n = a.n;
        const real mean = ((const real *)n.mean)[number], inv_std = ((const real *)n.inv_std)[number];
        const tc_cuda_vector<V> x = tc_cuda_load<V>(n.x, at), q_t = tc_cuda_load<V>(n.q_t, at);
        for (int v = 0; v < V; v++) {
            sum[0][v] += q_t.v[v] * ((x.v[v] - mean) * inv_std);
            sum[1][v] += q_t.v[v];
        }
        if (!n.x_t) return;
        const real mean_t = a.mean_t[number], ratio = a.ratio[number];
        const tc_cuda_vector<V> x_t = tc_cuda_load<V>(n.x_t, at), q = tc_cuda_load<V>(n.q, at);
        for (int v = 0; v < V; v++)
            sum[0][v] += q.v[v] * ((x_t.v[v] - mean_t) * inv_std - (x.v[v] - mean) * inv_std * ratio);
    }

    __device__ void rows(const drifting &a, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        tc_cuda_add_run<V>(*this, a, run, total);
    }
};

struct tell_backward_t {
    __device__ void operator()(const drifting &a, int c, const double (&total)[2]) const {
        if (a.n.dgamma_t) ((real *)a.n.dgamma_t)[c] = (real)total[0];
        if (a.n.dbeta_t) ((real *)a.n.dbeta_t)[c] = (real)total[1];
    }
};

void tc_cuda_layer_norm_backward_tangent(tc_device *device, const tc_layer_norm *norm) {
    const tc_layer_norm n = *norm;
    real *const room = tc_cuda_state_of(device)->room + TC_CUDA_ROOM / 2; /* sums over columns use the first half */
    const drifting a = {n, room, room + n.rows};
    if (n.dgamma_t || n.dbeta_t) {
        if (n.rows > TC_CUDA_ROOM / 4) {
            tc_cuda_went(device, cudaErrorInvalidValue, "layer normalisation of more than 2^21 tokens");
            return;
        }
        if (n.x_t) TC_LAUNCH(device, "layer_norm_backward_tangent", drift_kernel, row_blocks(norm), TC_THREADS, a);
        tc_cuda_columns<backward_tangent_sums>(device, n.rows, n.c, tc_cuda_by_four(n.c, {n.x, n.x_t, n.q, n.q_t}),
                                               "layer_norm_backward_tangent", a, tell_backward_t());
    }
    if (n.dx_t)
        TC_LAUNCH(device, "layer_norm_backward_tangent", backward_tangent_kernel, row_blocks(norm), TC_THREADS, a);
}
