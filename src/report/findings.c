/* findings.c — what was found: one sentence, then the tables. */
#include "report/figures.h"
#include "report/html.h"
#include "report/sections.h"

#include <math.h>
#include <string.h>

enum { CELL = 64 };

static bool is_control(const json_t *cell) {
    return !strcmp(tc_figure_text(cell, "factors", "attack", NULL), "random-noise");
}

/* Of an attack's place, NaN where there is none, or only the control's. */
static double reached(const tc_grid *grid, int r, int c) {
    const json_t *cell = tc_grid_cell(grid, r, c);
    if (!cell || grid->row[r].clean || is_control(cell)) return NAN;
    return tc_grid_entry(grid, grid->measures, r, c).mean;
}

/* The attack's place that the attacker likes best, the first of equals; false where no trial of one is finished. */
static bool strongest(const tc_grid *grid, int *row, int *column) {
    double best = NAN;
    for (int r = 0; r < grid->rows; r++)
        for (int c = 0; c < grid->columns; c++) {
            const double mean = reached(grid, r, c);
            if (!isfinite(mean) || (isfinite(best) && !tc_measure_better(grid->measures, mean, best))) continue;
            best = mean;
            *row = r;
            *column = c;
        }
    return isfinite(best);
}

/* How many others have reached the same; *other_row, *other_column := the last of them. */
static int equals_of(const tc_grid *grid, int row, int column, int *other_row, int *other_column) {
    int count = 0;
    for (int r = 0; r < grid->rows; r++)
        for (int c = 0; c < grid->columns; c++) {
            if ((r == row && c == column) || !tc_grid_first(grid, r, c)) continue;
            if (fabs(reached(grid, r, c) - reached(grid, row, column)) > 1e-9 || !isfinite(reached(grid, r, c)))
                continue;
            count++;
            *other_row = r;
            *other_column = c;
        }
    return count;
}

/* The row of what the strongest is held against, for the same network and defence: the control, or no poison. */
static int companion(const tc_grid *grid, int row, int column, bool clean) {
    for (int r = 0; r < grid->rows; r++) {
        const json_t *cell = tc_grid_cell(grid, r, column);
        const bool fits = cell && grid->row[r].clean == clean && (clean || is_control(cell));
        if (fits && !strcmp(grid->row[r].victim, grid->row[row].victim) &&
            !strcmp(grid->row[r].defence, grid->row[row].defence))
            return r;
    }
    return -1;
}

/* A share for a running text: no line ends inside it. */
static void share(const tc_grid *grid, int measure, int row, int column, bool with_error, char text[2 * CELL]) {
    const tc_entry none = {.mean = NAN, .error = NAN};
    const tc_entry entry = row < 0 ? none : tc_grid_entry(grid, &grid->measures[measure], row, column);
    char plain[CELL];
    size_t used = 0;
    tc_figure_share(entry.mean, with_error ? entry.error : NAN, plain, CELL);
    for (const char *at = plain; *at; at++)
        used += (size_t)snprintf(text + used, 2 * CELL - used, *at == ' ' ? "\u00a0" : "%c", *at);
}

static void put_attack(const tc_page *page, int row, int column) {
    char name[TC_GRID_NAME], where[TC_GRID_NAME];
    tc_grid_row_name(page->grid, row, name);
    tc_grid_factors_name(page->grid, tc_grid_cell(page->grid, row, column), -1, where);
    fputs("<b>", page->out);
    tc_html_text(page->out, name);
    fputs("</b>", page->out);
    if (*where) fputs(" at ", page->out);
    tc_html_text(page->out, where);
}

/* Whom the sentence is about; where others have reached the same, it says so. */
static void put_name(const tc_page *page, int row, int column) {
    int other_row = 0, other_column = 0;
    const int others = equals_of(page->grid, row, column, &other_row, &other_column);
    fputs("The strongest attack, ", page->out);
    put_attack(page, row, column);
    if (!others) return;
    fputs(" (as strong: ", page->out);
    if (others == 1)
        put_attack(page, other_row, other_column);
    else
        fprintf(page->out, "%d others", others);
    fputs(")", page->out);
}

