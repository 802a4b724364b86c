/* pairs.h — every array twice, once on the reference device and once on a fast one, filled with the same
 * single-precision numbers; and a comparison to single precision. The fast one is `cpu`, or what TOCSIN_TEST_DEVICE
 * says. A test body runs for both devices:
 *
 *     const pair x = noise(n), y = garbage(n);
 *     BOTH(d) device[d]->k->copy(device[d], n, x.at[d], y.at[d]);
 *     same(y, "copy"); */
#ifndef TC_TESTS_COMPUTE_PAIRS_H
#define TC_TESTS_COMPUTE_PAIRS_H

#include "../devices.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { REFERENCE, FAST, MOST_PAIRS = 4096 };

typedef struct pair {
    void *at[2];
    size_t count;
} pair;

static tc_device *device[2];
static pair pairs[MOST_PAIRS];
static int pair_count;
static uint64_t draws;
static size_t own[2]; /* what a device keeps for itself while it is open */

#define BOTH(d)            for (int d = 0; d < 2; d++)
#define ON(d, kernel, ...) device[d]->k->kernel(device[d], __VA_ARGS__)

static inline int set_up(void **state) {
    (void)state;
    const char *const names[2] = {"reference", tested_device("cpu")};
    pair_count = 0;
    draws = 0;
    BOTH(d) {
        tc_error error = {0};
        if (open_device(names[d], 2, &device[d], &error) != TC_OK) {
            print_error("%s\n", error.message);
            return -1;
        }
        own[d] = device[d]->bytes;
    }
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    size_t left = 0;
    BOTH(d) {
        for (int i = 0; i < pair_count; i++) ON(d, release, pairs[i].at[d]);
        left += device[d]->bytes - own[d];
        tc_device_close(device[d]);
    }
    return left ? -1 : 0;
}

static inline pair empty(size_t count) {
    pair p = {{NULL, NULL}, count};
    assert_true(pair_count < MOST_PAIRS);
    BOTH(d) assert_int_equal(tc_device_reals(device[d], count, &p.at[d], NULL), TC_OK);
    return pairs[pair_count++] = p;
}

static inline pair raw(const void *bytes, size_t size) {
    pair p = {{NULL, NULL}, size};
    assert_true(pair_count < MOST_PAIRS);
    BOTH(d) {
        assert_int_equal(ON(d, allocate, size, &p.at[d], NULL), TC_OK);
        if (bytes) ON(d, upload_bytes, p.at[d], bytes, size);
    }
    return pairs[pair_count++] = p;
}

/* Random numbers of that mean and standard deviation, the same floats on both; uniform ones, because they are cheap. */
static inline pair filled(size_t count, double centre, double spread) {
    const pair p = empty(count);
    const tc_stream stream = tc_stream_child(tc_stream_make(23), "pairs", draws++);
    float *x = malloc((count ? count : 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++) x[i] = (float)(centre + spread * sqrt(12.0) * (tc_uniform_at(stream, i) - 0.5));
    BOTH(d) ON(d, upload_float, p.at[d], x, count);
    free(x);
    return p;
}

static inline pair noise(size_t count) {
    return filled(count, 0, 1);
}

/* Whole numbers from −2 to 2, many of them equal, and every `nans`th NaN (0: none). */
static inline pair coarse(size_t count, size_t nans) {
    const pair p = empty(count);
    const tc_stream stream = tc_stream_child(tc_stream_make(23), "pairs", draws++);
    float *x = malloc((count ? count : 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++)
        x[i] = nans && i % nans == nans - 1 ? NAN : (float)((int)(tc_bits_at(stream, i) % 5) - 2);
    BOTH(d) ON(d, upload_float, p.at[d], x, count);
    free(x);
    return p;
}

/* All but the first real: an array that does not begin where memory does. */
static inline pair from_second(pair p) {
    BOTH(d) p.at[d] = tc_at(device[d], p.at[d], 1);
    p.count--;
    return p;
}

/* Where a kernel has to overwrite, not read. */
static inline pair garbage(size_t count) {
    const pair p = empty(count);
    draws++;
    BOTH(d) ON(d, fill, count, NAN, p.at[d]);
    return p;
}

static inline pair copied(pair x) {
    const pair p = empty(x.count);
    BOTH(d) ON(d, copy, x.count, x.at[d], p.at[d]);
    return p;
}

static inline void download_both(pair p, double *x[2]) {
    BOTH(d) {
        x[d] = malloc((p.count ? p.count : 1) * sizeof *x[d]);
        assert_non_null(x[d]);
        ON(d, download_double, x[d], p.at[d], p.count);
    }
}

/* ‖fast − reference‖ ≤ tolerance ‖reference‖ */
static inline void same_to(pair p, double tolerance, const char *what) {
    double *x[2], difference = 0, size = 0;
    download_both(p, x);
    for (size_t i = 0; i < p.count; i++) {
        difference += pow(x[FAST][i] - x[REFERENCE][i], 2);
        size += pow(x[REFERENCE][i], 2);
    }
    BOTH(d) free(x[d]);
    if (!(sqrt(difference) <= tolerance * fmax(sqrt(size), 0.05)))
        fail_msg("%s: off by %.3g of %.3g", what, sqrt(difference), sqrt(size));
}

static inline void same(pair p, const char *what) {
    same_to(p, 1e-5, what);
}

/* One by one, and NaN where the reference has NaN; in how many places that is. */
static inline size_t same_and_nan(pair p, const char *what) {
    double *x[2];
    size_t nans = 0, wrong = p.count;
    download_both(p, x);
    for (size_t i = 0; i < p.count; i++) {
        const double got = x[FAST][i], expected = x[REFERENCE][i];
        nans += isnan(expected);
        if (isnan(got) != isnan(expected) || fabs(got - expected) > 1e-5 * fmax(1, fabs(expected))) wrong = i;
    }
    if (wrong < p.count)
        fail_msg("%s: element %zu is %.9g, expected %.9g", what, wrong, x[FAST][wrong], x[REFERENCE][wrong]);
    BOTH(d) free(x[d]);
    return nans;
}

/* What `raw` made, to the last bit. */
static inline void same_bytes(pair p, const char *what) {
    unsigned char *x[2];
    BOTH(d) {
        x[d] = malloc(p.count ? p.count : 1);
        assert_non_null(x[d]);
        ON(d, download_bytes, x[d], p.at[d], p.count);
    }
    const bool equal = !memcmp(x[FAST], x[REFERENCE], p.count);
    BOTH(d) free(x[d]);
    if (!equal) fail_msg("%s: the bytes differ", what);
}

static inline void same_numbers(const double x[2], const char *what) {
    if (!(fabs(x[FAST] - x[REFERENCE]) <= 1e-5 * fmax(1, fabs(x[REFERENCE]))))
        fail_msg("%s: %.9g, expected %.9g", what, x[FAST], x[REFERENCE]);
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
