/* pools.cu — maximum and average over windows. One thread per result and, where channels come in fours, four channels;
 * the ways back gather too: an input looks through the windows that hold it, so that nobody adds to what another one
 * writes, and in the order of the outputs. Inputs are kept as I, outputs as O: halves end where one pixel is left. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/stored.cuh"

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
template <int N, class I>
__device__ void largest(const geometry &g, const tc_cuda_pack<I, N> *plane, range rows, range columns, reals<N> *y,
                        winners<N> *winner) {
    const int first = rows.low * g.in_w + columns.low;
    *y = tc_cuda_reals(plane[(size_t)first * (size_t)g.c]);
    for (int k = 0; k < N; k++) winner->at[k] = first;
    for (int r = rows.low; r < rows.high; r++) {
        for (int c = columns.low; c < columns.high; c++) {
            const int at = r * g.in_w + c;
            const reals<N> x = tc_cuda_reals(plane[(size_t)at * (size_t)g.c]);
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

template <class I, class O, int N>
void max_pool(tc_device *device, const tc_pool *pool, const void *x, void *y, int32_t *winner) {
    const geometry g = geometry_of<N>(pool);
    const tc_cuda_pack<I, N> *from = (const tc_cuda_pack<I, N> *)x;
    tc_cuda_pack<O, N> *to = (tc_cuda_pack<O, N> *)y;
    winners<N> *won = (winners<N> *)winner;
    tc_cuda_each(device, tc_shape_count(pool->out) / N, "max_pool", [=] __device__(size_t i) {
        const place p = place_at(i, g.out_h, g.out_w, g.c);
        reals<N> best;
        winners<N> where;
        largest(g, from + plane_at(g, p.n, p.c), window_at(g, p.y, g.in_h), window_at(g, p.x, g.in_w), &best, &where);
        tc_cuda_keep(to + i, best);
        won[i] = where;
    });
}

template <class I, class O, int N>
void max_pool_scatter(tc_device *device, const tc_pool *pool, const int32_t *winner, const tc_sum &dy, void *dx) {
    const geometry g = geometry_of<N>(pool);
    const winners<N> *won = (const winners<N> *)winner;
    const tc_sum q = dy;
    tc_cuda_pack<I, N> *to = (tc_cuda_pack<I, N> *)dx;
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
                const reals<N> flow = tc_cuda_pack_of<O, N>(q, out);
                for (int k = 0; k < N; k++)
                    if (w.at[k] == at) sum.at[k] += flow.at[k];
            }
        }
        tc_cuda_keep(to + i, sum);
    });
}

template <class I, class O, int N> void average_pool(tc_device *device, const tc_pool *pool, const void *x, void *y) {
    const geometry g = geometry_of<N>(pool);
    const tc_cuda_pack<I, N> *from = (const tc_cuda_pack<I, N> *)x;
    tc_cuda_pack<O, N> *to = (tc_cuda_pack<O, N> *)y;
    tc_cuda_each(device, tc_shape_count(pool->out) / N, "average_pool", [=] __device__(size_t i) {
        const place p = place_at(i, g.out_h, g.out_w, g.c);
        const range rows = window_at(g, p.y, g.in_h), columns = window_at(g, p.x, g.in_w);
        const tc_cuda_pack<I, N> *plane = from + plane_at(g, p.n, p.c);
        reals<N> sum = {};
        for (int r = rows.low; r < rows.high; r++) {
            for (int c = columns.low; c < columns.high; c++) {
                const reals<N> v = tc_cuda_reals(plane[(size_t)(r * g.in_w + c) * (size_t)g.c]);
                for (int k = 0; k < N; k++) sum.at[k] += v.at[k];
            }
        }
        for (int k = 0; k < N; k++) sum.at[k] *= g.share;
        tc_cuda_keep(to + i, sum);
    });
}

template <class I, class O, int N>
void average_pool_backward(tc_device *device, const tc_pool *pool, const tc_sum &dy, void *dx) {
    const geometry g = geometry_of<N>(pool);
    const tc_sum q = dy;
    tc_cuda_pack<I, N> *to = (tc_cuda_pack<I, N> *)dx;
    tc_cuda_each(device, tc_shape_count(pool->in) / N, "average_pool_backward", [=] __device__(size_t i) {
        const place p = place_at(i, g.in_h, g.in_w, g.c);
        const range rows = windows_of(g, p.y, g.out_h), columns = windows_of(g, p.x, g.out_w);
        reals<N> sum = {};
        for (int r = rows.low; r < rows.high; r++) {
            for (int c = columns.low; c < columns.high; c++) {
                const size_t pixel = (p.n * (size_t)g.out_h + (size_t)r) * (size_t)g.out_w + (size_t)c;
                const reals<N> v = tc_cuda_pack_of<O, N>(q, pixel * (size_t)g.c + (size_t)p.c);
                for (int k = 0; k < N; k++) sum.at[k] += v.at[k];
            }
        }
        for (int k = 0; k < N; k++) sum.at[k] *= g.share;
        tc_cuda_keep(to + i, sum);
    });
}

/* ---- for the types and the width that a pool has ---- */

struct arguments {
    tc_device *device;
    const tc_pool *pool;
    const void *x; /* or … */
    tc_sum dy;     /* … on the way back */
    void *to;
    int32_t *winner; /* NULL for none */
};

bool in_fours(const arguments &a) {
    return a.pool->in.c % TC_PACK == 0 && tc_cuda_packs<real>(a.x) && tc_cuda_packs<real>(a.dy) &&
           tc_cuda_packs<real>(a.to) && tc_cuda_packs<int32_t>(a.winner);
}

template <class M, class I, class O> void run_in(const arguments &a) {
    (in_fours(a) ? M::template run<I, O, TC_PACK> : M::template run<I, O, 1>)(a);
}

template <class M> void run(const arguments &a) {
    if (a.pool->out.half)
        run_in<M, tc_cuda_bf16, tc_cuda_bf16>(a);
    else if (a.pool->in.half)
        run_in<M, tc_cuda_bf16, real>(a);
    else
        run_in<M, real, real>(a);
}

struct maximum {
    template <class I, class O, int N> static void run(const arguments &a) {
        max_pool<I, O, N>(a.device, a.pool, a.x, a.to, a.winner);
    }
};

struct maximum_back {
    template <class I, class O, int N> static void run(const arguments &a) {
        max_pool_scatter<I, O, N>(a.device, a.pool, a.winner, a.dy, a.to);
    }
};

struct average {
    template <class I, class O, int N> static void run(const arguments &a) {
        average_pool<I, O, N>(a.device, a.pool, a.x, a.to);
    }
};

struct average_back {
    template <class I, class O, int N> static void run(const arguments &a) {
        average_pool_backward<I, O, N>(a.device, a.pool, a.dy, a.to);
    }
};

} // namespace

void tc_cuda_max_pool(tc_device *device, const tc_pool *pool, const void *x, void *y, int32_t *winner) {
    run<maximum>({device, pool, x, {}, y, winner});
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
    run<maximum_back>({device, pool, NULL, dy, dx, (int32_t *)winner});
}

void tc_cuda_average_pool(tc_device *device, const tc_pool *pool, const void *x, void *y) {
    run<average>({device, pool, x, {}, y, NULL});
}

void tc_cuda_average_pool_backward(tc_device *device, const tc_pool *pool, tc_sum dy, void *dx) {
    run<average_back>({device, pool, NULL, dy, dx, NULL});
}
