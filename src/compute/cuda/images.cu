/* images.cu — from 8-bit pixels to what a network sees, and the way back for gradients. All NHWC, a thread for each
 * result; nothing is scattered: a warp moves every pixel of an image by the same whole number and with the same
 * weights, so its transpose is a gather from the mirrored side. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/places.cuh"

namespace {

/* What the host gives by channel, as a kernel's argument. */
enum { MOST_CHANNELS = 4 };

struct scaling {
    real mean[MOST_CHANNELS], std[MOST_CHANNELS];
};

/* False, and remembered by the device, if there are more channels than a data set may have. */
bool scaling_of(tc_device *device, int c, const float *mean, const float *std, const char *what, scaling *s) {
    *s = {};
    if (!tc_cuda_went(device, c <= MOST_CHANNELS ? cudaSuccess : cudaErrorInvalidValue, what)) return false;
    for (int k = 0; k < c; k++) {
        s->mean[k] = mean ? mean[k] : 0;
        s->std[k] = std[k];
    }
    return c <= MOST_CHANNELS;
}

struct place {
    int y, x, c;
    size_t n;
};

__device__ place place_at(tc_shape s, size_t i) {
    place p;
    p.c = tc_cuda_take(&i, s.c);
    p.x = tc_cuda_take(&i, s.w);
    p.y = tc_cuda_take(&i, s.h);
    p.n = i;
    return p;
}

/* Along one axis, result position i reads positions start + step · i and the one after it, with weights 1 − part and
 * part. The flip comes first: a flipped axis is walked from the far end, and the translation with it. */
struct axis {
    int step, start;
    real part;
};

__device__ axis axis_of(real shift, bool flip, int size) {
    const real limit = (real)(size + 1), along = fmaxf(-limit, fminf(flip ? -shift : shift, limit)),
               whole = floorf(along); /* further out is all zero */
    return {flip ? -1 : 1, (flip ? size - 1 : 0) + (int)whole, along - whole};
}

/* On the way there, position i takes from `at` = start + step · i + tap; on the way back, position `at` takes from that
 * i. Step is ±1, its own inverse. */
__device__ int tapped(const axis &a, bool adjoint, int position, int tap) {
    return adjoint ? a.step * (position - tap - a.start) : a.start + a.step * position + tap;
}

/* What one result is made of: up to four pixels; those outside are zero. */
__device__ real gathered(tc_shape s, const tc_warp &warp, bool adjoint, const real *x, const place &p) {
    const axis down = axis_of(warp.dy, false, s.h), across = axis_of(warp.dx, warp.flip != 0, s.w);
    real sum = 0;
    for (int i = 0; i < 2; i++) {
        const int y = tapped(down, adjoint, p.y, i);
        const real high = i ? down.part : 1 - down.part;
        for (int j = 0; j < 2; j++) {
            const int column = tapped(across, adjoint, p.x, j);
            const real weight = high * (j ? across.part : 1 - across.part);
            if (weight == 0 || y < 0 || y >= s.h || column < 0 || column >= s.w) continue;
            sum += weight *
                   x[((p.n * (size_t)s.h + (size_t)y) * (size_t)s.w + (size_t)column) * (size_t)s.c + (size_t)p.c];
        }
    }
    return sum;
}

void move_images(tc_device *device, const char *what, tc_shape shape, const tc_warp *warp, bool adjoint, const void *x,
                 void *y) {
    const real *from = (const real *)x;
    real *to = (real *)y;
    tc_cuda_each(device, tc_shape_count(shape), what, [=] __device__(size_t i) {
        const place p = place_at(shape, i);
        to[i] = gathered(shape, warp[p.n], adjoint, from, p);
    });
}

} // namespace

void tc_cuda_warp(tc_device *device, tc_shape shape, const tc_warp *warp, const void *x, void *y) {
    move_images(device, "warp", shape, warp, false, x, y);
}

void tc_cuda_warp_adjoint(tc_device *device, tc_shape shape, const tc_warp *warp, const void *dy, void *dx) {
    move_images(device, "warp_adjoint", shape, warp, true, dy, dx);
}

