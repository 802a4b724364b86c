#include "experiment/trial.h"

#include "base/file.h"
#include "evaluate/evaluate.h"
#include "train/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the lab ---- */

tc_status tc_lab_open(const tc_spec *spec, const tc_study_hooks *hooks, tc_lab *lab, tc_error *error) {
    tc_status status = TC_OK;
    *lab = (tc_lab){.spec = spec, .hooks = hooks};
    TC_TRY(tc_spec_open_data(spec, &lab->dataset, error));
    TC_TRY(tc_spec_check_data(spec, lab->dataset, error));
    TC_TRY(tc_spec_build(spec, &spec->surrogate, lab->dataset, &lab->surrogate, error));
    TC_TRY(tc_spec_build(spec, &spec->victims[0], lab->dataset, &lab->victim, error));
    TC_TRY(tc_spec_open_device(spec, &lab->device, error));
done:
    if (status != TC_OK) tc_lab_close(lab);
    return status;
}

void tc_lab_close(tc_lab *lab) {
    tc_model_free(lab->surrogate);
    tc_model_free(lab->victim);
    tc_device_close(lab->device);
    tc_dataset_free(lab->dataset);
    *lab = (tc_lab){0};
}

/* ---- what is told while it runs ---- */

/* One phase: the part below reports to it, and it to the study's hooks. */
typedef struct phase {
    const tc_study_hooks *hooks;
    tc_progress told;
} phase;

static phase begin_phase(const tc_trial *trial, const char *name, const char *label) {
    return (phase){trial->lab->hooks,
                   {.phase = name,
                    .label = label,
                    .trial = trial->number + 1,
                    .trials = trial->lab->spec->study.trials,
                    .loss = NAN,
                    .accuracy = NAN,
                    .images_per_second = NAN,
                    .seconds_left = NAN}};
}

static void tell(phase *p, double fraction) {
    p->told.fraction = fraction;
    if (p->hooks && p->hooks->progress) p->hooks->progress(p->hooks->context, &p->told);
}

static void trained(void *context, const tc_epoch_report *report, double fraction) {
    phase *p = context;
    p->told.loss = report->loss;
    p->told.accuracy = report->accuracy;
    p->told.images_per_second = report->images_per_second;
    p->told.seconds_left = report->seconds_left;
    tell(p, fraction);
}

static void crafted(void *context, double fraction, double objective) {
    phase *p = context;
    p->told.loss = objective;
    tell(p, fraction);
}

static bool asked_to_stop(void *context) {
    const phase *p = context;
    return p->hooks && p->hooks->stop && p->hooks->stop(p->hooks->context);
}

/* ---- training one network ---- */

static tc_status keep(const tc_trial *trial, const char *name, const tc_model *model, const tc_weights *weights,
                      tc_error *error) {
    char path[TC_PATH_SIZE];
    if (!trial->lab->models) return TC_OK;
    tc_status status =
        tc_path_format(path, error, "%s/%s-%lld.safetensors", trial->lab->models, name, (long long)trial->number);
    return status == TC_OK ? tc_weights_save(model, path, weights, error) : status;
}

/* All randomness is one stream's, so that victims start alike and see the samples in the same order, whatever the
 * poison. */
tc_status tc_trial_train(const tc_trial *trial, tc_role role, int index, const char *label, const tc_poison *poison,
                         tc_weights *weights, tc_train_result *result, tc_error *error) {
    const tc_lab *lab = trial->lab;
    const bool victim = role == TC_VICTIM;
    const tc_model *model = victim ? lab->victim : lab->surrogate;
    const tc_train_options *options = victim ? &lab->spec->victims[0].train : &lab->spec->surrogate.train;
    const tc_stream stream = tc_stream_child(trial->stream, victim ? "victim" : "surrogate", (uint64_t)index);
    phase p = begin_phase(trial, victim ? "victim" : "surrogate", label);
    const tc_train_hooks hooks = {.progress = trained, .stop = asked_to_stop, .context = &p};
    tc_view view = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_weights_create(model, weights, error));
    tc_model_init(model, tc_stream_child(stream, "initialise", 0), weights->theta, weights->state);
    TC_TRY(tc_view_create(lab->dataset, poison, &view, error));
    TC_TRY(tc_train(lab->device, model, &view, options, tc_stream_child(stream, "train", 0), &hooks, weights, result,
                    error));
