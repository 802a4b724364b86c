/* pools.h — maximum and average over windows. Channels are the inner loop, so the same code serves every layout. */
#ifndef TC_COMPUTE_PORTABLE_POOLS_H
#define TC_COMPUTE_PORTABLE_POOLS_H

#include "compute/portable/blocks.h"

/* The part [low, high) of a window that lies inside; windows may hang over the edge by `padding`. */
typedef struct portable_window {
    int low, high;
} portable_window;

static inline portable_window portable_window_at(const tc_pool *pool, int out, int size) {
    const int from = out * pool->stride - pool->padding, to = from + pool->kernel;
    return (portable_window){from < 0 ? 0 : from, to > size ? size : to};
}

/* A 1×1 value lies the same in every layout, so its shape may name another panel width: the larger side decides. */
static inline portable_panels portable_pool_panels(const tc_pool *pool) {
    const tc_shape in = pool->in, out = pool->out;
    tc_shape shape = out;
    shape.block = in.h * in.w > 1 ? in.block : out.block;
    shape.abreast = in.h * in.w > 1 ? in.abreast : out.abreast;
    return portable_split(shape);
}

static inline size_t portable_in_pixels(const tc_pool *pool) {
    return (size_t)pool->in.h * (size_t)pool->in.w;
}

/* One output pixel of `width` channels: row-major scan, so the first of equal maxima wins; padding never does. */
static inline void portable_max_of(const tc_pool *pool, portable_window rows, portable_window columns, size_t width,
                                   const real *x, real *y, int32_t *winner) {
    const int32_t first = rows.low * pool->in.w + columns.low;
    for (size_t k = 0; k < width; k++) {
        y[k] = x[(size_t)first * width + k];
        winner[k] = first;
    }
    for (int r = rows.low; r < rows.high; r++) {
        for (int c = columns.low; c < columns.high; c++) {
            const int32_t at = r * pool->in.w + c;
            const real *from = x + (size_t)at * width;
            PORTABLE_SIMD
            for (size_t k = 0; k < width; k++) {
                const bool wins = from[k] > y[k] || from[k] != from[k]; /* NaN is not hidden */
                y[k] = wins ? from[k] : y[k];
                winner[k] = wins ? at : winner[k];
            }
        }
    }
}

static void portable_max_pool(tc_device *device, const tc_pool *pool, const void *x, void *y, int32_t *winner) {
    const portable_panels s = portable_pool_panels(pool);
    const size_t lines = s.planes * (size_t)pool->out.h, line = (size_t)pool->out.w * s.width;
    PORTABLE_PARALLEL(tc_shape_count(pool->in))
    for (size_t i = 0; i < lines; i++) {
        const real *plane = (const real *)x + i / (size_t)pool->out.h * portable_in_pixels(pool) * s.width;
        const portable_window rows = portable_window_at(pool, (int)(i % (size_t)pool->out.h), pool->in.h);
        for (int c = 0; c < pool->out.w; c++) {
            const size_t to = i * line + (size_t)c * s.width;
            portable_max_of(pool, rows, portable_window_at(pool, c, pool->in.w), s.width, plane, (real *)y + to,
                            winner + to);
            for (size_t k = 0; pool->relu && k < s.width; k++)
                if (!(((real *)y)[to + k] > 0)) winner[to + k] = -1;
        }
    }
}

static void portable_max_pool_gather(tc_device *device, const tc_pool *pool, const int32_t *winner, const void *x_t,
                                     void *y_t) {
    const portable_panels s = portable_pool_panels(pool);
    const size_t count = s.pixels * s.width;
    PORTABLE_PARALLEL(s.planes * count)
    for (size_t plane = 0; plane < s.planes; plane++) {
        const real *from = (const real *)x_t + plane * portable_in_pixels(pool) * s.width;
        const int32_t *won = winner + plane * count;
        real *to = (real *)y_t + plane * count;
        for (size_t i = 0; i < count; i++) to[i] = won[i] >= 0 ? from[(size_t)won[i] * s.width + i % s.width] : 0;
    }
}

