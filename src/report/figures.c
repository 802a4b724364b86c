#include "report/figures.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const json_t *descend(const json_t *from, va_list names) {
    for (const char *name; (name = va_arg(names, const char *));) from = json_object_get(from, name);
    return from;
}

double tc_figure(const json_t *from, ...) {
    va_list names;
    va_start(names, from);
    const json_t *found = descend(from, names);
    va_end(names);
    return json_is_number(found) ? json_number_value(found) : NAN;
}

const char *tc_figure_text(const json_t *from, ...) {
    va_list names;
    va_start(names, from);
    const json_t *found = descend(from, names);
    va_end(names);
    return json_is_string(found) ? json_string_value(found) : "";
}

void tc_figure_share(double mean, double standard_error, char *text, size_t size) {
    if (!isfinite(mean))
        snprintf(text, size, "–");
    else if (!isfinite(standard_error))
        snprintf(text, size, "%.1f %%", 100 * mean);
    else
        snprintf(text, size, "%.1f ± %.1f %%", 100 * mean, 100 * standard_error);
}

void tc_figure_number(const char *format, double value, char *text, size_t size) {
    if (isfinite(value))
        snprintf(text, size, format, value);
    else
        snprintf(text, size, "–");
}
