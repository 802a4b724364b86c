/* algorithms.c — by which of cuDNN's algorithms a convolution is computed: chosen once for each geometry, direction and
 * kind of number, and remembered as long as the device is open.
 *
 * By default the choice is the library's heuristic, cut down to algorithms that give the same bits at every run: it
 * knows the geometry and the GPU alone, so a study repeated is the same study. With the option `fastest` every
 * algorithm is timed on buffers of the right size, and the fastest is taken whatever it is; the timing decides, so the
 * choice and with it the last bits may differ from run to run. */
#include "compute/cuda/convolution.h"
#include "compute/cuda/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 16, KEY = 14 };

typedef struct proposal {
    cudnnStatus_t status;
    size_t memory;
    cudnnDeterminism_t determinism;
    tc_cuda_algorithm algorithm;
} proposal;

/* What a choice depends on, beside the device. */
typedef struct remembered {
    int key[KEY];
    tc_cuda_algorithm algorithm;
} remembered;

struct tc_cuda_algorithms {
    remembered *entry; /* [count] */
    size_t count, room;
};

/* What is chosen for: one direction of one convolution; and, where it is timed, memory to do it in. */
typedef struct question {
    tc_device *device;
    const tc_convolution *g;
    const tc_cuda_described *d;
    tc_cuda_way way;
    size_t most;              /* bytes of workspace that an algorithm may have; more only for want of others */
    void *in, *weights, *out; /* NULL: ask the heuristic */
    void *workspace;          /* [most] */
} question;

/* ---- the three directions, each with its own names for the same things ---- */

#define COPY_PROPOSALS(count, from, to)                                                                                \
    for (int i = 0; i < (count); i++)                                                                                  \
        (to)[i] = (proposal){(from)[i].status,                                                                         \
                             (from)[i].memory,                                                                         \
                             (from)[i].determinism,                                                                    \
                             {(int)(from)[i].algo, (from)[i].mathType, (from)[i].memory}};

static cudnnStatus_t propose_forward(const question *q, int *count, proposal *to) {
    const tc_cuda_state *state = tc_cuda_state_of(q->device);
    const cudnnTensorDescriptor_t x = q->d->in[q->way.operands], y = q->d->out[q->way.results];
    const cudnnFilterDescriptor_t w = q->d->weights[q->way.operands];
    const cudnnConvolutionDescriptor_t c = q->d->sense[TC_CUDA_FORWARD];
    cudnnConvolutionFwdAlgoPerf_t found[MOST];
    const cudnnStatus_t status =
        q->in ? cudnnFindConvolutionForwardAlgorithmEx(state->dnn, x, q->in, w, q->weights, c, y, q->out, MOST, count,
                                                       found, q->workspace, q->most)
              : cudnnGetConvolutionForwardAlgorithm_v7(state->dnn, x, w, c, y, MOST, count, found);
    if (status == CUDNN_STATUS_SUCCESS) COPY_PROPOSALS(*count, found, to)
    return status;
}

static cudnnStatus_t propose_data(const question *q, int *count, proposal *to) {
    const tc_cuda_state *state = tc_cuda_state_of(q->device);
    const cudnnTensorDescriptor_t dy = q->d->out[q->way.operands], dx = q->d->in[q->way.results];
    const cudnnFilterDescriptor_t w = q->d->weights[q->way.operands];
    const cudnnConvolutionDescriptor_t c = q->d->sense[TC_CUDA_DATA];
    cudnnConvolutionBwdDataAlgoPerf_t found[MOST];
    const cudnnStatus_t status =
        q->in ? cudnnFindConvolutionBackwardDataAlgorithmEx(state->dnn, w, q->weights, dy, q->out, c, dx, q->in, MOST,
                                                            count, found, q->workspace, q->most)
              : cudnnGetConvolutionBackwardDataAlgorithm_v7(state->dnn, w, dy, c, dx, MOST, count, found);
    if (status == CUDNN_STATUS_SUCCESS) COPY_PROPOSALS(*count, found, to)
    return status;
}

static cudnnStatus_t propose_gradient(const question *q, int *count, proposal *to) {
    const tc_cuda_state *state = tc_cuda_state_of(q->device);
    const cudnnTensorDescriptor_t x = q->d->in[q->way.operands], dy = q->d->out[q->way.operands];
    const cudnnFilterDescriptor_t dw = q->d->weights[q->way.results];
    const cudnnConvolutionDescriptor_t c = q->d->sense[TC_CUDA_GRADIENT];
    cudnnConvolutionBwdFilterAlgoPerf_t found[MOST];
    const cudnnStatus_t status =
        q->in ? cudnnFindConvolutionBackwardFilterAlgorithmEx(state->dnn, x, q->in, dy, q->out, c, dw, q->weights, MOST,
                                                              count, found, q->workspace, q->most)
              : cudnnGetConvolutionBackwardFilterAlgorithm_v7(state->dnn, x, dy, c, dw, MOST, count, found);
    if (status == CUDNN_STATUS_SUCCESS) COPY_PROPOSALS(*count, found, to)
    return status;
}

