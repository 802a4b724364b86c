/* winograd.c — see winograd.h. An output tile Y (4×4 pixels for 3×3 weights g, 2×2 for 5×5) comes from the 6×6 input
 * pixels d around it as
 *
 *     Y = Aᵀ [ Σ over input channels of (G g Gᵀ) ⊙ (Bᵀ d B) ] A,
 *
 * polynomial multiplication by values at the points 0, ±P, ±Q and ∞ along either axis: 36 products in place of 144
 * (100). A handful of tiles is taken through all three steps at a time. Lanes are channels: the transforms know nothing
 * of them, and the products in the middle are 36 small matrix products.
 *
 * The gradient by the weights is the adjoint of the same formula: Gᵀ [ Σ over tiles of (A dY Aᵀ) ⊙ (Bᵀ d B) ] G.
 *
 * Points: 0, ±3/4, ±3/2, ∞, exact in binary as are their squares. Rounding errors are half of those with the usual
 * ±1, ±2 (5·10⁻⁷ in place of 10⁻⁶ of a result's norm), for 20 of 840 vector operations a tile.
 *
 * Compiled once per instruction set and side of the window (TC_WINOGRAD_TAPS, meson.build); the vector type is the
 * compiler's own and works on all. */
#include "compute/cpu/winograd.h"

#include "compute/cpu/isa.h"

#include <omp.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))
/* Loops whose bounds are constants: unrolled, so that what they index stays in registers. */
#define UNROLLED(i, bound) _Pragma("GCC unroll 16") for (int i = 0; i < (bound); i++)

enum { LANES = TC_WINOGRAD_LANES, POINTS = TC_WINOGRAD_POINTS, TILES = TC_WINOGRAD_TILES };
enum { IN = TC_WINOGRAD_SIDE, TAPS = TC_WINOGRAD_TAPS, OUT = IN - TAPS + 1 };
/* What a block of tiles holds of one side: [panel][point][tile][16], a line more a point for the cache's sake. */
enum { POINT = TC_WINOGRAD_POINT, PANEL = TC_WINOGRAD_POINTS * POINT };
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t))));

static const float P = 0.75f, Q = 1.5f, PP = 0.5625f, QQ = 2.25f; /* points ±P, ±Q; their squares */

