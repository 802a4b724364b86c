/* abreast.c — see abreast.h. Forward: a tile of (output channels × neighbouring pixels), one vector of 16 images each, is
 * kept in registers over all taps that fall inside the image. The backward map to the input is the forward map with
 * flipped weights. The gradient by the weights keeps a whole window of taps between one pair of channels in registers
 * while it walks over the pixels.
 *
 * Compiled once per instruction set; the vector type is the compiler's own and works on all. */
#include "compute/cpu/abreast.h"

#include "compute/cpu/isa.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
/* Loops over a tile, whose bounds are constants: unrolled, so that the tile stays in registers. */
#define TILE_LOOP(i, bound) _Pragma("GCC unroll 16") for (int i = 0; i < (bound); i++)

enum { LANES = TC_ABREAST };
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t))));

ALWAYS_INLINE vec load(const float *from) {
    vec v;
    memcpy(&v, __builtin_assume_aligned(from, sizeof v), sizeof v);
    return v;
}

ALWAYS_INLINE void store(float *to, vec v) {
    memcpy(__builtin_assume_aligned(to, sizeof v), &v, sizeof v);
}

ALWAYS_INLINE vec spread(float value) {
    return (vec){value, value, value, value, value, value, value, value,
                 value, value, value, value, value, value, value, value};
}

static int least(int a, int b) {
    return a < b ? a : b;
}
static int most(int a, int b) {
    return a > b ? a : b;
}

/* ---- between NHWC and images abreast ---- */

/* Row y of a group: [16][h][w][c] → [c][h][w][16], zeros for images beyond the batch. */
static void gather_row(const float *images, int count, int h, int w, int channels, int y, float *to) {
    const size_t image = (size_t)(h * w * channels);
    for (int c = 0; c < channels; c++) {
        float *line = to + ((size_t)c * (size_t)h + (size_t)y) * (size_t)w * LANES;
        for (int x = 0; x < w; x++, line += LANES) {
            const float *from = images + (size_t)((y * w + x) * channels + c);
            for (int l = 0; l < LANES; l++) line[l] = l < count ? from[(size_t)l * image] : 0;
        }
    }
}

static void scatter_row(const float *group, int count, int h, int w, int channels, int y, float *images) {
    const size_t image = (size_t)(h * w * channels);
    for (int c = 0; c < channels; c++) {
        const float *line = group + ((size_t)c * (size_t)h + (size_t)y) * (size_t)w * LANES;
        for (int x = 0; x < w; x++, line += LANES)
            for (int l = 0; l < count; l++) images[(size_t)l * image + (size_t)((y * w + x) * channels + c)] = line[l];
    }
}

/* Rows of all groups are the work to share; called by every thread of a team. */
static void gather(int n, int h, int w, int channels, const float *images, float *to) {
    const size_t image = (size_t)(h * w * channels);
    const int groups = (n + LANES - 1) / LANES;
#pragma omp for schedule(static)
    for (int i = 0; i < groups * h; i++) {
        const size_t first = (size_t)(i / h) * LANES;
        gather_row(images + first * image, least(n - (int)first, LANES), h, w, channels, i % h, to + first * image);
    }
}

static void scatter(int n, int h, int w, int channels, const float *from, float *images) {
    const size_t image = (size_t)(h * w * channels);
    const int groups = (n + LANES - 1) / LANES;
#pragma omp for schedule(static)
    for (int i = 0; i < groups * h; i++) {
        const size_t first = (size_t)(i / h) * LANES;
        scatter_row(from + first * image, least(n - (int)first, LANES), h, w, channels, i % h, images + first * image);
    }
}

/* ---- forward ---- */

/* Channels and pixels of a tile: together as many vectors as there are registers for, channels first, so that a single
 * pixel at the border still keeps the arithmetic units busy. */
#ifdef __AVX512F__
#define TILES(_) _(8, 3) _(6, 4) _(4, 6) _(2, 8) _(1, 8)
#else
#define TILES(_) _(2, 3) _(1, 6)
#endif

static int tile_channels(int left) {
#define TC_TILE(channels, pixels)                                                                                      \
    if (left >= (channels)) return channels;
    TILES(TC_TILE)
#undef TC_TILE
    return 1;
}

