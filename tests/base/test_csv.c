#include "base/csv.h"

#include "base/file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static tc_error error;
static char path[] = "/tmp/tocsin-test-csv-XXXXXX";

static void put(const char *text) {
    assert_int_equal(tc_file_put(path, text, strlen(text), &error), TC_OK);
}

static void gives_rows_and_cells(void **state) {
    (void)state;
    tc_csv csv;
    put("\xEF\xBB\xBFid, class ,\r\n\r\n  \n7,-3\t,x,\n8");
    assert_int_equal(tc_csv_open(path, 100, &csv, &error), TC_OK);
    assert_true(tc_csv_row(&csv));
    assert_int_equal(csv.line, 1);
    assert_string_equal(tc_csv_cell(&csv), "id");
    assert_string_equal(tc_csv_cell(&csv), "class");
    assert_string_equal(tc_csv_cell(&csv), "");
    assert_null(tc_csv_cell(&csv));
    assert_null(tc_csv_cell(&csv));
    assert_true(tc_csv_row(&csv));
    assert_int_equal(csv.line, 4); /* lines with nothing in them are counted */
    assert_string_equal(tc_csv_cell(&csv), "7");
    assert_string_equal(tc_csv_cell(&csv), "-3");
    assert_true(tc_csv_row(&csv)); /* what is left of a row is skipped */
    assert_string_equal(tc_csv_cell(&csv), "8");
    assert_false(tc_csv_row(&csv));
    assert_false(tc_csv_row(&csv));
    assert_null(tc_csv_cell(&csv));
    tc_csv_close(&csv);
    put("");
    assert_int_equal(tc_csv_open(path, 100, &csv, &error), TC_OK);
    assert_false(tc_csv_row(&csv));
    tc_csv_close(&csv);
}

static void refuses_what_is_no_plain_table(void **state) {
    (void)state;
    tc_csv csv;
    put("id,\"class\"\n");
    assert_int_equal(tc_csv_open(path, 100, &csv, &error), TC_INVALID);
    assert_int_equal(tc_file_put(path, "1,2\0,3\n", 7, &error), TC_OK);
    assert_int_equal(tc_csv_open(path, 100, &csv, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "no plain CSV"));
    put("0123456789");
    assert_int_equal(tc_csv_open(path, 9, &csv, &error), TC_INVALID);
    assert_int_equal(tc_csv_open("/nowhere", 9, &csv, &error), TC_INVALID);
}

static void reads_numbers_strictly(void **state) {
    (void)state;
    static const char *const whole[] = {"0", "9", "-0", "+4"},
                             *const not_whole[] = {"10", "-1", "", "3.0", "2x", "nan", "99999999999999999999"};
    static const char *const real[] = {"0", "-1e3", "0x1p3", "2.5"}, *const not_real[] = {"",      "nan", "-inf",
                                                                                          "1e999", "3,",  "1 2"};
    const tc_csv csv = {.path = "f.csv", .line = 12};
    int64_t integer;
    double number;
    for (int i = 0; i < 4; i++) assert_int_equal(tc_csv_int(&csv, whole[i], "id", 0, 9, &integer, &error), TC_OK);
    for (int i = 0; i < 7; i++)
        assert_int_equal(tc_csv_int(&csv, not_whole[i], "id", 0, 9, &integer, &error), TC_INVALID);
    assert_string_equal(error.message, "f.csv:12: id is '99999999999999999999'; must be a whole number, 0 … 9");
    assert_int_equal(tc_csv_int(&csv, NULL, "id", 0, 9, &integer, &error), TC_INVALID);
    for (int i = 0; i < 4; i++) assert_int_equal(tc_csv_real(&csv, real[i], "a logit", &number, &error), TC_OK);
    assert_true(number == 2.5);
    for (int i = 0; i < 6; i++)
        assert_int_equal(tc_csv_real(&csv, not_real[i], "a logit", &number, &error), TC_INVALID);
    assert_int_equal(tc_csv_real(&csv, NULL, "a logit", &number, &error), TC_INVALID);
    assert_string_equal(error.message, "f.csv:12: a logit is ''; must be a finite number");
}

static void writes_numbers_shortly(void **state) {
    (void)state;
    char text[TC_CSV_NUMBER];
    assert_string_equal(tc_csv_number(0.1, text), "0.1");
    assert_string_equal(tc_csv_number(0.10000000000000001, text), "0.1");
    assert_string_equal(tc_csv_number(-2, text), "-2");
    assert_string_equal(tc_csv_number(NAN, text), "");
    const double odd[] = {1.0 / 3, 0.1 + 0.2, 2.0 / 3e-300, 5e-324, 1e308};
    for (int i = 0; i < 5; i++) assert_true(strtod(tc_csv_number(odd[i], text), NULL) == odd[i]);
}

static void puts_quotes_where_they_are_needed(void **state) {
    (void)state;
    static const char *const cells[] = {"cat/1.png", "", "a,b", "say \"cheese\".png", "two\nlines"};
    char text[100] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    for (int i = 0; i < 5; i++) {
        tc_csv_put(out, cells[i]);
        fputc(';', out);
    }
    fclose(out);
    assert_string_equal(text, "cat/1.png;;\"a,b\";\"say \"\"cheese\"\".png\";\"two\nlines\";");
}

int main(void) {
    const int file = mkstemp(path);
    if (file < 0) return 1;
    close(file);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_rows_and_cells),
        cmocka_unit_test(refuses_what_is_no_plain_table),
        cmocka_unit_test(reads_numbers_strictly),
        cmocka_unit_test(writes_numbers_shortly),
        cmocka_unit_test(puts_quotes_where_they_are_needed),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
