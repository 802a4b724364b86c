#include "data/npy.h"

#include "helper.h"

static tc_error error;

/* What numpy 1.24 writes for numpy.save(…, numpy.arange(6, dtype='<i2').reshape(2, 3)). */
static size_t numpy_file(uint8_t *bytes) {
    static const char header[] = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }";
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(bytes + 10, ' ', 118);
    memcpy(bytes + 10, header, sizeof header - 1);
    bytes[127] = '\n';
    for (int i = 0; i < 6; i++) {
        bytes[128 + 2 * i] = (uint8_t)i;
        bytes[129 + 2 * i] = 0;
    }
    return 140;
}

static void writes_byte_for_byte_as_numpy(void **state) {
    (void)state;
    static const int16_t x[6] = {0, 1, 2, 3, 4, 5};
    uint8_t expected[140], *bytes;
    size_t size;
    const tc_npy array = tc_npy_of(TC_NPY_I16, x, 2, (size_t[]){2, 3});
    helper_ok(tc_npy_write(helper_at("", "x.npy"), &array, &error), &error);
    helper_ok(tc_file_read(helper_at("", "x.npy"), 1000, &bytes, &size, &error), &error);
    assert_int_equal(size, numpy_file(expected));
    assert_memory_equal(bytes, expected, size);
    free(bytes);
}

/* A file from header text and elements. */
static size_t build(uint8_t *bytes, const char *header, const void *elements, size_t size) {
    const size_t length = strlen(header);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, header, length);
    if (size) memcpy(bytes + 10 + length, elements, size);
    return 10 + length + size;
}

static void reads_orders_and_spellings(void **state) {
    (void)state;
    uint8_t bytes[512];
    tc_npy a;
    static const uint8_t big[] = {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};
    size_t size = build(bytes, "{\"shape\":(3L,2),'fortran_order':True,'descr':'>i2'}", big, sizeof big);
    assert_int_equal(tc_npy_parse(bytes, size, "x", &a, &error), TC_INVALID); /* Python 2's long: too old */
    size = build(bytes, "{\"shape\":(3,2),'fortran_order':True,'descr':'>i2'}\n", big, sizeof big);
    helper_ok(tc_npy_parse(bytes, size, "x", &a, &error), &error);
    assert_int_equal(a.type, TC_NPY_I16);
    assert_memory_equal(a.data, ((int16_t[]){1, 4, 2, 5, 3, 6}), 12);
    tc_npy_free(&a);
    size = build(bytes, "{'descr': '|b1', 'fortran_order': False, 'shape': (), }", "\1", 1);
    helper_ok(tc_npy_parse(bytes, size, "x", &a, &error), &error);
    assert_int_equal(a.rank, 0);
    assert_int_equal(a.count, 1);
    tc_npy_free(&a);
    size = build(bytes, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 5), }", "", 0);
    helper_ok(tc_npy_parse(bytes, size, "x", &a, &error), &error);
    assert_int_equal(a.count, 0);
    tc_npy_free(&a);
}

static void refuses_headers_that_lie(void **state) {
    (void)state;
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'extra': 1, 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4",
        "",
    };
    uint8_t bytes[512];
    tc_npy a;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const size_t size = build(bytes, headers[i], "abcd", 4);
        if (tc_npy_parse(bytes, size, "x", &a, &error) != TC_INVALID) fail_msg("accepted: %s", headers[i]);
        assert_null(a.data);
        assert_memory_equal(error.message, "x: ", 3);
    }
}

/* In a block of exactly its size, so that the sanitizer sees the first byte read too far. */
static void survives_damage(void **state) {
    (void)state;
    uint8_t whole[140];
    const size_t size = numpy_file(whole);
    tc_npy a;
    for (size_t length = 0; length < size; length++) {
        uint8_t *cut = malloc(length ? length : 1);
        memcpy(cut, whole, length);
        assert_int_equal(tc_npy_parse(cut, length, "x", &a, &error), TC_INVALID);
        free(cut);
    }
    tc_stream stream = tc_stream_make(7);
    for (int round = 0; round < 3000; round++) {
        uint8_t *damaged = malloc(size);
        memcpy(damaged, whole, size);
        for (int i = 0; i < 3; i++) damaged[tc_draw_below(&stream, 80)] = (uint8_t)tc_draw_bits(&stream);
        const tc_status status = tc_npy_parse(damaged, size, "x", &a, &error);
        assert_true(status == TC_OK || status == TC_INVALID);
        tc_npy_free(&a);
        free(damaged);
    }
}

static void casts_only_what_fits(void **state) {
    (void)state;
    tc_npy a = tc_npy_of(TC_NPY_F64, NULL, 1, (size_t[]){3});
    a.data = malloc(3 * sizeof(double));
    memcpy(a.data, ((double[]){-3, 0, 200}), 3 * sizeof(double));
    assert_int_equal(tc_npy_cast(&a, TC_NPY_U8, "y", &error), TC_INVALID);
    assert_non_null(strstr(error.message, "y: element 0 is -3, which is no uint8"));
    assert_int_equal(tc_npy_cast(&a, TC_NPY_I8, "y", &error), TC_INVALID);
    helper_ok(tc_npy_cast(&a, TC_NPY_I64, "y", &error), &error);
    assert_memory_equal(a.data, ((int64_t[]){-3, 0, 200}), 24);
    helper_ok(tc_npy_cast(&a, TC_NPY_F32, "y", &error), &error);
    assert_memory_equal(a.data, ((float[]){-3, 0, 200}), 12);
    ((float *)a.data)[1] = 0.5f;
    assert_int_equal(tc_npy_cast(&a, TC_NPY_I32, "y", &error), TC_INVALID);
    ((float *)a.data)[1] = 0.0f / 0.0f;
    assert_int_equal(tc_npy_cast(&a, TC_NPY_I32, "y", &error), TC_INVALID);
    tc_npy_free(&a);
    a = tc_npy_of(TC_NPY_U64, NULL, 1, (size_t[]){2});
    a.data = malloc(16);
    memcpy(a.data, ((uint64_t[]){UINT64_MAX, 1}), 16);
    assert_int_equal(tc_npy_cast(&a, TC_NPY_I64, "y", &error), TC_INVALID);
    ((uint64_t *)a.data)[0] = INT64_MAX;
    helper_ok(tc_npy_cast(&a, TC_NPY_I64, "y", &error), &error);
    assert_true(((int64_t *)a.data)[0] == INT64_MAX);
    tc_npy_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_byte_for_byte_as_numpy), cmocka_unit_test(reads_orders_and_spellings),
        cmocka_unit_test(refuses_headers_that_lie),      cmocka_unit_test(survives_damage),
        cmocka_unit_test(casts_only_what_fits),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
