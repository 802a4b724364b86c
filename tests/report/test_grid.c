/* The layout of the papers' tables, made from cells in any order and with any gaps. */
#include "report/grid.h"
#include "report/table_files.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static json_t *cell(const char *label, const char *victim, double epsilon, double ratio, double success, int trials) {
    return json_pack("{s:{s:s, s:s, s:f, s:f, s:f}, s:i, s:{s:{s:f, s:f}, s:{s:f}, s:{s:f}, s:{s:f}}}", "factors",
                     "label", label, "victim", victim, "epsilon", epsilon, "ratio", ratio, "rho", 0.05, "trials",
                     trials, "metrics", "success", "mean", success, "stderr", 0.1, "clean_success", "mean", 0.01,
                     "accuracy", "mean", 0.9, "clean_accuracy", "mean", trials / 100.0);
}

/* Two methods at three ε; SAPA also at a second ratio; one entry is missing. */
static json_t *study(void) {
    json_t *cells = json_array();
    json_array_append_new(cells, cell("GM", "resnet18", 16, 0.01, 0.5, 8));
    json_array_append_new(cells, cell("SAPA", "resnet18", 16, 0.01, 0.7, 9));
    json_array_append_new(cells, cell("SAPA", "resnet18", 16, 0.002, 0.6, 8));
    json_array_append_new(cells, cell("GM", "resnet18", 8, 0.01, 0.4, 8));
    json_array_append_new(cells, cell("SAPA", "resnet18", 8, 0.01, 0.3, 8));
    json_array_append_new(cells, cell("GM", "resnet18", 4, 0.01, 0, 8));
    return json_pack("{s:o}", "cells", cells);
}

static void is_column(const tc_grid *grid, int column, const char *wanted) {
    char name[TC_GRID_NAME];
    tc_grid_column_name(grid, column, -1, name);
    assert_string_equal(name, wanted);
}

static void test_layout(void **state) {
    (void)state;
    json_t *results = study();
    tc_grid grid;
    char name[TC_GRID_PLACE];
    assert_int_equal(tc_grid_make(results, &grid, NULL), TC_OK);
    assert_int_equal(grid.factors, 2); /* ρ and the network do not differ */
    assert_string_equal(grid.factor[0], "epsilon");
    assert_int_equal(grid.rows, 3); /* no poison, GM, SAPA */
    assert_int_equal(grid.columns, 4);
    is_column(&grid, 0, "ε = 16/255, share poisoned = 1 %");
    is_column(&grid, 1, "ε = 16/255, share poisoned = 0.2 %");
    is_column(&grid, 3, "ε = 4/255, share poisoned = 1 %");
    tc_grid_cell_name(&grid, tc_grid_cell(&grid, 2, 2), name);
    assert_string_equal(name, "SAPA, ε = 8/255, share poisoned = 1 %");
    assert_null(tc_grid_cell(&grid, 1, 1)); /* GM at 0.2 % */
    assert_null(tc_grid_cell(&grid, 2, 3)); /* SAPA at 4/255 */
    assert_ptr_equal(tc_grid_cell(&grid, 2, 1), json_array_get(grid.cells, 2));
    assert_int_equal(tc_grid_span(&grid, 0, 0), 2);
    assert_int_equal(tc_grid_span(&grid, 0, 2), 1);
    assert_int_equal(tc_grid_slot(&grid, 0), -1);
    assert_int_equal(tc_grid_slot(&grid, 2), 1);
    assert_true(tc_grid_columns_agree(&grid, 0, 2, 0));
    assert_false(tc_grid_columns_agree(&grid, 1, 2, 0));
    tc_grid_free(&grid);
    json_decref(results);
}

static void test_entries(void **state) {
    (void)state;
    json_t *results = study();
    tc_grid grid;
    assert_int_equal(tc_grid_make(results, &grid, NULL), TC_OK);
    const tc_entry sapa = tc_grid_entry(&grid, grid.measures, 2, 0),
                   none = tc_grid_entry(&grid, grid.measures + 1, 0, 0);
    assert_true(sapa.mean == 0.7 && sapa.error == 0.1 && isnan(sapa.low) && sapa.trials == 9);
    assert_true(none.mean == 0.09); /* of the cell with the most trials */
    assert_true(isnan(tc_grid_entry(&grid, grid.measures, 1, 1).mean));
    assert_true(tc_grid_is_best(&grid, grid.measures, 2, 0) && !tc_grid_is_best(&grid, grid.measures, 1, 0));
    assert_true(tc_grid_is_best(&grid, grid.measures, 1, 2) && !tc_grid_is_best(&grid, grid.measures, 2, 2));
    assert_false(tc_grid_is_best(&grid, grid.measures, 2, 1));     /* alone */
    assert_false(tc_grid_is_best(&grid, grid.measures + 1, 2, 0)); /* accuracy has no best attack */
    assert_true(tc_grid_has(&grid, grid.measures));
    tc_grid_free(&grid);
    json_decref(results);
}

