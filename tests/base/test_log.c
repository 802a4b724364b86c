/* Lines for a person: none from a library that nobody has asked to speak, then those that were asked for. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What two lines, one of them a detail, leave on standard error. */
static void say_both(char *said, size_t size) {
    FILE *file = tmpfile();
    const int before = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(before >= 0);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    tc_log("%d line", 1);
    tc_log_detail("a detail");
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    said[fread(said, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void silent_until_asked(void **state) {
    (void)state;
    char said[64];
    say_both(said, sizeof said);
    assert_string_equal(said, "");
    tc_log_set(TC_NORMAL);
    say_both(said, sizeof said);
    assert_string_equal(said, "1 line\n");
    tc_log_set(TC_VERBOSE);
    assert_int_equal(tc_log_verbosity(), TC_VERBOSE);
    say_both(said, sizeof said);
    assert_string_equal(said, "1 line\na detail\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(silent_until_asked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
