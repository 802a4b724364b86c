/* product.c — matrix products by oneDNN's matmul, which knows this processor where the system's BLAS may not. */
#include "compute/cpu/kernels.h"
#include "compute/cpu/onednn.h"

#include <stdlib.h>

struct tc_product_plan {
    tc_device *device;
    tc_product g;
    tc_dnn_op op;
    tc_dnn_op straighten; /* op(B) laid out as the product likes it, where that is not how it comes */
    void *straight;
};

static tc_dnn_layout matrix(int rows, int columns, bool transposed) {
    return tc_dnn_tagged(2, (const int[]){rows, columns}, transposed ? dnnl_ba : dnnl_ab);
}

/* The kernels read B row by row: a transposed B that is used by many rows of A is turned first. */
static tc_status plan_product(tc_product_plan *plan, tc_error *error) {
    const tc_product *g = &plan->g;
    const bool turn = g->transpose_b && g->m >= 64 && g->n >= 64;
    const tc_dnn_layout a = matrix(g->m, g->k, g->transpose_a), b = matrix(g->k, g->n, g->transpose_b && !turn),
                        given = matrix(g->k, g->n, g->transpose_b), c = matrix(g->m, g->n, false),
                        bias = matrix(1, g->n, false);
    tc_status status = TC_OK;
    dnnl_primitive_attr_t attributes = tc_dnn_attributes(g->accumulate, g->relu);
    dnnl_primitive_desc_t pd = tc_dnn_plan_product(plan->device, &a, &b, g->bias ? &bias : NULL, &c, attributes);
    dnnl_primitive_attr_destroy(attributes);
    if (!pd) TC_RAISE(TC_FAILED, "oneDNN: no product %d×%d×%d; use --device reference", g->m, g->n, g->k);
    TC_TRY(tc_dnn_op_create(plan->device, pd, g->bias ? 4 : 3,
                            (const int[]){DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS}, &plan->op,
                            error));
    if (!turn) goto done;
    TC_TRY(tc_dnn_allocate(plan->device, &b, &plan->straight, error));
    TC_TRY(tc_dnn_reorder_create(plan->device, &given, &b, false, &plan->straighten, error));
done:
    return status;
}

tc_status tc_cpu_product_create(tc_device *device, const tc_product *geometry, tc_product_plan **plan,
                                tc_error *error) {
    tc_product_plan *made = NULL;
    tc_status status = TC_OK;
    *plan = NULL;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    made->device = device;
    made->g = *geometry;
    TC_TRY(plan_product(made, error));
    *plan = made;
done:
    if (status != TC_OK && made) tc_cpu_product_destroy(device, made);
    return status;
}

void tc_cpu_product_destroy(tc_device *device, tc_product_plan *plan) {
    tc_dnn_op_destroy(&plan->op);
    tc_dnn_op_destroy(&plan->straighten);
    device->k->release(device, plan->straight);
    free(plan);
}

void tc_cpu_product_run(tc_product_plan *plan, const void *a, const void *b, const void *bias, void *c) {
    const void *right = b;
    if (plan->straight) {
        tc_dnn_run(plan->device, &plan->straighten, (const void *[]){b, plan->straight});
        right = plan->straight;
    }
    tc_dnn_run(plan->device, &plan->op, (const void *[]){a, right, c, bias});
}