/* ρ is swept, and only SAPA has one: the others stand in all columns, and are listed once. */
static void test_cells_of_every_column(void **state) {
    (void)state;
    static const char *const labels[] = {"GM", "SAPA", "SAPA", "SAPA"};
    json_t *cells = json_array(), *results = json_pack("{s:o}", "cells", cells);
    tc_grid grid;
    char name[TC_GRID_PLACE];
    for (int i = 0; i < 4; i++) {
        json_t *made = cell(labels[i], "lenet", 16, 0.01, 0.1 * i, 8);
        json_object_set_new(json_object_get(made, "factors"), "rho", json_real(0.1 * i));
        if (!i) json_object_del(json_object_get(made, "factors"), "rho");
        json_array_append_new(cells, made);
    }
    assert_int_equal(tc_grid_make(results, &grid, NULL), TC_OK);
    assert_int_equal(grid.columns, 3);
    assert_int_equal(grid.factors, 1);
    for (int c = 0; c < 3; c++) {
        assert_ptr_equal(tc_grid_cell(&grid, 1, c), json_array_get(cells, 0));
        assert_ptr_equal(tc_grid_cell(&grid, 2, c), json_array_get(cells, (size_t)c + 1));
        assert_int_equal(tc_grid_first(&grid, 1, c), c == 0);
        assert_true(tc_grid_first(&grid, 2, c));
    }
    tc_grid_cell_name(&grid, json_array_get(cells, 0), name);
    assert_string_equal(name, "GM");
    tc_grid_cell_name(&grid, json_array_get(cells, 3), name);
    assert_string_equal(name, "SAPA, ρ = 0.3");
    tc_grid_free(&grid);
    json_decref(results);
}

/* The results say what was swept: its order is kept, and what they do not name makes no columns. */
static void test_sweep_names(void **state) {
    (void)state;
    json_t *results = study();
    tc_grid grid;
    json_object_set_new(results, "sweep", json_pack("[s, s, s, i]", "threat.ratio", "threat.epsilon", "victim", 3));
    assert_int_equal(tc_grid_make(results, &grid, NULL), TC_OK);
    assert_int_equal(grid.factors, 2);
    assert_string_equal(grid.factor[0], "threat.ratio");
    is_column(&grid, 0, "share poisoned = 1 %, ε = 16/255");
    tc_grid_free(&grid);
    json_decref(results);
}

/* A block of rows for each network and defence; methods keep their colours, and are best within their block. */
static void test_networks_and_defences(void **state) {
    (void)state;
    json_t *cells =
        json_pack("[o, o, o, o]", cell("GM", "resnet18", 16, 0.01, 0.5, 8), cell("GM", "vgg11", 16, 0.01, 0.1, 8),
                  cell("SAPA", "vgg11", 16, 0.01, 0.2, 8), cell("SAPA", "resnet18", 16, 0.01, 0.4, 8));
    json_t *results = json_pack("{s:o}", "cells", cells);
    static const char *const rows[] = {
        "no poison, resnet18, no defence", "GM, resnet18, no defence", "SAPA, resnet18, no defence",
        "no poison, vgg11, no defence",    "GM, vgg11, filter",        "SAPA, vgg11, filter"};
    static const int slots[] = {-1, 0, 1, -1, 0, 1};
    static const bool best[] = {false, true, false, false, false, true};
    tc_grid grid;
    char name[TC_GRID_NAME];
    for (size_t i = 1; i < 3; i++)
        json_object_set_new(json_object_get(json_array_get(cells, i), "factors"), "defence", json_string("filter"));
    assert_int_equal(tc_grid_make(results, &grid, NULL), TC_OK);
    assert_int_equal(grid.columns, 1);
    assert_int_equal(grid.rows, 6);
    for (int r = 0; r < 6; r++) {
        tc_grid_row_name(&grid, r, name);
        assert_string_equal(name, rows[r]);
        assert_int_equal(tc_grid_slot(&grid, r), slots[r]);
        assert_int_equal(tc_grid_is_best(&grid, grid.measures, r, 0), best[r]);
    }
    tc_grid_free(&grid);
    json_decref(results);
}

