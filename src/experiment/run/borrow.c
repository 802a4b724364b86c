/* borrow.c — from the last phase to the first: whether a phase's blob is wanted is known when all that use it have been
 * looked at. */
#include "experiment/run/borrow.h"

#include "experiment/run/study_run.h"

#include <stdlib.h>

tc_status tc_loans_open(const tc_plan *plan, const char *const *folder, int count, const json_t *contents,
                        tc_loans *loans, tc_error *error) {
    tc_status status = tc_new(&loans->loan, (size_t)count, sizeof *loans->loan, error);
    for (int i = 0; i < count && status == TC_OK; i++) {
        loans->count++;
        status = tc_loan_open(folder[i], plan, &loans->loan[i], error);
        if (status == TC_OK && contents) status = tc_loan_check(&loans->loan[i], contents, error);
    }
    return status;
}

void tc_loans_close(tc_loans *loans) {
    for (int i = 0; i < loans->count; i++) tc_loan_close(&loans->loan[i]);
    free(loans->loan);
    *loans = (tc_loans){0};
}

/* wanted [phases]: somebody who still has to be run needs its blob. */
static void want_needs(const tc_plan *plan, int phase, bool *wanted) {
    const tc_phase *p = &plan->phase[phase];
    for (int i = 0; i < p->need_count; i++) wanted[p->needs[i]] = true;
}

/* The weights that a study is to keep are wanted for themselves. */
static bool blob_wanted(const tc_plan *plan, int phase, const bool *wanted) {
    const tc_phase *p = &plan->phase[phase];
    return wanted[phase] || (p->kind != TC_PHASE_CRAFT && p->spec->study.keep_models);
}

/* ---- for a plan ---- */

tc_status tc_plan_borrowed(const tc_plan *plan, const char *const *folder, int count, bool *done, tc_error *error) {
    tc_loans loans = {0};
    bool *wanted = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&wanted, (size_t)plan->phases, sizeof *wanted, error));
    TC_TRY(tc_loans_open(plan, folder, count, NULL, &loans, error));
    for (int p = plan->phases - 1; p >= 0; p--) {
        for (int i = 0; i < count && !done[p]; i++)
            done[p] = tc_loan_has(&loans.loan[i], &plan->phase[p], blob_wanted(plan, p, wanted));
        if (!done[p]) want_needs(plan, p, wanted);
    }
done:
    tc_loans_close(&loans);
    free(wanted);
    return status;
}

/* ---- for a run ---- */

static tc_status keep(tc_runner *r, int phase, const tc_phase_result *result, double seconds, bool wanted,
                      tc_error *error) {
    const int kind = (int)r->plan->phase[phase].kind;
    tc_status status = TC_OK;
    if (wanted) TC_TRY(tc_runner_keep_blob(r, phase, result, error));
    TC_TRY(tc_runner_record(r, phase, result, seconds, error));
    r->seconds[phase] = seconds;
    r->kind[kind].done++;
    r->kind[kind].seconds += seconds;
    tc_runner_tell_findings(r, phase, false);
done:
    return status;
}

static tc_status take(tc_runner *r, tc_loan *loan, int phase, const bool *wanted, bool *found, tc_error *error) {
    const tc_phase *p = &r->plan->phase[phase];
    const bool blob = blob_wanted(r->plan, phase, wanted);
    tc_phase_result result = {0};
    tc_lab lab = {0};
    double seconds = 0;
    tc_status status = TC_OK;
    if (!tc_loan_has(loan, p, blob)) return TC_OK;
    if (p->kind == TC_PHASE_CRAFT) TC_TRY(tc_labs_open(r->labs, p->spec, -1, &lab, error));
    TC_TRY(tc_loan_fetch(loan, p, blob, lab.dataset, &result, &seconds, found, error));
    if (*found) TC_TRY(keep(r, phase, &result, seconds, wanted[phase], error));
done:
    tc_labs_close(&lab);
    tc_phase_result_free(&result);
    return status;
}

tc_status tc_runner_borrow(tc_runner *r, tc_loans *loans, bool *done, tc_error *error) {
    bool *wanted = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&wanted, (size_t)r->plan->phases, sizeof *wanted, error));
    for (int p = r->plan->phases - 1; p >= 0; p--) {
        for (int i = 0; i < loans->count && !done[p]; i++) {
            TC_TRY(take(r, &loans->loan[i], p, wanted, &done[p], error));
            loans->loan[i].taken += done[p];
        }
        if (!done[p]) want_needs(r->plan, p, wanted);
    }
    tc_store_tidy(r->store, r->plan, done, wanted);
    for (int i = 0; i < loans->count; i++)
        tc_runner_note(r, "--from %s: %lld of %d phases are taken from there", loans->loan[i].folder,
                       (long long)loans->loan[i].taken, r->plan->phases);
done:
    free(wanted);
    return status;
}
