/* chart.h — a chart of the page: its numbers as JSON, which page/charts.js turns into a Vega chart, and the same
 * numbers as a table for those who cannot see it, or want them. */
#ifndef TC_REPORT_CHART_H
#define TC_REPORT_CHART_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* kind: "lines", "path" (points not joined by a common x), "dots" (an interval a row), "contour", "surface"; x and y
 * are the axes' titles; percent: y is a share. NULL without memory, and everything below is then a no-op up to the
 * write. */
json_t *tc_chart_new(const char *kind, const char *x, const char *y, bool percent);
/* One more series; slot: its colour (tc_grid_slot). Borrowed. */
json_t *tc_chart_series(json_t *chart, const char *name, int slot);
/* What is not finite is left out: the whole point without x or y, the interval without low or high. */
void tc_chart_point(json_t *series, double x, double y, double low, double high);
size_t tc_chart_points(const json_t *series);

/* Takes the chart. note: what the reader must know, under the title; may be "". */
tc_status tc_chart_write(FILE *out, json_t *chart, const char *title, const char *note, tc_error *error);

#endif
