#include "compute/cpu/onednn.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR != 2 && DNNL_VERSION_MAJOR != 3
#error "Tocsin is written against oneDNN 2.6 and later 2.x, and 3.x; another one may have another C interface"
#endif

static dnnl_engine_t engine_of(const tc_device *device) {
    return tc_cpu_state_of(device)->engine;
}

/* ---- the two interfaces ---- */

/* A description of memory that lives for a few calls: of a tag it is made here, an operation's is borrowed. */
typedef struct described {
    tc_dnn_md md; /* NULL: there is no such layout, or none was asked for */
    dnnl_memory_desc_t own;
} described;

static bool begins(const_dnnl_primitive_desc_t pd, const char *start) {
    const char *name = "";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    return !strncmp(name, start, strlen(start));
}

static void dims_of(const tc_dnn_layout *layout, dnnl_dims_t dims) {
    for (int i = 0; i < layout->rank; i++) dims[i] = layout->size[i];
}

#if DNNL_VERSION_MAJOR >= 3

static tc_dnn_md describe(const tc_dnn_layout *layout, described *d) {
    dnnl_dims_t dims = {0};
    *d = (described){.md = layout ? layout->of_op : NULL};
    if (!layout || d->md) return d->md;
    dims_of(layout, dims);
    if (dnnl_memory_desc_create_with_tag(&d->own, layout->rank, dims, dnnl_f32, layout->tag) != dnnl_success)
        d->own = NULL;
    return d->md = d->own;
}

static void forget(described *d) {
    if (d->own) dnnl_memory_desc_destroy(d->own);
}

static void append_sum(dnnl_post_ops_t post) {
    dnnl_post_ops_append_sum(post, 1, 0, dnnl_data_type_undef);
}

static void append_relu(dnnl_post_ops_t post) {
    dnnl_post_ops_append_eltwise(post, dnnl_eltwise_relu, 0, 0);
}

/* On to the first algorithm whose name does not begin with `avoid`. */
static dnnl_status_t pass_over(const char *avoid, dnnl_primitive_desc_t *pd) {
    dnnl_status_t s = dnnl_success;
    while (s == dnnl_success && begins(*pd, avoid)) s = dnnl_primitive_desc_next_impl(*pd);
    if (s != dnnl_success) dnnl_primitive_desc_destroy(*pd);
    return s;
}

static dnnl_status_t any_convolution(dnnl_engine_t engine, tc_dnn_sense sense, const tc_dnn_convolution *c,
                                     const described md[4], const_dnnl_primitive_attr_t attributes,
                                     const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *pd) {
    static const dnnl_dims_t close = {0};
    if (sense == TC_DNN_FORWARD)
        return dnnl_convolution_forward_primitive_desc_create(pd, engine, dnnl_forward_training, c->algorithm, md[0].md,
                                                              md[1].md, md[2].md, md[3].md, c->stride, close, c->before,
                                                              c->after, attributes);
    if (sense == TC_DNN_DATA)
        return dnnl_convolution_backward_data_primitive_desc_create(pd, engine, c->algorithm, md[0].md, md[1].md,
                                                                    md[3].md, c->stride, close, c->before, c->after,
                                                                    hint, attributes);
    return dnnl_convolution_backward_weights_primitive_desc_create(pd, engine, c->algorithm, md[0].md, md[1].md,
                                                                   md[2].md, md[3].md, c->stride, close, c->before,
                                                                   c->after, hint, attributes);
}

static dnnl_status_t plan_convolution(dnnl_engine_t engine, tc_dnn_sense sense, const tc_dnn_convolution *c,
                                      const described md[4], const_dnnl_primitive_attr_t attributes,
                                      const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *pd) {
    const dnnl_status_t s = any_convolution(engine, sense, c, md, attributes, hint, pd);
    return s == dnnl_success && c->avoid ? pass_over(c->avoid, pd) : s;
}

static dnnl_status_t plan_product(dnnl_engine_t engine, const described md[4], const_dnnl_primitive_attr_t attributes,
                                  dnnl_primitive_desc_t *pd) {
    return dnnl_matmul_primitive_desc_create(pd, engine, md[0].md, md[1].md, md[2].md, md[3].md, attributes);
}

#else

static tc_dnn_md describe(const tc_dnn_layout *layout, described *d) {
    dnnl_dims_t dims = {0};
    *d = (described){.md = layout ? layout->of_op : NULL};
    if (!layout || d->md) return d->md;
    dims_of(layout, dims);
    if (dnnl_memory_desc_init_by_tag(&d->own, layout->rank, dims, dnnl_f32, layout->tag) == dnnl_success)
        d->md = &d->own;
    return d->md;
}

static void forget(described *d) {
    (void)d;
}

static void append_sum(dnnl_post_ops_t post) {
    dnnl_post_ops_append_sum(post, 1);
}

static void append_relu(dnnl_post_ops_t post) {
    dnnl_post_ops_append_eltwise(post, 1, dnnl_eltwise_relu, 0, 0);
}

