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

static dnnl_memory_desc_t matrix(int rows, int columns, bool transposed) {
    return tc_dnn_desc(2, (const int[]){rows, columns}, transposed ? dnnl_ba : dnnl_ab);
}

static dnnl_primitive_attr_t attributes(const tc_product *g) {
    dnnl_post_ops_t post = NULL;
    dnnl_post_ops_create(&post);
    if (g->accumulate) dnnl_post_ops_append_sum(post, 1);
    if (g->relu) dnnl_post_ops_append_eltwise(post, 1, dnnl_eltwise_relu, 0, 0);
    dnnl_primitive_attr_t made = tc_dnn_attributes(post);
    dnnl_post_ops_destroy(post);
    return made;
}

/* The kernels read B row by row: a transposed B that is used by many rows of A is turned first. */
static tc_status plan_product(tc_product_plan *plan, tc_error *error) {
    const tc_product *g = &plan->g;
    const bool turn = g->transpose_b && g->m >= 64 && g->n >= 64;
    const dnnl_memory_desc_t a = matrix(g->m, g->k, g->transpose_a), b = matrix(g->k, g->n, g->transpose_b && !turn),
                             given = matrix(g->k, g->n, g->transpose_b), c = matrix(g->m, g->n, false),
                             bias = tc_dnn_desc(2, (const int[]){1, g->n}, dnnl_ab);
    tc_status status = TC_OK;
    dnnl_matmul_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = attributes(g);
    dnnl_status_t s = dnnl_matmul_desc_init(&desc, &a, &b, g->bias ? &bias : NULL, &c);
    if (s == dnnl_success)
        s = dnnl_primitive_desc_create(&pd, &desc, attr, tc_cpu_state_of(plan->device)->engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (s != dnnl_success)
        TC_RAISE(TC_FAILED, "oneDNN: no product %d×%d×%d (status %d); use --device reference", g->m, g->n, g->k,
                 (int)s);
    TC_TRY(tc_dnn_op_create(plan->device, pd, g->bias ? 4 : 3,
                            (const int[]){DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS},
                            (const dnnl_memory_desc_t[]){a, b, c, bias}, &plan->op, error));
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
