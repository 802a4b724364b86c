/* A fast device against the oracle: GELU over the whole range, layer normalisation and attention, and that they give
 * the same bits again, for any number of threads. */
#include "pairs.h"

/* Every value to single precision, not only the sum of all: Φ and its relatives are the backend's own. */
static void test_gelu(void **state) {
    (void)state;
    enum { N = 40001 };
    const tc_shape all = tc_nhwc(1, 1, 1, N);
    float *points = malloc(N * sizeof *points);
    double *result[2];
    for (int i = 0; i < N; i++) points[i] = (float)(i - N / 2) / 1000; /* −20 … 20 */
    const pair x = empty(N), y = empty(N), one = empty(N), slope = empty(N), zero = empty(N), bend = empty(N);
    BOTH(d) {
        ON(d, upload_float, x.at[d], points, N);
        ON(d, fill, N, 1, one.at[d]);
        ON(d, activation, TC_GELU, 0, all, x.at[d], y.at[d]);
        ON(d, activation_backward, TC_GELU, 0, all, x.at[d], y.at[d], (tc_sum){1, {one.at[d]}}, slope.at[d]);
        ON(d, activation_backward_tangent, TC_GELU, 0, all, x.at[d], y.at[d], one.at[d], (tc_sum){1, {one.at[d]}},
           (tc_sum){1, {zero.at[d]}}, bend.at[d]);
        result[d] = malloc(N * sizeof *result[d]);
    }
    const pair maps[] = {y, slope, bend};
    for (int m = 0; m < 3; m++) {
        BOTH(d) ON(d, download_double, result[d], maps[m].at[d], N);
        for (int i = 0; i < N; i++)
            if (!(fabs(result[FAST][i] - result[REFERENCE][i]) <= 4e-7 * (1 + fabs((double)points[i]))))
                fail_msg("map %d of GELU at %g: %.9g, expected %.9g", m, (double)points[i], result[FAST][i],
                         result[REFERENCE][i]);
    }
    BOTH(d) free(result[d]);
    free(points);
}

typedef struct norm_arrays {
    pair x, gamma, beta, q, x_t, gamma_t, beta_t, q_t, mean, inv_std, sums;
    pair y, dx, y_t, dx_t, dgamma, dbeta, dgamma_t, dbeta_t;
} norm_arrays;

static norm_arrays norm_arrays_of(size_t rows, size_t c, double centre) {
    const size_t n = rows * c;
    return (norm_arrays){
        .x = filled(n, centre, 2),
        .gamma = noise(c),
        .beta = noise(c),
        .q = noise(n),
        .x_t = noise(n),
        .gamma_t = noise(c),
        .beta_t = noise(c),
        .q_t = noise(n),
        .mean = garbage(rows),
        .inv_std = garbage(rows),
        .sums = empty((2 * TC_LAYER_NORM_PARTS + 1) * c),
        .y = garbage(n),
        .dx = garbage(n),
        .y_t = garbage(n),
        .dx_t = garbage(n),
        .dgamma = garbage(c),
        .dbeta = garbage(c),
        .dgamma_t = garbage(c),
        .dbeta_t = garbage(c),
    };
}

static tc_layer_norm layer_norm_on(int d, const norm_arrays *a, int rows, int c) {
    return (tc_layer_norm){
        .rows = rows,
        .c = c,
        .epsilon = 1e-6,
        .x = a->x.at[d],
        .gamma = a->gamma.at[d],
        .beta = a->beta.at[d],
        .y = a->y.at[d],
        .mean = a->mean.at[d],
        .inv_std = a->inv_std.at[d],
        .q = a->q.at[d],
        .dx = a->dx.at[d],
        .dgamma = a->dgamma.at[d],
        .dbeta = a->dbeta.at[d],
        .x_t = a->x_t.at[d],
        .y_t = a->y_t.at[d],
        .gamma_t = a->gamma_t.at[d],
        .beta_t = a->beta_t.at[d],
        .q_t = a->q_t.at[d],
        .dx_t = a->dx_t.at[d],
        .dgamma_t = a->dgamma_t.at[d],
        .dbeta_t = a->dbeta_t.at[d],
        .sums = a->sums.at[d],
    };
}

