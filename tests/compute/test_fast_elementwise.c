/* Fast devices against the oracle, the element-wise part of the table: vectors, optimisers, functions, pools, moves,
 * losses, images. Whether a kernel is the portable one or a faster one of its own is not this test's business. */
#include "pairs.h"

#include "geometries.h"

static const size_t sizes[] = {1, 15, 17, 1000, 70001};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void test_vectors(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        const size_t n = sizes[s];
        const tc_shape row = tc_nhwc(1, 1, 1, (int)n);
        const pair a = noise(n), b = noise(n), c = noise(n), y = garbage(n), z = garbage(n), w = garbage(n),
                   r = garbage(n), v = copied(a);
        BOTH(d) {
            ON(d, fill, n, -1.25, y.at[d]);
            ON(d, axpby, n, 0.7, a.at[d], 0.2, y.at[d]);
            ON(d, axpby, n, -3, b.at[d], 0, z.at[d]);
            ON(d, axpby, n, 0.5, c.at[d], 1, z.at[d]);
            ON(d, multiply, n, a.at[d], b.at[d], w.at[d], false);
            ON(d, multiply, n, b.at[d], c.at[d], w.at[d], true);
            ON(d, add, row, (tc_sum){4, {v.at[d], b.at[d], c.at[d], v.at[d]}}, v.at[d]);
            ON(d, clamp, n, -0.3, 1.1, v.at[d]);
            ON(d, add_relu, row, (tc_sum){2, {a.at[d], c.at[d]}}, r.at[d]);
        }
        same(r, "add_relu");
        same(y, "axpby");
        same(z, "axpby that overwrites");
        same(w, "multiply");
        same(v, "add and clamp");
    }
}

static void test_sums(void **state) {
    (void)state;
    static const double powers[] = {1, 2, 2.5, INFINITY};
    for (int s = 0; s < SIZES; s++) {
        const pair a = filled(sizes[s], 0.1, 1), b = noise(sizes[s]), y = garbage(sizes[s]);
        double x[2];
        BOTH(d) x[d] = ON(d, sum, sizes[s], a.at[d]);
        same_numbers(x, "sum");
        BOTH(d) x[d] = ON(d, dot, sizes[s], a.at[d], b.at[d]);
        same_numbers(x, "dot");
        for (int p = 0; p < 4; p++) {
            BOTH(d) x[d] = ON(d, sum_power, sizes[s], powers[p], a.at[d]);
            same_numbers(x, "sum_power");
        }
        for (int p = 0; p < 3; p++) {
            BOTH(d) ON(d, sign_power, sizes[s], -0.4, p ? powers[p] : 0, a.at[d], y.at[d]);
            same(y, "sign_power");
        }
        BOTH(d) ON(d, normal, sizes[s], tc_stream_make(4), 0.3, y.at[d]);
        same(y, "normal");
    }
}

static void test_optimisers(void **state) {
    (void)state;
    static const tc_sgd sgd[] = {
        {0.1, 0, 1e-3, false, NULL}, {0.1, 0.9, 5e-4, false, NULL}, {0.05, 0.9, 5e-4, true, NULL}};
    for (int s = 0; s < SIZES; s++) {
        for (int kind = 0; kind < 3 + 8; kind++) {
            const size_t n = sizes[s];
            const pair theta = noise(n), m = empty(n), v = empty(n);
            for (int step = 1; step <= 2; step++) {
                const pair g = noise(n);
                const tc_adam adam = {0.01, 0.9, 0.99, 1e-6, kind & 1 ? 0.1 : 0, (kind & 2) != 0, (kind & 4) != 0,
                                      step, NULL};
                BOTH(d) {
                    if (kind < 3)
                        ON(d, sgd_step, n, &sgd[kind], g.at[d], kind ? v.at[d] : NULL, theta.at[d]);
                    else
                        ON(d, adam_step, n, &adam, g.at[d], m.at[d], v.at[d], theta.at[d]);
                }
            }
            same(theta, kind < 3 ? "sgd" : "adam");
            same(v, "second buffer");
        }
    }
}

