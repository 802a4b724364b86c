/* keep.c — what becomes of a finished phase. */
#include "experiment/run/inside.h"

#include "base/file.h"
#include "experiment/run/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool feeds_others(const tc_phase *phase) {
    return phase->kind == TC_PHASE_SURROGATE || phase->kind == TC_PHASE_CRAFT || phase->inspected;
}

tc_status tc_runner_keep_blob(tc_runner *r, int phase, const tc_phase_result *result, tc_error *error) {
    const tc_phase *p = &r->plan->phase[phase];
    if (!feeds_others(p)) return TC_OK;
    r->fresh[phase] = true;
    return tc_store_put_blob(r->store, p, &result->blob, error);
}

/* ---- poisons ---- */

/* The first cell that uses a craft phase lends its number to the folder. */
static int cell_of(const tc_plan *plan, int phase) {
    const int64_t trial = plan->phase[phase].trial;
    for (int c = 0; c < plan->cells; c++)
        if (plan->cell[c].craft[trial] == phase) return c;
    return -1;
}

static tc_status keep_poison(tc_runner *r, int phase, const tc_phase_result *result, tc_error *error) {
    const tc_phase *p = &r->plan->phase[phase];
    char folder[64], path[TC_PATH_SIZE];
    tc_lab lab = {0};
    tc_trial trial = {0};
    tc_outcome outcome = {0};
    tc_status status = TC_OK;
    tc_results_poison(r->plan, cell_of(r->plan, phase), p->trial, folder);
    TC_TRY(tc_path_format(path, error, "%s/%s", r->folder, folder));
    TC_TRY(tc_labs_open(r->labs, p->spec, -1, &lab, error));
    tc_trial_open(&lab, p->trial, &trial);
    TC_TRY(tc_trial_draw(&trial, error));
    TC_TRY(tc_poison_decode(lab.dataset, &result->blob, &outcome.poison, error));
    TC_TRY(tc_study_save_poison(&trial, &p->spec->attacks[p->attack], &outcome, p->key, path, error));
done:
    tc_outcome_free(&outcome);
    tc_trial_end(&trial);
    tc_labs_close(&lab);
    return status;
}

/* ---- models ---- */

/* The names that a study without sweep and with one victim can have; the key tells apart those of a larger one. */
static void model_name(const tc_plan *plan, int phase, char *name, size_t size) {
    const tc_phase *p = &plan->phase[phase];
    const bool alone = plan->variants == 1 && plan->base->victim_count == 1;
    const long long trial = (long long)p->trial;
    char tail[16] = "";
    if (!alone) snprintf(tail, sizeof tail, "-%.8s", p->key);
    int before = 0; /* surrogates of the architectures before this one */
    for (int k = 0; k < p->surrogate; k++) before += (int)p->spec->surrogates[k].count;
    if (p->kind == TC_PHASE_SURROGATE) snprintf(name, size, "surrogate-%d-%lld%s", before + p->index, trial, tail);
    if (p->kind == TC_PHASE_CLEAN) snprintf(name, size, "clean-%lld%s", trial, tail);
    if (p->kind != TC_PHASE_VICTIM) return;
    int cell = 0;
    while (cell < plan->cells && plan->cell[cell].victim_phase[p->trial] != phase) cell++;
    if (cell < plan->cells) snprintf(name, size, "victim-%d-%lld", cell, trial);
    if (cell == plan->cells) snprintf(name, size, "inspected-%lld-%.8s", trial, p->key); /* for a filter only */
}

static tc_status keep_model(const tc_runner *r, int phase, const tc_phase_result *result, tc_error *error) {
    char name[64] = "", path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    if (!r->plan->phase[phase].spec->study.keep_models || !result->blob.bytes) return TC_OK;
    model_name(r->plan, phase, name, sizeof name);
    TC_TRY(tc_path_format(path, error, "%s/models", r->folder));
    TC_TRY(tc_folder_make(path, error));
    TC_TRY(tc_path_format(path, error, "%s/models/%s.safetensors", r->folder, name));
    TC_TRY(tc_file_write(path, result->blob.bytes, result->blob.size, error));
done:
    return status;
}

/* ---- findings ---- */

static double value_of(const tc_row *row, const char *column) {
    for (int c = 0; c < TC_COLUMNS; c++)
        if (!strcmp(tc_columns[c].name, column)) return row->value[c];
    return NAN;
}

static void tell(const tc_runner *r, const tc_row *row) {
    const json_t *predicted = json_object_get(row->victim, "predicted");
    const json_t *intended = json_object_get(json_object_get(row->clean, "threat"), "intended_class");
    const tc_standing standing = tc_runner_standing(r);
    tc_finding finding = {.cell = &r->plan->cell[row->cell],
                          .number = row->cell,
                          .trial = row->trial,
                          .trials = r->plan->trials,
                          .targets = json_array_size(predicted),
                          .accuracy = value_of(row, "accuracy"),
                          .clean_accuracy = value_of(row, "clean_accuracy"),
                          .craft_seconds = value_of(row, "craft"),
                          .victim_seconds = value_of(row, "victim")};
    for (size_t i = 0; i < finding.targets; i++) finding.hits += json_equal(json_array_get(predicted, i), intended);
    r->hooks->finished(r->hooks->context, &finding, &standing);
}

static tc_results results_of(const tc_runner *r) {
    return (tc_results){r->plan, &r->record, r->payload, r->seconds};
}

void tc_runner_tell_findings(tc_runner *r, int phase, bool loudly) {
    const tc_results results = results_of(r);
    const int64_t t = r->plan->phase[phase].trial;
    tc_row row;
    for (int c = 0; c < r->plan->cells; c++) {
        uint8_t *told = &r->told[(size_t)c * (size_t)r->plan->trials + (size_t)t];
        if (*told || !tc_results_row(&results, c, t, &row)) continue;
        *told = 1;
        r->trials_done++;
        if (loudly && r->hooks->finished) tell(r, &row);
    }
}

tc_status tc_runner_write_results(const tc_runner *r, tc_error *error) {
    const tc_results results = results_of(r);
    return tc_results_save(&results, r->folder, error);
}

/* ---- all of it ---- */

static void drop_unneeded(tc_runner *r, int phase) {
    const tc_phase *p = &r->plan->phase[phase];
    for (int i = 0; i < p->need_count; i++)
        if (!r->agenda.wanted[p->needs[i]]) tc_store_drop_blob(r->store, &r->plan->phase[p->needs[i]]);
    if (feeds_others(p) && !r->agenda.wanted[phase]) tc_store_drop_blob(r->store, p);
}

tc_status tc_runner_record(tc_runner *r, int phase, const tc_phase_result *result, double seconds, tc_error *error) {
    tc_status status = TC_OK;
    if (r->plan->phase[phase].kind == TC_PHASE_CRAFT) TC_TRY(keep_poison(r, phase, result, error));
    TC_TRY(keep_model(r, phase, result, error));
    TC_TRY(tc_store_finish(r->store, r->plan->phase[phase].key, result, seconds, error));
    json_decref(r->payload[phase]); /* of a phase that lost its blob, and is as it was */
    r->payload[phase] = json_incref(result->payload);
done:
    return status;
}

tc_status tc_runner_keep(tc_runner *r, int phase, const tc_phase_result *result, double seconds, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_runner_record(r, phase, result, seconds, error));
    drop_unneeded(r, phase);
    tc_runner_tell_findings(r, phase, true);
done:
    return status;
}
