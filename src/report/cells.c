/* cells.c — every cell with all that was measured, and the tests between cells that share their draws. */
#include "report/factor.h"
#include "report/figures.h"
#include "report/html.h"
#include "report/sections.h"

#include <math.h>
#include <string.h>

enum { CELL = 64, FOLDED = 12, MOST_PAIRS = 200 };

static void put_share(FILE *out, const tc_entry *entry, bool bar) {
    char text[CELL];
    tc_figure_share(entry->mean, entry->error, text, sizeof text);
    fprintf(out, "<td%s>%s", bar ? " class=\"success\"" : "", text);
    if (bar && isfinite(entry->mean))
        fprintf(out, "<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:%.1f%%\"></i></span>",
                100 * fmax(0, fmin(1, entry->mean)));
    fputs("</td>", out);
}

static void put_interval(FILE *out, const tc_entry *entry) {
    if (isfinite(entry->low) && isfinite(entry->high))
        fprintf(out, "<td>%.1f – %.1f %%</td>", 100 * entry->low, 100 * entry->high);
    else
        fputs("<td>–</td>", out);
}

static void put_number(FILE *out, const char *format, double value) {
    char text[CELL];
    tc_figure_number(format, value, text, sizeof text);
    fprintf(out, "<td>%s</td>", text);
}

/* ---- every cell ---- */

static bool has_intervals(const tc_grid *grid) {
    for (size_t i = 0; i < json_array_size(grid->cells); i++)
        if (isfinite(tc_figure(json_array_get(grid->cells, i), "metrics", grid->measures->metric, "low", NULL)))
            return true;
    return false;
}

static void put_head(const tc_page *page, bool intervals) {
    const tc_grid *grid = page->grid;
    const char *titles[16];
    char factors[TC_GRID_FACTORS][TC_FACTOR_TEXT];
    int count = 0;
    titles[count++] = "Method";
    if (grid->victims) titles[count++] = "Network";
    if (grid->defences) titles[count++] = "Defence";
    for (int f = 0; f < grid->factors; f++) {
        tc_factor_title(grid->factor[f], TC_PLAIN, factors[f], sizeof factors[f]);
        titles[count++] = factors[f];
    }
    titles[count++] = grid->measures->title;
    if (intervals) titles[count++] = "95 % interval";
    for (const tc_measure *m = grid->measures + 1; m->metric; m++) titles[count++] = m->title;
    titles[count++] = "Trials";
    titles[count] = NULL;
    fputs("<thead><tr>", page->out);
    for (int i = 0; i < count; i++)
        tc_html_head(page->out, "col", i > grid->victims + grid->defences ? "" : "row", titles[i]);
    fputs("<th scope=\"col\">Crafting</th><th scope=\"col\">Training</th></tr></thead>\n<tbody>\n", page->out);
}

static void put_cell(const tc_page *page, int r, int c, bool intervals) {
    const tc_grid *grid = page->grid;
    const tc_grid_row *row = &grid->row[r];
    const json_t *cell = tc_grid_cell(grid, r, c);
    const tc_entry first = tc_grid_entry(grid, grid->measures, r, c);
    char value[TC_FACTOR_TEXT];
    fprintf(page->out, "<tr%s>", row->clean ? " class=\"none\"" : "");
    tc_html_head(page->out, "row", "row", row->label);
    if (grid->victims) tc_html_head(page->out, "row", "row", row->victim);
    if (grid->defences) tc_html_head(page->out, "row", "row", tc_grid_defence(grid, r));
    for (int f = 0; f < grid->factors; f++) {
        tc_factor_value(grid->factor[f], tc_factor_of(cell, grid->factor[f]), TC_PLAIN, value, sizeof value);
        fputs("<td>", page->out);
        tc_html_text(page->out, value);
        fputs("</td>", page->out);
    }
    put_share(page->out, &first, true);
    if (intervals) put_interval(page->out, &first);
    for (const tc_measure *m = grid->measures + 1; m->metric; m++) {
        const tc_entry other = tc_grid_entry(grid, m, r, c);
        put_share(page->out, &other, false);
    }
    put_number(page->out, "%.0f", first.trials);
    put_number(page->out, "%.1f s", row->clean ? NAN : tc_figure(cell, "seconds", "craft", NULL));
    put_number(page->out, "%.1f s", tc_figure(cell, "seconds", row->clean ? "clean_victim" : "victim", NULL));
    fputs("</tr>\n", page->out);
}

void tc_page_cells(const tc_page *page) {
    const bool intervals = has_intervals(page->grid);
    tc_html_table(page->out, "Every cell");
    fputs("Mean ± standard error over the trials", page->out);
    if (intervals)
        fprintf(page->out, "; 95 %% interval: Wilson's, of the share of all %s",
                page->grid->untargeted ? "test images" : "targets");
    fputs(". Crafting and training: seconds of one trial.", page->out);
    tc_html_caption_end(page->out);
    put_head(page, intervals);
    for (int c = 0; c < page->grid->columns; c++)
        for (int r = 0; r < page->grid->rows; r++)
            if (tc_grid_first(page->grid, r, c)) put_cell(page, r, c, intervals);
    tc_html_table_end(page->out);
}

