/* loan.h — what an earlier study has finished and another one needs as well: phases with the same keys. */
#ifndef TC_EXPERIMENT_RUN_LOAN_H
#define TC_EXPERIMENT_RUN_LOAN_H

#include "experiment/store/store.h"
#include "experiment/trial/phase.h"

typedef struct tc_loan {
    const char *folder;
    tc_store *store;
    tc_study_record record;
    json_t *finished; /* key → [payload, seconds], of the plan's phases */
    json_t *poisons;  /* key → path of the poison's folder, of those */
    int64_t taken;    /* how many phases were */
} tc_loan;

/* Looks at the store in `folder`, in which a study may be running. Zero the struct first; tc_loan_close it in any case.
 */
tc_status tc_loan_open(const char *folder, const tc_plan *plan, tc_loan *loan, tc_error *error);
void tc_loan_close(tc_loan *loan);

/* Refuses data that hold something else than they did there; data as tc_labs_all_contents tells. */
tc_status tc_loan_check(const tc_loan *loan, const json_t *contents, tc_error *error);

/* Whether it has the phase, as far as that can be said without reading what is large. blob: the bytes are wanted, too;
 * a poison's always are. */
bool tc_loan_has(const tc_loan *loan, const tc_phase *phase, bool blob);
/* The phase as if it had been run here; *found is false where it is not there, or not as it was when it was finished.
 * dataset: what a poison is held against; NULL for phases that craft none. */
tc_status tc_loan_fetch(tc_loan *loan, const tc_phase *phase, bool blob, const tc_dataset *dataset,
                        tc_phase_result *result, double *seconds, bool *found, tc_error *error);

#endif
