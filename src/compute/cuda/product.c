/* product.c — C = op(A) op(B) + row bias by cuBLASLt.
 *
 * The library counts down columns where we count along rows: our C [m][n] is its matrix Cᵀ of n rows, and
 * Cᵀ = op(B)ᵀ op(A)ᵀ. So the operands change places, nothing is moved, and the vector that it adds to every column is
 * our row bias. It computes act(product + β C + bias) in that order, which is the table's.
 *
 * How a product is computed is asked of the library's heuristic when the plan is made, never timed: the same plan gives
 * the same bits in every run. Parameters lie anywhere in the flat vector, and a bias may be left out of a call, so
 * there are up to four answers: with and without, for operands that begin on 16 bytes and for those that do not. */
#include "compute/cuda/kernels.h"

#include <stdlib.h>

enum { ANYWHERE, ALIGNED, ALIGNMENTS, ALIGNED_BYTES = 16 };

typedef struct way {
    cublasLtMatmulDesc_t operation;
    cublasLtMatmulAlgo_t algorithm;
} way;

struct tc_product_plan {
    tc_device *device;
    tc_product g;
    cublasLtMatrixLayout_t left, right, result; /* of Cᵀ = left · right */
    way way[2][ALIGNMENTS];                     /* [bias or not] */
};

/* What went wrong while a plan is made is the plan's matter, and leaves the device as it was. */
static tc_status check(const tc_product_plan *plan, cublasStatus_t status, tc_error *error) {
    if (status == CUBLAS_STATUS_SUCCESS) return TC_OK;
    return tc_raise(error, TC_FAILED, "device cuda:%d: cuBLAS has no product %d×%d×%d (%s); use --device cpu",
                    plan->device->options.index, plan->g.m, plan->g.n, plan->g.k, cublasLtGetStatusString(status));
}

static const cublasComputeType_t computing[] = {
    [TC_F32_MATHS] = CUBLAS_COMPUTE_32F,
    [TC_TF32_MATHS] = CUBLAS_COMPUTE_32F_FAST_TF32,
    [TC_BF16_MATHS] = CUBLAS_COMPUTE_32F_FAST_16BF,
};

static cublasLtEpilogue_t epilogue(bool bias, bool relu) {
    static const cublasLtEpilogue_t by[2][2] = {{CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_RELU},
                                                {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS}};
    return by[bias][relu];
}

/* ---- plans ---- */

static tc_status set(const tc_product_plan *plan, const way *to, cublasLtMatmulDescAttributes_t attribute,
                     const void *value, size_t size, tc_error *error) {
    return check(plan, cublasLtMatmulDescSetAttribute(to->operation, attribute, value, size), error);
}

static tc_status describe_matrices(tc_product_plan *plan, tc_error *error) {
    const tc_product *g = &plan->g;
    const uint64_t m = (uint64_t)g->m, n = (uint64_t)g->n, k = (uint64_t)g->k;
    const uint64_t left[2] = {g->transpose_b ? k : n, g->transpose_b ? n : k};
    const uint64_t right[2] = {g->transpose_a ? m : k, g->transpose_a ? k : m};
    tc_status status = TC_OK;
    TC_TRY(check(plan, cublasLtMatrixLayoutCreate(&plan->left, CUDA_R_32F, left[0], left[1], (int64_t)left[0]), error));
    TC_TRY(check(plan, cublasLtMatrixLayoutCreate(&plan->right, CUDA_R_32F, right[0], right[1], (int64_t)right[0]),
                 error));
    TC_TRY(check(plan, cublasLtMatrixLayoutCreate(&plan->result, CUDA_R_32F, n, m, (int64_t)n), error));
done:
    return status;
}

static tc_status describe(const tc_product_plan *plan, cublasComputeType_t how, bool bias, way *to, tc_error *error) {
    const cublasOperation_t of_left = plan->g.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t of_right = plan->g.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasLtEpilogue_t ending = epilogue(bias, plan->g.relu);
    tc_status status = TC_OK;
    TC_TRY(check(plan, cublasLtMatmulDescCreate(&to->operation, how, CUDA_R_32F), error));
    TC_TRY(set(plan, to, CUBLASLT_MATMUL_DESC_TRANSA, &of_left, sizeof of_left, error));
    TC_TRY(set(plan, to, CUBLASLT_MATMUL_DESC_TRANSB, &of_right, sizeof of_right, error));
    TC_TRY(set(plan, to, CUBLASLT_MATMUL_DESC_EPILOGUE, &ending, sizeof ending, error));
done:
    return status;
}

static tc_status prefer(const tc_product_plan *plan, cublasLtMatmulPreference_t preference, uint32_t alignment,
                        tc_error *error) {
    static const cublasLtMatmulPreferenceAttributes_t operands[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const uint64_t room = TC_CUDA_WORKSPACE;
    tc_status status = TC_OK;
    TC_TRY(check(
        plan,
        cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room, sizeof room),
        error));
    for (size_t i = 0; i < sizeof operands / sizeof *operands; i++)
        TC_TRY(check(plan, cublasLtMatmulPreferenceSetAttribute(preference, operands[i], &alignment, sizeof alignment),
                     error));
done:
    return status;
}

