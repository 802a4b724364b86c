#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool fruitless;

static void put(tc_error *error, tc_status status, const char *format, va_list list) {
    if (!error) return;
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, list);
    for (char *c = error->message; *c; c++) /* one line, whatever a library's own message or a path contained */
        if (*c == '\n' || *c == '\r') *c = ' ';
}

tc_status tc_raise(tc_error *error, tc_status status, const char *format, ...) {
    va_list list;
    fruitless = false;
    va_start(list, format);
    put(error, status, format, list);
    va_end(list);
    return status;
}

tc_status tc_raise_fruitless(tc_error *error, tc_status status, const char *format, ...) {
    va_list list;
    fruitless = true;
    va_start(list, format);
    put(error, status, format, list);
    va_end(list);
    return status;
}

bool tc_fruitless(void) {
    return fruitless;
}

void tc_fruitless_forget(void) {
    fruitless = false;
}

tc_status tc_error_at(tc_error *error, const char *where) {
    if (!error) return TC_FAILED;
    char message[sizeof error->message];
    const bool was = fruitless;
    memcpy(message, error->message, sizeof message);
    tc_raise(error, error->status, "%s: %s", where, message);
    fruitless = was;
    return error->status;
}

tc_status tc_new(void *pointer, size_t count, size_t size, tc_error *error) {
    void *memory = calloc(count ? count : 1, size ? size : 1);
    memcpy(pointer, &memory, sizeof memory);
    if (memory) return TC_OK;
    return tc_raise(error, TC_FAILED, "memory: %zu objects of %zu bytes do not fit; use a smaller batch or width",
                    count, size);
}
