/* layouts.cu — moves between tensors that lie differently: parts of the channels, rows of features. NHWC is this
 * device's own layout, so the moves into the shape's layout and back are copies, rounded where it says half. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/random.cuh"
#include "compute/cuda/stored.cuh"

namespace {

/* For every pixel: channels [at_to, …) of `to` := Σ channels [at_from, …) of the terms; all sizes in packs. */
struct move {
    int count; /* of the channels moved */
    int from, at_from, to, at_to;
};

template <class T, int N>
void move_packs(tc_device *device, const char *what, size_t pixels, move m, const tc_sum &terms, void *y) {
    const tc_sum x = terms;
    tc_cuda_pack<T, N> *to = (tc_cuda_pack<T, N> *)y;
    const int part = m.count / N, from = m.from / N, at_from = m.at_from / N, whole = m.to / N, at_to = m.at_to / N;
    tc_cuda_each(device, pixels * (size_t)part, what, [=] __device__(size_t i) {
        size_t pixel = i;
        const int c = tc_cuda_take(&pixel, part);
        tc_cuda_keep(to + pixel * (size_t)whole + (size_t)(at_to + c),
                     tc_cuda_pack_of<T, N>(x, pixel * (size_t)from + (size_t)(at_from + c)));
    });
}

template <class T>
void move_kept(tc_device *device, const char *what, tc_shape shape, move m, const tc_sum &x, void *y) {
    const size_t pixels = (size_t)shape.n * (size_t)shape.h * (size_t)shape.w;
    const bool fours = (m.count | m.from | m.at_from | m.to | m.at_to) % TC_PACK == 0;
    if (fours && tc_cuda_packs<T>(x) && tc_cuda_packs<T>(y))
        move_packs<T, TC_PACK>(device, what, pixels, m, x, y);
    else
        move_packs<T, 1>(device, what, pixels, m, x, y);
}

void move_channels(tc_device *device, const char *what, tc_shape shape, move m, const tc_sum &x, void *y) {
    (shape.half ? move_kept<tc_cuda_bf16> : move_kept<real>)(device, what, shape, m, x, y);
}

/* y [n][columns][rows] := Σ x [n][rows][columns]. A block turns a square of TILE × TILE in shared memory, so that it
 * both reads and writes neighbours; the odd column keeps the threads of a warp out of each other's banks. X is kept as
 * I, y as O. */
enum { TILE = TC_WARP, TILE_LINES = TC_THREADS / TILE };

template <class I, class O>
__global__ void transpose(int rows, int columns, size_t tiles, const __grid_constant__ tc_sum x, O *y) {
    __shared__ real tile[TILE][TILE + 1];
    const int across = (columns + TILE - 1) / TILE, down = (rows + TILE - 1) / TILE;
    const int lane = (int)(threadIdx.x % TILE), line = (int)(threadIdx.x / TILE);
    for (size_t number = blockIdx.x; number < tiles; number += gridDim.x) {
        size_t n = number;
        const int column = tc_cuda_take(&n, across) * TILE, row = tc_cuda_take(&n, down) * TILE;
        const size_t image = n * (size_t)rows * (size_t)columns;
        for (int r = line; r < TILE && row + r < rows; r += TILE_LINES)
            if (column + lane < columns)
                tile[r][lane] =
                    tc_cuda_pack_of<I, 1>(x, image + (size_t)(row + r) * (size_t)columns + (size_t)(column + lane))
                        .at[0];
        __syncthreads();
        for (int c = line; c < TILE && column + c < columns; c += TILE_LINES)
            if (row + lane < rows)
                tc_cuda_keep(y + image + (size_t)(column + c) * (size_t)rows + (size_t)(row + lane), tile[lane][c]);
        __syncthreads(); /* before the next square overwrites this one */
    }
}

