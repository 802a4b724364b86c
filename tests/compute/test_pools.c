/* Pooling: windows by hand, ties, padding, adjoints, panels. */
#include "testing.h"

#include "geometries.h"

static const struct {
    int n, h, w, c, kernel, stride, padding;
} pools[] = {
    {2, 4, 4, 3, 2, 2, 0},  {1, 7, 5, 16, 3, 2, 1}, {5, 6, 6, 32, 3, 1, 1}, {2, 5, 7, 1, 2, 2, 0},
    {2, 4, 4, 48, 4, 4, 0}, {3, 8, 8, 6, 3, 3, 0},  {1, 9, 9, 16, 2, 1, 1}, {40, 8, 8, 16, 3, 2, 1},
};
enum { POOLS = sizeof pools / sizeof *pools };

static tc_pool pool_of(int i, int block) {
    const int h = (pools[i].h + 2 * pools[i].padding - pools[i].kernel) / pools[i].stride + 1;
    const int w = (pools[i].w + 2 * pools[i].padding - pools[i].kernel) / pools[i].stride + 1;
    return (tc_pool){shape_of(pools[i].n, pools[i].h, pools[i].w, pools[i].c, block),
                     shape_of(pools[i].n, h, w, pools[i].c, block),
                     pools[i].kernel,
                     pools[i].stride,
                     pools[i].padding,
                     false};
}

/* The window of output (r, c), row by row: how many of its pixels are inside, their positions in `at`. */
static int window(const tc_pool *pool, int r, int c, int at[64]) {
    int count = 0;
    for (int ky = 0; ky < pool->kernel; ky++)
        for (int kx = 0; kx < pool->kernel; kx++) {
            const int y = r * pool->stride + ky - pool->padding, x = c * pool->stride + kx - pool->padding;
            if (y >= 0 && y < pool->in.h && x >= 0 && x < pool->in.w) at[count++] = y * pool->in.w + x;
        }
    return count;
}

/* Runs (n, r, c, k) over the output elements and i over their places. */
static void check_output(const tc_pool *pool, const double *x, const double *most, const int32_t *winner,
                         const double *average, size_t element) {
    const tc_shape out = pool->out;
    const int k = (int)(element % (size_t)out.c), pixel = (int)(element / (size_t)out.c);
    const int c = pixel % out.w, r = pixel / out.w % out.h, n = pixel / out.w / out.h;
    const size_t i = tc_shape_index(out, n, r, c, k);
    int at[64], best = -1;
    double sum = 0, largest = -INFINITY;
    const int count = window(pool, r, c, at);
    for (int j = 0; j < count; j++) {
        const double v = x[tc_shape_index(pool->in, n, at[j] / pool->in.w, at[j] % pool->in.w, k)];
        sum += v;
        if (v > largest) {
            largest = v;
            best = at[j];
        }
    }
    assert_true(most[i] == largest);
    assert_int_equal(winner[i], best);
    numbers_agree(average[i], sum / (pool->kernel * pool->kernel), 1e-13, "average");
}

static void test_forward(void **state) {
    (void)state;
    for (int i = 0; i < 2 * POOLS; i++) {
        const tc_pool pool = pool_of(i / 2, i % 2 ? 16 : 0);
        const size_t ins = tc_shape_count(pool.in), outs = tc_shape_count(pool.out);
        double *x = noise(ins), *y = garbage(outs), *average = garbage(outs);
        for (size_t j = 0; j < ins; j++) x[j] = floor(2 * x[j]) - 4; /* many ties, and padding (0) would win */
        int32_t *winner = bytes(outs * sizeof *winner);
        on.k->max_pool(on.device, &pool, x, y, winner);
        on.k->average_pool(on.device, &pool, x, average);
        for (size_t e = 0; e < outs; e++) check_output(&pool, x, y, winner, average, e);
    }
}

