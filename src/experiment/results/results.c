#include "experiment/results/results.h"

#include "base/file.h"
#include "evaluate/evaluate.h"
#include "experiment/results/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

/* A list that lacks something for want of memory is none. */
static json_t *whole(json_t *list, bool done) {
    if (done) return list;
    json_decref(list);
    return NULL;
}

/* ---- rows ---- */

static json_t *row_json(const tc_results *results, const tc_row *row) {
    json_t *metrics = json_object(), *seconds = json_object();
    const json_t *threat = json_object_get(row->clean, "threat");
    const tc_spec *spec = results->plan->cell[row->cell].spec;
    char poison[64];
    tc_results_poison(results->plan, row->cell, row->trial, poison);
    for (int c = 0; c < TC_COLUMNS; c++)
        if (isfinite(row->value[c]) || !tc_columns[c].where_known)
            json_object_set_new(tc_columns[c].seconds ? seconds : metrics, tc_columns[c].name, number(row->value[c]));
    json_t *made =
        json_pack("{s:i, s:I, s:I, s:o, s:o, s:s, s:O, s:O, s:O}", "cell", row->cell, "trial", (json_int_t)row->trial,
                  "seed", (json_int_t)spec->study.seed, "metrics", metrics, "seconds", seconds, "poison", poison,
                  "predicted", json_object_get(row->victim, "predicted"), "clean_predicted",
                  json_object_get(row->clean, "predicted"), "poisons", json_object_get(row->craft, "poisons"));
    json_object_update(made, (json_t *)(uintptr_t)threat);
    return made;
}

static json_t *rows_json(const tc_results *results) {
    json_t *made = json_array();
    bool done = made;
    tc_row row;
    for (int64_t t = 0; t < results->plan->trials; t++)
        for (int c = 0; c < results->plan->cells; c++)
            if (tc_results_row(results, c, t, &row)) done &= !json_array_append_new(made, row_json(results, &row));
    return whole(made, done);
}

/* ---- cells ---- */

/* Cases, not trials: a trial with eight targets has eight chances, and an accuracy as many as there are test images. */
static size_t cases_of(const tc_results *results, const tc_row *row, int column) {
    if (strstr(tc_columns[column].name, "success")) return json_array_size(json_object_get(row->victim, "predicted"));
    const json_t *test = json_object_get(results->record->data, "test");
    return (size_t)json_integer_value(test);
}

typedef struct cell_sums {
    double *value[TC_COLUMNS]; /* [count[column]] */
    size_t count[TC_COLUMNS], hits[TC_COLUMNS], cases[TC_COLUMNS];
    json_int_t trials;
} cell_sums;

static void add_up(const tc_results *results, int cell, cell_sums *sums) {
    tc_row row;
    for (int64_t t = 0; t < results->plan->trials; t++) {
        if (!tc_results_row(results, cell, t, &row)) continue;
        sums->trials++;
        for (int c = 0; c < TC_COLUMNS; c++) {
            if (!isfinite(row.value[c])) continue;
            sums->value[c][sums->count[c]++] = row.value[c];
            if (!tc_columns[c].rate) continue;
            const size_t cases = cases_of(results, &row, c);
            sums->cases[c] += cases;
            sums->hits[c] += (size_t)llround(row.value[c] * (double)cases);
        }
    }
}

static json_t *estimate_json(const cell_sums *sums, int column) {
    const tc_estimate found = tc_estimate_of(sums->value[column], sums->count[column]);
    if (tc_columns[column].seconds) return number(found.mean);
    json_t *made = json_pack("{s:o, s:o}", "mean", number(found.mean), "stderr", number(found.standard_error));
    if (!tc_columns[column].rate || !sums->cases[column]) return made;
    const tc_interval interval =
        tc_wilson_of_trials(sums->value[column], sums->count[column], sums->hits[column], sums->cases[column]);
    json_object_set_new(made, "n", json_integer((json_int_t)sums->cases[column]));
    json_object_set_new(made, "low", number(interval.low));
    json_object_set_new(made, "high", number(interval.high));
    return made;
}

