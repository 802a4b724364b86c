/* cost.h — what a plan will take, from a short measurement: a few steps of each kind of training and of crafting where
 * they fit into the time, and else their passes, counted, at the speed measured on a few images (bench.h). */
#ifndef TC_EXPERIMENT_PLAN_COST_H
#define TC_EXPERIMENT_PLAN_COST_H

#include "experiment/plan/plan.h"

typedef struct tc_cost {
    int64_t phases[TC_PHASE_KINDS]; /* that are to be done */
    double seconds[TC_PHASE_KINDS]; /* for all of them one after another, each with the study's threads */
    int kinds[TC_PHASE_KINDS];      /* of work that differ, … */
    int measured[TC_PHASE_KINDS];   /* and those of them that were tried; the others' seconds are extrapolated */
    int networks;                   /* that differ, with their images, … */
    int networks_measured;          /* and those of known speed; the others' is by their multiply-accumulates */
    int64_t peak_bytes;             /* of memory that a process working on the study needs; where a crafting was not
                                       tried, at least */
} tc_cost;

/* Holds every variant against its data: classes, crops, images enough; and builds its networks. Writes nothing. */
tc_status tc_plan_check(const tc_plan *plan, tc_error *error);

/* Only how many phases there are; the seconds are NaN. done [phases]: what an earlier study has done; NULL: nothing. */
void tc_plan_count(const tc_plan *plan, const bool *done, tc_cost *cost);

/* Measures for about `budget` seconds in all: what would not fit is extrapolated, and only opening the data and the
 * gradient of a few images are waited for. `stop` is asked between steps and ends it with TC_INTERRUPTED; NULL: never.
 */
tc_status tc_plan_measure(const tc_plan *plan, const bool *done, double budget, bool (*stop)(void *context),
                          void *context, tc_cost *cost, tc_error *error);

#endif
