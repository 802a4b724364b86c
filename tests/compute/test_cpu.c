/* What only the cpu device has: convolutions of images side by side, and threads. */
#include "convolutions.h"

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

/* The threads, of which there may be more than tiles, do not change a bit. */
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
    if (device[FAST]->channel_block != 16) { /* oneDNN's own algorithms cut the batch up by the threads */
        print_message("SKIP: threads change nothing: this processor's convolutions are all oneDNN's\n");
        skip();
    }
    static const conv_row rows[] = {
        {1, 3, 4, 16, 16, 3, 1, 1, 1}, {7, 9, 13, 16, 32, 3, 1, 1, 1}, {20, 16, 16, 16, 16, 3, 1, 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tc_convolution g = convolution_of(&rows[i], 16, 16);
        check_threads(&g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_convolution_abreast),
        PAIR_TEST(test_batches_filled_up),
        PAIR_TEST(test_threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
