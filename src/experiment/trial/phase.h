/* phase.h — runs one phase of a plan: a pure function of the phase and of the blobs of the phases it needs.
 *
 * What comes out is a payload, small JSON for the store (numbers, predictions, the training curve), and a blob, bytes
 * for the phases after it: a surrogate's weights as safetensors, or a poison. No phase knows of folders, stores or
 * other processes, so it may run in any process on any machine; all that it is lent is a file for its checkpoints. */
#ifndef TC_EXPERIMENT_TRIAL_PHASE_H
#define TC_EXPERIMENT_TRIAL_PHASE_H

#include "experiment/plan/plan.h"
#include "experiment/trial/labs.h"

typedef struct tc_blob {
    uint8_t *bytes; /* NULL: there is none */
    size_t size;
} tc_blob;
void tc_blob_free(tc_blob *blob);

/*  kind        payload                                                                    blob
 *  surrogate   seconds, steps, curve                                                      weights
 *  clean       seconds, steps, curve, accuracy, success, predicted, threat                weights, if models are kept
 *  craft       seconds, steps, gradients, jvps, objective, linf, poisons                  the poison
 *  victim      seconds, steps, curve, accuracy, success, predicted, defence, landscape    weights, if models are kept
 *                                                                                         or a filter needs them
 *
 * and every kind wall, the seconds of all of it.
 * curve: [[loss, accuracy] of each epoch]; threat: {"target_class", "intended_class", "targets"}; defence: {"kept",
 * "precision", "recall", "seconds"}, null where the defence has no such number; landscape: see there.
 */
typedef struct tc_phase_result {
    json_t *payload;
    tc_blob blob;
    bool fruitless; /* of a phase that failed: by itself (tc_raise_fruitless) */
} tc_phase_result;
void tc_phase_result_free(tc_phase_result *result);

typedef struct tc_phase_job {
    const tc_phase *phase;
    const tc_blob *input;   /* [phase->need_count] */
    const char *checkpoint; /* where a training or a crafting keeps its state; NULL: nowhere */
    const tc_trial_hooks *hooks;
} tc_phase_job;
/* TC_FAILED with tc_labs_lost(labs): the device is to blame, and another process may fare better. */
tc_status tc_phase_run(tc_labs *labs, const tc_phase_job *job, tc_phase_result *result, tc_error *error);

/* A poison as a blob, and back, held against the data it was made for. */
tc_status tc_poison_encode(const tc_poison *poison, tc_blob *blob, tc_error *error);
tc_status tc_poison_decode(const tc_dataset *dataset, const tc_blob *blob, tc_poison **poison, tc_error *error);

#endif
