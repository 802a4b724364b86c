/* Every kernel that takes activations in bf16 (compute/shape.h) against the oracle on the same numbers: what it gives
 * the parameters is exact, what it leaves as an activation is rounded once. */
#include "pairs.h"

#include "geometries.h"

/* ---- activations of both devices ---- */

/* 8 significant bits: at most 2⁻⁸ off. */
static const double once = 4e-3, exact = 1e-5;

static tc_shape halved(tc_shape shape) {
    shape.half = true;
    return shape;
}

/* The shape as device d keeps it. */
static tc_shape kept_on(int d, tc_shape shape) {
    return d == FAST ? halved(shape) : shape;
}

/* An activation: reals on the reference, halves of the same numbers on the other. */
static pair activation(tc_shape shape, double centre, double spread) {
    const size_t n = tc_shape_count(shape);
    const pair p = filled(n, centre, spread), rounded = empty(n);
    float *x = malloc((n ? n : 1) * sizeof *x);
    assert_non_null(x);
    ON(FAST, to_layout, halved(shape), p.at[FAST], rounded.at[FAST]);
    ON(FAST, from_layout, halved(shape), rounded.at[FAST], p.at[FAST]);
    ON(FAST, download_float, x, p.at[FAST], n);
    ON(REFERENCE, upload_float, p.at[REFERENCE], x, n);
    free(x);
    return (pair){{p.at[REFERENCE], rounded.at[FAST]}, n};
}

static pair result_of(tc_shape shape) {
    return garbage(tc_shape_count(shape));
}

/* An activation's numbers. */
static pair widened(tc_shape shape, pair p) {
    const pair wide = copied(p);
    ON(FAST, from_layout, halved(shape), p.at[FAST], wide.at[FAST]);
    return wide;
}

/* ---- element by element ---- */

static const int shapes[][4] = {{2, 5, 7, 3}, {1, 8, 8, 16}, {5, 4, 4, 48}, {9, 9, 9, 32}, {2, 6, 6, 1}, {1, 1, 2, 1}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static tc_shape shape_at(int i) {
    return tc_nhwc(shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3]);
}

static void test_activations(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        const tc_shape s = shape_at(i);
        for (int kind = TC_RELU; kind <= TC_GELU; kind++) {
            const pair x = activation(s, 0, 3), q = activation(s, 0, 1), u = activation(s, 0, 1), y = result_of(s);
            const pair dx = result_of(s), sum = result_of(s), shut = result_of(s);
            BOTH(d) {
                const tc_sum terms = {2, {q.at[d], u.at[d]}};
                const tc_shape on = kept_on(d, s);
                ON(d, activation, (tc_activation_kind)kind, 0.1, on, x.at[d], y.at[d]);
                ON(d, activation_backward, (tc_activation_kind)kind, 0.1, on, x.at[d],
                   kind <= TC_RELU6 ? y.at[d] : NULL, terms, dx.at[d]);
                ON(d, add_relu, on, terms, shut.at[d]);
                ON(d, add, on, terms, q.at[d]); /* in a term's place */
                ON(d, add, on, (tc_sum){3, {x.at[d], q.at[d], u.at[d]}}, sum.at[d]);
            }
            same_to(widened(s, y), once, "activation");
            same_to(widened(s, dx), once, "activation_backward");
            same_to(widened(s, shut), once, "add_relu");
            same_to(widened(s, q), once, "add in place");
            same_to(widened(s, sum), 2 * once, "add");
        }
    }
}

