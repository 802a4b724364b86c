/* recording.c — a list of kernels as a CUDA graph: taken down while the stream captures, then launched as one.
 *
 * What cannot be recorded does not harm the device: between begin and end failures are kept apart (cuda.c), and end
 * says the first of them.
 *
 * A launch returns long before the GPU is done. The host may run ahead by a few, enough to keep the GPU busy, and not
 * by more, because whoever asks how things stand, or to stop, would wait for all of them. */
#include "compute/cuda/kernels.h"

#include <stdlib.h>

enum { AHEAD = 8 };

struct tc_recording {
    cudaGraphExec_t steps;
    cudaEvent_t done[AHEAD]; /* of the last replays, in turn */
    uint64_t replays;
};

void tc_cuda_recording_free(tc_device *device, tc_recording *recording) {
    if (!recording) return;
    tc_cuda_health(device, NULL); /* waits: it may be under way */
    for (int i = 0; i < AHEAD; i++)
        if (recording->done[i]) cudaEventDestroy(recording->done[i]);
    if (recording->steps) cudaGraphExecDestroy(recording->steps);
    free(recording);
}

tc_status tc_cuda_record_begin(tc_device *device, tc_error *error) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    tc_status status = TC_OK;
    TC_TRY(tc_cuda_health(device, error));
    const cudaError_t begun = cudaStreamBeginCapture(state->stream, cudaStreamCaptureModeThreadLocal);
    if (begun != cudaSuccess)
        TC_RAISE(TC_FAILED, "device cuda:%d: recording: %s", device->options.index, cudaGetErrorString(begun));
    device->recording = true;
    state->refused = false;
done:
    return status;
}

static void make_ready(tc_device *device, cudaGraph_t graph, tc_recording *recording) {
    tc_cuda_went(device, cudaGraphInstantiate(&recording->steps, graph, 0), "making a recording ready");
    for (int i = 0; i < AHEAD; i++)
        tc_cuda_went(device,
                     cudaEventCreateWithFlags(&recording->done[i], cudaEventDisableTiming | cudaEventBlockingSync),
                     "making a recording ready");
}

tc_status tc_cuda_record_end(tc_device *device, tc_recording **recording, tc_error *error) {
    tc_cuda_state *state = tc_cuda_state_of(device);
    tc_status status = TC_OK;
    tc_recording *made = NULL;
    cudaGraph_t graph = NULL;
    *recording = NULL;
    tc_cuda_went(device, cudaStreamEndCapture(state->stream, &graph), "recording");
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    if (!state->refused) make_ready(device, graph, made);
    if (state->refused) TC_RAISE(TC_FAILED, "device cuda:%d: %s", device->options.index, state->refusal);
    *recording = made;
done:
    device->recording = state->refused = false;
    if (graph) cudaGraphDestroy(graph);
    if (status != TC_OK) {
        cudaGetLastError(); /* the refusal's */
        tc_cuda_recording_free(device, made);
    }
    return status;
}

void tc_cuda_replay(tc_device *device, tc_recording *recording) {
    cudaEvent_t done = recording->done[recording->replays % AHEAD];
    if (recording->replays++ >= AHEAD) tc_cuda_went(device, cudaEventSynchronize(done), "waiting for the GPU");
    tc_cuda_went(device, cudaGraphLaunch(recording->steps, tc_cuda_state_of(device)->stream), "replaying");
    tc_cuda_went(device, cudaEventRecord(done, tc_cuda_state_of(device)->stream), "replaying");
}
