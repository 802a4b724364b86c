/* Text from outside stays text, and Base64 is Base64 (the examples of RFC 4648). */
#include "report/figures.h"
#include "report/html.h"

#include <jansson.h>
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

/* A chart's numbers stand in a <script>: no name in them may end it. */
static void test_json(void **state) {
    (void)state;
    char *made = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&made, &size);
    json_t *json = json_pack("{s:s, s:f}", "name", "</script><b>\"é", "x", 0.5);
    assert_int_equal(tc_html_json(out, json, NULL), TC_OK);
    fclose(out);
    assert_string_equal(made, "{\"name\":\"\\u003c/script>\\u003cb>\\\"é\",\"x\":0.5}");
    json_t *back = json_loads(made, 0, NULL);
    assert_true(json_equal(json, back));
    json_decref(json);
    json_decref(back);
    free(made);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escape), cmocka_unit_test(test_base64),
                                       cmocka_unit_test(test_figures), cmocka_unit_test(test_json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