/* The first algorithm whose name does not begin with `avoid`. */
static dnnl_status_t first_of(const_dnnl_op_desc_t desc, const char *avoid, const_dnnl_primitive_attr_t attributes,
                              dnnl_engine_t engine, const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *pd) {
    dnnl_primitive_desc_iterator_t all = NULL;
    dnnl_status_t s = dnnl_primitive_desc_iterator_create(&all, desc, attributes, engine, hint);
    while (s == dnnl_success) {
        *pd = dnnl_primitive_desc_iterator_fetch(all);
        if (!*pd) s = dnnl_out_of_memory;
        if (!*pd || !avoid || !begins(*pd, avoid)) break;
        dnnl_primitive_desc_destroy(*pd);
        s = dnnl_primitive_desc_iterator_next(all);
    }
    if (all) dnnl_primitive_desc_iterator_destroy(all);
    return s;
}

static dnnl_status_t plan_convolution(dnnl_engine_t engine, tc_dnn_sense sense, const tc_dnn_convolution *c,
                                      const described md[4], const_dnnl_primitive_attr_t attributes,
                                      const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *pd) {
    dnnl_convolution_desc_t desc;
    dnnl_status_t s = dnnl_invalid_arguments;
    if (sense == TC_DNN_FORWARD)
        s = dnnl_convolution_forward_desc_init(&desc, dnnl_forward_training, c->algorithm, md[0].md, md[1].md, md[2].md,
                                               md[3].md, c->stride, c->before, c->after);
    else if (sense == TC_DNN_DATA)
        s = dnnl_convolution_backward_data_desc_init(&desc, c->algorithm, md[0].md, md[1].md, md[3].md, c->stride,
                                                     c->before, c->after);
    else
        s = dnnl_convolution_backward_weights_desc_init(&desc, c->algorithm, md[0].md, md[1].md, md[2].md, md[3].md,
                                                        c->stride, c->before, c->after);
    return s == dnnl_success ? first_of(&desc, c->avoid, attributes, engine, hint, pd) : s;
}

static dnnl_status_t plan_product(dnnl_engine_t engine, const described md[4], const_dnnl_primitive_attr_t attributes,
                                  dnnl_primitive_desc_t *pd) {
    dnnl_matmul_desc_t desc;
    const dnnl_status_t s = dnnl_matmul_desc_init(&desc, md[0].md, md[1].md, md[2].md, md[3].md);
    return s == dnnl_success ? dnnl_primitive_desc_create(pd, &desc, attributes, engine, NULL) : s;
}

#endif

/* ---- the engine ---- */

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
    /* A set's bits contain those of what it builds on; that of a later processor need not be the larger number. */
    static const struct {
        dnnl_cpu_isa_t set;
        int block;
    } known[] = {{dnnl_cpu_isa_avx512_core, 16}, {dnnl_cpu_isa_avx2, 8}};
    const dnnl_cpu_isa_t here = dnnl_get_effective_cpu_isa();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((here & known[i].set) == known[i].set) return known[i].block;
    return 0;
}

/* ---- layouts ---- */

tc_dnn_layout tc_dnn_tagged(int rank, const int *size, dnnl_format_tag_t tag) {
    tc_dnn_layout layout = {.rank = rank, .tag = tag};
    for (int i = 0; i < rank; i++) layout.size[i] = size[i];
    return layout;
}

bool tc_dnn_same(const tc_dnn_layout *a, const tc_dnn_layout *b) {
    return dnnl_memory_desc_equal(a->of_op, b->of_op);
}

tc_status tc_dnn_allocate(tc_device *device, const tc_dnn_layout *layout, void **memory, tc_error *error) {
    described d;
    const tc_dnn_md md = describe(layout, &d);
    const size_t bytes = md ? dnnl_memory_desc_get_size(md) : 0;
    forget(&d);
    if (!bytes) return failed(error, dnnl_unimplemented, "describing memory");
    return device->k->allocate(device, bytes, memory, error);
}

/* ---- plans ---- */

bool tc_dnn_is_slow(const_dnnl_primitive_desc_t pd) {
    return begins(pd, "ref") || begins(pd, "gemm:ref") || begins(pd, "simple");
}

dnnl_primitive_attr_t tc_dnn_attributes(bool accumulate, bool relu) {
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t post = NULL;
    if (dnnl_primitive_attr_create(&attributes) != dnnl_success) return NULL;
    dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if ((!accumulate && !relu) || dnnl_post_ops_create(&post) != dnnl_success) return attributes;
    if (accumulate) append_sum(post);
    if (relu) append_relu(post);
    dnnl_primitive_attr_set_post_ops(attributes, post);
    dnnl_post_ops_destroy(post);
    return attributes;
}