ALWAYS_INLINE vec load(const float *from) {
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

ALWAYS_INLINE void store(float *to, vec v) {
    memcpy(to, &v, sizeof v);
}

ALWAYS_INLINE vec spread(float value) {
    return (vec){value, value, value, value, value, value, value, value,
                 value, value, value, value, value, value, value, value};
}

/* ---- the transforms along one axis ---- */

/* v = Bᵀ d */
ALWAYS_INLINE void input_axis(const vec d[IN], vec v[IN]) {
    const vec even_p = d[4] - QQ * d[2], odd_p = d[3] - QQ * d[1];
    const vec even_q = d[4] - PP * d[2], odd_q = d[3] - PP * d[1];
    v[0] = PP * QQ * d[0] + (d[4] - (PP + QQ) * d[2]);
    v[1] = even_p + P * odd_p;
    v[2] = even_p - P * odd_p;
    v[3] = even_q + Q * odd_q;
    v[4] = even_q - Q * odd_q;
    v[5] = PP * QQ * d[1] + (d[5] - (PP + QQ) * d[3]);
}

/* Values at p and −p of the polynomial with coefficients y: *even ± *odd. */
ALWAYS_INLINE void evaluate(const int count, const vec *y, float p, vec *even, vec *odd) {
    const int last_even = (count - 1) / 2 * 2, last_odd = (count - 2) / 2 * 2 + 1;
    vec e = y[last_even], o = y[last_odd];
    for (int r = last_even - 2; r >= 0; r -= 2) e = y[r] + p * p * e;
    for (int r = last_odd - 2; r >= 1; r -= 2) o = y[r] + p * p * o;
    *even = e;
    *odd = p * o;
}

/* Its transpose: y[r] += p^r (even for even r, odd for odd ones). */
ALWAYS_INLINE void evaluate_back(const int count, float p, vec even, vec odd, vec *y) {
    float power = 1;
    UNROLLED(r, count) {
        y[r] += power * (r % 2 ? odd : even);
        power *= p;
    }
}

/* y = Aᵀ m */
ALWAYS_INLINE void output_axis(const vec m[IN], vec y[OUT]) {
    UNROLLED(r, OUT) y[r] = r ? spread(0) : m[0];
    y[OUT - 1] += m[5];
    evaluate_back(OUT, P, m[1] + m[2], m[1] - m[2], y);
    evaluate_back(OUT, Q, m[3] + m[4], m[3] - m[4], y);
}

/* m = A y */
ALWAYS_INLINE void cotangent_axis(const vec y[OUT], vec m[IN]) {
    vec even_p, odd_p, even_q, odd_q;
    evaluate(OUT, y, P, &even_p, &odd_p);
    evaluate(OUT, y, Q, &even_q, &odd_q);
    m[0] = y[0];
    m[1] = even_p + odd_p;
    m[2] = even_p - odd_p;
    m[3] = even_q + odd_q;
    m[4] = even_q - odd_q;
    m[5] = y[OUT - 1];
}

/* Row j of G is [1, p, p², …] / N′(p) for point p_j, N the polynomial with all points as its roots. */
ALWAYS_INLINE void weight_factors(float f[3]) {
    f[0] = 1 / (PP * QQ), f[1] = 1 / (2 * PP * (PP - QQ)), f[2] = 1 / (2 * QQ * (QQ - PP));
}

/* u = G g */
ALWAYS_INLINE void weight_axis(const vec g[TAPS], vec u[IN]) {
    float f[3];
    vec even_p, odd_p, even_q, odd_q;
    weight_factors(f);
    evaluate(TAPS, g, P, &even_p, &odd_p);
    evaluate(TAPS, g, Q, &even_q, &odd_q);
    u[0] = f[0] * g[0];
    u[1] = f[1] * (even_p + odd_p);
    u[2] = f[1] * (even_p - odd_p);
    u[3] = f[2] * (even_q + odd_q);
    u[4] = f[2] * (even_q - odd_q);
    u[5] = g[TAPS - 1];
}

/* g = Gᵀ u */
ALWAYS_INLINE void gradient_axis(const vec u[IN], vec g[TAPS]) {
    float f[3];
    weight_factors(f);
    UNROLLED(t, TAPS) g[t] = t ? spread(0) : f[0] * u[0];
    g[TAPS - 1] += u[5];
    evaluate_back(TAPS, P, f[1] * (u[1] + u[2]), f[1] * (u[1] - u[2]), g);
    evaluate_back(TAPS, Q, f[2] * (u[3] + u[4]), f[2] * (u[3] - u[4]), g);
}

/* ---- tiles ---- */

/* Neighbouring tiles of one row of tiles: a block of tiles consists of such runs. */
typedef struct run {
    int n, y, x;      /* image, and first output pixel */
    int first, count; /* in the block */
} run;

static int tiles_of(const tc_winograd *g, size_t block) {
    const size_t left = tc_winograd_tiles(g) - block * TILES;
    return left < TILES ? (int)left : TILES;
}

static run run_at(const tc_winograd *g, size_t block, int first) {
    const size_t across = (size_t)((g->w + OUT - 1) / OUT), down = (size_t)((g->h + OUT - 1) / OUT);
    const size_t index = block * TILES + (size_t)first;
    const int column = (int)(index % across), in_row = (int)across - column, in_block = tiles_of(g, block) - first;
    return (run){.n = (int)(index / (across * down)),
                 .y = (int)(index / across % down) * OUT,
                 .x = column * OUT,
                 .first = first,
                 .count = in_row < in_block ? in_row : in_block};
}

static const float *image_of(const tc_winograd *g, const float *panels, int count, int n, int panel) {
    return panels + (size_t)(n * count + panel) * (size_t)(g->h * g->w) * LANES;
}

/* Rows y, y + 1, … of an image; those above and below it are zero. */
static void find_rows(const tc_winograd *g, const float *image, int y, int count, const float *zeros,
                      const float **row) {
    for (int r = 0; r < count; r++)
        row[r] = y + r >= 0 && y + r < g->h ? image + (size_t)((y + r) * g->w) * LANES : zeros;
}

/* Column c of half = Bᵀ d from column x of the image. */
ALWAYS_INLINE void input_column(const tc_winograd *g, const float *const row[IN], int x, int c, vec half[IN][IN]) {
    vec d[IN], v[IN] = {{0}};
    if (x >= 0 && x < g->w) {
        UNROLLED(r, IN) d[r] = load(row[r] + (size_t)x * LANES);
        input_axis(d, v);
    }
    UNROLLED(r, IN) half[r][c] = v[r];
}

/* V = Bᵀ d B of neighbouring tiles, which share columns of Bᵀ d; point k to `to` + k · POINT. */
static void transform_input(const tc_winograd *g, const float *const row[IN], int x, int count, float *to) {
    vec half[IN][IN], v[IN];
    UNROLLED(c, IN - OUT) input_column(g, row, x + c, c + OUT, half);
    for (int t = 0; t < count; t++, x += OUT, to += LANES) {
        UNROLLED(c, IN - OUT) UNROLLED(r, IN) half[r][c] = half[r][c + OUT];
        UNROLLED(c, OUT) input_column(g, row, x + IN - OUT + c, c + IN - OUT, half);
        UNROLLED(r, IN) {
            input_axis(half[r], v);
            UNROLLED(c, IN) store(to + (r * IN + c) * POINT, v[c]);
        }
    }
}

/* A dY Aᵀ of neighbouring tiles. */
static void transform_cotangent(const tc_winograd *g, const float *const row[OUT], int x, int count, float *to) {
    vec half[IN][OUT], d[OUT], v[IN];
    for (int t = 0; t < count; t++, x += OUT, to += LANES) {
        UNROLLED(c, OUT) {
            UNROLLED(r, OUT) d[r] = x + c < g->w ? load(row[r] + (size_t)(x + c) * LANES) : spread(0);
            cotangent_axis(d, v);
            UNROLLED(r, IN) half[r][c] = v[r];
        }
        UNROLLED(r, IN) {
            cotangent_axis(half[r], v);
            UNROLLED(c, IN) store(to + (r * IN + c) * POINT, v[c]);
        }
    }
}

/* Aᵀ m A */
ALWAYS_INLINE void transform_output(const float *from, vec y[OUT][OUT]) {
    vec half[OUT][IN], m[IN], v[OUT];
    UNROLLED(c, IN) {
        UNROLLED(r, IN) m[r] = load(from + (r * IN + c) * POINT);
        output_axis(m, v);
        UNROLLED(r, OUT) half[r][c] = v[r];
    }
    UNROLLED(r, OUT) output_axis(half[r], y[r]);
}

/* A tile's sums, transformed back, to its rows of pixels. */
static void finish_tile(const float *from, vec bias, bool accumulate, bool relu, float *to, size_t row) {
    vec sum[OUT][OUT];
    transform_output(from, sum);
    UNROLLED(r, OUT) {
        UNROLLED(c, OUT) {
            vec v = sum[r][c] + bias;
            if (accumulate) v += load(to + (size_t)r * row + c * LANES);
            if (relu) v = (vec)((mask)v & (v > 0));
            store(to + (size_t)r * row + c * LANES, v);
        }
    }
}

/* The same where the image ends within the tile. */
static void finish_part(const tc_winograd *g, const float *from, vec bias, int y, int x, float *image) {
    const int rows = g->h - y < OUT ? g->h - y : OUT, columns = g->w - x < OUT ? g->w - x : OUT;
    vec tile[OUT * OUT] = {{0}};
    for (int r = 0; g->accumulate && r < rows; r++)
        for (int c = 0; c < columns; c++) tile[r * OUT + c] = load(image + (size_t)((y + r) * g->w + x + c) * LANES);
    finish_tile(from, bias, g->accumulate, g->relu, (float *)tile, OUT * LANES);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) store(image + (size_t)((y + r) * g->w + x + c) * LANES, tile[r * OUT + c]);
}

