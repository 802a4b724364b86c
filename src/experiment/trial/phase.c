#include "experiment/trial/phase.h"

#include "experiment/trial/landscape.h"

#include "evaluate/evaluate.h"
#include "train/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void tc_blob_free(tc_blob *blob) {
    free(blob->bytes);
    *blob = (tc_blob){0};
}

void tc_phase_result_free(tc_phase_result *result) {
    json_decref(result->payload);
    tc_blob_free(&result->blob);
    *result = (tc_phase_result){0};
}

/* What the four kinds work on. */
typedef struct work {
    const tc_phase_job *job;
    const tc_phase *phase;
    tc_lab lab;
    tc_trial trial;
    tc_phase_result *result;
} work;

static tc_status no_memory(tc_error *error) {
    return tc_raise(error, TC_FAILED, "memory: none left for a result; free some");
}

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

/* Adds to the payload; takes the reference. */
static tc_status put(work *w, const char *name, json_t *value, tc_error *error) {
    return json_object_set_new(w->result->payload, name, value) ? no_memory(error) : TC_OK;
}

/* ---- training ---- */

static json_t *curve_json(const double *curve, int64_t epochs) {
    json_t *made = json_array();
    for (int64_t e = 0; e < epochs; e++)
        json_array_append_new(made, json_pack("[o, o]", number(curve[2 * e]), number(curve[2 * e + 1])));
    return made;
}

/* A checkpoint that cannot be used, cut off by a crash of the machine, costs time and nothing else. */
static tc_status train_from_checkpoint(const work *w, const tc_training *training, tc_weights *weights,
                                       tc_train_result *result, tc_error *error) {
    const bool resumed = training->checkpoint && access(training->checkpoint, F_OK) == 0;
    const tc_status status = tc_trial_train(&w->trial, training, weights, result, error);
    if (status != TC_INVALID || !resumed || unlink(training->checkpoint)) return status;
    tc_weights_free(weights);
    return tc_trial_train(&w->trial, training, weights, result, error);
}

static tc_status put_verdict(work *w, const tc_defence_verdict *verdict, tc_error *error) {
    json_t *made =
        json_pack("{s:o, s:o, s:o, s:o}", "kept", number(verdict->kept), "precision", number(verdict->precision),
                  "recall", number(verdict->recall), "seconds", number(verdict->seconds));
    return put(w, "defence", made, error);
}

static tc_status train(work *w, tc_role role, const char *label, const tc_poison *poison, const tc_weights *inspected,
                       tc_weights *weights, tc_error *error) {
    const bool victim = role == TC_VICTIM;
    const int k = w->phase->surrogate;
    const int64_t epochs = victim ? w->lab.network->train.epochs : w->lab.spec->surrogates[k].train.epochs;
    tc_training training = {.role = role,
                            .architecture = victim ? 0 : k,
                            .index = victim ? 0 : w->phase->index,
                            .label = label,
                            .poison = poison,
                            .defence = w->phase->defence < 0 ? NULL : &w->lab.spec->defences[w->phase->defence],
                            .inspected = inspected,
                            .checkpoint = w->job->checkpoint};
    tc_defence_verdict verdict = {0};
    tc_train_result trained = {0};
    tc_status status = TC_OK;
    training.verdict = &verdict;
    TC_TRY(tc_new(&training.curve, (size_t)epochs, 2 * sizeof *training.curve, error));
    TC_TRY(train_from_checkpoint(w, &training, weights, &trained, error));
    TC_TRY(put(w, "seconds", json_real(trained.seconds), error));
    if (isfinite(trained.epsilon)) TC_TRY(put(w, "privacy_epsilon", number(trained.epsilon), error));
    TC_TRY(put(w, "steps", json_integer((json_int_t)trained.steps), error));
    TC_TRY(put(w, "curve", curve_json(training.curve, epochs), error));
    if (training.defence) TC_TRY(put_verdict(w, &verdict, error));
done:
    free(training.curve);
    return status;
}

/* ---- judging ---- */

