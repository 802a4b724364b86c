/* channels.cu — sums over everything but the channel, and products with one number per image and channel. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/rows.cuh"

/* ---- sums ---- */

template <class T> struct sums_of {
    const T *x;
    real *y;
    bool accumulate;
};

template <int V> struct column_map {
    enum { SUMS = 1 };

    template <class A> __device__ column_map(const A &, int) {}

    template <class T> __device__ void add(const sums_of<T> &a, int, size_t at, real (&sum)[SUMS][V]) const {
        const tc_cuda_vector<V> x = tc_cuda_load<V, T>(a.x, at);
        for (int v = 0; v < V; v++) sum[0][v] += x.v[v];
    }

    template <class A> __device__ void rows(const A &a, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        tc_cuda_add_run<V>(*this, a, run, total);
    }
};

struct tell_column {
    template <class A> __device__ void operator()(const A &a, int c, const double (&total)[1]) const {
        a.y[c] = (real)((a.accumulate ? (double)a.y[c] : 0) + total[0]);
    }
};

template <class T>
static void column_sums(tc_device *device, int rows, int columns, const void *x, void *y, bool accumulate) {
    const sums_of<T> a = {(const T *)x, (real *)y, accumulate};
    tc_cuda_columns<column_map>(device, rows, columns, tc_cuda_by_four(columns, {x}), "column_sums", a, tell_column());
}

void tc_cuda_column_sums(tc_device *device, int rows, int columns, const void *x, void *y, bool accumulate) {
    column_sums<real>(device, rows, columns, x, y, accumulate);
}

void tc_cuda_channel_sums(tc_device *device, tc_shape shape, const void *x, void *y, bool accumulate) {
    (shape.half ? column_sums<tc_cuda_bf16> : column_sums<real>)(device, shape.n * shape.h * shape.w, shape.c, x, y,
                                                                 accumulate);
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

/* y += s x, or s += Σ x y */
template <class T> struct factors {
    const T *x;
    T *y;
    real *s;
    bool accumulate;
};

/* A part of the rows is one image here, whose factors stay in registers. */
template <int V, class T> static __global__ void scale_kernel(tc_cuda_cut cut, factors<T> a) {
    const tc_cuda_place p = tc_cuda_place_of(cut, V);
    if (p.row >= p.end) return;
    const tc_cuda_vector<V> s = tc_cuda_channels<V>(a.s + (size_t)p.part * cut.c, p.channel, 0);
    for (int row = p.row; row < p.end; row += cut.slots) {
        const size_t at = (size_t)row * cut.c + p.channel;
        tc_cuda_vector<V> y = tc_cuda_load<V, T>(a.x, at);
        for (int v = 0; v < V; v++) y.v[v] *= s.v[v];
        if (a.accumulate) {
            const tc_cuda_vector<V> before = tc_cuda_load<V, T>(a.y, at);
            for (int v = 0; v < V; v++) y.v[v] += before.v[v];
        }
        tc_cuda_store<V, T>(a.y, at, y);
    }
}

template <int V> struct inner_map {
    enum { SUMS = 1 };

    template <class A> __device__ inner_map(const A &, int) {}

    template <class T> __device__ void add(const factors<T> &a, int, size_t at, real (&sum)[SUMS][V]) const {
        const tc_cuda_vector<V> x = tc_cuda_load<V, T>(a.x, at), dy = tc_cuda_load<V, T>(a.y, at);
        for (int v = 0; v < V; v++) sum[0][v] += x.v[v] * dy.v[v];
    }

    template <class A> __device__ void rows(const A &a, const tc_cuda_run &run, double (&total)[SUMS][V]) const {
        tc_cuda_add_run<V>(*this, a, run, total);
    }
};

template <int V, class T> static __global__ void scale_reduce_kernel(tc_cuda_cut cut, factors<T> a) {
    const tc_cuda_place p = tc_cuda_place_of(cut, V);
    double total[1][V] = {{0}};
    tc_cuda_walk<V, inner_map<V>>(cut, p, a, total);
    tc_cuda_over_slots<V>(cut, p, total[0]);
    if (p.slot > 0 || p.channel >= cut.c) return;
    real *ds = a.s + (size_t)p.part * cut.c + p.channel;
    for (int v = 0; v < V; v++) ds[v] = (real)((a.accumulate ? (double)ds[v] : 0) + total[0][v]);
}

/* One part per image. */
static tc_cuda_cut by_image(tc_shape s, bool four) {
    return tc_cuda_cut_at(s.n * s.h * s.w, s.c, four ? 4 : 1, s.h * s.w);
}

template <class T>
static void scale(tc_device *device, tc_shape shape, const void *x, const void *s, void *y, bool accumulate) {
    const factors<T> a = {(const T *)x, (T *)y, (real *)s, accumulate};
    const bool four = tc_cuda_by_four(shape.c, {x, y});
    const tc_cuda_cut cut = by_image(shape, four);
    const auto kernel = four ? scale_kernel<4, T> : scale_kernel<1, T>;
    TC_LAUNCH(device, "scale", kernel, tc_cuda_cut_blocks(cut), TC_THREADS, cut, a);
}

void tc_cuda_scale(tc_device *device, tc_shape shape, const void *x, const void *s, void *y, bool accumulate) {
    (shape.half ? scale<tc_cuda_bf16> : scale<real>)(device, shape, x, s, y, accumulate);
}

template <class T>
static void scale_reduce(tc_device *device, tc_shape shape, const void *x, const void *dy, void *ds, bool accumulate) {
    const factors<T> a = {(const T *)x, (T *)dy, (real *)ds, accumulate};
    const bool four = tc_cuda_by_four(shape.c, {x, dy});
    const tc_cuda_cut cut = by_image(shape, four);
    const auto kernel = four ? scale_reduce_kernel<4, T> : scale_reduce_kernel<1, T>;
    TC_LAUNCH(device, "scale_reduce", kernel, tc_cuda_cut_blocks(cut), TC_THREADS, cut, a);
}

void tc_cuda_scale_reduce(tc_device *device, tc_shape shape, const void *x, const void *dy, void *ds, bool accumulate) {
    (shape.half ? scale_reduce<tc_cuda_bf16> : scale_reduce<real>)(device, shape, x, dy, ds, accumulate);
}
