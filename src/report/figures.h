/* figures.h — the numbers of results.json, as the tables show them. */
#ifndef TC_REPORT_FIGURES_H
#define TC_REPORT_FIGURES_H

#include <jansson.h>
#include <stddef.h>

/* A number somewhere inside: tc_figure(cell, "metrics", "success", "mean", NULL); NaN where there is none. */
double tc_figure(const json_t *from, ...) __attribute__((sentinel));
/* A text somewhere inside, or "". */
const char *tc_figure_text(const json_t *from, ...) __attribute__((sentinel));

/* "62.5 ± 18.3 %" of a share and its standard error, "62.5 %" where the error is NaN, "–" where there is nothing. */
void tc_figure_share(double mean, double standard_error, char *text, size_t size);
/* "12.3" or "–". */
void tc_figure_number(const char *format, double value, char *text, size_t size) __attribute__((format(printf, 1, 0)));

#endif