template <class I, class O>
void turn(tc_device *device, const char *what, int n, int rows, int columns, const tc_sum &x, void *y) {
    const size_t across = (size_t)((columns + TILE - 1) / TILE), down = (size_t)((rows + TILE - 1) / TILE);
    const size_t tiles = (size_t)n * across * down;
    if (tiles == 0) return;
    const auto kernel = transpose<I, O>;
    TC_LAUNCH(device, what, kernel, tc_cuda_blocks(device, tiles * TC_THREADS), TC_THREADS, rows, columns, tiles, x,
              (O *)y);
}

template <class I, class O> void convert(tc_device *device, const char *what, size_t count, const void *x, void *y) {
    const I *from = (const I *)x;
    O *to = (O *)y;
    tc_cuda_each(device, count, what, [=] __device__(size_t i) { tc_cuda_keep(to + i, tc_cuda_real(from[i])); });
}

} // namespace

void tc_cuda_concat(tc_device *device, tc_shape part, tc_shape whole, int at, const void *x, void *y) {
    move_channels(device, "concat", part, {part.c, part.c, 0, whole.c, at}, tc_one(x), y);
}

void tc_cuda_slice(tc_device *device, tc_shape whole, tc_shape part, int at, tc_sum x, void *y) {
    move_channels(device, "slice", part, {part.c, whole.c, at, part.c, 0}, x, y);
}

/* One row or column is its own transpose. */
void tc_cuda_flatten(tc_device *device, tc_shape shape, const void *x, void *y) {
    const int pixels = shape.h * shape.w;
    if (shape.half)
        turn<tc_cuda_bf16, real>(device, "flatten", shape.n, pixels, shape.c, tc_one(x), y);
    else if (pixels == 1 || shape.c == 1)
        tc_cuda_copy(device, tc_shape_count(shape), x, y);
    else
        turn<real, real>(device, "flatten", shape.n, pixels, shape.c, tc_one(x), y);
}

void tc_cuda_unflatten(tc_device *device, tc_shape shape, tc_sum y, void *x) {
    const int pixels = shape.h * shape.w;
    if (shape.half)
        turn<real, tc_cuda_bf16>(device, "unflatten", shape.n, shape.c, pixels, y, x);
    else if (pixels == 1 || shape.c == 1)
        tc_cuda_add(device, shape, y, x);
    else
        turn<real, real>(device, "unflatten", shape.n, shape.c, pixels, y, x);
}

void tc_cuda_to_layout(tc_device *device, tc_shape shape, const void *nhwc, void *x) {
    if (shape.half)
        convert<real, tc_cuda_bf16>(device, "to_layout", tc_shape_count(shape), nhwc, x);
    else
        tc_cuda_copy(device, tc_shape_count(shape), nhwc, x);
}

void tc_cuda_from_layout(tc_device *device, tc_shape shape, const void *x, void *nhwc) {
    if (shape.half)
        convert<tc_cuda_bf16, real>(device, "from_layout", tc_shape_count(shape), x, nhwc);
    else
        tc_cuda_copy(device, tc_shape_count(shape), x, nhwc);
}

/* Two elements share a block of random bits. */
void tc_cuda_dropout_mask(tc_device *device, tc_shape shape, const tc_dropout *dropout, void *mask) {
    const size_t count = tc_shape_count(shape);
    const double rate = dropout->rate;
    const real kept = (real)(rate < 1 ? 1 / (1 - rate) : 0);
    const uint64_t given = dropout->stream.key, name = tc_cuda_name("layer"), layer = dropout->layer;
    const tc_pace *pace = dropout->pace;
    real *to = (real *)mask;
    tc_cuda_each(device, (count + 1) / 2, "dropout_mask", [=] __device__(size_t pair) {
        const uint64_t key = pace ? tc_cuda_child(pace->dropout, name, layer) : given;
        const tc_cuda_bits bits = tc_cuda_philox(key, pair, 0);
        for (int half = 0; half < 2; half++) {
            const size_t i = 2 * pair + (size_t)half;
            const double u = (double)(tc_cuda_half(bits, half) >> 11) * 0x1p-53; /* tc_uniform_at */
            if (i < count) to[i] = u < rate ? 0 : kept;
        }
    });
}
