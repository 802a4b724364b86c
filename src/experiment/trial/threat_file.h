/* threat_file.h — threat.json of a poison's folder: what made the poison, from which data, and what it is meant to do.
 */
#ifndef TC_EXPERIMENT_TRIAL_THREAT_FILE_H
#define TC_EXPERIMENT_TRIAL_THREAT_FILE_H

#include "data/export.h"
#include "experiment/plan/plan.h"
#include "experiment/trial/trial.h"

typedef struct tc_threat_file {
    char path[1024]; /* for messages */
    char attack[TC_TEXT_SIZE], label[TC_TEXT_SIZE];
    char phase[TC_KEY_SIZE];     /* "": crafted by itself */
    char digest[TC_DIGEST_TEXT]; /* of the targets as they lie in the test split; "": from before there was one */
    int64_t trial;
    json_t *data;     /* the keys of a spec's `dataset` with their values */
    tc_threat threat; /* without base images and trigger: triggered.npz holds what that was put on */
} tc_threat_file;

/* phase: the key of the phase of a study that made it; NULL: none did. */
tc_status tc_threat_file_write(const tc_trial *trial, const tc_method_spec *method, const char *phase,
                               const char *folder, tc_error *error);
/* Zero the struct first; tc_threat_file_free it in any case. */
tc_status tc_threat_file_read(const char *folder, tc_threat_file *file, tc_error *error);
/* Refuses targets and classes that `dataset` has not, and other images in the targets' places. */
tc_status tc_threat_file_check(const tc_threat_file *file, const tc_dataset *dataset, tc_error *error);
/* What the poison in `folder` is about: targets as they are, or a backdoor's images with the trigger on them; of an
 * untargeted attack nothing. */
tc_status tc_threat_file_attacked(const tc_threat_file *file, const char *folder, const tc_dataset *dataset,
                                  tc_attacked **attacked, tc_error *error);
void tc_threat_file_free(tc_threat_file *file);

#endif
