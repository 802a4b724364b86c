#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { DRAWS = 100000 };

/* Known answers published with Random123 (philox4x32-10). */
static void test_known_answers(void **state) {
    (void)state;
    static const struct {
        uint64_t key, low, high;
        uint32_t out[4];
    } cases[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t out[4];
        tc_philox(cases[i].key, cases[i].low, cases[i].high, out);
        assert_memory_equal(out, cases[i].out, sizeof out);
    }
}

static void test_uniform(void **state) {
    (void)state;
    const tc_stream stream = tc_stream_make(1);
    double mean = 0, square = 0;
    int bin[16] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double u = tc_uniform_at(stream, i);
        assert_true(u >= 0 && u < 1);
        mean += u / DRAWS;
        square += u * u / DRAWS;
        bin[(int)(u * 16)]++;
    }
    assert_true(fabs(mean - 0.5) < 5 * sqrt(1.0 / 12 / DRAWS));
    assert_true(fabs(square - 1.0 / 3) < 5 * sqrt(4.0 / 45 / DRAWS));
    double chi = 0;
    for (int i = 0; i < 16; i++) chi += (bin[i] - DRAWS / 16.0) * (bin[i] - DRAWS / 16.0) / (DRAWS / 16.0);
    assert_true(chi < 44.3); /* 15 degrees of freedom: exceeded once in 10 000 */
}

static void test_normal(void **state) {
    (void)state;
    const tc_stream stream = tc_stream_make(2);
    double moment[5] = {0}, beyond = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double x = tc_normal_at(stream, i);
        assert_true(isfinite(x));
        for (int k = 1; k <= 4; k++) moment[k] += pow(x, k) / DRAWS;
        beyond += (fabs(x) > 1.959964) / (double)DRAWS;
    }
    assert_true(fabs(moment[1]) < 5 * sqrt(1.0 / DRAWS));
    assert_true(fabs(moment[2] - 1) < 5 * sqrt(2.0 / DRAWS));
    assert_true(fabs(moment[3]) < 5 * sqrt(15.0 / DRAWS));
    assert_true(fabs(moment[4] - 3) < 5 * sqrt(96.0 / DRAWS));
    assert_true(fabs(beyond - 0.05) < 5 * sqrt(0.05 * 0.95 / DRAWS));
}

static double correlation(tc_stream a, tc_stream b, uint64_t lag) {
    double sum = 0;
    for (uint64_t i = 0; i < DRAWS; i++)
        sum += (tc_uniform_at(a, i) - 0.5) * (tc_uniform_at(b, i + lag) - 0.5) * 12 / DRAWS;
    return sum;
}

/* Siblings by name, by number and by seed, a child and its parent, and a stream and itself a step later. */
static void test_independence(void **state) {
    (void)state;
    const tc_stream root = tc_stream_make(3), a = tc_stream_child(root, "dropout", 0);
    const tc_stream others[] = {tc_stream_child(root, "dropout", 1), tc_stream_child(root, "epoch", 0), root,
                                tc_stream_child(tc_stream_make(4), "dropout", 0), tc_stream_child(a, "dropout", 0)};
    const double limit = 5 / sqrt((double)DRAWS);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_true(others[i].key != a.key);
        assert_true(fabs(correlation(a, others[i], 0)) < limit);
    }
    for (uint64_t lag = 1; lag < 4; lag++) assert_true(fabs(correlation(a, a, lag)) < limit);
    assert_true(correlation(a, a, 0) > 0.9); /* the measure itself notices */
}

static void test_reproducible(void **state) {
    (void)state;
    tc_stream stream = tc_stream_make(5);
    const tc_stream child = tc_stream_child(stream, "x", 7);
    for (uint64_t i = 0; i < 100; i++) assert_true(tc_draw_uniform(&stream) == tc_uniform_at(tc_stream_make(5), i));
    /* drawing does not change the children */
    assert_true(tc_stream_child(stream, "x", 7).key == child.key && child.position == 0);
    assert_true(tc_stream_make(5).key != tc_stream_make(6).key);
}

static void test_below(void **state) {
    (void)state;
    tc_stream stream = tc_stream_make(8);
    int bin[7] = {0};
    for (int i = 0; i < 70000; i++) {
        const uint64_t x = tc_draw_below(&stream, 7);
        assert_true(x < 7);
        bin[x]++;
    }
    for (int i = 0; i < 7; i++) assert_true(fabs(bin[i] - 10000.0) < 5 * sqrt(10000.0 * 6 / 7));
    for (int i = 0; i < 100; i++) assert_int_equal(tc_draw_below(&stream, 1), 0);
    /* of a bound just above half the range nearly half the raw draws are refused: none may slip through */
    const uint64_t bound = ((uint64_t)1 << 63) + 1;
    for (int i = 0; i < 1000; i++) assert_true(tc_draw_below(&stream, bound) < bound);
}

static void test_permutation(void **state) {
    (void)state;
    tc_stream stream = tc_stream_make(9);
    uint32_t order[1000];
    bool seen[1000] = {false};
    tc_draw_permutation(&stream, order, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_true(order[i] < 1000 && !seen[order[i]]);
        seen[order[i]] = true;
    }
    /* all six orders of three, equally often */
    int count[3][3] = {{0}};
    for (int i = 0; i < 60000; i++) {
        tc_draw_permutation(&stream, order, 3);
        count[order[0]][order[1]]++;
    }
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            assert_true(i == j ? count[i][j] == 0 : fabs(count[i][j] - 10000.0) < 5 * sqrt(10000.0 * 5 / 6));
    tc_draw_permutation(&stream, order, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_uniform),      cmocka_unit_test(test_normal),
        cmocka_unit_test(test_independence),  cmocka_unit_test(test_reproducible), cmocka_unit_test(test_below),
        cmocka_unit_test(test_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
