/* curves.c — how training went, epoch by epoch: loss and accuracy of the surrogate, of the clean victims and of the
 * victims of each method, a pair of charts for each combination of the swept factors. */
#include "report/chart.h"
#include "report/figures.h"
#include "report/html.h"
#include "report/sections.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { OPEN_PANELS = 2, MOST_PANELS = 12, MOST_SERIES = 24, SURROGATE = -2, CLEAN = -1 };

static const json_t *cell_of(const tc_page *page, const json_t *curve) {
    const double number = tc_figure(curve, "cell", NULL);
    const json_t *cells = page->grid->cells;
    return number >= 0 && number < (double)json_array_size(cells) ? json_array_get(cells, (size_t)number) : NULL;
}

/* Its name in the legend, and its colour. Surrogates and clean victims are shared between the methods of a row's
 * network. */
static int name_curve(const tc_page *page, const json_t *curve, const char **name) {
    const int row = tc_grid_row_of(page->grid, cell_of(page, curve));
    const char *of = tc_figure_text(curve, "of", NULL);
    const bool surrogate = !strcmp(of, "surrogate"), clean = !strcmp(of, "clean");
    *name = surrogate ? "surrogate" : clean ? "clean victim" : page->grid->row[row].label;
    return surrogate ? SURROGATE : clean ? CLEAN : tc_grid_slot(page->grid, row);
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

/* A pair of charts: a network and defence, whose rows begin with `clean`, and a combination of the swept factors. */
typedef struct panel {
    int clean, column;
} panel;

static bool belongs(const tc_page *page, const json_t *curve, panel at) {
    const json_t *cell = cell_of(page, curve);
    return cell && tc_grid_fits(page->grid, cell, at.column) &&
           tc_grid_together(page->grid, tc_grid_row_of(page->grid, cell), at.clean);
}

static void title_of(const tc_page *page, panel at, bool percent, char title[3 * TC_GRID_NAME]) {
    char where[TC_GRID_NAME], block[TC_GRID_NAME];
    tc_grid_column_name(page->grid, at.column, -1, where);
    tc_grid_block_name(page->grid, at.clean, block);
    snprintf(title, 3 * TC_GRID_NAME, "%s in training%s%s%s%s", percent ? "Accuracy" : "Loss", *block ? ", " : "",
             block, *where ? ", " : "", where);
}

static tc_status put_chart(const tc_page *page, panel at, const char *measure, bool percent, tc_error *error) {
    const json_t *curves = json_object_get(page->results, "curves");
    const char *name;
    char title[3 * TC_GRID_NAME];
    json_t *chart = tc_chart_new("lines", "epoch", measure, percent);
    json_object_set_new(chart, "log", json_false());
    for (size_t i = 0; i < json_array_size(curves); i++) {
        const json_t *curve = json_array_get(curves, i);
        if (!belongs(page, curve, at) || !json_array_size(json_object_get(curve, measure))) continue;
        const int slot = name_curve(page, curve, &name);
        if (has_series(chart, name) || json_array_size(json_object_get(chart, "series")) == MOST_SERIES) continue;
        put_curve(curve, measure, tc_chart_series(chart, name, slot));
    }
    title_of(page, at, percent, title);
    if (json_array_size(json_object_get(chart, "series")))
        return tc_chart_write(page->out, chart, title, "band: one standard error", error);
    json_decref(chart);
    return TC_OK;
}

static bool has_panel(const tc_page *page, panel at) {
    const json_t *curves = json_object_get(page->results, "curves");
    if (!page->grid->row[at.clean].clean) return false;
    for (size_t i = 0; i < json_array_size(curves); i++)
        if (belongs(page, json_array_get(curves, i), at)) return true;
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
    for (int i = 0; i < page->grid->columns * page->grid->rows; i++) {
        const panel at = {i % page->grid->rows, i / page->grid->rows};
        if (!has_panel(page, at)) continue;
        if (shown == MOST_PANELS) {
            left_out++;
            continue;
        }
        if (shown == OPEN_PANELS)
            fputs("</div>\n<details><summary>The other combinations</summary>\n<div class=\"charts\">\n", page->out);
        TC_TRY(put_chart(page, at, "loss", false, error));
        TC_TRY(put_chart(page, at, "accuracy", true, error));
        shown++;
    }
    fputs(shown > OPEN_PANELS ? "</div>\n</details>\n" : "</div>\n", page->out);
    if (left_out)
        fprintf(page->out, "<p class=\"quiet\">The curves of %d more combinations stand in results.json.</p>\n",
                left_out);
done:
    return status;
}