done:
    tc_view_free(&view);
    return status;
}

/* ---- evaluating it ---- */

tc_status tc_trial_predict(const tc_trial *trial, const tc_model *model, const tc_weights *weights, int32_t *prediction,
                           tc_error *error) {
    const tc_dataset *dataset = trial->lab->dataset;
    const size_t bytes = tc_dataset_image_bytes(dataset), targets = trial->threat.targets;
    const size_t classes = (size_t)dataset->classes;
    uint8_t *images = NULL;
    float *logits = NULL;
    tc_status status = TC_OK;
    if (!targets) return TC_OK;
    TC_TRY(tc_new(&images, targets, bytes, error));
    TC_TRY(tc_new(&logits, targets * classes, sizeof *logits, error));
    for (size_t i = 0; i < targets; i++)
        memcpy(images + i * bytes, dataset->test.images + trial->threat.target[i] * bytes, bytes);
    TC_TRY(tc_predict(trial->lab->device, model, weights, dataset, images, targets, logits, error));
    for (size_t i = 0; i < targets; i++) {
        const float *z = logits + i * classes; /* [classes] */
        prediction[i] = 0;
        for (int c = 1; c < dataset->classes; c++)
            if (z[c] > z[prediction[i]]) prediction[i] = c;
    }
done:
    free(logits);
    free(images);
    return status;
}

static tc_status judge(const tc_trial *trial, const tc_weights *weights, int32_t *prediction, double *accuracy,
                       double *success, tc_error *error) {
    const tc_lab *lab = trial->lab;
    tc_accuracy measured = {0};
    size_t hits = 0;
    tc_status status = TC_OK;
    TC_TRY(tc_evaluate(lab->device, lab->victim, weights, lab->dataset, &lab->dataset->test, &measured, error));
    TC_TRY(tc_trial_predict(trial, lab->victim, weights, prediction, error));
    for (size_t i = 0; i < trial->threat.targets; i++) hits += prediction[i] == trial->threat.intended_class;
    *accuracy = measured.accuracy;
    *success = (double)hits / (double)trial->threat.targets;
done:
    return status;
}

/* ---- what all attacks share ---- */

static tc_status train_surrogates(tc_trial *trial, tc_error *error) {
    const int64_t count = trial->lab->spec->surrogate.count;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&trial->surrogates, (size_t)count, sizeof *trial->surrogates, error));
    for (int k = 0; k < count; k++) {
        tc_surrogate *surrogate = &trial->surrogates[k];
        tc_train_result result = {0};
        char name[64];
        surrogate->model = trial->lab->surrogate;
        trial->surrogate_count = k + 1;
        TC_TRY(tc_trial_train(trial, TC_SURROGATE, k, "", NULL, &surrogate->weights, &result, error));
        trial->pretrain_seconds += result.seconds;
        snprintf(name, sizeof name, "surrogate-%d", k);
        TC_TRY(keep(trial, name, surrogate->model, &surrogate->weights, error));
    }
done:
    return status;
}

static tc_status train_clean_victim(tc_trial *trial, tc_error *error) {
    const tc_lab *lab = trial->lab;
    tc_weights weights = {0};
    tc_train_result result = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_new(&trial->clean_prediction, trial->threat.targets, sizeof *trial->clean_prediction, error));
    TC_TRY(tc_trial_train(trial, TC_VICTIM, 0, "on clean data", NULL, &weights, &result, error));
    trial->clean_seconds = result.seconds;
    TC_TRY(keep(trial, "clean", lab->victim, &weights, error));
    TC_TRY(judge(trial, &weights, trial->clean_prediction, &trial->clean_accuracy, &trial->clean_success, error));
