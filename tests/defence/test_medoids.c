#include "../train/tiny.h"

#include "defence/medoids.h"

enum { COUNT = 80, WIDTH = 3 };

static double apart(const void *context, size_t i, size_t j) {
    const double *points = context;
    double sum = 0;
    for (size_t k = 0; k < WIDTH; k++) sum += pow(points[i * WIDTH + k] - points[j * WIDTH + k], 2);
    return sqrt(sum);
}

static double cost(const double *points, const uint32_t *medoid, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < COUNT; i++) {
        double nearest = INFINITY;
        for (size_t m = 0; m < count; m++) nearest = fmin(nearest, apart(points, i, medoid[m]));
        sum += nearest;
    }
    return sum;
}

static void draw(double *points) {
    for (size_t i = 0; i < COUNT * WIDTH; i++) points[i] = tc_normal_at(tc_stream_make(2), i);
}

/* However wide the points are said to be, which decides on threads: the choice is the same. */
static void threads_choose_the_same(void **state) {
    (void)state;
    tc_error error;
    double points[COUNT * WIDTH];
    uint32_t alone[12], together[12];
    int32_t of[COUNT], together_of[COUNT];
    size_t chosen;
    draw(points);
    must(tc_medoids(apart, points, 1, COUNT, 12, alone, &chosen, of, &error));
    must(tc_medoids(apart, points, 1 << 20, COUNT, 12, together, &chosen, together_of, &error));
    assert_memory_equal(alone, together, sizeof alone);
    assert_memory_equal(of, together_of, sizeof of);
}

/* Each medoid is the one that lowers the cost most, given those before it: the plain greedy choice. */
static void lazy_is_greedy(void **state) {
    (void)state;
    tc_error error;
    double points[COUNT * WIDTH];
    uint32_t medoid[12];
    int32_t of[COUNT];
    size_t chosen;
    draw(points);
    must(tc_medoids(apart, points, 1, COUNT, 12, medoid, &chosen, of, &error));
    assert_int_equal(chosen, 12);
    for (size_t m = 0; m < 12; m++) {
        uint32_t tried[12];
        double least = INFINITY;
        memcpy(tried, medoid, sizeof tried);
        for (uint32_t i = 0; i < COUNT; i++) {
            tried[m] = i;
            least = fmin(least, cost(points, tried, m + 1));
        }
        assert_true(cost(points, medoid, m + 1) < least + 1e-9);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t m = 0; m < 12; m++) assert_true(apart(points, i, medoid[of[i]]) <= apart(points, i, medoid[m]));
}

static void what_coincides_is_chosen_once(void **state) {
    (void)state;
    tc_error error;
    double points[COUNT * WIDTH] = {0};
    uint32_t medoid[COUNT];
    int32_t of[COUNT];
    size_t chosen;
    for (size_t i = 0; i < COUNT; i++) points[i * WIDTH] = (double)(i % 3);
    must(tc_medoids(apart, points, 1, COUNT, COUNT, medoid, &chosen, of, &error));
    assert_int_equal(chosen, 3);
    for (size_t i = 0; i < COUNT; i++) assert_true(apart(points, i, medoid[of[i]]) == 0);
    must(tc_medoids(apart, points, 1, 1, 1, medoid, &chosen, of, &error));
    assert_int_equal(chosen, 1);
    must(tc_medoids(apart, points, 1, 0, 0, medoid, &chosen, of, &error));
    assert_int_equal(chosen, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lazy_is_greedy),
        cmocka_unit_test(threads_choose_the_same),
        cmocka_unit_test(what_coincides_is_chosen_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
