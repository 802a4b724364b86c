/* cpu.c — opening the processor: the kernel table for the best instruction set it has, and oneDNN's engine. */
#include "compute/cpu/cpu.h"

#include "compute/cpu/onednn.h"

#include <stdlib.h>

/* What is compiled once per instruction set (meson.build). */
typedef struct isa {
    const tc_kernels *kernels;
    const tc_abreast_loops *abreast;
    const tc_winograd_loops *winograd[2]; /* 3×3, 5×5; NULL where panels are never as wide as winograd.c's */
} isa;

#define TC_DECLARE(name)                                                                                               \
    extern const tc_kernels tc_cpu_table_##name;                                                                       \
    extern const tc_abreast_loops tc_cpu_abreast_loops_##name;
#define TC_DECLARE_WINOGRAD(name)                                                                                      \
    extern const tc_winograd_loops tc_cpu_winograd_3_loops_##name, tc_cpu_winograd_5_loops_##name;
#define TC_WINOGRAD_OF(name)                                                                                           \
    { &tc_cpu_winograd_3_loops_##name, &tc_cpu_winograd_5_loops_##name }

TC_DECLARE(base)
#ifdef TC_X86_LEVELS
TC_DECLARE(v3)
TC_DECLARE(v4)
TC_DECLARE_WINOGRAD(v4)
static const isa isa_base = {&tc_cpu_table_base, &tc_cpu_abreast_loops_base, {NULL, NULL}};
static const isa isa_v3 = {&tc_cpu_table_v3, &tc_cpu_abreast_loops_v3, {NULL, NULL}};
static const isa isa_v4 = {&tc_cpu_table_v4, &tc_cpu_abreast_loops_v4, TC_WINOGRAD_OF(v4)};
#else
TC_DECLARE_WINOGRAD(base)
static const isa isa_base = {&tc_cpu_table_base, &tc_cpu_abreast_loops_base, TC_WINOGRAD_OF(base)};
#endif

/* Not above what oneDNN takes, which DNNL_MAX_CPU_ISA in the environment can lower: so one processor stands for older
 * ones. */
static const isa *best_isa(void) {
#ifdef TC_X86_LEVELS
    const int block = tc_dnn_channel_block();
    __builtin_cpu_init();
    if (block >= 16 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return &isa_v4;
    if (block >= 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return &isa_v3;
#endif
    return &isa_base;
}

double *tc_cpu_partials(const tc_device *device);
double *tc_cpu_partials(const tc_device *device) {
    return tc_cpu_state_of(device)->partials;
}

tc_status tc_cpu_open(tc_device *device, tc_error *error) {
    tc_cpu_state *state = NULL;
    tc_status status = TC_OK;
    device->k = best_isa()->kernels;
    device->element = sizeof(float);
    device->channel_block = tc_dnn_channel_block();
    TC_TRY(tc_new(&state, 1, sizeof *state, error));
    device->state = state;
    state->abreast = best_isa()->abreast;
    for (int i = 0; i < 2; i++) state->winograd[i] = best_isa()->winograd[i];
    device->abreast = TC_ABREAST;
    device->abreast_channels = TC_ABREAST_CHANNELS;
    device->abreast_kernel = TC_ABREAST_KERNEL;
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
