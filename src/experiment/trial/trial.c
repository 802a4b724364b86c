#include "experiment/trial/trial.h"

#include "experiment/trial/defend.h"

#include "base/file.h"
#include "evaluate/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the lab ---- */

tc_status tc_lab_build_surrogates(tc_lab *lab, tc_error *error) {
    const tc_spec *spec = lab->spec;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&lab->surrogates, (size_t)spec->surrogate_count, sizeof(tc_model *), error));
    for (int k = 0; k < spec->surrogate_count; k++)
        TC_TRY(tc_spec_build(spec, &spec->surrogates[k], lab->dataset, &lab->surrogates[k], error));
done:
    return status;
}

void tc_lab_free_surrogates(tc_lab *lab) {
    for (int k = 0; lab->surrogates && k < lab->spec->surrogate_count; k++) tc_model_free(lab->surrogates[k]);
    free(lab->surrogates);
    lab->surrogates = NULL;
}

tc_status tc_lab_open(const tc_spec *spec, int victim, const tc_trial_hooks *hooks, tc_lab *lab, tc_error *error) {
    tc_status status = TC_OK;
    *lab = (tc_lab){.spec = spec, .hooks = hooks};
    TC_TRY(tc_spec_open_data(spec, &lab->dataset, error));
    TC_TRY(tc_spec_check_data(spec, lab->dataset, error));
    TC_TRY(tc_lab_build_surrogates(lab, error));
    lab->network = &spec->victims[victim];
    TC_TRY(tc_spec_build(spec, lab->network, lab->dataset, &lab->victim, error));
    TC_TRY(tc_spec_open_device(spec, &lab->device, error));
done:
    if (status != TC_OK) tc_lab_close(lab);
    return status;
}

void tc_lab_close(tc_lab *lab) {
    tc_lab_free_surrogates(lab);
    tc_model_free(lab->victim);
    tc_device_close(lab->device);
    tc_dataset_free(lab->dataset);
    *lab = (tc_lab){0};
}

/* ---- what is told while it runs ---- */

/* One phase: the part below reports to it, and it to the study's hooks. */
typedef struct phase {
    const tc_trial_hooks *hooks;
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

/* What the hooks of a training see; the phase comes first, because those of crafting see only that. */
typedef struct watch {
    phase phase;
    tc_defending defending;
} watch;

static tc_status keep_some(void *context, const tc_train_moment *moment, uint8_t *keep, tc_error *error) {
    watch *w = context;
    return tc_defend_keep(&w->defending, moment, keep, error);
}

/* All randomness is one stream's, so that victims start alike and see the samples in the same order, whatever the
 * poison. */
tc_status tc_trial_train(const tc_trial *trial, const tc_training *training, tc_weights *weights,
                         tc_train_result *result, tc_error *error) {
    const tc_lab *lab = trial->lab;
    const bool victim = training->role == TC_VICTIM;
    const char *role = victim ? "victim" : "surrogate";
    const tc_model *model = victim ? lab->victim : lab->surrogates[training->architecture];
    const tc_network_spec *network = victim ? lab->network : &lab->spec->surrogates[training->architecture];
    const tc_train_options options = tc_spec_training(network, training->defence);
    const tc_stream stream = tc_stream_child(trial->stream, role, (uint64_t)training->index);
    watch w = {.phase = begin_phase(trial, role, training->label)};
    tc_train_hooks hooks = {.progress = trained,
                            .stop = asked_to_stop,
                            .context = &w,
                            .checkpoint = training->checkpoint,
                            .curve = training->curve};
    tc_status status = TC_OK;
    TC_TRY(tc_weights_create(model, weights, error));
    tc_model_init(model, tc_stream_child(stream, "initialise", 0), weights->theta, weights->state);
    TC_TRY(tc_defend_begin(trial, training, &w.defending, error));
    if (tc_defend_watches(&w.defending)) hooks.keep = keep_some;
    TC_TRY(tc_train(lab->device, model, w.defending.view, &options, tc_stream_child(stream, "train", 0), &hooks,
                    weights, result, error));
    if (training->verdict) *training->verdict = tc_defend_judge(&w.defending);
done:
    tc_defend_end(&w.defending);
    return status;
}

/* ---- evaluating it ---- */

tc_status tc_lab_predict(const tc_lab *lab, const tc_model *model, const tc_weights *weights, const uint8_t *images,
                         size_t count, int class, tc_opinion *opinion, tc_error *error) {
    const int classes = lab->dataset->classes;
    float *logits = NULL;
    double sum = 0;
    tc_status status = TC_OK;
    opinion->confidence = NAN;
    if (!count) return TC_OK;
    TC_TRY(tc_new(&logits, count * (size_t)classes, sizeof *logits, error));
    TC_TRY(tc_predict(lab->device, model, weights, lab->dataset, images, count, logits, error));
    for (size_t i = 0; i < count; i++) {
        const float *z = logits + i * (size_t)classes; /* [classes] */
        opinion->prediction[i] = tc_argmax(z, classes);
        sum += exp(-tc_cross_entropy(z, classes, class));
    }
    opinion->confidence = sum / (double)count;
done:
    free(logits);
    return status;
}

tc_status tc_trial_predict(const tc_trial *trial, const tc_model *model, const tc_weights *weights, tc_opinion *opinion,
                           tc_error *error) {
    const tc_dataset *dataset = trial->lab->dataset;
    const size_t targets = trial->threat.targets;
    uint8_t *images = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&images, targets, tc_dataset_image_bytes(dataset), error));
    tc_threat_targets(dataset, &trial->threat, images);
    TC_TRY(tc_lab_predict(trial->lab, model, weights, images, targets, trial->threat.intended_class, opinion, error));
