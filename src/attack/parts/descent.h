/* descent.h — Adam on a perturbation, and what else the loops of the crafting methods have in common. */
#ifndef TC_ATTACK_PARTS_DESCENT_H
#define TC_ATTACK_PARTS_DESCENT_H

#include "attack/parts/perturbation.h"
#include "attack/parts/snapshot.h"

typedef struct tc_descent {
    tc_perturbation *delta; /* borrowed */
    void *gradient;         /* device reals [delta->values]: to be filled before each step */
    void *moment[2];        /* of Adam */
} tc_descent;

tc_status tc_descent_create(tc_perturbation *delta, tc_descent *descent, tc_error *error);
void tc_descent_free(tc_descent *descent);
/* Forgets the moments: a new attempt. */
void tc_descent_restart(tc_descent *descent);
/* Step `step`, from 0: δ := its projection after Adam's step, which sees only the gradient's sign where `sign` says so
 * (Witches' Brew). rate is in 8-bit steps. */
void tc_descent_step(tc_descent *descent, double rate, int64_t step, bool sign);

/* So many of the data's standard deviations, averaged over the channels, in 8-bit steps: how a step in normalised
 * pixels becomes one of δ. */
double tc_deviations(const tc_dataset *dataset, double deviations);
/* rate, times `decay` from 3/8, 5/8 and 7/8 of the steps on (Witches' Brew). */
double tc_decayed(double rate, double decay, int64_t step, int64_t steps);

/* δ and the moments, which are all that a step leaves to the next. */
enum { TC_DESCENT_PIECES = 3 };
void tc_descent_keep(tc_descent *descent, tc_snapshot *snapshot);

#endif
