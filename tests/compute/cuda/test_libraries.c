/* How the CUDA backend uses cuDNN and cuBLASLt, on the emulator, whose tally says what was asked of them: algorithms
 * are chosen once and repeat, the precision reaches the arithmetic, and a library that fails makes one line and no
 * crash. */
#include "../geometries.h"
#include "compute/device.h"
#include "emulator/tally.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const tc_emulator_counts *tally;

static const conv_row row = {2, 8, 8, 16, 24, 3, 1, 1, 1};

static tc_device *opened(const char *name, tc_precision precision, bool fastest) {
    tc_device *device = NULL;
    tc_error error = {0};
    const tc_device_options options = {.name = name, .threads = 1, .precision = precision, .fastest = fastest};
    if (tc_device_open_with(&options, &device, &error) != TC_OK) fail_msg("%s", error.message);
    return device;
}

static int find_tally(void **state) {
    (void)state;
    tc_device *device = opened("cuda", TC_F32_MATHS, false); /* so that the plug-in is there */
    void *plugin = dlopen(getenv("TOCSIN_CUDA_PLUGIN"), RTLD_NOW | RTLD_NOLOAD);
    tally = plugin ? dlsym(plugin, "tc_emulator_tally") : NULL;
    tc_device_close(device);
    return tally ? 0 : -1;
}

static int as_usual(void **state) {
    (void)state;
    unsetenv("TOCSIN_EMULATED_FAILURE");
    unsetenv("TOCSIN_EMULATED_UNFUSED");
    unsetenv("TOCSIN_EMULATED_MIXED");
    unsetenv("TOCSIN_EMULATED_HUNGRY");
    return 0;
}

/* ---- one convolution in all directions, and one product, from the same numbers on every device ---- */

enum { FORWARD, DATA, GRADIENT, PRODUCT, RESULTS, M = 6, N = 10, K = 70 };

typedef struct numbers {
    double *of[RESULTS]; /* [count] */
    size_t count[RESULTS];
} numbers;

static void *filled(tc_device *device, size_t count, uint64_t key) {
    void *x = NULL;
    float *values = malloc(count * sizeof *values);
    const tc_stream stream = tc_stream_make(key);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = (float)tc_normal_at(stream, i);
    assert_int_equal(tc_device_reals(device, count, &x, NULL), TC_OK);
    device->k->upload_float(device, x, values, count);
    free(values);
    return x;
}

static double *taken(tc_device *device, void *x, size_t count) {
    double *values = malloc(count * sizeof *values);
    assert_non_null(values);
    device->k->download_double(device, values, x, count);
    device->k->release(device, x);
    return values;
}

static void convolve(tc_device *device, tc_conv_plan *plan, const tc_convolution *g, numbers *to) {
    const tc_kernels *k = device->k;
    const size_t ins = tc_shape_count(g->in), outs = tc_shape_count(g->out), weights = weight_count(g);
    void *x = filled(device, ins, 1), *u = filled(device, outs, 2), *w = filled(device, weights, 3);
    void *b = filled(device, (size_t)g->out.c, 4), *z = filled(device, outs, 5), *dx = filled(device, ins, 6);
    void *dw = filled(device, weights, 7);
    k->conv_pack(plan, TC_WEIGHTS, w);
    k->conv_forward(plan, TC_WEIGHTS, x, NULL, z, true);
    k->conv_forward(plan, TC_WEIGHTS, x, b, z, !g->relu);
    k->conv_backward_data(plan, TC_WEIGHTS, u, dx);
    k->conv_backward_weights(plan, x, u, dw, NULL, true);
    to->of[FORWARD] = taken(device, z, to->count[FORWARD] = outs);
    to->of[DATA] = taken(device, dx, to->count[DATA] = ins);
    to->of[GRADIENT] = taken(device, dw, to->count[GRADIENT] = weights);
    k->release(device, x);
    k->release(device, u);
    k->release(device, w);
    k->release(device, b);
}