/* What a tile reads at one tap lies together: [tile][ic][k][k][channels of the tile]. */
static void pack(int oc, int ic, int taps, const float *weights, bool flipped, float *to) {
    for (int o = 0; o < oc; o += tile_channels(oc - o))
        for (int i = 0; i < ic; i++)
            for (int t = 0; t < taps; t++)
                for (int a = 0; a < tile_channels(oc - o); a++)
                    *to++ = flipped ? weights[(i * oc + o + a) * taps + (taps - 1 - t)]
                                    : weights[((o + a) * ic + i) * taps + t];
}

/* Where a tile stands, and the taps [i0, i1) × [j0, j1) that fall inside the image for all of its pixels. */
typedef struct place {
    int o, y, x;
    int i0, i1, j0, j1;
} place;

ALWAYS_INLINE void forward_tile(const int channels, const int pixels, const tc_abreast *g, place at,
                                const float *weights, const float *bias, const float *in, float *out) {
    const ptrdiff_t width = g->iw, k = g->kernel;
    const size_t plane = (size_t)g->oh * (size_t)g->ow * LANES;
    float *to = out + (size_t)at.o * plane + (size_t)(at.y * g->ow + at.x) * LANES;
    vec sum[8][8];
    TILE_LOOP(o, channels)
    TILE_LOOP(v, pixels)
    sum[o][v] = g->accumulate ? load(to + (size_t)o * plane + (size_t)v * LANES) : spread(bias ? bias[at.o + o] : 0);
    for (int c = 0; c < g->ic; c++) {
        for (int i = at.i0; i < at.i1; i++) {
            const float *line =
                in + (((ptrdiff_t)c * g->ih + at.y + i - g->padding) * width + at.x - g->padding) * LANES;
            const float *tap = weights + ((c * k + i) * k) * channels;
            for (int j = at.j0; j < at.j1; j++) {
                vec x[8];
                TILE_LOOP(v, pixels) x[v] = load(line + (j + v) * LANES);
                TILE_LOOP(o, channels) {
                    const vec weight = spread(tap[j * channels + o]);
                    TILE_LOOP(v, pixels) sum[o][v] += weight * x[v];
                }
            }
        }
    }
    TILE_LOOP(o, channels)
    TILE_LOOP(v, pixels) {
        vec z = sum[o][v];
        if (g->relu) z = (vec)((mask)z & (z > 0));
        store(to + (size_t)o * plane + (size_t)v * LANES, z);
    }
}

/* Rows [from, to) of one tile of channels: pixels whose window hangs over the left or right edge one by one. */
ALWAYS_INLINE void forward_rows(const int channels, const int pixels, const tc_abreast *g, int o, int from, int to,
                                const float *weights, const float *bias, const float *in, float *out) {
    const int k = g->kernel, p = g->padding, whole = g->iw + p - k + 1;
    for (int y = from; y < to; y++) {
        place at = {.o = o, .y = y, .i0 = most(0, p - y), .i1 = least(k, g->ih + p - y)};
        for (; at.x < g->ow;) {
            at.j0 = most(0, p - at.x);
            at.j1 = least(k, g->iw + p - at.x);
            if (at.x >= p && at.x + pixels <= whole) {
                forward_tile(channels, pixels, g, at, weights, bias, in, out);
                at.x += pixels;
            } else if (pixels > 3 && at.x >= p && at.x + pixels / 2 <= whole) {
                forward_tile(channels, pixels / 2, g, at, weights, bias, in, out);
                at.x += pixels / 2;
            } else {
                forward_tile(channels, 1, g, at, weights, bias, in, out);
                at.x++;
            }
        }
    }
}

static void forward_strip(const tc_abreast *g, int from, int to, const float *weights, const float *bias,
                          const float *in, float *out) {
    const size_t tap = (size_t)g->ic * (size_t)g->kernel * (size_t)g->kernel;
    for (int o = 0; o < g->oc; o += tile_channels(g->oc - o)) {
        const float *w = weights + (size_t)o * tap;
        switch (tile_channels(g->oc - o)) {
#define TC_TILE(channels, pixels)                                                                                      \
    case channels:                                                                                                     \
        forward_rows(channels, pixels, g, o, from, to, w, bias, in, out);                                              \
        break;
            TILES(TC_TILE)
#undef TC_TILE
        }
    }
}

