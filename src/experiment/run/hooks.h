/* hooks.h — what a run tells whoever started it. */
#ifndef TC_EXPERIMENT_RUN_HOOKS_H
#define TC_EXPERIMENT_RUN_HOOKS_H

#include "experiment/crew/crew.h"

/* How far the whole study is. */
typedef struct tc_standing {
    int done, phases;
    int64_t trials_done, trials;  /* in all cells */
    double seconds, seconds_left; /* seconds_left is NaN until it can be guessed */
} tc_standing;

/* One finished trial of one cell. */
typedef struct tc_finding {
    const tc_cell *cell;
    int number; /* of the cell */
    int64_t trial, trials;
    size_t hits, targets;
    double accuracy, clean_accuracy, craft_seconds, victim_seconds;
} tc_finding;

/* Each may be NULL. All are called in the coordinator. */
typedef struct tc_study_hooks {
    void (*progress)(void *context, int worker, const tc_progress *progress, const tc_standing *standing);
    void (*finished)(void *context, const tc_finding *finding, const tc_standing *standing);
    void (*note)(void *context, const char *text); /* something that a person should know: a worker died, … */
    bool (*stop)(void *context);                   /* true ends the run with TC_INTERRUPTED */
    void *context;
} tc_study_hooks;

#endif
