/* borrow.h — takes over what earlier studies have finished of a plan (loan.h), so that tables with common surrogates,
 * baselines and poisons have them made once. */
#ifndef TC_EXPERIMENT_RUN_BORROW_H
#define TC_EXPERIMENT_RUN_BORROW_H

#include "experiment/run/inside.h"
#include "experiment/run/loan.h"

typedef struct tc_loans {
    tc_loan *loan; /* [count] the first that has a phase lends it */
    int count;
} tc_loans;

/* folder [count]. Finds everything that can be wrong with them; contents: of the study's own data, as
 * tc_labs_all_contents tells; NULL: not looked at yet. Zero the struct first; tc_loans_close it in any case. */
tc_status tc_loans_open(const tc_plan *plan, const char *const *folder, int count, const json_t *contents,
                        tc_loans *loans, tc_error *error);
void tc_loans_close(tc_loans *loans);

/* done [phases]: what is done already; gets what is done now. Each phase is in the store as if it had been run here,
 * its seconds as they were there. */
tc_status tc_runner_borrow(tc_runner *r, tc_loans *loans, bool *done, tc_error *error);

#endif
