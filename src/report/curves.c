/* curves.c — how training went, epoch by epoch: loss and accuracy of the surrogate, of the clean victims and of the
 * victims of each method, a pair of charts for each combination of the swept factors. */
#include "report/chart.h"
#include "report/figures.h"
#include "report/html.h"
#include "report/sections.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { OPEN_COLUMNS = 2, MOST_COLUMNS = 12, MOST_SERIES = 24, SURROGATE = -2, CLEAN = -1 };

static const json_t *cell_of(const tc_page *page, const json_t *curve) {
    const double number = tc_figure(curve, "cell", NULL);
    const json_t *cells = page->grid->cells;
    return number >= 0 && number < (double)json_array_size(cells) ? json_array_get(cells, (size_t)number) : NULL;
}

/* Its name in the legend, and its colour. Surrogates and clean victims are shared between the methods of a row's
 * network. */
static int name_curve(const tc_page *page, const json_t *curve, char name[TC_GRID_NAME]) {
    const json_t *cell = cell_of(page, curve);
    const int row = tc_grid_row_of(page->grid, cell);
    const char *of = tc_figure_text(curve, "of", NULL), *victim = page->grid->row[row].victim;
    if (!strcmp(of, "surrogate")) {
        snprintf(name, TC_GRID_NAME, "surrogate");
        return SURROGATE;
    }
    if (!strcmp(of, "clean")) {
        snprintf(name, TC_GRID_NAME, page->grid->victims ? "clean victim, %s" : "clean victim", victim);
        return CLEAN;
    }
    tc_grid_row_name(page->grid, row, name);
    return tc_grid_slot(page->grid, row);
}

static bool has_series(const json_t *chart, const char *name) {
    const json_t *list = json_object_get(chart, "series");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!strcmp(tc_figure_text(json_array_get(list, i), "name", NULL), name)) return true;
    return false;
}

static double number_at(const json_t *list, size_t i) {
    const json_t *value = json_array_get(list, i);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void put_curve(const json_t *curve, const char *measure, json_t *series) {
    char spread[64];
    snprintf(spread, sizeof spread, "%s_stderr", measure);
    const json_t *epochs = json_object_get(curve, "epoch"), *means = json_object_get(curve, measure);
    const json_t *errors = json_object_get(curve, spread);
    for (size_t i = 0; i < json_array_size(means); i++) {
        const double x = epochs ? number_at(epochs, i) : (double)i + 1, y = number_at(means, i),
                     e = number_at(errors, i);
        tc_chart_point(series, x, y, y - e, y + e);
    }
}

static tc_status put_chart(const tc_page *page, int column, const char *measure, bool percent, tc_error *error) {
    const json_t *curves = json_object_get(page->results, "curves");
    char name[TC_GRID_NAME], where[TC_GRID_NAME], title[2 * TC_GRID_NAME];
    json_t *chart = tc_chart_new("lines", "epoch", measure, percent);
    json_object_set_new(chart, "log", json_false());
    for (size_t i = 0; i < json_array_size(curves); i++) {
        const json_t *curve = json_array_get(curves, i), *cell = cell_of(page, curve);
        if (!cell || tc_grid_column_of(page->grid, cell) != column || !json_array_size(json_object_get(curve, measure)))
            continue;
        const int slot = name_curve(page, curve, name);
        if (has_series(chart, name) || json_array_size(json_object_get(chart, "series")) == MOST_SERIES) continue;
        put_curve(curve, measure, tc_chart_series(chart, name, slot));
    }
    tc_grid_column_name(page->grid, column, -1, where);
    snprintf(title, sizeof title, "%s in training%s%s", percent ? "Accuracy" : "Loss", *where ? ", " : "", where);
    if (json_array_size(json_object_get(chart, "series")))
        return tc_chart_write(page->out, chart, title, "band: one standard error", error);
    json_decref(chart);
    return TC_OK;
}

static bool has_column(const tc_page *page, int column) {
    const json_t *curves = json_object_get(page->results, "curves");
    for (size_t i = 0; i < json_array_size(curves); i++) {
        const json_t *cell = cell_of(page, json_array_get(curves, i));
        if (cell && tc_grid_column_of(page->grid, cell) == column) return true;
    }
    return false;
}

tc_status tc_page_curves(const tc_page *page, tc_error *error) {
    int shown = 0, left_out = 0;
    tc_status status = TC_OK;
    if (!json_array_size(json_object_get(page->results, "curves"))) return TC_OK;
    fputs("<h2>How training went</h2>\n<p class=\"quiet\">Means over the trials, on the data that each network was "
          "trained on.</p>\n"
          "<div class=\"charts\">\n",
          page->out);
    for (int c = 0; c < page->grid->columns; c++) {
        if (!has_column(page, c)) continue;
        if (shown == MOST_COLUMNS) {
            left_out++;
            continue;
        }
        if (shown == OPEN_COLUMNS)
            fputs("</div>\n<details><summary>The other combinations</summary>\n<div class=\"charts\">\n", page->out);
        TC_TRY(put_chart(page, c, "loss", false, error));
        TC_TRY(put_chart(page, c, "accuracy", true, error));
        shown++;
    }
    fputs(shown > OPEN_COLUMNS ? "</div>\n</details>\n" : "</div>\n", page->out);
    if (left_out)
        fprintf(page->out, "<p class=\"quiet\">The curves of %d more combinations stand in results.json.</p>\n",
                left_out);
done:
    return status;
}
