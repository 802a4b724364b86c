/* The cpu device against the oracle where it has its own engines: convolution, matrix product. */
#include "pairs.h"

#include "geometries.h"

/* ---- convolution ---- */

static const char *name_of(const tc_convolution *g, const char *what) {
    static char text[200];
    snprintf(text, sizeof text, "%s of %dx%dx%dx%d/%d to %dx%dx%d/%d, kernel %d stride %d padding %d groups %d relu %d",
             what, g->in.n, g->in.h, g->in.w, g->in.c, g->in.block, g->out.h, g->out.w, g->out.c, g->out.block,
             g->kernel, g->stride, g->padding, g->groups, g->relu);
    return text;
}

static void make_plans(const tc_convolution *g, tc_conv_plan *plan[2]) {
    BOTH(d) {
        tc_error error = {0};
        if (ON(d, conv_create, g, &plan[d], &error) != TC_OK) fail_msg("%s: %s", name_of(g, "plan"), error.message);
    }
}

static void drop_plans(tc_conv_plan *plan[2]) {
    BOTH(d) ON(d, conv_destroy, plan[d]);
}

/* All that a training pass and its tangents ask of one plan. */
static void check_convolution(const tc_convolution *g) {
    tc_conv_plan *plan[2];
    const size_t ins = tc_shape_count(g->in), outs = tc_shape_count(g->out);
    const pair x = noise(ins), w = noise(weight_count(g)), w_t = noise(weight_count(g)), b = noise((size_t)g->out.c);
    const pair u = noise(outs), z = garbage(outs), z_t = garbage(outs), dx = garbage(ins), dx_t = garbage(ins);
    const pair dw = garbage(weight_count(g)), db = garbage((size_t)g->out.c), dw_only = garbage(weight_count(g));
    make_plans(g, plan);
    BOTH(d) {
        const tc_kernels *k = device[d]->k;
        const uint64_t allocations = device[d]->allocations;
        k->conv_pack(plan[d], TC_WEIGHTS, w.at[d]);
        k->conv_pack(plan[d], TC_WEIGHTS_T, w_t.at[d]);
        k->conv_forward(plan[d], TC_WEIGHTS, x.at[d], b.at[d], z.at[d], false);
        k->conv_forward(plan[d], TC_WEIGHTS_T, x.at[d], b.at[d], z_t.at[d], false);
        k->conv_forward(plan[d], TC_WEIGHTS, x.at[d], NULL, z_t.at[d], true);
        k->conv_backward_data(plan[d], TC_WEIGHTS, u.at[d], dx.at[d]);
        k->conv_backward_data(plan[d], TC_WEIGHTS_T, u.at[d], dx_t.at[d]);
        k->conv_backward_weights(plan[d], x.at[d], u.at[d], dw.at[d], db.at[d], false);
        k->conv_backward_weights(plan[d], x.at[d], z.at[d], dw.at[d], db.at[d], true);
        k->conv_backward_weights(plan[d], x.at[d], u.at[d], dw_only.at[d], NULL, false);
        assert_int_equal(device[d]->allocations, allocations); /* a pass stands still */
    }
    same(z, name_of(g, "forward"));
    same(z_t, name_of(g, "forward tangent"));
    same(dx, name_of(g, "backward_data"));
    same(dx_t, name_of(g, "backward_data with tangent weights"));
    same(dw, name_of(g, "backward_weights"));
    same(db, name_of(g, "bias gradient"));
    same(dw_only, name_of(g, "backward_weights without a bias"));
    drop_plans(plan);
}

/* Where a network is in panels, so is every value whose channels fill them, but for its input and for 1×1 values. */
static bool panels_fit(const conv_row *row, int block) {
    return block && (row->in % block == 0 || row->out % block == 0);
}

static void test_convolution(void **state) {
    (void)state;
    const int block = device[FAST]->channel_block;
    for (int i = 0; i < GEOMETRIES; i++) {
        for (int relu = 0; relu < 2; relu++) {
            tc_convolution g = convolution_of(&geometries[i], 0, 0);
            g.relu = relu;
            check_convolution(&g);
            if (block && geometries[i].out % block == 0) { /* the first layer */
                g = convolution_of(&geometries[i], 0, block);
                g.relu = relu;
                check_convolution(&g);
            }
            if (!panels_fit(&geometries[i], block)) continue;
            g = convolution_of(&geometries[i], block, block);
            g.relu = relu;
            check_convolution(&g);
        }
    }
}

