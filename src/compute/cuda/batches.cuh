/* batches.cuh — products of the small matrices of attention, one for every head of every image:
 *
 *     C = scale (A B + A′ B′)
 *
 * where each operand is said by its strides, so that a head's matrix may lie anywhere in a tensor and be transposed. A
 * block makes a 64 × 64 tile of one C: its 256 threads 4 × 4 numbers each, from strips of A and B of depth 16 in shared
 * memory. Where C ends within a tile, as 65 tokens do right behind 64, whole warps (32 × 16 numbers) have nothing to
 * do and skip the arithmetic. In single precision, whatever the device's precision is: these products are few. */
#ifndef TC_COMPUTE_CUDA_BATCHES_CUH
#define TC_COMPUTE_CUDA_BATCHES_CUH

#include "compute/cuda/launch.h"

/* Element (r, c) of the matrix of head h of image i is at[i·image + h·head + r·row + c·column]. */
struct tc_cuda_heads {
    real *at;
    size_t image, head;
    int row, column;
};

struct tc_cuda_factors {
    tc_cuda_heads a, b; /* A [m][k], B [k][n] */
};

struct tc_cuda_batch {
    int images, heads, m, n, k;
    int pairs; /* 1 or 2 */
    tc_cuda_factors pair[2];
    tc_cuda_heads c;
    real scale;
};

enum { TC_BATCH_TILE = 64, TC_BATCH_DEPTH = 16, TC_BATCH_SIDE = 4, TC_BATCH_PITCH = TC_BATCH_TILE + TC_BATCH_SIDE };

struct alignas(16) tc_cuda_strip {
    real v[TC_BATCH_DEPTH][TC_BATCH_PITCH];
};

struct alignas(16) tc_cuda_side {
    real v[TC_BATCH_SIDE];
};

/* Numbers (across + i, deep + j) of a matrix [wide][depth] into strip[j][i], zero outside of it. Neighbouring threads
 * read along whichever index has neighbours in memory. */
static inline __device__ void tc_cuda_fill_strip(const real *from, int across_stride, int deep_stride, int across,
                                                 int wide, int deep, int depth, tc_cuda_strip &strip) {
    for (int t = (int)threadIdx.x; t < TC_BATCH_TILE * TC_BATCH_DEPTH; t += TC_THREADS) {
        const bool along = deep_stride == 1;
        const int i = along ? t / TC_BATCH_DEPTH : t % TC_BATCH_TILE,
                  j = along ? t % TC_BATCH_DEPTH : t / TC_BATCH_TILE;
        const bool inside = across + i < wide && deep + j < depth;
        strip.v[j][i] =
            inside ? from[(size_t)(across + i) * (size_t)across_stride + (size_t)(deep + j) * (size_t)deep_stride] : 0;
    }
}

/* sum += the product of the strips' first `depth` at a thread's place (row, column) in the tile. */
static inline __device__ void tc_cuda_add_strips(const tc_cuda_strip &a, const tc_cuda_strip &b, int depth, int row,
                                                 int column, real (&sum)[TC_BATCH_SIDE][TC_BATCH_SIDE]) {
    for (int j = 0; j < depth; j++) {
        const tc_cuda_side p = *(const tc_cuda_side *)&a.v[j][row], q = *(const tc_cuda_side *)&b.v[j][column];
        for (int r = 0; r < TC_BATCH_SIDE; r++)
            for (int c = 0; c < TC_BATCH_SIDE; c++) sum[r][c] += p.v[r] * q.v[c];
    }
}

static __global__ void tc_cuda_batch_kernel(tc_cuda_batch batch) {
    __shared__ tc_cuda_strip a, b;
    const int t = (int)threadIdx.x, warp = t / TC_WARP, lane = t % TC_WARP;
    const int across = (batch.n + TC_BATCH_TILE - 1) / TC_BATCH_TILE,
              down = (batch.m + TC_BATCH_TILE - 1) / TC_BATCH_TILE;
    const int number = (int)blockIdx.x / (across * down), tile = (int)blockIdx.x % (across * down);
    const size_t image = (size_t)(number / batch.heads), head = (size_t)(number % batch.heads);
    const int top = tile / across * TC_BATCH_TILE, left = tile % across * TC_BATCH_TILE;
    const int row = warp / 4 * 32 + lane / 4 * TC_BATCH_SIDE, column = warp % 4 * 16 + lane % 4 * TC_BATCH_SIDE;
    const bool idle = top + row >= batch.m || left + column >= batch.n;
    real sum[TC_BATCH_SIDE][TC_BATCH_SIDE] = {{0}};
    for (int pair = 0; pair < batch.pairs; pair++) {
        const tc_cuda_heads &from_a = batch.pair[pair].a, &from_b = batch.pair[pair].b;
        const real *left_of = from_a.at + image * from_a.image + head * from_a.head;
        const real *right_of = from_b.at + image * from_b.image + head * from_b.head;
        for (int deep = 0; deep < batch.k; deep += TC_BATCH_DEPTH) {
            __syncthreads(); /* whoever still reads the last strips */
            tc_cuda_fill_strip(left_of, from_a.row, from_a.column, top, batch.m, deep, batch.k, a);
            tc_cuda_fill_strip(right_of, from_b.column, from_b.row, left, batch.n, deep, batch.k, b);
            __syncthreads();
            if (idle) continue;
            if (batch.k - deep >= TC_BATCH_DEPTH) /* a constant, so that the loop is unrolled */
                tc_cuda_add_strips(a, b, TC_BATCH_DEPTH, row, column, sum);
            else
                tc_cuda_add_strips(a, b, batch.k - deep, row, column, sum);
        }
    }
    real *to = batch.c.at + image * batch.c.image + head * batch.c.head;
    for (int r = 0; r < TC_BATCH_SIDE; r++)
        for (int c = 0; c < TC_BATCH_SIDE; c++)
            if (top + row + r < batch.m && left + column + c < batch.n)
                to[(size_t)(top + row + r) * (size_t)batch.c.row +
                   (size_t)(left + column + c) * (size_t)batch.c.column] = batch.scale * sum[r][c];
}

static inline void tc_cuda_multiply_batch(tc_device *device, const char *what, const tc_cuda_batch &batch) {
    const size_t across = (size_t)(batch.n + TC_BATCH_TILE - 1) / TC_BATCH_TILE,
                 down = (size_t)(batch.m + TC_BATCH_TILE - 1) / TC_BATCH_TILE;
    const size_t blocks = across * down * (size_t)batch.images * (size_t)batch.heads;
    TC_LAUNCH(device, what, tc_cuda_batch_kernel, (unsigned)blocks, TC_THREADS, batch);
}

#endif
