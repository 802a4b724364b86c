/* gradient_matching.c — Witches' Brew, and SAPA's version of it.
 *
 * Papers: Geiping et al., "Witches' Brew: Industrial scale data poisoning via gradient matching", arXiv 2009.02276
 *         He et al., "Sharpness-aware data poisoning attack" (SAPA), Eq. 9 to 12 and Algorithm 2
 *
 * The attacker wants test images x_t ("targets") taken for class y_obj and may change images of class y_obj by at most
 * ε a pixel. If training on the poisons moves θ as training on (x_t, y_obj) would, the victim learns the wrong label
 * without ever seeing it. So, on surrogates θ* in evaluation mode, averaged where there are several (ensembles):
 *
 *     g_t = ∇_θ Q(θ*; x_t, y_obj)                    once, or its sharpness-aware ∇Q^S        (sharpness.h)
 *     repeat `restarts` times, keep the δ of the smallest final φ:                       (brew.h)
 *         δ ~ N(0, ε²) clipped to ‖δ_i‖_∞ ≤ ε and pixels in [0, 255]
 *         for step = 1 … steps:
 *             T = fresh random shifts and flips                                               (lens.h)
 *             φ = 1 − cos(g_t, ∇_θ L(θ*; T(x + δ), y_obj)),  g = ∇_δ φ                        (matching.h)
 *             δ = Adam(δ, sign g), rate ×0.1 after 3/8, 5/8 and 7/8 of the steps
 *             δ = its projection                                                              (perturbation.h)
 *         round x + δ to 8 bits, clip again
 *
 * The final φ is that of the rounded images under one more draw of T, the same for every restart: it is the victim's
 * view that counts, and what is compared must have been looked at alike.
 *
 * Poisons are matched in batches of `batch` (512), each with a cosine of its own, as the released implementation does;
 * poisons that fit one batch are matched as one. The step size is step_size · batch/512 in normalised pixels, where
 * `batch` is this option — the paper's poison batch — and not how many poisons there are; δ lives in 8-bit steps, so it
 * is multiplied by 255 and the mean over the channels of the data's standard deviation. (The released code also
 * divides it by the size of the ensemble, which the sign of an averaged gradient gives no reason for; not done here.)
 *
 * Stopped or killed, it goes on from the step it was at, to the same bits (snapshot.h).
 *
 * Other differences from the released code: shifts move in black pixels before normalisation, as this program's own
 * training does, instead of zeros after it; restarts are compared by φ of the 8-bit poison instead of by the last
 * step's, whose T differs from restart to restart; dropout is off in the surrogate. */
#include "attack/methods.h"
#include "attack/parts/brew.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct matching_options {
    tc_brew_options brew; /* first: TC_BREW_OPTIONS */
    int64_t restarts;
} matching_options;

static const tc_option options_table[] = {TC_BREW_OPTIONS,
                                          TC_INT(matching_options, restarts, 8, 1, 1e4, "",
                                                 "attempts, the best by final objective is kept (Witches' Brew: 8)"),
                                          TC_OPTIONS_END};

typedef struct matching {
    const tc_craft_job *job;
    const matching_options *options;
    tc_brew brew;
    uint8_t *rounded, *best; /* host: 8-bit poisons of this restart and of the best */
    double best_loss, loss;  /* the second: of the last step that was looked at */
    int64_t steps;           /* taken so far, over all restarts */
    tc_snapshot snapshot;
} matching;

/* ---- the algorithm ---- */

static void keep_if_best(matching *m) {
    const double loss = tc_brew_round(&m->brew, m->rounded);
    if (!(loss < m->best_loss)) return;
    m->best_loss = loss;
    memcpy(m->best, m->rounded, m->brew.delta.values);
}

/* Goes by the number of steps behind it, which a snapshot brings back. */
static tc_status run(matching *m, tc_error *error) {
    tc_status status = TC_OK;
    const int64_t steps = m->options->brew.steps, all = steps * m->options->restarts;
    while (m->steps < all) {
        const int64_t restart = m->steps / steps, step = m->steps % steps;
        const tc_stream stream = tc_stream_child(m->job->stream, "restart", (uint64_t)restart);
        if (!step) tc_brew_start(&m->brew, stream);
        tc_brew_step(&m->brew, stream, step, tc_craft_looks(&m->snapshot) ? &m->loss : NULL);
        m->steps++;
        if (step == steps - 1) keep_if_best(m);
        TC_TRY(tc_craft_tell(&m->snapshot, (double)m->steps / (double)all, m->loss, error));
    }
done:
    return status;
}

