/* geometries.h — the convolutions and pools that kernels are tested on: odd sizes, strides, groups, few and many
 * channels, one image and several. Blocked rows have panel widths; `plain` ones are NHWC. */
#ifndef TC_TESTS_COMPUTE_GEOMETRIES_H
#define TC_TESTS_COMPUTE_GEOMETRIES_H

#include "compute/device.h"

typedef struct conv_row {
    int n, h, w, in, out, kernel, stride, padding, groups;
} conv_row;

static const conv_row geometries[] = {
    {1, 5, 7, 1, 1, 3, 1, 1, 1},
    {2, 9, 9, 3, 6, 5, 1, 0, 1},
    {5, 8, 8, 3, 16, 3, 1, 1, 1},
    {2, 7, 5, 6, 16, 5, 1, 2, 1},
    {2, 8, 8, 16, 16, 3, 1, 1, 1},
    {1, 9, 7, 16, 32, 3, 2, 1, 1},
    {2, 8, 8, 16, 32, 1, 2, 0, 1},
    {5, 6, 6, 32, 32, 3, 1, 1, 32},
    {2, 7, 7, 32, 32, 3, 2, 1, 4},
    {1, 4, 4, 48, 32, 1, 1, 0, 1},
    {2, 4, 4, 32, 48, 3, 1, 1, 1},
    {2, 5, 5, 6, 6, 3, 1, 1, 3},
    {2, 6, 6, 16, 16, 4, 2, 1, 1},
    {1, 1, 1, 16, 32, 1, 1, 0, 1},
    {2, 11, 3, 3, 16, 3, 3, 0, 1},
    {2, 6, 6, 48, 48, 3, 1, 1, 3},
    {3, 4, 4, 16, 1, 3, 1, 1, 1},
    {1, 28, 28, 1, 6, 5, 1, 2, 1},
    /* Winograd's tiles: cut off below and right, runs over several images, several panels a side */
    {1, 7, 9, 16, 16, 3, 1, 1, 1},
    {3, 32, 32, 16, 16, 3, 1, 1, 1},
    {2, 16, 16, 32, 32, 3, 1, 1, 1},
    {9, 3, 5, 16, 32, 3, 1, 1, 1},
    {1, 1, 6, 48, 16, 3, 1, 1, 1},
    {1, 5, 6, 64, 128, 3, 1, 1, 1},
    {2, 14, 14, 16, 32, 5, 1, 2, 1},
    {3, 7, 9, 32, 16, 5, 1, 2, 1},
    /* one side fills panels, the other does not */
    {2, 6, 5, 24, 96, 1, 1, 0, 1},
    {2, 5, 6, 96, 24, 1, 1, 0, 1},
    {1, 7, 7, 8, 48, 3, 2, 1, 1},
    {2, 6, 6, 24, 48, 3, 1, 1, 4},
    /* pixels far apart, in fewer channels than a vector holds */
    {4, 12, 12, 6, 12, 1, 2, 0, 1},
    {4, 8, 8, 12, 24, 1, 2, 0, 1},
    {3, 9, 9, 3, 6, 1, 2, 0, 1},
    /* each channel alone, and groups of several panels */
    {2, 9, 7, 48, 48, 3, 2, 1, 48},
    {3, 6, 7, 24, 24, 3, 1, 1, 24},
    {2, 6, 6, 10, 20, 3, 1, 1, 10},
    {2, 6, 5, 64, 64, 3, 1, 1, 2},
    {1, 8, 8, 64, 96, 3, 2, 1, 2},
};
enum { GEOMETRIES = sizeof geometries / sizeof *geometries };

/* Panels of `block` channels where that is possible; plain NHWC otherwise. */
static inline tc_shape shape_of(int n, int h, int w, int c, int block) {
    tc_shape shape = tc_nhwc(n, h, w, c);
    if (block && h * w > 1 && c % block == 0) shape.block = block;
    return shape;
}

static inline tc_convolution convolution_of(const conv_row *g, int in_block, int out_block) {
    const int h = (g->h + 2 * g->padding - g->kernel) / g->stride + 1;
    const int w = (g->w + 2 * g->padding - g->kernel) / g->stride + 1;
    return (tc_convolution){.in = shape_of(g->n, g->h, g->w, g->in, in_block),
                            .out = shape_of(g->n, h, w, g->out, out_block),
                            .kernel = g->kernel,
                            .stride = g->stride,
                            .padding = g->padding,
                            .groups = g->groups,
                            .bias = true,
                            .tangents = true};
}

static inline size_t weight_count(const tc_convolution *c) {
    return (size_t)c->out.c * (size_t)(c->in.c / c->groups) * (size_t)(c->kernel * c->kernel);
}

#endif
