/* labs.h — what the phases of many variants work with: data, device and networks, opened when a phase first needs them
 * and kept for the next one that agrees. One for each worker, whose thread makes, uses and frees it. */
#ifndef TC_EXPERIMENT_TRIAL_LABS_H
#define TC_EXPERIMENT_TRIAL_LABS_H

#include "experiment/trial/trial.h"

typedef struct tc_labs tc_labs;

/* turn: the number of this worker among those of its machine (tc_spec_device). */
tc_status tc_labs_create(int turn, tc_labs **labs, tc_error *error);
void tc_labs_free(tc_labs *labs);

/* A lab for one of the spec's victims (−1: no victim is needed). Its data belong to `labs` and stay until another spec
 * is asked for; its networks are freed with tc_labs_close. It has no device: whoever only looks at data takes none. */
tc_status tc_labs_open(tc_labs *labs, const tc_spec *spec, int victim, tc_lab *lab, tc_error *error);
void tc_labs_close(tc_lab *lab);
/* lab->device: the one that the spec asks for, which belongs to `labs` as the data do. */
tc_status tc_labs_lend(tc_labs *labs, tc_lab *lab, tc_error *error);
/* Whether everything that the lab's device was asked for has been done. Where it was not, what came out means nothing,
 * and neither does what the device would do next: `labs` are lost, and so is their worker for the study. */
tc_status tc_labs_settle(tc_labs *labs, const tc_lab *lab, tc_error *error);
bool tc_labs_lost(const tc_labs *labs);

/* What the spec's data hold (tc_dataset_digest); opens them where that is not known yet. Data that are opened once more
 * must hold the same. */
tc_status tc_labs_contents(tc_labs *labs, const tc_spec *spec, char digest[TC_DIGEST_TEXT], tc_error *error);
/* Of all data that were opened so far: [{"source", … as in a spec, "sha256"}], a new reference; NULL without memory. */
json_t *tc_labs_all_contents(const tc_labs *labs);
/* Of two such lists the first source in `is` that held something else in `was`, where it is *before; NULL: none did. */
const json_t *tc_contents_changed(const json_t *was, const json_t *is, const json_t **before);
/* What somebody else has found in these data, on another machine perhaps: opening others is an error. */
tc_status tc_labs_expect(tc_labs *labs, const tc_spec *spec, const char *digest, tc_error *error);

/* Everything about a spec that only its data can show to be wrong. */
tc_status tc_labs_check(tc_labs *labs, const tc_spec *spec, tc_error *error);

#endif
