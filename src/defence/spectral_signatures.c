/* spectral_signatures.c — dropping what sticks out along the direction in which a class spreads most.
 *
 * Paper: Tran, Li and Madry, "Spectral signatures in backdoor attacks", NeurIPS 2018, arXiv 1811.00636, Algorithm 1
 *
 * A backdoor gives its samples a feature in common that the class does not have: two crowds under one label, whose
 * means lie along the first singular vector of the class's centred features. For each label y, with n samples:
 *
 *     R = φ(x_i) − mean φ  of the samples labelled y;   v = first right singular vector of R
 *     τ_i = ⟨R_i, v⟩²;   the 1.5 ε n samples with the largest τ go
 *
 * where ε bounds the poisons' share of a class. ⟨R_i, v⟩ = σ₁ U_i1, so the decomposition itself holds the scores.
 *
 * Every class loses as many, poisoned or not: the paper's algorithm does not ask which class is poisoned either. */
#include "defence/algebra.h"
#include "defence/methods.h"
#include "defence/rank.h"

#include <stdlib.h>

typedef struct spectral_options {
    double poisoned, factor;
} spectral_options;

static const tc_option options_table[] = {
    TC_REAL(spectral_options, poisoned, 0.05, 0, 0.5, "",
            "ε: the largest share of a class that is taken to be poisoned (the paper tries 0.05 and 0.1)"),
    TC_REAL(spectral_options, factor, 1.5, 0, 10, "", "as many times ε are dropped (Tran et al.: 1.5)"),
    TC_OPTIONS_END};

static tc_status check(const void *options, tc_error *error) {
    const spectral_options *o = options;
    if (o->poisoned * o->factor < 0.95) return TC_OK;
    return tc_raise(error, TC_INVALID, "factor: %g times %g leaves next to nothing of a class; lower one of them",
                    o->factor, o->poisoned);
}

static tc_status score_class(const tc_look *look, const tc_members *members, int class, void *context,
                             tc_error *error) {
    (void)class;
    tc_status status = TC_OK;
    double *score = context; /* [all samples] */
    float *features = NULL;
    tc_principal principal = {0};
    if (members->count == 0) goto done;
    TC_TRY(tc_members_features(look, members, &features, error));
    TC_TRY(tc_principal_create(features, members->count, look->width, 1, &principal, error));
    for (size_t i = 0; i < members->count; i++) {
        const double along = principal.rank ? principal.value[0] * principal.left[i] : 0;
        score[members->place[i]] = along * along;
    }
done:
    tc_principal_free(&principal);
    free(features);
    return status;
}

static tc_status filter(const tc_filter_job *job, const void *options, tc_filtered *filtered, tc_error *error) {
    tc_status status = TC_OK;
    const spectral_options *o = options;
    tc_look look;
    TC_TRY(tc_look_create(job, true, 0.5, &look, error));
    TC_TRY(tc_look_by_class(job, &look, "spectral-signatures", 0.5, score_class, filtered->score, error));
    TC_TRY(tc_drop_share(&look, filtered->score, o->factor * o->poisoned, true, filtered->keep, error));
done:
    tc_look_free(&look);
    return status;
}

const tc_defence tc_spectral_signatures = {
    .name = "spectral-signatures",
    .kind = "filter",
    .paper = "Tran, Li and Madry, Spectral signatures in backdoor attacks, NeurIPS 2018, arXiv 1811.00636",
    .summary = "drops what sticks out along the direction in which a class spreads most",
    .options = options_table,
    .options_size = sizeof(spectral_options),
    .check = check,
    .filter = filter,
};
