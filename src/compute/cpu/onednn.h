/* onednn.h — the only file besides onednn.c that knows oneDNN's types: shapes as its memory descriptors, and
 * "operations": a primitive with its arguments' memories, made once, run often, without allocating. */
#ifndef TC_COMPUTE_CPU_ONEDNN_H
#define TC_COMPUTE_CPU_ONEDNN_H

#include "compute/cpu/abreast.h"
#include "compute/cpu/winograd.h"

#include <dnnl.h>

/* The backend's own part of tc_device. */
typedef struct tc_cpu_state {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    char *scratch; /* every primitive's temporary memory: they run one after the other */
    size_t scratch_bytes;
    double *partials; /* of reductions: [TC_PARTIALS] doubles */
    const tc_abreast_loops *abreast;
    const tc_winograd_loops *winograd;
} tc_cpu_state;

enum { TC_PARTIALS = 1 << 20 };

static inline tc_cpu_state *tc_cpu_state_of(const tc_device *device) {
    return device->state;
}

tc_status tc_dnn_open(tc_device *device, tc_error *error);
void tc_dnn_close(tc_device *device);
/* Panel width that this processor's convolutions like: 16, 8 or 0. */
int tc_dnn_channel_block(void);

enum { TC_OP_ARGUMENTS = 4 };

/* A primitive and its arguments in the caller's order. */
typedef struct tc_dnn_op {
    dnnl_primitive_t primitive;
    int arguments;
    dnnl_memory_t memory[TC_OP_ARGUMENTS + 1]; /* the last is the scratch pad */
    dnnl_exec_arg_t argument[TC_OP_ARGUMENTS + 1];
    dnnl_memory_desc_t desc[TC_OP_ARGUMENTS];
} tc_dnn_op;

/* Takes over `pd`. roles: the DNNL_ARG_… of each argument; desc: its memory descriptor. */
tc_status tc_dnn_op_create(tc_device *device, dnnl_primitive_desc_t pd, int arguments, const int *roles,
                           const dnnl_memory_desc_t *desc, tc_dnn_op *op, tc_error *error);
void tc_dnn_op_destroy(tc_dnn_op *op);
/* pointers: one an argument. */
void tc_dnn_run(const tc_device *device, const tc_dnn_op *op, const void *const *pointers);
static inline bool tc_dnn_op_exists(const tc_dnn_op *op) {
    return op->primitive != NULL;
}

/* from → to in another layout; accumulate: added to what is there. */
tc_status tc_dnn_reorder_create(tc_device *device, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                bool accumulate, tc_dnn_op *op, tc_error *error);

/* Memory of a descriptor's size, as the device's own. */
tc_status tc_dnn_allocate(tc_device *device, const dnnl_memory_desc_t *desc, void **memory, tc_error *error);

dnnl_memory_desc_t tc_dnn_desc(int rank, const int *size, dnnl_format_tag_t tag);
/* The implementation is one of the library's slow, general ones. */
bool tc_dnn_is_slow(const_dnnl_primitive_desc_t pd);
/* Attributes with the scratch pad given by the caller; post-ops may be NULL. */
dnnl_primitive_attr_t tc_dnn_attributes(const_dnnl_post_ops_t post_ops);

#endif
