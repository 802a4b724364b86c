/* Fast devices against the oracle: GELU over the whole range, layer normalisation and attention, and that they give
 * the same bits for any number of threads. */
#include "pairs.h"

/* Every value to single precision, not only the sum of all: Φ and its relatives are the backend's own. */
static void test_gelu(void **state) {
    (void)state;
    enum { N = 40001 };
    float *points = malloc(N * sizeof *points);
    double *result[2];
    for (int i = 0; i < N; i++) points[i] = (float)(i - N / 2) / 1000; /* −20 … 20 */
    const pair x = empty(N), y = empty(N), one = empty(N), slope = empty(N), zero = empty(N), bend = empty(N);
    BOTH(d) {
        ON(d, upload_float, x.at[d], points, N);
        ON(d, fill, N, 1, one.at[d]);
        ON(d, activation, TC_GELU, 0, N, x.at[d], y.at[d]);
        ON(d, activation_backward, TC_GELU, 0, N, x.at[d], y.at[d], (tc_sum){1, {one.at[d]}}, slope.at[d]);
        ON(d, activation_backward_tangent, TC_GELU, 0, N, x.at[d], y.at[d], one.at[d], (tc_sum){1, {one.at[d]}},
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

static void test_layer_norm(void **state) {
    (void)state;
    static const struct { int rows, c; } sizes[] = {{1, 5}, {40, 16}, {130, 193}, {70, 384}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t c = (size_t)sizes[i].c, n = (size_t)sizes[i].rows * c, rows = (size_t)sizes[i].rows;
        const pair x = filled(n, 3, 2), gamma = noise(c), beta = noise(c), q = noise(n), x_t = noise(n),
                   gamma_t = noise(c), beta_t = noise(c), q_t = noise(n), y = garbage(n), dx = garbage(n),
                   y_t = garbage(n), dx_t = garbage(n), mean = garbage(rows), inv_std = garbage(rows),
                   dgamma = garbage(c), dbeta = garbage(c), dgamma_t = garbage(c), dbeta_t = garbage(c),
                   sums = empty((2 * TC_LAYER_NORM_PARTS + 1) * c);
        BOTH(d) {
            const tc_layer_norm norm = {sizes[i].rows, sizes[i].c,   1e-6,        x.at[d],       gamma.at[d],
                                        beta.at[d],    y.at[d],      mean.at[d],  inv_std.at[d], q.at[d],
                                        dx.at[d],      dgamma.at[d], dbeta.at[d], x_t.at[d],     y_t.at[d],
                                        gamma_t.at[d], beta_t.at[d], q_t.at[d],   dx_t.at[d],    dgamma_t.at[d],
                                        dbeta_t.at[d], sums.at[d]};
            ON(d, layer_norm, &norm);
            ON(d, layer_norm_backward, &norm);
            ON(d, layer_norm_tangent, &norm);
            ON(d, layer_norm_backward_tangent, &norm);
        }
        const pair results[] = {y, dx, dgamma, dbeta, y_t, dx_t, dgamma_t, dbeta_t};
        for (size_t r = 0; r < sizeof results / sizeof *results; r++) same(results[r], "layer norm");
    }
}

static void run_attention(tc_device *on, const tc_attention *a) {
    on->k->attention(on, a);
    on->k->attention_backward(on, a);
    on->k->attention_tangent(on, a);
    on->k->attention_backward_tangent(on, a);
}

static void test_attention(void **state) {
    (void)state;
    static const struct {
        int n, tokens, heads, width;
    } sizes[] = {{2, 5, 2, 6}, {3, 65, 12, 384}, {2, 17, 2, 64}, {1, 197, 3, 96}, {5, 10, 4, 20}, {1, 1, 1, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t out = (size_t)sizes[i].n * (size_t)sizes[i].tokens * (size_t)sizes[i].width, in = 3 * out;
        const pair x = noise(in), dy = noise(out), x_t = noise(in), dy_t = noise(out), y = garbage(out),
                   dx = garbage(in), y_t = garbage(out), dx_t = garbage(in);
        tc_attention a = {.n = sizes[i].n, .tokens = sizes[i].tokens, .heads = sizes[i].heads, .width = sizes[i].width};
        size_t most = 0;
        BOTH(d) {
            const size_t room = ON(d, attention_room, &a);
            most = room > most ? room : most;
        }
        const pair room = garbage(most);
        BOTH(d) {
            a.x = x.at[d], a.y = y.at[d], a.dy = dy.at[d], a.dx = dx.at[d];
            a.x_t = x_t.at[d], a.y_t = y_t.at[d], a.dy_t = dy_t.at[d], a.dx_t = dx_t.at[d];
            a.room = room.at[d];
            run_attention(device[d], &a);
        }
        const pair results[] = {y, dx, y_t, dx_t};
        for (size_t r = 0; r < sizeof results / sizeof *results; r++) same(results[r], "attention");
        const pair before = copied(dx_t);
        device[FAST]->threads = 1; /* a is the cpu's */
        run_attention(device[FAST], &a);
        device[FAST]->threads = 2;
        assert_memory_equal(before.at[FAST], dx_t.at[FAST], in * sizeof(float));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {PAIR_TEST(test_gelu), PAIR_TEST(test_layer_norm), PAIR_TEST(test_attention)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
