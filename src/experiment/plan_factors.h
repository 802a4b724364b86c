/* plan_factors.h — what tells one cell from another, flat, so that tables can be made of it without knowing the spec's
 * shape. */
#ifndef TC_EXPERIMENT_PLAN_FACTORS_H
#define TC_EXPERIMENT_PLAN_FACTORS_H

#include "experiment/plan.h"

/* {"attack": …, "label": …, options of the attack and the threat, "dataset", "surrogate", "victim", "defence"}; NULL
 * without memory. */
json_t *tc_plan_factors(const tc_plan *plan, const tc_cell *cell);

#endif
