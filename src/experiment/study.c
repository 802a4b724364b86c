#include "experiment/study.h"

#include "base/file.h"
#include "data/image_file.h"
#include "experiment/results.h"
#include "experiment/threat_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one poison's folder ---- */

static tc_status save_target(const tc_dataset *dataset, uint32_t place, const char *path, tc_error *error) {
    const size_t bytes = tc_dataset_image_bytes(dataset);
    const tc_image image = {dataset->height, dataset->width, dataset->channels, dataset->test.images + place * bytes};
    uint8_t *file = NULL;
    size_t size = 0;
    tc_status status = tc_png_encode(&image, &file, &size, error);
    if (status == TC_OK) status = tc_file_write(path, file, size, error);
    free(file);
    return status;
}

tc_status tc_study_save_poison(const tc_trial *trial, const tc_method_spec *method, const tc_outcome *outcome,
                               const char *folder, tc_error *error) {
    const tc_dataset *dataset = trial->lab->dataset;
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(tc_poison_save(outcome->poison, dataset, folder, error));
    TC_TRY(tc_threat_file_write(trial, method, folder, error));
    for (size_t i = 0; i < trial->threat.targets; i++) {
        TC_TRY(tc_path_format(path, error, "%s/target-%zu.png", folder, i));
        TC_TRY(save_target(dataset, trial->threat.target[i], path, error));
    }
done:
    return status;
}

/* ---- the run ---- */

typedef struct study {
    tc_lab lab;
    tc_results *results;
    char results_path[TC_PATH_SIZE], models[TC_PATH_SIZE];
    const tc_study_place *place;
} study;

static tc_status check_place(const tc_study_place *place, const char *results, tc_error *error) {
    const tc_status status = tc_folder_check_writable(place->folder, error);
    if (status != TC_OK) return tc_error_at(error, "--out");
    if (place->overwrite || !tc_file_exists(results)) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "--out: %s holds the results of an earlier run; choose another folder or --overwrite",
                    place->folder);
}

/* Everything that can fail because of what was asked for. */
static tc_status prepare(study *s, const tc_spec *spec, const tc_study_hooks *hooks, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(s->results_path, error, "%s/results.json", s->place->folder));
    TC_TRY(check_place(s->place, s->results_path, error));
    TC_TRY(tc_lab_open(spec, hooks, &s->lab, error));
    TC_TRY(tc_spec_check_threat(spec, s->lab.dataset, error));
    TC_TRY(tc_results_create(spec, s->lab.dataset, &s->results, error));
done:
    return status;
}

static tc_status remove_earlier(const char *folder, tc_error *error) {
    static const char *const ours[] = {"poisons", "models"};
    char path[TC_PATH_SIZE];
    for (int i = 0; i < 2; i++) {
        tc_status status = tc_path_format(path, error, "%s/%s", folder, ours[i]);
        if (status == TC_OK && tc_folder_exists(path)) status = tc_folder_remove(path, error);
        if (status != TC_OK) return status;
    }
    return TC_OK;
}

static tc_status make_place(study *s, const tc_spec *spec, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    status = tc_folder_make(s->place->folder, error);
    if (status != TC_OK)
        return tc_raise(error, TC_INVALID, "--out: %s: cannot be made; choose another folder", s->place->folder);
    if (s->place->overwrite) TC_TRY(remove_earlier(s->place->folder, error));
    TC_TRY(tc_path_format(path, error, "%s/spec.resolved.yaml", s->place->folder));
    TC_TRY(tc_spec_save_yaml(spec, path, error));
    if (spec->study.keep_models) {
        TC_TRY(tc_path_format(s->models, error, "%s/models", s->place->folder));
        TC_TRY(tc_folder_make(s->models, error));
        s->lab.models = s->models;
    }
    TC_TRY(tc_results_save(s->results, s->results_path, error));
done:
    return status;
}

static tc_status run_attack(study *s, const tc_trial *trial, int cell, tc_error *error) {
    const tc_method_spec *method = &s->lab.spec->attacks[cell];
    char folder[64], path[TC_PATH_SIZE];
    tc_outcome outcome = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_trial_attack(trial, method, &outcome, error));
    snprintf(folder, sizeof folder, "poisons/%d-%lld", cell, (long long)trial->number);
    TC_TRY(tc_path_format(path, error, "%s/%s", s->place->folder, folder));
    TC_TRY(tc_study_save_poison(trial, method, &outcome, path, error));
    TC_TRY(tc_results_add(s->results, cell, trial, &outcome, folder, error));
    TC_TRY(tc_results_save(s->results, s->results_path, error));
    const tc_study_hooks *hooks = s->lab.hooks;
    if (hooks && hooks->finished) hooks->finished(hooks->context, trial, method, &outcome);
done:
    tc_outcome_free(&outcome);
    return status;
}

static tc_status run_trial(study *s, int64_t number, tc_error *error) {
    tc_trial trial;
    tc_status status = tc_trial_begin(&s->lab, number, &trial, error);
    if (status != TC_OK) return status;
    for (int cell = 0; cell < s->lab.spec->attack_count && status == TC_OK; cell++)
        status = run_attack(s, &trial, cell, error);
    tc_trial_end(&trial);
    return status;
}

tc_status tc_study_run(const tc_spec *spec, const tc_study_place *place, const tc_study_hooks *hooks, tc_error *error) {
    study s = {.place = place};
    tc_status status = TC_OK;
    TC_TRY(prepare(&s, spec, hooks, error));
    TC_TRY(make_place(&s, spec, error));
    for (int64_t t = 0; t < spec->study.trials; t++) TC_TRY(run_trial(&s, t, error));
done:
    tc_results_free(s.results);
    tc_lab_close(&s.lab);
    return status;
}