static json_t *cell_json(const tc_results *results, int cell, double *room) {
    const tc_cell *c = &results->plan->cell[cell];
    json_t *metrics = json_object(), *seconds = json_object();
    cell_sums sums = {0};
    for (int k = 0; k < TC_COLUMNS; k++) sums.value[k] = room + (size_t)k * (size_t)results->plan->trials;
    add_up(results, cell, &sums);
    for (int k = 0; k < TC_COLUMNS; k++)
        if (sums.count[k] || !tc_columns[k].where_known)
            json_object_set_new(tc_columns[k].seconds ? seconds : metrics, tc_columns[k].name, estimate_json(&sums, k));
    return json_pack("{s:O, s:O, s:I, s:o, s:o}", "label", json_object_get(c->factors, "label"), "factors", c->factors,
                     "trials", sums.trials, "metrics", metrics, "seconds", seconds);
}

static json_t *cells_json(const tc_results *results) {
    double *room = calloc((size_t)results->plan->trials * TC_COLUMNS, sizeof *room);
    json_t *made = room ? json_array() : NULL;
    bool done = made;
    for (int c = 0; done && c < results->plan->cells; c++)
        done = !json_array_append_new(made, cell_json(results, c, room));
    free(room);
    return whole(made, done);
}

/* ---- the whole ---- */

static json_t *durations_json(const tc_results *results) {
    json_t *made = json_object();
    for (int kind = 0; kind < TC_PHASE_KINDS; kind++) {
        json_int_t phases = 0, done = 0;
        double seconds = 0;
        for (int p = 0; p < results->plan->phases; p++) {
            if ((int)results->plan->phase[p].kind != kind) continue;
            phases++;
            done += results->payload[p] != NULL;
            seconds += results->payload[p] ? results->seconds[p] : 0;
        }
        json_object_set_new(made, tc_phase_names[kind],
                            json_pack("{s:I, s:I, s:f, s:I}", "phases", phases, "done", done, "seconds", seconds,
                                      "without_sharing", (json_int_t)results->plan->asked_for[kind]));
    }
    return made;
}

static json_t *provenance_json(const tc_results *results) {
    const tc_study_record *record = results->record;
    return json_pack("{s:s?, s:I, s:s, s:O, s:s, s:s}", "spec", record->text, "seed",
                     (json_int_t)results->plan->base->study.seed, "version", record->version, "machine",
                     record->machine, "started", record->started, "finished", record->finished);
}

/* A new reference; NULL without memory. */
static json_t *whole_json(const tc_results *results) {
    const tc_study_record *record = results->record;
    char when[32] = "";
    const time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_t *made =
        json_pack("{s:i, s:s, s:s, s:o, s:O, s:O, s:O, s:o, s:o, s:o, s:o}", "schema", 1, "version", record->version,
                  "time", when, "spec", tc_plan_json(results->plan), "machine", record->machine, "data", record->data,
                  "sweep", results->plan->sweep, "cells", cells_json(results), "trials", rows_json(results),
                  "durations", durations_json(results), "provenance", provenance_json(results));
    if (!made) return NULL;
    if (tc_results_landscapes(results, made) && tc_results_pairs(results, made) && tc_results_curves(results, made))
        return made;
    json_decref(made);
    return NULL;
}

static tc_status save_json(const tc_results *results, const char *path, tc_error *error) {
    json_t *root = whole_json(results);
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(root);
    if (!text) return tc_raise(error, TC_FAILED, "%s: no memory to write it; free some", path);
    const tc_status status = tc_file_write(path, text, strlen(text), error);
    free(text);
    return status;
}

tc_status tc_results_save(const tc_results *results, const char *folder, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/results.json", folder));
    TC_TRY(save_json(results, path, error));
    TC_TRY(tc_path_format(path, error, "%s/results.csv", folder));
    TC_TRY(tc_results_save_csv(results, path, error));
done:
    return status;
}
