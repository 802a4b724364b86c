/* results.h — what a study has found so far, and results.json, in which everybody else reads it.
 *
 * A cell is one attack under the study's settings; a row is one finished trial of one cell. The file is written anew
 * after every row, whole or not at all, so that a kill loses at most the trial that was under way. */
#ifndef TC_EXPERIMENT_RESULTS_H
#define TC_EXPERIMENT_RESULTS_H

#include "experiment/trial.h"

typedef struct tc_results tc_results;

tc_status tc_results_create(const tc_spec *spec, const tc_dataset *dataset, tc_results **results, tc_error *error);
void tc_results_free(tc_results *results);
/* Takes over the numbers of one finished trial; `poison` is its folder below the study's, or "". */
tc_status tc_results_add(tc_results *results, int cell, const tc_trial *trial, const tc_outcome *outcome,
                         const char *poison, tc_error *error);
tc_status tc_results_save(const tc_results *results, const char *path, tc_error *error);
/* The same as JSON, a new reference. */
json_t *tc_results_json(const tc_results *results);

#endif
