/* channels.cu — sums over everything but the channel, and products with one number per image and channel. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/rows.cuh"

/* ---- sums ---- */

struct sums_of {
    const real *x;
    real *y;
    bool accumulate;
};

template <int V> struct column_map {
    enum { SUMS = 1 };

    __device__ column_map(const sums_of &, int) {}

    __device__ void add(const sums_of &a, int, size_t at, real (&sum)[SUMS][V]) const {
        const tc_cuda_vector<V> x = tc_cuda_load<V>(a.x, at);
        for (int v = 0; v < V; v++) sum[0][v] += x.v[v];
    }

    __device__ void rows(const sums_of &a, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        tc_cuda_add_run<V>(*this, a, run, total);
    }
};

struct tell_column {
    __device__ void operator()(const sums_of &a, int c, const double (&total)[1]) const {
        a.y[c] = (real)((a.accumulate ? (double)a.y[c] : 0) + total[0]);
    }
};

void tc_cuda_column_sums(tc_device *device, int rows, int columns, const void *x, void *y, bool accumulate) {
    const sums_of a = {(const real *)x, (real *)y, accumulate};
    tc_cuda_columns<column_map>(device, rows, columns, tc_cuda_by_four(columns, {x}), "column_sums", a, tell_column());
}

void tc_cuda_channel_sums(tc_device *device, tc_shape shape, const void *x, void *y, bool accumulate) {
    tc_cuda_column_sums(device, shape.n * shape.h * shape.w, shape.c, x, y, accumulate);
}

/* ---- bias ---- */

struct bias_of {
    const real *bias;
    real *y;
};

template <int V> struct bias_map {
    tc_cuda_vector<V> bias;

    __device__ bias_map(const bias_of &a, int c) : bias(tc_cuda_channels<V>(a.bias, c, 0)) {}

    __device__ void row(const bias_of &a, size_t at) const {
        tc_cuda_vector<V> y = tc_cuda_load<V>(a.y, at);
        for (int v = 0; v < V; v++) y.v[v] += bias.v[v];
        tc_cuda_store<V>(a.y, at, y);
    }
};

void tc_cuda_channel_add(tc_device *device, tc_shape shape, const void *bias, void *y) {
    const bias_of a = {(const real *)bias, (real *)y};
    tc_cuda_each_row<bias_map>(device, shape.n * shape.h * shape.w, shape.c, tc_cuda_by_four(shape.c, {y}),
                               "channel_add", a);
}

/* ---- one factor per image and channel ---- */

struct factors {
    const real *x, *other; /* other: s, or dy */
    real *y;               /* or ds */
    bool accumulate;
};

/* A part of the rows is one image here, whose factors stay in registers. */
template <int V> static __global__ void scale_kernel(tc_cuda_cut cut, factors a) {
    const tc_cuda_place p = tc_cuda_place_of(cut, V);
    if (p.row >= p.end) return;
    const tc_cuda_vector<V> s = tc_cuda_channels<V>(a.other + (size_t)p.part * cut.c, p.channel, 0);
    for (int row = p.row; row < p.end; row += cut.slots) {
        const size_t at = (size_t)row * cut.c + p.channel;
        tc_cuda_vector<V> y = tc_cuda_load<V>(a.x, at);
        for (int v = 0; v < V; v++) y.v[v] *= s.v[v];
        if (a.accumulate) {
            const tc_cuda_vector<V> before = tc_cuda_load<V>(a.y, at);
            for (int v = 0; v < V; v++) y.v[v] += before.v[v];
        }
        tc_cuda_store<V>(a.y, at, y);
    }
}

template <int V> struct inner_map {
    enum { SUMS = 1 };

    __device__ inner_map(const factors &, int) {}

    __device__ void add(const factors &a, int, size_t at, real (&sum)[SUMS][V]) const {
        const tc_cuda_vector<V> x = tc_cuda_load<V>(a.x, at), dy = tc_cuda_load<V>(a.other, at);
        for (int v = 0; v < V; v++) sum[0][v] += x.v[v] * dy.v[v];
    }

    __device__ void rows(const factors &a, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        tc_cuda_add_run<V>(*this, a, run, total);
    }
};

template <int V> static __global__ void scale_reduce_kernel(tc_cuda_cut cut, factors a) {
    const tc_cuda_place p = tc_cuda_place_of(cut, V);
    double total[1][V] = {{0}};
    tc_cuda_walk<V, inner_map<V>>(cut, p, a, total);
    tc_cuda_over_slots<V>(cut, p, total[0]);
    if (p.slot > 0 || p.channel >= cut.c) return;
    real *ds = a.y + (size_t)p.part * cut.c + p.channel;
    for (int v = 0; v < V; v++) ds[v] = (real)((a.accumulate ? (double)ds[v] : 0) + total[0][v]);
}

/* One part per image. */
static tc_cuda_cut by_image(tc_shape s, bool four) {
    return tc_cuda_cut_at(s.n * s.h * s.w, s.c, four ? 4 : 1, s.h * s.w);
}

void tc_cuda_scale(tc_device *device, tc_shape shape, const void *x, const void *s, void *y, bool accumulate) {
    const factors a = {(const real *)x, (const real *)s, (real *)y, accumulate};
    const bool four = tc_cuda_by_four(shape.c, {x, y});
    const tc_cuda_cut cut = by_image(shape, four);
    const auto kernel = four ? scale_kernel<4> : scale_kernel<1>;
    TC_LAUNCH(device, "scale", kernel, tc_cuda_cut_blocks(cut), TC_THREADS, cut, a);
}

void tc_cuda_scale_reduce(tc_device *device, tc_shape shape, const void *x, const void *dy, void *ds, bool accumulate) {
    const factors a = {(const real *)x, (const real *)dy, (real *)ds, accumulate};
    const bool four = tc_cuda_by_four(shape.c, {x, dy});
    const tc_cuda_cut cut = by_image(shape, four);
    const auto kernel = four ? scale_reduce_kernel<4> : scale_reduce_kernel<1>;
    TC_LAUNCH(device, "scale_reduce", kernel, tc_cuda_cut_blocks(cut), TC_THREADS, cut, a);
}