static void multiply(tc_device *device, numbers *to) {
    const tc_product g = {.m = M, .n = N, .k = K, .transpose_b = true, .accumulate = true};
    tc_product_plan *plan = NULL;
    void *a = filled(device, M * K, 8), *b = filled(device, N * K, 9), *c = filled(device, M * N, 10);
    assert_int_equal(device->k->product_create(device, &g, &plan, NULL), TC_OK);
    device->k->product_run(plan, a, b, NULL, c);
    device->k->product_destroy(device, plan);
    to->of[PRODUCT] = taken(device, c, to->count[PRODUCT] = M * N);
    device->k->release(device, a);
    device->k->release(device, b);
}

static numbers computed(tc_device *device, const conv_row *geometry, bool relu, bool direct) {
    numbers all = {0};
    tc_conv_plan *plan = NULL;
    tc_error error = {0};
    tc_convolution g = convolution_of(geometry, 0, 0);
    g.relu = relu;
    g.direct = direct;
    if (device->k->conv_create(device, &g, &plan, &error) != TC_OK) fail_msg("%s", error.message);
    convolve(device, plan, &g, &all);
    device->k->conv_destroy(device, plan);
    multiply(device, &all);
    return all;
}

static void drop(numbers *all) {
    for (int i = 0; i < RESULTS; i++) free(all->of[i]);
}

/* ‖got − expected‖ / ‖expected‖ */
static double error_of(const numbers *got, const numbers *expected, int which) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < expected->count[which]; i++) {
        difference += pow(got->of[which][i] - expected->of[which][i], 2);
        size += pow(expected->of[which][i], 2);
    }
    return sqrt(difference / size);
}

/* ---- algorithms ---- */

static tc_conv_plan *planned(tc_device *device, int n) {
    conv_row other = row;
    other.n = n;
    const tc_convolution g = convolution_of(&other, 0, 0);
    tc_conv_plan *plan = NULL;
    tc_error error = {0};
    if (device->k->conv_create(device, &g, &plan, &error) != TC_OK) fail_msg("%s", error.message);
    return plan;
}

static void test_chosen_once(void **state) {
    (void)state;
    for (int fastest = 0; fastest < 2; fastest++) {
        tc_device *device = opened("cuda", TC_F32_MATHS, fastest);
        const size_t before = device->bytes;
        const int *count = fastest ? &tally->timed : &tally->asked, *other = fastest ? &tally->asked : &tally->timed;
        const int was = *count, other_was = *other;
        static const int batches[] = {2, 2, 3, 2, 3}, expected[] = {3, 3, 6, 6, 6};
        for (int i = 0; i < 5; i++) {
            device->k->conv_destroy(device, planned(device, batches[i]));
            assert_int_equal(*count - was, expected[i]);
        }
        assert_int_equal(*other, other_was);
        assert_int_equal(device->bytes, before);
        tc_device_close(device);
    }
}

static void test_results_repeat(void **state) {
    (void)state;
    for (int fastest = 0; fastest < 2; fastest++) {
        tc_device *device = opened("cuda", TC_F32_MATHS, fastest);
        const tc_emulator_counts was = *tally;
        numbers all = computed(device, &row, false, false);
        assert_int_equal(tally->convolutions - was.convolutions, 4);
        if (fastest)
            assert_true(tally->nondeterministic > was.nondeterministic);
        else
            assert_int_equal(tally->nondeterministic, was.nondeterministic);
        drop(&all);
        tc_device_close(device);
    }
}

static void test_direct(void **state) {
    (void)state;
    tc_device *device = opened("cuda", TC_F32_MATHS, false);
    for (int direct = 0; direct < 2; direct++) {
        const int was = tally->transformed;
        numbers all = computed(device, &row, false, direct);
        assert_int_equal(tally->transformed - was, direct ? 0 : 4);
        drop(&all);
    }
    tc_device_close(device);
}

