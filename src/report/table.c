#include "base/width.h"
#include "report/figures.h"
#include "report/grid.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

enum { CELL = 64 };

/* Without success where the attacker's goal has none. */
static void row(FILE *out, int first, bool success, const char *const cell[6]) {
    static const int widths[] = {0, 18, 18, 8, 10, 10};
    tc_width_put(out, cell[0], -first);
    for (int i = success ? 1 : 2; i < 6; i++) tc_width_put(out, cell[i], widths[i]);
    fputc('\n', out);
}

/* A clean row has the name of its own, and the factors of a cell that it was trained beside. */
static void name_cell(const tc_grid *grid, int r, int c, char name[TC_GRID_PLACE]) {
    char row[TC_GRID_NAME], where[TC_GRID_NAME];
    tc_grid_row_name(grid, r, row);
    tc_grid_factors_name(grid, tc_grid_cell(grid, r, c), -1, where);
    snprintf(name, TC_GRID_PLACE, "%s%s%s", row, *where ? ", " : "", where);
}

static void put_cell(FILE *out, int first, const tc_grid *grid, int r, int c) {
    const json_t *cell = tc_grid_cell(grid, r, c);
    const bool clean = grid->row[r].clean;
    const tc_entry success = tc_grid_entry(grid, grid->measures, r, c),
                   accuracy = tc_grid_entry(grid, grid->measures + !grid->untargeted, r, c);
    char name[TC_GRID_PLACE], shares[2][CELL], trials[CELL], craft[CELL], victim[CELL];
    name_cell(grid, r, c, name);
    tc_figure_share(success.mean, success.error, shares[0], CELL);
    tc_figure_share(accuracy.mean, accuracy.error, shares[1], CELL);
    tc_figure_number("%.0f", success.trials, trials, sizeof trials);
    tc_figure_number("%.1f s", clean ? NAN : tc_figure(cell, "seconds", "craft", NULL), craft, sizeof craft);
    tc_figure_number("%.1f s", clean ? NAN : tc_figure(cell, "seconds", "victim", NULL), victim, sizeof victim);
    row(out, first, !grid->untargeted, (const char *const[]){name, shares[0], shares[1], trials, craft, victim});
}

tc_status tc_report_table(const json_t *results, FILE *out, tc_error *error) {
    tc_grid grid;
    char name[TC_GRID_PLACE];
    int first = 0;
    const tc_status status = tc_grid_make(results, &grid, error);
    if (status != TC_OK) return status;
    for (int c = 0; c < grid.columns; c++)
        for (int r = 0; r < grid.rows; r++) {
            name_cell(&grid, r, c, name);
            if (tc_grid_first(&grid, r, c) && tc_width(name) > first) first = tc_width(name);
        }
    row(out, first, !grid.untargeted,
        (const char *const[]){"attack", "success", "test accuracy", "trials", "craft", "train"});
    for (int c = 0; c < grid.columns; c++)
        for (int r = 0; r < grid.rows; r++)
            if (tc_grid_first(&grid, r, c)) put_cell(out, first, &grid, r, c);
    tc_grid_free(&grid);
    return TC_OK;
}
