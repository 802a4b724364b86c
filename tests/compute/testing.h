/* testing.h — what the kernel tests share: a reference device whose arrays are plain doubles, noise, and comparison.
 *
 * Arrays made with `reals` and its relatives live until the test's teardown, so a test reads like its formula. */
#ifndef TC_TESTS_COMPUTE_TESTING_H
#define TC_TESTS_COMPUTE_TESTING_H

#include "compute/device.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_ARRAYS = 16384 };

typedef struct bench {
    tc_device *device;
    const tc_kernels *k;
    void *array[MOST_ARRAYS];
    int arrays;
    uint64_t draws; /* every noise array is another */
} bench;

static bench on;

static inline int set_up(void **state) {
    (void)state;
    tc_error error = {0};
    on = (bench){0};
    if (tc_device_open("reference", 2, &on.device, &error) != TC_OK) {
        print_error("%s\n", error.message);
        return -1;
    }
    on.k = on.device->k;
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    for (int i = 0; i < on.arrays; i++) on.k->release(on.device, on.array[i]);
    const size_t left = on.device->bytes;
    tc_device_close(on.device);
    return left ? -1 : 0; /* everything was counted back */
}

static inline void *bytes(size_t count) {
    void *memory = NULL;
    tc_error error = {0};
    if (on.k->allocate(on.device, count, &memory, &error) != TC_OK) fail_msg("%s", error.message);
    assert_true(on.arrays < MOST_ARRAYS);
    on.array[on.arrays++] = memory;
    return memory;
}

static inline double *reals(size_t count) {
    return bytes(count * sizeof(double));
}

static inline double *noise(size_t count) {
    double *x = reals(count);
    const tc_stream stream = tc_stream_child(tc_stream_make(17), "noise", on.draws++);
    for (size_t i = 0; i < count; i++) x[i] = tc_normal_at(stream, i);
    return x;
}

/* x + h v */
static inline double *moved(size_t count, const double *x, double h, const double *v) {
    double *y = reals(count);
    for (size_t i = 0; i < count; i++) y[i] = x[i] + h * v[i];
    return y;
}

static inline double *copied(size_t count, const double *x) {
    return moved(count, x, 0, x);
}

/* An array full of NaN: a kernel that ought to overwrite must not read it. */
static inline double *garbage(size_t count) {
    double *x = reals(count);
    for (size_t i = 0; i < count; i++) x[i] = NAN;
    return x;
}

static inline double inner(size_t count, const double *x, const double *y) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += x[i] * y[i];
    return sum;
}

static inline void numbers_agree(double got, double expected, double tolerance, const char *what) {
    if (!(fabs(got - expected) <= tolerance * fmax(1, fabs(expected))))
        fail_msg("%s: %.12g, expected %.12g", what, got, expected);
}

/* ‖got − expected‖ ≤ tolerance ‖expected‖ */
static inline void agree(size_t count, const double *got, const double *expected, double tolerance, const char *what) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += (got[i] - expected[i]) * (got[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    if (!(sqrt(difference) <= tolerance * fmax(sqrt(size), 1e-3)))
        fail_msg("%s: off by %.3g of %.3g", what, sqrt(difference), sqrt(size));
}

/* (high − low) / 2h, into a new array. */
static inline double *slope_between(size_t count, const double *high, const double *low, double h) {
    double *d = reals(count);
    for (size_t i = 0; i < count; i++) d[i] = (high[i] - low[i]) / (2 * h);
    return d;
}

#define KERNEL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
