/* defended_files.c — tables/defences.csv and .tex: each defence beside none, with what its filter found. */
#include "base/csv.h"
#include "report/defended.h"
#include "report/factor.h"
#include "report/figures.h"

#include <math.h>
#include <string.h>

static const tc_entry nothing = {NAN, NAN, NAN, NAN, NAN};

static tc_entry entry_without(const tc_grid *grid, const tc_measure *measure, int column, int plain) {
    return plain < 0 ? nothing : tc_grid_entry(grid, measure, plain, column);
}

/* ---- CSV ---- */

static void put_value(FILE *out, double value) {
    char text[TC_CSV_NUMBER];
    fprintf(out, ",%s", tc_csv_number(value, text));
}

static void put_two(FILE *out, double mean, double error) {
    put_value(out, mean);
    put_value(out, error);
}

static void csv_row(void *context, const tc_grid *grid, int row, int column, int plain) {
    FILE *out = context;
    const json_t *cell = tc_grid_cell(grid, row, column);
    const char *const names[] = {grid->row[row].label, grid->row[row].victim, grid->row[row].defence};
    char value[TC_FACTOR_TEXT];
    for (int i = 0; i < 3; i++) {
        fputs(i ? "," : "", out);
        tc_csv_put(out, names[i]);
    }
    for (int f = 0; f < grid->factors; f++) {
        const json_t *own = tc_factor_of(cell, grid->factor[f]);
        if (json_is_number(own))
            tc_csv_number(json_number_value(own), value);
        else
            tc_factor_value("", own, TC_PLAIN, value, sizeof value);
        fputc(',', out);
        tc_csv_put(out, own ? value : "");
    }
    fprintf(out, ",%.0f", tc_figure(cell, "trials", NULL));
    for (const tc_measure *m = grid->measures; m->metric; m++) {
        const tc_entry without = entry_without(grid, m, column, plain), with = tc_grid_entry(grid, m, row, column);
        const tc_difference change = tc_defended_difference(grid, m, row, column, plain);
        put_two(out, without.mean, without.error);
        put_two(out, with.mean, with.error);
        put_two(out, change.mean, change.error);
        put_value(out, change.p);
    }
    for (const tc_defence_figure *f = tc_defence_figures; f->metric; f++) {
        const tc_entry entry = tc_defended_figure(grid, f, row, column);
        put_two(out, entry.mean, entry.error);
    }
    fputc('\n', out);
}

void tc_defended_csv(FILE *out, const tc_grid *grid, const tc_measure *unused) {
    (void)unused;
    fputs("method,network,defence", out);
    for (int f = 0; f < grid->factors; f++) {
        fputc(',', out);
        tc_csv_put(out, grid->factor[f]);
    }
    fputs(",trials", out);
    for (const tc_measure *m = grid->measures; m->metric; m++) {
        static const char *const parts[] = {"without", "with", "difference"};
        for (int i = 0; i < 3; i++) fprintf(out, ",%s %s,%s %s stderr", m->metric, parts[i], m->metric, parts[i]);
        fprintf(out, ",%s p", m->metric);
    }
    for (const tc_defence_figure *f = tc_defence_figures; f->metric; f++)
        fprintf(out, ",%s,%s stderr", f->metric, f->metric);
    fputc('\n', out);
    tc_defended_each(grid, csv_row, out);
}

/* ---- LaTeX ---- */

static void latex_field(FILE *out, const char *text) {
    char latex[4 * TC_GRID_NAME];
    tc_latex_text(text, latex, sizeof latex);
    fputs(latex, out);
}

static void latex_number(FILE *out, double mean, double error, double times, const char *format) {
    if (!isfinite(mean)) {
        fputs(" & --", out);
        return;
    }
    char text[64];
    tc_figure_number(format, times * mean, text, sizeof text);
    fprintf(out, " & $%s", text);
    if (isfinite(error)) fprintf(out, " \\pm %.1f", times * error);
    fputs("$", out);
}