/* ---- images side by side ---- */

static tc_shape abreast(tc_shape s) {
    s.block = 1;
    s.abreast = device[FAST]->abreast;
    return s;
}

static const conv_row small_geometries[] = {
    {16, 9, 9, 3, 6, 5, 1, 0, 1},   {32, 7, 5, 6, 16, 5, 1, 2, 1},    {16, 8, 8, 16, 16, 3, 1, 1, 1},
    {16, 5, 7, 1, 1, 3, 1, 1, 1},   {48, 6, 6, 5, 11, 4, 1, 1, 1},    {16, 9, 8, 7, 13, 7, 1, 3, 1},
    {16, 6, 6, 10, 12, 2, 1, 0, 1}, {16, 14, 14, 16, 32, 5, 1, 2, 1}, {16, 6, 6, 3, 9, 1, 1, 0, 1},
    {16, 3, 3, 2, 3, 5, 1, 4, 1},
};

static void test_convolution_abreast(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof small_geometries / sizeof *small_geometries; i++) {
        for (int kind = 0; kind < 4; kind++) {
            tc_convolution g = convolution_of(&small_geometries[i], 0, 0);
            g.relu = kind & 1;
            g.out = abreast(g.out);
            if (kind & 2) g.in = abreast(g.in); /* else it is the network's first */
            check_convolution(&g);
        }
    }
}

/* What fills up the batch counts for nothing: the same results as in plain NHWC. */
static void test_batches_filled_up(void **state) {
    (void)state;
    static const int batches[] = {1, 5, 21};
    tc_device *cpu = device[FAST];
    const tc_kernels *k = cpu->k;
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        conv_row row = small_geometries[1];
        row.n = batches[b];
        const tc_convolution plain = convolution_of(&row, 0, 0);
        tc_convolution side = plain;
        side.in = abreast(plain.in);
        side.out = abreast(plain.out);
        const size_t ins = tc_shape_count(plain.in), outs = tc_shape_count(plain.out), weights = weight_count(&plain);
        const pair x = noise(ins), u = noise(outs), w = noise(weights), bias = noise((size_t)row.out);
        const pair x2 = filled(tc_shape_count(side.in), 7, 0), u2 = filled(tc_shape_count(side.out), 0, 0);
        const pair z = garbage(outs), dx = garbage(ins), dw = garbage(weights), db = garbage((size_t)row.out);
        const pair z2 = garbage(tc_shape_count(side.out)), dx2 = garbage(tc_shape_count(side.in));
        pair of[2] = {z, dx};
        tc_conv_plan *plans[2];
        tc_error error = {0};
        assert_int_equal(ON(REFERENCE, conv_create, &plain, &plans[REFERENCE], &error), TC_OK);
        assert_int_equal(ON(FAST, conv_create, &side, &plans[FAST], &error), TC_OK);
        k->to_layout(cpu, side.in, x.at[FAST], x2.at[FAST]);
        k->to_layout(cpu, side.out, u.at[FAST], u2.at[FAST]);
        BOTH(d) {
            const tc_kernels *on = device[d]->k;
            on->conv_pack(plans[d], TC_WEIGHTS, w.at[d]);
            on->conv_forward(plans[d], TC_WEIGHTS, (d == FAST ? x2 : x).at[d], bias.at[d], (d == FAST ? z2 : z).at[d],
                             false);
            on->conv_backward_data(plans[d], TC_WEIGHTS, (d == FAST ? u2 : u).at[d], (d == FAST ? dx2 : dx).at[d]);
            on->conv_backward_weights(plans[d], (d == FAST ? x2 : x).at[d], (d == FAST ? u2 : u).at[d], dw.at[d],
                                      db.at[d], false);
        }
        k->from_layout(cpu, side.out, z2.at[FAST], of[0].at[FAST]);
        k->from_layout(cpu, side.in, dx2.at[FAST], of[1].at[FAST]);
        same(z, "forward of a batch filled up");
        same(dx, "backward_data of a batch filled up");
        same(dw, "backward_weights of a batch filled up");
        same(db, "bias gradient of a batch filled up");
        drop_plans(plans);
    }
}

