/* trial.h — one trial of a study in small steps: draw whom to attack, train a network, craft a poison, look where the
 * targets land. Every step is a pure function of (spec, trial number, seed) and of what it is handed, so that phase.c,
 * `tocsin train` and `tocsin craft` give the same bits. */
#ifndef TC_EXPERIMENT_TRIAL_TRIAL_H
#define TC_EXPERIMENT_TRIAL_TRIAL_H

#include "experiment/spec/spec.h"

/* Where the work stands, for whoever shows it. Numbers that a phase does not have are NaN. */
typedef struct tc_progress {
    const char *phase;     /* "surrogate", "craft", "victim" */
    const char *label;     /* the attack's, or "" */
    int64_t trial, trials; /* from 1 */
    double fraction;       /* of the phase; 1 at its end */
    double loss, accuracy, images_per_second, seconds_left;
} tc_progress;

typedef struct tc_trial_hooks {
    void (*progress)(void *context, const tc_progress *progress); /* NULL: none */
    bool (*stop)(void *context);                                  /* true ends with TC_INTERRUPTED; NULL: never */
    void *context;
} tc_trial_hooks;

/* What the trials of a study work with; owned by whoever opened it. */
typedef struct tc_lab {
    const tc_spec *spec;
    tc_device *device;
    tc_dataset *dataset;
    const tc_network_spec *network; /* of the victim: one of the spec's */
    tc_model **surrogates;          /* [spec->surrogate_count], one for each architecture */
    tc_model *victim;
    const tc_trial_hooks *hooks;
} tc_lab;

/* lab->surrogates from lab->spec and lab->dataset. */
tc_status tc_lab_build_surrogates(tc_lab *lab, tc_error *error);
void tc_lab_free_surrogates(tc_lab *lab);

/* Opens data and device, builds the networks (of several victims that one), and checks all that can be wrong with them;
 * writes nothing. */
tc_status tc_lab_open(const tc_spec *spec, int victim, const tc_trial_hooks *hooks, tc_lab *lab, tc_error *error);
void tc_lab_close(tc_lab *lab);

typedef struct tc_trial {
    const tc_lab *lab;
    int64_t number; /* from 0 */
    tc_stream stream;
    tc_threat threat;
    tc_surrogate *surrogates; /* [surrogate_count] */
    int surrogate_count;
} tc_trial;

/* A crafted poison and what it took. */
typedef struct tc_outcome {
    double objective; /* the attack's own, of the returned poison */
    double craft_seconds;
    int linf; /* largest change of a pixel, in 8-bit steps */
    int64_t steps, gradients, jvps;
    tc_poison *poison;
} tc_outcome;
void tc_outcome_free(tc_outcome *outcome);

void tc_trial_open(const tc_lab *lab, int64_t number, tc_trial *trial);
void tc_trial_end(tc_trial *trial);
tc_status tc_trial_draw(tc_trial *trial, tc_error *error);

/* What a defence did, as shares of the samples. NaN where it has no such number. */
typedef struct tc_defence_verdict {
    double kept;      /* of all samples, in the end */
    double precision; /* poisons among what was dropped */
    double recall;    /* what was dropped among the poisons */
    double seconds;   /* of filtering before the training */
} tc_defence_verdict;

typedef enum tc_role { TC_SURROGATE, TC_VICTIM } tc_role;
typedef struct tc_training {
    tc_role role;
    int architecture;               /* of surrogates: which of the spec's … */
    int index;                      /* … and which initialisation of it */
    const char *label;              /* for the progress */
    const tc_poison *poison;        /* laid over the data; NULL: clean */
    const tc_defence_spec *defence; /* of a victim; NULL: none */
    const tc_weights *inspected;    /* a victim's without defence, which a filter looks through */
    tc_defence_verdict *verdict;    /* := what the defence did; NULL: not wanted */
    const char *checkpoint;         /* see tc_train_hooks; NULL: none */
    double *curve;                  /* [epochs][2], see tc_train_hooks; NULL: not wanted */
} tc_training;
/* Trains from scratch. `weights` are made here, for the caller to free in any case. */
tc_status tc_trial_train(const tc_trial *trial, const tc_training *training, tc_weights *weights,
                         tc_train_result *result, tc_error *error);
/* What a network makes of some images. */
typedef struct tc_opinion {
    int32_t *prediction; /* [count] the class that it takes image i for; the caller's */
    double confidence;   /* := the mean of softmax(logits)[class], 0 … 1; NaN without images */
} tc_opinion;
/* Of images [count][h][w][c]; `class` is the one whose confidence is wanted. */
tc_status tc_lab_predict(const tc_lab *lab, const tc_model *model, const tc_weights *weights, const uint8_t *images,
                         size_t count, int class, tc_opinion *opinion, tc_error *error);
/* The same of the threat's targets, which carry the trigger where there is one, and its intended class. */
tc_status tc_trial_predict(const tc_trial *trial, const tc_model *model, const tc_weights *weights, tc_opinion *opinion,
                           tc_error *error);
/* checkpoint: see tc_craft_job; NULL: none. */
tc_status tc_trial_craft(const tc_trial *trial, const tc_method_spec *method, const char *checkpoint,
                         tc_outcome *outcome, tc_error *error);

#endif
