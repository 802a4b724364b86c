#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/tocsin-test-path-XXXXXX";

static void knows_what_lies_within(void **state) {
    (void)state;
    static const struct {
        const char *path, *folder;
        bool within;
    } cases[] = {
        {"a", "a", true},          {"a/b", "a", true},  {"a/b/not/there/yet", "a", true},
        {"a", "a/b", false},       {"ab", "a", false},  {"ab/not/there", "a", false},
        {"a/../ab/x", "a", false}, {"link", "a", true}, {"link/x", "a", true},
        {"not", "not", false},     {"x", ".", true},    {"a/", "a/", true},
        {"/not/there", "/", true}, {".", "a", false},   {"a/b", "link", true},
    };
    assert_int_equal(chdir(root), 0);
    assert_int_equal(tc_folder_make("a/b", NULL), TC_OK);
    assert_int_equal(tc_folder_make("ab", NULL), TC_OK);
    assert_int_equal(symlink("a", "link"), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (tc_path_within(cases[i].path, cases[i].folder) != cases[i].within)
            fail_msg("'%s' within '%s'", cases[i].path, cases[i].folder);
}

static void knows_links(void **state) {
    (void)state;
    assert_true(tc_is_link("link") && tc_folder_exists("link"));
    assert_false(tc_is_link("a") || tc_is_link("not"));
}

static int make_root(void **state) {
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
    (void)state;
    return tc_folder_remove(root, NULL) == TC_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_lies_within),
        cmocka_unit_test(knows_links),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