/* Ties go to the even one, what is no number stays none, and nothing else changes. */
static void test_rounding(void **state) {
    (void)state;
    static const struct {
        uint32_t bits;
        uint16_t kept;
    } rows[] = {{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
                {0xbf80ffff, 0xbf81}, {0x7f7fffff, 0x7f80}, {0x80000000, 0x8000}, {0xff800000, 0xff80}};
    enum { ROWS = sizeof rows / sizeof *rows };
    float x[ROWS + 1];
    uint16_t kept[ROWS + 1];
    for (int i = 0; i < ROWS; i++) memcpy(&x[i], &rows[i].bits, sizeof x[i]);
    x[ROWS] = NAN;
    const pair from = empty(ROWS + 1), to = empty(ROWS + 1);
    ON(FAST, upload_float, from.at[FAST], x, ROWS + 1);
    ON(FAST, to_layout, halved(tc_nhwc(1, 1, 1, ROWS + 1)), from.at[FAST], to.at[FAST]);
    ON(FAST, download_bytes, kept, to.at[FAST], sizeof kept);
    for (int i = 0; i < ROWS; i++) assert_int_equal(kept[i], rows[i].kept);
    assert_true((kept[ROWS] & 0x7fff) > 0x7f80);
}

/* ---- pools and moves ---- */

/* Outputs are halves too, unless one pixel of each image is left. */
static void check_pool(tc_shape in, int kernel, int stride, int padding, bool relu) {
    tc_shape out = in;
    out.h = (in.h + 2 * padding - kernel) / stride + 1;
    out.w = (in.w + 2 * padding - kernel) / stride + 1;
    const bool half = out.h * out.w > 1;
    const size_t outs = tc_shape_count(out);
    const pair x = activation(in, 0.3, 1), a = half ? activation(out, 0, 1) : noise(outs), y = garbage(outs);
    const pair dx = result_of(in), mean = garbage(outs), dmean = result_of(in);
    const pair winner = raw(NULL, outs * sizeof(int32_t));
    BOTH(d) {
        tc_pool pool = {kept_on(d, in), out, kernel, stride, padding, relu};
        pool.out.half = half && pool.in.half;
        const tc_sum dy = {2, {a.at[d], a.at[d]}};
        ON(d, max_pool, &pool, x.at[d], y.at[d], winner.at[d]);
        ON(d, max_pool_scatter, &pool, winner.at[d], dy, dx.at[d]);
        ON(d, average_pool, &pool, x.at[d], mean.at[d]);
        ON(d, average_pool_backward, &pool, dy, dmean.at[d]);
    }
    same_bytes(winner, "winners");
    same_to(half ? widened(out, y) : y, exact, "max_pool"); /* one of its inputs */
    same_to(half ? widened(out, mean) : mean, half ? once : exact, "average_pool");
    same_to(widened(in, dx), once, "max_pool_scatter");
    same_to(widened(in, dmean), once, "average_pool_backward");
}

static void test_pools(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES - 1; i++) {
        const tc_shape in = shape_at(i);
        check_pool(in, 2, 2, 0, false);
        check_pool(in, 3, 2, 1, true);
        if (in.h == in.w) check_pool(in, in.h, in.h, 0, false);
    }
}

static void test_moves(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        const tc_shape s = shape_at(i);
        tc_shape whole = s;
        whole.block = whole.c *= 3;
        const size_t n = tc_shape_count(s);
        const pair x = activation(s, 0, 1), all = activation(whole, 0, 1), part = result_of(s), rows = garbage(n);
        const pair features = noise(n), back = result_of(s);
        BOTH(d) {
            const tc_shape on = kept_on(d, s), in = kept_on(d, whole);
            ON(d, concat, on, in, s.c, x.at[d], all.at[d]);
            ON(d, slice, in, on, 2 * s.c, (tc_sum){2, {all.at[d], all.at[d]}}, part.at[d]);
            ON(d, flatten, on, x.at[d], rows.at[d]);
            ON(d, unflatten, on, (tc_sum){2, {features.at[d], rows.at[d]}}, back.at[d]);
        }
        same_to(widened(whole, all), exact, "concat");
        same_to(widened(s, part), exact, "slice"); /* twice a half is one */
        same_to(rows, exact, "flatten");
        same_to(widened(s, back), once, "unflatten");
    }
}

static void test_channels(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        const tc_shape s = shape_at(i);
        const size_t c = (size_t)s.c, few = (size_t)s.n * c;
        const pair x = activation(s, 0, 1), u = activation(s, 0, 1), factor = noise(few), sums = garbage(c);
        const pair y = result_of(s), ds = garbage(few);
        BOTH(d) {
            const tc_shape on = kept_on(d, s);
            ON(d, channel_sums, on, x.at[d], sums.at[d], false);
            ON(d, channel_sums, on, u.at[d], sums.at[d], true);
            ON(d, scale, on, x.at[d], factor.at[d], y.at[d], false);
            ON(d, scale_reduce, on, x.at[d], u.at[d], ds.at[d], false);
        }
        same_to(sums, exact, "channel_sums");
        same_to(widened(s, y), once, "scale");
        same_to(ds, exact, "scale_reduce");
    }
}

