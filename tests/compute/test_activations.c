/* Element-wise functions: known values, and all four maps against central differences. */
#include "testing.h"

enum { N = 1500 };

static const struct {
    tc_activation_kind kind;
    double slope;
    double at[3][2]; /* x, f(x) */
} kinds[] = {
    {TC_RELU, 0, {{-1, 0}, {0, 0}, {2.5, 2.5}}},
    {TC_LEAKY_RELU, 0.2, {{-1, -0.2}, {0, 0}, {2.5, 2.5}}},
    {TC_RELU6, 0, {{-1, 0}, {3, 3}, {7, 6}}},
    {TC_SIGMOID, 0, {{0, 0.5}, {2, 0.88079707797788244}, {-800, 0}}},
    {TC_TANH, 0, {{0, 0}, {1, 0.76159415595576489}, {-50, -1}}},
    {TC_GELU, 0, {{0, 0}, {1, 0.84134474606854295}, {-2, -0.045500263896358417}}},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void test_values(void **state) {
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        double *x = reals(3), *y = garbage(3);
        for (int j = 0; j < 3; j++) x[j] = kinds[i].at[j][0];
        on.k->activation(on.device, kinds[i].kind, kinds[i].slope, tc_nhwc(1, 1, 1, 3), x, y);
        for (int j = 0; j < 3; j++) numbers_agree(y[j], kinds[i].at[j][1], 1e-14, "value");
        on.k->activation(on.device, kinds[i].kind, kinds[i].slope, tc_nhwc(1, 1, 1, 3), x, x);
        assert_memory_equal(x, y, 3 * sizeof *x); /* in place */
    }
}

static const double *value(int i, const double *x) {
    double *y = garbage(N);
    on.k->activation(on.device, kinds[i].kind, kinds[i].slope, tc_nhwc(1, 1, 1, N), x, y);
    return y;
}

static const double *backward(int i, const double *x, const double *a, const double *b) {
    double *dx = garbage(N);
    on.k->activation_backward(on.device, kinds[i].kind, kinds[i].slope, tc_nhwc(1, 1, 1, N), x, value(i, x),
                              (tc_sum){2, {a, b}}, dx);
    return dx;
}

static void test_derivatives(void **state) {
    (void)state;
    const double h = 1e-5;
    for (int i = 0; i < KINDS; i++) {
        const double *unit = noise(N), *x = moved(N, unit, 2, unit), *x_t = noise(N); /* 3·noise: ReLU6 saturates too */
        const double *a = noise(N), *b = noise(N), *a_t = noise(N), *b_t = noise(N), *y = value(i, x);
        double *y_t = garbage(N), *dx_t = garbage(N);
        on.k->activation_tangent(on.device, kinds[i].kind, kinds[i].slope, tc_nhwc(1, 1, 1, N), x, y, x_t, y_t);
        const double *slope = slope_between(N, value(i, moved(N, x, h, x_t)), value(i, moved(N, x, -h, x_t)), h);
        agree(N, y_t, slope, 1e-6, "tangent");
        numbers_agree(inner(N, backward(i, x, a, b), x_t), inner(N, moved(N, a, 1, b), slope), 1e-6, "backward");
        on.k->activation_backward_tangent(on.device, kinds[i].kind, kinds[i].slope, tc_nhwc(1, 1, 1, N), x, y, x_t,
                                          (tc_sum){2, {a, b}}, (tc_sum){2, {a_t, b_t}}, dx_t);
        const double *high = backward(i, moved(N, x, h, x_t), moved(N, a, h, a_t), moved(N, b, h, b_t));
        const double *low = backward(i, moved(N, x, -h, x_t), moved(N, a, -h, a_t), moved(N, b, -h, b_t));
        agree(N, dx_t, slope_between(N, high, low, h), 1e-6, "backward tangent");
    }
}

/* The sharing that layers make use of: dx in dy's place, no x for the piecewise linear, no ẋ. */
static void test_sharing(void **state) {
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        const tc_activation_kind kind = kinds[i].kind;
        const double slope = kinds[i].slope, *x = noise(N), *y = value(i, x), *q = noise(N), *q_t = noise(N);
        const bool linear = kind <= TC_RELU6;
        double *dx = garbage(N), *shared = copied(N, q), *y_t = garbage(N);
        on.k->activation_backward(on.device, kind, slope, tc_nhwc(1, 1, 1, N), x, y, tc_one(q), dx);
        on.k->activation_backward(on.device, kind, slope, tc_nhwc(1, 1, 1, N), linear ? NULL : x, y, tc_one(shared),
                                  shared);
        assert_memory_equal(shared, dx, N * sizeof *dx);
        on.k->activation_tangent(on.device, kind, slope, tc_nhwc(1, 1, 1, N), x, y, NULL, y_t);
        for (int j = 0; j < N; j++) assert_true(y_t[j] == 0);
        on.k->activation_backward_tangent(on.device, kind, slope, tc_nhwc(1, 1, 1, N), linear ? NULL : x, y, NULL,
                                          tc_one(q), tc_one(q_t), dx);
        on.k->activation_backward(on.device, kind, slope, tc_nhwc(1, 1, 1, N), x, y, tc_one(q_t), shared);
        assert_memory_equal(shared, dx, N * sizeof *dx);
    }
}

/* The ReLU's mask over any number of addends, in the first one's place. */
static void test_masked_sums(void **state) {
    (void)state;
    for (int terms = 1; terms <= TC_MAX_TERMS; terms++) {
        const double *y = value(0, noise(N));
        double *expected = garbage(N), *first = noise(N);
        tc_sum dy = {terms, {first}};
        for (int t = 1; t < terms; t++) dy.term[t] = noise(N);
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int t = 0; t < terms; t++) sum += ((const double *)dy.term[t])[i];
            expected[i] = y[i] > 0 ? sum : 0;
        }
        on.k->activation_backward(on.device, TC_RELU, 0, tc_nhwc(1, 1, 1, N), NULL, y, dy, first);
        agree(N, first, expected, 1e-14, "masked sum");
    }
}

static void test_kinks(void **state) {
    (void)state;
    double x[4] = {0, 6, -0.0, 3}, y[4], dx[4];
    const double one[4] = {1, 1, 1, 1};
    on.k->activation(on.device, TC_RELU6, 0, tc_nhwc(1, 1, 1, 4), x, y);
    on.k->activation_backward(on.device, TC_RELU6, 0, tc_nhwc(1, 1, 1, 4), NULL, y, tc_one(one), dx);
    assert_true(dx[0] == 0 && dx[1] == 0 && dx[2] == 0 && dx[3] == 1); /* the subgradients PyTorch takes */
    on.k->activation(on.device, TC_LEAKY_RELU, 0.1, tc_nhwc(1, 1, 1, 4), x, y);
    on.k->activation_backward(on.device, TC_LEAKY_RELU, 0.1, tc_nhwc(1, 1, 1, 4), NULL, y, tc_one(one), dx);
    assert_true(dx[0] == 0.1 && dx[1] == 1 && dx[2] == 0.1);
    x[0] = NAN;
    on.k->activation(on.device, TC_RELU, 0, tc_nhwc(1, 1, 1, 4), x, y);
    assert_true(isnan(y[0])); /* a diverged network is not healed in silence */
}

int main(void) {
    const struct CMUnitTest tests[] = {KERNEL_TEST(test_values), KERNEL_TEST(test_derivatives),
                                       KERNEL_TEST(test_sharing), KERNEL_TEST(test_masked_sums),
                                       KERNEL_TEST(test_kinks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
