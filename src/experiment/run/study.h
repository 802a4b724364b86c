/* study.h — what a study leaves for others beside its results: the folder of a poison. */
#ifndef TC_EXPERIMENT_RUN_STUDY_H
#define TC_EXPERIMENT_RUN_STUDY_H

#include "experiment/trial/trial.h"

/* A poison folder below `folder`: the poison itself, the targets' pictures and threat.json, from which `tocsin
 * evaluate` and the report know whom it was made against; of a backdoor trigger.png, triggered.npz with every test
 * image that it is judged by, and pictures of a few of those. phase: the key of the one that made it; NULL: none. */
tc_status tc_study_save_poison(const tc_trial *trial, const tc_method_spec *method, const tc_outcome *outcome,
                               const char *phase, const char *folder, tc_error *error);

#endif