/* The first algorithm that the heuristic believes in for operands that begin on `alignment` bytes. */
static tc_status choose(const tc_product_plan *plan, bool biased, uint32_t alignment, way *to, tc_error *error) {
    const char *bias = (const char *)tc_cuda_state_of(plan->device)->workspace + alignment; /* never read: an example */
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t best;
    int found = 0;
    tc_status status = TC_OK;
    TC_TRY(check(plan, cublasLtMatmulPreferenceCreate(&preference), error));
    TC_TRY(prefer(plan, preference, alignment, error));
    if (biased) TC_TRY(set(plan, to, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias, error));
    TC_TRY(check(plan,
                 cublasLtMatmulAlgoGetHeuristic(tc_cuda_state_of(plan->device)->blas, to->operation, plan->left,
                                                plan->right, plan->result, plan->result, preference, 1, &best, &found),
                 error));
    TC_TRY(check(plan, found ? best.state : CUBLAS_STATUS_NOT_SUPPORTED, error));
    to->algorithm = best.algo;
done:
    if (preference) cublasLtMatmulPreferenceDestroy(preference);
    return status;
}

static void forget(way *to) {
    if (to->operation) cublasLtMatmulDescDestroy(to->operation);
    to->operation = NULL;
}

/* As the precision permits, or else in full, which every precision does. */
static tc_status find_way(const tc_product_plan *plan, bool bias, uint32_t alignment, way *to, tc_error *error) {
    const cublasComputeType_t how[] = {computing[plan->device->options.precision], CUBLAS_COMPUTE_32F};
    tc_status status = TC_FAILED;
    for (int i = 0; i < 2 && status != TC_OK; i++) {
        forget(to);
        status = describe(plan, how[i], bias, to, error);
        if (status == TC_OK) status = choose(plan, bias, alignment, to, error);
    }
    return status;
}

tc_status tc_cuda_product_create(tc_device *device, const tc_product *geometry, tc_product_plan **plan,
                                 tc_error *error) {
    tc_product_plan *made = NULL;
    tc_status status = TC_OK;
    *plan = NULL;
    if (geometry->m < 1 || geometry->n < 1 || geometry->k < 1)
        TC_RAISE(TC_INVALID, "product: %d x %d x %d; every size must be at least 1", geometry->m, geometry->n,
                 geometry->k);
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    made->device = device;
    made->g = *geometry;
    TC_TRY(describe_matrices(made, error));
    for (int bias = 0; bias <= geometry->bias; bias++) {
        TC_TRY(find_way(made, bias, sizeof(real), &made->way[bias][ANYWHERE], error));
        TC_TRY(find_way(made, bias, ALIGNED_BYTES, &made->way[bias][ALIGNED], error));
    }
    device->allocations++;
    *plan = made;
    made = NULL;
done:
    tc_cuda_product_destroy(device, made);
    return status;
}

void tc_cuda_product_destroy(tc_device *device, tc_product_plan *plan) {
    (void)device;
    if (!plan) return;
    if (plan->left) cublasLtMatrixLayoutDestroy(plan->left);
    if (plan->right) cublasLtMatrixLayoutDestroy(plan->right);
    if (plan->result) cublasLtMatrixLayoutDestroy(plan->result);
    for (int bias = 0; bias < 2; bias++)
        for (int alignment = 0; alignment < ALIGNMENTS; alignment++) forget(&plan->way[bias][alignment]);
    free(plan);
}

/* ---- running ---- */

void tc_cuda_product_run(tc_product_plan *plan, const void *a, const void *b, const void *bias, void *c) {
    tc_cuda_state *state = tc_cuda_state_of(plan->device);
    const float one = 1, beta = plan->g.accumulate ? 1 : 0;
    const bool biased = plan->g.bias && bias;
    const bool aligned = (((uintptr_t)a | (uintptr_t)b | (uintptr_t)bias | (uintptr_t)c) & (ALIGNED_BYTES - 1)) == 0;
    const way *by = &plan->way[biased][aligned ? ALIGNED : ANYWHERE];
    if (biased) /* it is part of the description, and may be another at every call */
        tc_cuda_blas_went(
            plan->device,
            cublasLtMatmulDescSetAttribute(by->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias),
            "matrix product");
    tc_cuda_blas_went(plan->device,
                      cublasLtMatmul(state->blas, by->operation, &one, b, plan->left, a, plan->right, &beta, c,
                                     plan->result, c, plan->result, &by->algorithm, state->workspace, TC_CUDA_WORKSPACE,
                                     state->stream),
                      "matrix product");
}
