#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static tc_verbosity chosen = TC_QUIET; /* libraries print nothing; the program has its own say */

void tc_log_set(tc_verbosity verbosity) {
    chosen = verbosity;
}

tc_verbosity tc_log_verbosity(void) {
    return chosen;
}

static void line(tc_verbosity least, const char *format, va_list list) {
    if (chosen < least) return;
    flockfile(stderr); /* a line is one, whoever else of this process has something to say */
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    funlockfile(stderr);
}

void tc_log(const char *format, ...) {
    va_list list;
    va_start(list, format);
    line(TC_NORMAL, format, list);
    va_end(list);
}

void tc_log_detail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    line(TC_VERBOSE, format, list);
    va_end(list);
}
