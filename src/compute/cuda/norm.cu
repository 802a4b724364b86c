/* norm.cu — batch normalisation and its backward map, with the residual sum and the ReLU; formulas:
 * docs/derivatives.md.
 *
 * In training each is two walks through memory, one for the sums of every channel and one that applies them; in
 * evaluation one. Of N numbers each, with T addends, the walks read and write
 *
 *     forward     z | z, residual → y                              3 … 4 N
 *     backward    T terms, y, z → q | q, z → dz                    3 + T … 6 + T N;  evaluation 2 + T … 4 + T N
 *
 * where y is read for the ReLU only, q written where it has a place of its own and, in evaluation, z read for the sums
 * only. */
#include "compute/cuda/norm.cuh"

/* ---- forward ---- */

/* Σ z and Σ z². A group's sums are taken about its own mean, so that single precision does for them however far from
 * zero the channel is; the squares are moved to zero in double, where a mean of a thousand deviations costs six of
 * sixteen digits. */
template <int V> struct statistics {
    enum { SUMS = 2, GROUP = TC_ROWS_GROUP };

    __device__ statistics(const tc_norm &, int) {}

    template <class T> static __device__ void add_one(const tc_cuda_norm<T> &n, size_t at, double (&total)[SUMS][V]) {
        const tc_cuda_vector<V> z = tc_cuda_load<V, T>(n.z, at);
        for (int v = 0; v < V; v++) {
            total[0][v] += (double)z.v[v];
            total[1][v] += (double)z.v[v] * (double)z.v[v];
        }
    }

    template <class T>
    __device__ void rows(const tc_cuda_norm<T> &n, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        if (run.count < GROUP) {
            for (int k = 0; k < run.count; k++) add_one(n, run.at + (size_t)k * run.stride, total);
            return;
        }
        tc_cuda_vector<V> z[GROUP];
        for (int k = 0; k < GROUP; k++) z[k] = tc_cuda_load<V, T>(n.z, run.at + (size_t)k * run.stride);
        for (int v = 0; v < V; v++) {
            real mean = 0, off = 0, square = 0;
            for (int k = 0; k < GROUP; k++) mean += z[k].v[v];
            mean /= (real)GROUP;
            for (int k = 0; k < GROUP; k++) {
                const real d = z[k].v[v] - mean;
                off += d; /* what rounding left of zero */
                square += d * d;
            }
            const double m = (double)mean, o = (double)off;
            total[0][v] += GROUP * m + o;
            total[1][v] += (double)square + m * (2 * o + GROUP * m);
        }
    }
};

static __device__ void move_running(void *running, int c, double momentum, double value) {
    if (!running) return;
    real *r = (real *)running + c;
    *r = (real)((1 - momentum) * (double)*r + momentum * value);
}

struct tell_statistics {
    __device__ void operator()(const tc_norm &n, int c, const double (&total)[2]) const {
        const double count = tc_cuda_norm_count(n), mean = total[0] / count, square = total[1] / count - mean * mean;
        const double variance = square > 0 ? square : square < 0 ? 0 : square; /* NaN stays NaN */
        ((real *)n.mean)[c] = (real)mean;
        ((real *)n.inv_std)[c] = (real)(1 / sqrt(variance + n.epsilon));
        move_running(n.running_mean, c, n.momentum, mean);
        move_running(n.running_var, c, n.momentum, count > 1 ? variance * count / (count - 1) : variance);
    }
};

/* y = act(γ/σ (z − μ) + β + residual) */
template <int V> struct forward_map {
    tc_cuda_vector<V> mean, scale, beta;

    __device__ forward_map(const tc_norm &n, int c)
        : mean(tc_cuda_channels<V>(n.mean, c, 0)), scale(tc_cuda_channels<V>(n.gamma, c, 1)),
          beta(tc_cuda_channels<V>(n.beta, c, 0)) {
        const tc_cuda_vector<V> inv = tc_cuda_channels<V>(n.inv_std, c, 1);
        for (int v = 0; v < V; v++) scale.v[v] *= inv.v[v];
    }

    template <class T> __device__ void row(const tc_cuda_norm<T> &n, size_t at) const {
        tc_cuda_vector<V> y = tc_cuda_load<V, T>(n.z, at);
        for (int v = 0; v < V; v++) y.v[v] = scale.v[v] * (y.v[v] - mean.v[v]) + beta.v[v];
        if (n.residual) {
            const tc_cuda_vector<V> r = tc_cuda_load<V, T>(n.residual, at);
            for (int v = 0; v < V; v++) y.v[v] += r.v[v];
        }
        for (int v = 0; v < V; v++) y.v[v] = n.relu && y.v[v] < 0 ? 0 : y.v[v]; /* NaN stays NaN */
        tc_cuda_store<V, T>(n.y, at, y);
    }
};

template <class T> static void forward(tc_device *device, const tc_norm *norm) {
    const tc_cuda_norm<T> n = tc_cuda_norm_as<T>(norm);
    const int rows = tc_cuda_norm_rows(norm), c = n.shape.c;
    const bool four = tc_cuda_by_four(c, {n.z, n.residual, n.y});
    if (n.training)
        tc_cuda_columns<statistics>(device, rows, c, four, "batch statistics", n, tell_statistics());
    else
        tc_cuda_each(device, (size_t)c, "running statistics", [=] __device__(size_t i) {
            ((real *)n.mean)[i] = ((const real *)n.running_mean)[i];
            ((real *)n.inv_std)[i] = (real)(1 / sqrt((double)((const real *)n.running_var)[i] + n.epsilon));
        });
    tc_cuda_each_row<forward_map>(device, rows, c, four, "norm_forward", n);
}