static void check_activation(tc_activation_kind kind, size_t n, int terms) {
    const tc_shape row = tc_nhwc(1, 1, 1, (int)n);
    const pair x = filled(n, 0, 3), x_t = noise(n), y = garbage(n), y_t = garbage(n), dx_t = garbage(n);
    const pair in_place = copied(x), still = garbage(n), straight = garbage(n);
    const pair dy[4] = {noise(n), noise(n), noise(n), noise(n)}, dy_t[4] = {noise(n), noise(n), noise(n), noise(n)};
    BOTH(d) {
        const tc_sum q = {terms, {dy[0].at[d], dy[1].at[d], dy[2].at[d], dy[3].at[d]}};
        const tc_sum q_t = {terms, {dy_t[0].at[d], dy_t[1].at[d], dy_t[2].at[d], dy_t[3].at[d]}};
        const void *from = kind <= TC_RELU6 ? NULL : x.at[d];
        ON(d, activation, kind, 0.1, row, x.at[d], y.at[d]);
        ON(d, activation, kind, 0.1, row, in_place.at[d], in_place.at[d]);
        ON(d, activation_tangent, kind, 0.1, row, from, y.at[d], NULL, still.at[d]);
        ON(d, activation_backward_tangent, kind, 0.1, row, from, y.at[d], NULL, q, q_t, straight.at[d]);
        ON(d, activation_tangent, kind, 0.1, row, from, y.at[d], x_t.at[d], y_t.at[d]);
        ON(d, activation_backward_tangent, kind, 0.1, row, from, y.at[d], x_t.at[d], q, q_t, dx_t.at[d]);
        ON(d, activation_backward, kind, 0.1, row, from, y.at[d], q, dy[0].at[d]); /* in the first term's place */
    }
    same(y, "activation");
    same(in_place, "activation in place");
    same(still, "activation_tangent of nothing");
    same(straight, "activation_backward_tangent where x stands still");
    same(y_t, "activation_tangent");
    same(dx_t, "activation_backward_tangent");
    same(dy[0], "activation_backward");
}

static void test_activations(void **state) {
    for (int kind = TC_RELU; kind <= TC_GELU; kind++) {
        for (int s = 0; s < SIZES; s++)
            for (int terms = 1; terms <= 4; terms++) check_activation((tc_activation_kind)kind, sizes[s], terms);
        tear_down(state); /* the arrays of one kind are enough at a time */
        set_up(state);
    }
}

/* ---- shapes ---- */

static const int shapes[][4] = {{2, 5, 7, 3},   {1, 8, 8, 16}, {5, 4, 4, 48},
                                {40, 9, 9, 32}, {3, 1, 1, 20}, {2, 6, 6, 1}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Shape i, plain or in the device's panels. */
static tc_shape shape_at(int i, int panels) {
    return shape_of(shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3], panels ? device[FAST]->channel_block : 0);
}

/* x: noise, or made by the caller. */
static void check_pool(const tc_pool *pool, pair x) {
    const size_t ins = tc_shape_count(pool->in), outs = tc_shape_count(pool->out);
    const pair a = noise(outs), b = noise(outs), y = garbage(outs), y_t = garbage(outs), dx = garbage(ins);
    const pair mean = garbage(outs), dmean = garbage(ins), winner = raw(NULL, outs * sizeof(int32_t));
    BOTH(d) {
        const tc_sum dy = {2, {a.at[d], b.at[d]}};
        ON(d, max_pool, pool, x.at[d], y.at[d], winner.at[d]);
        ON(d, max_pool_gather, pool, winner.at[d], x.at[d], y_t.at[d]);
        ON(d, max_pool_scatter, pool, winner.at[d], dy, dx.at[d]);
        ON(d, average_pool, pool, x.at[d], mean.at[d]);
        ON(d, average_pool_backward, pool, dy, dmean.at[d]);
    }
    same_bytes(winner, "winners");
    same(y, "max_pool");
    same(y_t, "max_pool_gather");
    same(dx, "max_pool_scatter");
    same(mean, "average_pool");
    same(dmean, "average_pool_backward");
}

