/* rows.cuh — arrays [rows][c], the activations of this device, where every channel has coefficients or sums of its own:
 *
 *     each row   a map applied to every element, with its channel's coefficients kept in registers
 *     columns    Σ over the rows, for each channel, of one or more numbers that a map makes of an element
 *
 * A thread stays with one channel, or with four neighbours that it reads as one vector, and walks down the rows. A
 * block is `lanes` threads side by side and `slots` below each other, so that a warp reads what lies together; blocks
 * tile the channels and part the rows. Sums are in single precision over GROUP rows and in double from there on; the
 * parts are added in their order, and how many there are does not depend on the GPU: neither does the result.
 *
 * A map is a struct template over the width V of a vector: made from the kernel's argument A and the first channel, it
 * has either
 *
 *     row(a, at)                      all there is to do for the elements from `at` on, or
 *     SUMS, rows(a, run, total)       the same for a run of rows, whose sums it adds to total[SUMS][V]. */
#ifndef TC_COMPUTE_CUDA_ROWS_CUH
#define TC_COMPUTE_CUDA_ROWS_CUH

#include "compute/cuda/stored.cuh"

#include <initializer_list>

enum {
    TC_ROWS_GROUP = 8,     /* rows whose sum is kept in single precision */
    TC_ROWS_ALONE = 32,    /* rows of a thread, at most, for which a second kernel would take longer than they do */
    TC_ROWS_LANES = 32,    /* vectors of a block side by side, at most */
    TC_ROWS_RESIDENT = 3,  /* blocks that sum on a multiprocessor: leaves a thread 80 registers */
    TC_ROWS_SUMMING = 384, /* blocks that make parts of a sum, at most: 128 multiprocessors full */
    TC_ROWS_MAPPING = 8192 /* blocks of a map without sums, at most */
};

/* ---- vectors of neighbouring channels ---- */

template <int V, class T = real> struct alignas(V * sizeof(T)) tc_cuda_vector { T v[V]; };

/* From an array of T, and into one. */
template <int V, class T = real> static inline __device__ tc_cuda_vector<V> tc_cuda_load(const void *from, size_t at) {
    const tc_cuda_vector<V, T> kept = *(const tc_cuda_vector<V, T> *)((const T *)from + at);
    tc_cuda_vector<V> x;
    for (int v = 0; v < V; v++) x.v[v] = tc_cuda_real(kept.v[v]);
    return x;
}

template <int V, class T = real>
static inline __device__ void tc_cuda_store(void *to, size_t at, const tc_cuda_vector<V> &x) {
    tc_cuda_vector<V, T> kept;
    for (int v = 0; v < V; v++) tc_cuda_keep(&kept.v[v], x.v[v]);
    *(tc_cuda_vector<V, T> *)((T *)to + at) = kept;
}

/* Channels c … c + V − 1 of a vector [c] that may lie anywhere, or `otherwise` where there is none. */
template <int V>
static inline __device__ tc_cuda_vector<V> tc_cuda_channels(const void *vector, int c, real otherwise) {
    tc_cuda_vector<V> x;
    for (int v = 0; v < V; v++) x.v[v] = vector ? ((const real *)vector)[c + v] : otherwise;
    return x;
}

/* Whether rows of c channels can be read four at a time in all of these arrays (NULL: no such array). */
static inline bool tc_cuda_by_four(int c, std::initializer_list<const void *> arrays) {
    bool aligned = c % 4 == 0;
    for (const void *array : arrays) aligned = aligned && (uintptr_t)array % 16 == 0;
    return aligned;
}

static inline bool tc_cuda_by_four(const tc_sum &sum) {
    bool aligned = true;
    for (int t = 0; t < sum.count; t++) aligned = aligned && (uintptr_t)sum.term[t] % 16 == 0;
    return aligned;
}

/* ---- who does what ---- */

typedef struct tc_cuda_cut {
    int rows, c;
    int lanes, slots; /* threads of a block: side by side, below each other */
    int tiles, parts; /* blocks side by side, below each other */
    int step;         /* rows of a part */
} tc_cuda_cut;

/* A part of `step` rows for each block below the other. */
static inline tc_cuda_cut tc_cuda_cut_at(int rows, int c, int width, int step) {
    tc_cuda_cut cut = {rows, c, 0, 0, 0, 0, step};
    const int vectors = c / width;
    cut.tiles = (vectors + TC_ROWS_LANES - 1) / TC_ROWS_LANES;
    cut.lanes = (vectors + cut.tiles - 1) / cut.tiles;
    cut.slots = TC_THREADS / cut.lanes;
    cut.parts = rows > 0 ? (rows + step - 1) / step : 1;
    return cut;
}

/* Parts of such a size that a thread has a group of rows if there are enough, and that there are at most so many
 * blocks. */
static inline tc_cuda_cut tc_cuda_cut_into(int rows, int c, int width, int most_blocks) {
    const tc_cuda_cut whole = tc_cuda_cut_at(rows, c, width, rows);
    const int most = most_blocks > whole.tiles ? most_blocks / whole.tiles : 1;
    const int shortest = whole.slots * TC_ROWS_GROUP, step = (int)(((int64_t)rows + most - 1) / most);
    return tc_cuda_cut_at(rows, c, width, step > shortest ? step : shortest);
}