/* ---- reading ahead: the products need no memory, the transforms around them nothing else ---- */

/* Memory that will be wanted soon. Blocks of tiles lie one behind the other where an image is one panel or no larger
 * than a block; elsewhere this is a guess, and nothing but time depends on it. */
typedef struct span {
    const float *at;
    size_t lines;
} span;

static span span_of(const tc_winograd *g, size_t block, const float *x, int panels, int down) {
    const size_t image = (size_t)(g->h * g->w), all = (size_t)g->n * (size_t)panels * image;
    if (block >= tc_winograd_blocks(g)) return (span){x, 0};
    const run r = run_at(g, block, 0);
    const size_t at = (size_t)(r.n * panels) * image + (size_t)((r.y + down) * g->w);
    const size_t lines = (size_t)(TILES * OUT * OUT * panels);
    if (at >= all) return (span){x, 0};
    return (span){x + at * LANES, lines < all - at ? lines : all - at};
}

/* The k-th of POINTS shares. */
ALWAYS_INLINE void fetch(span s, int k, const bool write) {
    const size_t last = s.lines * (size_t)(k + 1) / POINTS;
    for (size_t l = s.lines * (size_t)k / POINTS; l < last; l++) {
        if (write)
            __builtin_prefetch(s.at + l * LANES, 1, 2);
        else
            __builtin_prefetch(s.at + l * LANES, 0, 2);
    }
}