/* Plans that promise to be asked for less. */
static void test_convolution_for_less(void **state) {
    (void)state;
    for (int i = 0; i < GEOMETRIES; i++) {
        tc_convolution g = convolution_of(&geometries[i], 0, 0);
        const pair x = noise(tc_shape_count(g.in)), w = noise(weight_count(&g)), u = noise(tc_shape_count(g.out));
        const pair z = garbage(tc_shape_count(g.out)), dw = garbage(weight_count(&g));
        for (int kind = 0; kind < 2; kind++) {
            tc_conv_plan *plan[2];
            g.tangents = g.bias = false;
            g.first = true;
            g.forward_only = kind;
            make_plans(&g, plan);
            BOTH(d) {
                device[d]->k->conv_pack(plan[d], TC_WEIGHTS, w.at[d]);
                device[d]->k->conv_forward(plan[d], TC_WEIGHTS, x.at[d], NULL, z.at[d], false);
                if (!g.forward_only)
                    device[d]->k->conv_backward_weights(plan[d], x.at[d], u.at[d], dw.at[d], NULL, false);
            }
            same(z, name_of(&g, "forward without bias"));
            if (!g.forward_only) same(dw, name_of(&g, "weights of the first layer"));
            drop_plans(plan);
        }
    }
}

/* The same call gives the same bits: a run can be repeated. */
static void test_convolution_repeats(void **state) {
    (void)state;
    const tc_convolution g = convolution_of(&geometries[4], 0, 0);
    const size_t ins = tc_shape_count(g.in), outs = tc_shape_count(g.out), weights = weight_count(&g);
    tc_conv_plan *plan[2];
    const pair x = noise(ins), w = noise(weights), b = noise((size_t)g.out.c), u = noise(outs);
    const pair z[2] = {garbage(outs), garbage(outs)}, dx[2] = {garbage(ins), garbage(ins)};
    const pair dw[2] = {garbage(weights), garbage(weights)};
    make_plans(&g, plan);
    const tc_kernels *k = device[FAST]->k;
    k->conv_pack(plan[FAST], TC_WEIGHTS, w.at[FAST]);
    for (int again = 0; again < 2; again++) {
        k->conv_forward(plan[FAST], TC_WEIGHTS, x.at[FAST], b.at[FAST], z[again].at[FAST], false);
        k->conv_backward_data(plan[FAST], TC_WEIGHTS, u.at[FAST], dx[again].at[FAST]);
        k->conv_backward_weights(plan[FAST], x.at[FAST], u.at[FAST], dw[again].at[FAST], NULL, false);
    }
    assert_memory_equal(z[0].at[FAST], z[1].at[FAST], outs * device[FAST]->element);
    assert_memory_equal(dx[0].at[FAST], dx[1].at[FAST], ins * device[FAST]->element);
    assert_memory_equal(dw[0].at[FAST], dw[1].at[FAST], weights * device[FAST]->element);
    drop_plans(plan);
}