void tc_cuda_norm_forward(tc_device *device, const tc_norm *norm) {
    (norm->shape.half ? forward<tc_cuda_bf16> : forward<real>)(device, norm);
}

/* ---- backward ---- */

/* q, in evaluation also dz = γ/σ q, and if asked for Σ q and Σ q (z − μ). */
template <int V> struct backward_gather {
    enum { SUMS = 2 };
    tc_cuda_vector<V> mean, scale;

    __device__ backward_gather(const tc_norm &n, int c)
        : mean(tc_cuda_channels<V>(n.mean, c, 0)), scale(tc_cuda_channels<V>(n.gamma, c, 1)) {
        const tc_cuda_vector<V> inv = tc_cuda_channels<V>(n.inv_std, c, 1);
        for (int v = 0; v < V; v++) scale.v[v] *= inv.v[v];
    }

    template <class T> __device__ tc_cuda_vector<V> row(const tc_cuda_norm<T> &n, size_t at) const {
        const tc_cuda_vector<V> q = tc_cuda_norm_gather<V, T>(n, n.dy, n.q, at);
        if (!n.training && n.dz) {
            tc_cuda_vector<V> dz;
            for (int v = 0; v < V; v++) dz.v[v] = scale.v[v] * q.v[v];
            tc_cuda_store<V, T>(n.dz, at, dz);
        }
        return q;
    }

    template <class T> __device__ void add(const tc_cuda_norm<T> &n, int, size_t at, real (&sum)[SUMS][V]) const {
        const tc_cuda_vector<V> z = tc_cuda_load<V, T>(n.z, at), q = row(n, at); /* dz may lie where z does */
        for (int v = 0; v < V; v++) {
            sum[0][v] += q.v[v];
            sum[1][v] += q.v[v] * (z.v[v] - mean.v[v]);
        }
    }

    template <class T>
    __device__ void rows(const tc_cuda_norm<T> &n, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        tc_cuda_add_run<V>(*this, n, run, total);
    }
};

struct tell_backward {
    __device__ void operator()(const tc_norm &n, int c, const double (&total)[2]) const {
        if (n.dbeta) ((real *)n.dbeta)[c] = (real)total[0];
        if (n.dgamma) ((real *)n.dgamma)[c] = (real)(total[1] * (double)((const real *)n.inv_std)[c]);
    }
};

/* dz = γ/σ (q − mean(q) − x̂ mean(q x̂)) = a q + b (z − μ) + c */
template <int V> struct backward_map {
    tc_cuda_vector<V> mean, a, b, c;

    __device__ backward_map(const tc_norm &n, int at) : mean(tc_cuda_channels<V>(n.mean, at, 0)) {
        const tc_cuda_vector<V> inv = tc_cuda_channels<V>(n.inv_std, at, 1),
                                gamma = tc_cuda_channels<V>(n.gamma, at, 1),
                                dgamma = tc_cuda_channels<V>(n.dgamma, at, 0),
                                dbeta = tc_cuda_channels<V>(n.dbeta, at, 0);
        const real share = (real)(1 / tc_cuda_norm_count(n));
        for (int v = 0; v < V; v++) {
            a.v[v] = gamma.v[v] * inv.v[v];
            b.v[v] = -a.v[v] * inv.v[v] * dgamma.v[v] * share;
            c.v[v] = -a.v[v] * dbeta.v[v] * share;
        }
    }

    template <class T> __device__ void row(const tc_cuda_norm<T> &n, size_t at) const {
        const tc_cuda_vector<V> q = tc_cuda_load<V, T>(tc_cuda_norm_q(n), at), z = tc_cuda_load<V, T>(n.z, at);
        tc_cuda_vector<V> dz;
        for (int v = 0; v < V; v++) dz.v[v] = a.v[v] * q.v[v] + b.v[v] * (z.v[v] - mean.v[v]) + c.v[v];
        tc_cuda_store<V, T>(n.dz, at, dz);
    }
};

template <class T> static void backward(tc_device *device, const tc_norm *norm) {
    const tc_cuda_norm<T> n = tc_cuda_norm_as<T>(norm);
    const int rows = tc_cuda_norm_rows(norm), c = n.shape.c;
    const bool four = tc_cuda_by_four(c, {n.z, n.y, n.q, n.dz}) && tc_cuda_by_four(n.dy);
    if (n.dgamma || n.dbeta)
        tc_cuda_columns<backward_gather>(device, rows, c, four, "norm_backward", n, tell_backward());
    else if (n.q || n.dz)
        tc_cuda_each_row<backward_gather>(device, rows, c, four, "norm_backward", n);
    if (n.training && n.dz) tc_cuda_each_row<backward_map>(device, rows, c, four, "norm_backward", n);
}

void tc_cuda_norm_backward(tc_device *device, const tc_norm *norm) {
    (norm->shape.half ? backward<tc_cuda_bf16> : backward<real>)(device, norm);
}