static inline unsigned tc_cuda_cut_blocks(const tc_cuda_cut &cut) {
    return (unsigned)cut.tiles * (unsigned)cut.parts;
}

/* A thread's channels and rows: row, row + slots, … below end; none for the threads left over. */
struct tc_cuda_place {
    int part, lane, slot, channel, row, end;
};

static inline __device__ tc_cuda_place tc_cuda_place_of(const tc_cuda_cut &cut, int width) {
    tc_cuda_place p;
    const int tile = (int)blockIdx.x % cut.tiles, first = (int)blockIdx.x / cut.tiles * cut.step;
    p.part = (int)blockIdx.x / cut.tiles;
    p.lane = (int)threadIdx.x % cut.lanes;
    p.slot = (int)threadIdx.x / cut.lanes;
    p.channel = (tile * cut.lanes + p.lane) * width;
    p.row = first + p.slot;
    p.end = cut.rows - first < cut.step ? cut.rows : first + cut.step;
    if (p.slot >= cut.slots || p.channel >= cut.c) p.end = 0;
    return p;
}

/* ---- each row ---- */

template <int V, template <int> class F, class A> static __global__ void tc_cuda_each_row_kernel(tc_cuda_cut cut, A a) {
    const tc_cuda_place p = tc_cuda_place_of(cut, V);
    if (p.row >= p.end) return;
    const F<V> f(a, p.channel);
    for (int row = p.row; row < p.end; row += cut.slots) f.row(a, (size_t)row * (size_t)cut.c + (size_t)p.channel);
}

template <int V, template <int> class F, class A>
static void tc_cuda_each_row_by(tc_device *device, int rows, int c, const char *what, const A &a) {
    const tc_cuda_cut cut = tc_cuda_cut_into(rows, c, V, TC_ROWS_MAPPING);
    const auto kernel = tc_cuda_each_row_kernel<V, F, A>;
    TC_LAUNCH(device, what, kernel, tc_cuda_cut_blocks(cut), TC_THREADS, cut, a);
}

/* `four`: what tc_cuda_by_four said of all arrays that F touches. */
template <template <int> class F, class A>
static void tc_cuda_each_row(tc_device *device, int rows, int c, bool four, const char *what, const A &a) {
    if (rows == 0 || c == 0) return;
    if (four)
        tc_cuda_each_row_by<4, F>(device, rows, c, what, a);
    else
        tc_cuda_each_row_by<1, F>(device, rows, c, what, a);
}

/* ---- columns ---- */

/* Up to TC_ROWS_GROUP rows `step` apart: the first one's number, the place of its first element in an array. */
struct tc_cuda_run {
    int row, step, count;
    size_t at, stride;
};

/* What most maps do with a run: f.add(a, row, at, sum) one row after another. */
template <int V, class F, class A>
static inline __device__ void tc_cuda_add_run(const F &f, const A &a, const tc_cuda_run &run,
                                              double (&total)[F::SUMS][V]) {
    real sum[F::SUMS][V] = {{0}};
    for (int k = 0; k < run.count; k++) f.add(a, run.row + k * run.step, run.at + (size_t)k * run.stride, sum);
    for (int s = 0; s < F::SUMS; s++)
        for (int v = 0; v < V; v++) total[s][v] += (double)sum[s][v];
}

/* A thread's sums over its rows. */
template <int V, class F, class A>
static inline __device__ void tc_cuda_walk(const tc_cuda_cut &cut, const tc_cuda_place &p, const A &a,
                                           double (&total)[F::SUMS][V]) {
    if (p.row >= p.end) return;
    const F f(a, p.channel);
    const size_t c = (size_t)cut.c, stride = (size_t)cut.slots * c;
    for (int row = p.row; row < p.end; row += TC_ROWS_GROUP * cut.slots) {
        const int left = (p.end - row + cut.slots - 1) / cut.slots;
        const tc_cuda_run run = {row, cut.slots, left < TC_ROWS_GROUP ? left : (int)TC_ROWS_GROUP,
                                 (size_t)row * c + (size_t)p.channel, stride};
        f.rows(a, run, total);
    }
}

/* The slots' numbers added up, in the threads of slot 0. */
template <int V>
static inline __device__ void tc_cuda_over_slots(const tc_cuda_cut &cut, const tc_cuda_place &p, double (&x)[V]) {
    __shared__ double of[TC_THREADS * V];
    double *mine = of + threadIdx.x * V;
    __syncthreads(); /* whoever still reads the last call's */
    for (int v = 0; v < V; v++) mine[v] = x[v];
    for (int count = cut.slots; count > 1; count = (count + 1) / 2) {
        const int half = (count + 1) / 2;
        __syncthreads();
        if (p.slot + half < count)
            for (int v = 0; v < V; v++) mine[v] += mine[half * cut.lanes * V + v];
    }
    for (int v = 0; v < V; v++) x[v] = mine[v];
}

