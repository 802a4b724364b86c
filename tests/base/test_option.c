#include "base/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    bool verbose;
    int64_t steps;
    double epsilon, rho;
    char path[TC_TEXT_SIZE];
    int sharpness;
} budget;

static const char *const sharpness_names[] = {"none", "worst-case", "gaussian", NULL};
static const tc_option table[] = {TC_BOOL(budget, verbose, "no", "say more"),
                                  TC_INT(budget, steps, 250, 1, 1e9, "steps", "optimisation steps"),
                                  TC_REAL(budget, epsilon, 16, 0, 255, "1/255", "largest change of a pixel"),
                                  TC_REAL_ABOVE(budget, rho, 0.05, 0, 10, "", "radius"),
                                  TC_TEXT(budget, path, "here", "where"),
                                  TC_CHOICE(budget, sharpness, "worst-case", sharpness_names, "kind of sharpness"),
                                  TC_OPTIONS_END};

static void test_defaults(void **state) {
    (void)state;
    budget b;
    memset(&b, 0x5a, sizeof b);
    tc_options_default(table, &b);
    assert_false(b.verbose);
    assert_int_equal(b.steps, 250);
    assert_true(b.epsilon == 16 && b.rho == 0.05);
    assert_string_equal(b.path, "here");
    assert_int_equal(b.sharpness, 1);
}

static void accepts(budget *b, const char *assignment) {
    tc_error error = {0};
    if (tc_options_assign(table, b, assignment, &error) != TC_OK) fail_msg("%s: %s", assignment, error.message);
}

static void test_accepts(void **state) {
    (void)state;
    budget b;
    tc_options_default(table, &b);
    static const char *const truths[] = {"verbose=true", "verbose=yes", "verbose=on"};
    static const char *const lies[] = {"verbose=false", "verbose=no", "verbose=off"};
    for (int i = 0; i < 3; i++) {
        accepts(&b, truths[i]);
        assert_true(b.verbose);
        accepts(&b, lies[i]);
        assert_false(b.verbose);
    }
    accepts(&b, "steps=1000000000");
    assert_int_equal(b.steps, 1000000000);
    accepts(&b, "epsilon=2.55e2");
    assert_true(b.epsilon == 255);
    accepts(&b, "epsilon=0");
    assert_true(b.epsilon == 0);
    accepts(&b, "path=a=b c");
    assert_string_equal(b.path, "a=b c");
    accepts(&b, "path=");
    assert_string_equal(b.path, "");
    accepts(&b, "sharpness=gaussian");
    assert_int_equal(b.sharpness, 2);
}

/* What the user typed, and the whole message. A refused value leaves the field alone. */
static void test_refuses(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"epsilon=300", "epsilon is 300; must be 0 … 255 (1/255)"},
        {"epsilon=-0.5", "epsilon is -0.5; must be 0 … 255 (1/255)"},
        {"epsilon=nan", "epsilon is 'nan'; must be a number, 0 … 255 (1/255)"},
        {"epsilon=inf", "epsilon is 'inf'; must be a number, 0 … 255 (1/255)"},
        {"epsilon=1e999", "epsilon is 1e999; must be 0 … 255 (1/255)"},
        {"epsilon=0x10", "epsilon is '0x10'; must be a number, 0 … 255 (1/255)"},
        {"epsilon= 16", "epsilon is ' 16'; must be a number, 0 … 255 (1/255)"},
        {"epsilon=16 ", "epsilon is '16 '; must be a number, 0 … 255 (1/255)"},
        {"epsilon=", "epsilon is ''; must be a number, 0 … 255 (1/255)"},
        {"epsilon=-", "epsilon is '-'; must be a number, 0 … 255 (1/255)"},
        {"epsilon=1.2.3", "epsilon is '1.2.3'; must be a number, 0 … 255 (1/255)"},
        {"rho=0", "rho is 0; must be above 0 … 10"},
        {"steps=0", "steps is 0; must be 1 … 1000000000 (steps)"},
        {"steps=2.5", "steps is '2.5'; must be a whole number, 1 … 1000000000 (steps)"},
        {"steps=1e3", "steps is '1e3'; must be a whole number, 1 … 1000000000 (steps)"},
        {"steps=99999999999999999999", "steps is 99999999999999999999; must be 1 … 1000000000 (steps)"},
        {"verbose=maybe", "verbose is 'maybe'; must be true or false"},
        {"sharpness=gausian",
         "sharpness is 'gausian'; did you mean 'gaussian'? It must be one of none, worst-case, gaussian"},
        {"sharpness=7", "sharpness is '7'; must be one of none, worst-case, gaussian"},
        {"epsilonn=3", "unknown option 'epsilonn'; did you mean 'epsilon'?"},
        {"RHO=3", "unknown option 'RHO'; did you mean 'rho'?"},
        {"zebra=3", "unknown option 'zebra'; known are verbose, steps, epsilon, rho, path, sharpness"},
        {"epsilon", "'epsilon' is no assignment; write NAME=VALUE"},
        {"=3", "'=3' is no assignment; write NAME=VALUE"},
    };
    budget b, before;
    memset(&b, 0, sizeof b);
    tc_options_default(table, &b);
    memcpy(&before, &b, sizeof b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tc_error error = {0};
        assert_int_equal(tc_options_assign(table, &b, cases[i][0], &error), TC_INVALID);
        assert_string_equal(error.message, cases[i][1]);
        assert_memory_equal(&b, &before, sizeof b);
        assert_int_equal(tc_options_assign(table, &b, cases[i][0], NULL), TC_INVALID);
    }
}

