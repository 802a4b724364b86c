/* pools.cu — maximum and average over windows. One thread per result and, where channels come in fours, four channels;
 * the ways back gather too: an input looks through the windows that hold it, so that nobody adds to what another one
 * writes, and in the order of the outputs. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/places.cuh"

namespace {

/* A pooling as kernels see it; c counts packs of channels. */
struct geometry {
    int in_h, in_w, out_h, out_w, c, kernel, stride, padding;
    bool relu;
    real share;
};

struct range {
    int low, high; /* [low, high) */
};

/* A result, or an input, taken apart. */
struct place {
    size_t n;
    int y, x, c;
};

__device__ place place_at(size_t i, int h, int w, int c) {
    place p;
    p.c = tc_cuda_take(&i, c);
    p.x = tc_cuda_take(&i, w);
    p.y = tc_cuda_take(&i, h);
    p.n = i;
    return p;
}

/* The part of output `out`'s window that lies inside. */
__device__ range window_at(const geometry &g, int out, int size) {
    const int from = out * g.stride - g.padding, to = from + g.kernel;
    return {from < 0 ? 0 : from, to > size ? size : to};
}

/* The outputs whose windows hold position `in`. */
__device__ range windows_of(const geometry &g, int in, int outs) {
    const int past = in + g.padding, late = past - g.kernel + g.stride, last = past / g.stride + 1;
    return {late > 0 ? late / g.stride : 0, last < outs ? last : outs};
}

template <int N> geometry geometry_of(const tc_pool *pool) {
    return {
        pool->in.h,   pool->in.w,   pool->out.h,   pool->out.w, pool->in.c / N,
        pool->kernel, pool->stride, pool->padding, pool->relu,  (real)(1.0 / ((double)pool->kernel * pool->kernel))};
}

template <int N> using reals = tc_cuda_pack<real, N>;
template <int N> using winners = tc_cuda_pack<int32_t, N>;

/* Row-major scan, so the first of equal maxima wins; padding never does. NaN is not hidden. */
template <int N>
__device__ void largest(const geometry &g, const reals<N> *plane, range rows, range columns, reals<N> *y,
                        winners<N> *winner) {
    const int first = rows.low * g.in_w + columns.low;
    *y = plane[(size_t)first * (size_t)g.c];
    for (int k = 0; k < N; k++) winner->at[k] = first;
    for (int r = rows.low; r < rows.high; r++) {
        for (int c = columns.low; c < columns.high; c++) {
            const int at = r * g.in_w + c;
            const reals<N> x = plane[(size_t)at * (size_t)g.c];
            for (int k = 0; k < N; k++) {
                const bool wins = x.at[k] > y->at[k] || x.at[k] != x.at[k];
                y->at[k] = wins ? x.at[k] : y->at[k];
                winner->at[k] = wins ? at : winner->at[k];
            }
        }
    }
    for (int k = 0; g.relu && k < N; k++)
        if (!(y->at[k] > 0)) winner->at[k] = -1;
}

__device__ size_t plane_at(const geometry &g, size_t n, int channel) {
    return n * (size_t)g.in_h * (size_t)g.in_w * (size_t)g.c + (size_t)channel;
}

template <int N> void max_pool(tc_device *device, const tc_pool *pool, const void *x, void *y, int32_t *winner) {
    const geometry g = geometry_of<N>(pool);
    const reals<N> *from = (const reals<N> *)x;
    reals<N> *to = (reals<N> *)y;
    winners<N> *won = (winners<N> *)winner;
    tc_cuda_each(device, tc_shape_count(pool->out) / N, "max_pool", [=] __device__(size_t i) {
        const place p = place_at(i, g.out_h, g.out_w, g.c);
        reals<N> best;
        winners<N> where;
        largest<N>(g, from + plane_at(g, p.n, p.c), window_at(g, p.y, g.in_h), window_at(g, p.x, g.in_w), &best,
                   &where);
        to[i] = best;
        won[i] = where;
    });
}

template <int N>
void max_pool_scatter(tc_device *device, const tc_pool *pool, const int32_t *winner, const tc_sum &dy, void *dx) {
    const geometry g = geometry_of<N>(pool);
    const winners<N> *won = (const winners<N> *)winner;
    const tc_sum q = dy;
    reals<N> *to = (reals<N> *)dx;
    tc_cuda_each(device, tc_shape_count(pool->in) / N, "max_pool_scatter", [=] __device__(size_t i) {
        const place p = place_at(i, g.in_h, g.in_w, g.c);
        const range rows = windows_of(g, p.y, g.out_h), columns = windows_of(g, p.x, g.out_w);
        const int at = p.y * g.in_w + p.x;
        reals<N> sum = {};
        for (int r = rows.low; r < rows.high; r++) {
            for (int c = columns.low; c < columns.high; c++) {
                const size_t out =
                    ((p.n * (size_t)g.out_h + (size_t)r) * (size_t)g.out_w + (size_t)c) * (size_t)g.c + (size_t)p.c;
                const winners<N> w = won[out];
                bool any = false;
                for (int k = 0; k < N; k++) any = any || w.at[k] == at;
                if (!any) continue;
                const reals<N> flow = tc_cuda_pack_of<N>(q, out);
                for (int k = 0; k < N; k++)
                    if (w.at[k] == at) sum.at[k] += flow.at[k];
            }
        }
        to[i] = sum;
    });
}

