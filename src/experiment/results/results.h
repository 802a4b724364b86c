/* results.h — results.json and results.csv, in which everybody else reads what a study has found. Both are printed anew
 * from the payloads of the finished phases, whole or not at all. */
#ifndef TC_EXPERIMENT_RESULTS_RESULTS_H
#define TC_EXPERIMENT_RESULTS_RESULTS_H

#include "experiment/results/rows.h"

/* FOLDER/results.json and FOLDER/results.csv. */
tc_status tc_results_save(const tc_results *results, const char *folder, tc_error *error);

#endif
