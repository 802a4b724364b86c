/* rank.h — dropping the samples with the largest scores. */
#ifndef TC_DEFENCE_RANK_H
#define TC_DEFENCE_RANK_H

#include "defence/look.h"

/* keep := false for the `share` of every class of the look with the largest scores, rounded down, or, where per_class
 * is false, of all samples at once; of equals the later goes first. No score may be NaN. */
tc_status tc_drop_share(const tc_look *look, const double *score, double share, bool per_class, bool *keep,
                        tc_error *error);

#endif