static cudnnStatus_t room_forward(const question *q, int algorithm, size_t *bytes) {
    return cudnnGetConvolutionForwardWorkspaceSize(
        tc_cuda_state_of(q->device)->dnn, q->d->in[q->way.operands], q->d->weights[q->way.operands],
        q->d->sense[TC_CUDA_FORWARD], q->d->out[q->way.results], (cudnnConvolutionFwdAlgo_t)algorithm, bytes);
}

static cudnnStatus_t room_data(const question *q, int algorithm, size_t *bytes) {
    return cudnnGetConvolutionBackwardDataWorkspaceSize(
        tc_cuda_state_of(q->device)->dnn, q->d->weights[q->way.operands], q->d->out[q->way.operands],
        q->d->sense[TC_CUDA_DATA], q->d->in[q->way.results], (cudnnConvolutionBwdDataAlgo_t)algorithm, bytes);
}

static cudnnStatus_t room_gradient(const question *q, int algorithm, size_t *bytes) {
    return cudnnGetConvolutionBackwardFilterWorkspaceSize(tc_cuda_state_of(q->device)->dnn, q->d->in[q->way.operands],
                                                          q->d->out[q->way.operands], q->d->sense[TC_CUDA_GRADIENT],
                                                          q->d->weights[q->way.results],
                                                          (cudnnConvolutionBwdFilterAlgo_t)algorithm, bytes);
}

/* Bits of the algorithms that go by Winograd's or Fourier's transforms, which cost exactness. */
#define BIT(number) (1u << (unsigned)(number))

static const struct direction {
    cudnnStatus_t (*propose)(const question *q, int *count, proposal *to);
    cudnnStatus_t (*room)(const question *q, int algorithm, size_t *bytes);
    unsigned transforms;
} directions[TC_CUDA_SENSES] = {
    [TC_CUDA_FORWARD] = {propose_forward, room_forward,
                         BIT(CUDNN_CONVOLUTION_FWD_ALGO_FFT) | BIT(CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING) |
                             BIT(CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD) |
                             BIT(CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED)},
    [TC_CUDA_DATA] = {propose_data, room_data,
                      BIT(CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT) | BIT(CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING) |
                          BIT(CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD) |
                          BIT(CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED)},
    [TC_CUDA_GRADIENT] = {propose_gradient, room_gradient,
                          BIT(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT) |
                              BIT(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING) |
                              BIT(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD) |
                              BIT(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED)},
};

/* ---- choosing ---- */

static size_t weights_of(const tc_convolution *g) {
    return (size_t)g->out.c * (size_t)(g->in.c / g->groups) * (size_t)(g->kernel * g->kernel);
}

static bool wanted(const question *q, const struct direction *direction, const proposal *p) {
    return p->status == CUDNN_STATUS_SUCCESS && (q->device->options.fastest || p->determinism == CUDNN_DETERMINISTIC) &&
           !(q->g->direct && (direction->transforms & BIT(p->algorithm.number)));
}

/* The first proposal that is wanted and that the library, asked again, is ready to run in the memory that an algorithm
 * may have, else the one that needs least. What the library tries in vain may leave an error behind, which is not the
 * device's. */
static void choose(const question *q, int sense, tc_cuda_algorithm *chosen) {
    const struct direction *direction = &directions[sense];
    proposal proposals[MOST];
    int count = 0;
    chosen->number = -1;
    if (cudnnSetConvolutionMathType(q->d->sense[sense], q->way.math) != CUDNN_STATUS_SUCCESS ||
        direction->propose(q, &count, proposals) != CUDNN_STATUS_SUCCESS)
        return;
    for (int i = 0; i < count; i++) {
        tc_cuda_algorithm a = proposals[i].algorithm;
        if (!wanted(q, direction, &proposals[i])) continue;
        if (q->way.math == CUDNN_FMA_MATH) a.math = CUDNN_FMA_MATH; /* full precision, whatever is proposed */
        if (cudnnSetConvolutionMathType(q->d->sense[sense], a.math) != CUDNN_STATUS_SUCCESS ||
            direction->room(q, a.number, &a.workspace) != CUDNN_STATUS_SUCCESS ||
            (chosen->number >= 0 && a.workspace >= chosen->workspace))
            continue;
        *chosen = a;
        if (a.workspace <= q->most) break;
    }
    cudaGetLastError();
}