static void run_layer_norm(int d, const tc_layer_norm *norm) {
    ON(d, layer_norm, norm);
    ON(d, layer_norm_backward, norm);
    ON(d, layer_norm_tangent, norm);
    ON(d, layer_norm_backward_tangent, norm);
}

static void check_layer_norm(int rows, int c, double centre, double tolerance) {
    const norm_arrays a = norm_arrays_of((size_t)rows, (size_t)c, centre);
    BOTH(d) {
        const tc_layer_norm norm = layer_norm_on(d, &a, rows, c);
        run_layer_norm(d, &norm);
    }
    const pair results[] = {a.y, a.dx, a.dgamma, a.dbeta, a.y_t, a.dx_t, a.dgamma_t, a.dbeta_t};
    for (size_t r = 0; r < sizeof results / sizeof *results; r++) same_to(results[r], tolerance, "layer norm");
}

static void test_layer_norm(void **state) {
    (void)state;
    check_layer_norm(1, 5, 3, 1e-5);
    check_layer_norm(40, 16, 3, 1e-5);
    check_layer_norm(130, 193, 3, 1e-5);
    check_layer_norm(70, 384, 3, 1e-5);
    check_layer_norm(60, 200, 100, 3e-5); /* far from zero: x̂ has 50 times the rounding error of x */
}

/* A direction that is not given is zero, and what is not wanted is not written. */
static void test_layer_norm_parts(void **state) {
    (void)state;
    enum { ROWS = 37, C = 24 };
    for (int left_out = 0; left_out < 16; left_out++) {
        const norm_arrays a = norm_arrays_of(ROWS, C, 1);
        BOTH(d) {
            tc_layer_norm norm = layer_norm_on(d, &a, ROWS, C);
            if (left_out & 1) norm.x_t = NULL;
            if (left_out & 2) norm.gamma_t = norm.beta_t = NULL;
            if (left_out & 4) norm.dx = norm.dx_t = NULL;
            if (left_out & 8) norm.dgamma = norm.dbeta = norm.dgamma_t = norm.dbeta_t = NULL;
            run_layer_norm(d, &norm);
        }
        same(a.y, "y");
        same(a.y_t, "ẏ");
        if (!(left_out & 4)) {
            same(a.dx, "dx");
            same(a.dx_t, "dẋ");
        }
        if (!(left_out & 8)) {
            same(a.dgamma_t, "dγ̇");
            same(a.dbeta_t, "dβ̇");
        }
    }
}

static void run_attention(tc_device *on, const tc_attention *a) {
    on->k->attention(on, a);
    on->k->attention_backward(on, a);
    on->k->attention_tangent(on, a);
    on->k->attention_backward_tangent(on, a);
}

typedef struct attention_arrays {
    pair x, dy, x_t, dy_t, y, dx, y_t, dx_t, room;
} attention_arrays;

static attention_arrays attention_arrays_of(const tc_attention *a) {
    const size_t out = (size_t)a->n * (size_t)a->tokens * (size_t)a->width, in = 3 * out;
    size_t most = 0;
    BOTH(d) {
        const size_t room = ON(d, attention_room, a);
        most = room > most ? room : most;
    }
    return (attention_arrays){noise(in),   noise(out),   noise(in),   noise(out),   garbage(out),
                              garbage(in), garbage(out), garbage(in), garbage(most)};
}

static tc_attention attention_on(int d, const attention_arrays *p, tc_attention a) {
    a.x = p->x.at[d], a.y = p->y.at[d], a.dy = p->dy.at[d], a.dx = p->dx.at[d];
    a.x_t = p->x_t.at[d], a.y_t = p->y_t.at[d], a.dy_t = p->dy_t.at[d], a.dx_t = p->dx_t.at[d];
    a.room = p->room.at[d];
    return a;
}

