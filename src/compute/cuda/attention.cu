/* attention.cu — the four maps of multi-head softmax attention; formulas: docs/derivatives.md.
 *
 * All heads of as many images at a time as keep their scores in the cache: four matrices [t][t] a head (P, Ṗ, D, Ḋ) in
 * the device's workspace, which others use as well, so that a network's layers keep nothing. Each map is a row of
 * products (batches.cuh) and, between them, a kernel whose warps take a row of scores each. */
#include "compute/cuda/batches.cuh"
#include "compute/cuda/kernels.h"

#include <initializer_list>

/* ---- where things lie ---- */

enum { Q, K, V };                  /* parts of x, and of what has its shape */
enum { P, P_T, D, D_T, MATRICES }; /* scores; D and Ḋ become S̄ and S̄̇, times 1/√d */
enum { CACHED = 12 << 20 };        /* reals that a large GPU's second-level cache holds */

/* A group of whole images, and the room of its scores. Not all arrays are there for every map, nor written to. */
struct group {
    int images, heads, t, d;
    real scale; /* 1/√d */
    real *x, *y, *dy, *dx, *x_t, *y_t, *dy_t, *dx_t;
    real *scores; /* [MATRICES][images][heads][t][t] */
};

static size_t image_scores(const tc_attention *a) {
    return (size_t)a->heads * (size_t)a->tokens * (size_t)a->tokens;
}

/* Only where not even one image's scores fit the workspace. */
size_t tc_cuda_attention_room(tc_device *device, const tc_attention *attention) {
    (void)device;
    const size_t one = MATRICES * image_scores(attention);
    return one * sizeof(real) <= (size_t)TC_CUDA_WORKSPACE ? 0 : one;
}

static real *shifted(const void *from, size_t offset) {
    return from ? (real *)(uintptr_t)from + offset : NULL;
}

static group group_of(const tc_attention *a, real *scores, int first, int images) {
    const size_t out = (size_t)first * (size_t)a->tokens * (size_t)a->width, in = 3 * out;
    const int d = a->width / a->heads;
    return {images,
            a->heads,
            a->tokens,
            d,
            (real)(1 / sqrt((double)d)),
            shifted(a->x, in),
            shifted(a->y, out),
            shifted(a->dy, out),
            shifted(a->dx, in),
            shifted(a->x_t, in),
            shifted(a->y_t, out),
            shifted(a->dy_t, out),
            shifted(a->dx_t, in),
            scores};
}

template <class W> static void each_group(tc_device *device, const tc_attention *a, W work) {
    const bool own = tc_cuda_attention_room(device, a) > 0;
    const size_t fit = CACHED / (MATRICES * image_scores(a));
    const int most = fit < 1 ? 1 : fit < (size_t)a->n ? (int)fit : a->n;
    real *scores = (real *)(own ? a->room : tc_cuda_state_of(device)->workspace);
    for (int first = 0; first < a->n; first += most)
        work(group_of(a, scores, first, a->n - first < most ? a->n - first : most));
}

/* [t][d]: q, k or v in an array like x. */
static tc_cuda_heads part(const group &g, real *array, int which) {
    const int width = g.heads * g.d;
    return {array + (size_t)which * (size_t)width, (size_t)g.t * 3 * (size_t)width, (size_t)g.d, 3 * width, 1};
}

/* [t][d] in an array like y. */
static tc_cuda_heads rows(const group &g, real *array) {
    const int width = g.heads * g.d;
    return {array, (size_t)g.t * (size_t)width, (size_t)g.d, width, 1};
}

static size_t group_scores(const group &g) {
    return (size_t)g.images * (size_t)g.heads * (size_t)g.t * (size_t)g.t;
}

/* [t][t] */
static tc_cuda_heads matrix(const group &g, int which) {
    const size_t head = (size_t)g.t * (size_t)g.t;
    return {g.scores + (size_t)which * group_scores(g), (size_t)g.heads * head, head, g.t, 1};
}

static tc_cuda_heads turned(const tc_cuda_heads &h) {
    return {h.at, h.image, h.head, h.column, h.row};
}

/* ---- products ---- */

typedef std::initializer_list<tc_cuda_factors> products;