/* ---- forward ---- */

/* `tiles` × `panels` vectors of sums in registers: m = Σ over panels of v u at one point. */
ALWAYS_INLINE void multiply(const int tiles, const int panels, int in, const float *v, const float *u, float *m) {
    const size_t u_panel = (size_t)in * LANES * LANES;
    vec sum[TILES][2];
    UNROLLED(t, tiles) UNROLLED(o, panels) sum[t][o] = spread(0);
    for (int p = 0; p < in; p++, v += PANEL) {
        for (int i = 0; i < LANES; i++, u += LANES) {
            vec weight[2];
            UNROLLED(o, panels) weight[o] = load(u + (size_t)o * u_panel);
            UNROLLED(t, tiles) {
                const vec value = spread(v[t * LANES + i]);
                UNROLLED(o, panels) sum[t][o] += value * weight[o];
            }
        }
    }
    UNROLLED(t, tiles) UNROLLED(o, panels) store(m + o * PANEL + t * LANES, sum[t][o]);
}

static void multiply_points(const tc_winograd *g, const float *v, const float *u, float *m, span next, span result) {
    const size_t panel = (size_t)g->in * LANES * LANES;
    for (int k = 0; k < POINTS; k++, v += POINT, m += POINT) {
        fetch(next, k, false);
        fetch(result, k, true);
        int o = 0;
        for (; o + 2 <= g->out; o += 2, u += 2 * panel)
            for (int t = 0; t < TILES * LANES; t += 8 * LANES) multiply(8, 2, g->in, v + t, u, m + o * PANEL + t);
        if (o < g->out) multiply(TILES, 1, g->in, v, u, m + o * PANEL), u += panel;
    }
}

/* V of a block, all panels. */
static void transform_inputs(const tc_winograd *g, size_t block, const float *x, const float *zeros, float *v) {
    const int count = tiles_of(g, block);
    for (run r = {0}; (r = run_at(g, block, r.first)).first < count; r.first += r.count) {
        for (int i = 0; i < g->in; i++) {
            const float *row[IN];
            find_rows(g, image_of(g, x, g->in, r.n, i), r.y - TAPS / 2, IN, zeros, row);
            transform_input(g, row, r.x - TAPS / 2, r.count, v + i * PANEL + r.first * LANES);
        }
    }
}