static tc_status judge(work *w, const tc_weights *weights, tc_error *error) {
    const tc_threat *threat = &w->trial.threat;
    tc_accuracy measured = {0};
    tc_opinion opinion = {0};
    size_t hits = 0;
    tc_status status = TC_OK;
    json_t *predicted = json_array();
    TC_TRY(tc_new(&opinion.prediction, threat->targets, sizeof *opinion.prediction, error));
    TC_TRY(tc_evaluate(w->lab.device, w->lab.victim, weights, w->lab.dataset, &w->lab.dataset->test, &measured, error));
    TC_TRY(tc_trial_predict(&w->trial, w->lab.victim, weights, &opinion, error));
    for (size_t i = 0; i < threat->targets; i++) {
        hits += opinion.prediction[i] == threat->intended_class;
        json_array_append_new(predicted, json_integer(opinion.prediction[i]));
    }
    TC_TRY(put(w, "accuracy", number(measured.accuracy), error));
    TC_TRY(put(w, "success", number(threat->targets ? (double)hits / (double)threat->targets : NAN), error));
    if (threat->targets) TC_TRY(put(w, "confidence", number(opinion.confidence), error));
    TC_TRY(put(w, "predicted", json_incref(predicted), error));
done:
    json_decref(predicted);
    free(opinion.prediction);
    return status;
}

static tc_status keep(work *w, const tc_model *model, const tc_weights *weights, tc_error *error) {
    tc_blob *blob = &w->result->blob;
    return tc_weights_encode(model, weights, &blob->bytes, &blob->size, error);
}

/* ---- the four kinds ---- */

static tc_status run_surrogate(work *w, tc_error *error) {
    tc_weights weights = {0};
    tc_status status = TC_OK;
    TC_TRY(train(w, TC_SURROGATE, "", NULL, NULL, &weights, error));
    TC_TRY(keep(w, w->lab.surrogates[w->phase->surrogate], &weights, error));
done:
    tc_weights_free(&weights);
    return status;
}

static json_t *threat_json(const tc_threat *threat) {
    json_t *targets = json_array();
    for (size_t i = 0; i < threat->targets; i++) json_array_append_new(targets, json_integer(threat->target[i]));
    return json_pack("{s:i, s:i, s:o}", "target_class", threat->target_class, "intended_class", threat->intended_class,
                     "targets", targets);
}

static tc_status look_around(work *w, const tc_weights *weights, tc_error *error) {
    json_t *landscape = NULL;
    const tc_status status = tc_trial_landscape(&w->trial, w->lab.victim, weights, &landscape, error);
    return status == TC_OK && landscape ? put(w, "landscape", landscape, error) : status;
}

static tc_status run_victim_on(work *w, const char *label, const tc_poison *poison, const tc_weights *inspected,
                               tc_error *error) {
    tc_weights weights = {0};
    tc_status status = TC_OK;
    TC_TRY(train(w, TC_VICTIM, label, poison, inspected, &weights, error));
    TC_TRY(judge(w, &weights, error));
    if (poison) TC_TRY(look_around(w, &weights, error));
    if (w->lab.spec->study.keep_models || w->phase->inspected) TC_TRY(keep(w, w->lab.victim, &weights, error));
done:
    tc_weights_free(&weights);
    return status;
}

static tc_status run_clean(work *w, tc_error *error) {
    const tc_status status = put(w, "threat", threat_json(&w->trial.threat), error);
    return status == TC_OK ? run_victim_on(w, "on clean data", NULL, NULL, error) : status;
}

static tc_status take_weights(const tc_model *model, const char *whose, const tc_blob *blob, tc_weights *weights,
                              tc_error *error) {
    const tc_status status = tc_weights_create(model, weights, error);
    if (status != TC_OK) return status;
    return tc_weights_decode(model, whose, blob->bytes, blob->size, weights, error);
}

/* Needs the poison and, where its defence filters, the network that the same victim trained without one. */
static tc_status run_victim(work *w, tc_error *error) {
    const bool filters = w->phase->need_count > 1;
    tc_poison *poison = NULL;
    tc_weights inspected = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_poison_decode(w->lab.dataset, &w->job->input[0], &poison, error));
    if (filters) TC_TRY(take_weights(w->lab.victim, "a victim's weights", &w->job->input[1], &inspected, error));
    TC_TRY(run_victim_on(w, w->lab.spec->attacks[w->phase->attack].label, poison, filters ? &inspected : NULL, error));
done:
    tc_weights_free(&inspected);
    tc_poison_free(poison);
    return status;
}

