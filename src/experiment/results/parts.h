/* parts.h — what results.json and results.csv are put together from. */
#ifndef TC_EXPERIMENT_RESULTS_PARTS_H
#define TC_EXPERIMENT_RESULTS_PARTS_H

#include "experiment/results/rows.h"

/* Add a member to the root of results.json; false without memory. */
bool tc_results_pairs(const tc_results *results, json_t *root);      /* pairs.c */
bool tc_results_landscapes(const tc_results *results, json_t *root); /* landscapes.c; none: nothing is added */
bool tc_results_curves(const tc_results *results, json_t *root);     /* curves.c */

tc_status tc_results_save_csv(const tc_results *results, const char *path, tc_error *error); /* csv.c */

#endif