done:
    free(images);
    return status;
}

/* ---- a trial ---- */

void tc_trial_open(const tc_lab *lab, int64_t number, tc_trial *trial) {
    *trial = (tc_trial){.lab = lab, .number = number};
    trial->stream = tc_spec_stream(lab->spec, number);
}

tc_status tc_trial_draw(tc_trial *trial, tc_error *error) {
    return tc_spec_draw(trial->lab->spec, trial->lab->dataset, trial->number, &trial->threat, error);
}

void tc_trial_end(tc_trial *trial) {
    for (int k = 0; k < trial->surrogate_count; k++) tc_weights_free(&trial->surrogates[k].weights);
    free(trial->surrogates);
    tc_threat_free(&trial->threat);
    *trial = (tc_trial){0};
}

/* ---- crafting ---- */

tc_status tc_trial_craft(const tc_trial *trial, const tc_method_spec *method, const char *checkpoint,
                         tc_outcome *outcome, tc_error *error) {
    const tc_lab *lab = trial->lab;
    phase p = begin_phase(trial, "craft", method->label);
    tc_craft_report report = {.objective = NAN};
    tc_architecture *own = NULL;
    tc_status status = TC_OK;
    *outcome = (tc_outcome){.objective = NAN};
    TC_TRY(tc_new(&own, (size_t)lab->spec->surrogate_count, sizeof *own, error));
    for (int k = 0; k < lab->spec->surrogate_count; k++)
        own[k] = (tc_architecture){lab->surrogates[k], &lab->spec->surrogates[k].train};
    const tc_craft_job job = {.device = lab->device,
                              .dataset = lab->dataset,
                              .threat = &trial->threat,
                              .surrogates = trial->surrogates,
                              .surrogate_count = trial->surrogate_count,
                              .architectures = own,
                              .architecture_count = lab->spec->surrogate_count,
                              .stream = tc_stream_child(trial->stream, "craft", 0), /* the same for every attack */
                              .progress = crafted,
                              .stop = asked_to_stop,
                              .context = &p,
                              .checkpoint = checkpoint,
                              .checkpoint_minutes = lab->spec->surrogates[0].train.checkpoint_minutes};
    TC_TRY(method->attack->craft(&job, method->options, &outcome->poison, &report, error));
    TC_TRY(tc_device_health(lab->device, error));
    outcome->craft_seconds = report.seconds; /* with what was spent before it was last stopped */
    outcome->objective = report.objective;
    outcome->steps = report.steps;
    outcome->gradients = report.gradients;
    outcome->jvps = report.jvps;
    outcome->linf = tc_poison_linf(outcome->poison, lab->dataset);
    tell(&p, 1);
done:
    free(own);
    return status;
}

void tc_outcome_free(tc_outcome *outcome) {
    tc_poison_free(outcome->poison);
    *outcome = (tc_outcome){0};
}