/* ---- batch normalisation ---- */

enum { RELU = 1, RESIDUAL = 2, NORM_FLAGS = 4 };

typedef struct norm_arrays {
    pair z, residual, y, dy[2], q, dz;                                         /* activations */
    pair gamma, beta, running_mean, running_var, mean, inv_std, dgamma, dbeta; /* [c] */
} norm_arrays;

static tc_norm norm_on(int d, const norm_arrays *a, tc_shape shape, int flags, int terms) {
    const bool q = terms > 1 || (flags & RELU);
    return (tc_norm){.shape = kept_on(d, shape),
                     .training = true,
                     .relu = flags & RELU,
                     .epsilon = 1e-5,
                     .momentum = 0.1,
                     .z = a->z.at[d],
                     .residual = flags & RESIDUAL ? a->residual.at[d] : NULL,
                     .y = a->y.at[d],
                     .gamma = a->gamma.at[d],
                     .beta = a->beta.at[d],
                     .running_mean = a->running_mean.at[d],
                     .running_var = a->running_var.at[d],
                     .mean = a->mean.at[d],
                     .inv_std = a->inv_std.at[d],
                     .dy = {terms, {a->dy[0].at[d], a->dy[1].at[d]}},
                     .q = q ? a->q.at[d] : NULL,
                     .dz = a->dz.at[d],
                     .dgamma = a->dgamma.at[d],
                     .dbeta = a->dbeta.at[d]};
}

static double length_of(pair p) {
    return sqrt(device[REFERENCE]->k->dot(device[REFERENCE], p.count, p.at[REFERENCE], p.at[REFERENCE]));
}

/* Sums may cancel: what rounding does to them is measured by what is summed. */
static void same_sum(pair p, pair summed, const char *what) {
    same_to(p, 3e-5 + once * length_of(summed) / fmax(length_of(p), 0.05), what);
}

/* Statistics are of the numbers as they lie, so they are exact; q is rounded before it is summed and read again. */
static void check_norm(tc_shape s, int flags, int terms) {
    const size_t c = (size_t)s.c;
    const norm_arrays a = {.z = activation(s, 0.5, 2),
                           .residual = activation(s, 0, 1),
                           .y = result_of(s),
                           .q = result_of(s),
                           .dy = {activation(s, 0, 1), activation(s, 0, 1)},
                           .dz = result_of(s),
                           .gamma = noise(c),
                           .beta = noise(c),
                           .running_mean = noise(c),
                           .running_var = filled(c, 2, 0.2),
                           .mean = garbage(c),
                           .inv_std = garbage(c),
                           .dgamma = garbage(c),
                           .dbeta = garbage(c)};
    BOTH(d) {
        const tc_norm norm = norm_on(d, &a, s, flags, terms);
        ON(d, norm_forward, &norm);
        ON(d, norm_backward, &norm);
    }
    const bool gathered = terms > 1 || (flags & RELU);
    same_to(a.mean, 3e-5, "mean");
    same_to(a.inv_std, 3e-5, "1/σ");
    same_to(a.running_var, 3e-5, "running variance");
    if (terms > 1) {
        same_sum(a.dgamma, a.q, "dγ");
        same_sum(a.dbeta, a.q, "dβ");
    } else {
        same_to(a.dgamma, 3e-5, "dγ");
        same_to(a.dbeta, 3e-5, "dβ");
    }
    same_to(widened(s, a.y), once, "y");
    same_to(widened(s, a.dz), terms > 1 ? 2 * once : once, "dz");
    if (gathered) same_to(widened(s, a.q), once, "q");
}

