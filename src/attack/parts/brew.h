/* brew.h — crafting by gradient matching (Witches' Brew, Geiping et al., arXiv 2009.02276): the steps that
 * gradient_matching.c takes towards a few targets and sleeper_agent.c towards whatever carries a trigger.
 *
 *     δ ~ N(0, ε²), projected
 *     for step = 1 … steps:
 *         T = fresh random shifts and flips                               (lens.h)
 *         φ = 1 − cos(g_t, ∇_θ L(θ*; T(x + δ), y_obj)),  g = ∇_δ φ        (matching.h, ensemble.h)
 *         δ = Adam(δ, sign g), rate ×decay after 3/8, 5/8 and 7/8 of the steps
 *         δ = its projection                                              (perturbation.h)
 *
 * What g_t is, and when it changes, is the method's business: it calls tc_ensemble_aim or tc_ensemble_aim_at. */
#ifndef TC_ATTACK_PARTS_BREW_H
#define TC_ATTACK_PARTS_BREW_H

#include "attack/parts/descent.h"
#include "attack/parts/ensemble.h"

typedef struct tc_brew_options {
    int64_t steps, batch;
    double step_size, decay;
    double shift;
    bool flip;
    double memory;
    tc_sharpness_options sharpness;
} tc_brew_options;

/* The rows of a method's table, whose options struct begins with a tc_brew_options. */
#define TC_BREW_OPTIONS                                                                                                \
    TC_INT(tc_brew_options, steps, 250, 1, 1e6, "steps", "optimisation steps of an attempt (Witches' Brew: 250)"),     \
        TC_REAL_ABOVE(tc_brew_options, step_size, 0.1, 0, 100, "standard deviations",                                  \
                      "step of signed Adam for a batch of 512, in normalised pixels (Witches' Brew: 0.1)"),            \
        TC_REAL_ABOVE(tc_brew_options, decay, 0.1, 0, 1, "",                                                           \
                      "factor on the step after 3/8, 5/8 and 7/8 of the steps (Witches' Brew: 0.1)"),                  \
        TC_INT(tc_brew_options, batch, 512, 1, 65536, "images", "poisons matched together (Witches' Brew: 512)"),      \
        TC_REAL(tc_brew_options, shift, 4, 0, 64, "pixels", "largest random shift while crafting (Witches' Brew: 4)"), \
        TC_BOOL(tc_brew_options, flip, "true", "random left-right flip while crafting (Witches' Brew)"),               \
        TC_REAL(tc_brew_options, memory, 4096, 64, 1e7, "MiB",                                                         \
                "workspace of one pass; a larger batch is matched in pieces, which takes 10/7 of the time"),           \
        TC_SHARPNESS_OPTIONS(tc_brew_options, sharpness)

typedef struct tc_brew {
    const tc_craft_job *job; /* its threat's base images become the poisons */
    const tc_brew_options *options;
    tc_ensemble surrogates;
    tc_lens lens;
    tc_perturbation delta;
    tc_descent descent; /* of delta along ∇_δ φ */
    int32_t *labels;    /* host [poisons], all y_obj */
} tc_brew;

/* Everything but the aim. */
tc_status tc_brew_create(const tc_craft_job *job, const tc_brew_options *options, tc_brew *brew, tc_error *error);
void tc_brew_free(tc_brew *brew);

/* Of one step and one surrogate, where the poisons fit into one pass (attack.h). */
double tc_brew_step_work(const tc_craft_job *job);

/* What a step leaves to the next, the aim aside, and what was spent; `weights` where surrogates are replaced. */
int tc_brew_pieces(const tc_craft_job *job);
void tc_brew_keep(tc_brew *brew, bool weights, tc_snapshot *snapshot);

/* A new attempt from noise. */
void tc_brew_start(tc_brew *brew, tc_stream stream);
/* Step `step`, from 0, of the attempt with that stream; *loss := φ as it was before. NULL: nobody waits for it. */
void tc_brew_step(tc_brew *brew, tc_stream stream, int64_t step, double *loss);
/* images := the 8-bit poisons; returns their φ, as tc_brew_loss gives it. */
double tc_brew_round(tc_brew *brew, uint8_t *images);
/* φ of any 8-bit images [poisons][h][w][c] under one draw of T, the same for every attempt of the job: it is the
 * victim's view that counts, and what is compared must have been looked at alike. */
double tc_brew_loss(tc_brew *brew, const uint8_t *images);

#endif
