#include "evaluate/compare.h"

#include "evaluate/evaluate.h"

#include <math.h>

double tc_mcnemar(size_t more, size_t fewer) {
    const size_t n = more + fewer, least = more < fewer ? more : fewer;
    double tail = 0;
    if (n == 0) return 1;
    for (size_t k = 0; k <= least; k++) /* C(n, k) / 2^n by logarithms: n! overflows at once */
        tail += exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) - (double)n * M_LN2);
    return fmin(1, 2 * tail);
}

/* P(|T| ≤ t) of Student's distribution with a whole number of degrees of freedom is a finite sum (Abramowitz and Stegun
 * 26.7.3 and 26.7.4). */
static double within(double t, size_t freedom) {
    const double angle = atan(t / sqrt((double)freedom)), c = cos(angle), s = sin(angle);
    double term = 1, sum = 0;
    if (freedom % 2) {
        term = c;
        for (size_t k = 1; k + 2 <= freedom; k += 2) {
            sum += term;
            term *= c * c * (double)(k + 1) / (double)(k + 2);
        }
        return 2 / M_PI * (angle + s * sum);
    }
    for (size_t k = 0; k + 2 <= freedom; k += 2) {
        sum += term;
        term *= c * c * (double)(k + 1) / (double)(k + 2);
    }
    return s * sum;
}

double tc_paired_t(const double *difference, size_t count) {
    const tc_estimate found = tc_estimate_of(difference, count);
    if (count < 2) return NAN;
    if (found.standard_error <= 0) return found.mean == 0 ? 1 : 0;
    return fmax(0, 1 - within(fabs(found.mean) / found.standard_error, count - 1));
}