static void finish_tiles(const tc_winograd *g, size_t block, const float *m, const float *bias, float *z) {
    const int count = tiles_of(g, block);
    for (run r = {0}; (r = run_at(g, block, r.first)).first < count; r.first += r.count) {
        for (int o = 0; o < g->out; o++) {
            const vec add = bias ? load(bias + o * LANES) : spread(0);
            float *image = z + (size_t)(r.n * g->out + o) * (size_t)(g->h * g->w) * LANES;
            for (int t = 0, x = r.x; t < r.count; t++, x += OUT) {
                const float *from = m + o * PANEL + (r.first + t) * LANES;
                if (r.y + OUT <= g->h && x + OUT <= g->w)
                    finish_tile(from, add, g->accumulate, g->relu, image + (size_t)(r.y * g->w + x) * LANES,
                                (size_t)g->w * LANES);
                else
                    finish_part(g, from, add, r.y, x, image);
            }
        }
    }
}

static void forward(const tc_device *device, const tc_winograd *g, const float *packed, const float *bias,
                    const float *x, float *z, float *room) {
    const size_t blocks = tc_winograd_blocks(g);
#pragma omp parallel for num_threads(device->threads) schedule(static)
    for (size_t b = 0; b < blocks; b++) {
        float *v = room + (size_t)omp_get_thread_num() * tc_winograd_room(g), *m = v + g->in * PANEL;
        transform_inputs(g, b, x, m + g->out * PANEL, v);
        multiply_points(g, v, packed, m, span_of(g, b + 1, x, g->in, 1), span_of(g, b, z, g->out, 0));
        finish_tiles(g, b, m, bias, z);
    }
}

/* ---- gradient by the weights ---- */

static void add_pixels(const tc_winograd *g, const float *const row[OUT], int x, int count, float *sums) {
    vec sum = load(sums);
    for (int r = 0; r < OUT; r++)
        for (int c = x; c < x + count * OUT && c < g->w; c++) sum += load(row[r] + (size_t)c * LANES);
    store(sums, sum);
}

/* A dY Aᵀ of a block, all panels; and its sums, if they are wanted. */
static void transform_cotangents(const tc_winograd *g, size_t block, const float *dz, const float *zeros, float *m,
                                 float *sums) {
    const int count = tiles_of(g, block);
    for (run r = {0}; (r = run_at(g, block, r.first)).first < count; r.first += r.count) {
        for (int o = 0; o < g->out; o++) {
            const float *row[OUT];
            find_rows(g, image_of(g, dz, g->out, r.n, o), r.y, OUT, zeros, row);
            transform_cotangent(g, row, r.x, r.count, m + o * PANEL + r.first * LANES);
            if (sums) add_pixels(g, row, r.x, r.count, sums + o * LANES);
        }
    }
}

/* to[i][16] += Σ over tiles of v[t][i] m[t][16], for the 16 channels of a panel on either side. */
static void add_products(int count, const float *v, const float *m, float *to) {
    vec sum[LANES];
    UNROLLED(i, LANES) sum[i] = load(to + i * LANES);
    for (int t = 0; t < count * LANES; t += LANES) {
        const vec cotangent = load(m + t);
        UNROLLED(i, LANES) sum[i] += spread(v[t + i]) * cotangent;
    }
    UNROLLED(i, LANES) store(to + i * LANES, sum[i]);
}

static void add_block(const tc_winograd *g, int count, const float *v, const float *m, span next, span next_dz,
                      float *part) {
    for (int k = 0; k < POINTS; k++) {
        fetch(next, k, false);
        fetch(next_dz, k, false);
        for (int o = 0; o < g->out; o++)
            for (int i = 0; i < g->in; i++, part += LANES * LANES)
                add_products(count, v + i * PANEL + k * POINT, m + o * PANEL + k * POINT, part);
    }
}

/* Gᵀ [Σ over parts] G of input channel i and 16 output channels, to OIHW. */
static void finish_gradient(const tc_winograd *g, const float *parts, int o, int i, float *dw) {
    const size_t count = tc_winograd_parts(g), stride = tc_winograd_part(g), in = (size_t)g->in * LANES;
    vec half[TAPS][IN], u[IN], w[TAPS];
    UNROLLED(c, IN) {
        UNROLLED(r, IN) {
            const float *at = parts + (((size_t)((r * IN + c) * g->out + o)) * in + (size_t)i) * LANES;
            u[r] = load(at);
            for (size_t p = 1; p < count; p++) u[r] += load(at + p * stride);
        }
        gradient_axis(u, w);
        UNROLLED(r, TAPS) half[r][c] = w[r];
    }
    UNROLLED(r, TAPS) {
        gradient_axis(half[r], w);
        UNROLLED(c, TAPS) {
            for (int l = 0; l < LANES; l++) {
                float *to = dw + ((size_t)(o * LANES + l) * in + (size_t)i) * TAPS * TAPS + r * TAPS + c;
                *to = g->accumulate ? *to + w[c][l] : w[c][l];
            }
        }
    }
}

