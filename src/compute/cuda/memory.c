/* memory.c — memory on the GPU, and the ways there and back.
 *
 * Allocations come from the driver's pool, which is told (cuda.c) to keep what is given back: a pass that is made anew
 * costs no system call. Where there is no pool it does, and waits. What goes up is copied away before the call returns;
 * what comes down is waited for. */
#include "compute/cuda/kernels.h"

#include <stdlib.h>
#include <string.h>

struct tc_cuda_block {
    void *memory;
    size_t bytes;
};

/* While something is recorded memory is neither taken nor copied from or to the host: each replay would do it again. */
static bool closed(tc_device *device, const char *what) {
    return device->recording && !tc_cuda_went(device, cudaErrorStreamCaptureUnsupported, what);
}

static tc_status make_room(tc_cuda_state *state, tc_error *error) {
    if (state->blocks < state->block_room) return TC_OK;
    const size_t room = state->block_room ? 2 * state->block_room : 256;
    tc_cuda_block *more = realloc(state->block, room * sizeof *more);
    if (!more) return tc_raise(error, TC_FAILED, "device cuda: out of memory for the list of allocations");
    state->block = more;
    state->block_room = room;
    return TC_OK;
}

static cudaError_t take(const tc_cuda_state *state, void **memory, size_t bytes) {
    return state->pooled ? cudaMallocAsync(memory, bytes, state->stream) : cudaMalloc(memory, bytes);
}

/* Without a pool what is under way has to end first, since nothing else keeps it and the next owner apart. */
static cudaError_t give_back(const tc_cuda_state *state, void *memory) {
    if (state->pooled) return cudaFreeAsync(memory, state->stream);
    const cudaError_t went = cudaStreamSynchronize(state->stream);
    return went == cudaSuccess ? cudaFree(memory) : went;
}

tc_status tc_cuda_allocate(tc_device *device, size_t bytes, void **memory, tc_error *error) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    tc_status status = TC_OK;
    const size_t asked = bytes ? bytes : 1;
    *memory = NULL;
    if (closed(device, "allocating memory"))
        TC_RAISE(TC_FAILED, "device cuda:%d: no memory is allocated while steps are recorded", device->options.index);
    TC_TRY(tc_cuda_health(device, error));
    TC_TRY(make_room(state, error));
    if (take(state, memory, asked) != cudaSuccess) {
        cudaGetLastError(); /* it was not the device's fault, and is said below */
        *memory = NULL;
        TC_RAISE(TC_FAILED,
                 "device cuda:%d: %zu MiB more do not fit in its memory beside %zu MiB; use a smaller batch or width",
                 device->options.index, bytes >> 20, device->bytes >> 20);
    }
    tc_cuda_went(device, cudaMemsetAsync(*memory, 0, asked, state->stream), "zeroing memory");
    state->block[state->blocks++] = (tc_cuda_block){*memory, bytes};
    device->allocations++;
    device->bytes += bytes;
    if (device->bytes > device->peak_bytes) device->peak_bytes = device->bytes;
done:
    return status;
}

/* What was made last goes first, mostly: the search begins at the end. */
void tc_cuda_release(tc_device *device, void *memory) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    if (!memory) return;
    for (size_t i = state->blocks; i-- > 0;) {
        if (state->block[i].memory != memory) continue;
        device->bytes -= state->block[i].bytes;
        state->block[i] = state->block[--state->blocks];
        tc_cuda_went(device, give_back(state, memory), "releasing memory");
        return;
    }
}

/* ---- shared by plans ---- */

/* Layers ask for more and more: a little more than asked for keeps the number of stretches small. */
static size_t generous(size_t bytes) {
    enum { LEAST = 1 << 20, MOST = 64 << 20 };
    size_t size = LEAST;
    while (size < bytes && size < MOST) size *= 2;
    return size < bytes ? bytes : size;
}

tc_status tc_cuda_scratch_take(tc_device *device, size_t bytes, tc_cuda_scratch **scratch, tc_error *error) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    tc_cuda_scratch *made = NULL;
    tc_status status = TC_OK;
    *scratch = NULL;
    if (!state->scratch || state->scratch->bytes < bytes) {
        TC_TRY(tc_new(&made, 1, sizeof *made, error));
        made->bytes = generous(bytes);
        TC_TRY(tc_cuda_allocate(device, made->bytes, &made->memory, error));
        state->scratch = made;
        made = NULL;
    }
    *scratch = state->scratch;
    (*scratch)->users++;
done:
    free(made);
    return status;
}

void tc_cuda_scratch_return(tc_device *device, tc_cuda_scratch *scratch) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    if (!scratch || --scratch->users > 0) return;
    if (state->scratch == scratch) state->scratch = NULL;
    tc_cuda_release(device, scratch->memory);
    free(scratch);
}

/* ---- bytes ---- */

void tc_cuda_upload_bytes(tc_device *device, void *to, const void *from, size_t bytes) {
    if (bytes == 0 || closed(device, "copying to the GPU")) return;
    tc_cuda_went(device, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, tc_cuda_state_of(device)->stream),
                 "copying to the GPU");
}

/* Where the device has failed nothing comes: zeroes would look like results, so every byte says NaN. */
void tc_cuda_download_bytes(tc_device *device, void *to, const void *from, size_t bytes) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    if (bytes == 0) return;
    if (!closed(device, "copying from the GPU")) {
        tc_cuda_went(device, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, state->stream),
                     "copying from the GPU");
        tc_cuda_went(device, cudaStreamSynchronize(state->stream), "copying from the GPU");
    }
    if (state->failed || device->recording) memset(to, 0xff, bytes);
}

/* ---- reals, which are floats ---- */

void tc_cuda_upload_float(tc_device *device, void *to, const float *from, size_t count) {
    tc_cuda_upload_bytes(device, to, from, count * sizeof(real));
}

void tc_cuda_download_float(tc_device *device, float *to, const void *from, size_t count) {
    tc_cuda_download_bytes(device, to, from, count * sizeof(real));
}

/* Doubles are rare (tests, directions of p = 1): a part at a time through the pinned stage. */
enum { PART = TC_CUDA_STAGE / sizeof(real) };

void tc_cuda_upload_double(tc_device *device, void *to, const double *from, size_t count) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    real *stage = (real *)(void *)state->stage;
    for (size_t at = 0; at < count; at += PART) {
        const size_t n = count - at < PART ? count - at : PART;
        for (size_t i = 0; i < n; i++) stage[i] = (real)from[at + i];
        tc_cuda_upload_bytes(device, (real *)to + at, stage, n * sizeof *stage);
        tc_cuda_went(device, cudaStreamSynchronize(state->stream), "copying to the GPU"); /* before the stage changes */
    }
}

void tc_cuda_download_double(tc_device *device, double *to, const void *from, size_t count) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    real *stage = (real *)(void *)state->stage;
    for (size_t at = 0; at < count; at += PART) {
        const size_t n = count - at < PART ? count - at : PART;
        tc_cuda_download_bytes(device, stage, (const real *)from + at, n * sizeof *stage);
        for (size_t i = 0; i < n; i++) to[at + i] = (double)stage[i];
    }
}
