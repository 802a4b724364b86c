/* planes.c — see planes.h. An image is copied into zero-padded rows once, so that no inner loop knows about borders;
 * then a tile of (output channels × rows × vectors of 16 pixels) is kept in registers over all taps of the window.
 *
 * The backward map to the input is the forward map with flipped weights, so two loops do: forward, and the gradient by
 * the weights. Compiled once per instruction set; the vector type is the compiler's own and works on all. */
#include "compute/cpu/planes.h"

#include "compute/cpu/isa.h"

#include <omp.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
/* Loops over a tile, whose bounds are constants: unrolled, so that the tile stays in registers. */
#define TILE_LOOP(i, bound) _Pragma("GCC unroll 16") for (int i = 0; i < (bound); i++)

enum { LANES = TC_PLANE_LANES };
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t))));

ALWAYS_INLINE vec load(const float *from) {
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

ALWAYS_INLINE vec spread(float value) {
    return (vec){value, value, value, value, value, value, value, value,
                 value, value, value, value, value, value, value, value};
}

/* The first `count` lanes. */
ALWAYS_INLINE void store(float *to, vec v, int count) {
#ifdef __AVX512F__
    const __mmask16 kept = count >= LANES ? 0xffff : (__mmask16)((1u << count) - 1);
    _mm512_mask_storeu_ps(to, kept, (__m512)v);
#else
    float values[LANES];
    memcpy(values, &v, sizeof v);
    for (int l = 0; l < LANES && l < count; l++) to[l] = values[l];
#endif
}

/* ---- padded copies ---- */

/* One image, planes or NHWC, into [c][h + 2p + 1][row] with zeros around. The zeros are written afresh: the room is
 * shared with other layers. */
static void pad_image(const float *image, bool nhwc, int channels, int h, int w, int p, size_t row, float *to) {
    const size_t height = (size_t)(h + 2 * p + 1);
    memset(to, 0, (size_t)channels * height * row * sizeof *to);
    for (int c = 0; c < channels; c++) {
        for (int y = 0; y < h; y++) {
            float *line = to + ((size_t)c * height + (size_t)(y + p)) * row + p;
            if (!nhwc) {
                memcpy(line, image + (size_t)(c * h + y) * (size_t)w, (size_t)w * sizeof *line);
                continue;
            }
            for (int x = 0; x < w; x++) line[x] = image[(size_t)((y * w + x) * channels + c)];
        }
    }
}

static void interleave(const float *planes, int channels, size_t pixels, bool accumulate, float *nhwc) {
    for (size_t p = 0; p < pixels; p++)
        for (int c = 0; c < channels; c++) {
            const float v = planes[(size_t)c * pixels + p];
            float *to = nhwc + p * (size_t)channels + (size_t)c;
            *to = accumulate ? *to + v : v;
        }
}

/* ---- forward ---- */

/* Where a tile stands: its first output channel, row and pixel. */
typedef struct tile {
    int o, y, x;
} tile;

/* `channels` × `rows` × `across` vectors of outputs, all taps. */
ALWAYS_INLINE void forward_tile(const int channels, const int rows, const int across, const tc_planes *g, tile t,
                                const float *weights, const float *bias, const float *padded, float *z) {
    const size_t row = tc_planes_row(g), plane = (size_t)(g->ih + 2 * g->padding + 1) * row;
    const int k = g->kernel, taps = k * k;
    const float *w = weights + (size_t)t.o * (size_t)g->ic * (size_t)taps;
    vec sum[8][4];
    TILE_LOOP(o, channels)
    TILE_LOOP(v, rows * across) sum[o][v] = spread(bias ? bias[t.o + o] : 0);
    for (int c = 0; c < g->ic; c++) {
        for (int i = 0; i < k; i++) {
            const float *from = padded + (size_t)c * plane + (size_t)(t.y + i) * row + (size_t)t.x;
            const float *tap = w + (size_t)((c * taps + i * k) * channels);
            for (int j = 0; j < k; j++) {
                vec x[4];
                TILE_LOOP(r, rows)
                TILE_LOOP(a, across)
                x[r * across + a] = load(from + (size_t)r * row + (size_t)(j + a * LANES));
                TILE_LOOP(o, channels) {
                    const vec weight = spread(tap[j * channels + o]);
                    TILE_LOOP(v, rows * across) sum[o][v] += weight * x[v];
                }
            }
        }
    }
    TILE_LOOP(o, channels) {
        TILE_LOOP(r, rows) {
            if (t.y + r >= g->oh) break;
            TILE_LOOP(a, across) {
                const int left = g->ow - t.x - a * LANES;
                float *to = z + ((size_t)(t.o + o) * (size_t)g->oh + (size_t)(t.y + r)) * (size_t)g->ow +
                            (size_t)(t.x + a * LANES);
                vec v = sum[o][r * across + a];
                if (left <= 0) continue;
                if (g->accumulate && !g->out_nhwc) {
                    float old[LANES] = {0};
                    memcpy(old, to, (size_t)(left < LANES ? left : LANES) * sizeof *old);
                    v += load(old);
                }
                if (g->relu) v = (vec)((mask)v & (v > 0));
                store(to, v, left);
            }
        }
    }
}

ALWAYS_INLINE void forward_channels(const int rows, const int across, const tc_planes *g, int y, int x,
                                    const float *weights, const float *bias, const float *padded, float *z) {
    for (int o = 0; o < g->oc; o += tc_planes_tile(g->oc - o)) {
        const tile t = {o, y, x};
        switch (tc_planes_tile(g->oc - o)) {
        case 8:
            forward_tile(8, rows, across, g, t, weights, bias, padded, z);
            break;
        case 6:
            forward_tile(6, rows, across, g, t, weights, bias, padded, z);
            break;
        case 4:
            forward_tile(4, rows, across, g, t, weights, bias, padded, z);
            break;
        case 2:
            forward_tile(2, rows, across, g, t, weights, bias, padded, z);
            break;
        default:
            forward_tile(1, rows, across, g, t, weights, bias, padded, z);
        }
    }
}

static void forward_image(const tc_planes *g, const float *weights, const float *bias, const float *padded, float *z) {
    if (g->ow <= LANES) {
        for (int y = 0; y < g->oh; y += 2) forward_channels(2, 1, g, y, 0, weights, bias, padded, z);
        return;
    }
    for (int y = 0; y < g->oh; y++)
        for (int x = 0; x < g->ow; x += 2 * LANES) forward_channels(1, 2, g, y, x, weights, bias, padded, z);
}

static void forward(const tc_device *device, const tc_planes *g, const float *weights, const float *bias,
                    const float *x, float *z, float *room) {
    const size_t in = (size_t)g->ic * (size_t)g->ih * (size_t)g->iw,
                 out = (size_t)g->oc * (size_t)g->oh * (size_t)g->ow;
#pragma omp parallel for num_threads(device->threads) schedule(static)
    for (int n = 0; n < g->n; n++) {
        float *mine = room + (size_t)omp_get_thread_num() * tc_planes_room(g), *planes = mine + tc_planes_padded(g);
        pad_image(x + (size_t)n * in, g->in_nhwc, g->ic, g->ih, g->iw, g->padding, tc_planes_row(g), mine);
        forward_image(g, weights, bias, mine, g->out_nhwc ? planes : z + (size_t)n * out);
        if (g->out_nhwc) interleave(planes, g->oc, (size_t)g->oh * (size_t)g->ow, g->accumulate, z + (size_t)n * out);
    }
}

/* ---- gradient by the weights ---- */

/* `channels` output channels × `taps` neighbouring taps of one window row, over one image; lanes are summed later. */
ALWAYS_INLINE void gradient_tile(const int channels, const int taps, const tc_planes *g, int o, int c, int i, int j,
                                 const float *padded, const float *dz, float *part) {
    const size_t row = tc_planes_row(g), plane = (size_t)(g->ih + 2 * g->padding + 1) * row,
                 out_row = tc_planes_out_row(g);
    const size_t k = (size_t)g->kernel;
    vec sum[4][5];
    TILE_LOOP(a, channels)
    TILE_LOOP(t, taps) sum[a][t] = spread(0);
    for (int y = 0; y < g->oh; y++) {
        const float *from = padded + (size_t)c * plane + (size_t)(y + i) * row + (size_t)j;
        const float *of = dz + ((size_t)o * (size_t)g->oh + (size_t)y) * out_row;
        for (size_t x = 0; x < out_row; x += LANES) {
            vec d[4];
            TILE_LOOP(a, channels) d[a] = load(of + (size_t)a * (size_t)g->oh * out_row + x);
            TILE_LOOP(t, taps) {
                const vec v = load(from + x + (size_t)t);
                TILE_LOOP(a, channels) sum[a][t] += d[a] * v;
            }
        }
    }
    TILE_LOOP(a, channels) {
        float *to =
            part + (((size_t)(o + a) * (size_t)g->ic + (size_t)c) * k + (size_t)i) * k * LANES + (size_t)j * LANES;
        TILE_LOOP(t, taps) {
            const vec total = load(to + t * LANES) + sum[a][t];
            memcpy(to + t * LANES, &total, sizeof total);
        }
    }
}

ALWAYS_INLINE void gradient_taps(const int channels, const tc_planes *g, int o, int c, int i, const float *padded,
                                 const float *dz, float *part) {
    int j = 0;
    for (; g->kernel - j >= 5; j += 5) gradient_tile(channels, 5, g, o, c, i, j, padded, dz, part);
    for (; g->kernel - j >= 3; j += 3) gradient_tile(channels, 3, g, o, c, i, j, padded, dz, part);
    for (; g->kernel - j >= 1; j += 1) gradient_tile(channels, 1, g, o, c, i, j, padded, dz, part);
}

static void gradient_image(const tc_planes *g, const float *padded, const float *dz, float *part) {
    for (int c = 0; c < g->ic; c++) {
        for (int i = 0; i < g->kernel; i++) {
            for (int o = 0, width; o < g->oc; o += width) {
                const int left = g->oc - o;
                width = left == 6 || left == 3 ? 3 : left >= 4 ? 4 : left; /* 6 is 3 + 3, not 4 + 2 */
                switch (width) {
                case 4:
                    gradient_taps(4, g, o, c, i, padded, dz, part);
                    break;
                case 3:
                    gradient_taps(3, g, o, c, i, padded, dz, part);
                    break;
                case 2:
                    gradient_taps(2, g, o, c, i, padded, dz, part);
                    break;
                default:
                    gradient_taps(1, g, o, c, i, padded, dz, part);
                }
            }
        }
    }
}

/* dz of one image into rows of whole vectors, zeros behind, and its sums into the part's last rows. */
static void align_cotangent(const tc_planes *g, const float *dz, float *to, float *bias_part) {
    const size_t out_row = tc_planes_out_row(g);
    for (int o = 0; o < g->oc; o++) {
        vec sum = load(bias_part + (size_t)o * LANES);
        for (int y = 0; y < g->oh; y++) {
            float *line = to + ((size_t)o * (size_t)g->oh + (size_t)y) * out_row;
            memset(line, 0, out_row * sizeof *line);
            if (!g->out_nhwc)
                memcpy(line, dz + (size_t)(o * g->oh + y) * (size_t)g->ow, (size_t)g->ow * sizeof *line);
            else
                for (int x = 0; x < g->ow; x++) line[x] = dz[(size_t)((y * g->ow + x) * g->oc + o)];
            for (size_t x = 0; x < out_row; x += LANES) sum += load(line + x);
        }
        memcpy(bias_part + (size_t)o * LANES, &sum, sizeof sum);
    }
}

/* to[i] (+)= Σ over parts and lanes. */
static void add_parts(const float *parts, size_t stride, int count, size_t numbers, bool accumulate, float *to) {
    for (size_t i = 0; i < numbers; i++) {
        vec sum = load(parts + i * LANES);
        for (int p = 1; p < count; p++) sum += load(parts + (size_t)p * stride + i * LANES);
        float total = 0;
        for (int l = 0; l < LANES; l++) total += sum[l];
        to[i] = accumulate ? to[i] + total : total;
    }
}

static void gradient(const tc_device *device, const tc_planes *g, const float *x, const float *dz, float *dw, float *db,
                     float *room, float *parts) {
    const size_t in = (size_t)g->ic * (size_t)g->ih * (size_t)g->iw,
                 out = (size_t)g->oc * (size_t)g->oh * (size_t)g->ow;
    const size_t weights = tc_planes_weights(g), stride = tc_planes_part(g);
    const int count = tc_planes_parts(g);
#pragma omp parallel for num_threads(device->threads) schedule(static)
    for (int p = 0; p < count; p++) {
        float *padded = room + (size_t)omp_get_thread_num() * tc_planes_room(g),
              *aligned = padded + tc_planes_padded(g);
        float *part = parts + (size_t)p * stride;
        memset(part, 0, stride * sizeof *part);
        for (int n = g->n * p / count; n < g->n * (p + 1) / count; n++) {
            pad_image(x + (size_t)n * in, g->in_nhwc, g->ic, g->ih, g->iw, g->padding, tc_planes_row(g), padded);
            align_cotangent(g, dz + (size_t)n * out, aligned, part + weights * LANES);
            gradient_image(g, padded, aligned, part);
        }
    }
    add_parts(parts, stride, count, weights, g->accumulate, dw);
    if (db) add_parts(parts + weights * LANES, stride, count, (size_t)g->oc, g->accumulate, db);
}

const tc_plane_loops TC_ISA(plane_loops) = {forward, gradient};