/* Rows are shared out too where there are few groups; what a pixel is does not depend on who computes it. */
static int strips_of(const tc_abreast *g, int threads) {
    const int groups = tc_abreast_groups(g), wanted = (4 * threads + groups - 1) / groups;
    return least(g->oh, wanted);
}

static void forward(const tc_device *device, const tc_abreast *g, const float *weights, const float *bias,
                    const float *x, float *z, float *room) {
    const size_t in = (size_t)(g->ic * g->ih * g->iw) * LANES, out = (size_t)(g->oc * g->oh * g->ow) * LANES;
    const int strips = strips_of(g, device->threads), tasks = tc_abreast_groups(g) * strips;
    const float *from = g->in_plain ? room : x;
    float *to = g->out_plain ? room + (g->in_plain ? (size_t)tc_abreast_groups(g) * in : 0) : z;
#pragma omp parallel num_threads(device->threads)
    {
        if (g->in_plain) gather(g->n, g->ih, g->iw, g->ic, x, room);
#pragma omp for schedule(static)
        for (int t = 0; t < tasks; t++) {
            const int group = t / strips, strip = t % strips;
            forward_strip(g, g->oh * strip / strips, g->oh * (strip + 1) / strips, weights, bias,
                          from + (size_t)group * in, to + (size_t)group * out);
        }
        if (g->out_plain) scatter(g->n, g->oh, g->ow, g->oc, to, z);
    }
}

/* ---- gradient by the weights ---- */

enum { MAX_TAPS = 5 }; /* a side of the window that is kept in registers */

static const float nothing[LANES] __attribute__((aligned(64)));

/* One pixel of dz against `down` × `across` taps. `checked`: the window may hang over the left or right edge. */
ALWAYS_INLINE void gradient_pixel(const int down, const int across, const bool checked, int width, int column,
                                  const float *line, const float *dz, vec sum[MAX_TAPS][MAX_TAPS]) {
    const vec d = load(dz);
    TILE_LOOP(r, down)
    TILE_LOOP(t, across) {
        const bool outside = checked && (column + t < 0 || column + t >= width);
        sum[r][t] += d * load(outside ? nothing : line + ((ptrdiff_t)r * width + column + t) * LANES);
    }
}

/* Rows [from, to) of dz between one pair of channels, taps [i, i + down) × [j, j + across): total += their sums. */
ALWAYS_INLINE void gradient_rows(const int down, const int across, const tc_abreast *g, int from, int to, int i, int j,
                                 const float *x, const float *dz, vec *total) {
    const int p = g->padding, k = g->kernel, left = least(g->ow, p), whole = most(left, least(g->ow, g->iw + p - k + 1));
    vec sum[MAX_TAPS][MAX_TAPS];
    TILE_LOOP(r, down)
    TILE_LOOP(t, across) sum[r][t] = total[(i + r) * k + j + t];
    for (int y = from; y < to; y++) {
        const float *line = x + (ptrdiff_t)(y + i - p) * g->iw * LANES, *d = dz + (ptrdiff_t)y * g->ow * LANES;
        int at = 0;
        for (; at < left; at++) gradient_pixel(down, across, true, g->iw, at + j - p, line, d + at * LANES, sum);
        for (; at < whole; at++) gradient_pixel(down, across, false, g->iw, at + j - p, line, d + at * LANES, sum);
        for (; at < g->ow; at++) gradient_pixel(down, across, true, g->iw, at + j - p, line, d + at * LANES, sum);
    }
    TILE_LOOP(r, down)
    TILE_LOOP(t, across) total[(i + r) * k + j + t] = sum[r][t];
}

/* All taps of a k × k window: rows whose window lies inside at once, the others one tap row at a time. */
ALWAYS_INLINE void gradient_window(const int k, const tc_abreast *g, const float *x, const float *dz, vec *total) {
    const int p = g->padding, top = least(g->oh, p), whole = most(top, least(g->oh, g->ih + p - k + 1));
    for (int y = 0; y < g->oh; y++) {
        if (y == top && whole > top) {
            gradient_rows(k, k, g, top, whole, 0, 0, x, dz, total);
            y = whole - 1;
            continue;
        }
        for (int i = most(0, p - y); i < least(k, g->ih + p - y); i++)
            gradient_rows(1, k, g, y, y + 1, i, 0, x, dz, total);
    }
}