static void test_operands_are_aligned_or_not(void **state) {
    (void)state;
    tc_device *device = opened("cuda", TC_F32_MATHS, false);
    const tc_product g = {.m = M, .n = N, .k = K};
    tc_product_plan *plan = NULL;
    void *a = filled(device, M * K, 8), *b = filled(device, N * K + 4, 9), *c = filled(device, M * N, 10);
    assert_int_equal(device->k->product_create(device, &g, &plan, NULL), TC_OK);
    for (size_t shift = 0; shift < 5; shift++) {
        const tc_emulator_counts was = *tally;
        device->k->product_run(plan, a, tc_at(device, b, shift), NULL, c);
        assert_int_equal(tally->products - was.products, 1);
        assert_int_equal(tally->aligned - was.aligned, shift % 4 == 0);
    }
    assert_int_equal(tc_device_health(device, NULL), TC_OK);
    device->k->product_destroy(device, plan);
    device->k->release(device, a);
    device->k->release(device, b);
    device->k->release(device, c);
    tc_device_close(device);
}

/* Bias and ReLU by cuDNN or, where it refuses, by the kernel behind it: the same numbers. */
static void test_fusion(void **state) {
    (void)state;
    tc_device *reference = opened("reference", TC_F32_MATHS, false);
    numbers expected = computed(reference, &row, true, false);
    for (int refused = 0; refused < 2; refused++) {
        tc_device *device = opened("cuda", TC_F32_MATHS, false);
        const int was = tally->fused;
        if (refused) setenv("TOCSIN_EMULATED_UNFUSED", "1", 1);
        numbers all = computed(device, &row, true, false);
        assert_int_equal(tally->fused - was, !refused);
        assert_true(error_of(&all, &expected, FORWARD) < 1e-6);
        assert_int_equal(tc_device_health(device, NULL), TC_OK);
        drop(&all);
        tc_device_close(device);
    }
    drop(&expected);
    tc_device_close(reference);
}

/* Where each channel goes alone, cuDNN is not asked. */
static void test_channels_alone(void **state) {
    (void)state;
    static const conv_row alone = {2, 9, 8, 24, 24, 3, 2, 1, 24};
    tc_device *reference = opened("reference", TC_F32_MATHS, false), *device = opened("cuda", TC_TF32_MATHS, false);
    const tc_emulator_counts was = *tally;
    numbers expected = computed(reference, &alone, true, false), all = computed(device, &alone, true, false);
    for (int which = 0; which < PRODUCT; which++) assert_true(error_of(&all, &expected, which) < 1e-6);
    assert_int_equal(tally->asked, was.asked);
    assert_int_equal(tally->convolutions, was.convolutions);
    drop(&all);
    drop(&expected);
    tc_device_close(device);
    tc_device_close(reference);
}

/* ---- precision ---- */

typedef struct expectation {
    tc_precision precision;
    bool mixed;  /* the library gives floats for bf16 */
    bool groups; /* which it has not for bf16 */
    double low, high, product_low, product_high;
} expectation;

static void test_precision(void **state) {
    (void)state;
    static const expectation rows[] = {
        {TC_F32_MATHS, false, false, 0, 1e-6, 0, 1e-6},        {TC_TF32_MATHS, false, false, 1e-5, 5e-4, 1e-5, 5e-4},
        {TC_BF16_MATHS, false, false, 1e-3, 1e-2, 5e-4, 5e-3}, {TC_BF16_MATHS, true, false, 5e-4, 5e-3, 5e-4, 5e-3},
        {TC_F32_MATHS, false, true, 0, 1e-6, 0, 1e-6},         {TC_BF16_MATHS, false, true, 1e-5, 5e-4, 5e-4, 5e-3},
    };
    static const conv_row grouped = {2, 8, 8, 16, 24, 3, 1, 1, 4};
    tc_device *reference = opened("reference", TC_F32_MATHS, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const expectation *e = &rows[i];
        if (e->mixed) setenv("TOCSIN_EMULATED_MIXED", "1", 1);
        tc_device *device = opened("cuda", e->precision, false);
        numbers expected = computed(reference, e->groups ? &grouped : &row, false, false);
        numbers all = computed(device, e->groups ? &grouped : &row, false, false);
        for (int which = 0; which < RESULTS; which++) {
            const double off = error_of(&all, &expected, which);
            const double low = which == PRODUCT ? e->product_low : e->low;
            const double high = which == PRODUCT ? e->product_high : e->high;
            if (!(off >= low && off <= high)) fail_msg("row %zu, result %d: off by %.3g", i, which, off);
        }
        drop(&all);
        drop(&expected);
        tc_device_close(device);
        as_usual(NULL);
    }
    tc_device_close(reference);
}