/* Windows may overlap: a plane belongs to one thread. */
static void portable_max_pool_scatter(tc_device *device, const tc_pool *pool, const int32_t *winner, tc_sum dy,
                                      void *dx) {
    const portable_panels s = portable_pool_panels(pool);
    const size_t count = s.pixels * s.width, in_count = portable_in_pixels(pool) * s.width;
    PORTABLE_PARALLEL(s.planes * in_count)
    for (size_t plane = 0; plane < s.planes; plane++) {
        real *to = (real *)dx + plane * in_count;
        memset(to, 0, in_count * sizeof *to);
        for (size_t from = 0; from < count; from += PORTABLE_BLOCK) {
            real room[PORTABLE_BLOCK];
            const size_t n = portable_length(from, count);
            const real *q = portable_gather(&dy, plane * count + from, n, room);
            const int32_t *won = winner + plane * count + from;
            for (size_t i = 0; i < n; i++)
                if (won[i] >= 0) to[(size_t)won[i] * s.width + (from + i) % s.width] += q[i];
        }
    }
}

static void portable_average_pool(tc_device *device, const tc_pool *pool, const void *x, void *y) {
    const portable_panels s = portable_pool_panels(pool);
    const real share = (real)(1.0 / ((double)pool->kernel * pool->kernel));
    PORTABLE_PARALLEL(tc_shape_count(pool->in))
    for (size_t i = 0; i < s.planes * s.pixels; i++) {
        const int at = (int)(i % s.pixels);
        const portable_window rows = portable_window_at(pool, at / pool->out.w, pool->in.h);
        const portable_window columns = portable_window_at(pool, at % pool->out.w, pool->in.w);
        const real *plane = (const real *)x + i / s.pixels * portable_in_pixels(pool) * s.width;
        real *to = (real *)y + i * s.width;
        memset(to, 0, s.width * sizeof *to);
        for (int r = rows.low; r < rows.high; r++) {
            for (int c = columns.low; c < columns.high; c++) {
                const real *from = plane + ((size_t)r * (size_t)pool->in.w + (size_t)c) * s.width;
                PORTABLE_SIMD
                for (size_t k = 0; k < s.width; k++) to[k] += from[k];
            }
        }
        for (size_t k = 0; k < s.width; k++) to[k] *= share;
    }
}

/* dx of one output pixel's window += share · Σ dy. */
static inline void portable_spread(const tc_pool *pool, portable_window rows, portable_window columns, size_t width,
                                   real share, const tc_sum *dy, size_t at, real *dx) {
    for (int t = 0; t < dy->count; t++) {
        const real *from = (const real *)dy->term[t] + at;
        for (int r = rows.low; r < rows.high; r++) {
            for (int c = columns.low; c < columns.high; c++) {
                real *to = dx + ((size_t)r * (size_t)pool->in.w + (size_t)c) * width;
                PORTABLE_SIMD
                for (size_t k = 0; k < width; k++) to[k] += share * from[k];
            }
        }
    }
}

static void portable_average_pool_backward(tc_device *device, const tc_pool *pool, tc_sum dy, void *dx) {
    const portable_panels s = portable_pool_panels(pool);
    const real share = (real)(1.0 / ((double)pool->kernel * pool->kernel));
    const size_t in_count = portable_in_pixels(pool) * s.width;
    PORTABLE_PARALLEL(s.planes * in_count)
    for (size_t plane = 0; plane < s.planes; plane++) {
        real *to = (real *)dx + plane * in_count;
        memset(to, 0, in_count * sizeof *to);
        for (size_t p = 0; p < s.pixels; p++) {
            const portable_window rows = portable_window_at(pool, (int)p / pool->out.w, pool->in.h);
            const portable_window columns = portable_window_at(pool, (int)p % pool->out.w, pool->in.w);
            portable_spread(pool, rows, columns, s.width, share, &dy, (plane * s.pixels + p) * s.width, to);
        }
    }
}

#define TC_PORTABLE_POOLS                                                                                              \
    .max_pool = portable_max_pool, .max_pool_gather = portable_max_pool_gather,                                        \
    .max_pool_scatter = portable_max_pool_scatter, .average_pool = portable_average_pool,                              \
    .average_pool_backward = portable_average_pool_backward

#endif
