/* steps.cu — a step of training that finds by itself what is new in it, and adds to the epoch's count. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/launch.h"

void tc_cuda_next_step(tc_device *device, const tc_walk *walk, int n, int32_t *labels) {
    const tc_walk w = *walk;
    tc_cuda_each(device, (size_t)n, "next_step", [=] __device__(size_t i) {
        const size_t step = (size_t)w.count->steps, place = step * (size_t)w.batch + i;
        const uint32_t image = w.order[place];
        w.index[i] = image;
        labels[i] = w.answers[image];
        if (w.warps) w.warp[i] = w.warps[place];
        if (i == 0) *w.pace = w.paces[step];
    });
}

/* By words: what a sample has is a multiple of 4 bytes. */
void tc_cuda_next_rows(tc_device *device, const tc_walk *walk, int n, size_t size, const void *rows, void *row) {
    const size_t words = size / sizeof(uint32_t), pitch = (size_t)walk->batch * words;
    const tc_count *count = walk->count;
    const uint32_t *from = (const uint32_t *)rows;
    uint32_t *to = (uint32_t *)row;
    tc_cuda_each(device, (size_t)n * words, "next_rows",
                 [=] __device__(size_t i) { to[i] = from[(size_t)count->steps * pitch + i]; });
}

/* By a warp; in lane 0. */
static __device__ int first_largest(int count, const real *row) {
    const int lane = (int)threadIdx.x % TC_WARP;
    int best = lane;
    real most = lane < count ? row[lane] : -INFINITY;
    for (int c = lane + TC_WARP; c < count; c += TC_WARP)
        if (row[c] > most) most = row[c], best = c;
    for (int offset = TC_WARP / 2; offset > 0; offset /= 2) {
        const real other = __shfl_down_sync(0xffffffffu, most, offset);
        const int where = __shfl_down_sync(0xffffffffu, best, offset);
        if (other > most || (other == most && where < best)) most = other, best = where;
    }
    return best;
}

/* Of a batch, by one block; in thread 0. */
static __device__ double batch_sum(int n, const real *values) {
    double sum = 0;
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) sum += (double)values[i];
    return tc_cuda_block_sum(sum);
}

/* One block, because a batch is small and another kernel would take longer than it does: a warp looks at an image at a
 * time. Sums are rounded as the host would, not fused. */
static __global__ void tally_kernel(int n, int classes, const real *logits, const int32_t *labels, const real *values,
                                    tc_count *count) {
    const int lane = (int)threadIdx.x % TC_WARP, warp = (int)threadIdx.x / TC_WARP, warps = (int)blockDim.x / TC_WARP;
    int right = 0;
    for (int i = warp; i < n; i += warps) {
        const int answer = first_largest(classes, logits + (size_t)i * (size_t)classes);
        right += lane == 0 && answer == labels[i];
    }
    right = tc_cuda_block_sum(right);
    const double total = batch_sum(n, values);
    if (threadIdx.x > 0) return;
    count->correct += right;
    count->loss = __dadd_rn(count->loss, __dmul_rn(total / n, (double)n));
    count->steps++;
}

void tc_cuda_tally(tc_device *device, const tc_loss *loss, const void *value, tc_count *count) {
    TC_LAUNCH(device, "tally", tally_kernel, 1u, TC_THREADS, loss->n, loss->classes, (const real *)loss->logits,
              loss->labels, (const real *)value, count);
}

static __global__ void watch_kernel(int n, const real *values, tc_count *count) {
    const double total = batch_sum(n, values);
    if (threadIdx.x == 0 && !isfinite(total)) count->loss = NAN;
}

void tc_cuda_watch(tc_device *device, size_t n, const void *value, tc_count *count) {
    TC_LAUNCH(device, "watch", watch_kernel, 1u, TC_THREADS, (int)n, (const real *)value, count);
}