/* Any other window, tap by tap. */
static void gradient_taps(const tc_abreast *g, const float *x, const float *dz, vec *total) {
    for (int i = 0; i < g->kernel; i++)
        for (int j = 0; j < g->kernel; j++)
            gradient_rows(1, 1, g, most(0, g->padding - i), least(g->oh, g->ih + g->padding - i), i, j, x, dz, total);
}

ALWAYS_INLINE float lane_sum(vec v) {
#ifdef __AVX512F__
    return _mm512_reduce_add_ps((__m512)v);
#else
    float total = 0;
    for (int l = 0; l < LANES; l++) total += v[l];
    return total;
#endif
}

enum { MAX_KERNEL = TC_ABREAST_KERNEL };

/* The taps between output channel o and input channel c over groups [from, to). */
static void gradient_pair(const tc_abreast *g, int o, int c, int from, int to, const float *x, const float *dz,
                          float *part) {
    const size_t in = (size_t)(g->ih * g->iw) * LANES, out = (size_t)(g->oh * g->ow) * LANES;
    const int taps = g->kernel * g->kernel;
    vec total[MAX_KERNEL * MAX_KERNEL];
    for (int t = 0; t < taps; t++) total[t] = spread(0);
    for (int group = from; group < to; group++) {
        const float *of = x + (size_t)(group * g->ic + c) * in, *by = dz + (size_t)(group * g->oc + o) * out;
        if (g->kernel == 5)
            gradient_window(5, g, of, by, total);
        else if (g->kernel == 3)
            gradient_window(3, g, of, by, total);
        else
            gradient_taps(g, of, by, total);
    }
    for (int t = 0; t < taps; t++) part[(o * g->ic + c) * taps + t] = lane_sum(total[t]);
}

static float bias_sum(const tc_abreast *g, int o, int from, int to, const float *dz) {
    const size_t out = (size_t)(g->oh * g->ow) * LANES;
    vec total[4] = {spread(0), spread(0), spread(0), spread(0)};
    for (int group = from; group < to; group++) {
        const float *of = dz + (size_t)(group * g->oc + o) * out;
        size_t i = 0;
        for (; i + 4 * LANES <= out; i += 4 * LANES) TILE_LOOP(v, 4) total[v] += load(of + i + v * LANES);
        for (; i < out; i += LANES) total[0] += load(of + i);
    }
    return lane_sum((total[0] + total[1]) + (total[2] + total[3]));
}

/* to[i] (+)= Σ over parts. */
static void add_parts(const float *parts, size_t stride, int count, size_t numbers, bool accumulate, float *to) {
    for (size_t i = 0; i < numbers; i++) {
        float total = accumulate ? to[i] : 0;
        for (int p = 0; p < count; p++) total += parts[(size_t)p * stride + i];
        to[i] = total;
    }
}

static void gradient(const tc_device *device, const tc_abreast *g, const float *x, const float *dz, float *dw,
                     float *db, float *room, float *parts) {
    const int groups = tc_abreast_groups(g), count = tc_abreast_parts(g), pairs = g->oc * g->ic;
    const size_t stride = tc_abreast_part(g), weights = stride - (size_t)g->oc;
#pragma omp parallel num_threads(device->threads)
    {
        if (g->in_plain) gather(g->n, g->ih, g->iw, g->ic, x, room);
#pragma omp for schedule(static)
        for (int t = 0; t < count * pairs; t++) {
            const int p = t / pairs, o = t % pairs / g->ic, c = t % pairs % g->ic;
            const int from = groups * p / count, to = groups * (p + 1) / count;
            float *part = parts + (size_t)p * stride;
            gradient_pair(g, o, c, from, to, g->in_plain ? room : x, dz, part);
            if (db && c == 0) part[weights + (size_t)o] = bias_sum(g, o, from, to, dz);
        }
    }
    add_parts(parts, stride, count, weights, g->accumulate, dw);
    if (db) add_parts(parts + weights, stride, count, (size_t)g->oc, g->accumulate, db);
}

const tc_abreast_loops TC_ISA(abreast_loops) = {pack, forward, gradient};