/* → partial [parts][SUMS][c] */
template <int V, template <int> class F, class A>
static __global__ void __launch_bounds__(TC_THREADS, TC_ROWS_RESIDENT)
    tc_cuda_columns_kernel(tc_cuda_cut cut, A a, double *partial) {
    enum { SUMS = F<V>::SUMS };
    const tc_cuda_place p = tc_cuda_place_of(cut, V);
    double total[SUMS][V] = {{0}};
    tc_cuda_walk<V, F<V>>(cut, p, a, total);
    for (int s = 0; s < SUMS; s++) {
        tc_cuda_over_slots<V>(cut, p, total[s]);
        if (p.slot > 0 || p.channel >= cut.c) continue;
        for (int v = 0; v < V; v++) partial[((size_t)p.part * SUMS + s) * cut.c + p.channel + v] = total[s][v];
    }
}

/* The same where there is one part: it tells at once. */
template <int V, template <int> class F, class A, class T>
static __global__ void __launch_bounds__(TC_THREADS, TC_ROWS_RESIDENT)
    tc_cuda_columns_alone_kernel(tc_cuda_cut cut, A a, T tell) {
    enum { SUMS = F<V>::SUMS };
    const tc_cuda_place p = tc_cuda_place_of(cut, V);
    double total[SUMS][V] = {{0}};
    tc_cuda_walk<V, F<V>>(cut, p, a, total);
    for (int s = 0; s < SUMS; s++) tc_cuda_over_slots<V>(cut, p, total[s]);
    if (p.slot > 0 || p.channel >= cut.c) return;
    for (int v = 0; v < V; v++) {
        double of_channel[SUMS];
        for (int s = 0; s < SUMS; s++) of_channel[s] = total[s][v];
        tell(a, p.channel + v, of_channel);
    }
}

/* A block adds the parts of four channels, which lie together, and tells: tell(a, channel, total [SUMS]). */
template <int SUMS, class T, class A>
static __global__ void tc_cuda_tell_kernel(int parts, int c, A a, T tell, const double *partial) {
    const tc_cuda_cut cut = {parts, c, 4, TC_THREADS / 4, 0, 0, 0};
    tc_cuda_place p;
    double total[SUMS];
    p.lane = (int)threadIdx.x % cut.lanes;
    p.slot = (int)threadIdx.x / cut.lanes;
    p.channel = (int)blockIdx.x * cut.lanes + p.lane;
    for (int s = 0; s < SUMS; s++) {
        double sum[1] = {0};
        if (p.channel < c)
            for (int part = p.slot; part < parts; part += cut.slots)
                sum[0] += partial[((size_t)part * SUMS + s) * c + p.channel];
        tc_cuda_over_slots<1>(cut, p, sum);
        total[s] = sum[0];
    }
    if (p.slot == 0 && p.channel < c) tell(a, p.channel, total);
}

template <int V, template <int> class F, class A, class T>
static void tc_cuda_columns_by(tc_device *device, int rows, int c, const char *what, const A &a, T tell) {
    enum { SUMS = F<V>::SUMS };
    const tc_cuda_cut whole = tc_cuda_cut_at(rows, c, V, rows);
    if (rows <= whole.slots * TC_ROWS_ALONE) {
        const auto alone = tc_cuda_columns_alone_kernel<V, F, A, T>;
        TC_LAUNCH(device, what, alone, tc_cuda_cut_blocks(whole), TC_THREADS, whole, a, tell);
        return;
    }
    const tc_cuda_cut cut = tc_cuda_cut_into(rows, c, V, TC_ROWS_SUMMING);
    double *partial = (double *)tc_cuda_state_of(device)->room;
    /* 384 blocks of 128 channels each, or one part: up to a million channels fit */
    if ((size_t)cut.parts * SUMS * (size_t)c * sizeof *partial > (size_t)TC_CUDA_ROOM / 2 * sizeof(real)) {
        tc_cuda_went(device, cudaErrorInvalidValue, "sums of too many channels");
        return;
    }
    const auto kernel = tc_cuda_columns_kernel<V, F, A>;
    const auto total = tc_cuda_tell_kernel<SUMS, T, A>;
    TC_LAUNCH(device, what, kernel, tc_cuda_cut_blocks(cut), TC_THREADS, cut, a, partial);
    TC_LAUNCH(device, what, total, (unsigned)(c + 3) / 4, TC_THREADS, cut.parts, c, a, tell, (const double *)partial);
}

/* Every channel's sums, handed to tell(a, channel, total [SUMS]) on the device. Uses the first half of the room. */
template <template <int> class F, class A, class T>
static void tc_cuda_columns(tc_device *device, int rows, int c, bool four, const char *what, const A &a, T tell) {
    if (c == 0) return;
    if (four)
        tc_cuda_columns_by<4, F>(device, rows, c, what, a, tell);
    else
        tc_cuda_columns_by<1, F>(device, rows, c, what, a, tell);
}

#endif
