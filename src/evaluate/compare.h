/* compare.h — is one treatment better than another? Tests for pairs: trial i of both shares targets, starts and orders,
 * so the differences say more than the two means. */
#ifndef TC_EVALUATE_COMPARE_H
#define TC_EVALUATE_COMPARE_H

#include <stddef.h>

/* McNemar's test in its exact form (a sign test on the pairs that differ): the two-sided probability of a split at
 * least as uneven as `more` against `fewer` if both directions were equally likely; 1 where no pair differs. */
double tc_mcnemar(size_t more, size_t fewer);

/* Student's paired t test: the two-sided p of a mean difference this far from 0; NaN for fewer than two pairs, and
 * where all differences are equal there is nothing to measure by: 1 if they are 0, else 0. */
double tc_paired_t(const double *difference, size_t count);

#endif