static void finish_bias(const tc_winograd *g, const float *sums, float *db) {
    const size_t count = tc_winograd_parts(g), stride = tc_winograd_part(g);
    for (int o = 0; o < g->out * LANES; o++) {
        float total = g->accumulate ? db[o] : 0;
        for (size_t p = 0; p < count; p++) total += sums[p * stride + (size_t)o];
        db[o] = total;
    }
}

static void gradient(const tc_device *device, const tc_winograd *g, const float *x, const float *dz, float *dw,
                     float *db, float *room, float *parts) {
    const size_t count = tc_winograd_parts(g), blocks = tc_winograd_blocks(g), stride = tc_winograd_part(g);
#pragma omp parallel num_threads(device->threads)
    {
        float *v = room + (size_t)omp_get_thread_num() * tc_winograd_room(g);
        float *m = v + g->in * PANEL, *zeros = m + g->out * PANEL;
#pragma omp for schedule(static)
        for (size_t p = 0; p < count; p++) {
            float *part = parts + p * stride;
            memset(part, 0, stride * sizeof *part);
            for (size_t b = blocks * p / count; b < blocks * (p + 1) / count; b++) {
                transform_inputs(g, b, x, zeros, v);
                transform_cotangents(g, b, dz, zeros, m, db ? part + tc_winograd_packed(g) : NULL);
                add_block(g, tiles_of(g, b), v, m, span_of(g, b + 1, x, g->in, 1), span_of(g, b + 1, dz, g->out, 0),
                          part);
            }
        }
#pragma omp for collapse(2) schedule(static)
        for (int o = 0; o < g->out; o++)
            for (int i = 0; i < g->in * LANES; i++) finish_gradient(g, parts, o, i, dw);
    }
    if (db) finish_bias(g, parts + tc_winograd_packed(g), db);
}

/* ---- weights ---- */

/* The weights from input channel i to 16 output channels of this direction. */
static void gather_weights(const tc_winograd *g, const float *weights, bool backward, int o, int i,
                           float to[TAPS * TAPS][LANES]) {
    const int in = g->in * LANES, out = g->out * LANES, last = TAPS * TAPS - 1;
    for (int l = 0; l < LANES; l++) {
        const float *from = weights + (backward ? i * out + o * LANES + l : (o * LANES + l) * in + i) * TAPS * TAPS;
        for (int t = 0; t < TAPS * TAPS; t++) to[t][l] = from[backward ? last - t : t];
    }
}

static void pack(const tc_device *device, const tc_winograd *g, const float *weights, bool backward, float *to) {
    const int in = g->in * LANES;
#pragma omp parallel for collapse(2) num_threads(device->threads) if (in * g->out > 32) schedule(static)
    for (int o = 0; o < g->out; o++) {
        for (int i = 0; i < in; i++) {
            float w[TAPS * TAPS][LANES];
            vec half[IN][TAPS], u[IN];
            gather_weights(g, weights, backward, o, i, w);
            UNROLLED(c, TAPS) {
                vec column[TAPS];
                UNROLLED(r, TAPS) column[r] = load(w[r * TAPS + c]);
                weight_axis(column, u);
                UNROLLED(r, IN) half[r][c] = u[r];
            }
            UNROLLED(r, IN) {
                weight_axis(half[r], u);
                UNROLLED(c, IN) store(to + (size_t)(((r * IN + c) * g->out + o) * in + i) * LANES, u[c]);
            }
        }
    }
}

const tc_winograd_loops TC_ISA(TC_WINOGRAD_LOOPS) = {pack, forward, gradient};
