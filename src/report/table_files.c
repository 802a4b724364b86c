#include "report/table_files.h"

#include "base/csv.h"
#include "base/file.h"
#include "report/defended.h"
#include "report/factor.h"
#include "report/figures.h"

#include <math.h>
#include <string.h>

/* ---- CSV ---- */

static void put_value(FILE *out, double value) {
    char text[TC_CSV_NUMBER];
    fputs(tc_csv_number(value, text), out);
}

static void grid_csv(FILE *out, const tc_grid *grid, const tc_measure *measure) {
    char name[TC_GRID_NAME];
    fputs("method,network,defence", out);
    for (int c = 0; c < grid->columns; c++) {
        tc_grid_column_name(grid, c, -1, name);
        for (int part = 0; part < 2; part++) {
            char head[TC_GRID_NAME + 16];
            snprintf(head, sizeof head, "%s%s", *name ? name : measure->metric, part ? " stderr" : "");
            fputc(',', out);
            tc_csv_put(out, head);
        }
    }
    for (int r = 0; r < grid->rows; r++) {
        const char *const names[] = {grid->row[r].label, grid->row[r].victim, tc_grid_defence(grid, r)};
        if (grid->row[r].repeated) continue;
        for (int i = 0; i < 3; i++) {
            fputs(i ? "," : "\n", out);
            tc_csv_put(out, names[i]);
        }
        for (int c = 0; c < grid->columns; c++) {
            const tc_entry entry = tc_grid_entry(grid, measure, r, c);
            fputc(',', out);
            put_value(out, entry.mean);
            fputc(',', out);
            put_value(out, entry.error);
        }
    }
    fputc('\n', out);
}

/* The keys that an object of any cell has, in the order of their first appearance: {key: null, …}. */
static json_t *keys_of(const json_t *cells, const char *object) {
    json_t *keys = json_object();
    for (size_t i = 0; i < json_array_size(cells); i++) {
        json_t *from = json_object_get(json_array_get(cells, i), object);
        for (void *at = json_object_iter(from); at; at = json_object_iter_next(from, at))
            if (!json_object_get(keys, json_object_iter_key(at)))
                json_object_set_new(keys, json_object_iter_key(at), json_null());
    }
    return keys;
}

static void put_factor(FILE *out, const json_t *value) {
    char text[TC_FACTOR_TEXT];
    if (json_is_number(value))
        put_value(out, json_number_value(value));
    else if (value && !json_is_null(value)) {
        tc_factor_value("", value, TC_PLAIN, text, sizeof text);
        tc_csv_put(out, text);
    }
}

static const char *const parts[] = {"mean", "stderr", "low", "high"};

static void cells_head(FILE *out, json_t *factors, json_t *metrics, json_t *seconds) {
    fputs("cell,trials", out);
    for (void *at = json_object_iter(factors); at; at = json_object_iter_next(factors, at)) {
        fputc(',', out);
        tc_csv_put(out, json_object_iter_key(at));
    }
    for (void *at = json_object_iter(metrics); at; at = json_object_iter_next(metrics, at))
        for (int p = 0; p < 4; p++) fprintf(out, ",%s %s", json_object_iter_key(at), parts[p]);
    for (void *at = json_object_iter(seconds); at; at = json_object_iter_next(seconds, at))
        fprintf(out, ",%s seconds", json_object_iter_key(at));
    fputc('\n', out);
}

static void cells_csv(FILE *out, const tc_grid *grid, const tc_measure *measure) {
    (void)measure;
    json_t *factors = keys_of(grid->cells, "factors"), *metrics = keys_of(grid->cells, "metrics");
    json_t *seconds = keys_of(grid->cells, "seconds");
    cells_head(out, factors, metrics, seconds);
    for (size_t i = 0; i < json_array_size(grid->cells); i++) {
        const json_t *cell = json_array_get(grid->cells, i);
        fprintf(out, "%zu,%.0f", i, tc_figure(cell, "trials", NULL));
        for (void *at = json_object_iter(factors); at; at = json_object_iter_next(factors, at)) {
            fputc(',', out);
            put_factor(out, json_object_get(json_object_get(cell, "factors"), json_object_iter_key(at)));
        }
        for (void *at = json_object_iter(metrics); at; at = json_object_iter_next(metrics, at))
            for (int p = 0; p < 4; p++) {
                fputc(',', out);
                put_value(out, tc_figure(cell, "metrics", json_object_iter_key(at), parts[p], NULL));
            }
        for (void *at = json_object_iter(seconds); at; at = json_object_iter_next(seconds, at)) {
            fputc(',', out);
            put_value(out, tc_figure(cell, "seconds", json_object_iter_key(at), NULL));
        }
        fputc('\n', out);
    }
    json_decref(factors);
    json_decref(metrics);
    json_decref(seconds);
}

/* ---- LaTeX ---- */

static void latex_field(FILE *out, const char *text) {
    char latex[4 * TC_GRID_NAME];
    tc_latex_text(text, latex, sizeof latex);
    fputs(latex, out);
}

static int key_columns(const tc_grid *grid) {
    return 1 + grid->victims + grid->defences;
}

