#include "compute/cpu/onednn.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR != 2
#error "Tocsin is written against oneDNN 2.x (2.6 and later); oneDNN 3 has another C interface"
#endif

static tc_status failed(tc_error *error, dnnl_status_t what, const char *doing) {
    return tc_raise(error, TC_FAILED, "oneDNN: %s failed with status %d; use a smaller batch, or --device reference",
                    doing, (int)what);
}

tc_status tc_dnn_open(tc_device *device, tc_error *error) {
    tc_cpu_state *state = tc_cpu_state_of(device);
    omp_set_num_threads(device->threads); /* oneDNN asks OpenMP how many threads it may use */
    dnnl_status_t s = dnnl_engine_create(&state->engine, dnnl_cpu, 0);
    if (s == dnnl_success) s = dnnl_stream_create(&state->stream, state->engine, dnnl_stream_default_flags);
    return s == dnnl_success ? TC_OK : failed(error, s, "opening the processor");
}

void tc_dnn_close(tc_device *device) {
    tc_cpu_state *state = tc_cpu_state_of(device);
    if (state->stream) dnnl_stream_destroy(state->stream);
    if (state->engine) dnnl_engine_destroy(state->engine);
    free(state->scratch);
}

int tc_dnn_channel_block(void) {
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    if (isa >= dnnl_cpu_isa_avx512_core) return 16;
    return isa >= dnnl_cpu_isa_avx2 ? 8 : 0;
}

dnnl_memory_desc_t tc_dnn_desc(int rank, const int *size, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t desc;
    dnnl_dims_t dims = {0};
    for (int i = 0; i < rank; i++) dims[i] = size[i];
    if (dnnl_memory_desc_init_by_tag(&desc, rank, dims, dnnl_f32, tag) != dnnl_success) memset(&desc, 0, sizeof desc);
    return desc;
}

bool tc_dnn_is_slow(const_dnnl_primitive_desc_t pd) {
    const char *name = "";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    return !strncmp(name, "ref", 3) || !strncmp(name, "gemm:ref", 8) || !strncmp(name, "simple", 6);
}

dnnl_primitive_attr_t tc_dnn_attributes(const_dnnl_post_ops_t post_ops) {
    dnnl_primitive_attr_t attributes = NULL;
    if (dnnl_primitive_attr_create(&attributes) != dnnl_success) return NULL;
    dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (post_ops) dnnl_primitive_attr_set_post_ops(attributes, post_ops);
    return attributes;
}

static tc_status grow_scratch(tc_cpu_state *state, size_t bytes, tc_error *error) {
    if (bytes <= state->scratch_bytes) return TC_OK;
    char *larger = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!larger)
        return tc_raise(error, TC_FAILED,
                        "oneDNN: a scratch pad of %zu MiB does not fit in memory; use a smaller batch", bytes >> 20);
    free(state->scratch);
    state->scratch = larger;
    state->scratch_bytes = bytes;
    return TC_OK;
}

tc_status tc_dnn_op_create(tc_device *device, dnnl_primitive_desc_t pd, int arguments, const int *roles,
                           const dnnl_memory_desc_t *desc, tc_dnn_op *op, tc_error *error) {
    tc_cpu_state *state = tc_cpu_state_of(device);
    tc_status status = TC_OK;
    *op = (tc_dnn_op){.arguments = arguments};
    const dnnl_memory_desc_t scratch = *dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    dnnl_status_t s = dnnl_primitive_create(&op->primitive, pd);
    if (s != dnnl_success) {
        op->primitive = NULL;
        status = failed(error, s, "making a primitive");
        goto done;
    }
    TC_TRY(grow_scratch(state, dnnl_memory_desc_get_size(&scratch), error));
    for (int i = 0; i <= arguments; i++) {
        if (i < arguments) op->desc[i] = desc[i];
        s = dnnl_memory_create(&op->memory[i], i < arguments ? &desc[i] : &scratch, state->engine, DNNL_MEMORY_NONE);
        if (s != dnnl_success) TC_RAISE(TC_FAILED, "oneDNN: describing memory failed with status %d", (int)s);
        op->argument[i] = (dnnl_exec_arg_t){i < arguments ? roles[i] : DNNL_ARG_SCRATCHPAD, op->memory[i]};
    }
    device->allocations++;
done:
    dnnl_primitive_desc_destroy(pd);
    if (status != TC_OK) tc_dnn_op_destroy(op);
    return status;
}

void tc_dnn_op_destroy(tc_dnn_op *op) {
    if (op->primitive) dnnl_primitive_destroy(op->primitive);
    for (int i = 0; i <= TC_OP_ARGUMENTS; i++)
        if (op->memory[i]) dnnl_memory_destroy(op->memory[i]);
    *op = (tc_dnn_op){.primitive = NULL};
}

void tc_dnn_run(const tc_device *device, const tc_dnn_op *op, const void *const *pointers) {
    const tc_cpu_state *state = tc_cpu_state_of(device);
    for (int i = 0; i < op->arguments; i++)
        dnnl_memory_set_data_handle_v2(op->memory[i], (void *)(uintptr_t)pointers[i], NULL);
    dnnl_memory_set_data_handle_v2(op->memory[op->arguments], state->scratch, NULL);
    dnnl_primitive_execute(op->primitive, state->stream, op->arguments + 1, op->argument);
}

tc_status tc_dnn_reorder_create(tc_device *device, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                bool accumulate, tc_dnn_op *op, tc_error *error) {
    const tc_cpu_state *state = tc_cpu_state_of(device);
    dnnl_post_ops_t post = NULL;
    if (accumulate) {
        dnnl_post_ops_create(&post);
        dnnl_post_ops_append_sum(post, 1);
    }
    dnnl_primitive_attr_t attributes = tc_dnn_attributes(post);
    dnnl_primitive_desc_t pd = NULL;
    const dnnl_status_t s = dnnl_reorder_primitive_desc_create(&pd, from, state->engine, to, state->engine, attributes);
    if (post) dnnl_post_ops_destroy(post);
    dnnl_primitive_attr_destroy(attributes);
    if (s != dnnl_success) return failed(error, s, "planning a reorder");
    return tc_dnn_op_create(device, pd, 2, (const int[]){DNNL_ARG_FROM, DNNL_ARG_TO},
                            (const dnnl_memory_desc_t[]){*from, *to}, op, error);
}

tc_status tc_dnn_allocate(tc_device *device, const dnnl_memory_desc_t *desc, void **memory, tc_error *error) {
    return device->k->allocate(device, dnnl_memory_desc_get_size(desc), memory, error);
}
