/* blocks.h — how portable kernels cut an array: into blocks that stay in the first-level cache while several simple
 * loops pass over them, and, for sums, into a fixed number of parts whose results are added in order. */
#ifndef TC_COMPUTE_PORTABLE_BLOCKS_H
#define TC_COMPUTE_PORTABLE_BLOCKS_H

#include "compute/device.h"

#include <math.h>
#include <string.h>

enum {
    PORTABLE_BLOCK = 512,       /* elements of a block */
    PORTABLE_PARTS = 64,        /* of a sum */
    PORTABLE_FEW = 16384,       /* so few cheap elements are done before other threads have woken up */
    PORTABLE_FEW_COSTLY = 1024, /* the same for elements that cost an exponential or a random number */
};

/* In front of a loop over independent elements or pieces; `work` is the number of elements in all. */
#define PORTABLE_PRAGMA(text) _Pragma(#text)
#define PORTABLE_PARALLEL(work)                                                                                        \
    PORTABLE_PRAGMA(omp parallel for num_threads(device->threads) schedule(static) if ((work) >= PORTABLE_FEW))
#define PORTABLE_PARALLEL_COSTLY(work)                                                                                 \
    PORTABLE_PRAGMA(omp parallel for num_threads(device->threads) schedule(static) if ((work) >= PORTABLE_FEW_COSTLY))
#define PORTABLE_PARALLEL_SIMD(work)                                                                                   \
    PORTABLE_PRAGMA(omp parallel for simd num_threads(device->threads) schedule(static) if ((work) >= PORTABLE_FEW))
#define PORTABLE_SIMD PORTABLE_PRAGMA(omp simd)

/* The length of the block that begins at `from`. */
static inline size_t portable_length(size_t from, size_t count) {
    return count - from < PORTABLE_BLOCK ? count - from : PORTABLE_BLOCK;
}

/* y[0 … n) := the addends' sum at [from, from + n). y must not overlap a term. */
static inline void portable_add_up(const tc_sum *sum, size_t from, size_t n, real *y) {
    if (sum->count < 1) {
        memset(y, 0, n * sizeof *y);
        return;
    }
    memcpy(y, (const real *)sum->term[0] + from, n * sizeof *y);
    for (int t = 1; t < sum->count; t++) {
        const real *x = (const real *)sum->term[t] + from;
        PORTABLE_SIMD
        for (size_t i = 0; i < n; i++) y[i] += x[i];
    }
}

/* The same without a copy where there is only one addend: `room` is used only if needed. */
static inline const real *portable_gather(const tc_sum *sum, size_t from, size_t n, real *room) {
    if (sum->count == 1) return (const real *)sum->term[0] + from;
    portable_add_up(sum, from, n, room);
    return room;
}

/* Σ over parts of part(n, p, x, y), where x and y point to the part's n elements; y may be NULL. */
typedef double (*portable_part)(size_t n, double p, const real *x, const real *y);

static inline double portable_total(const tc_device *device, size_t count, portable_part part, double p, const void *x,
                                    const void *y) {
    double result[PORTABLE_PARTS], total = 0;
    if (count < PORTABLE_FEW) return part(count, p, x, y);
    PORTABLE_PARALLEL(count)
    for (size_t i = 0; i < PORTABLE_PARTS; i++) {
        const size_t from = count / PORTABLE_PARTS * i,
                     to = i == PORTABLE_PARTS - 1 ? count : from + count / PORTABLE_PARTS;
        result[i] = part(to - from, p, (const real *)x + from, y ? (const real *)y + from : NULL);
    }
    for (int i = 0; i < PORTABLE_PARTS; i++) total += result[i];
    return total;
}

/* A tensor as panels [planes][pixels][width]: plain NHWC is one panel an image; images abreast are one panel a channel.
 */
typedef struct portable_panels {
    size_t planes, pixels, width;
} portable_panels;

static inline portable_panels portable_split(tc_shape s) {
    return (portable_panels){tc_shape_groups(s) * (size_t)(s.c / s.block), (size_t)s.h * (size_t)s.w,
                             (size_t)s.block * (size_t)tc_shape_abreast(s)};
}

#endif
