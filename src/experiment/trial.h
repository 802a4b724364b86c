/* trial.h — one trial of a study: a pure function of (spec, attack, trial number, seed), in two steps.
 *
 * tc_trial_begin makes what all attacks of the trial share, so that they are compared on the same footing: the draw of
 * the threat, the trained surrogates, and a victim trained on clean data. tc_trial_attack then crafts one poison and
 * trains one victim on it, from the same initialisation and in the same order of samples as the clean one. */
#ifndef TC_EXPERIMENT_TRIAL_H
#define TC_EXPERIMENT_TRIAL_H

#include "experiment/spec.h"

/* Where the work stands, for whoever shows it. Numbers that a phase does not have are NaN. */
typedef struct tc_progress {
    const char *phase;     /* "surrogate", "clean victim", "craft", "victim" */
    const char *label;     /* the attack's, or "" */
    int64_t trial, trials; /* from 1 */
    double fraction;       /* of the phase; 1 at its end */
    double loss, accuracy, images_per_second, seconds_left;
} tc_progress;

struct tc_trial;
struct tc_outcome;

typedef struct tc_study_hooks {
    void (*progress)(void *context, const tc_progress *progress); /* NULL: none */
    void (*finished)(void *context, const struct tc_trial *trial, const tc_method_spec *method,
                     const struct tc_outcome *outcome); /* one trial of one attack; NULL: none */
    bool (*stop)(void *context);                        /* true ends with TC_INTERRUPTED; NULL: never */
    void *context;
} tc_study_hooks;

/* What every trial of a study works with; owned by whoever opened it. */
typedef struct tc_lab {
    const tc_spec *spec;
    tc_device *device;
    tc_dataset *dataset;
    tc_model *surrogate, *victim;
    const tc_study_hooks *hooks;
    const char *models; /* folder to write weights to, or NULL */
} tc_lab;

/* Opens data and device, builds the networks, and checks all that can be wrong with them; writes nothing. */
tc_status tc_lab_open(const tc_spec *spec, const tc_study_hooks *hooks, tc_lab *lab, tc_error *error);
void tc_lab_close(tc_lab *lab);

typedef struct tc_trial {
    const tc_lab *lab;
    int64_t number; /* from 0 */
    tc_stream stream;
    tc_threat threat;
    tc_surrogate *surrogates; /* [surrogate_count] */
    int surrogate_count;
    double clean_accuracy, clean_success; /* of the victim trained on clean data */
    double pretrain_seconds, clean_seconds;
    int32_t *clean_prediction; /* [threat.targets]: what the clean victim takes the targets for */
} tc_trial;

typedef struct tc_outcome {
    double success;   /* share of the targets that the poisoned victim takes for the intended class */
    double accuracy;  /* of the poisoned victim on the clean test images */
    double objective; /* the attack's own, of the returned poison */
    double craft_seconds, victim_seconds;
    int linf; /* largest change of a pixel, in 8-bit steps */
    int64_t steps, gradients, jvps;
    int32_t *prediction; /* [threat.targets] */
    tc_poison *poison;
} tc_outcome;

/* The whole first step. */
tc_status tc_trial_begin(const tc_lab *lab, int64_t number, tc_trial *trial, tc_error *error);
tc_status tc_trial_attack(const tc_trial *trial, const tc_method_spec *method, tc_outcome *outcome, tc_error *error);
void tc_trial_end(tc_trial *trial);

/* The same in smaller steps, for whoever wants only one of them; the random numbers are the same. */
void tc_trial_open(const tc_lab *lab, int64_t number, tc_trial *trial);
tc_status tc_trial_draw(tc_trial *trial, tc_error *error);
typedef enum tc_role { TC_SURROGATE, TC_VICTIM } tc_role;
/* Trains surrogate `index`, or the victim (index 0), from scratch on the data with `poison` (NULL: clean) laid over it.
 */
tc_status tc_trial_train(const tc_trial *trial, tc_role role, int index, const char *label, const tc_poison *poison,
                         tc_weights *weights, tc_train_result *result, tc_error *error);
/* prediction[i] := the class that the network takes target i for. */
tc_status tc_trial_predict(const tc_trial *trial, const tc_model *model, const tc_weights *weights, int32_t *prediction,
                           tc_error *error);
/* Fills in the poison and what crafting it took. */
tc_status tc_trial_craft(const tc_trial *trial, const tc_method_spec *method, tc_outcome *outcome, tc_error *error);
void tc_outcome_free(tc_outcome *outcome);

#endif
