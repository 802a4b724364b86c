/* Convolutions of a fast device against the oracle. */
#include "convolutions.h"

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

static void same_bits(pair a, pair b, const char *what) {
    const size_t bytes = a.count * device[FAST]->element;
    char *x = malloc(bytes), *y = malloc(bytes);
    assert_non_null(x);
    assert_non_null(y);
    ON(FAST, download_bytes, x, a.at[FAST], bytes);
    ON(FAST, download_bytes, y, b.at[FAST], bytes);
    if (memcmp(x, y, bytes) != 0) fail_msg("%s: other bits the second time", what);
    free(x);
    free(y);
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
    same_bits(z[0], z[1], "forward");
    same_bits(dx[0], dx[1], "backward_data");
    same_bits(dw[0], dw[1], "backward_weights");
    drop_plans(plan);
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

/* Parameters and their gradients begin anywhere in the flat vector, activations do not. */
static void test_parameters_anywhere(void **state) {
    (void)state;
    static const conv_row rows[] = {
        {2, 6, 5, 3, 8, 3, 1, 1, 1}, {2, 4, 4, 6, 10, 1, 1, 0, 1}, {2, 6, 6, 8, 8, 3, 1, 1, 8}};
    for (size_t i = 0; i < 3 * 4; i++) {
        const size_t shift = i & 3;
        tc_convolution g = convolution_of(&rows[i / 4], 0, 0);
        g.relu = true;
        tc_conv_plan *plan[2];
        const size_t weights = weight_count(&g), channels = (size_t)g.out.c;
        const pair x = noise(tc_shape_count(g.in)), u = noise(tc_shape_count(g.out)),
                   z = garbage(tc_shape_count(g.out));
        const pair w = noise(weights + 4), b = noise(channels + 4), dw = noise(weights + 4), db = noise(channels + 4);
        make_plans(&g, plan);
        BOTH(d) {
            tc_device *on = device[d];
            on->k->conv_pack(plan[d], TC_WEIGHTS, tc_at(on, w.at[d], shift));
            on->k->conv_forward(plan[d], TC_WEIGHTS, x.at[d], tc_at(on, b.at[d], shift), z.at[d], false);
            on->k->conv_backward_weights(plan[d], x.at[d], u.at[d], tc_at(on, dw.at[d], shift),
                                         tc_at(on, db.at[d], shift), shift & 1);
        }
        same(z, name_of(&g, "forward"));
        same(dw, name_of(&g, "weights' gradient, and what lies beside it"));
        same(db, name_of(&g, "bias gradient, and what lies beside it"));
        drop_plans(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_convolution),     PAIR_TEST(test_convolution_for_less), PAIR_TEST(test_convolution_repeats),
        PAIR_TEST(test_direct_is_exact), PAIR_TEST(test_parameters_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
