/* agenda.h — which phases of a plan can be run next. A phase is ready when all that it needs is done; of the ready ones
 * the first of the plan goes first, so that trials are finished one after the other. */
#ifndef TC_EXPERIMENT_RUN_AGENDA_H
#define TC_EXPERIMENT_RUN_AGENDA_H

#include "experiment/plan/plan.h"

typedef struct tc_agenda {
    const tc_plan *plan;
    bool *done;            /* [phases] */
    bool *given_up;        /* [phases] */
    int *missing;          /* [phases] how many of its needs are not done */
    int *wanted;           /* [phases] how many phases that are not done need it */
    int *user_of;          /* [phases + 1] where a phase's users begin in `user` */
    int *user;             /* phases that need it */
    int *ready;            /* [ready_count] a heap: the smallest number first */
    int ready_count, left; /* left: how many are neither done nor given up */
} tc_agenda;

/* done [phases]: what an earlier run has finished; NULL: nothing. */
tc_status tc_agenda_create(const tc_plan *plan, const bool *done, tc_agenda *agenda, tc_error *error);
void tc_agenda_free(tc_agenda *agenda);

/* The next phase to run, which is then somebody's; −1: none is ready now. */
int tc_agenda_take(tc_agenda *agenda);
/* Nobody's again: whoever had it is gone. */
void tc_agenda_return(tc_agenda *agenda, int phase);
void tc_agenda_finish(tc_agenda *agenda, int phase);
/* It comes to nothing, and so does all that needs it; what these need is still wanted, for another try. Returns how
 * many are given up that were not before. */
int tc_agenda_give_up(tc_agenda *agenda, int phase);

#endif
