/* study_run.h — runs a plan: hands its phases to a crew, writes what comes out into the store, and prints the results.
 *
 * Nothing in a phase depends on who runs it or when, so the results are the same bits for any number of jobs and after
 * any number of interruptions. */
#ifndef TC_EXPERIMENT_RUN_STUDY_RUN_H
#define TC_EXPERIMENT_RUN_STUDY_RUN_H

#include "experiment/crew/crew.h"
#include "experiment/run/hooks.h"
#include "experiment/store/store.h"

typedef struct tc_study_order {
    const char *folder; /* gets run.db, results.json, results.csv, spec.resolved.yaml, poisons/, models/ if asked for */
    tc_store_mode mode;
    int jobs;                /* workers on this machine, forked; 0: as many as there are cores for */
    bool here;               /* one worker, and it is this process: a library does not fork its caller */
    const tc_ranks *ranks;   /* of MPI; NULL: none */
    const char *spec;        /* the file that the plan was made from; NULL: none */
    const char *const *from; /* [from_count] folders of studies from which finished phases are taken */
    int from_count;
    int *given_up; /* := how many phases came to nothing by themselves, where the others are done; NULL: not wanted */
} tc_study_order;

/* Everything that can be wrong with the plan, the data or the folder is found before anything is written. When stopped
 * or failed, what was finished is kept, and TC_STORE_RESUME goes on. A rank other than 0 works until there is nothing
 * more to do. A training that diverges is given up with all that needs it, and told by the hook `note`; the others are
 * done, and then it is TC_FAILED. Unless `here`, this must be called before anything else has started threads. */
tc_status tc_study_run(const tc_plan *plan, const tc_study_order *order, const tc_study_hooks *hooks, tc_error *error);

/* done [phases]: which of them those studies have finished. */
tc_status tc_plan_borrowed(const tc_plan *plan, const char *const *folder, int count, bool *done, tc_error *error);

/* A hash of all the phases, which is the same wherever the plan is. */
tc_status tc_plan_digest(const tc_plan *plan, char digest[TC_KEY_SIZE], tc_error *error);

#endif
