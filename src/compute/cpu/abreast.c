/* abreast.c — see abreast.h. Forward: a tile of (output channels × neighbouring pixels), one vector of images each, is
 * kept in registers over all taps that fall inside the image. The backward map to the input is the forward map with
 * flipped weights. The gradient by the weights keeps a row of taps between a few output channels and one input channel
 * in registers while it walks over the pixels.
 *
 * Compiled once per instruction set; the vector type is the compiler's own and works on all. A register that holds
 * fewer than the 16 images that lie side by side gets them in several parts, one after the other: vectors wider than a
 * register cost several times as much (docs/performance.md). */
#include "compute/cpu/abreast.h"

#include "compute/cpu/isa.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
/* Loops over a tile, whose bounds are constants: unrolled, so that the tile stays in registers. */
#define TILE_LOOP(i, bound) _Pragma("GCC unroll 16") for (int i = 0; i < (bound); i++)

#if defined __AVX512F__
#define TC_WIDTH 16 /* floats in a register */
#elif defined __AVX__
#define TC_WIDTH 8
#else
#define TC_WIDTH 4
#endif
enum {
    LANES = TC_ABREAST,
    WIDTH = TC_WIDTH,
    FIRST_LEVEL = 20480, /* bytes of the first-level cache that a tile's input may fill */
};
typedef float vec __attribute__((vector_size(WIDTH * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(WIDTH * sizeof(int32_t))));

ALWAYS_INLINE vec load(const float *from) {
    vec v;
    memcpy(&v, __builtin_assume_aligned(from, sizeof v), sizeof v);
    return v;
}

ALWAYS_INLINE void store(float *to, vec v) {
    memcpy(__builtin_assume_aligned(to, sizeof v), &v, sizeof v);
}

ALWAYS_INLINE vec spread(float value) {
    return value - (vec){0}; /* every lane, with the sign of a zero */
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
    const size_t image = (size_t)h * (size_t)w * (size_t)channels;
    for (int c = 0; c < channels; c++) {
        float *line = to + ((size_t)c * (size_t)h + (size_t)y) * (size_t)w * LANES;
        for (int x = 0; x < w; x++, line += LANES) {
            const float *from = images + (size_t)((y * w + x) * channels + c);
            for (int l = 0; l < LANES; l++) line[l] = l < count ? from[(size_t)l * image] : 0;
        }
    }
}

static void scatter_row(const float *group, int count, int h, int w, int channels, int y, float *images) {
    const size_t image = (size_t)h * (size_t)w * (size_t)channels;
    for (int c = 0; c < channels; c++) {
        const float *line = group + ((size_t)c * (size_t)h + (size_t)y) * (size_t)w * LANES;
        for (int x = 0; x < w; x++, line += LANES)
            for (int l = 0; l < count; l++) images[(size_t)l * image + (size_t)((y * w + x) * channels + c)] = line[l];
    }
}

/* Rows of all groups are the work to share; called by every thread of a team. */
static void gather(int n, int h, int w, int channels, const float *images, float *to) {
    const size_t image = (size_t)h * (size_t)w * (size_t)channels;
    const int groups = (n + LANES - 1) / LANES;
#pragma omp for schedule(static)
    for (int i = 0; i < groups * h; i++) {
        const size_t first = (size_t)(i / h) * LANES;
        gather_row(images + first * image, least(n - (int)first, LANES), h, w, channels, i % h, to + first * image);
    }
}

static void scatter(int n, int h, int w, int channels, const float *from, float *images) {
    const size_t image = (size_t)h * (size_t)w * (size_t)channels;
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
#if TC_WIDTH == 16
#define TILES(_) _(8, 3) _(6, 4) _(4, 6) _(2, 8) _(1, 8)
#elif TC_WIDTH == 8
#define TILES(_) _(6, 2) _(4, 3) _(2, 5) _(1, 7)
#else /* where a product needs a register of its own */
#define TILES(_) _(4, 2) _(2, 4) _(1, 6)
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

/* Where a tile stands, the input channels [c0, c1) it is fed from now, and the taps [i0, i1) × [j0, j1) that fall
 * inside the image for all of its pixels. */
typedef struct place {
    int o, y, x;
    int c0, c1;
    int i0, i1, j0, j1;
} place;

ALWAYS_INLINE void forward_tile(const int channels, const int pixels, const tc_abreast *g, place at,
                                const float *weights, const float *bias, const float *in, float *out) {
    const ptrdiff_t width = g->iw, k = g->kernel;
    const size_t plane = (size_t)g->oh * (size_t)g->ow * LANES;
    float *to = out + (size_t)at.o * plane + (size_t)(at.y * g->ow + at.x) * LANES;
    const bool adds = g->accumulate || at.c0 > 0, relu = g->relu && at.c1 == g->ic;
    vec sum[8][8];
    TILE_LOOP(o, channels)
    TILE_LOOP(v, pixels)
    sum[o][v] = adds ? load(to + (size_t)o * plane + (size_t)v * LANES) : spread(bias ? bias[at.o + o] : 0);
    for (int c = at.c0; c < at.c1; c++) {
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
        if (relu) z = (vec)((mask)z & (z > 0));
        store(to + (size_t)o * plane + (size_t)v * LANES, z);
    }
}

/* Rows [from, to) of one tile of channels: pixels whose window hangs over the left or right edge one by one. */
ALWAYS_INLINE void forward_rows(const int channels, const int pixels, const tc_abreast *g, place at, int from, int to,
                                const float *weights, const float *bias, const float *in, float *out) {
    const int k = g->kernel, p = g->padding, whole = g->iw + p - k + 1;
    for (at.y = from; at.y < to; at.y++) {
        at.i0 = most(0, p - at.y);
        at.i1 = least(k, g->ih + p - at.y);
        for (at.x = 0; at.x < g->ow;) {
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

/* So many input channels at a time that the rows under the window stay in the first-level cache. */
static int channels_at_once(const tc_abreast *g) {
    const int rows = g->kernel * g->iw * LANES * (int)sizeof(float), most_at_once = most(1, FIRST_LEVEL / rows);
    const int turns = (g->ic + most_at_once - 1) / most_at_once;
    return (g->ic + turns - 1) / turns;
}

static void forward_strip(const tc_abreast *g, int from, int to, const float *weights, const float *bias,
                          const float *in, float *out) {
    const size_t tap = (size_t)g->ic * (size_t)g->kernel * (size_t)g->kernel;
    const int step = channels_at_once(g);
    place at = {0};
    for (at.c0 = 0; at.c0 < g->ic; at.c0 += step) {
        at.c1 = least(g->ic, at.c0 + step);
        for (at.o = 0; at.o < g->oc; at.o += tile_channels(g->oc - at.o)) {
            const float *w = weights + (size_t)at.o * tap;
            switch (tile_channels(g->oc - at.o)) {
#define TC_TILE(channels, pixels)                                                                                      \
    case channels:                                                                                                     \
        for (int part = 0; part < LANES; part += WIDTH)                                                                \
            forward_rows(channels, pixels, g, at, from, to, w, bias, in + part, out + part);                           \
        break;
                TILES(TC_TILE)
#undef TC_TILE
            }
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

/* So many output channels share an input's loads: a tile's sums are this times MAX_TAPS. */
#if TC_WIDTH == 16
#define CHANNELS(_) _(4) _(3) _(2) _(1)
enum { MAX_CHANNELS = 4 };
#else
#define CHANNELS(_) _(2) _(1)
enum { MAX_CHANNELS = 2 };
#endif
enum { MAX_TAPS = 5, ROWS_AT_ONCE = 4 /* of dz, that stay in the first-level cache */ };

static const float nothing[WIDTH] __attribute__((aligned(64)));

/* A tile's place: output channels o …, input channel c, taps (i, j …) and the rows [from, to) of dz. */
typedef struct window {
    int o, c, i, j, from, to;
} window;

/* One pixel of dz. `checked`: taps may hang over the left or right edge. `of` points to tap j's pixel, `column` is its
 * number. */
ALWAYS_INLINE void gradient_pixel(const int channels, const int taps, const bool checked, int width, int column,
                                  const float *of, const float *dz, size_t plane, vec sum[MAX_CHANNELS][MAX_TAPS]) {
    vec d[MAX_CHANNELS];
    TILE_LOOP(o, channels) d[o] = load(dz + (size_t)o * plane);
    TILE_LOOP(t, taps) {
        const bool outside = checked && (column + t < 0 || column + t >= width);
        const vec x = load(outside ? nothing : of + t * LANES);
        TILE_LOOP(o, channels) sum[o][t] += d[o] * x;
    }
}

/* total[o][k·k] += the tile's sums; x and dz are those of one group of images. */
ALWAYS_INLINE void gradient_tile(const int channels, const int taps, const tc_abreast *g, window at, const float *x,
                                 const float *dz, vec *total) {
    const int p = g->padding, area = g->kernel * g->kernel, first = at.i * g->kernel + at.j;
    const int left = least(g->ow, most(0, p - at.j)), right = most(left, least(g->ow, g->iw + p - at.j - taps + 1));
    const size_t plane = (size_t)(g->oh * g->ow) * LANES;
    const ptrdiff_t width = g->iw;
    vec sum[MAX_CHANNELS][MAX_TAPS];
    TILE_LOOP(o, channels)
    TILE_LOOP(t, taps) sum[o][t] = total[o * area + first + t];
    for (int y = at.from; y < at.to; y++) {
        const float *of = x + (((ptrdiff_t)at.c * g->ih + y + at.i - p) * width + at.j - p) * LANES;
        const float *by = dz + (size_t)at.o * plane + (size_t)(y * g->ow) * LANES;
        int c = 0;
#define TC_PIXELS(end, checked)                                                                                        \
    for (; c < (end); c++)                                                                                             \
    gradient_pixel(channels, taps, checked, g->iw, c + at.j - p, of + (ptrdiff_t)c * LANES, by + c * LANES, plane, sum)
        TC_PIXELS(left, true);
        TC_PIXELS(right, false);
        TC_PIXELS(g->ow, true);
#undef TC_PIXELS
    }
    TILE_LOOP(o, channels)
    TILE_LOOP(t, taps) total[o * area + first + t] = sum[o][t];
}

/* All taps between some output channels and one input channel, a few rows at a time. */
ALWAYS_INLINE void gradient_window(const int channels, const tc_abreast *g, window at, const float *x, const float *dz,
                                   vec *total) {
    const int k = g->kernel, p = g->padding;
    for (int y = 0; y < g->oh; y += ROWS_AT_ONCE) {
        for (at.i = 0; at.i < k; at.i++) {
            at.from = most(y, p - at.i);
            at.to = least(least(y + ROWS_AT_ONCE, g->oh), g->ih + p - at.i);
            at.j = 0;
            for (; k - at.j >= 5; at.j += 5) gradient_tile(channels, 5, g, at, x, dz, total);
            for (; k - at.j >= 3; at.j += 3) gradient_tile(channels, 3, g, at, x, dz, total);
            for (; k - at.j >= 1; at.j += 1) gradient_tile(channels, 1, g, at, x, dz, total);
        }
    }
}

ALWAYS_INLINE float lane_sum(vec v) {
#if TC_WIDTH == 16
    return _mm512_reduce_add_ps((__m512)v);
#else
    float total = 0;
    for (int l = 0; l < WIDTH; l++) total += v[l];
    return total;
#endif
}

static int gradient_channels(int left) {
    if (MAX_CHANNELS == 4 && left == 6) return 3; /* 3 + 3, not 4 + 2 */
    return least(left, MAX_CHANNELS);
}

static bool begins_tile(const tc_abreast *g, int o) {
    int first = 0;
    while (first < o) first += gradient_channels(g->oc - first);
    return first == o;
}

/* total[·][k·k]: taps between output channels o … and input channel c over one part of groups [from, to), a vector of
 * images each. Returns how many output channels. */
static int gradient_totals(const tc_abreast *g, int o, int c, int from, int to, const float *x, const float *dz,
                           vec *total) {
    const size_t in = (size_t)(g->ic * g->ih * g->iw) * LANES, out = (size_t)(g->oc * g->oh * g->ow) * LANES;
    const int taps = g->kernel * g->kernel, channels = gradient_channels(g->oc - o);
    const window at = {.o = o, .c = c};
    for (int t = 0; t < channels * taps; t++) total[t] = spread(0);
    for (int group = from; group < to; group++) {
        const float *of = x + (size_t)group * in, *by = dz + (size_t)group * out;
        switch (channels) {
#define TC_WINDOW(channels)                                                                                            \
    case channels:                                                                                                     \
        gradient_window(channels, g, at, of, by, total);                                                               \
        break;
            CHANNELS(TC_WINDOW)
#undef TC_WINDOW
        }
    }
    return channels;
}

/* The part of dw[o …][c] that the groups [from, to) make up. */
static void gradient_channel(const tc_abreast *g, int o, int c, int from, int to, const float *x, const float *dz,
                             float *dw) {
    vec total[MAX_CHANNELS * TC_ABREAST_KERNEL * TC_ABREAST_KERNEL];
    const int taps = g->kernel * g->kernel;
    for (int part = 0; part < LANES; part += WIDTH) {
        const int channels = gradient_totals(g, o, c, from, to, x + part, dz + part, total);
        for (int a = 0; a < channels; a++)
            for (int t = 0; t < taps; t++) {
                float *sum = &dw[((o + a) * g->ic + c) * taps + t];
                *sum = lane_sum(total[a * taps + t]) + (part > 0 ? *sum : 0);
            }
    }
}

/* A vector of images: one part of the groups' db[o]. */
static vec bias_images(const tc_abreast *g, int o, int from, int to, const float *dz) {
    const size_t out = (size_t)(g->oh * g->ow) * LANES;
    vec total[4] = {spread(0), spread(0), spread(0), spread(0)};
    for (int group = from; group < to; group++) {
        const float *of = dz + (size_t)(group * g->oc + o) * out;
        size_t i = 0;
        for (; i + 4 * LANES <= out; i += 4 * LANES) TILE_LOOP(v, 4) total[v] += load(of + i + v * LANES);
        for (; i < out; i += LANES) total[0] += load(of + i);
    }
    return (total[0] + total[1]) + (total[2] + total[3]);
}

static float bias_total(const tc_abreast *g, int o, int from, int to, const float *dz) {
    float total = lane_sum(bias_images(g, o, from, to, dz));
    for (int part = WIDTH; part < LANES; part += WIDTH) total += lane_sum(bias_images(g, o, from, to, dz + part));
    return total;
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
    const int groups = tc_abreast_groups(g), count = tc_abreast_parts(g);
    const size_t stride = tc_abreast_part(g), weights = stride - (size_t)g->oc;
#pragma omp parallel num_threads(device->threads)
    {
        if (g->in_plain) gather(g->n, g->ih, g->iw, g->ic, x, room);
#pragma omp for schedule(static)
        for (int t = 0; t < count * g->oc * g->ic; t++) {
            const int p = t / (g->oc * g->ic), o = t / g->ic % g->oc, c = t % g->ic;
            const int from = groups * p / count, to = groups * (p + 1) / count;
            float *part = parts + (size_t)p * stride;
            if (begins_tile(g, o)) gradient_channel(g, o, c, from, to, g->in_plain ? room : x, dz, part);
            if (db && c == 0) part[weights + (size_t)o] = bias_total(g, o, from, to, dz);
        }
    }
    add_parts(parts, stride, count, weights, g->accumulate, dw);
    if (db) add_parts(parts + weights, stride, count, (size_t)g->oc, g->accumulate, db);
}

/* ---- squared norms of single images' gradients by the weights: a lane is an image, so its own taps are there before
 * the lanes are added up ---- */

static vec square_taps(const tc_abreast *g, int o, int c, int group, const float *x, const float *dz) {
    vec total[MAX_CHANNELS * TC_ABREAST_KERNEL * TC_ABREAST_KERNEL], sum = spread(0);
    const int count = gradient_totals(g, o, c, group, group + 1, x, dz, total) * g->kernel * g->kernel;
    for (int t = 0; t < count; t++) sum += total[t] * total[t];
    return sum;
}

/* One part of a group. */
static vec square_images(const tc_abreast *g, bool bias, int group, const float *x, const float *dz) {
    vec sum = spread(0);
    for (int o = 0; o < g->oc; o += gradient_channels(g->oc - o))
        for (int c = 0; c < g->ic; c++) sum += square_taps(g, o, c, group, x, dz);
    for (int o = 0; bias && o < g->oc; o++) {
        const vec db = bias_images(g, o, group, group + 1, dz);
        sum += db * db;
    }
    return sum;
}

static void squares(const tc_device *device, const tc_abreast *g, bool bias, const float *x, const float *dz, float *to,
                    float *room) {
    const float *from = g->in_plain ? room : x;
    const int parts = tc_abreast_groups(g) * (LANES / WIDTH);
#pragma omp parallel num_threads(device->threads)
    {
        if (g->in_plain) gather(g->n, g->ih, g->iw, g->ic, x, room);
#pragma omp for schedule(static)
        for (int i = 0; i < parts; i++) {
            const int group = i * WIDTH / LANES, part = i * WIDTH % LANES;
            store(to + i * WIDTH, load(to + i * WIDTH) + square_images(g, bias, group, from + part, dz + part));
        }
    }
}

const tc_abreast_loops TC_ISA(abreast_loops) = {pack, forward, gradient, squares};
