/* cpu.c — opening the processor: the kernel table for the best instruction set it has, and oneDNN's engine. */
#include "compute/cpu/cpu.h"

#include "compute/cpu/onednn.h"

#include <stdlib.h>

#define TC_TABLE(isa) extern const tc_kernels tc_cpu_table_##isa;
TC_TABLE(base)
#ifdef TC_X86_LEVELS
TC_TABLE(v3)
TC_TABLE(v4)
#endif

static const tc_kernels *best_table(void) {
#ifdef TC_X86_LEVELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return &tc_cpu_table_v4;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return &tc_cpu_table_v3;
#endif
    return &tc_cpu_table_base;
}

double *tc_cpu_partials(const tc_device *device);
double *tc_cpu_partials(const tc_device *device) {
    return tc_cpu_state_of(device)->partials;
}

tc_status tc_cpu_open(tc_device *device, tc_error *error) {
    tc_cpu_state *state = NULL;
    tc_status status = TC_OK;
    device->k = best_table();
    device->element = sizeof(float);
    device->channel_block = tc_dnn_channel_block();
    TC_TRY(tc_new(&state, 1, sizeof *state, error));
    device->state = state;
    TC_TRY(tc_dnn_open(device, error));
    TC_TRY(tc_new(&state->partials, TC_PARTIALS, sizeof *state->partials, error));
done:
    if (status != TC_OK && state) tc_cpu_close(device);
    return status;
}

void tc_cpu_close(tc_device *device) {
    tc_cpu_state *state = tc_cpu_state_of(device);
    tc_dnn_close(device);
    free(state->partials);
    free(state);
    device->state = NULL;
}
