/* Devices: opening, memory that is counted, numbers that come back as they went. */
#include "testing.h"

static void test_open(void **state) {
    (void)state;
    tc_error error = {0};
    tc_device *device = NULL;
    assert_int_equal(tc_device_open("reference", 3, &device, &error), TC_OK);
    assert_string_equal(device->name, "reference");
    assert_int_equal(device->threads, 3);
    assert_int_equal(device->element, 8);
    tc_device_close(device);
    assert_int_equal(tc_device_open("reference", 0, &device, &error), TC_OK);
    assert_true(device->threads >= 1);
    tc_device_close(device);
    assert_int_equal(tc_device_open("abacus", 1, &device, &error), TC_INVALID);
    assert_null(device);
    assert_non_null(strstr(error.message, "abacus"));
    tc_device_close(NULL);
}

/* What a device may leave out, as device.h says. */
static const size_t optional[] = {offsetof(tc_kernels, health),       offsetof(tc_kernels, enter),
                                  offsetof(tc_kernels, record_begin), offsetof(tc_kernels, record_end),
                                  offsetof(tc_kernels, replay),       offsetof(tc_kernels, recording_free),
                                  offsetof(tc_kernels, conv_squares)};

static bool may_be_missing(size_t offset) {
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        if (optional[i] == offset) return true;
    return false;
}

/* Backends fill in the rest of the table: a missing kernel would be found by a user. */
static void test_table_is_full(void **state) {
    (void)state;
    static const char *const names[] = {"reference", "cpu"};
    for (int i = 0; i < 2; i++) {
        tc_device *device = NULL;
        tc_error error = {0};
        if (tc_device_open(names[i], 1, &device, &error) != TC_OK) fail_msg("%s", error.message);
        void (*entry[sizeof(tc_kernels) / sizeof(void (*)(void))])(void);
        memcpy(entry, device->k, sizeof entry);
        for (size_t e = 0; e < sizeof entry / sizeof *entry; e++)
            if (!entry[e] && !may_be_missing(e * sizeof *entry)) fail_msg("%s: kernel %zu is missing", names[i], e);
        tc_device_close(device);
    }
}

static void test_memory(void **state) {
    (void)state;
    tc_error error = {0};
    void *a = NULL, *b = NULL;
    const uint64_t before = on.device->allocations;
    assert_int_equal(on.k->allocate(on.device, 1000, &a, &error), TC_OK);
    assert_int_equal(tc_device_reals(on.device, 7, &b, &error), TC_OK);
    assert_true((uintptr_t)a % 64 == 0 && (uintptr_t)b % 64 == 0);
    for (int i = 0; i < 1000; i++) assert_int_equal(((char *)a)[i], 0);
    for (int i = 0; i < 7; i++) assert_true(((double *)b)[i] == 0);
    assert_int_equal(on.device->allocations - before, 2);
    assert_int_equal(on.device->bytes, 1056);
    on.k->release(on.device, a);
    assert_int_equal(on.device->bytes, 56);
    assert_int_equal(on.device->peak_bytes, 1056);
    on.k->release(on.device, b);
    on.k->release(on.device, NULL);
    assert_int_equal(on.device->bytes, 0);
}

const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void test_too_much_memory(void **state) {
    (void)state;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 64, SIZE_MAX - 127, SIZE_MAX / 2};
    for (int i = 0; i < 4; i++) {
        tc_error error = {0};
        void *memory = &error;
        assert_int_equal(on.k->allocate(on.device, sizes[i], &memory, &error), TC_FAILED);
        assert_null(memory);
        assert_non_null(strstr(error.message, "device reference: "));
    }
    assert_int_equal(on.device->bytes, 0);
}

static void test_transfers(void **state) {
    (void)state;
    enum { N = 20000 };
    double *x = reals(N), *doubles = noise(N), back[4];
    float *floats = malloc(N * sizeof *floats);
    assert_non_null(floats);
    on.k->upload_double(on.device, x, doubles, N);
    assert_memory_equal(x, doubles, N * sizeof *x);
    on.k->download_float(on.device, floats, x, N);
    for (int i = 0; i < N; i++) assert_true(floats[i] == (float)doubles[i]);
    on.k->upload_float(on.device, x, floats, N);
    for (int i = 0; i < N; i++) assert_true(x[i] == (double)floats[i]);
    on.k->download_double(on.device, back, tc_at(on.device, x, N - 4), 4);
    assert_memory_equal(back, x + N - 4, sizeof back);
    char *raw = bytes(5), text[5] = "";
    on.k->upload_bytes(on.device, raw, "bell", 5);
    on.k->download_bytes(on.device, text, raw, 5);
    assert_string_equal(text, "bell");
    on.k->upload_bytes(on.device, NULL, NULL, 0);
    free(floats);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),       cmocka_unit_test(test_table_is_full), KERNEL_TEST(test_memory),
        KERNEL_TEST(test_too_much_memory), KERNEL_TEST(test_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