static void test_lengths(void **state) {
    (void)state;
    budget b;
    tc_options_default(table, &b);
    char text[TC_TEXT_SIZE + 1];
    memset(text, 'x', sizeof text);
    text[TC_TEXT_SIZE] = '\0';
    tc_error error = {0};
    assert_int_equal(tc_options_set(table, &b, "path", text, &error), TC_INVALID);
    assert_string_equal(error.message, "path is 1024 bytes long; must be shorter than 1024 bytes");
    assert_string_equal(b.path, "here");
    text[TC_TEXT_SIZE - 1] = '\0';
    assert_int_equal(tc_options_set(table, &b, "path", text, &error), TC_OK);
    assert_int_equal(strlen(b.path), TC_TEXT_SIZE - 1);
    /* a name, a number and a choice as long as a whole file */
    assert_int_equal(tc_options_set(table, &b, text, "1", &error), TC_INVALID);
    assert_int_equal(tc_options_set(table, &b, "steps", text, &error), TC_INVALID);
    assert_int_equal(tc_options_set(table, &b, "sharpness", text, &error), TC_INVALID);
    assert_int_equal(tc_options_assign(table, &b, text, &error), TC_INVALID);
}

/* A list may be as long as its field. */
static void test_lists(void **state) {
    (void)state;
    struct holder {
        char layers[2000];
    } h;
    const tc_option lists[] = {TC_LIST(struct holder, layers, "[]", "some"), TC_OPTIONS_END};
    char text[2001];
    tc_error error = {0};
    memset(text, 'x', sizeof text);
    text[2000] = '\0';
    tc_options_default(lists, &h);
    assert_string_equal(h.layers, "[]");
    assert_int_equal(tc_options_set(lists, &h, "layers", text, &error), TC_INVALID);
    assert_string_equal(error.message, "layers is 2000 bytes long; must be shorter than 2000 bytes");
    assert_int_equal(tc_options_set(lists, &h, "layers", text + 1, &error), TC_OK);
    assert_string_equal(h.layers, text + 1);
}

static void prints(const budget *b, const char *name, const char *expected) {
    char text[TC_TEXT_SIZE];
    tc_option_format(tc_option_find(table, name), b, text, sizeof text);
    assert_string_equal(text, expected);
}

static void test_format(void **state) {
    (void)state;
    budget b;
    tc_options_default(table, &b);
    b.epsilon = 1.0 / 3;
    prints(&b, "verbose", "false");
    prints(&b, "steps", "250");
    prints(&b, "rho", "0.05");
    prints(&b, "path", "here");
    prints(&b, "sharpness", "worst-case");
    char text[64];
    tc_option_format(tc_option_find(table, "epsilon"), &b, text, sizeof text);
    const double third = b.epsilon;
    assert_int_equal(tc_options_set(table, &b, "epsilon", text, NULL), TC_OK);
    assert_true(b.epsilon == third);
    assert_null(tc_option_find(table, "nothing"));
}

static void test_describe(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    tc_options_describe(table, out);
    fclose(out);
    assert_string_equal(text, "  verbose (yes/no) = no  say more\n"
                              "  steps (whole number, 1 … 1000000000 (steps)) = 250  optimisation steps\n"
                              "  epsilon (number, 0 … 255 (1/255)) = 16  largest change of a pixel\n"
                              "  rho (number, above 0 … 10) = 0.05  radius\n"
                              "  path (text) = here  where\n"
                              "  sharpness (one of none, worst-case, gaussian) = worst-case  kind of sharpness\n");
    free(text);
}

static void test_nearest(void **state) {
    (void)state;
    static const char *const words[] = {"resnet18", "resnet34", "vgg11", "lenet", NULL};
    assert_string_equal(tc_nearest("resnet81", words), "resnet18"); /* swapped neighbours count once */
    assert_string_equal(tc_nearest("ResNet-34", words), "resnet34");
    assert_string_equal(tc_nearest("lennet", words), "lenet");
    assert_null(tc_nearest("transformer", words));
    assert_null(tc_nearest("x", words));
    assert_null(tc_nearest("", words));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_accepts), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_lists),   cmocka_unit_test(test_format),
        cmocka_unit_test(test_describe), cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
