/* shape.h — where the element (n, y, x, c) of an activation lies.
 *
 * Activations are stored as NHWC or, where the device's convolutions are faster that way, as NHWC panels of `block`
 * channels: [n][c/block][h][w][block]. Plain NHWC is block == c, so one formula serves both, and a tensor whose
 * channels fit one panel, or whose h·w is 1, is the same in both. c is always a multiple of block. */
#ifndef TC_COMPUTE_SHAPE_H
#define TC_COMPUTE_SHAPE_H

#include <stddef.h>

typedef struct tc_shape {
    int n, h, w, c;
    int block;
} tc_shape;

static inline tc_shape tc_nhwc(int n, int h, int w, int c) {
    return (tc_shape){n, h, w, c, c};
}

static inline size_t tc_shape_count(tc_shape s) {
    return (size_t)s.n * (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static inline size_t tc_shape_index(tc_shape s, int n, int y, int x, int c) {
    const size_t panel = (size_t)n * (size_t)(s.c / s.block) + (size_t)(c / s.block);
    return ((panel * (size_t)s.h + (size_t)y) * (size_t)s.w + (size_t)x) * (size_t)s.block + (size_t)(c % s.block);
}

#endif
