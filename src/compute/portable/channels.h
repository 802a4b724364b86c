/* channels.h — sums over everything but the channel, and products with one number per channel. */
#ifndef TC_COMPUTE_PORTABLE_CHANNELS_H
#define TC_COMPUTE_PORTABLE_CHANNELS_H

#include "compute/portable/blocks.h"

enum { PORTABLE_STRIP = 64, PORTABLE_ROW_PARTS = 32 };

/* Rows of `width` neighbours of channel strip [c, c + n) of a panelled tensor: row r is image r / pixels, pixel
 * r % pixels. Adds rows [from, to) to sum[n]. */
static void portable_strip_sum(tc_shape shape, const real *x, int c, int n, size_t from, size_t to, double *sum) {
    const size_t pixels = (size_t)shape.h * (size_t)shape.w;
    for (size_t row = from; row < to;) {
        const size_t pixel = row % pixels, here = pixels - pixel < to - row ? pixels - pixel : to - row;
        const real *start = x + tc_shape_index(shape, (int)(row / pixels), 0, 0, c) + pixel * (size_t)shape.block;
        for (size_t i = 0; i < here; i++, start += shape.block)
            for (int k = 0; k < n; k++) sum[k] += (double)start[k];
        row += here;
    }
}

/* Strip by strip; the rows of a strip in parts that depend on the shape alone, added in order. */
static void portable_channel_sums(tc_device *device, tc_shape shape, const void *x, void *y, bool accumulate) {
    const size_t rows = (size_t)shape.n * (size_t)shape.h * (size_t)shape.w;
    const size_t parts = rows >= 256 ? PORTABLE_ROW_PARTS : 1;
    real *to = y;
    int n = 0;
    for (int c = 0; c < shape.c; c += n) {
        const int left = shape.block - c % shape.block;
        n = left < PORTABLE_STRIP ? left : PORTABLE_STRIP;
        double part[PORTABLE_ROW_PARTS][PORTABLE_STRIP] = {{0}};
        PORTABLE_PARALLEL(rows * (size_t)n)
        for (size_t p = 0; p < parts; p++)
            portable_strip_sum(shape, x, c, n, rows * p / parts, rows * (p + 1) / parts, part[p]);
        for (int k = 0; k < n; k++) {
            double sum = accumulate ? (double)to[c + k] : 0;
            for (size_t p = 0; p < parts; p++) sum += part[p][k];
            to[c + k] = (real)sum;
        }
    }
}

static void portable_column_sums(tc_device *device, int rows, int columns, const void *x, void *y, bool accumulate) {
    portable_channel_sums(device, tc_nhwc(rows, 1, 1, columns), x, y, accumulate);
}

static void portable_channel_add(tc_device *device, tc_shape shape, const void *bias, void *y) {
    const portable_panels s = portable_split(shape);
    const size_t panels = (size_t)(shape.c / shape.block), rows = s.planes * s.pixels;
    PORTABLE_PARALLEL(rows * s.width)
    for (size_t row = 0; row < rows; row++) {
        const real *b = (const real *)bias + row / s.pixels % panels * s.width;
        real *to = (real *)y + row * s.width;
        PORTABLE_SIMD
        for (size_t k = 0; k < s.width; k++) to[k] += b[k];
    }
}

/* Planes of one channel: a plane is a run of neighbours with one factor. */
static void portable_scale_planes(tc_device *device, portable_panels p, const void *x, const void *s, void *y,
                                  bool accumulate) {
    PORTABLE_PARALLEL(p.planes * p.pixels)
    for (size_t plane = 0; plane < p.planes; plane++) {
        const real factor = ((const real *)s)[plane], *from = (const real *)x + plane * p.pixels;
        real *to = (real *)y + plane * p.pixels;
        if (accumulate) {
            PORTABLE_SIMD
            for (size_t i = 0; i < p.pixels; i++) to[i] += from[i] * factor;
        } else {
            PORTABLE_SIMD
            for (size_t i = 0; i < p.pixels; i++) to[i] = from[i] * factor;
        }
    }
}

/* s [n][c] lies as [planes][width]: one row of it for each plane. */
static void portable_scale(tc_device *device, tc_shape shape, const void *x, const void *s, void *y, bool accumulate) {
    const portable_panels p = portable_split(shape);
    const size_t rows = p.planes * p.pixels;
    if (p.width == 1) {
        portable_scale_planes(device, p, x, s, y, accumulate);
        return;
    }
    PORTABLE_PARALLEL(rows * p.width)
    for (size_t row = 0; row < rows; row++) {
        const real *factor = (const real *)s + row / p.pixels * p.width, *from = (const real *)x + row * p.width;
        real *to = (real *)y + row * p.width;
        if (accumulate) {
            PORTABLE_SIMD
            for (size_t k = 0; k < p.width; k++) to[k] += from[k] * factor[k];
        } else {
            PORTABLE_SIMD
            for (size_t k = 0; k < p.width; k++) to[k] = from[k] * factor[k];
        }
    }
}

static void portable_scale_reduce(tc_device *device, tc_shape shape, const void *x, const void *dy, void *ds,
                                  bool accumulate) {
    const portable_panels s = portable_split(shape);
    real *to = ds;
    PORTABLE_PARALLEL(s.planes * s.pixels * s.width)
    for (size_t plane = 0; plane < s.planes; plane++) {
        for (size_t k = 0; k < s.width; k++) {
            const size_t first = plane * s.pixels * s.width + k;
            const real *a = (const real *)x + first, *b = (const real *)dy + first;
            double sum = accumulate ? (double)to[plane * s.width + k] : 0;
            if (s.width == 1) {
                PORTABLE_PRAGMA(omp simd reduction(+ : sum))
                for (size_t i = 0; i < s.pixels; i++) sum += (double)a[i] * (double)b[i];
            } else {
                for (size_t i = 0; i < s.pixels; i++) sum += (double)a[i * s.width] * (double)b[i * s.width];
            }
            to[plane * s.width + k] = (real)sum;
        }
    }
}

#define TC_PORTABLE_CHANNELS                                                                                           \
    .column_sums = portable_column_sums, .channel_sums = portable_channel_sums, .channel_add = portable_channel_add,   \
    .scale = portable_scale, .scale_reduce = portable_scale_reduce

#endif
