#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Under the address sanitizer an allocation that cannot be made would otherwise stop the program. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void test_raise(void **state) {
    (void)state;
    tc_error error = {0};
    assert_int_equal(tc_raise(&error, TC_INVALID, "%s: %d rows; use fewer", "a.csv", 7), TC_INVALID);
    assert_int_equal(error.status, TC_INVALID);
    assert_string_equal(error.message, "a.csv: 7 rows; use fewer");
    assert_int_equal(tc_error_at(&error, "spec.yaml:3"), TC_INVALID);
    assert_string_equal(error.message, "spec.yaml:3: a.csv: 7 rows; use fewer");
    assert_int_equal(tc_raise(NULL, TC_FAILED, "nobody listens"), TC_FAILED);
    assert_int_equal(tc_error_at(NULL, "nowhere"), TC_FAILED);
}

static void test_one_line(void **state) {
    (void)state;
    tc_error error = {0};
    tc_raise(&error, TC_FAILED, "a%sb", "\r\n");
    assert_string_equal(error.message, "a  b");
    char text[4096];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tc_raise(&error, TC_FAILED, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    tc_error_at(&error, text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

static tc_status leaves_through_done(int *cleaned, int fail, tc_error *error) {
    tc_status status = TC_OK;
    if (fail == 1) TC_TRY(tc_raise(error, TC_INVALID, "tried"));
    if (fail == 2) TC_RAISE(TC_INTERRUPTED, "raised %d", fail);
    TC_TRY(TC_OK);
done:
    ++*cleaned;
    return status;
}

static void test_macros(void **state) {
    (void)state;
    tc_error error = {0};
    int cleaned = 0;
    assert_int_equal(leaves_through_done(&cleaned, 0, &error), TC_OK);
    assert_int_equal(leaves_through_done(&cleaned, 1, &error), TC_INVALID);
    assert_string_equal(error.message, "tried");
    assert_int_equal(leaves_through_done(&cleaned, 2, &error), TC_INTERRUPTED);
    assert_string_equal(error.message, "raised 2");
    assert_int_equal(cleaned, 3);
}

static void test_new(void **state) {
    (void)state;
    tc_error error = {0};
    double *numbers = NULL;
    assert_int_equal(tc_new(&numbers, 100, sizeof *numbers, &error), TC_OK);
    for (int i = 0; i < 100; i++) assert_true(numbers[i] == 0);
    free(numbers);
    assert_int_equal(tc_new(&numbers, 0, sizeof *numbers, &error), TC_OK);
    assert_non_null(numbers);
    free(numbers);
    numbers = &(double){1};
    volatile size_t huge = SIZE_MAX / 2; /* the product overflows: not a small block by accident */
    assert_int_equal(tc_new(&numbers, huge, sizeof *numbers, &error), TC_FAILED);
    assert_null(numbers);
    assert_non_null(strstr(error.message, "memory: "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raise),
        cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_macros),
        cmocka_unit_test(test_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