template <int N> void average_pool(tc_device *device, const tc_pool *pool, const void *x, void *y) {
    const geometry g = geometry_of<N>(pool);
    const reals<N> *from = (const reals<N> *)x;
    reals<N> *to = (reals<N> *)y;
    tc_cuda_each(device, tc_shape_count(pool->out) / N, "average_pool", [=] __device__(size_t i) {
        const place p = place_at(i, g.out_h, g.out_w, g.c);
        const range rows = window_at(g, p.y, g.in_h), columns = window_at(g, p.x, g.in_w);
        const reals<N> *plane = from + plane_at(g, p.n, p.c);
        reals<N> sum = {};
        for (int r = rows.low; r < rows.high; r++) {
            for (int c = columns.low; c < columns.high; c++) {
                const reals<N> v = plane[(size_t)(r * g.in_w + c) * (size_t)g.c];
                for (int k = 0; k < N; k++) sum.at[k] += v.at[k];
            }
        }
        for (int k = 0; k < N; k++) sum.at[k] *= g.share;
        to[i] = sum;
    });
}

template <int N> void average_pool_backward(tc_device *device, const tc_pool *pool, const tc_sum &dy, void *dx) {
    const geometry g = geometry_of<N>(pool);
    const tc_sum q = dy;
    reals<N> *to = (reals<N> *)dx;
    tc_cuda_each(device, tc_shape_count(pool->in) / N, "average_pool_backward", [=] __device__(size_t i) {
        const place p = place_at(i, g.in_h, g.in_w, g.c);
        const range rows = windows_of(g, p.y, g.out_h), columns = windows_of(g, p.x, g.out_w);
        reals<N> sum = {};
        for (int r = rows.low; r < rows.high; r++) {
            for (int c = columns.low; c < columns.high; c++) {
                const size_t pixel = (p.n * (size_t)g.out_h + (size_t)r) * (size_t)g.out_w + (size_t)c;
                const reals<N> v = tc_cuda_pack_of<N>(q, pixel * (size_t)g.c + (size_t)p.c);
                for (int k = 0; k < N; k++) sum.at[k] += v.at[k];
            }
        }
        for (int k = 0; k < N; k++) sum.at[k] *= g.share;
        to[i] = sum;
    });
}

bool in_fours(const tc_pool *pool) {
    return pool->in.c % TC_PACK == 0;
}

} // namespace

void tc_cuda_max_pool(tc_device *device, const tc_pool *pool, const void *x, void *y, int32_t *winner) {
    if (in_fours(pool) && tc_cuda_packs(x) && tc_cuda_packs(y) && tc_cuda_packs(winner))
        max_pool<TC_PACK>(device, pool, x, y, winner);
    else
        max_pool<1>(device, pool, x, y, winner);
}

void tc_cuda_max_pool_gather(tc_device *device, const tc_pool *pool, const int32_t *winner, const void *x_t,
                             void *y_t) {
    const geometry g = geometry_of<1>(pool);
    const real *from = (const real *)x_t;
    real *to = (real *)y_t;
    tc_cuda_each(device, tc_shape_count(pool->out), "max_pool_gather", [=] __device__(size_t i) {
        const int won = winner[i];
        const place p = place_at(i, g.out_h, g.out_w, g.c);
        to[i] = won >= 0 ? from[plane_at(g, p.n, p.c) + (size_t)won * (size_t)g.c] : 0;
    });
}

void tc_cuda_max_pool_scatter(tc_device *device, const tc_pool *pool, const int32_t *winner, tc_sum dy, void *dx) {
    if (in_fours(pool) && tc_cuda_packs(winner) && tc_cuda_packs(dy) && tc_cuda_packs(dx))
        max_pool_scatter<TC_PACK>(device, pool, winner, dy, dx);
    else
        max_pool_scatter<1>(device, pool, winner, dy, dx);
}

void tc_cuda_average_pool(tc_device *device, const tc_pool *pool, const void *x, void *y) {
    if (in_fours(pool) && tc_cuda_packs(x) && tc_cuda_packs(y))
        average_pool<TC_PACK>(device, pool, x, y);
    else
        average_pool<1>(device, pool, x, y);
}

void tc_cuda_average_pool_backward(tc_device *device, const tc_pool *pool, tc_sum dy, void *dx) {
    if (in_fours(pool) && tc_cuda_packs(dy) && tc_cuda_packs(dx))
        average_pool_backward<TC_PACK>(device, pool, dy, dx);
    else
        average_pool_backward<1>(device, pool, dy, dx);
}
