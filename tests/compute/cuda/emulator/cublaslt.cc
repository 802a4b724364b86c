/* cublaslt.cc — matrix products by their definition: D = act(α op(A) op(B) + β C + bias), column-major. */
#include "cublasLt.h"

#include "library.h"

struct tc_emulated_blas {};

struct tc_emulated_matrix {
    cudaDataType type;
    uint64_t rows, columns;
    int64_t leading;
};

struct tc_emulated_product {
    cublasComputeType_t computing;
    cublasOperation_t of_a = CUBLAS_OP_N, of_b = CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void *bias = nullptr;
};

struct tc_emulated_preference {
    uint64_t workspace = 0;
    uint32_t alignment[4] = {256, 256, 256, 256};
};

namespace {

const uint64_t KNOWN = 0xb1a5; /* in data[0] of an algorithm that this library gave out; data[1]: alignment, … */
enum { WORKSPACE = 4096 };     /* … data[2]: bytes of workspace it needs; data[3]: epilogue */

template <class T> cublasStatus_t put(T *to, const void *value, size_t bytes) {
    if (!value || bytes != sizeof *to) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

uint64_t rows_of(cublasLtMatrixLayout_t m, cublasOperation_t op) {
    return op == CUBLAS_OP_N ? m->rows : m->columns;
}

uint64_t columns_of(cublasLtMatrixLayout_t m, cublasOperation_t op) {
    return op == CUBLAS_OP_N ? m->columns : m->rows;
}

bool fit(const tc_emulated_product &p, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
         cublasLtMatrixLayout_t d) {
    return rows_of(a, p.of_a) == d->rows && columns_of(b, p.of_b) == d->columns &&
           columns_of(a, p.of_a) == rows_of(b, p.of_b) && c->rows == d->rows && c->columns == d->columns &&
           c->leading == d->leading && a->type == CUDA_R_32F && b->type == CUDA_R_32F && c->type == CUDA_R_32F &&
           d->type == CUDA_R_32F;
}

int bits_lost(cublasComputeType_t computing) {
    return computing == CUBLAS_COMPUTE_32F_FAST_TF32 ? 13 : computing == CUBLAS_COMPUTE_32F_FAST_16BF ? 16 : 0;
}

float entry(const float *x, const tc_emulated_matrix &m, cublasOperation_t op, uint64_t row, uint64_t column) {
    const uint64_t at = op == CUBLAS_OP_N ? row + column * (uint64_t)m.leading : column + row * (uint64_t)m.leading;
    return x[at];
}

struct call {
    tc_emulated_product p;
    tc_emulated_matrix a, b, d;
    float alpha, beta;
    const float *from_a, *from_b, *c;
    float *to;
};

void compute(const call &now) {
    const uint64_t inner = columns_of((cublasLtMatrixLayout_t)&now.a, now.p.of_a);
    const int bits = bits_lost(now.p.computing);
    for (uint64_t j = 0; j < now.d.columns; j++)
        for (uint64_t i = 0; i < now.d.rows; i++) {
            const uint64_t at = i + j * (uint64_t)now.d.leading;
            double sum = 0;
            for (uint64_t l = 0; l < inner; l++)
                sum += (double)tc_emulator_rounded(entry(now.from_a, now.a, now.p.of_a, i, l), bits) *
                       (double)tc_emulator_rounded(entry(now.from_b, now.b, now.p.of_b, l, j), bits);
            sum *= (double)now.alpha;
            if (now.beta != 0) sum += (double)now.beta * (double)now.c[at];
            if (now.p.epilogue & CUBLASLT_EPILOGUE_BIAS) sum += (double)((const float *)now.p.bias)[i];
            if ((now.p.epilogue & CUBLASLT_EPILOGUE_RELU) && sum < 0) sum = 0;
            now.to[at] = (float)sum;
        }
}

} // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    if (tc_emulator_fails("cublasLtCreate")) return CUBLAS_STATUS_EXECUTION_FAILED;
    *handle = new tc_emulated_blas();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void) {
    return 130000;
}

const char *cublasLtGetStatusString(cublasStatus_t status) {
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
    if (tc_emulator_fails("cublasLtMatrixLayoutCreate")) return CUBLAS_STATUS_EXECUTION_FAILED;
    if (rows == 0 || columns == 0 || leading < (int64_t)rows) return CUBLAS_STATUS_INVALID_VALUE;
    *layout = new tc_emulated_matrix{type, rows, columns, leading};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *product, cublasComputeType_t computing,
                                        cudaDataType_t scale) {
    if (tc_emulator_fails("cublasLtMatmulDescCreate")) return CUBLAS_STATUS_EXECUTION_FAILED;
    if (scale != CUDA_R_32F) return CUBLAS_STATUS_INVALID_VALUE;
    *product = new tc_emulated_product();
    (*product)->computing = computing;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
    delete product;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes) {
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return put(&product->of_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return put(&product->of_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return put(&product->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return put(&product->bias, value, bytes);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
    *preference = new tc_emulated_preference();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t bytes) {
    if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return put(&preference->workspace, value, bytes);
    const int operand = attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
    if (operand < 0 || operand > 3) return CUBLAS_STATUS_INVALID_VALUE;
    return put(&preference->alignment[operand], value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference,
                                              int wanted, cublasLtMatmulHeuristicResult_t *result, int *found) {
    *found = 0;
    if (tc_emulator_fails("cublasLtMatmulAlgoGetHeuristic")) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (wanted < 1 || !fit(*product, a, b, c, d)) return CUBLAS_STATUS_INVALID_VALUE;
    if ((product->epilogue & CUBLASLT_EPILOGUE_BIAS) && !product->bias) return CUBLAS_STATUS_INVALID_VALUE;
    uint64_t alignment = 256;
    for (uint32_t each : preference->alignment) alignment = each < alignment ? each : alignment;
    memset(result, 0, sizeof *result);
    result->algo.data[0] = KNOWN;
    result->algo.data[1] = alignment;
    result->algo.data[2] = result->workspaceSize = preference->workspace < WORKSPACE ? 0 : WORKSPACE;
    result->state = CUBLAS_STATUS_SUCCESS;
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
    if (tc_emulator_fails("cublasLtMatmul")) return CUBLAS_STATUS_EXECUTION_FAILED;
    const bool bias = product->epilogue & CUBLASLT_EPILOGUE_BIAS;
    if (!fit(*product, a_layout, b_layout, c_layout, d_layout) || !a || !b || !d || (bias && !product->bias) ||
        algorithm->data[0] != KNOWN || algorithm->data[2] > workspace_bytes || (algorithm->data[2] && !workspace))
        return CUBLAS_STATUS_INVALID_VALUE;
    const uintptr_t low = (uintptr_t)a | (uintptr_t)b | (uintptr_t)c | (uintptr_t)d;
    if (low % algorithm->data[1]) return CUBLAS_STATUS_NOT_SUPPORTED;
    tc_emulator_count(tc_emulator_tally.products);
    if (algorithm->data[1] >= 16) tc_emulator_count(tc_emulator_tally.aligned);
    const call now = {
        *product,         *a_layout,        *b_layout,        *d_layout, *(const float *)alpha, *(const float *)beta,
        (const float *)a, (const float *)b, (const float *)c, (float *)d};
    tc_emulator_queue(stream, [=] { compute(now); });
    return CUBLAS_STATUS_SUCCESS;
}

} /* extern "C" */
