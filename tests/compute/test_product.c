/* Matrix products of every orientation against the definition. */
#include "testing.h"

/* op(X)[i][j], X stored [rows][columns] of op(X), or the other way round. */
static double entry(const double *x, bool transposed, int rows, int columns, int i, int j) {
    return transposed ? x[(size_t)j * (size_t)rows + (size_t)i] : x[(size_t)i * (size_t)columns + (size_t)j];
}

static void check(tc_product g) {
    tc_product_plan *plan = NULL;
    tc_error error = {0};
    const size_t m = (size_t)g.m, n = (size_t)g.n, k = (size_t)g.k;
    const double *a = noise(m * k), *b = noise(k * n), *bias = noise(n);
    double *c = g.accumulate ? noise(m * n) : garbage(m * n), *expected = copied(m * n, c);
    assert_int_equal(on.k->product_create(on.device, &g, &plan, &error), TC_OK);
    on.k->product_run(plan, a, b, g.bias ? bias : NULL, c);
    for (int i = 0; i < g.m; i++)
        for (int j = 0; j < g.n; j++) {
            double *to = expected + (size_t)i * n + (size_t)j;
            if (!g.accumulate) *to = 0;
            if (g.bias) *to += bias[j];
            for (int l = 0; l < g.k; l++)
                *to += entry(a, g.transpose_a, g.m, g.k, i, l) * entry(b, g.transpose_b, g.k, g.n, l, j);
            if (g.relu) *to = fmax(0, *to);
        }
    agree(m * n, c, expected, 1e-13, "product");
    on.k->product_destroy(on.device, plan);
}

static void test_products(void **state) {
    (void)state;
    static const int sizes[][3] = {{1, 1, 1}, {3, 5, 7}, {16, 10, 84}, {1, 33, 20}, {40, 1, 9}};
    for (int s = 0; s < 5; s++)
        for (int flags = 0; flags < 32; flags++)
            check((tc_product){sizes[s][0], sizes[s][1], sizes[s][2], flags & 1, flags & 2, flags & 4, flags & 8,
                               flags & 16});
}

static void test_refuses(void **state) {
    (void)state;
    tc_error error = {0};
    tc_product_plan *plan = NULL;
    assert_int_equal(on.k->product_create(on.device, &(tc_product){.m = 3, .n = 0, .k = 2}, &plan, &error), TC_INVALID);
    assert_null(plan);
}

static void test_column_sums(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {7, 3}, {1000, 65}, {3, 300}, {257, 64}};
    for (int s = 0; s < 5; s++) {
        const int rows = sizes[s][0], columns = sizes[s][1];
        const double *x = noise((size_t)rows * (size_t)columns);
        double *y = garbage((size_t)columns), *expected = reals((size_t)columns);
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++) expected[c] += x[(size_t)r * (size_t)columns + (size_t)c];
        on.k->column_sums(on.device, rows, columns, x, y, false);
        agree((size_t)columns, y, expected, 1e-13, "sums");
        on.k->column_sums(on.device, rows, columns, x, y, true);
        agree((size_t)columns, y, moved((size_t)columns, expected, 1, expected), 1e-13, "accumulated");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {KERNEL_TEST(test_products), KERNEL_TEST(test_refuses),
                                       KERNEL_TEST(test_column_sums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
