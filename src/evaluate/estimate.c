#include "evaluate/evaluate.h"

#include <math.h>

/* Standard error of the mean: the sample's standard deviation (n − 1) over √n. */
tc_estimate tc_estimate_of(const double *values, size_t count) {
    tc_estimate estimate = {NAN, NAN, count};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    if (count == 0) return estimate;
    estimate.mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) squares += (values[i] - estimate.mean) * (values[i] - estimate.mean);
    if (count > 1) estimate.standard_error = sqrt(squares / (double)(count - 1) / (double)count);
    return estimate;
}

tc_interval tc_wilson(size_t hits, size_t count) {
    static const double z = 1.959963984540054; /* the normal distribution's 97.5 % quantile */
    if (count == 0) return (tc_interval){NAN, NAN, NAN};
    const double n = (double)count, rate = (double)hits / n, share = 1 / (1 + z * z / n);
    const double centre = (rate + z * z / (2 * n)) * share;
    const double half = z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) * share;
    return (tc_interval){rate, hits == 0 ? 0 : centre - half, hits == count ? 1 : centre + half};
}