static void test_pools(void **state) {
    static const int windows[][3] = {{2, 2, 0}, {3, 2, 1}, {3, 1, 1}, {4, 4, 0}};
    for (int i = 0; i < 2 * SHAPES; i++) {
        const tc_shape in = shape_at(i / 2, i % 2);
        for (int w = 0; w < 4; w++) {
            const int kernel = windows[w][0], stride = windows[w][1], padding = windows[w][2];
            if (in.h + 2 * padding < kernel || in.w + 2 * padding < kernel) continue;
            tc_shape out = in;
            out.h = (in.h + 2 * padding - kernel) / stride + 1;
            out.w = (in.w + 2 * padding - kernel) / stride + 1;
            if (out.h * out.w == 1) out.block = out.c; /* as a network names a 1×1 value */
            const size_t ins = tc_shape_count(in);
            check_pool(&(tc_pool){in, out, kernel, stride, padding, false}, noise(ins));
            check_pool(&(tc_pool){in, out, kernel, stride, padding, true}, noise(ins));
            check_pool(&(tc_pool){in, out, kernel, stride, padding, false}, coarse(ins, 0)); /* the first of equals */
            check_pool(&(tc_pool){in, out, kernel, stride, padding, true}, from_second(noise(ins + 1)));
        }
        tear_down(state); /* the arrays of one shape are enough at a time */
        set_up(state);
    }
}

/* A diverged value is not hidden by the larger one beside it. */
static void test_pools_of_nan(void **state) {
    (void)state;
    for (int c = 3; c <= 4; c++) {
        const tc_pool pool = {tc_nhwc(2, 7, 6, c), tc_nhwc(2, 4, 3, c), 3, 2, 1, false};
        const size_t ins = tc_shape_count(pool.in), outs = tc_shape_count(pool.out);
        const pair x = coarse(ins, 23), y = garbage(outs), winner = raw(NULL, outs * sizeof(int32_t));
        BOTH(d) ON(d, max_pool, &pool, x.at[d], y.at[d], winner.at[d]);
        assert_true(same_and_nan(y, "max_pool with NaN") > 0);
        same_bytes(winner, "winners with NaN");
    }
}

static void test_channels(void **state) {
    (void)state;
    for (int i = 0; i < 2 * SHAPES; i++) {
        const tc_shape s = shape_at(i / 2, i % 2);
        const size_t n = tc_shape_count(s), c = (size_t)s.c, few = (size_t)s.n * c;
        const pair x = noise(n), u = noise(n), bias = noise(c), scale = noise(few), sums = garbage(c),
                   rows = garbage(c);
        const pair y = garbage(n), ds = garbage(few), shifted = copied(x), mask = garbage(n);
        BOTH(d) {
            ON(d, channel_sums, s, x.at[d], sums.at[d], false);
            ON(d, channel_sums, s, u.at[d], sums.at[d], true);
            ON(d, column_sums, (int)(n / c), s.c, x.at[d], rows.at[d], false);
            ON(d, channel_add, s, bias.at[d], shifted.at[d]);
            ON(d, scale, s, x.at[d], scale.at[d], y.at[d], false);
            ON(d, scale, s, u.at[d], scale.at[d], y.at[d], true);
            ON(d, scale_reduce, s, x.at[d], u.at[d], ds.at[d], false);
            ON(d, scale_reduce, s, x.at[d], y.at[d], ds.at[d], true);
            ON(d, dropout_mask, s, &(tc_dropout){.rate = 0.25, .stream = tc_stream_make(6)}, mask.at[d]);
        }
        same(sums, "channel_sums");
        same(rows, "column_sums");
        same(shifted, "channel_add");
        same(y, "scale");
        same(ds, "scale_reduce");
        same(mask, "dropout_mask");
    }
}

static void test_moves(void **state) {
    (void)state;
    for (int i = 0; i < 2 * SHAPES; i++) {
        const tc_shape s = shape_at(i / 2, i % 2);
        tc_shape whole = s;
        whole.c *= 3;
        whole.block = s.block == s.c ? whole.c : s.block;
        const size_t n = tc_shape_count(s);
        const pair x = noise(n), a = garbage(n), b = garbage(n), f = garbage(n), g = garbage(n), part = garbage(n);
        const pair all = noise(3 * n), odd = garbage(n), begun_late = from_second(noise(n + 1));
        BOTH(d) {
            ON(d, to_layout, s, x.at[d], a.at[d]);
            ON(d, from_layout, s, x.at[d], b.at[d]);
            ON(d, flatten, s, x.at[d], f.at[d]);
            ON(d, unflatten, s, (tc_sum){2, {x.at[d], f.at[d]}}, g.at[d]);
            ON(d, concat, s, whole, s.c, x.at[d], all.at[d]);
            ON(d, slice, whole, s, 2 * s.c, (tc_sum){2, {all.at[d], all.at[d]}}, part.at[d]);
            if (s.block == s.c) /* where parts lie, and arrays begin, need not be a multiple of anything */
                ON(d, slice, whole, s, 1, (tc_sum){1, {tc_at(device[d], all.at[d], 0)}}, odd.at[d]);
            if (s.block == s.c) ON(d, concat, s, whole, 0, begun_late.at[d], all.at[d]);
        }
        if (s.block == s.c) same(odd, "slice from an odd channel");
        same(a, "to_layout");
        same(b, "from_layout");
        same(f, "flatten");
        same(g, "unflatten");
        same(all, "concat");
        same(part, "slice");
    }
}

