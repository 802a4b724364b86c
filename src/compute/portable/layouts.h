/* layouts.h — moves between tensors that lie differently: parts of the channels, rows of features, NHWC and panels.
 *
 * All of them copy runs of neighbouring channels: a run ends where a panel of either side does. */
#ifndef TC_COMPUTE_PORTABLE_LAYOUTS_H
#define TC_COMPUTE_PORTABLE_LAYOUTS_H

#include "compute/portable/blocks.h"

static inline int portable_smallest(int a, int b) {
    return a < b ? a : b;
}

/* Channels c … of one side and d … of the other that are neighbours on both; at most `left`. */
static inline int portable_run(tc_shape a, int c, tc_shape b, int d, int left) {
    return portable_smallest(left, portable_smallest(a.block - c % a.block, b.block - d % b.block));
}

/* For pixel (n, y, x): channels [at_to, …) of `to` := Σ channels [at_from, …) of `from`, `count` of them. */
static inline void portable_move(tc_shape from, int at_from, tc_shape to, int at_to, int count, size_t pixel,
                                 const tc_sum *terms, real *result) {
    const int w = to.w, h = to.h, x = (int)(pixel % (size_t)w), y = (int)(pixel / (size_t)w % (size_t)h);
    const int n = (int)(pixel / (size_t)w / (size_t)h);
    for (int c = 0, run; c < count; c += run) {
        run = portable_run(from, at_from + c, to, at_to + c, count - c);
        portable_add_up(terms, tc_shape_index(from, n, y, x, at_from + c), (size_t)run,
                        result + tc_shape_index(to, n, y, x, at_to + c));
    }
}

static inline void portable_move_all(tc_device *device, tc_shape from, int at_from, tc_shape to, int at_to, int count,
                                     tc_sum terms, void *result) {
    const size_t pixels = (size_t)to.n * (size_t)to.h * (size_t)to.w;
    PORTABLE_PARALLEL(pixels * (size_t)count)
    for (size_t pixel = 0; pixel < pixels; pixel++)
        portable_move(from, at_from, to, at_to, count, pixel, &terms, result);
}

static void portable_concat(tc_device *device, tc_shape part, tc_shape whole, int at, const void *x, void *y) {
    portable_move_all(device, part, 0, whole, at, part.c, tc_one(x), y);
}

static void portable_slice(tc_device *device, tc_shape whole, tc_shape part, int at, tc_sum x, void *y) {
    portable_move_all(device, whole, at, part, 0, part.c, x, y);
}

static void portable_to_layout(tc_device *device, tc_shape shape, const void *nhwc, void *x) {
    portable_move_all(device, tc_nhwc(shape.n, shape.h, shape.w, shape.c), 0, shape, 0, shape.c, tc_one(nhwc), x);
}

static void portable_from_layout(tc_device *device, tc_shape shape, const void *x, void *nhwc) {
    portable_move_all(device, shape, 0, tc_nhwc(shape.n, shape.h, shape.w, shape.c), 0, shape.c, tc_one(x), nhwc);
}

/* One channel of a group of images: where its first pixel of image `first` lies, and what it is in the rows, which are
 * in PyTorch's (c, h, w) order. */
typedef struct portable_channel {
    size_t pixels, stride; /* reals between neighbouring pixels */
    size_t images, abreast;
    size_t at;            /* of the first image's first pixel */
    size_t row, features; /* of the first image's first pixel in the rows; length of a row */
} portable_channel;

static inline portable_channel portable_channel_at(tc_shape s, size_t number) {
    const size_t abreast = (size_t)tc_shape_abreast(s), group = number / (size_t)s.c, c = number % (size_t)s.c;
    const size_t first = group * abreast, left = (size_t)s.n - first, pixels = (size_t)s.h * (size_t)s.w;
    return (portable_channel){.pixels = pixels,
                              .stride = (size_t)s.block * abreast,
                              .images = left < abreast ? left : abreast,
                              .abreast = abreast,
                              .at = tc_shape_index(s, (int)first, 0, 0, (int)c),
                              .row = (first * (size_t)s.c + c) * pixels,
                              .features = (size_t)s.c * pixels};
}

static void portable_flatten(tc_device *device, tc_shape shape, const void *x, void *y) {
    PORTABLE_PARALLEL(tc_shape_count(shape))
    for (size_t number = 0; number < tc_shape_groups(shape) * (size_t)shape.c; number++) {
        const portable_channel at = portable_channel_at(shape, number);
        const real *from = (const real *)x + at.at;
        real *to = (real *)y + at.row;
        for (size_t n = 0; n < at.images; n++, to += at.features)
            for (size_t i = 0; i < at.pixels; i++) to[i] = from[i * at.stride + n];
    }
}

/* Images that fill up the batch get zeros. */
static void portable_unflatten(tc_device *device, tc_shape shape, tc_sum y, void *x) {
    PORTABLE_PARALLEL(tc_shape_count(shape))
    for (size_t number = 0; number < tc_shape_groups(shape) * (size_t)shape.c; number++) {
        const portable_channel at = portable_channel_at(shape, number);
        real *to = (real *)x + at.at;
        for (size_t n = 0; n < at.abreast; n++) {
            const real *from = (const real *)y.term[0] + at.row + n * at.features;
            for (size_t i = 0; i < at.pixels; i++) to[i * at.stride + n] = n < at.images ? from[i] : 0;
        }
        for (int t = 1; t < y.count; t++)
            for (size_t n = 0; n < at.images; n++) {
                const real *from = (const real *)y.term[t] + at.row + n * at.features;
                for (size_t i = 0; i < at.pixels; i++) to[i * at.stride + n] += from[i];
            }
    }
}

static void portable_dropout_mask(tc_device *device, tc_shape shape, const tc_dropout *dropout, void *mask) {
    const size_t pixels = (size_t)shape.n * (size_t)shape.h * (size_t)shape.w;
    const double rate = dropout->rate;
    const tc_stream stream = dropout->pace
                                 ? tc_stream_child((tc_stream){.key = dropout->pace->dropout}, "layer", dropout->layer)
                                 : dropout->stream;
    const real kept = (real)(rate < 1 ? 1 / (1 - rate) : 0);
    PORTABLE_PARALLEL_COSTLY(pixels * (size_t)shape.c)
    for (size_t pixel = 0; pixel < pixels; pixel++) {
        const size_t line = pixel / (size_t)shape.w;
        const int n = (int)(line / (size_t)shape.h), y = (int)(line % (size_t)shape.h);
        for (int c = 0; c < shape.c; c++) {
            const bool drop = tc_uniform_at(stream, pixel * (size_t)shape.c + (size_t)c) < rate;
            ((real *)mask)[tc_shape_index(shape, n, y, (int)(pixel % (size_t)shape.w), c)] = drop ? 0 : kept;
        }
    }
}

#define TC_PORTABLE_LAYOUTS                                                                                            \
    .concat = portable_concat, .slice = portable_slice, .flatten = portable_flatten, .unflatten = portable_unflatten,  \
    .to_layout = portable_to_layout, .from_layout = portable_from_layout, .dropout_mask = portable_dropout_mask

#endif
