#include "experiment/results.h"

#include "base/file.h"
#include "evaluate/evaluate.h"
#include "experiment/machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The metrics of a trial, in the order of the file: one row serves both the trial's own numbers and the cell's means.
 */
static const struct {
    const char *name;
    bool seconds; /* stands under "seconds" instead of "metrics" */
} columns[] = {
    {"success", false},   {"accuracy", false},    {"clean_accuracy", false}, {"clean_success", false},
    {"objective", false}, {"linf", false},        {"pretrain", true},        {"craft", true},
    {"victim", true},     {"clean_victim", true},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

typedef struct row {
    int cell;
    int64_t trial;
    double value[COLUMNS];
    json_t *threat; /* targets, classes, predictions */
    char poison[64];
} row;

struct tc_results {
    const tc_spec *spec;
    json_t *machine, *data;
    row *rows; /* [count] */
    size_t count, room;
};

static tc_status no_memory(tc_error *error) {
    return tc_raise(error, TC_FAILED, "memory: none left for the results; free some");
}

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *describe_data(const tc_dataset *dataset) {
    json_t *classes = json_array();
    for (int c = 0; c < dataset->classes; c++) json_array_append_new(classes, json_string(dataset->class_names[c]));
    return json_pack("{s:s, s:i, s:i, s:i, s:I, s:I, s:o}", "name", dataset->name, "height", dataset->height, "width",
                     dataset->width, "channels", dataset->channels, "train", (json_int_t)dataset->train.count, "test",
                     (json_int_t)dataset->test.count, "classes", classes);
}

tc_status tc_results_create(const tc_spec *spec, const tc_dataset *dataset, tc_results **results, tc_error *error) {
    const tc_status status = tc_new(results, 1, sizeof **results, error);
    if (status != TC_OK) return status;
    (*results)->spec = spec;
    (*results)->machine = tc_machine_json();
    (*results)->data = describe_data(dataset);
    if ((*results)->machine && (*results)->data) return TC_OK;
    tc_results_free(*results);
    *results = NULL;
    return no_memory(error);
}

void tc_results_free(tc_results *results) {
    if (!results) return;
    for (size_t i = 0; i < results->count; i++) json_decref(results->rows[i].threat);
    free(results->rows);
    json_decref(results->machine);
    json_decref(results->data);
    free(results);
}

static json_t *describe_threat(const tc_trial *trial, const tc_outcome *outcome) {
    json_t *targets = json_array(), *victim = json_array(), *clean = json_array();
    for (size_t i = 0; i < trial->threat.targets; i++) {
        json_array_append_new(targets, json_integer(trial->threat.target[i]));
        json_array_append_new(victim, json_integer(outcome->prediction[i]));
        json_array_append_new(clean, json_integer(trial->clean_prediction[i]));
    }
    return json_pack("{s:i, s:i, s:o, s:o, s:o, s:I}", "target_class", trial->threat.target_class, "intended_class",
                     trial->threat.intended_class, "targets", targets, "predicted", victim, "clean_predicted", clean,
                     "poisons", (json_int_t)trial->threat.poisons);
}

tc_status tc_results_add(tc_results *results, int cell, const tc_trial *trial, const tc_outcome *outcome,
                         const char *poison, tc_error *error) {
    if (results->count == results->room) {
        const size_t room = results->room ? 2 * results->room : 64;
        row *rows = realloc(results->rows, room * sizeof *rows);
        if (!rows) return no_memory(error);
        results->rows = rows;
        results->room = room;
    }
    row *added = &results->rows[results->count];
    *added = (row){.cell = cell,
                   .trial = trial->number,
                   .value = {outcome->success, outcome->accuracy, trial->clean_accuracy, trial->clean_success,
                             outcome->objective, outcome->linf, trial->pretrain_seconds, outcome->craft_seconds,
                             outcome->victim_seconds, trial->clean_seconds},
                   .threat = describe_threat(trial, outcome)};
    snprintf(added->poison, sizeof added->poison, "%s", poison);
    if (!added->threat) return no_memory(error);
    results->count++;
    return TC_OK;
}

/* ---- the file ---- */

/* What tells this cell from others, flat, so that tables can be made of it without knowing the spec's shape. */
static json_t *factors(const tc_spec *spec, const tc_method_spec *method) {
    json_t *made = json_object();
    json_object_set_new(made, "attack", json_string(method->name));
    json_object_set_new(made, "label", json_string(method->label));
    json_object_update_new(made, tc_options_json(method->attack->options, method->options));
    json_object_update_new(made, tc_options_json(tc_threat_table, &spec->threat));
    json_object_set_new(made, "dataset", json_string(spec->data.source));
    json_object_set_new(made, "surrogate", json_string(spec->surrogate.model));
    json_object_set_new(made, "victim", json_string(spec->victims[0].label));
    return made;
}

static json_t *estimate(const tc_results *results, int cell, int column, double *values) {
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++)
        if (results->rows[i].cell == cell && isfinite(results->rows[i].value[column]))
            values[count++] = results->rows[i].value[column];
    const tc_estimate found = tc_estimate_of(values, count);
    if (columns[column].seconds) return number(count ? found.mean : NAN);
    return json_pack("{s:o, s:o}", "mean", number(count ? found.mean : NAN), "stderr", number(found.standard_error));
}

static json_t *cell_json(const tc_results *results, int cell, double *values) {
    json_t *metrics = json_object(), *seconds = json_object();
    json_int_t trials = 0;
    for (size_t i = 0; i < results->count; i++) trials += results->rows[i].cell == cell;
    for (int c = 0; c < COLUMNS; c++)
        json_object_set_new(columns[c].seconds ? seconds : metrics, columns[c].name,
                            estimate(results, cell, c, values));
    return json_pack("{s:o, s:I, s:o, s:o}", "factors", factors(results->spec, &results->spec->attacks[cell]), "trials",
                     trials, "metrics", metrics, "seconds", seconds);
}

static json_t *row_json(const tc_results *results, const row *from) {
    json_t *metrics = json_object(), *seconds = json_object();
    for (int c = 0; c < COLUMNS; c++)
        json_object_set_new(columns[c].seconds ? seconds : metrics, columns[c].name, number(from->value[c]));
    json_t *made = json_pack("{s:i, s:I, s:I, s:o, s:o, s:s}", "cell", from->cell, "trial", (json_int_t)from->trial,
                             "seed", (json_int_t)results->spec->study.seed, "metrics", metrics, "seconds", seconds,
                             "poison", from->poison);
    json_object_update(made, from->threat);
    return made;
}

json_t *tc_results_json(const tc_results *results) {
    double *values = calloc(results->count + 1, sizeof *values);
    if (!values) return NULL;
    json_t *cells = json_array(), *trials = json_array();
    char when[32] = "";
    const time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    for (int i = 0; i < results->spec->attack_count; i++) json_array_append_new(cells, cell_json(results, i, values));
    for (size_t i = 0; i < results->count; i++) json_array_append_new(trials, row_json(results, &results->rows[i]));
    free(values);
    return json_pack("{s:i, s:s, s:s, s:o, s:O, s:O, s:o, s:o}", "schema", 1, "version", TOCSIN_VERSION, "time", when,
                     "spec", tc_spec_json(results->spec), "machine", results->machine, "data", results->data, "cells",
                     cells, "trials", trials);
}

tc_status tc_results_save(const tc_results *results, const char *path, tc_error *error) {
    json_t *root = tc_results_json(results);
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(root);
    if (!text) return no_memory(error);
    const tc_status status = tc_file_write(path, text, strlen(text), error);
    free(text);
    return status;
}