static tc_status take_surrogates(work *w, tc_error *error) {
    tc_trial *trial = &w->trial;
    const int count = w->phase->need_count;
    tc_status status = tc_new(&trial->surrogates, (size_t)count, sizeof *trial->surrogates, error);
    for (int k = 0; k < count && status == TC_OK; k++) {
        tc_surrogate *surrogate = &trial->surrogates[k];
        const tc_blob *blob = &w->job->input[k];
        int architecture;
        tc_spec_surrogate(w->lab.spec, k, &architecture);
        surrogate->model = w->lab.surrogates[architecture];
        trial->surrogate_count = k + 1;
        status = take_weights(surrogate->model, "a surrogate's weights", blob, &surrogate->weights, error);
    }
    return status;
}

static tc_status craft_from_checkpoint(const work *w, tc_outcome *outcome, tc_error *error) {
    const tc_method_spec *method = &w->lab.spec->attacks[w->phase->attack];
    const char *checkpoint = w->job->checkpoint;
    const bool resumed = checkpoint && access(checkpoint, F_OK) == 0;
    const tc_status status = tc_trial_craft(&w->trial, method, checkpoint, outcome, error);
    if (status != TC_INVALID || !resumed) return status;
    tc_craft_forget(checkpoint);
    return tc_trial_craft(&w->trial, method, checkpoint, outcome, error);
}

static tc_status run_craft(work *w, tc_error *error) {
    tc_outcome outcome = {0};
    tc_status status = TC_OK;
    TC_TRY(take_surrogates(w, error));
    TC_TRY(craft_from_checkpoint(w, &outcome, error));
    TC_TRY(put(w, "seconds", json_real(outcome.craft_seconds), error));
    TC_TRY(put(w, "steps", json_integer((json_int_t)outcome.steps), error));
    TC_TRY(put(w, "gradients", json_integer((json_int_t)outcome.gradients), error));
    TC_TRY(put(w, "jvps", json_integer((json_int_t)outcome.jvps), error));
    TC_TRY(put(w, "objective", number(outcome.objective), error));
    TC_TRY(put(w, "linf", json_integer(outcome.linf), error));
    TC_TRY(put(w, "poisons", json_integer((json_int_t)w->trial.threat.poisons), error));
    TC_TRY(tc_poison_encode(outcome.poison, &w->result->blob, error));
    tc_craft_forget(w->job->checkpoint);
done:
    tc_outcome_free(&outcome);
    return status;
}

static tc_status (*const kinds[TC_PHASE_KINDS])(work *w, tc_error *error) = {
    [TC_PHASE_SURROGATE] = run_surrogate,
    [TC_PHASE_CLEAN] = run_clean,
    [TC_PHASE_CRAFT] = run_craft,
    [TC_PHASE_VICTIM] = run_victim,
};

tc_status tc_phase_run(tc_labs *labs, const tc_phase_job *job, tc_phase_result *result, tc_error *error) {
    const tc_phase *phase = job->phase;
    const double start = tc_clock();
    work w = {.job = job, .phase = phase, .result = result};
    tc_status status = TC_OK;
    *result = (tc_phase_result){.payload = json_object()};
    tc_fruitless_forget();
    if (!result->payload) return no_memory(error);
    TC_TRY(tc_labs_open(labs, phase->spec, phase->victim, &w.lab, error));
    TC_TRY(tc_labs_lend(labs, &w.lab, error));
    w.lab.hooks = job->hooks;
    tc_trial_open(&w.lab, phase->trial, &w.trial);
    if (phase->kind != TC_PHASE_SURROGATE) TC_TRY(tc_trial_draw(&w.trial, error));
    TC_TRY(kinds[phase->kind](&w, error));
    TC_TRY(put(&w, "wall", json_real(tc_clock() - start), error));
done:
    tc_trial_end(&w.trial);
    /* In any case: what a failed device gave may as well have come out as another error. */
    const bool fruitless = (status == TC_FAILED || status == TC_INVALID) && tc_fruitless();
    const bool lost = tc_labs_settle(labs, &w.lab, error) != TC_OK;
    if (lost) status = TC_FAILED;
    tc_labs_close(&w.lab);
    if (status != TC_OK) tc_phase_result_free(result);
    result->fruitless = fruitless && !lost;
    return status;
}
