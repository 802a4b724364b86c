/* vectors.cu — arithmetic on flat vectors: parameters, gradients, directions. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/launch.h"
#include "compute/cuda/random.cuh"

void tc_cuda_fill(tc_device *device, size_t count, double value, void *y) {
    real *to = (real *)y;
    const real v = (real)value;
    tc_cuda_each(device, count, "fill", [=] __device__(size_t i) { to[i] = v; });
}

void tc_cuda_copy(tc_device *device, size_t count, const void *x, void *y) {
    if (count == 0 || x == y) return;
    tc_cuda_went(
        device, cudaMemcpyAsync(y, x, count * sizeof(real), cudaMemcpyDeviceToDevice, tc_cuda_state_of(device)->stream),
        "copy");
}

void tc_cuda_axpby(tc_device *device, size_t count, double a, const void *x, double b, void *y) {
    const real p = (real)a, q = (real)b, *from = (const real *)x;
    real *to = (real *)y;
    if (q == 0) /* y may hold anything, NaN included */
        tc_cuda_each(device, count, "axpby", [=] __device__(size_t i) { to[i] = p * from[i]; });
    else
        tc_cuda_each(device, count, "axpby", [=] __device__(size_t i) { to[i] = p * from[i] + q * to[i]; });
}

void tc_cuda_multiply(tc_device *device, size_t count, const void *a, const void *b, void *y, bool accumulate) {
    const real *p = (const real *)a, *q = (const real *)b;
    real *to = (real *)y;
    if (accumulate)
        tc_cuda_each(device, count, "multiply", [=] __device__(size_t i) { to[i] += p[i] * q[i]; });
    else
        tc_cuda_each(device, count, "multiply", [=] __device__(size_t i) { to[i] = p[i] * q[i]; });
}

void tc_cuda_clamp(tc_device *device, size_t count, double low, double high, void *y) {
    const real least = (real)low, most = (real)high;
    real *to = (real *)y;
    tc_cuda_each(device, count, "clamp", [=] __device__(size_t i) {
        to[i] = to[i] < least ? least : to[i] > most ? most : to[i];
    });
}

void tc_cuda_sign_power(tc_device *device, size_t count, double a, double p, const void *x, void *y) {
    const real *from = (const real *)x;
    real *to = (real *)y;
    if (p == 1) {
        tc_cuda_axpby(device, count, a, x, 0, y);
        return;
    }
    tc_cuda_each(device, count, "sign_power", [=] __device__(size_t i) {
        const double v = (double)from[i], size = p == 0 ? 1 : pow(fabs(v), p);
        to[i] = (real)(v == 0 ? 0 : a * copysign(size, v));
    });
}

void tc_cuda_normal(tc_device *device, size_t count, tc_stream stream, double sigma, void *y) {
    real *to = (real *)y;
    const uint64_t key = stream.key;
    tc_cuda_each(device, count, "normal",
                 [=] __device__(size_t i) { to[i] = (real)(sigma * tc_cuda_normal_at(key, i)); });
}

void tc_cuda_uniform(tc_device *device, size_t count, tc_stream stream, double low, double high, void *y) {
    real *to = (real *)y;
    const uint64_t key = stream.key;
    tc_cuda_each(device, count, "uniform",
                 [=] __device__(size_t i) { to[i] = (real)(low + (high - low) * tc_cuda_uniform_at(key, i)); });
}

/* ---- sums, which the host waits for ---- */

typedef double one_sum[1];

struct keep_sum {
    double *at;

    __device__ void operator()(const one_sum &total) const {
        *at = total[0];
    }
};

template <class F> static double total(tc_device *device, size_t count, const char *what, F f) {
    double *at = tc_cuda_state_of(device)->partials + TC_CUDA_PARTS, result;
    tc_cuda_sums<1>(device, count, what, f, keep_sum{at});
    tc_cuda_download_bytes(device, &result, at, sizeof result);
    return result;
}

double tc_cuda_sum(tc_device *device, size_t count, const void *x) {
    const real *from = (const real *)x;
    return total(device, count, "sum", [=] __device__(size_t i, one_sum & sum) { sum[0] += (double)from[i]; });
}

double tc_cuda_dot(tc_device *device, size_t count, const void *x, const void *y) {
    const real *p = (const real *)x, *q = (const real *)y;
    return total(device, count, "dot",
                 [=] __device__(size_t i, one_sum & sum) { sum[0] += (double)p[i] * (double)q[i]; });
}

/* The largest of a block's |x|; NaN wins over every number, so that a diverged vector is noticed. */
static __device__ double larger(double a, double b) {
    return isnan(a) || a > b ? a : b;
}

static __global__ void largest_kernel(size_t count, const real *x, double *partial) {
    __shared__ double best[TC_THREADS];
    double most = 0;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (size_t)gridDim.x * blockDim.x)
        most = larger(fabs((double)x[i]), most);
    best[threadIdx.x] = most;
    for (unsigned half = TC_THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) best[threadIdx.x] = larger(best[threadIdx.x + half], best[threadIdx.x]);
    }
    if (threadIdx.x == 0) partial[blockIdx.x] = best[0];
}

static double largest(tc_device *device, size_t count, const real *x) {
    enum { FEW = 64 };
    double *partial = tc_cuda_state_of(device)->partials, best[FEW], most = 0;
    TC_LAUNCH(device, "sum_power", largest_kernel, (unsigned)FEW, TC_THREADS, count, x, partial);
    tc_cuda_download_bytes(device, best, partial, sizeof best);
    for (int i = 0; i < FEW; i++)
        if (isnan(best[i]) || best[i] > most) most = best[i];
    return most;
}

double tc_cuda_sum_power(tc_device *device, size_t count, double p, const void *x) {
    const real *from = (const real *)x;
    if (isinf(p)) return largest(device, count, from);
    if (p == 2) return tc_cuda_dot(device, count, x, x);
    if (p == 1)
        return total(device, count, "sum_power",
                     [=] __device__(size_t i, one_sum & sum) { sum[0] += fabs((double)from[i]); });
    return total(device, count, "sum_power",
                 [=] __device__(size_t i, one_sum & sum) { sum[0] += pow(fabs((double)from[i]), p); });
}