/* Plans of several sizes work in shared memory, one after the other. */
static void test_plans_take_turns(void **state) {
    (void)state;
    static const int batches[] = {1, 9, 4};
    tc_device *reference = opened("reference", TC_F32_MATHS, false), *device = opened("cuda", TC_BF16_MATHS, false);
    const size_t before = device->bytes;
    tc_conv_plan *plan[3];
    for (int i = 0; i < 3; i++) plan[i] = planned(device, batches[i]);
    for (int turn = 0; turn < 6; turn++) {
        conv_row other = row;
        other.n = batches[turn % 3];
        const tc_convolution g = convolution_of(&other, 0, 0);
        numbers expected = computed(reference, &other, false, false), all = {0};
        convolve(device, plan[turn % 3], &g, &all);
        for (int which = 0; which < PRODUCT; which++) assert_true(error_of(&all, &expected, which) < 1e-2);
        drop(&all);
        drop(&expected);
    }
    for (int i = 0; i < 3; i++) device->k->conv_destroy(device, plan[i]);
    assert_int_equal(device->bytes, before); /* the last plan has taken the shared memory with it */
    tc_device_close(device);
    tc_device_close(reference);
}

/* An algorithm that needs more than the device's workspace has it from the plan, and keeps it apart from what the plan
 * converts. */
static void test_more_workspace(void **state) {
    (void)state;
    tc_device *reference = opened("reference", TC_F32_MATHS, false);
    numbers expected = computed(reference, &row, false, false);
    for (int precision = TC_F32_MATHS; precision <= TC_BF16_MATHS; precision++) {
        for (int fastest = 0; fastest < 2; fastest++) {
            tc_device *device = opened("cuda", (tc_precision)precision, fastest);
            const size_t before = device->bytes;
            setenv("TOCSIN_EMULATED_HUNGRY", "1", 1);
            numbers all = computed(device, &row, false, false);
            for (int which = 0; which < PRODUCT; which++) assert_true(error_of(&all, &expected, which) < 1e-2);
            assert_int_equal(device->bytes, before);
            drop(&all);
            tc_device_close(device);
            as_usual(NULL);
        }
    }
    drop(&expected);
    tc_device_close(reference);
}

/* ---- failures ---- */

static void one_line(const tc_error *error, const char *expected) {
    if (!strstr(error->message, expected)) fail_msg("'%s' is not in '%s'", expected, error->message);
    assert_null(strchr(error->message, '\n'));
}

/* A plan that cannot be made leaves nothing behind, and a device that goes on. */
static void test_plans_that_fail(void **state) {
    (void)state;
    static const char *const failures[] = {
        "cudnnCreateTensorDescriptor",
        "cudnnCreateTensorDescriptor:2",
        "cudnnCreateConvolutionDescriptor:3",
        "cudnnGetConvolutionForwardAlgorithm_v7",
        "cudnnGetConvolutionBackwardDataAlgorithm_v7",
        "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
        "cublasLtMatmulDescCreate",
        "cublasLtMatrixLayoutCreate:2",
        "cublasLtMatmulAlgoGetHeuristic:2",
    };
    const tc_convolution g = convolution_of(&row, 0, 0);
    const tc_product p = {.m = M, .n = N, .k = K};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        tc_device *device = opened("cuda", TC_F32_MATHS, false);
        const size_t before = device->bytes;
        const bool product = failures[i][2] == 'b';
        tc_conv_plan *plan = NULL;
        tc_product_plan *product_plan = NULL;
        tc_error error = {0};
        setenv("TOCSIN_EMULATED_FAILURE", failures[i], 1);
        const tc_status status = product ? device->k->product_create(device, &p, &product_plan, &error)
                                         : device->k->conv_create(device, &g, &plan, &error);
        as_usual(NULL);
        assert_int_equal(status, TC_FAILED);
        assert_null(plan);
        assert_null(product_plan);
        one_line(&error, product ? "device cuda:0: cuBLAS has no product 6×10×70" : "device cuda:0: cuDNN has no");
        assert_int_equal(device->bytes, before);
        assert_int_equal(tc_device_health(device, &error), TC_OK);
        tc_device_close(device);
    }
}