static void multiply(tc_device *device, const group &g, int m, int n, int k, real scale, products sum,
                     const tc_cuda_heads &c) {
    tc_cuda_batch batch = {g.images, g.heads, m, n, k, 0, {}, c, scale};
    for (const tc_cuda_factors &pair : sum) batch.pair[batch.pairs++] = pair;
    tc_cuda_multiply_batch(device, "attention", batch);
}

/* Matrix `which` = scale Σ left rightᵀ over the pairs, both [t][d]. */
static void compare(tc_device *device, const group &g, int which, real scale, products sum) {
    multiply(device, g, g.t, g.t, g.d, scale, sum, matrix(g, which));
}

/* to [t][d] = Σ matrix right over the pairs, a matrix [t][t] and [t][d]. */
static void mix(tc_device *device, const group &g, const tc_cuda_heads &to, products sum) {
    multiply(device, g, g.t, g.d, g.t, 1, sum, to);
}

/* ---- rows of scores ---- */

static __device__ real all_lanes(real x) {
    for (int lane = TC_WARP / 2; lane > 0; lane /= 2) x += __shfl_xor_sync(0xffffffffu, x, lane);
    return x;
}

static __device__ real most_of_lanes(real x) {
    for (int lane = TC_WARP / 2; lane > 0; lane /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, lane));
    return x;
}

#define EACH_LANE(j, t) for (int j = (int)threadIdx.x % TC_WARP; j < (t); j += TC_WARP)

/* A row of every matrix: the warp's. */
struct score_row {
    real *p, *p_t, *d, *d_t;

    __device__ score_row(real *scores, size_t rows, int t) : p(NULL), p_t(NULL), d(NULL), d_t(NULL) {
        const size_t number = (size_t)blockIdx.x * (blockDim.x / TC_WARP) + threadIdx.x / TC_WARP, length = (size_t)t;
        if (number >= rows) return;
        p = scores + number * length;
        p_t = p + rows * length;
        d = p_t + rows * length;
        d_t = d + rows * length;
    }
};

/* P = softmax(P) */
static __global__ void softmax_kernel(real *scores, size_t rows, int t, real) {
    const score_row row(scores, rows, t);
    if (!row.p) return;
    real most = -INFINITY, sum = 0;
    EACH_LANE(j, t) most = fmaxf(most, row.p[j]);
    most = most_of_lanes(most);
    EACH_LANE(j, t) sum += row.p[j] = expf(row.p[j] - most);
    const real factor = 1 / all_lanes(sum);
    EACH_LANE(j, t) row.p[j] *= factor;
}

/* Ṗ = P ⊙ (Ṗ − Σ P ⊙ Ṗ) */
static __global__ void softmax_tangent_kernel(real *scores, size_t rows, int t, real) {
    const score_row row(scores, rows, t);
    if (!row.p) return;
    real mean = 0;
    EACH_LANE(j, t) mean += row.p[j] * row.p_t[j];
    mean = all_lanes(mean);
    EACH_LANE(j, t) row.p_t[j] = row.p[j] * (row.p_t[j] - mean);
}

/* D := S̄/√d = P ⊙ (D − Σ P ⊙ D)/√d */
static __global__ void softmax_backward_kernel(real *scores, size_t rows, int t, real scale) {
    const score_row row(scores, rows, t);
    if (!row.p) return;
    real mean = 0;
    EACH_LANE(j, t) mean += row.p[j] * row.d[j];
    mean = all_lanes(mean);
    EACH_LANE(j, t) row.d[j] = scale * row.p[j] * (row.d[j] - mean);
}

/* Ḋ := S̄̇/√d = (Ṗ ⊙ (D − δ) + P ⊙ (Ḋ − δ̇))/√d with δ = Σ P ⊙ D, δ̇ = Σ (Ṗ ⊙ D + P ⊙ Ḋ); and D as above. */
static __global__ void softmax_backward_tangent_kernel(real *scores, size_t rows, int t, real scale) {
    const score_row row(scores, rows, t);
    if (!row.p) return;
    real mean = 0, mean_t = 0;
    EACH_LANE(j, t) {
        mean += row.p[j] * row.d[j];
        mean_t += row.p_t[j] * row.d[j] + row.p[j] * row.d_t[j];
    }
    mean = all_lanes(mean);
    mean_t = all_lanes(mean_t);
    EACH_LANE(j, t) {
        const real off = row.d[j] - mean;
        row.d_t[j] = scale * (row.p_t[j] * off + row.p[j] * (row.d_t[j] - mean_t));
        row.d[j] = scale * row.p[j] * off;
    }
}

