/* product.c — C = op(A) op(B) + row bias: one dot product per element. */
#include "compute/reference/kernels.h"

#include <stdlib.h>

struct tc_product_plan {
    tc_product g;
    int threads;
};

tc_status tc_reference_product_create(tc_device *device, const tc_product *geometry, tc_product_plan **plan,
                                      tc_error *error) {
    *plan = NULL;
    if (geometry->m < 1 || geometry->n < 1 || geometry->k < 1)
        return tc_raise(error, TC_INVALID, "product: %d x %d x %d; every size must be at least 1", geometry->m,
                        geometry->n, geometry->k);
    const tc_status status = tc_new(plan, 1, sizeof **plan, error);
    if (status != TC_OK) return status;
    (*plan)->g = *geometry;
    (*plan)->threads = device->threads;
    device->allocations++;
    return TC_OK;
}

void tc_reference_product_destroy(tc_device *device, tc_product_plan *plan) {
    (void)device;
    free(plan);
}

static double dot(const tc_product *g, const double *a, const double *b, size_t i, size_t j) {
    const size_t m = (size_t)g->m, n = (size_t)g->n, k = (size_t)g->k;
    double sum = 0;
    for (size_t l = 0; l < k; l++)
        sum += a[g->transpose_a ? l * m + i : i * k + l] * b[g->transpose_b ? j * k + l : l * n + j];
    return sum;
}

void tc_reference_product_run(tc_product_plan *plan, const void *a, const void *b, const void *bias, void *c) {
    const tc_product *g = &plan->g;
#pragma omp parallel for num_threads(plan->threads)
    for (int i = 0; i < g->m; i++) {
        for (int j = 0; j < g->n; j++) {
            double *to = (double *)c + (size_t)i * (size_t)g->n + (size_t)j;
            double sum = dot(g, a, b, (size_t)i, (size_t)j);
            if (g->bias && bias) sum += ((const double *)bias)[j];
            if (g->accumulate) sum += *to;
            *to = g->relu && sum < 0 ? 0 : sum;
        }
    }
}
