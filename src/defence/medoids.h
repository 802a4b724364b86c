/* medoids.h — representatives of a set, chosen greedily.
 *
 * k medoids S of n points leave Σ_i min_{j∈S} d(i, j) small. With a constant C above every distance, the sum of
 * C − min d grows with diminishing returns as S grows (it is submodular), so picking again and again the point that
 * lowers the sum most comes within 1 − 1/e of the best (Nemhauser, Wolsey and Fisher 1978). A gain once computed bounds
 * what the same point can still bring, so most need not be computed again (Minoux 1978, "lazy greedy"). */
#ifndef TC_DEFENCE_MEDOIDS_H
#define TC_DEFENCE_MEDOIDS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef double tc_distance(const void *context, size_t i, size_t j);

/* medoid [wanted] := the points chosen, in that order; *chosen of them, fewer where the rest coincide with some of
 * them. of [count] := which of the chosen each point is nearest to, the first of equals. `width`: how many values a
 * distance looks at; where that makes it worth it, threads share them out. The answer is the same. */
tc_status tc_medoids(tc_distance *distance, const void *context, int width, size_t count, size_t wanted,
                     uint32_t *medoid, size_t *chosen, int32_t *of, tc_error *error);

#endif