static char *read_whole(const char *folder, const char *name) {
    char path[512];
    char *text = calloc(1, 1 << 16);
    snprintf(path, sizeof path, "%s/tables/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, (1 << 16) - 1, file)] = 0;
    fclose(file);
    unlink(path);
    return text;
}

/* Each defence beside none, whichever way round the results have compared them; what its filter found. */
static void test_defences(void **state) {
    (void)state;
    char folder[] = "/tmp/tocsin-defences-XXXXXX", path[512];
    json_t *cells =
        json_pack("[o, o, o, o]", cell("GM", "lenet", 16, 0.01, 0.5, 8), cell("GM", "lenet", 16, 0.01, 0.1, 8),
                  cell("SAPA", "lenet", 16, 0.01, 0.6, 8), cell("SAPA", "lenet", 16, 0.01, 0.7, 8));
    json_t *results =
        json_pack("{s:o, s:[{s:i, s:i, s:s, s:{s:f, s:f}, s:f}, {s:i, s:i, s:s, s:{s:f, s:f}, s:f}]}", "cells", cells,
                  "pairs", "a", 0, "b", 1, "metric", "success", "difference", "mean", 0.4, "stderr", 0.125, "p", 0.25,
                  "a", 3, "b", 2, "metric", "success", "difference", "mean", 0.125, "stderr", 0.0625, "p", 1.0);
    for (size_t i = 0; i < 4; i++)
        json_object_set_new(json_object_get(json_array_get(cells, i), "factors"), "defence",
                            json_string(i % 2 ? "loss" : "none"));
    json_object_set_new(json_object_get(json_array_get(cells, 1), "metrics"), "recall",
                        json_pack("{s:f, s:f}", "mean", 0.75, "stderr", 0.25));
    tc_grid grid;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(tc_grid_make(results, &grid, NULL), TC_OK);
    assert_int_equal(grid.rows, 6);
    assert_true(!grid.row[0].repeated && grid.row[3].repeated); /* the clean victims, once */
    assert_true(tc_grid_first(&grid, 0, 0) && !tc_grid_first(&grid, 3, 0));
    assert_string_equal(tc_grid_defence(&grid, 3), "none");
    assert_int_equal(tc_table_files_write(folder, &grid, NULL), TC_OK);
    char *csv = read_whole(folder, "defences.csv"), *latex = read_whole(folder, "defences.tex");
    assert_non_null(strstr(csv, "\nGM,lenet,loss,8,0.5,0.1"));
    assert_non_null(strstr(csv, ",-0.4,0.125,0.25,")); /* with less without: turned round */
    assert_non_null(strstr(csv, ",0.125,0.0625,1,"));  /* as it stands */
    assert_non_null(strstr(csv, ",0.75,0.25,,\n"));
    assert_non_null(strstr(latex, "$-40.0 \\pm 12.5$"));
    assert_non_null(strstr(latex, " & Recall \\\\\n")); /* and no column of what no cell has */
    assert_null(strstr(latex, "Precision"));
    free(csv);
    free(latex);
    static const char *const rest[] = {"success.csv", "success.tex", "accuracy.csv", "accuracy.tex", "cells.csv"};
    for (int i = 0; i < 5; i++) free(read_whole(folder, rest[i]));
    snprintf(path, sizeof path, "%s/tables", folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0);
    tc_grid_free(&grid);
    json_decref(results);
}

static void test_nothing(void **state) {
    (void)state;
    json_t *results = json_pack("{s:[]}", "cells");
    tc_grid grid;
    assert_int_equal(tc_grid_make(results, &grid, NULL), TC_OK);
    assert_true(grid.rows == 0 && grid.columns == 0 && !tc_grid_has(&grid, grid.measures));
    tc_grid_free(&grid);
    json_decref(results);
}

static void test_files(void **state) {
    (void)state;
    char folder[] = "/tmp/tocsin-grid-XXXXXX", tables[512];
    json_t *results = study();
    tc_grid grid;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(tc_grid_make(results, &grid, NULL), TC_OK);
    assert_int_equal(tc_table_files_write(folder, &grid, NULL), TC_OK);
    char *latex = read_whole(folder, "success.tex"), *csv = read_whole(folder, "success.csv");
    assert_non_null(strstr(
        latex, "\\begin{tabular}{lrrrr}\n\\toprule\n"
               " & \\multicolumn{2}{c}{$\\varepsilon$ $16/255$} & \\multicolumn{1}{c}{$\\varepsilon$ $8/255$} & "));
    assert_non_null(strstr(latex, "\n\\cmidrule(lr){2-3} \\cmidrule(lr){4-4} \\cmidrule(lr){5-5} \n"));
    assert_non_null(
        strstr(latex, "\nSAPA & $\\mathbf{70.0} \\pm 10.0$ & $60.0 \\pm 10.0$ & $30.0 \\pm 10.0$ & -- \\\\\n"));
    assert_non_null(strstr(latex, "\\bottomrule\n\\end{tabular}\n"));
    assert_non_null(strstr(
        csv,
        "method,network,defence,\"ε = 16/255, share poisoned = 1 %\",\"ε = 16/255, share poisoned = 1 % stderr\","));
    assert_non_null(strstr(csv, "\nGM,resnet18,none,0.5,0.1,,,0.4,"));
    free(latex);
    free(csv);
    static const char *const rest[] = {"accuracy.csv", "accuracy.tex", "cells.csv"};
    for (int i = 0; i < 3; i++) free(read_whole(folder, rest[i]));
    snprintf(tables, sizeof tables, "%s/tables", folder);
    assert_int_equal(rmdir(tables), 0); /* and no other file was left */
    assert_int_equal(rmdir(folder), 0);
    tc_grid_free(&grid);
    json_decref(results);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layout),
                                       cmocka_unit_test(test_entries),
                                       cmocka_unit_test(test_sweep_names),
                                       cmocka_unit_test(test_networks_and_defences),
                                       cmocka_unit_test(test_nothing),
                                       cmocka_unit_test(test_defences),
                                       cmocka_unit_test(test_cells_of_every_column),
                                       cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
