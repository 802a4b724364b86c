/* onednn.h — oneDNN behind a few calls: layouts, plans for convolutions, products and reorders, and "operations": a
 * primitive with its arguments' memories, made once, run often, without allocating.
 *
 * The library's 2.x and 3.x interfaces differ in how memory is described, plans are made and sums appended; onednn.c
 * knows both, and nobody else sees the difference. */
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
    const tc_winograd_loops *winograd[2]; /* 3×3, 5×5 */
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

/* ---- layouts ---- */

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t tc_dnn_md;
#else
typedef const dnnl_memory_desc_t *tc_dnn_md;
#endif

enum { TC_DNN_RANK = 5 };

/* How memory is laid out: as a tag says, or as an operation has it, which must then live as long. */
typedef struct tc_dnn_layout {
    int rank;
    int size[TC_DNN_RANK]; /* [rank] */
    dnnl_format_tag_t tag;
    tc_dnn_md of_op; /* NULL: by the tag */
} tc_dnn_layout;

tc_dnn_layout tc_dnn_tagged(int rank, const int *size, dnnl_format_tag_t tag);
bool tc_dnn_same(const tc_dnn_layout *a, const tc_dnn_layout *b); /* of two operations */
/* Memory of a layout's size, as the device's own. */
tc_status tc_dnn_allocate(tc_device *device, const tc_dnn_layout *layout, void **memory, tc_error *error);

/* ---- plans: NULL where the library has none ---- */

/* The result is added to what is there; then max(0, ·). The scratch pad is given by the caller. */
dnnl_primitive_attr_t tc_dnn_attributes(bool accumulate, bool relu);

typedef enum tc_dnn_sense { TC_DNN_FORWARD, TC_DNN_DATA, TC_DNN_GRADIENT } tc_dnn_sense;

typedef struct tc_dnn_convolution {
    dnnl_alg_kind_t algorithm;
    tc_dnn_layout in, weights, out;
    const tc_dnn_layout *bias;         /* NULL: none */
    dnnl_dims_t stride, before, after; /* and the padding on either side */
    const char *avoid;                 /* how the names of algorithms begin that are not to be taken; NULL: none */
} tc_dnn_convolution;

dnnl_primitive_desc_t tc_dnn_plan_convolution(tc_device *device, tc_dnn_sense sense, const tc_dnn_convolution *c,
                                              dnnl_primitive_attr_t attributes);
/* bias: NULL for none. */
dnnl_primitive_desc_t tc_dnn_plan_product(tc_device *device, const tc_dnn_layout *a, const tc_dnn_layout *b,
                                          const tc_dnn_layout *bias, const tc_dnn_layout *c,
                                          dnnl_primitive_attr_t attributes);
/* The implementation is one of the library's slow, general ones. */
bool tc_dnn_is_slow(const_dnnl_primitive_desc_t pd);

/* ---- operations ---- */

/* A primitive and its arguments in the caller's order. */
typedef struct tc_dnn_op {
    dnnl_primitive_t primitive;
    int arguments;
    dnnl_memory_t memory[TC_OP_ARGUMENTS + 1]; /* the last is the scratch pad */
    dnnl_exec_arg_t argument[TC_OP_ARGUMENTS + 1];
} tc_dnn_op;

/* Takes over `pd`. roles: the DNNL_ARG_… of each argument. */
tc_status tc_dnn_op_create(tc_device *device, dnnl_primitive_desc_t pd, int arguments, const int *roles, tc_dnn_op *op,
                           tc_error *error);
/* How the operation wants its argument `i`. */
tc_dnn_layout tc_dnn_op_layout(const tc_dnn_op *op, int i);
void tc_dnn_op_destroy(tc_dnn_op *op);
/* pointers: one an argument. */
void tc_dnn_run(const tc_device *device, const tc_dnn_op *op, const void *const *pointers);
static inline bool tc_dnn_op_exists(const tc_dnn_op *op) {
    return op->primitive != NULL;
}

/* from → to in another layout; accumulate: added to what is there. */
tc_status tc_dnn_reorder_create(tc_device *device, const tc_dnn_layout *from, const tc_dnn_layout *to, bool accumulate,
                                tc_dnn_op *op, tc_error *error);

#endif