/* What fails while running is remembered, and results say so. */
static void test_runs_that_fail(void **state) {
    (void)state;
    static const struct {
        const char *function;
        int result;
        const char *says;
    } rows[] = {
        {"cudnnConvolutionForward", FORWARD, "device cuda:0: convolution: CUDNN_STATUS_EXECUTION_FAILED"},
        {"cudnnConvolutionBackwardData", DATA, "device cuda:0: convolution, data gradient: "},
        {"cudnnConvolutionBackwardFilter", GRADIENT, "device cuda:0: convolution, weight gradient: "},
        {"cublasLtMatmul", PRODUCT, "device cuda:0: matrix product: CUBLAS_STATUS_EXECUTION_FAILED"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tc_device *device = opened("cuda", TC_F32_MATHS, false);
        tc_error error = {0};
        tc_conv_plan *plan = planned(device, 2);
        const tc_convolution g = convolution_of(&row, 0, 0);
        numbers all = {0};
        setenv("TOCSIN_EMULATED_FAILURE", rows[i].function, 1);
        if (rows[i].result == PRODUCT)
            multiply(device, &all);
        else
            convolve(device, plan, &g, &all);
        as_usual(NULL);
        for (size_t j = 0; j < all.count[rows[i].result]; j++) assert_true(isnan(all.of[rows[i].result][j]));
        assert_int_equal(tc_device_health(device, &error), TC_FAILED);
        one_line(&error, rows[i].says);
        drop(&all);
        device->k->conv_destroy(device, plan);
        tc_device_close(device);
    }
}

static void test_libraries_that_do_not_open(void **state) {
    (void)state;
    static const char *const rows[][2] = {{"cudnnCreate", "opening cuDNN"}, {"cublasLtCreate", "opening cuBLAS"}};
    for (int i = 0; i < 2; i++) {
        tc_device *device = NULL;
        tc_error error = {0};
        setenv("TOCSIN_EMULATED_FAILURE", rows[i][0], 1);
        assert_int_equal(tc_device_open_with(&(tc_device_options){.name = "cuda"}, &device, &error), TC_FAILED);
        as_usual(NULL);
        assert_null(device);
        one_line(&error, rows[i][1]);
    }
}

static void test_geometry_that_does_not_fit(void **state) {
    (void)state;
    tc_device *device = opened("cuda", TC_F32_MATHS, false);
    tc_convolution g = convolution_of(&row, 0, 0);
    tc_conv_plan *plan = NULL;
    tc_error error = {0};
    g.out.h++;
    assert_int_equal(device->k->conv_create(device, &g, &plan, &error), TC_INVALID);
    assert_null(plan);
    one_line(&error, "convolution: ");
    tc_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_chosen_once, as_usual),
        cmocka_unit_test_teardown(test_results_repeat, as_usual),
        cmocka_unit_test_teardown(test_direct, as_usual),
        cmocka_unit_test_teardown(test_operands_are_aligned_or_not, as_usual),
        cmocka_unit_test_teardown(test_fusion, as_usual),
        cmocka_unit_test_teardown(test_channels_alone, as_usual),
        cmocka_unit_test_teardown(test_precision, as_usual),
        cmocka_unit_test_teardown(test_plans_take_turns, as_usual),
        cmocka_unit_test_teardown(test_more_workspace, as_usual),
        cmocka_unit_test_teardown(test_plans_that_fail, as_usual),
        cmocka_unit_test_teardown(test_runs_that_fail, as_usual),
        cmocka_unit_test_teardown(test_libraries_that_do_not_open, as_usual),
        cmocka_unit_test_teardown(test_geometry_that_does_not_fit, as_usual),
    };
    return cmocka_run_group_tests(tests, find_tally, NULL);
}