/* "Method & Network": the titles of the first columns, or as many empty ones. */
static void latex_keys(FILE *out, const tc_grid *grid, bool titles) {
    fputs(titles ? "Method" : "", out);
    if (grid->victims) fputs(titles ? " & Network" : " &", out);
    if (grid->defences) fputs(titles ? " & Defence" : " &", out);
}

/* One level of the head; above the last, a title over the columns that share it, with a rule under each. */
static void latex_level(FILE *out, const tc_grid *grid, int level) {
    const bool last = level + 1 == grid->factors;
    char title[TC_FACTOR_TEXT], value[TC_FACTOR_TEXT];
    int span;
    latex_keys(out, grid, last);
    tc_factor_title(grid->factor[level], TC_LATEX, title, sizeof title);
    for (int c = 0; c < grid->columns; c += span) {
        const json_t *cell = json_array_get(grid->cells, grid->column[c]);
        span = last ? 1 : tc_grid_span(grid, level, c);
        tc_factor_value(grid->factor[level], tc_factor_of(cell, grid->factor[level]), TC_LATEX, value, sizeof value);
        if (last)
            fprintf(out, " & %s %s", title, value);
        else
            fprintf(out, " & \\multicolumn{%d}{c}{%s %s}", span, title, value);
    }
    fputs(" \\\\\n", out);
    for (int c = 0, from = key_columns(grid) + 1; c < grid->columns && !last; c += span) {
        span = tc_grid_span(grid, level, c);
        fprintf(out, "\\cmidrule(lr){%d-%d} ", from + c, from + c + span - 1);
    }
    fputs(last ? "" : "\n", out);
}

static void latex_row(FILE *out, const tc_grid *grid, const tc_measure *measure, int r) {
    const tc_grid_row *row = &grid->row[r];
    latex_field(out, row->label);
    if (grid->victims) fputs(" & ", out);
    if (grid->victims) latex_field(out, row->victim);
    if (grid->defences) fputs(" & ", out);
    if (grid->defences) latex_field(out, tc_grid_defence(grid, r));
    for (int c = 0; c < grid->columns; c++) {
        const tc_entry entry = tc_grid_entry(grid, measure, r, c);
        const bool best = tc_grid_is_best(grid, measure, r, c);
        if (!isfinite(entry.mean))
            fputs(" & --", out);
        else
            fprintf(out, best ? " & $\\mathbf{%.1f}" : " & $%.1f", 100 * entry.mean);
        if (isfinite(entry.mean) && isfinite(entry.error)) fprintf(out, " \\pm %.1f", 100 * entry.error);
        fputs(isfinite(entry.mean) ? "$" : "", out);
    }
    fputs(" \\\\\n", out);
}

static void grid_latex(FILE *out, const tc_grid *grid, const tc_measure *measure) {
    fprintf(
        out,
        "%% %s in per cent, mean and standard error over the trials. Needs \\usepackage{booktabs}.\n\\begin{tabular}{",
        measure->title);
    for (int i = 0; i < key_columns(grid); i++) fputc('l', out);
    for (int c = 0; c < grid->columns; c++) fputc('r', out);
    fputs("}\n\\toprule\n", out);
    for (int level = 0; level < grid->factors; level++) latex_level(out, grid, level);
    if (!grid->factors) {
        latex_keys(out, grid, true);
        fprintf(out, " & %s \\\\\n", measure->title);
    }
    fputs("\\midrule\n", out);
    for (int r = 0; r < grid->rows; r++) {
        if (grid->row[r].repeated) continue;
        if (r && (grid->row[r].clean || grid->row[r - 1].clean)) fputs("\\midrule\n", out);
        latex_row(out, grid, measure, r);
    }
    fputs("\\bottomrule\n\\end{tabular}\n", out);
}

/* ---- the files ---- */

static const struct {
    const char *ending;
    void (*write)(FILE *out, const tc_grid *grid, const tc_measure *measure);
} files[] = {{"csv", grid_csv}, {"tex", grid_latex}};

static tc_status write_file(const char *folder, const char *name, const char *ending, const tc_grid *grid,
                            const tc_measure *measure,
                            void (*print)(FILE *out, const tc_grid *grid, const tc_measure *measure), tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_output output = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/tables/%s.%s", folder, name, ending));
    TC_TRY(tc_output_open(path, &output, error));
    print(output.file, grid, measure);
    TC_TRY(tc_output_commit(&output, error));
done:
    tc_output_abandon(&output);
    return status;
}

tc_status tc_table_files_write(const char *folder, const tc_grid *grid, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/tables", folder));
    TC_TRY(tc_folder_make(path, error));
    for (const tc_measure *m = grid->measures; m->metric; m++)
        for (size_t i = 0; i < sizeof files / sizeof *files; i++)
            TC_TRY(write_file(folder, m->metric, files[i].ending, grid, m, files[i].write, error));
    TC_TRY(write_file(folder, "cells", "csv", grid, NULL, cells_csv, error));
    if (tc_defended_any(grid)) {
        TC_TRY(write_file(folder, "defences", "csv", grid, NULL, tc_defended_csv, error));
        TC_TRY(write_file(folder, "defences", "tex", grid, NULL, tc_defended_latex, error));
    }
done:
    return status;
}