/* The same bits from one thread as from two, or for the second time. */
static void check_again(const tc_attention *a, pair result) {
    float *bits[2];
    for (int run = 0; run < 2; run++) {
        bits[run] = malloc(result.count * sizeof *bits[run]);
        assert_non_null(bits[run]);
        device[FAST]->threads = 2 - run;
        run_attention(device[FAST], a);
        ON(FAST, download_float, bits[run], result.at[FAST], result.count);
    }
    device[FAST]->threads = 2;
    assert_memory_equal(bits[0], bits[1], result.count * sizeof(float));
    for (int run = 0; run < 2; run++) free(bits[run]);
}

static void test_attention(void **state) {
    (void)state;
    static const tc_attention sizes[] = {
        {.n = 2, .tokens = 5, .heads = 2, .width = 6},   {.n = 1, .tokens = 65, .heads = 12, .width = 384},
        {.n = 2, .tokens = 17, .heads = 2, .width = 64}, {.n = 1, .tokens = 197, .heads = 3, .width = 96},
        {.n = 5, .tokens = 10, .heads = 4, .width = 20}, {.n = 1, .tokens = 1, .heads = 1, .width = 1},
        {.n = 2, .tokens = 66, .heads = 1, .width = 67},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const attention_arrays p = attention_arrays_of(&sizes[i]);
        BOTH(d) {
            const tc_attention a = attention_on(d, &p, sizes[i]);
            run_attention(device[d], &a);
        }
        const pair results[] = {p.y, p.dx, p.y_t, p.dx_t};
        for (size_t r = 0; r < sizeof results / sizeof *results; r++) same(results[r], "attention");
        const tc_attention a = attention_on(FAST, &p, sizes[i]);
        check_again(&a, p.dx_t);
    }
}

/* Without ẋ the tangent of backward is backward of dẏ. */
static void test_attention_at_rest(void **state) {
    (void)state;
    const tc_attention size = {.n = 3, .tokens = 20, .heads = 2, .width = 10};
    const attention_arrays p = attention_arrays_of(&size);
    BOTH(d) {
        tc_attention a = attention_on(d, &p, size);
        a.x_t = NULL;
        ON(d, attention_backward_tangent, &a);
    }
    same(p.dx_t, "without a direction");
}

/* More scores than are worked on at a time: images go in several groups, the last one smaller. */
static void test_attention_in_groups(void **state) {
    (void)state;
    const tc_attention size = {.n = 4, .tokens = 1000, .heads = 1, .width = 2};
    const attention_arrays p = attention_arrays_of(&size);
    BOTH(d) {
        const tc_attention a = attention_on(d, &p, size);
        ON(d, attention, &a);
        ON(d, attention_tangent, &a);
    }
    same(p.y, "attention in groups");
    same(p.y_t, "its tangent");
}

/* Scores far beyond what an exponential can hold. */
static void test_attention_extremes(void **state) {
    (void)state;
    const tc_attention size = {.n = 2, .tokens = 33, .heads = 2, .width = 8};
    const attention_arrays p = attention_arrays_of(&size);
    BOTH(d) {
        const tc_attention a = attention_on(d, &p, size);
        ON(d, axpby, p.x.count, 500, p.x.at[d], 0, p.x.at[d]);
        ON(d, attention, &a);
    }
    same_to(p.y, 2e-3, "attention of large scores"); /* of 10⁵ and their rounding, where two come close */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_gelu),
        PAIR_TEST(test_layer_norm),
        PAIR_TEST(test_layer_norm_parts),
        PAIR_TEST(test_attention),
        PAIR_TEST(test_attention_at_rest),
        PAIR_TEST(test_attention_in_groups),
        PAIR_TEST(test_attention_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