static void each_score_row(tc_device *device, const group &g, void (*kernel)(real *, size_t, int, real)) {
    const size_t warps = TC_THREADS / TC_WARP, count = (size_t)g.images * (size_t)g.heads * (size_t)g.t;
    TC_LAUNCH(device, "attention", kernel, (unsigned)((count + warps - 1) / warps), TC_THREADS, g.scores, count, g.t,
              g.scale);
}

/* ---- the maps ---- */

/* P = softmax(q kᵀ/√d) */
static void attend(tc_device *device, const group &g) {
    compare(device, g, P, g.scale, {{part(g, g.x, Q), turned(part(g, g.x, K))}});
    each_score_row(device, g, softmax_kernel);
}

/* Ṗ from Ṡ = (q̇ kᵀ + q k̇ᵀ)/√d */
static void attend_tangent(tc_device *device, const group &g) {
    compare(device, g, P_T, g.scale,
            {{part(g, g.x_t, Q), turned(part(g, g.x, K))}, {part(g, g.x, Q), turned(part(g, g.x_t, K))}});
    each_score_row(device, g, softmax_tangent_kernel);
}

void tc_cuda_attention(tc_device *device, const tc_attention *attention) {
    each_group(device, attention, [=](const group &g) {
        attend(device, g);
        mix(device, g, rows(g, g.y), {{matrix(g, P), part(g, g.x, V)}});
    });
}

/* ẏ = Ṗ v + P v̇ */
void tc_cuda_attention_tangent(tc_device *device, const tc_attention *attention) {
    each_group(device, attention, [=](const group &g) {
        attend(device, g);
        attend_tangent(device, g);
        mix(device, g, rows(g, g.y_t), {{matrix(g, P_T), part(g, g.x, V)}, {matrix(g, P), part(g, g.x_t, V)}});
    });
}

/* q̄ = S̄ k/√d, k̄ = S̄ᵀ q/√d, v̄ = Pᵀ ȳ with S̄ from D = ȳ vᵀ */
static void backward(tc_device *device, const group &g, real *dy, real *dx) {
    attend(device, g);
    compare(device, g, D, 1, {{rows(g, dy), turned(part(g, g.x, V))}});
    each_score_row(device, g, softmax_backward_kernel);
    mix(device, g, part(g, dx, Q), {{matrix(g, D), part(g, g.x, K)}});
    mix(device, g, part(g, dx, K), {{turned(matrix(g, D)), part(g, g.x, Q)}});
    mix(device, g, part(g, dx, V), {{turned(matrix(g, P)), rows(g, dy)}});
}

void tc_cuda_attention_backward(tc_device *device, const tc_attention *attention) {
    each_group(device, attention, [=](const group &g) { backward(device, g, g.dy, g.dx); });
}

static void backward_tangent(tc_device *device, const group &g) {
    attend(device, g);
    attend_tangent(device, g);
    compare(device, g, D, 1, {{rows(g, g.dy), turned(part(g, g.x, V))}});
    compare(device, g, D_T, 1,
            {{rows(g, g.dy_t), turned(part(g, g.x, V))}, {rows(g, g.dy), turned(part(g, g.x_t, V))}});
    each_score_row(device, g, softmax_backward_tangent_kernel);
    mix(device, g, part(g, g.dx_t, Q), {{matrix(g, D_T), part(g, g.x, K)}, {matrix(g, D), part(g, g.x_t, K)}});
    mix(device, g, part(g, g.dx_t, K),
        {{turned(matrix(g, D_T)), part(g, g.x, Q)}, {turned(matrix(g, D)), part(g, g.x_t, Q)}});
    mix(device, g, part(g, g.dx_t, V),
        {{turned(matrix(g, P_T)), rows(g, g.dy)}, {turned(matrix(g, P)), rows(g, g.dy_t)}});
}

void tc_cuda_attention_backward_tangent(tc_device *device, const tc_attention *attention) {
    each_group(device, attention, [=](const group &g) {
        if (g.x_t)
            backward_tangent(device, g);
        else
            backward(device, g, g.dy_t, g.dx_t); /* nothing but ȳ moves */
    });
}
