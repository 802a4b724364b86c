/* images.h — from 8-bit pixels to what a network sees, and the way back for gradients. All NHWC. */
#ifndef TC_COMPUTE_PORTABLE_IMAGES_H
#define TC_COMPUTE_PORTABLE_IMAGES_H

#include "compute/portable/blocks.h"

/* Along one axis, result position i reads positions at and at + 1 with weights 1 − part and part. The flip comes
 * first: a flipped axis is walked from the far end, and the translation with it. */
typedef struct portable_axis {
    int step, start; /* at = start + step · i */
    double part;
} portable_axis;

static inline portable_axis portable_axis_of(double shift, bool flip, int size) {
    const double limit = size + 1.0,
                 along = fmax(-limit, fmin(flip ? -shift : shift, limit)); /* further out is all zero */
    const double whole = floor(along);
    return (portable_axis){flip ? -1 : 1, (flip ? size - 1 : 0) + (int)whole, along - whole};
}

typedef struct portable_tap {
    size_t pixel; /* y·w + x */
    real weight;
} portable_tap;

/* The up to four pixels that the result's pixel (r, c) is made of; those outside are zero and left out. */
static inline int portable_taps(tc_shape s, portable_axis down, portable_axis across, int r, int c,
                                portable_tap tap[4]) {
    int count = 0;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            const int y = down.start + down.step * r + i, x = across.start + across.step * c + j;
            const double weight = (i ? down.part : 1 - down.part) * (j ? across.part : 1 - across.part);
            if (weight == 0 || y < 0 || y >= s.h || x < 0 || x >= s.w) continue;
            tap[count++] = (portable_tap){(size_t)y * (size_t)s.w + (size_t)x, (real)weight};
        }
    }
    return count;
}

/* One image; the adjoint moves the same numbers along the same taps the other way. */
static void portable_warp_image(tc_shape s, const tc_warp *warp, bool adjoint, const real *from, real *to) {
    const portable_axis down = portable_axis_of((double)warp->dy, false, s.h);
    const portable_axis across = portable_axis_of((double)warp->dx, warp->flip != 0, s.w);
    const size_t channels = (size_t)s.c;
    memset(to, 0, (size_t)s.h * (size_t)s.w * channels * sizeof *to);
    for (int r = 0; r < s.h; r++) {
        for (int c = 0; c < s.w; c++) {
            portable_tap tap[4];
            const size_t here = ((size_t)r * (size_t)s.w + (size_t)c) * channels;
            const int taps = portable_taps(s, down, across, r, c, tap);
            for (int t = 0; t < taps; t++) {
                const size_t there = tap[t].pixel * channels;
                const size_t source = adjoint ? here : there, target = adjoint ? there : here;
                for (size_t k = 0; k < channels; k++) to[target + k] += tap[t].weight * from[source + k];
            }
        }
    }
}

