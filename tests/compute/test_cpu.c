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
    static const conv_row rows[] = {
        {1, 3, 4, 16, 16, 3, 1, 1, 1}, {7, 9, 13, 16, 32, 3, 1, 1, 1}, {20, 16, 16, 16, 16, 3, 1, 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tc_convolution g = convolution_of(&rows[i], 16, 16);
        check_threads(&g);
    }
}

/* ---- batch normalisation ---- */

typedef struct norm_arrays {
    pair z, residual, y, gamma, beta, running_mean, running_var, mean, inv_std, dy[3], q, dz, dgamma, dbeta;
    pair z_t, residual_t, y_t, gamma_t, beta_t, mean_t, ratio_t, dy_t[3], q_t, dz_t, dgamma_t, dbeta_t;
} norm_arrays;

static norm_arrays make_arrays(tc_shape shape) {
    const size_t n = tc_shape_count(shape), c = (size_t)shape.c;
    norm_arrays a = {
        .z = filled(n, 0.5, 2), .residual = noise(n), .y = garbage(n), .gamma = noise(c), .beta = noise(c)};
    a.running_mean = noise(c);
    a.running_var = filled(c, 2, 0.2);
    a.mean = garbage(c), a.inv_std = garbage(c);
    a.q = garbage(n), a.dz = garbage(n), a.dgamma = garbage(c), a.dbeta = garbage(c);
    a.z_t = noise(n), a.residual_t = noise(n), a.y_t = garbage(n), a.gamma_t = noise(c), a.beta_t = noise(c);
    a.mean_t = garbage(c), a.ratio_t = garbage(c);
    a.q_t = garbage(n), a.dz_t = garbage(n), a.dgamma_t = garbage(c), a.dbeta_t = garbage(c);
    for (int t = 0; t < 3; t++) {
        a.dy[t] = noise(n);
        a.dy_t[t] = noise(n);
    }
    return a;
}

enum { TRAINING = 1, RELU = 2, RESIDUAL = 4, TANGENT_Z = 8, TANGENT_THETA = 16, WITHOUT_SUMS = 32, NORM_FLAGS = 64 };

static tc_norm norm_on(int d, const norm_arrays *a, tc_shape shape, int flags, int terms) {
    const bool residual = flags & RESIDUAL, theta = flags & TANGENT_THETA, z = flags & TANGENT_Z;
    const bool q = terms > 1 || (flags & RELU);
    return (tc_norm){
        .shape = shape,
        .training = flags & TRAINING,
        .relu = flags & RELU,
        .epsilon = 1e-5,
        .momentum = 0.1,
        .z = a->z.at[d],
        .residual = residual ? a->residual.at[d] : NULL,
        .y = a->y.at[d],
        .gamma = a->gamma.at[d],
        .beta = a->beta.at[d],
        .running_mean = a->running_mean.at[d],
        .running_var = a->running_var.at[d],
        .mean = a->mean.at[d],
        .inv_std = a->inv_std.at[d],
        .dy = {terms, {a->dy[0].at[d], a->dy[1].at[d], a->dy[2].at[d]}},
        .q = q ? (terms == 2 ? a->dy[0].at[d] : a->q.at[d]) : NULL, /* two terms: q takes the first one's place */
        .dz = a->dz.at[d],
        .dgamma = a->dgamma.at[d],
        .dbeta = a->dbeta.at[d],
        .z_t = z ? a->z_t.at[d] : NULL,
        .residual_t = residual && z ? a->residual_t.at[d] : NULL,
        .y_t = a->y_t.at[d],
        .gamma_t = theta ? a->gamma_t.at[d] : NULL,
        .beta_t = theta ? a->beta_t.at[d] : NULL,
        .mean_t = a->mean_t.at[d],
        .ratio_t = a->ratio_t.at[d],
        .dy_t = {terms, {a->dy_t[0].at[d], a->dy_t[1].at[d], a->dy_t[2].at[d]}},
        .q_t = q ? (terms == 2 ? a->dy_t[0].at[d] : a->q_t.at[d]) : NULL,
        .dz_t = a->dz_t.at[d],
        .dgamma_t = a->dgamma_t.at[d],
        .dbeta_t = a->dbeta_t.at[d],
    };
}

static void check_norm(tc_shape shape, int flags, int terms) {
    const norm_arrays a = make_arrays(shape);
    BOTH(d) {
        tc_norm norm = norm_on(d, &a, shape, flags, terms);
        ON(d, norm_forward, &norm);
        ON(d, norm_forward_tangent, &norm);
        if (flags & WITHOUT_SUMS) { /* nobody asks for parameters' gradients: neither are they there, nor z */
            norm.dgamma = norm.dbeta = norm.dgamma_t = norm.dbeta_t = NULL;
            norm.z = norm.z_t = NULL;
        }
        ON(d, norm_backward, &norm);
        ON(d, norm_backward_tangent, &norm);
    }
    const struct {
        pair array;
        const char *name;
    } results[] = {{a.y, "y"},
                   {a.mean, "mean"},
                   {a.inv_std, "1/σ"},
                   {a.running_mean, "running mean"},
                   {a.running_var, "running variance"},
                   {a.dz, "dz"},
                   {a.y_t, "ẏ"},
                   {a.dz_t, "dż"},
                   {a.dgamma, "dγ"},
                   {a.dbeta, "dβ"},
                   {a.dgamma_t, "dγ̇"},
                   {a.dbeta_t, "dβ̇"}};
    const size_t asked = flags & WITHOUT_SUMS ? 8 : 12;
    char what[150];
    const bool q = terms > 1 || (flags & RELU);
    for (size_t i = 0; i < asked; i++) {
        snprintf(what, sizeof what, "norm %dx%dx%dx%d/%d, flags %d, %d terms: %s", shape.n, shape.h, shape.w, shape.c,
                 shape.block, flags, terms, results[i].name);
        same_to(results[i].array, 3e-5, what);
    }
    if (!q) return;
    same_to(terms == 2 ? a.dy[0] : a.q, 3e-5, "q");
    same_to(terms == 2 ? a.dy_t[0] : a.q_t, 3e-5, "q_t");
}

static void test_norm(void **state) {
    static const int shapes[][4] = {{2, 5, 7, 3},  {5, 4, 4, 16}, {1, 9, 9, 48},  {16, 1, 1, 6},
                                    {3, 8, 8, 32}, {2, 3, 3, 1},  {4, 12, 12, 16}};
    const int block = device[FAST]->channel_block;
    for (int s = 0; s < 7; s++) {
        for (int flags = 0; flags < NORM_FLAGS; flags++) {
            if ((flags & WITHOUT_SUMS) && (flags & TRAINING)) continue;
            for (int terms = 1; terms <= 3; terms++) {
                check_norm(shape_of(shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3], 0), flags, terms);
                const tc_shape panels = shape_of(shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3], block);
                if (panels.block != panels.c) check_norm(panels, flags, terms);
            }
            tear_down(state); /* the arrays of this many cases are enough at a time */
            set_up(state);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_convolution_abreast),
        PAIR_TEST(test_batches_filled_up),
        PAIR_TEST(test_threads_change_nothing),
        PAIR_TEST(test_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