done:
    tc_weights_free(&weights);
    return status;
}

static bool surrogates_wanted(const tc_spec *spec) {
    for (int i = 0; i < spec->attack_count; i++)
        if (spec->attacks[i].attack->needs_surrogate) return true;
    return false;
}

void tc_trial_open(const tc_lab *lab, int64_t number, tc_trial *trial) {
    *trial = (tc_trial){.lab = lab, .number = number};
    trial->stream = tc_spec_stream(lab->spec, number);
}

tc_status tc_trial_draw(tc_trial *trial, tc_error *error) {
    return tc_spec_draw(trial->lab->spec, trial->lab->dataset, trial->number, &trial->threat, error);
}

tc_status tc_trial_begin(const tc_lab *lab, int64_t number, tc_trial *trial, tc_error *error) {
    tc_status status = TC_OK;
    tc_trial_open(lab, number, trial);
    TC_TRY(tc_trial_draw(trial, error));
    if (surrogates_wanted(lab->spec)) TC_TRY(train_surrogates(trial, error));
    TC_TRY(train_clean_victim(trial, error));
done:
    if (status != TC_OK) tc_trial_end(trial);
    return status;
}

void tc_trial_end(tc_trial *trial) {
    for (int k = 0; k < trial->surrogate_count; k++) tc_weights_free(&trial->surrogates[k].weights);
    free(trial->surrogates);
    free(trial->clean_prediction);
    tc_threat_free(&trial->threat);
    *trial = (tc_trial){0};
}

/* ---- one attack ---- */

tc_status tc_trial_craft(const tc_trial *trial, const tc_method_spec *method, tc_outcome *outcome, tc_error *error) {
    const tc_lab *lab = trial->lab;
    phase p = begin_phase(trial, "craft", method->label);
    tc_craft_report report = {.objective = NAN};
    const tc_craft_job job = {.device = lab->device,
                              .dataset = lab->dataset,
                              .threat = &trial->threat,
                              .surrogates = trial->surrogates,
                              .surrogate_count = trial->surrogate_count,
                              .stream = tc_stream_child(trial->stream, "craft", 0), /* the same for every attack */
                              .progress = crafted,
                              .stop = asked_to_stop,
                              .context = &p};
    const double start = tc_clock();
    const tc_status status = method->attack->craft(&job, method->options, &outcome->poison, &report, error);
    if (status != TC_OK) return status;
    outcome->craft_seconds = tc_clock() - start;
    outcome->objective = report.objective;
    outcome->steps = report.steps;
    outcome->gradients = report.gradients;
    outcome->jvps = report.jvps;
    outcome->linf = tc_poison_linf(outcome->poison, lab->dataset);
    tell(&p, 1);
    return TC_OK;
}

tc_status tc_trial_attack(const tc_trial *trial, const tc_method_spec *method, tc_outcome *outcome, tc_error *error) {
    const tc_lab *lab = trial->lab;
    tc_weights weights = {0};
    tc_train_result result = {0};
    char name[64];
    tc_status status = TC_OK;
    *outcome = (tc_outcome){.objective = NAN};
    TC_TRY(tc_new(&outcome->prediction, trial->threat.targets, sizeof *outcome->prediction, error));
    TC_TRY(tc_trial_craft(trial, method, outcome, error));
    TC_TRY(tc_trial_train(trial, TC_VICTIM, 0, method->label, outcome->poison, &weights, &result, error));
    outcome->victim_seconds = result.seconds;
    snprintf(name, sizeof name, "victim-%d", (int)(method - lab->spec->attacks));
    TC_TRY(keep(trial, name, lab->victim, &weights, error));
    TC_TRY(judge(trial, &weights, outcome->prediction, &outcome->accuracy, &outcome->success, error));
done:
    tc_weights_free(&weights);
    if (status != TC_OK) tc_outcome_free(outcome);
    return status;
}

void tc_outcome_free(tc_outcome *outcome) {
    tc_poison_free(outcome->poison);
    free(outcome->prediction);
    *outcome = (tc_outcome){0};
}
