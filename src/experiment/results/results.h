/* results.h — results.json and results.csv, in which everybody else reads what a study has found.
 *
 * A cell is one entry of the results' table; a trial of it is finished when its clean victim, its poison and its
 * poisoned victim are. Both files are printed anew from the payloads of the finished phases, whole or not at all. */
#ifndef TC_EXPERIMENT_RESULTS_RESULTS_H
#define TC_EXPERIMENT_RESULTS_RESULTS_H

#include "experiment/store/store.h"

typedef struct tc_results {
    const tc_plan *plan;
    const tc_study_record *record;
    json_t *const *payload; /* [phases], see phase.h; NULL: not finished */
    const double *seconds;  /* [phases] from its beginning to its end */
} tc_results;

/* The columns of a trial's numbers, in the order of the files. */
typedef struct tc_column {
    const char *name;
    bool seconds, rate; /* stands under "seconds" instead of "metrics"; is a share of cases */
    bool where_known;   /* left out where there is none, and not null: most studies have nothing of the kind */
} tc_column;
enum { TC_COLUMNS = 17 };
extern const tc_column tc_columns[TC_COLUMNS];

/* The three phases of one finished trial. */
typedef struct tc_row {
    int cell;
    int64_t trial;
    const json_t *clean, *craft, *victim;
    double value[TC_COLUMNS]; /* of the columns; NaN where there is none */
} tc_row;
/* False where the trial is not finished. */
bool tc_results_row(const tc_results *results, int cell, int64_t trial, tc_row *row);
/* The folder of a craft phase's poison below the study's: that of the first cell which uses it. */
void tc_results_poison(const tc_plan *plan, int cell, int64_t trial, char folder[64]);

/* Add a member to the root of results.json; false without memory. */
bool tc_results_pairs(const tc_results *results, json_t *root);      /* pairs.c */
bool tc_results_landscapes(const tc_results *results, json_t *root); /* landscapes.c; none: nothing is added */
bool tc_results_curves(const tc_results *results, json_t *root);     /* curves.c */

/* FOLDER/results.json and FOLDER/results.csv. */
tc_status tc_results_save(const tc_results *results, const char *folder, tc_error *error);
tc_status tc_results_save_csv(const tc_results *results, const char *path, tc_error *error); /* csv.c */

#endif