static void test_norm(void **state) {
    static const int sizes[][4] = {{2, 5, 7, 3}, {5, 4, 4, 16}, {3, 8, 8, 32}, {40, 9, 9, 8}};
    for (int s = 0; s < 4; s++)
        for (int flags = 0; flags < NORM_FLAGS; flags++)
            for (int terms = 1; terms <= 2; terms++) {
                check_norm(tc_nhwc(sizes[s][0], sizes[s][1], sizes[s][2], sizes[s][3]), flags, terms);
                tear_down(state); /* the arrays of this many cases are enough at a time */
                set_up(state);
            }
}

/* ---- convolution ---- */

/* What the oracle gets of the parameters: bf16, as the other one makes of them. */
static pair weights_of(size_t count) {
    const pair kept = activation(tc_nhwc(1, 1, 1, (int)count), 0, 1);
    return widened(tc_nhwc(1, 1, 1, (int)count), kept);
}

static void convolve(int d, const tc_convolution *geometry, const pair *w, const pair *b, const pair *x, const pair *dz,
                     const pair *results) {
    tc_conv_plan *plan = NULL;
    tc_error error = {0};
    if (ON(d, conv_create, geometry, &plan, &error) != TC_OK) fail_msg("%s", error.message);
    const tc_kernels *k = device[d]->k;
    k->conv_pack(plan, TC_WEIGHTS, w->at[d]);
    k->conv_forward(plan, TC_WEIGHTS, x->at[d], b->at[d], results[0].at[d], false);
    k->conv_backward_data(plan, TC_WEIGHTS, dz->at[d], results[1].at[d]);
    k->conv_backward_weights(plan, x->at[d], dz->at[d], results[2].at[d], results[3].at[d], false);
    ON(d, conv_destroy, plan);
}

/* Into halves, and out of halves (`ends`: images before, one pixel behind) or not. */
static void check_convolution(const conv_row *r, bool in_half, bool out_half, bool relu) {
    const tc_convolution g = convolution_of(r, 0, 0);
    const size_t outs = (size_t)g.out.c, weights = weight_count(&g);
    /* floats that are read as bf16 are the same numbers, so that only results tell the ways apart */
    const pair x_half = activation(g.in, 0, 1), dz_half = activation(g.out, 0, 1);
    const pair x = in_half ? x_half : widened(g.in, x_half), dz = out_half ? dz_half : widened(g.out, dz_half);
    const pair w = weights_of(weights), b = noise(outs);
    const pair results[] = {result_of(g.out), result_of(g.in), garbage(weights), garbage(outs)};
    BOTH(d) {
        tc_convolution on = g;
        on.bias = true;
        on.relu = relu;
        on.in.half = d == FAST && in_half;
        on.out.half = d == FAST && out_half;
        convolve(d, &on, &w, &b, &x, &dz, results);
    }
    same_to(out_half ? widened(g.out, results[0]) : results[0], 2 * once, "convolution"); /* bias behind the rounding */
    same_to(in_half ? widened(g.in, results[1]) : results[1], once, "data gradient");
    same_to(results[2], once, "weight gradient");
    same_to(results[3], exact, "bias gradient");
}

static void check_convolutions(void **state) {
    static const int some[] = {1, 2, 5, 6, 7, 8, 9, 11, 13, 30, 31};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        const conv_row *r = &geometries[some[i]];
        check_convolution(r, true, true, i % 2);
        check_convolution(r, false, true, false);
        check_convolution(r, true, false, false);
        tear_down(state);
        set_up(state);
    }
}

static void test_convolution(void **state) {
    check_convolutions(state);
}

/* Where the library leaves floats of bf16 they are taken, for weights, and not asked for, for activations. */
static void test_convolution_mixed(void **state) {
    setenv("TOCSIN_EMULATED_MIXED", "1", 1);
    check_convolutions(state);
    unsetenv("TOCSIN_EMULATED_MIXED");
}

int main(void) {
    if (!ask_for_bf16("cuda")) return 0;
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_rounding),    PAIR_TEST(test_activations),       PAIR_TEST(test_pools),
        PAIR_TEST(test_moves),       PAIR_TEST(test_channels),          PAIR_TEST(test_norm),
        PAIR_TEST(test_convolution), PAIR_TEST(test_convolution_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