/* ---- losses and images ---- */

static void test_losses(void **state) {
    (void)state;
    static const int batches[][2] = {{1, 2}, {5, 10}, {200, 10}, {3, 100}, {40, 121}};
    for (int b = 0; b < 5; b++) {
        const int n = batches[b][0], classes = batches[b][1];
        const size_t count = (size_t)n * (size_t)classes;
        int32_t labels[200];
        for (int i = 0; i < n; i++) labels[i] = i * 7 % classes;
        const pair z = filled(count, 0, 4), z_t = noise(count), soft = filled(count, 0.1, 0.01);
        const pair label = raw(labels, sizeof labels), value = garbage((size_t)n), dz = garbage(count),
                   dz_t = garbage(count);
        for (int kind = 0; kind < 6; kind++) { /* 4, 5: with soft targets */
            BOTH(d) {
                const tc_loss loss = {(tc_loss_kind)(kind % 4),     0.5,    n, classes, z.at[d], label.at[d],
                                      kind < 4 ? NULL : soft.at[d], 1.0 / n};
                ON(d, loss, &loss, value.at[d], dz.at[d]);
                ON(d, loss_tangent, &loss, z_t.at[d], dz_t.at[d]);
            }
            same(value, "loss");
            same(dz, "its gradient");
            same(dz_t, "its tangent");
        }
    }
}

/* Among equal logits the first counts; a diverged sample's loss is NaN or what the search makes of it; no gradient is
 * written where none is wanted. */
static void test_losses_at_the_edge(void **state) {
    (void)state;
    enum { N = 66 };
    static const int many[] = {1, 2, 7, 33, 100};
    size_t nans = 0;
    for (int b = 0; b < 5; b++) {
        const int classes = many[b];
        const size_t count = (size_t)N * (size_t)classes;
        int32_t labels[N];
        for (int i = 0; i < N; i++) labels[i] = i * 5 % classes;
        const pair equal = coarse(count, 0), diverged = coarse(count, 61), label = raw(labels, sizeof labels);
        for (int kind = 0; kind < 4; kind++) {
            const pair value = garbage(N), dz = garbage(count), lost = garbage(N), only = garbage(N),
                       dlost = garbage(count);
            BOTH(d) {
                tc_loss loss = {(tc_loss_kind)kind, 0.25, N, classes, equal.at[d], label.at[d], NULL, 1};
                ON(d, loss, &loss, value.at[d], dz.at[d]);
                ON(d, loss, &loss, only.at[d], NULL);
                loss.logits = diverged.at[d];
                ON(d, loss, &loss, lost.at[d], dlost.at[d]);
            }
            same(value, "loss among equals");
            same(only, "loss alone");
            same(dz, "its gradient among equals");
            nans += same_and_nan(lost, "loss of a diverged sample");
            nans += same_and_nan(dlost, "its gradient");
        }
    }
    assert_true(nans > 0);
}

