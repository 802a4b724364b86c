/* study.h — runs a whole study on this machine and leaves its results in a folder. */
#ifndef TC_EXPERIMENT_STUDY_H
#define TC_EXPERIMENT_STUDY_H

#include "experiment/trial.h"

typedef struct tc_study_place {
    const char *folder;
    bool overwrite; /* what an earlier run left there may go */
} tc_study_place;

/* The folder gets spec.resolved.yaml, results.json (anew after every trial of every attack), poisons/CELL-TRIAL/ and,
 * where the spec asks for them, models/. Everything that can be wrong with the spec, the data or the folder is found
 * before anything is written. Returns TC_INTERRUPTED when a hook asked to stop; what was finished is kept. */
tc_status tc_study_run(const tc_spec *spec, const tc_study_place *place, const tc_study_hooks *hooks, tc_error *error);

/* A poison folder below `folder`: the poison itself, the targets' pictures and threat.json, from which `tocsin
 * evaluate` and the report know whom it was made against. */
tc_status tc_study_save_poison(const tc_trial *trial, const tc_method_spec *method, const tc_outcome *outcome,
                               const char *folder, tc_error *error);

#endif
