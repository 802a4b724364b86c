/* Convolution on the oracle: against sums over a padded copy of the input, adjoint identities, layouts. */
#include "testing.h"

#include "geometries.h"

static tc_conv_plan *plan_for(const tc_convolution *geometry) {
    tc_conv_plan *plan = NULL;
    tc_error error = {0};
    if (on.k->conv_create(on.device, geometry, &plan, &error) != TC_OK) fail_msg("%s", error.message);
    return plan;
}

/* What a pixel is, padding included: the definition of a padded image. */
static double padded(const tc_convolution *g, const double *x, int n, int y, int xx, int c) {
    const bool inside = y >= 0 && y < g->in.h && xx >= 0 && xx < g->in.w;
    return inside ? x[tc_shape_index(g->in, n, y, xx, c)] : 0;
}

/* Scatters every product w · x instead of gathering: the other way round from the kernel. */
static double *expected_forward(const tc_convolution *g, const double *w, const double *x, const double *bias) {
    double *z = reals(tc_shape_count(g->out));
    const int ins = g->in.c / g->groups, outs = g->out.c / g->groups;
    for (int o = 0; o < g->out.c; o++)
        for (int n = 0; n < g->out.n; n++)
            for (int p = 0; p < g->out.h * g->out.w; p++) {
                const int r = p / g->out.w, c = p % g->out.w;
                double *to = z + tc_shape_index(g->out, n, r, c, o);
                *to = bias[o];
                const double *weight = w + o * ins * g->kernel * g->kernel;
                for (int i = 0; i < ins; i++)
                    for (int ky = -g->padding; ky < g->kernel - g->padding; ky++)
                        for (int kx = -g->padding; kx < g->kernel - g->padding; kx++)
                            *to +=
                                *weight++ * padded(g, x, n, r * g->stride + ky, c * g->stride + kx, o / outs * ins + i);
            }
    return z;
}

static void test_forward(void **state) {
    (void)state;
    for (int i = 0; i < GEOMETRIES; i++) {
        tc_convolution g = convolution_of(&geometries[i], 0, 0);
        for (int relu = 0; relu < 2; relu++) {
            g.relu = relu;
            tc_conv_plan *plan = plan_for(&g);
            const double *x = noise(tc_shape_count(g.in)), *w = noise(weight_count(&g)), *b = noise((size_t)g.out.c);
            double *z = garbage(tc_shape_count(g.out)), *expected = expected_forward(&g, w, x, b);
            on.k->conv_pack(plan, TC_WEIGHTS, w);
            on.k->conv_forward(plan, TC_WEIGHTS, x, b, z, false);
            for (size_t j = 0; relu && j < tc_shape_count(g.out); j++) expected[j] = fmax(0, expected[j]);
            agree(tc_shape_count(g.out), z, expected, 1e-13, "forward");
            on.k->conv_destroy(on.device, plan);
        }
    }
}

/* ż = Ẇ ∗ a + W ∗ ȧ + ḃ: never through the ReLU of the value. */
static void test_tangent(void **state) {
    (void)state;
    tc_convolution g = convolution_of(&geometries[5], 0, 0);
    g.relu = true;
    tc_conv_plan *plan = plan_for(&g);
    const double h = 1e-3;
    const size_t ins = tc_shape_count(g.in), outs = tc_shape_count(g.out), weights = weight_count(&g);
    const double *x = noise(ins), *x_t = noise(ins), *w = noise(weights), *w_t = noise(weights);
    const double *b = noise((size_t)g.out.c), *b_t = noise((size_t)g.out.c);
    double *z_t = garbage(outs);
    on.k->conv_pack(plan, TC_WEIGHTS, w);
    on.k->conv_pack(plan, TC_WEIGHTS_T, w_t);
    on.k->conv_forward(plan, TC_WEIGHTS_T, x, b_t, z_t, false);
    on.k->conv_forward(plan, TC_WEIGHTS, x_t, NULL, z_t, true);
    const double *high =
        expected_forward(&g, moved(weights, w, h, w_t), moved(ins, x, h, x_t), moved((size_t)g.out.c, b, h, b_t));
    const double *low =
        expected_forward(&g, moved(weights, w, -h, w_t), moved(ins, x, -h, x_t), moved((size_t)g.out.c, b, -h, b_t));
    agree(outs, z_t, slope_between(outs, high, low, h), 1e-10, "tangent"); /* quadratic in h: the difference is exact */
    on.k->conv_destroy(on.device, plan);
}

/* ⟨W ∗ x, u⟩ = ⟨x, Wᵀ ∗ u⟩ = ⟨W, u ⊗ x⟩, and the bias meets Σu. */
static void test_adjoints(void **state) {
    (void)state;
    for (int i = 0; i < GEOMETRIES; i++) {
        const tc_convolution g = convolution_of(&geometries[i], 0, 0);
        tc_conv_plan *plan = plan_for(&g);
        const size_t ins = tc_shape_count(g.in), outs = tc_shape_count(g.out), weights = weight_count(&g);
        const size_t channels = (size_t)g.out.c;
        const double *x = noise(ins), *w = noise(weights), *b = noise(channels), *u = noise(outs);
        double *z = garbage(outs), *dx = garbage(ins), *dw = garbage(weights), *db = garbage(channels);
        for (int which = 0; which < 2; which++) {
            on.k->conv_pack(plan, which, w);
            on.k->conv_forward(plan, which, x, NULL, z, false);
            on.k->conv_backward_data(plan, which, u, dx);
            on.k->conv_backward_weights(plan, x, u, dw, db, false);
            const double product = inner(outs, z, u), size = sqrt(inner(outs, z, z) * inner(outs, u, u));
            numbers_agree(inner(ins, x, dx) / size, product / size, 1e-13, "backward_data");
            numbers_agree(inner(weights, w, dw) / size, product / size, 1e-13, "backward_weights");
            on.k->conv_forward(plan, which, x, b, z, false);
            numbers_agree((inner(outs, z, u) - product) / size, inner(channels, b, db) / size, 1e-13, "bias");
        }
        on.k->conv_destroy(on.device, plan);
    }
}