/* ---- paired tests ---- */

static const json_t *cell_number(const tc_grid *grid, const json_t *pair, const char *name) {
    const double number = tc_figure(pair, name, NULL);
    return number >= 0 && number < (double)json_array_size(grid->cells) ? json_array_get(grid->cells, (size_t)number)
                                                                        : NULL;
}

static void put_cell_name(const tc_page *page, const json_t *cell, bool with_column) {
    char row[TC_GRID_NAME], column[TC_GRID_NAME];
    tc_grid_row_name(page->grid, tc_grid_row_of(page->grid, cell), row);
    tc_grid_factors_name(page->grid, cell, -1, column);
    tc_html_text(page->out, row);
    if (!with_column || !*column) return;
    fputs(" <small>", page->out);
    tc_html_text(page->out, column);
    fputs("</small>", page->out);
}

/* Only compared, not in the tables of cells. */
static const char confidence[] = "confidence";

static const char *title_of(const tc_grid *grid, const char *metric) {
    for (const tc_measure *m = grid->measures; m->metric; m++)
        if (!strcmp(metric, m->metric)) return m->title;
    return strcmp(metric, confidence) ? metric : "Confidence";
}

static void put_pair(const tc_page *page, const json_t *pair, const json_t *a, const json_t *b) {
    const bool together = tc_grid_column_of(page->grid, a) == tc_grid_column_of(page->grid, b);
    const double p = tc_figure(pair, "p", NULL), error = tc_figure(pair, "difference", "stderr", NULL);
    const char *title = title_of(page->grid, tc_figure_text(pair, "metric", NULL));
    fputs("<tr><th scope=\"row\" class=\"row\">", page->out);
    put_cell_name(page, a, !together);
    fputs("</th><td class=\"row\">", page->out);
    put_cell_name(page, b, true);
    fputs("</td><td class=\"row\">", page->out);
    tc_html_text(page->out, title);
    fputs("</td><td class=\"row\">", page->out);
    tc_html_text(page->out, tc_figure_text(pair, "test", NULL));
    fprintf(page->out, "</td><td>%+.1f", 100 * tc_figure(pair, "difference", "mean", NULL));
    if (isfinite(error)) fprintf(page->out, " ± %.1f", 100 * error);
    fputs("</td>", page->out);
    put_number(page->out, "%.0f", tc_figure(pair, "n", NULL));
    if (p < 0.001)
        fputs("<td>&lt; 0.001</td>", page->out);
    else
        put_number(page->out, "%.3f", p);
    fputs("</tr>\n", page->out);
}

/* Both cells of a pair that can be shown. */
static bool both(const tc_page *page, const json_t *pair, const json_t **a, const json_t **b) {
    *a = cell_number(page->grid, pair, "a");
    *b = cell_number(page->grid, pair, "b");
    return *a && *b && isfinite(tc_figure(pair, "difference", "mean", NULL));
}

static bool compares_confidence(const json_t *pairs) {
    for (size_t i = 0; i < json_array_size(pairs); i++)
        if (!strcmp(tc_figure_text(json_array_get(pairs, i), "metric", NULL), confidence)) return true;
    return false;
}

void tc_page_pairs(const tc_page *page) {
    const json_t *pairs = json_object_get(page->results, "pairs"), *a, *b;
    size_t count = 0, shown = 0;
    for (size_t i = 0; i < json_array_size(pairs); i++) count += both(page, json_array_get(pairs, i), &a, &b);
    if (!count) return;
    fputs(
        "<h3>Do they differ?</h3>\n<p class=\"quiet\">Cells whose trials share seed, attacked images and the victim's "
        "start, "
        "compared trial by trial. p: how often a difference this large would come about by chance alone, not corrected "
        "for the number of comparisons.</p>\n",
        page->out);
    if (compares_confidence(pairs))
        fputs("<p class=\"quiet\">Confidence: the probability that the victim itself gives the attacker's class, the "
              "mean "
              "over what is attacked. It moves before an image is taken for that class, and so tells attacks apart "
              "earlier than success does.</p>\n",
              page->out);
    if (count > FOLDED) fprintf(page->out, "<details class=\"print\"><summary>%zu comparisons</summary>\n", count);
    tc_html_table(page->out, "Paired tests");
    fputs("First minus second, in percentage points, mean ± standard error over n shared trials.", page->out);
    tc_html_caption_end(page->out);
    tc_html_heads(page->out, 4,
                  (const char *const[]){"First", "Second", "Measure", "Test", "Difference", "n", "p", NULL});
    for (size_t i = 0; i < json_array_size(pairs) && shown < MOST_PAIRS; i++) {
        if (!both(page, json_array_get(pairs, i), &a, &b)) continue;
        put_pair(page, json_array_get(pairs, i), a, b);
        shown++;
    }
    tc_html_table_end(page->out);
    if (shown < count)
        fprintf(page->out, "<p class=\"quiet\">The first %d; all of them stand in results.json.</p>\n", MOST_PAIRS);
    if (count > FOLDED) fputs("</details>\n", page->out);
}
