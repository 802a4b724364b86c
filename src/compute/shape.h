/* shape.h — where the element (n, y, x, c) of an activation lies, and as what.
 *
 * Activations are stored as NHWC or, where the device's convolutions are faster that way, as NHWC panels of `block`
 * channels: [n][c/block][h][w][block]. Plain NHWC is block == c, so one formula serves both, and a tensor whose
 * channels fit one panel, or whose h·w is 1, is the same in both. c is always a multiple of block.
 *
 * Where channels are few, images go side by side instead: [n/abreast][c][h][w][abreast], block == 1. The batch is then
 * filled up with images that count for nothing; whatever flows back to them is zero.
 *
 * A number is one of the device's reals or, on a device that can (tc_device.halves), half of one: bf16, a float's first
 * 16 bits. That is a matter of storage alone: kernels compute in reals whatever they load and store. */
#ifndef TC_COMPUTE_SHAPE_H
#define TC_COMPUTE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tc_shape {
    int n, h, w, c;
    int block;
    int abreast; /* images side by side; 0 or 1: none */
    bool half;   /* kept in bf16 */
} tc_shape;

static inline tc_shape tc_nhwc(int n, int h, int w, int c) {
    const tc_shape shape = {n, h, w, c, c, 0, false};
    return shape;
}

static inline int tc_shape_abreast(tc_shape s) {
    return s.abreast > 1 ? s.abreast : 1;
}

/* Groups of images side by side, the last one filled up. */
static inline size_t tc_shape_groups(tc_shape s) {
    return ((size_t)s.n + (size_t)tc_shape_abreast(s) - 1) / (size_t)tc_shape_abreast(s);
}

/* In memory, with the images that fill up the batch. */
static inline size_t tc_shape_count(tc_shape s) {
    return tc_shape_groups(s) * (size_t)tc_shape_abreast(s) * (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static inline size_t tc_shape_index(tc_shape s, int n, int y, int x, int c) {
    const size_t abreast = (size_t)tc_shape_abreast(s), group = (size_t)n / abreast;
    const size_t panel = group * (size_t)(s.c / s.block) + (size_t)(c / s.block);
    const size_t pixel = (panel * (size_t)s.h + (size_t)y) * (size_t)s.w + (size_t)x;
    return (pixel * (size_t)s.block + (size_t)(c % s.block)) * abreast + (size_t)n % abreast;
}

#endif
