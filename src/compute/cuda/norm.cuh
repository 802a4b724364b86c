/* norm.cuh — what the four maps of batch normalisation share. */
#ifndef TC_COMPUTE_CUDA_NORM_CUH
#define TC_COMPUTE_CUDA_NORM_CUH

#include "compute/cuda/kernels.h"
#include "compute/cuda/rows.cuh"

/* The kernels' argument: a norm whose activations are kept as T. */
template <class T> struct tc_cuda_norm : tc_norm {};

template <class T> static inline tc_cuda_norm<T> tc_cuda_norm_as(const tc_norm *norm) {
    tc_cuda_norm<T> n;
    *(tc_norm *)&n = *norm;
    return n;
}

static inline int tc_cuda_norm_rows(const tc_norm *n) {
    return n->shape.n * n->shape.h * n->shape.w;
}

static inline __device__ double tc_cuda_norm_count(const tc_norm &n) {
    return (double)n.shape.n * n.shape.h * n.shape.w;
}

static inline __host__ __device__ const void *tc_cuda_norm_q(const tc_norm &n) {
    return n.q ? n.q : n.dy.term[0];
}

/* The addends' sum, zero where the ReLU was shut; kept in q unless that is NULL, and then as the second walk finds it
 * there: the sums that make its mean zero are of the same numbers. */
template <int V, class T = real>
static inline __device__ tc_cuda_vector<V> tc_cuda_norm_gather(const tc_norm &n, const tc_sum &dy, void *q, size_t at) {
    tc_cuda_vector<V> sum = tc_cuda_load<V, T>(dy.term[0], at);
    for (int t = 1; t < dy.count; t++) {
        const tc_cuda_vector<V> term = tc_cuda_load<V, T>(dy.term[t], at);
        for (int v = 0; v < V; v++) sum.v[v] += term.v[v];
    }
    if (n.relu) {
        const tc_cuda_vector<V> y = tc_cuda_load<V, T>(n.y, at);
        for (int v = 0; v < V; v++) sum.v[v] = y.v[v] > 0 ? sum.v[v] : 0;
    }
    if (!q) return sum;
    tc_cuda_store<V, T>(q, at, sum);
    for (int v = 0; v < V; v++) sum.v[v] = tc_cuda_kept<T>(sum.v[v]);
    return sum;
}

#endif
