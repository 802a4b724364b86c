/* Flat vectors and optimisers: each kernel against its definition, element by element, below and above the size at
 * which threads take part. */
#include "testing.h"

static const size_t sizes[] = {0, 1, 3, 511, 513, 50001};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void test_arithmetic(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        const size_t n = sizes[s];
        const double *a = noise(n), *b = noise(n), *c = noise(n);
        double *y = garbage(n), *z = garbage(n);
        on.k->fill(on.device, n, 2.5, y);
        for (size_t i = 0; i < n; i++) assert_true(y[i] == 2.5);
        on.k->copy(on.device, n, a, y);
        for (size_t i = 0; i < n; i++) assert_true(y[i] == a[i]);
        on.k->axpby(on.device, n, 3, b, -0.5, y);
        for (size_t i = 0; i < n; i++) numbers_agree(y[i], 3 * b[i] - 0.5 * a[i], 1e-14, "axpby");
        on.k->axpby(on.device, n, 3, b, 0, z); /* z is NaN, and must not be read */
        for (size_t i = 0; i < n; i++) assert_true(z[i] == 3 * b[i]);
        on.k->multiply(on.device, n, a, b, z, false);
        on.k->multiply(on.device, n, a, c, z, true);
        for (size_t i = 0; i < n; i++) numbers_agree(z[i], a[i] * (b[i] + c[i]), 1e-14, "multiply");
        on.k->copy(on.device, n, c, y);
        on.k->add(on.device, tc_nhwc(1, 1, 1, (int)n), (tc_sum){3, {a, b, y}}, y);
        for (size_t i = 0; i < n; i++) numbers_agree(y[i], a[i] + b[i] + c[i], 1e-14, "add");
        on.k->copy(on.device, n, c, z);
        on.k->add_relu(on.device, tc_nhwc(1, 1, 1, (int)n), (tc_sum){3, {z, a, b}}, z); /* in a term's place */
        for (size_t i = 0; i < n; i++) numbers_agree(z[i], fmax(0, a[i] + b[i] + c[i]), 1e-14, "add_relu");
        on.k->clamp(on.device, n, -0.5, 0.25, y);
        for (size_t i = 0; i < n; i++) numbers_agree(y[i], fmin(0.25, fmax(-0.5, a[i] + b[i] + c[i])), 1e-14, "clamp");
    }
}

static void test_sums(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        const size_t n = sizes[s];
        const double *a = noise(n), *b = noise(n);
        double sum = 0, cubes = 0, absolute = 0, largest = 0;
        for (size_t i = 0; i < n; i++) {
            sum += a[i];
            cubes += pow(fabs(a[i]), 3);
            absolute += fabs(a[i]);
            largest = fmax(largest, fabs(a[i]));
        }
        numbers_agree(on.k->sum(on.device, n, a), sum, 1e-12, "sum");
        numbers_agree(on.k->dot(on.device, n, a, b), inner(n, a, b), 1e-12, "dot");
        numbers_agree(on.k->sum_power(on.device, n, 1, a), absolute, 1e-12, "power 1");
        numbers_agree(on.k->sum_power(on.device, n, 2, a), inner(n, a, a), 1e-12, "power 2");
        numbers_agree(on.k->sum_power(on.device, n, 3, a), cubes, 1e-12, "power 3");
        assert_true(on.k->sum_power(on.device, n, INFINITY, a) == largest);
    }
    double *broken = noise(40000);
    broken[33333] = NAN;
    assert_true(isnan(on.k->sum_power(on.device, 40000, INFINITY, broken)));
}

/* Results of a run must not depend on how many cores it had. */
static void test_sums_do_not_depend_on_threads(void **state) {
    (void)state;
    enum { N = 300007 };
    const double *a = noise(N), *b = noise(N);
    const int threads = on.device->threads;
    on.device->threads = 1;
    const double sum = on.k->sum(on.device, N, a), dot = on.k->dot(on.device, N, a, b);
    for (int t = 2; t <= 5; t++) {
        on.device->threads = t;
        assert_true(on.k->sum(on.device, N, a) == sum);
        assert_true(on.k->dot(on.device, N, a, b) == dot);
    }
    on.device->threads = threads;
}

