#include "data/augment.h"

#include "helper.h"

#include <math.h>

/* Whole pixels, all of −4 … 4 equally often across and down and independently, half of them flipped. */
static void training_shifts_are_uniform(void **state) {
    (void)state;
    enum { DRAWS = 81000 };
    const tc_stream stream = tc_stream_make(1);
    int counts[9][9] = {{0}}, flips = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const tc_warp w = tc_warp_for_training(stream, i, 4, true);
        assert_true(w.dx == rintf(w.dx) && fabsf(w.dx) <= 4 && w.dy == rintf(w.dy) && fabsf(w.dy) <= 4);
        counts[(int)w.dy + 4][(int)w.dx + 4]++;
        flips += w.flip;
    }
    for (int i = 0; i < 81; i++) assert_in_range(counts[i / 9][i % 9], 820, 1180); /* 1000 ± 6 σ */
    assert_in_range(flips, DRAWS / 2 - 900, DRAWS / 2 + 900);
}

static void crafting_shifts_are_uniform(void **state) {
    (void)state;
    enum { DRAWS = 40000 };
    const tc_stream stream = tc_stream_make(2);
    double sum[2] = {0}, square[2] = {0}, product = 0;
    int flips = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const tc_warp w = tc_warp_for_crafting(stream, i, 4, true);
        const double d[2] = {w.dx, w.dy};
        for (int k = 0; k < 2; k++) {
            assert_true(fabs(d[k]) <= 4);
            sum[k] += d[k] / DRAWS;
            square[k] += d[k] * d[k] / DRAWS;
        }
        product += d[0] * d[1] / DRAWS;
        flips += w.flip;
    }
    for (int k = 0; k < 2; k++) {
        assert_true(fabs(sum[k]) < 0.07);
        assert_true(fabs(square[k] - 16.0 / 3) < 0.15);
    }
    assert_true(fabs(product) < 0.16);
    assert_in_range(flips, DRAWS / 2 - 600, DRAWS / 2 + 600);
}

static void a_sample_keeps_its_warp(void **state) {
    (void)state;
    const tc_stream one = tc_stream_make(3), two = tc_stream_child(one, "step", 1);
    const tc_warp a = tc_warp_for_training(one, 17, 100, true), b = tc_warp_for_training(one, 17, 100, true);
    assert_memory_equal(&a, &b, sizeof a);
    int same = 0;
    for (uint64_t i = 0; i < 100; i++)
        same += tc_warp_for_training(one, i, 100, false).dx == tc_warp_for_training(two, i, 100, false).dx;
    assert_true(same < 10);
}

static void nothing_asked_nothing_moved(void **state) {
    (void)state;
    const tc_stream stream = tc_stream_make(4);
    for (uint64_t i = 0; i < 100; i++) {
        const tc_warp t = tc_warp_for_training(stream, i, 0, false), c = tc_warp_for_crafting(stream, i, 0, false);
        assert_true(t.dx == 0 && t.dy == 0 && !t.flip && c.dx == 0 && c.dy == 0 && !c.flip);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_shifts_are_uniform),
        cmocka_unit_test(crafting_shifts_are_uniform),
        cmocka_unit_test(a_sample_keeps_its_warp),
        cmocka_unit_test(nothing_asked_nothing_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