static void portable_warp(tc_device *device, tc_shape shape, const tc_warp *warp, const void *x, void *y) {
    const size_t size = (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
    PORTABLE_PARALLEL(4 * size * (size_t)shape.n)
    for (int n = 0; n < shape.n; n++)
        portable_warp_image(shape, warp + n, false, (const real *)x + (size_t)n * size, (real *)y + (size_t)n * size);
}

static void portable_warp_adjoint(tc_device *device, tc_shape shape, const tc_warp *warp, const void *dy, void *dx) {
    const size_t size = (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
    PORTABLE_PARALLEL(4 * size * (size_t)shape.n)
    for (int n = 0; n < shape.n; n++)
        portable_warp_image(shape, warp + n, true, (const real *)dy + (size_t)n * size, (real *)dx + (size_t)n * size);
}

/* One image by whole pixels. What moves in from outside is a black pixel, normalised like any other: the crop comes
 * before the normalisation. */
static void portable_load_image(tc_shape s, const tc_warp *warp, const uint8_t *image, const float *mean,
                                const float *std, real *to) {
    const portable_axis down = portable_axis_of(rint((double)warp->dy), false, s.h);
    const portable_axis across = portable_axis_of(rint((double)warp->dx), warp->flip != 0, s.w);
    for (int r = 0; r < s.h; r++) {
        const int y = down.start + r;
        for (int c = 0; c < s.w; c++, to += s.c) {
            const int x = across.start + across.step * c;
            const bool inside = y >= 0 && y < s.h && x >= 0 && x < s.w;
            const uint8_t *pixel = inside ? image + ((size_t)y * (size_t)s.w + (size_t)x) * (size_t)s.c : NULL;
            for (int k = 0; k < s.c; k++) to[k] = ((real)(pixel ? pixel[k] : 0) / 255 - (real)mean[k]) / (real)std[k];
        }
    }
}

static void portable_load_images(tc_device *device, tc_shape shape, const uint8_t *images, const uint32_t *index,
                                 const tc_warp *warp, const float *mean, const float *std, void *x) {
    const size_t size = (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
    const tc_warp stay = {0, 0, 0};
    PORTABLE_PARALLEL(4 * size * (size_t)shape.n)
    for (int n = 0; n < shape.n; n++)
        portable_load_image(shape, warp ? warp + n : &stay, images + (size_t)index[n] * size, mean, std,
                            (real *)x + (size_t)n * size);
}

/* Image n of the batch; the rectangle is cut to the image. */
static void portable_blend_image(tc_shape s, const tc_blend *b, const real *own, const real *other, real *to) {
    const size_t c = (size_t)s.c, pitch = (size_t)s.w * c;
    const real keep = (real)b->keep, take = (real)b->take;
    const int top = b->top > 0 ? b->top : 0, bottom = b->bottom < s.h ? b->bottom : s.h;
    const size_t left = b->left > 0 ? (size_t)b->left * c : 0;
    const size_t right = b->right <= 0 ? 0 : b->right < s.w ? (size_t)b->right * c : pitch;
    if (to != own) memcpy(to, own, (size_t)s.h * pitch * sizeof *to);
    for (int r = top; r < bottom; r++) {
        const size_t row = (size_t)r * pitch;
        if (take == 0) /* the other image may be this one, half done */
            for (size_t i = row + left; i < row + right; i++) to[i] = keep * own[i];
        else
            for (size_t i = row + left; i < row + right; i++) to[i] = keep * own[i] + take * other[i];
    }
}

static void portable_blend(tc_device *device, tc_shape shape, const tc_blend *blend, const void *x, void *y) {
    const size_t size = (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
    const real *from = x;
    PORTABLE_PARALLEL(size * (size_t)shape.n)
    for (int n = 0; n < shape.n; n++)
        portable_blend_image(shape, blend + n, from + (size_t)n * size, from + blend[n].from * size,
                             (real *)y + (size_t)n * size);
}

static void portable_blend_labels(tc_device *device, int n, int classes, const tc_target *target, int32_t *labels,
                                  void *soft) {
    real *to = soft;
    (void)device;
    for (int i = 0; i < n; i++, to += classes) {
        const tc_target *t = target + i;
        const bool same = t->label[0] == t->label[1];
        memset(to, 0, (size_t)classes * sizeof *to);
        to[t->label[1]] = (real)t->share[1];
        to[t->label[0]] = (real)(same ? t->share[0] + t->share[1] : t->share[0]);
        labels[i] = t->label[0];
    }
}

static void portable_normalise(tc_device *device, tc_shape shape, const float *mean, const float *std,
                               const void *pixels, void *x) {
    const size_t rows = (size_t)shape.n * (size_t)shape.h * (size_t)shape.w, channels = (size_t)shape.c;
    const real *from = pixels;
    real *to = x;
    PORTABLE_PARALLEL(rows * channels)
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < channels; k++)
            to[i * channels + k] = (from[i * channels + k] / 255 - (real)mean[k]) / (real)std[k];
}

static void portable_normalise_adjoint(tc_device *device, tc_shape shape, const float *std, const void *dx,
                                       void *dpixels) {
    const size_t rows = (size_t)shape.n * (size_t)shape.h * (size_t)shape.w, channels = (size_t)shape.c;
    const real *from = dx;
    real *to = dpixels;
    PORTABLE_PARALLEL(rows * channels)
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < channels; k++) to[i * channels + k] = from[i * channels + k] / (255 * (real)std[k]);
}

/* Both limits at once: the interval that δ may lie in, per pixel. */
static void portable_project(tc_device *device, size_t count, double epsilon, const uint8_t *base, void *delta) {
    const real radius = (real)epsilon;
    real *d = delta;
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) {
        const real b = (real)base[i], low = -b > -radius ? -b : -radius, high = 255 - b < radius ? 255 - b : radius;
        d[i] = d[i] < low ? low : d[i] > high ? high : d[i];
    }
}

#define TC_PORTABLE_IMAGES                                                                                             \
    .load_images = portable_load_images, .warp = portable_warp, .warp_adjoint = portable_warp_adjoint,                 \
    .blend = portable_blend, .blend_labels = portable_blend_labels, .normalise = portable_normalise,                   \
    .normalise_adjoint = portable_normalise_adjoint, .project = portable_project

#endif