/* ---- preparing ---- */

static tc_status check(const void *options, tc_error *error) {
    const matching_options *chosen = options;
    return tc_sharpness_check(&chosen->brew.sharpness, error);
}

static tc_status prepare(matching *m, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_brew_create(m->job, &m->options->brew, &m->brew, error));
    TC_TRY(tc_ensemble_aim(&m->brew.surrogates, &m->options->brew.sharpness, error));
    TC_TRY(tc_new(&m->rounded, m->brew.delta.values, 1, error));
    TC_TRY(tc_new(&m->best, m->brew.delta.values, 1, error));
    m->best_loss = INFINITY;
    m->loss = NAN;
done:
    return status;
}

enum { OWN_PIECES = 3 };

static tc_status resume(matching *m, tc_error *error) {
    tc_snapshot *s = &m->snapshot;
    tc_status status = TC_OK;
    bool found;
    TC_TRY(
        tc_snapshot_create(m->job, &tc_gradient_matching, m->options, OWN_PIECES + tc_brew_pieces(m->job), s, error));
    tc_snapshot_host(s, &m->steps, sizeof m->steps);
    tc_snapshot_host(s, &m->best_loss, sizeof m->best_loss);
    tc_snapshot_host(s, m->best, m->brew.delta.values);
    tc_brew_keep(&m->brew, false, s);
    TC_TRY(tc_snapshot_load(s, &found, error));
done:
    return status;
}

static void clean_up(matching *m) {
    if (m->brew.job) tc_brew_free(&m->brew);
    free(m->rounded);
    free(m->best);
    tc_snapshot_free(&m->snapshot);
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    matching m = {.job = job, .options = options};
    *poison = NULL;
    TC_TRY(prepare(&m, error));
    TC_TRY(resume(&m, error));
    TC_TRY(run(&m, error));
    if (!isfinite(m.best_loss))
        TC_RAISE_FRUITLESS(TC_FAILED,
                           "gradient-matching: the matching loss is not a number; train the surrogate again");
    TC_TRY(tc_threat_poison(job->dataset, job->threat, m.best, poison, error));
    if (report) {
        *report =
            (tc_craft_report){.objective = m.best_loss, .seconds = tc_snapshot_seconds(&m.snapshot), .steps = m.steps};
        tc_ensemble_spent(&m.brew.surrogates, report);
    }
done:
    clean_up(&m);
    return status;
}

/* For judging other attacks by it. */
tc_status tc_gradient_matching_loss(const tc_craft_job *job, const void *options, const tc_poison *poison, double *loss,
                                    tc_error *error) {
    tc_status status = TC_OK;
    matching m = {.job = job, .options = options};
    TC_TRY(prepare(&m, error));
    *loss = tc_brew_loss(&m.brew, poison->images);
done:
    clean_up(&m);
    return status;
}

static tc_craft_work work(const tc_craft_job *job, const void *options) {
    const matching_options *o = options;
    const double poisons = (double)job->threat->poisons, restarts = (double)o->restarts;
    const double step = tc_brew_step_work(job), aim = tc_sharpness_gradients(&o->brew.sharpness);
    return (tc_craft_work){.each =
                               restarts * ((double)o->brew.steps * step + poisons) + aim * (double)job->threat->targets,
                           .grain = step};
}

const tc_attack tc_gradient_matching = {
    .name = "gradient-matching",
    .kind = "targeted",
    .goals = TC_FOR_TARGETED,
    .paper = "Geiping et al., Witches' Brew, arXiv 2009.02276; with sharpness: He et al., Sharpness-aware data "
             "poisoning attack",
    .summary = "poisons whose training gradient points where the targets' mislabelled gradient would",
    .equation = "min over |δ| ≤ ε of 1 − cos(∇θ Q(θ*; targets, y_obj), ∇θ L(θ*; T(x + δ), y_obj)); with "
                "sharpness ∇Q at θ* + v̂",
    .departs = "the code divides the step by the size of the ensemble, shifts after normalisation, and "
               "compares restarts by their last step; here not, before it, and by the 8-bit poison",
    .options = options_table,
    .options_size = sizeof(matching_options),
    .needs_surrogate = true,
    .check = check,
    .craft = craft,
    .work = work,
};
