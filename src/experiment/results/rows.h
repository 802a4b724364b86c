/* rows.h — the numbers of one finished trial, out of the payloads of its phases.
 *
 * A cell is one entry of the results' table; a trial of it is finished when its clean victim, its poison and its
 * poisoned victim are. */
#ifndef TC_EXPERIMENT_RESULTS_ROWS_H
#define TC_EXPERIMENT_RESULTS_ROWS_H

#include "experiment/store/store.h"

typedef struct tc_results {
    const tc_plan *plan;
    const tc_study_record *record;
    json_t *const *payload; /* [phases], see phase.h; NULL: not finished */
    const double *seconds;  /* [phases] from its beginning to its end */
} tc_results;

/* Whose payload a number is taken from. */
typedef enum tc_column_of { TC_OF_CLEAN, TC_OF_CRAFT, TC_OF_VICTIM, TC_OF_DEFENCE, TC_OF_SURROGATES } tc_column_of;

/* The columns of a trial's numbers, in the order of the files. */
typedef struct tc_column {
    const char *name;
    tc_column_of of;
    const char *key;    /* in that payload; of surrogates the sum is taken */
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

#endif
