#include "base/width.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void counts_columns(void **state) {
    (void)state;
    assert_int_equal(tc_width(""), 0);
    assert_int_equal(tc_width("cat"), 3);
    assert_int_equal(tc_width("Äpfel"), 5);
    assert_int_equal(tc_width("A\u0308pfel"), 5); /* the same in two letters */
    assert_int_equal(tc_width("猫と犬"), 6);
    assert_int_equal(tc_width("97.5 ± 0.3 – 🐈"), 15);
    assert_int_equal(tc_width("\xff\xc3"), 2); /* no letters at all */
}

static void cuts_between_letters(void **state) {
    (void)state;
    assert_int_equal(tc_width_fit("Äpfel", 2), 3);
    assert_int_equal(tc_width_fit("Äpfel", 99), strlen("Äpfel"));
    assert_int_equal(tc_width_fit("猫と犬", 3), 3);
    assert_int_equal(tc_width_fit("A\u0308pfel", 1), 3);
    assert_int_equal(tc_width_fit("cat", 0), 0);
    assert_int_equal(tc_width_fit("cat", -1), 0);
}

static void pads_like_printf(void **state) {
    (void)state;
    char text[100] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    tc_width_put(out, "é", 3);
    tc_width_put(out, "猫", -3);
    tc_width_put(out, "long", 2);
    tc_width_put(out, "|", 0);
    fclose(out);
    assert_string_equal(text, "  é猫 long|");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_columns),
        cmocka_unit_test(cuts_between_letters),
        cmocka_unit_test(pads_like_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
