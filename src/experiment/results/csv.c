/* csv.c — one row a trial: what the cell is, what was found, who was attacked. */
#include "experiment/results/parts.h"

#include "base/csv.h"
#include "base/file.h"

#include <math.h>
#include <string.h>

static void put_value(FILE *out, const json_t *value) {
    if (json_is_string(value))
        tc_csv_put(out, json_string_value(value));
    else if (json_is_integer(value))
        fprintf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        fprintf(out, "%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "true" : "false", out);
}

/* "3;17" of a list of numbers, or the one number. */
static void put_numbers(FILE *out, const json_t *list) {
    if (!json_is_array(list)) put_value(out, list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i) fputc(';', out);
        put_value(out, json_array_get(list, i));
    }
}

/* The names of all factors of all cells, in the order in which they turn up: attacks have different options. */
static json_t *factor_names(const tc_plan *plan) {
    json_t *names = json_object(), *value;
    const char *name;
    for (int c = 0; c < plan->cells; c++)
        json_object_foreach(plan->cell[c].factors, name, value) json_object_set_new(names, name, json_null());
    return names;
}

static const char *const threat_columns[] = {"target_class", "intended_class", "targets"};

static void put_head(FILE *out, const json_t *factors) {
    const char *name;
    json_t *value;
    fputs("cell,trial,seed", out);
    json_object_foreach((json_t *)(uintptr_t)factors, name, value) {
        fputc(',', out);
        tc_csv_put(out, name);
    }
    for (int c = 0; c < TC_COLUMNS; c++)
        fprintf(out, ",%s%s", tc_columns[c].name, tc_columns[c].seconds ? "_seconds" : "");
    fputs(",drawn_target_class,drawn_intended_class,target_places,predicted,clean_predicted,poisons,poison\n", out);
}

static void put_row(FILE *out, const tc_plan *plan, const json_t *factors, const tc_row *row) {
    const tc_cell *cell = &plan->cell[row->cell];
    const json_t *threat = json_object_get(row->clean, "threat");
    char poison[64];
    const char *name;
    json_t *value;
    fprintf(out, "%d,%lld,%lld", row->cell, (long long)row->trial, (long long)cell->spec->study.seed);
    json_object_foreach((json_t *)(uintptr_t)factors, name, value) {
        fputc(',', out);
        put_value(out, json_object_get(cell->factors, name));
    }
    for (int c = 0; c < TC_COLUMNS; c++) {
        fputc(',', out);
        if (isfinite(row->value[c])) fprintf(out, "%.15g", row->value[c]);
    }
    for (int i = 0; i < 3; i++) {
        fputc(',', out);
        put_numbers(out, json_object_get(threat, threat_columns[i]));
    }
    fputc(',', out);
    put_numbers(out, json_object_get(row->victim, "predicted"));
    fputc(',', out);
    put_numbers(out, json_object_get(row->clean, "predicted"));
    fputc(',', out);
    put_value(out, json_object_get(row->craft, "poisons"));
    tc_results_poison(plan, row->cell, row->trial, poison);
    fprintf(out, ",%s\n", poison);
}

tc_status tc_results_save_csv(const tc_results *results, const char *path, tc_error *error) {
    const tc_plan *plan = results->plan;
    json_t *factors = factor_names(plan);
    tc_output output = {.file = NULL};
    tc_row row;
    tc_status status = TC_OK;
    TC_TRY(tc_output_open(path, &output, error));
    put_head(output.file, factors);
    for (int64_t t = 0; t < plan->trials; t++)
        for (int c = 0; c < plan->cells; c++)
            if (tc_results_row(results, c, t, &row)) put_row(output.file, plan, factors, &row);
    TC_TRY(tc_output_commit(&output, error));
done:
    tc_output_abandon(&output);
    json_decref(factors);
    return status;
}