dnnl_primitive_desc_t tc_dnn_plan_convolution(tc_device *device, tc_dnn_sense sense, const tc_dnn_convolution *c,
                                              dnnl_primitive_attr_t attributes) {
    const tc_dnn_layout *layouts[4] = {&c->in, &c->weights, c->bias, &c->out};
    described md[4];
    dnnl_primitive_desc_t hint = NULL, pd = NULL;
    dnnl_status_t s = dnnl_success;
    for (int i = 0; i < 4; i++)
        if (!describe(layouts[i], &md[i]) && layouts[i]) s = dnnl_unimplemented;
    if (s == dnnl_success && sense != TC_DNN_FORWARD)
        s = plan_convolution(engine_of(device), TC_DNN_FORWARD, c, md, NULL, NULL, &hint);
    if (s == dnnl_success) s = plan_convolution(engine_of(device), sense, c, md, attributes, hint, &pd);
    if (hint) dnnl_primitive_desc_destroy(hint);
    for (int i = 0; i < 4; i++) forget(&md[i]);
    return s == dnnl_success ? pd : NULL;
}

dnnl_primitive_desc_t tc_dnn_plan_product(tc_device *device, const tc_dnn_layout *a, const tc_dnn_layout *b,
                                          const tc_dnn_layout *bias, const tc_dnn_layout *c,
                                          dnnl_primitive_attr_t attributes) {
    const tc_dnn_layout *layouts[4] = {a, b, bias, c};
    described md[4];
    dnnl_primitive_desc_t pd = NULL;
    for (int i = 0; i < 4; i++) describe(layouts[i], &md[i]);
    const dnnl_status_t s = plan_product(engine_of(device), md, attributes, &pd);
    for (int i = 0; i < 4; i++) forget(&md[i]);
    return s == dnnl_success ? pd : NULL;
}

/* ---- operations ---- */

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

tc_status tc_dnn_op_create(tc_device *device, dnnl_primitive_desc_t pd, int arguments, const int *roles, tc_dnn_op *op,
                           tc_error *error) {
    tc_cpu_state *state = tc_cpu_state_of(device);
    tc_status status = TC_OK;
    *op = (tc_dnn_op){.arguments = arguments};
    const tc_dnn_md scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    dnnl_status_t s = dnnl_primitive_create(&op->primitive, pd);
    if (s != dnnl_success) {
        op->primitive = NULL;
        status = failed(error, s, "making a primitive");
        goto done;
    }
    TC_TRY(grow_scratch(state, dnnl_memory_desc_get_size(scratch), error));
    for (int i = 0; i <= arguments; i++) {
        const tc_dnn_md md =
            i < arguments ? dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, roles[i]) : scratch;
        s = dnnl_memory_create(&op->memory[i], md, state->engine, DNNL_MEMORY_NONE);
        if (s != dnnl_success) TC_RAISE(TC_FAILED, "oneDNN: describing memory failed with status %d", (int)s);
        op->argument[i] = (dnnl_exec_arg_t){i < arguments ? roles[i] : DNNL_ARG_SCRATCHPAD, op->memory[i]};
    }
    device->allocations++;
done:
    dnnl_primitive_desc_destroy(pd);
    if (status != TC_OK) tc_dnn_op_destroy(op);
    return status;
}

tc_dnn_layout tc_dnn_op_layout(const tc_dnn_op *op, int i) {
    const_dnnl_primitive_desc_t pd = NULL;
    tc_dnn_layout layout = {0};
    if (dnnl_primitive_get_primitive_desc(op->primitive, &pd) == dnnl_success)
        layout.of_op = dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, op->argument[i].arg);
    return layout;
}

void tc_dnn_op_destroy(tc_dnn_op *op) {
    if (op->primitive) dnnl_primitive_destroy(op->primitive);
    for (int i = 0; i <= TC_OP_ARGUMENTS; i++)
        if (op->memory[i]) dnnl_memory_destroy(op->memory[i]);
    *op = (tc_dnn_op){.primitive = NULL};
}

void tc_dnn_run(const tc_device *device, const tc_dnn_op *op, const void *const *pointers) {
    const tc_cpu_state *state = tc_cpu_state_of(device);
    for (int i = 0; i < op->arguments; i++) dnnl_memory_set_data_handle(op->memory[i], (void *)(uintptr_t)pointers[i]);
    dnnl_memory_set_data_handle(op->memory[op->arguments], state->scratch);
    dnnl_primitive_execute(op->primitive, state->stream, op->arguments + 1, op->argument);
}

tc_status tc_dnn_reorder_create(tc_device *device, const tc_dnn_layout *from, const tc_dnn_layout *to, bool accumulate,
                                tc_dnn_op *op, tc_error *error) {
    const dnnl_engine_t engine = engine_of(device);
    described source, target;
    dnnl_primitive_attr_t attributes = tc_dnn_attributes(accumulate, false);
    dnnl_primitive_desc_t pd = NULL;
    const dnnl_status_t s = dnnl_reorder_primitive_desc_create(&pd, describe(from, &source), engine,
                                                               describe(to, &target), engine, attributes);
    dnnl_primitive_attr_destroy(attributes);
    forget(&source);
    forget(&target);
    if (s != dnnl_success) return failed(error, s, "planning a reorder");
    return tc_dnn_op_create(device, pd, 2, (const int[]){DNNL_ARG_FROM, DNNL_ARG_TO}, op, error);
}