/* What moves in from outside is a black pixel, normalised like any other: the crop comes before the normalisation. */
void tc_cuda_load_images(tc_device *device, tc_shape shape, const uint8_t *images, const uint32_t *index,
                         const tc_warp *warp, const float *mean, const float *std, void *x) {
    real *to = (real *)x;
    scaling s;
    if (!scaling_of(device, shape.c, mean, std, "load_images", &s)) return;
    tc_cuda_each(device, tc_shape_count(shape), "load_images", [=] __device__(size_t i) {
        const place p = place_at(shape, i);
        int y = p.y, column = p.x;
        if (warp) {
            const tc_warp w = warp[p.n];
            y = tapped(axis_of(rintf(w.dy), false, shape.h), false, y, 0);
            column = tapped(axis_of(rintf(w.dx), w.flip != 0, shape.w), false, column, 0);
        }
        const bool inside = y >= 0 && y < shape.h && column >= 0 && column < shape.w;
        const size_t line = (size_t)index[p.n] * (size_t)shape.h + (size_t)y;
        const real pixel =
            inside ? (real)images[(line * (size_t)shape.w + (size_t)column) * (size_t)shape.c + (size_t)p.c] : 0;
        to[i] = (pixel / 255 - s.mean[p.c]) / s.std[p.c];
    });
}

/* The rectangle is cut to the image. Where y is x nothing is taken from others, who may be half done. */
void tc_cuda_blend(tc_device *device, tc_shape shape, const tc_blend *blend, const void *x, void *y) {
    const size_t size = (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
    const real *from = (const real *)x;
    real *to = (real *)y;
    tc_cuda_each(device, tc_shape_count(shape), "blend", [=] __device__(size_t i) {
        const place p = place_at(shape, i);
        const tc_blend b = blend[p.n];
        const bool inside = p.y >= b.top && p.y < b.bottom && p.x >= b.left && p.x < b.right;
        if (!inside) {
            to[i] = from[i];
            return;
        }
        const real own = b.keep * from[i];
        to[i] = b.take == 0 ? own : own + b.take * from[(size_t)b.from * size + i - p.n * size];
    });
}

void tc_cuda_normalise(tc_device *device, tc_shape shape, const float *mean, const float *std, const void *pixels,
                       void *x) {
    const real *from = (const real *)pixels;
    real *to = (real *)x;
    const int c = shape.c;
    scaling s;
    if (!scaling_of(device, c, mean, std, "normalise", &s)) return;
    tc_cuda_each(device, tc_shape_count(shape), "normalise", [=] __device__(size_t i) {
        size_t pixel = i;
        const int k = tc_cuda_take(&pixel, c);
        to[i] = (from[i] / 255 - s.mean[k]) / s.std[k];
    });
}

void tc_cuda_normalise_adjoint(tc_device *device, tc_shape shape, const float *std, const void *dx, void *dpixels) {
    const real *from = (const real *)dx;
    real *to = (real *)dpixels;
    const int c = shape.c;
    scaling s;
    if (!scaling_of(device, c, NULL, std, "normalise_adjoint", &s)) return;
    tc_cuda_each(device, tc_shape_count(shape), "normalise_adjoint", [=] __device__(size_t i) {
        size_t pixel = i;
        to[i] = from[i] / (255 * s.std[tc_cuda_take(&pixel, c)]);
    });
}

/* Both limits at once: the interval that δ may lie in, per pixel. */
void tc_cuda_project(tc_device *device, size_t count, double epsilon, const uint8_t *base, void *delta) {
    const real radius = (real)epsilon;
    real *d = (real *)delta;
    tc_cuda_each(device, count, "project", [=] __device__(size_t i) {
        const real b = (real)base[i], low = -b > -radius ? -b : -radius, high = 255 - b < radius ? 255 - b : radius;
        d[i] = d[i] < low ? low : d[i] > high ? high : d[i];
    });
}
