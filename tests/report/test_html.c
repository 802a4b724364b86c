/* Text from outside stays text, and Base64 is Base64 (the examples of RFC 4648). */
#include "report/figures.h"
#include "report/html.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *html_of(const char *text, int png) {
    char *made = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&made, &size);
    assert_non_null(out);
    if (png)
        tc_html_png(out, (const uint8_t *)text, strlen(text));
    else
        tc_html_text(out, text);
    fclose(out);
    return made;
}

static void test_escape(void **state) {
    (void)state;
    char *made = html_of("<img src=\"x\" onerror='y'> & é", 0);
    assert_string_equal(made, "&lt;img src=&quot;x&quot; onerror='y'&gt; &amp; é");
    free(made);
}

static void test_base64(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *made = html_of(pairs[i][0], 1);
        assert_int_equal(strncmp(made, "data:image/png;base64,", 22), 0);
        assert_string_equal(made + 22, pairs[i][1]);
        free(made);
    }
}

static void test_figures(void **state) {
    (void)state;
    char text[64];
    tc_figure_share(0.5, 0.125, text, sizeof text);
    assert_string_equal(text, "50.0 ± 12.5 %");
    tc_figure_share(0.5, NAN, text, sizeof text);
    assert_string_equal(text, "50.0 %");
    tc_figure_share(NAN, NAN, text, sizeof text);
    assert_string_equal(text, "–");
}

/* A clean victim counts once a trial, however many attacks share it. */
static void test_baseline(void **state) {
    (void)state;
    json_t *results =
        json_pack("{s:[{s:i, s:{s:f, s:f}}, {s:i, s:{s:f, s:f}}, {s:i, s:{s:f, s:f}}]}", "trials", "trial", 0,
                  "metrics", "clean_success", 1.0, "clean_accuracy", 0.5, "trial", 0, "metrics", "clean_success", 1.0,
                  "clean_accuracy", 0.5, "trial", 1, "metrics", "clean_success", 0.0, "clean_accuracy", 0.7);
    const tc_baseline found = tc_figure_baseline(results);
    assert_int_equal(found.trials, 2);
    assert_true(fabs(found.success - 0.5) <= 1e-12);
    assert_true(fabs(found.success_error - 0.5) <= 1e-12);
    assert_true(fabs(found.accuracy - 0.6) <= 1e-12);
    json_decref(results);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escape), cmocka_unit_test(test_base64),
                                       cmocka_unit_test(test_figures), cmocka_unit_test(test_baseline)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