/* As much as copies of all arrays take, if that is more than the device's workspace: for plain floats cuDNN seems to
 * have kernels on planes (NCHW) alone (by their names; no GPU has shown it), which turn NHWC about in their workspace.
 */
static size_t most_workspace(const tc_convolution *g) {
    enum { BESIDE = 16 << 20 };
    const size_t copies =
        (tc_shape_count(g->in) + tc_shape_count(g->out) + weights_of(g)) * sizeof(real) + (size_t)BESIDE;
    return copies > TC_CUDA_WORKSPACE ? copies : TC_CUDA_WORKSPACE;
}

/* Timing needs the three arrays of a convolution, zeros do, and memory to work in. What needs more than that cannot be
 * timed, and is left to the heuristic. */
static tc_status time_all(question *q, int sense, tc_cuda_algorithm *chosen, tc_error *error) {
    const tc_convolution *g = q->g;
    void *const own = tc_cuda_state_of(q->device)->workspace;
    tc_status status = TC_OK;
    q->workspace = own;
    if (q->most > TC_CUDA_WORKSPACE && tc_cuda_allocate(q->device, q->most, &q->workspace, NULL) != TC_OK) {
        q->most = TC_CUDA_WORKSPACE; /* there is room for what needs less, perhaps */
        q->workspace = own;
    }
    TC_TRY(tc_cuda_allocate(q->device, tc_shape_count(g->in) * sizeof(real), &q->in, error));
    TC_TRY(tc_cuda_allocate(q->device, tc_shape_count(g->out) * sizeof(real), &q->out, error));
    TC_TRY(tc_cuda_allocate(q->device, weights_of(g) * sizeof(real), &q->weights, error));
    choose(q, sense, chosen);
done:
    if (q->workspace != own) tc_cuda_release(q->device, q->workspace);
    tc_cuda_release(q->device, q->in);
    tc_cuda_release(q->device, q->out);
    tc_cuda_release(q->device, q->weights);
    q->in = NULL;
    if (status == TC_OK && chosen->number < 0) choose(q, sense, chosen);
    return status;
}

/* ---- remembering ---- */

static tc_status remember(tc_cuda_state *state, const int key[KEY], tc_cuda_algorithm algorithm, tc_error *error) {
    tc_cuda_algorithms *all = state->algorithms;
    if (all->count == all->room) {
        const size_t room = all->room ? 2 * all->room : 64;
        remembered *more = realloc(all->entry, room * sizeof *more);
        if (!more) return tc_raise(error, TC_FAILED, "device cuda: out of memory for the list of algorithms");
        all->entry = more;
        all->room = room;
    }
    remembered *entry = &all->entry[all->count++];
    memcpy(entry->key, key, sizeof entry->key);
    entry->algorithm = algorithm;
    return TC_OK;
}

static const tc_cuda_algorithm *recall(const tc_cuda_state *state, const int key[KEY]) {
    const tc_cuda_algorithms *all = state->algorithms;
    for (size_t i = 0; i < all->count; i++)
        if (memcmp(all->entry[i].key, key, sizeof all->entry[i].key) == 0) return &all->entry[i].algorithm;
    return NULL;
}

tc_status tc_cuda_choose(tc_device *device, const tc_convolution *g, const tc_cuda_described *described, int sense,
                         tc_cuda_way way, tc_cuda_algorithm *chosen, tc_error *error) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    const int key[KEY] = {g->in.n,    g->in.h,   g->in.w, g->in.c,      g->out.c,    g->kernel,     g->stride,
                          g->padding, g->groups, sense,   way.operands, way.results, (int)way.math, g->direct};
    question q = {.device = device, .g = g, .d = described, .way = way, .most = most_workspace(g)};
    tc_status status = TC_OK;
    if (!state->algorithms) TC_TRY(tc_new(&state->algorithms, 1, sizeof *state->algorithms, error));
    const tc_cuda_algorithm *known = recall(state, key);
    if (known) {
        *chosen = *known;
    } else {
        if (device->options.fastest)
            TC_TRY(time_all(&q, sense, chosen, error));
        else
            choose(&q, sense, chosen);
        TC_TRY(remember(state, key, *chosen, error));
    }
    if (chosen->number >= 0 &&
        cudnnSetConvolutionMathType(described->sense[sense], chosen->math) != CUDNN_STATUS_SUCCESS)
        chosen->number = -1;
done:
    return status;
}

void tc_cuda_forget_algorithms(tc_cuda_state *state) {
    if (!state->algorithms) return;
    free(state->algorithms->entry);
    free(state->algorithms);
    state->algorithms = NULL;
}