static void test_adjoints(void **state) {
    (void)state;
    for (int i = 0; i < 2 * POOLS; i++) {
        const tc_pool pool = pool_of(i / 2, i % 2 ? 8 : 0);
        const size_t ins = tc_shape_count(pool.in), outs = tc_shape_count(pool.out);
        const double *x = noise(ins), *v = noise(ins), *a = noise(outs), *b = noise(outs), *u = moved(outs, a, 1, b);
        double *y = garbage(outs), *dx = garbage(ins);
        int32_t *winner = bytes(outs * sizeof *winner);
        on.k->max_pool(on.device, &pool, x, y, winner);
        on.k->max_pool_gather(on.device, &pool, winner, v, y);
        on.k->max_pool_scatter(on.device, &pool, winner, (tc_sum){2, {a, b}}, dx);
        numbers_agree(inner(ins, dx, v), inner(outs, u, y), 1e-12, "max pool");
        on.k->average_pool(on.device, &pool, v, y);
        on.k->average_pool_backward(on.device, &pool, (tc_sum){2, {a, b}}, dx);
        numbers_agree(inner(ins, dx, v), inner(outs, u, y), 1e-12, "average pool");
    }
}

static void test_tangent(void **state) {
    (void)state;
    const double h = 1e-6;
    const tc_pool pool = pool_of(1, 0);
    const size_t ins = tc_shape_count(pool.in), outs = tc_shape_count(pool.out);
    const double *x = noise(ins), *v = noise(ins);
    double *y = garbage(outs), *high = garbage(outs), *low = garbage(outs), *y_t = garbage(outs);
    int32_t *winner = bytes(outs * sizeof *winner), *other = bytes(outs * sizeof *other);
    on.k->max_pool(on.device, &pool, x, y, winner);
    on.k->max_pool(on.device, &pool, moved(ins, x, h, v), high, other);
    on.k->max_pool(on.device, &pool, moved(ins, x, -h, v), low, other);
    on.k->max_pool_gather(on.device, &pool, winner, v, y_t);
    agree(outs, y_t, slope_between(outs, high, low, h), 1e-6, "max pool tangent");
}

/* Global pooling ends in a 1×1 value, which has one layout whatever its shape calls it. */
static void test_to_one_pixel(void **state) {
    (void)state;
    const tc_pool plain = {tc_nhwc(2, 4, 4, 32), tc_nhwc(2, 1, 1, 32), 4, 4, 0, false};
    tc_pool panels = plain;
    panels.in.block = 8; /* the result stays plain */
    const double *x = noise(2 * 16 * 32), *u = noise(64);
    double *blocked = garbage(2 * 16 * 32), *a = garbage(64), *b = garbage(64), *dx = garbage(1024),
           *dy = garbage(1024);
    on.k->to_layout(on.device, panels.in, x, blocked);
    on.k->average_pool(on.device, &plain, x, a);
    on.k->average_pool(on.device, &panels, blocked, b);
    agree(64, b, a, 1e-14, "global pool");
    on.k->average_pool_backward(on.device, &plain, tc_one(u), dx);
    on.k->average_pool_backward(on.device, &panels, tc_one(u), dy);
    on.k->from_layout(on.device, panels.in, dy, blocked);
    agree(1024, blocked, dx, 1e-14, "its backward");
}

static void test_nan_wins(void **state) {
    (void)state;
    const tc_pool pool = pool_of(0, 0);
    double *x = noise(tc_shape_count(pool.in)), *y = garbage(tc_shape_count(pool.out));
    int32_t *winner = bytes(tc_shape_count(pool.out) * sizeof *winner);
    x[0] = NAN;
    on.k->max_pool(on.device, &pool, x, y, winner);
    assert_true(isnan(y[0]) && winner[0] == 0 && !isnan(y[1]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_TEST(test_forward),      KERNEL_TEST(test_adjoints), KERNEL_TEST(test_tangent),
        KERNEL_TEST(test_to_one_pixel), KERNEL_TEST(test_nan_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