static void latex_row(void *context, const tc_grid *grid, int row, int column, int plain) {
    FILE *out = context;
    char value[TC_FACTOR_TEXT];
    latex_field(out, grid->row[row].label);
    if (grid->victims) fputs(" & ", out);
    if (grid->victims) latex_field(out, grid->row[row].victim);
    fputs(" & ", out);
    latex_field(out, grid->row[row].defence);
    for (int f = 0; f < grid->factors; f++) {
        const json_t *own = tc_factor_of(tc_grid_cell(grid, row, column), grid->factor[f]);
        tc_factor_value(grid->factor[f], own, TC_LATEX, value, sizeof value);
        fprintf(out, " & %s", value);
    }
    for (const tc_measure *m = grid->measures; m->metric; m++) {
        const tc_entry without = entry_without(grid, m, column, plain), with = tc_grid_entry(grid, m, row, column);
        const tc_difference change = tc_defended_difference(grid, m, row, column, plain);
        latex_number(out, without.mean, without.error, 100, "%.1f");
        latex_number(out, with.mean, with.error, 100, "%.1f");
        latex_number(out, change.mean, change.error, 100, "%+.1f");
    }
    for (const tc_defence_figure *f = tc_defence_figures; f->metric; f++) {
        const tc_entry entry = tc_defended_figure(grid, f, row, column);
        if (tc_defended_has(grid, f))
            latex_number(out, entry.mean, entry.error, f->share ? 100 : 1, f->share ? "%.1f" : "%.3g");
    }
    fputs(" \\\\\n", out);
}

/* Over each measure its title, with a rule under it. */
static void latex_groups(FILE *out, const tc_grid *grid, int keys) {
    for (int i = 1; i < keys; i++) fputs(" &", out);
    for (const tc_measure *m = grid->measures; m->metric; m++) fprintf(out, " & \\multicolumn{3}{c}{%s}", m->title);
    for (const tc_defence_figure *f = tc_defence_figures; f->metric; f++)
        if (tc_defended_has(grid, f)) fputs(" &", out);
    fputs(" \\\\\n", out);
    for (const tc_measure *m = grid->measures; m->metric; m++) {
        const int from = keys + 1 + 3 * (int)(m - grid->measures);
        fprintf(out, "\\cmidrule(lr){%d-%d} ", from, from + 2);
    }
    fputs("\n", out);
}

static void latex_head(FILE *out, const tc_grid *grid) {
    char title[TC_FACTOR_TEXT];
    fprintf(out, "Method%s & Defence", grid->victims ? " & Network" : "");
    for (int f = 0; f < grid->factors; f++) {
        tc_factor_title(grid->factor[f], TC_LATEX, title, sizeof title);
        fprintf(out, " & %s", title);
    }
    for (const tc_measure *m = grid->measures; m->metric; m++) fputs(" & without & with & difference", out);
    for (const tc_defence_figure *f = tc_defence_figures; f->metric; f++)
        if (tc_defended_has(grid, f)) fprintf(out, " & %s", f->latex);
    fputs(" \\\\\n\\midrule\n", out);
}

void tc_defended_latex(FILE *out, const tc_grid *grid, const tc_measure *unused) {
    const int keys = 2 + grid->victims + grid->factors;
    (void)unused;
    fputs("% Defences: in per cent, mean and standard error over the trials; differences paired by trial. "
          "Needs \\usepackage{booktabs}.\n\\begin{tabular}{",
          out);
    for (int i = 0; i < keys; i++) fputc(i < 2 + grid->victims ? 'l' : 'r', out);
    for (const tc_measure *m = grid->measures; m->metric; m++) fputs("rrr", out);
    for (const tc_defence_figure *f = tc_defence_figures; f->metric; f++)
        if (tc_defended_has(grid, f)) fputc('r', out);
    fputs("}\n\\toprule\n", out);
    latex_groups(out, grid, keys);
    latex_head(out, grid);
    tc_defended_each(grid, latex_row, out);
    fputs("\\bottomrule\n\\end{tabular}\n", out);
}