static void test_images(void **state) {
    (void)state;
    enum { H = 9, W = 11, IMAGES = 6, N = 20 };
    static const float mean[3] = {0.49F, 0.48F, 0.45F}, deviation[3] = {0.25F, 0.24F, 0.26F};
    for (int c = 1; c <= 3; c += 2) {
        const tc_shape shape = tc_nhwc(N, H, W, c);
        const size_t count = tc_shape_count(shape), size = count / N;
        uint8_t pixels[IMAGES * H * W * 3], base[N * H * W * 3];
        uint32_t index[N];
        tc_warp whole[N], part[N];
        for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)tc_bits_at(tc_stream_make(1), i);
        for (size_t i = 0; i < sizeof base; i++) base[i] = (uint8_t)tc_bits_at(tc_stream_make(2), i);
        for (int i = 0; i < N; i++) {
            index[i] = (uint32_t)(i * 5 % IMAGES);
            whole[i] = (tc_warp){(float)(i % 9 - 4), (float)(i % 7 - 3), i % 2};
            part[i] = (tc_warp){(float)i / 3 - 3, 2 - (float)i / 4, i % 2};
        }
        whole[2] = part[2] = (tc_warp){1e9F, -1e9F, 0}; /* far outside */
        whole[3] = part[3] = (tc_warp){-W, H, 1};
        part[4] = (tc_warp){-1e-9F, 1e-9F, 1}; /* next to nothing */
        part[5] = (tc_warp){0.5F - W, H - 0.5F, 0};
        const pair images = raw(pixels, IMAGES * size), limits = raw(base, count), which = raw(index, sizeof index);
        const pair crop = raw(whole, sizeof whole), shift = raw(part, sizeof part), x = garbage(count),
                   y = garbage(count);
        const pair moved = garbage(count), back = garbage(count), z = garbage(count), dz = garbage(count);
        const pair delta = filled(count, 0, 20);
        BOTH(d) {
            ON(d, load_images, shape, images.at[d], which.at[d], NULL, mean, deviation, x.at[d]);
            ON(d, load_images, shape, images.at[d], which.at[d], crop.at[d], mean, deviation, y.at[d]);
            ON(d, warp, shape, shift.at[d], x.at[d], moved.at[d]);
            ON(d, warp_adjoint, shape, shift.at[d], x.at[d], back.at[d]);
            ON(d, normalise, shape, mean, deviation, delta.at[d], z.at[d]);
            ON(d, normalise_adjoint, shape, deviation, x.at[d], dz.at[d]);
            ON(d, project, count, 8, limits.at[d], delta.at[d]);
        }
        same(x, "load_images");
        same(y, "load_images with a crop");
        same(moved, "warp");
        same(back, "warp_adjoint");
        same(z, "normalise");
        same(dz, "normalise_adjoint");
        same(delta, "project");
    }
}

/* As tests/compute/test_images.c has them, by channels that do and do not come in fours. */
static void test_blend(void **state) {
    (void)state;
    static const tc_blend blends[] = {{3, 1, 2, 4, 5, 0.25F, 0.75F}, {0, -2, -3, 2, 3, 0, 1},
                                      {1, 3, 4, 90, 91, 0.5F, 2},    {2, 2, 2, 2, 4, 0, 1},
                                      {4, 7, -9, 9, -5, 0, 1},       {5, 1, 1, 3, 3, 0, 1},
                                      {0, 0, 0, 5, 6, 0.3F, 0.7F},   {1, -4, 8, 2, 12, 0, 0.5F}};
    static const tc_blend blanks[] = {{0, 1, 1, 3, 3, 0, 0}, {1, 0, 0, 5, 6, 0.5F, 0}, {0}, {0}, {0}, {0}, {0}, {0}};
    enum { N = sizeof blends / sizeof *blends };
    for (int c = 1; c <= 4; c++) {
        const tc_shape shape = tc_nhwc(N, 5, 6, c);
        const pair x = noise(tc_shape_count(shape)), y = garbage(x.count), z = copied(x);
        const pair mixed = raw(blends, sizeof blends), blank = raw(blanks, sizeof blanks);
        BOTH(d) {
            ON(d, blend, shape, mixed.at[d], x.at[d], y.at[d]);
            ON(d, blend, shape, blank.at[d], z.at[d], z.at[d]);
        }
        same(y, "blend");
        same(z, "blend in place");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_vectors),    PAIR_TEST(test_sums),
        PAIR_TEST(test_optimisers), PAIR_TEST(test_activations),
        PAIR_TEST(test_pools),      PAIR_TEST(test_pools_of_nan),
        PAIR_TEST(test_channels),   PAIR_TEST(test_moves),
        PAIR_TEST(test_losses),     PAIR_TEST(test_losses_at_the_edge),
        PAIR_TEST(test_images),     PAIR_TEST(test_blend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