/* Of an attack on everything: how much is still learnt. */
static void put_loss(const tc_page *page, int row, int column) {
    const tc_grid *grid = page->grid;
    const int noise = companion(grid, row, column, false), none = companion(grid, row, column, true);
    const double classes = (double)json_array_size(json_object_get(json_object_get(page->results, "data"), "classes"));
    char text[2 * CELL];
    fputs("<p class=\"lead\">", page->out);
    put_name(page, row, column);
    share(grid, 0, row, column, true, text);
    fprintf(page->out, ", leaves its victims a test accuracy of %s; ", text);
    if (noise >= 0) {
        share(grid, 0, noise, column, false, text);
        fprintf(page->out, "the control, random noise, one of %s. ", text);
    }
    share(grid, 0, none, column, false, text);
    fprintf(page->out, "%sithout any poison it is %s", noise < 0 ? "w" : "W", text);
    if (classes > 0) fprintf(page->out, ", and guessing would get %.1f\u00a0%%", 100 / classes);
    fputs(".</p>\n", page->out);
}

static bool is_backdoor(const tc_page *page) {
    return !strcmp(tc_figure_text(page->results, "spec", "threat", "goal", NULL), "backdoor");
}

static const char *targets_of(const tc_page *page) {
    return is_backdoor(page) ? "test images that carry the trigger" : "targets";
}

static const char *success_of(const tc_page *page) {
    if (page->grid->untargeted) return "";
    return is_backdoor(page)
               ? "Success: the share of test images of the attacked class, with the trigger on them, that "
                 "are taken for the attacker's class. "
               : "Success: the share of targets taken for the attacker's class. ";
}

static void put_verdict(const tc_page *page, int row, int column) {
    const tc_grid *grid = page->grid;
    const int noise = companion(grid, row, column, false), none = companion(grid, row, column, true);
    char text[2 * CELL];
    share(grid, 0, row, column, true, text);
    fputs("<p class=\"lead\">", page->out);
    if (tc_grid_entry(grid, grid->measures, row, column).mean > 0) {
        put_name(page, row, column);
        fprintf(page->out, ", succeeded with %s of the %s; ", text, targets_of(page));
    } else {
        fprintf(page->out, "<b>No attack succeeded</b> with any of the %s; ", targets_of(page));
    }
    if (noise >= 0) {
        share(grid, 0, noise, column, false, text);
        fprintf(page->out, "the control, random noise, with %s. ", text);
    }
    share(grid, 0, none, column, false, text);
    fprintf(page->out, "%sithout any poison, %s of them would have been taken for the attacker's class anyway. ",
            noise < 0 ? "w" : "W", text);
    share(grid, 1, row, column, false, text);
    fprintf(page->out, "Test accuracy with the poison %s, ", text);
    share(grid, 1, none, column, false, text);
    fprintf(page->out, "without it %s.</p>\n", text);
}

void tc_page_findings(const tc_page *page) {
    int row = 0, column = 0;
    fputs("<h2>What was found</h2>\n", page->out);
    if (strongest(page->grid, &row, &column))
        (page->grid->untargeted ? put_loss : put_verdict)(page, row, column);
    else
        fputs("<p class=\"lead\">No trial of an attack has been finished yet.</p>\n", page->out);
    if (page->grid->factors) {
        for (const tc_measure *m = page->grid->measures; m->metric; m++) tc_page_grid(page, m);
        fputs("<details class=\"print\"><summary>Every cell in full</summary>\n", page->out);
        tc_page_cells(page);
        fputs("</details>\n", page->out);
    } else {
        tc_page_cells(page);
    }
    fprintf(
        page->out,
        "<p class=\"quiet\">%sTest accuracy: on the untouched test images%s. <i>no poison</i>: victims trained on the "
        "clean data. <i>random-noise</i> is the control: the same images changed as much, but at random.</p>\n",
        success_of(page), page->grid->untargeted ? ", which the attacker wants low" : "");
}
