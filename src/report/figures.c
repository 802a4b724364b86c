#include "report/figures.h"

#include "evaluate/evaluate.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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

/* Is row `i` the first of its trial? All rows of a trial share one clean victim. */
static int first_of_trial(const json_t *rows, size_t i) {
    const double trial = tc_figure(json_array_get(rows, i), "trial", NULL);
    for (size_t j = 0; j < i; j++)
        if (tc_figure(json_array_get(rows, j), "trial", NULL) == trial) return 0;
    return 1;
}

tc_baseline tc_figure_baseline(const json_t *results) {
    const json_t *rows = json_object_get(results, "trials");
    const size_t count = json_array_size(rows);
    double *values = calloc(2 * count + 1, sizeof *values);
    tc_baseline found = {NAN, NAN, NAN, NAN, 0};
    if (!values) return found;
    for (size_t i = 0; i < count; i++) {
        if (!first_of_trial(rows, i)) continue;
        values[found.trials] = tc_figure(json_array_get(rows, i), "metrics", "clean_success", NULL);
        values[count + found.trials++] = tc_figure(json_array_get(rows, i), "metrics", "clean_accuracy", NULL);
    }
    const tc_estimate success = tc_estimate_of(values, found.trials);
    const tc_estimate accuracy = tc_estimate_of(values + count, found.trials);
    free(values);
    if (found.trials)
        found =
            (tc_baseline){success.mean, success.standard_error, accuracy.mean, accuracy.standard_error, found.trials};
    return found;
}