/* Neither do the threads, of which there may be more than tiles, change a bit. */
static void check_threads(const tc_convolution *g) {
    const size_t ins = tc_shape_count(g->in), outs = tc_shape_count(g->out), weights = weight_count(g);
    const pair x = noise(ins), w = noise(weights), b = noise((size_t)g->out.c), u = noise(outs);
    float *results[2][4];
    const size_t counts[4] = {outs, ins, weights, (size_t)g->out.c};
    for (int run = 0; run < 2; run++) {
        tc_device *d = NULL;
        tc_conv_plan *plan = NULL;
        assert_int_equal(tc_device_open("cpu", run ? 3 : 1, &d, NULL), TC_OK);
        for (int i = 0; i < 4; i++)
            assert_int_equal(tc_device_reals(device[FAST], counts[i], &results[run][i], NULL), TC_OK);
        assert_int_equal(d->k->conv_create(d, g, &plan, NULL), TC_OK);
        d->k->conv_pack(plan, TC_WEIGHTS, w.at[FAST]);
        d->k->conv_forward(plan, TC_WEIGHTS, x.at[FAST], b.at[FAST], results[run][0], false);
        d->k->conv_backward_data(plan, TC_WEIGHTS, u.at[FAST], results[run][1]);
        d->k->conv_backward_weights(plan, x.at[FAST], u.at[FAST], results[run][2], results[run][3], false);
        d->k->conv_destroy(d, plan);
        tc_device_close(d);
    }
    for (int i = 0; i < 4; i++) {
        assert_memory_equal(results[0][i], results[1][i], counts[i] * sizeof(float));
        for (int run = 0; run < 2; run++) ON(FAST, release, results[run][i]);
    }
}

static void test_threads_change_nothing(void **state) {
    (void)state;
    static const conv_row rows[] = {
        {1, 3, 4, 16, 16, 3, 1, 1, 1}, {7, 9, 13, 16, 32, 3, 1, 1, 1}, {20, 16, 16, 16, 16, 3, 1, 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tc_convolution g = convolution_of(&rows[i], 16, 16);
        check_threads(&g);
    }
}

/* Where exactness is asked for, no Winograd: sums of 144 products, no transforms around them. */
static void test_direct_is_exact(void **state) {
    (void)state;
    const conv_row row = {2, 16, 16, 16, 16, 3, 1, 1, 1};
    tc_convolution g = convolution_of(&row, device[FAST]->channel_block, device[FAST]->channel_block);
    g.direct = true;
    tc_conv_plan *plan[2];
    const pair x = noise(tc_shape_count(g.in)), w = noise(weight_count(&g)), z = garbage(tc_shape_count(g.out));
    make_plans(&g, plan);
    BOTH(d) {
        device[d]->k->conv_pack(plan[d], TC_WEIGHTS, w.at[d]);
        device[d]->k->conv_forward(plan[d], TC_WEIGHTS, x.at[d], NULL, z.at[d], false);
    }
    same_to(z, 4e-7, name_of(&g, "direct"));
    drop_plans(plan);
}

/* ---- matrix product ---- */

static void check_product(tc_product g) {
    const size_t m = (size_t)g.m, n = (size_t)g.n, k = (size_t)g.k;
    const pair a = noise(m * k), b = noise(k * n), bias = noise(n), c = g.accumulate ? noise(m * n) : garbage(m * n);
    char what[100];
    BOTH(d) {
        tc_product_plan *plan = NULL;
        tc_error error = {0};
        if (ON(d, product_create, &g, &plan, &error) != TC_OK) fail_msg("%s", error.message);
        device[d]->k->product_run(plan, a.at[d], b.at[d], g.bias ? bias.at[d] : NULL, c.at[d]);
        ON(d, product_destroy, plan);
    }
    snprintf(what, sizeof what, "%dx%dx%d, ta %d tb %d bias %d relu %d accumulate %d", g.m, g.n, g.k, g.transpose_a,
             g.transpose_b, g.bias, g.relu, g.accumulate);
    same(c, what);
}

static void test_product(void **state) {
    (void)state;
    static const int sizes[][3] = {{1, 1, 1}, {2, 10, 5}, {5, 33, 400}, {128, 10, 64}, {17, 120, 400}, {84, 120, 16}};
    for (int s = 0; s < 6; s++)
        for (int flags = 0; flags < 32; flags++)
            check_product((tc_product){sizes[s][0], sizes[s][1], sizes[s][2], flags & 1, flags & 2, flags & 4,
                                       (flags & 8) && !(flags & 16), flags & 16});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_convolution),         PAIR_TEST(test_convolution_abreast),
        PAIR_TEST(test_batches_filled_up),   PAIR_TEST(test_convolution_for_less),
        PAIR_TEST(test_convolution_repeats), PAIR_TEST(test_threads_change_nothing),
        PAIR_TEST(test_direct_is_exact),     PAIR_TEST(test_product),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
