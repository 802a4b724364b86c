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