static void test_accumulate(void **state) {
    (void)state;
    const tc_convolution g = convolution_of(&geometries[8], 0, 0);
    tc_conv_plan *plan = plan_for(&g);
    const size_t ins = tc_shape_count(g.in), outs = tc_shape_count(g.out), weights = weight_count(&g);
    const size_t channels = (size_t)g.out.c;
    const double *x = noise(ins), *u = noise(outs), *w = noise(weights), *start = noise(weights + outs + channels);
    double *z = garbage(outs), *dw = garbage(weights), *db = garbage(channels);
    double *z2 = copied(outs, start), *dw2 = copied(weights, start + outs),
           *db2 = copied(channels, start + outs + weights);
    on.k->conv_pack(plan, TC_WEIGHTS, w);
    on.k->conv_forward(plan, TC_WEIGHTS, x, NULL, z, false);
    on.k->conv_forward(plan, TC_WEIGHTS, x, NULL, z2, true);
    on.k->conv_backward_weights(plan, x, u, dw, db, false);
    on.k->conv_backward_weights(plan, x, u, dw2, db2, true);
    agree(outs, z2, moved(outs, z, 1, start), 1e-13, "z");
    agree(weights, dw2, moved(weights, dw, 1, start + outs), 1e-13, "dw");
    agree(channels, db2, moved(channels, db, 1, start + outs + weights), 1e-13, "db");
    on.k->conv_backward_weights(plan, x, u, dw2, NULL, false);
    agree(weights, dw2, dw, 0, "without a bias");
    on.k->conv_destroy(on.device, plan);
}

/* A panelled tensor holds the same numbers elsewhere; results move with it. */
static void test_layouts(void **state) {
    (void)state;
    for (int i = 0; i < GEOMETRIES; i++) {
        const tc_convolution plain = convolution_of(&geometries[i], 0, 0), g = convolution_of(&geometries[i], 8, 16);
        if (plain.in.block == g.in.block && plain.out.block == g.out.block) continue;
        tc_conv_plan *a = plan_for(&plain), *b = plan_for(&g);
        const size_t ins = tc_shape_count(g.in), outs = tc_shape_count(g.out), weights = weight_count(&g);
        const double *x = noise(ins), *w = noise(weights), *u = noise(outs), *bias = noise((size_t)g.out.c);
        double *x2 = garbage(ins), *u2 = garbage(outs), *z = reals(outs), *z2 = reals(outs), *dx = reals(ins);
        double *dx2 = reals(ins), *dw = reals(weights), *dw2 = reals(weights), *back = garbage(ins + outs);
        on.k->to_layout(on.device, g.in, x, x2);
        on.k->to_layout(on.device, g.out, u, u2);
        on.k->conv_pack(a, TC_WEIGHTS, w);
        on.k->conv_pack(b, TC_WEIGHTS, w);
        on.k->conv_forward(a, TC_WEIGHTS, x, bias, z, false);
        on.k->conv_forward(b, TC_WEIGHTS, x2, bias, z2, false);
        on.k->conv_backward_data(a, TC_WEIGHTS, u, dx);
        on.k->conv_backward_data(b, TC_WEIGHTS, u2, dx2);
        on.k->conv_backward_weights(a, x, u, dw, NULL, false);
        on.k->conv_backward_weights(b, x2, u2, dw2, NULL, false);
        on.k->from_layout(on.device, g.out, z2, back);
        agree(outs, back, z, 1e-14, "z");
        on.k->from_layout(on.device, g.in, dx2, back);
        agree(ins, back, dx, 1e-14, "dx");
        agree(weights, dw2, dw, 1e-14, "dw");
        on.k->conv_destroy(on.device, a);
        on.k->conv_destroy(on.device, b);
    }
}

static void test_refuses(void **state) {
    (void)state;
    const tc_convolution good = convolution_of(&geometries[4], 0, 0);
    tc_convolution bad[6];
    for (int i = 0; i < 6; i++) bad[i] = good;
    bad[0].groups = 3;
    bad[1].out.h++;
    bad[2].stride = 0;
    bad[3].kernel = 99;
    bad[4].in.n++;
    bad[5].padding = -1;
    for (int i = 0; i < 6; i++) {
        tc_conv_plan *plan = NULL;
        tc_error error = {0};
        assert_int_equal(on.k->conv_create(on.device, &bad[i], &plan, &error), TC_INVALID);
        assert_null(plan);
        assert_non_null(strstr(error.message, "convolution: "));
    }
    assert_int_equal(on.device->bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_TEST(test_forward),    KERNEL_TEST(test_tangent), KERNEL_TEST(test_adjoints),
        KERNEL_TEST(test_accumulate), KERNEL_TEST(test_layouts), KERNEL_TEST(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