static void test_sign_power(void **state) {
    (void)state;
    enum { N = 3000 };
    double *x = noise(N), *y = garbage(N);
    x[5] = 0;
    static const double powers[] = {0, 0.5, 1, 2, 3};
    for (int p = 0; p < 5; p++) {
        on.k->sign_power(on.device, N, -2, powers[p], x, y);
        for (size_t i = 0; i < N; i++) {
            const double sign = (x[i] > 0) - (x[i] < 0);
            numbers_agree(y[i], -2 * sign * pow(fabs(x[i]), powers[p]), 1e-13, "sign_power");
        }
        assert_true(y[5] == 0);
    }
}

static void test_normal(void **state) {
    (void)state;
    enum { N = 5000 };
    const tc_stream stream = tc_stream_child(tc_stream_make(3), "x", 0);
    double *y = garbage(N);
    on.k->normal(on.device, N, stream, 0.25, y);
    for (size_t i = 0; i < N; i++) assert_true(y[i] == 0.25 * tc_normal_at(stream, i));
}

/* v := m v + (g + λθ); θ −= η v, or η (g + λθ + m v): three steps by hand for each kind. */
/* Element i of the stream within the interval, whoever computes it. */
static void test_uniform(void **state) {
    (void)state;
    enum { N = 5000 };
    const tc_stream stream = tc_stream_make(8);
    double *y = garbage(N);
    double least = 3, most = -2;
    on.k->uniform(on.device, N, stream, -2, 3, y);
    for (size_t i = 0; i < N; i++) {
        assert_true(y[i] == -2 + 5 * tc_uniform_at(stream, i));
        least = fmin(least, y[i]);
        most = fmax(most, y[i]);
    }
    assert_true(least >= -2 && least < -1.99 && most < 3 && most > 2.99);
}

static void test_sgd(void **state) {
    (void)state;
    enum { N = 700 };
    static const tc_sgd kinds[] = {{0.1, 0, 0, false, NULL},
                                   {0.1, 0, 0.01, false, NULL},
                                   {0.1, 0.9, 5e-4, false, NULL},
                                   {0.1, 0.9, 5e-4, true, NULL}};
    for (int kind = 0; kind < 4; kind++) {
        const tc_sgd *o = &kinds[kind];
        double *theta = noise(N), *expected = copied(N, theta), *v = o->momentum > 0 ? reals(N) : NULL, *w = reals(N);
        for (int step = 0; step < 3; step++) {
            const double *g = noise(N);
            on.k->sgd_step(on.device, N, o, g, v, theta);
            for (size_t i = 0; i < N; i++) {
                const double d = g[i] + o->weight_decay * expected[i];
                w[i] = o->momentum * w[i] + d;
                expected[i] -= o->rate * (o->nesterov ? d + o->momentum * w[i] : w[i]);
            }
            agree(N, theta, expected, 1e-13, "sgd");
        }
    }
}

static void test_adam(void **state) {
    (void)state;
    enum { N = 700 };
    for (int kind = 0; kind < 8; kind++) {
        tc_adam o = {0.01, 0.9, 0.999, 1e-8, kind & 1 ? 0.1 : 0, (kind & 2) != 0, (kind & 4) != 0, 0, NULL};
        double *theta = noise(N), *expected = copied(N, theta), *m = reals(N), *v = reals(N), *p = reals(N),
               *q = reals(N);
        for (o.step = 1; o.step <= 3; o.step++) {
            const double *g = noise(N);
            on.k->adam_step(on.device, N, &o, g, m, v, theta);
            for (size_t i = 0; i < N; i++) {
                double d = o.signed_gradient ? (g[i] > 0) - (g[i] < 0) : g[i];
                if (o.decoupled)
                    expected[i] -= o.rate * o.weight_decay * expected[i];
                else
                    d += o.weight_decay * expected[i];
                p[i] = o.beta1 * p[i] + (1 - o.beta1) * d;
                q[i] = o.beta2 * q[i] + (1 - o.beta2) * d * d;
                const double first = p[i] / (1 - pow(o.beta1, (double)o.step));
                const double second = q[i] / (1 - pow(o.beta2, (double)o.step));
                expected[i] -= o.rate * first / (sqrt(second) + o.epsilon);
            }
            agree(N, theta, expected, 1e-12, "adam");
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_TEST(test_arithmetic), KERNEL_TEST(test_sums),   KERNEL_TEST(test_sums_do_not_depend_on_threads),
        KERNEL_TEST(test_sign_power), KERNEL_TEST(test_normal), KERNEL_TEST(test_uniform),
        KERNEL_TEST(test_sgd),        KERNEL_TEST(test_adam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
