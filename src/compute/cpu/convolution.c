/* convolution.c — convolutions by oneDNN.
 *
 * Each of the three directions is planned on its own: for the given activation layouts, and for those the library might
 * like better with a reorder around the call, take the first algorithm that is not one of its slow general ones.
 * 3×3 stride-1 convolutions between panels of 16 channels go by Winograd's F(4×4, 3×3), our own (winograd.c) or the
 * library's: 1.5 to 3 times the direct algorithm (docs/performance.md) at an error of a few 1e-6. The choice depends on
 * the geometry alone, never on a timing, so that results do not change from run to run.
 *
 * Weights live as OIHW in the flat vector and are repacked into what the chosen algorithms want by conv_pack. */
#include "compute/cpu/kernels.h"

#include "compute/cpu/onednn.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FORMATS = 3, DIRECT_FORMATS = 8 };

/* One direction: the primitive and, where its layouts are not the tensors' own, reorders through temporary memory. */
typedef struct direction {
    tc_dnn_op op;
    tc_dnn_op in[2];  /* reorders of the activations on either side, the result's back */
    tc_dnn_op before; /* the result's own layout into the temporary, where the operation adds to it */
    void *temporary[2];
} direction;

/* Weights as one direction wants them. */
typedef struct packed {
    tc_dnn_op reorder;
    void *memory[2]; /* [TC_WEIGHTS], [TC_WEIGHTS_T] */
} packed;

struct tc_conv_plan {
    tc_device *device;
    tc_convolution g;
    tc_abreast_plan *abreast;   /* by abreast.c; or NULL */
    tc_winograd_plan *winograd; /* by winograd.c, all but perhaps the gradient; or NULL */
    bool winograd_gradient;
    direction forward, forward_tangent, forward_more, data, gradient;
    packed forward_weights, more_weights, data_weights;
    bool share_more;                 /* forward_more takes forward_weights */
    void *zero_bias, *unwanted_bias; /* [out.c] */
    void *gradient_blocked;          /* as the library leaves it */
    tc_dnn_op unpack, unpack_more;
};

/* ---- descriptors ---- */

/* Tags under which a shape's memory may be described; the first is its own. Returns how many are free of a reorder. */
static int own_formats(tc_shape s, dnnl_format_tag_t *tags) {
    int count = 0;
    const bool plain = s.block == s.c;
    if (s.block == 16)
        tags[count++] = dnnl_nChw16c;
    else if (s.block == 8 && !plain)
        tags[count++] = dnnl_nChw8c;
    if (plain) tags[count++] = dnnl_nhwc;
    if (plain && s.c == 1) tags[count++] = dnnl_nchw;
    return count;
}

static tc_dnn_layout activation_layout(tc_shape s, dnnl_format_tag_t tag) {
    return tc_dnn_tagged(4, (const int[]){s.n, s.c, s.h, s.w}, tag);
}

static tc_dnn_layout weights_layout(const tc_convolution *g, bool any) {
    const int o = g->out.c / g->groups, i = g->in.c / g->groups, k = g->kernel;
    if (g->groups > 1)
        return tc_dnn_tagged(5, (const int[]){g->groups, o, i, k, k}, any ? dnnl_format_tag_any : dnnl_goihw);
    return tc_dnn_tagged(4, (const int[]){o, i, k, k}, any ? dnnl_format_tag_any : dnnl_oihw);
}

static tc_dnn_layout bias_layout(const tc_convolution *g) {
    return tc_dnn_tagged(1, (const int[]){g->out.c}, dnnl_x);
}

/* ---- choosing an algorithm ---- */

typedef struct request {
    tc_device *device;
    const tc_convolution *g;
    tc_dnn_sense kind;
    bool bias;
    dnnl_primitive_attr_t attributes;
} request;

static bool winograd_fits(const tc_convolution *g) {
    return !g->direct && g->kernel == 3 && g->stride == 1 && g->groups == 1 && g->padding == 1 && g->in.block == 16 &&
           g->out.block == 16 && g->in.c >= 32 && g->out.c >= 32;
}

/* For windows of one pixel with strides oneDNN first copies the pixels used, and where NHWC has fewer channels than its
 * panels do, beyond the end of its workspace: wrong gradients (seen with 2.6), or a crash (its issue 6035). */
static const char *to_avoid(const request *r, dnnl_format_tag_t from) {
    const tc_convolution *g = r->g;
    const bool affected =
        r->kind == TC_DNN_GRADIENT && g->kernel == 1 && g->stride > 1 && g->in.c / g->groups < 16 && from == dnnl_nhwc;
    return affected ? "jit_1x1" : NULL;
}

static dnnl_primitive_desc_t propose(const request *r, dnnl_alg_kind_t algorithm, dnnl_format_tag_t from,
                                     dnnl_format_tag_t to) {
    const tc_convolution *g = r->g;
    const tc_dnn_layout bias = bias_layout(g);
    const tc_dnn_convolution c = {
        .algorithm = algorithm,
        .in = activation_layout(g->in, from),
        .weights = weights_layout(g, true),
        .out = activation_layout(g->out, to),
        .bias = r->bias ? &bias : NULL,
        .stride = {g->stride, g->stride},
        .before = {g->padding, g->padding},
        /* What is left so that the last window ends at the last pixel used. */
        .after = {(g->out.h - 1) * g->stride + g->kernel - g->in.h - g->padding,
                  (g->out.w - 1) * g->stride + g->kernel - g->in.w - g->padding},
        .avoid = to_avoid(r, from),
    };
    return tc_dnn_plan_convolution(r->device, r->kind, &c, r->attributes);
}

/* The panels that one side is cut into where the other's channels do not fill any, else dnnl_format_tag_undef. */
static dnnl_format_tag_t panels_of_one_side(const tc_convolution *g) {
    const bool in = g->in.block != g->in.c, out = g->out.block != g->out.c;
    if (in == out || g->in.c <= 4) return dnnl_format_tag_undef;
    return (in ? g->in : g->out).block == 16 ? dnnl_nChw16c : dnnl_nChw8c;
}

/* The layouts to try, cheapest first: none reordered; a small side reordered; both plain. A plain side beside one in
 * panels is filled up with channels of zeros. */
static int layouts_to_try(const tc_convolution *g, dnnl_format_tag_t pairs[DIRECT_FORMATS][2]) {
    dnnl_format_tag_t in[MAX_FORMATS] = {dnnl_nhwc}, out[MAX_FORMATS] = {dnnl_nhwc};
    const int ins = own_formats(g->in, in), outs = own_formats(g->out, out);
    int count = 0;
    for (int i = 0; i < ins; i++)
        for (int j = 0; j < outs && count < DIRECT_FORMATS - 3; j++) {
            pairs[count][0] = in[i];
            pairs[count++][1] = out[j];
        }
    const dnnl_format_tag_t panels = panels_of_one_side(g);
    if (panels != dnnl_format_tag_undef) {
        pairs[count][0] = panels;
        pairs[count++][1] = panels;
    }
    pairs[count][0] = g->in.c <= 4 ? dnnl_nchw : dnnl_nhwc;
    pairs[count++][1] = g->in.c <= 4 ? out[0] : dnnl_nhwc;
    pairs[count][0] = pairs[count][1] = dnnl_nhwc;
    return count + 1;
}

static dnnl_primitive_desc_t choose(const request *r, dnnl_format_tag_t chosen[2]) {
    dnnl_format_tag_t pairs[DIRECT_FORMATS][2];
    const int count = layouts_to_try(r->g, pairs);
    dnnl_primitive_desc_t slow = NULL;
    if (winograd_fits(r->g)) {
        dnnl_primitive_desc_t pd = propose(r, dnnl_convolution_winograd, dnnl_nChw16c, dnnl_nChw16c);
        chosen[0] = chosen[1] = dnnl_nChw16c;
        if (pd) return pd;
    }
    for (int i = 0; i < count; i++) {
        dnnl_primitive_desc_t pd = propose(r, dnnl_convolution_direct, pairs[i][0], pairs[i][1]);
        if (!pd) continue;
        if (!tc_dnn_is_slow(pd) || i == count - 1) {
            if (slow) dnnl_primitive_desc_destroy(slow);
            memcpy(chosen, pairs[i], sizeof pairs[i]);
            return pd;
        }
        if (slow)
            dnnl_primitive_desc_destroy(pd);
        else {
            slow = pd;
            memcpy(chosen, pairs[i], sizeof pairs[i]);
        }
    }
    return slow;
}

/* ---- planning a direction ---- */

static bool is_own(tc_shape s, dnnl_format_tag_t tag) {
    dnnl_format_tag_t own[MAX_FORMATS];
    const int count = own_formats(s, own);
    for (int i = 0; i < count; i++)
        if (own[i] == tag) return true;
    return false;
}

/* A reorder between the tensor's own layout and `tag`, with temporary memory, if they differ. */
static tc_status plan_reorder(tc_device *device, tc_shape s, dnnl_format_tag_t tag, bool back, tc_dnn_op *op,
                              void **temporary, tc_error *error) {
    if (is_own(s, tag)) return TC_OK;
    dnnl_format_tag_t own[MAX_FORMATS];
    own_formats(s, own);
    const tc_dnn_layout mine = activation_layout(s, own[0]), theirs = activation_layout(s, tag);
    tc_status status = tc_dnn_allocate(device, &theirs, temporary, error);
    if (status == TC_OK)
        status = tc_dnn_reorder_create(device, back ? &theirs : &mine, back ? &mine : &theirs, false, op, error);
    return status;
}

/* The arguments of each direction: in-side activation, out-side activation, weights, bias. */
static const int roles[][TC_OP_ARGUMENTS] = {
    [TC_DNN_FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS},
    [TC_DNN_DATA] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS},
    [TC_DNN_GRADIENT] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS},
};

/* Plans one direction; afterwards wanted(d) says how it wants its weights. */
static tc_status plan_direction(const request *r, direction *d, tc_error *error) {
    dnnl_format_tag_t tag[2];
    dnnl_primitive_desc_t pd = choose(r, tag);
    if (!pd)
        return tc_raise(error, TC_FAILED,
                        "oneDNN: no convolution %d→%d, window %d, stride %d, groups %d; use --device reference",
                        r->g->in.c, r->g->out.c, r->g->kernel, r->g->stride, r->g->groups);
    tc_status status = TC_OK;
    TC_TRY(tc_dnn_op_create(r->device, pd, r->bias ? 4 : 3, roles[r->kind], &d->op, error));
    TC_TRY(plan_reorder(r->device, r->g->in, tag[0], r->kind == TC_DNN_DATA, &d->in[0], &d->temporary[0], error));
    TC_TRY(plan_reorder(r->device, r->g->out, tag[1], r->kind == TC_DNN_FORWARD, &d->in[1], &d->temporary[1], error));
done:
    return status;
}

static tc_dnn_layout wanted(const direction *d) {
    return tc_dnn_op_layout(&d->op, 2);
}

/* A forward operation that adds to its result has to find there what it adds to. */
static tc_status plan_accumulation(tc_device *device, tc_shape out, direction *d, tc_error *error) {
    dnnl_format_tag_t own[MAX_FORMATS];
    if (!tc_dnn_op_exists(&d->in[1])) return TC_OK;
    own_formats(out, own);
    const tc_dnn_layout mine = activation_layout(out, own[0]), theirs = tc_dnn_op_layout(&d->op, 1);
    return tc_dnn_reorder_create(device, &mine, &theirs, false, &d->before, error);
}

static void destroy_direction(tc_device *device, direction *d) {
    tc_dnn_op_destroy(&d->op);
    tc_dnn_op_destroy(&d->before);
    for (int i = 0; i < 2; i++) {
        tc_dnn_op_destroy(&d->in[i]);
        device->k->release(device, d->temporary[i]);
    }
}

/* Runs one direction on (in-side activation, out-side activation, weights, bias), reordering around it where planned.
 */
static void run_direction(const tc_device *device, const direction *d, tc_dnn_sense kind, const void *in,
                          const void *out, const void *weights, const void *bias) {
    const void *side[2] = {in, out};
    const int result = kind == TC_DNN_FORWARD ? 1 : kind == TC_DNN_DATA ? 0 : -1;
    const void *given[TC_OP_ARGUMENTS] = {in, out, weights, bias};
    for (int i = 0; i < 2; i++) {
        if (!tc_dnn_op_exists(&d->in[i])) continue;
        given[i] = d->temporary[i];
        if (i != result) tc_dnn_run(device, &d->in[i], (const void *[]){side[i], d->temporary[i]});
    }
    if (result >= 0 && tc_dnn_op_exists(&d->before))
        tc_dnn_run(device, &d->before, (const void *[]){side[result], d->temporary[result]});
    tc_dnn_run(device, &d->op, given);
    if (result >= 0 && tc_dnn_op_exists(&d->in[result]))
        tc_dnn_run(device, &d->in[result], (const void *[]){d->temporary[result], side[result]});
}

/* ---- weights ---- */

static tc_status plan_packed(tc_device *device, const tc_convolution *g, const direction *d, packed *p,
                             tc_error *error) {
    const tc_dnn_layout plain = weights_layout(g, false), theirs = wanted(d);
    tc_status status = TC_OK;
    TC_TRY(tc_dnn_reorder_create(device, &plain, &theirs, false, &p->reorder, error));
    for (int i = 0; i < (g->tangents ? 2 : 1); i++) TC_TRY(tc_dnn_allocate(device, &theirs, &p->memory[i], error));
done:
    return status;
}

static void destroy_packed(tc_device *device, packed *p) {
    tc_dnn_op_destroy(&p->reorder);
    for (int i = 0; i < 2; i++) device->k->release(device, p->memory[i]);
}

static void pack(const tc_conv_plan *plan, const packed *p, int which, const void *weights) {
    if (tc_dnn_op_exists(&p->reorder))
        tc_dnn_run(plan->device, &p->reorder, (const void *[]){weights, p->memory[which]});
}

/* ---- the plan ---- */

static tc_status plan_forward(tc_conv_plan *plan, bool relu, bool accumulate, bool bias, direction *d,
                              tc_error *error) {
    request r = {plan->device, &plan->g, TC_DNN_FORWARD, bias, tc_dnn_attributes(accumulate, relu)};
    tc_status status = plan_direction(&r, d, error);
    if (status == TC_OK && accumulate) status = plan_accumulation(plan->device, plan->g.out, d, error);
    dnnl_primitive_attr_destroy(r.attributes);
    return status;
}

static tc_status plan_all_forward(tc_conv_plan *plan, tc_error *error) {
    const tc_convolution *g = &plan->g;
    tc_status status = TC_OK;
    TC_TRY(plan_forward(plan, g->relu, false, g->bias, &plan->forward, error));
    TC_TRY(plan_packed(plan->device, g, &plan->forward, &plan->forward_weights, error));
    if (!g->tangents) goto done;
    TC_TRY(plan_forward(plan, false, false, g->bias, &plan->forward_tangent, error));
    TC_TRY(plan_forward(plan, false, true, false, &plan->forward_more, error));
    const tc_dnn_layout ours = wanted(&plan->forward), more = wanted(&plan->forward_more);
    plan->share_more = tc_dnn_same(&ours, &more);
    if (!plan->share_more) TC_TRY(plan_packed(plan->device, g, &plan->forward_more, &plan->more_weights, error));
done:
    return status;
}

static tc_status plan_backward(tc_conv_plan *plan, tc_error *error) {
    const tc_convolution *g = &plan->g;
    request r = {plan->device, g, TC_DNN_DATA, false, tc_dnn_attributes(false, false)};
    tc_status status = TC_OK;
    if (!g->first && !plan->winograd) {
        TC_TRY(plan_direction(&r, &plan->data, error));
        TC_TRY(plan_packed(plan->device, g, &plan->data, &plan->data_weights, error));
    }
    if (g->forward_only || plan->winograd_gradient) goto done;
    r.kind = TC_DNN_GRADIENT;
    r.bias = g->bias;
    TC_TRY(plan_direction(&r, &plan->gradient, error));
    const tc_dnn_layout plain = weights_layout(g, false), theirs = wanted(&plan->gradient);
    TC_TRY(tc_dnn_allocate(plan->device, &theirs, &plan->gradient_blocked, error));
    TC_TRY(tc_dnn_reorder_create(plan->device, &theirs, &plain, false, &plan->unpack, error));
    TC_TRY(tc_dnn_reorder_create(plan->device, &theirs, &plain, true, &plan->unpack_more, error));
done:
    dnnl_primitive_attr_destroy(r.attributes);
    return status;
}

/* ---- the kernel table's functions ---- */

static tc_status plan_by_library(tc_conv_plan *plan, tc_error *error) {
    tc_status status = TC_OK;
    if (!plan->winograd) TC_TRY(plan_all_forward(plan, error));
    TC_TRY(plan_backward(plan, error));
    if (!plan->g.bias) goto done;
    TC_TRY(tc_device_reals(plan->device, (size_t)plan->g.out.c, &plan->zero_bias, error));
    TC_TRY(tc_device_reals(plan->device, (size_t)plan->g.out.c, &plan->unwanted_bias, error));
done:
    return status;
}

tc_status tc_cpu_conv_create(tc_device *device, const tc_convolution *geometry, tc_conv_plan **plan, tc_error *error) {
    tc_conv_plan *made = NULL;
    tc_status status = TC_OK;
    *plan = NULL;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    made->device = device;
    made->g = *geometry;
    if (tc_winograd_fits(device, geometry)) {
        TC_TRY(tc_winograd_create(device, geometry, &made->winograd, error));
        made->winograd_gradient = tc_winograd_fits_gradient(geometry);
    }
    TC_TRY(tc_abreast_fits(geometry) ? tc_abreast_create(device, geometry, &made->abreast, error)
                                     : plan_by_library(made, error));
    *plan = made;
done:
    if (status != TC_OK && made) tc_cpu_conv_destroy(device, made);
    return status;
}

void tc_cpu_conv_destroy(tc_device *device, tc_conv_plan *plan) {
    direction *directions[] = {&plan->forward, &plan->forward_tangent, &plan->forward_more, &plan->data,
                               &plan->gradient};
    packed *weights[] = {&plan->forward_weights, &plan->more_weights, &plan->data_weights};
    for (size_t i = 0; i < sizeof directions / sizeof *directions; i++) destroy_direction(device, directions[i]);
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) destroy_packed(device, weights[i]);
    tc_dnn_op_destroy(&plan->unpack);
    tc_dnn_op_destroy(&plan->unpack_more);
    device->k->release(device, plan->gradient_blocked);
    device->k->release(device, plan->zero_bias);
    device->k->release(device, plan->unwanted_bias);
    tc_abreast_destroy(plan->abreast);
    tc_winograd_destroy(plan->winograd);
    free(plan);
}

void tc_cpu_conv_pack(tc_conv_plan *plan, int which, const void *weights) {
    if (plan->winograd) {
        tc_winograd_pack(plan->winograd, which, weights);
        return;
    }
    if (plan->abreast) {
        tc_abreast_pack(plan->abreast, which, weights);
        return;
    }
    pack(plan, &plan->forward_weights, which, weights);
    pack(plan, &plan->more_weights, which, weights);
    pack(plan, &plan->data_weights, which, weights);
}

void tc_cpu_conv_forward(tc_conv_plan *plan, int which, const void *x, const void *bias, void *z, bool accumulate) {
    if (plan->winograd) {
        tc_winograd_forward(plan->winograd, which, x, bias, z, accumulate);
        return;
    }
    if (plan->abreast) {
        tc_abreast_forward(plan->abreast, which, x, bias, z, accumulate);
        return;
    }
    const direction *d = accumulate              ? &plan->forward_more
                         : which == TC_WEIGHTS_T ? &plan->forward_tangent
                                                 : &plan->forward;
    const packed *p = accumulate && !plan->share_more ? &plan->more_weights : &plan->forward_weights;
    run_direction(plan->device, d, TC_DNN_FORWARD, x, z, p->memory[which], bias ? bias : plan->zero_bias);
}

void tc_cpu_conv_backward_data(tc_conv_plan *plan, int which, const void *dz, void *dx) {
    if (plan->winograd) {
        tc_winograd_backward_data(plan->winograd, which, dz, dx);
        return;
    }
    if (plan->abreast) {
        tc_abreast_backward_data(plan->abreast, which, dz, dx);
        return;
    }
    run_direction(plan->device, &plan->data, TC_DNN_DATA, dx, dz, plan->data_weights.memory[which], NULL);
}

void tc_cpu_conv_backward_weights(tc_conv_plan *plan, const void *x, const void *dz, void *dw, void *db,
                                  bool accumulate) {
    if (plan->winograd_gradient) {
        tc_winograd_backward_weights(plan->winograd, x, dz, dw, db, accumulate);
        return;
    }
    if (plan->abreast) {
        tc_abreast_backward_weights(plan->abreast, x, dz, dw, db, accumulate);
        return;
    }
    const bool direct_bias = db && !accumulate;
    run_direction(plan->device, &plan->gradient, TC_DNN_GRADIENT, x, dz, plan->gradient_blocked,
                  direct_bias ? db : plan->unwanted_bias);
    tc_dnn_run(plan->device, accumulate ? &plan->unpack_more : &plan->unpack,
               (const void *[]){plan->gradient_blocked, dw});
    if (db && accumulate) plan->device->k->axpby(plan->device, (size_t)plan->g.out.c, 1, plan->unwanted_bias, 1, db);
}

void tc_cpu_conv_squares(tc_conv_plan *plan, const void *x, const void *dz, void *squares) {
    tc_abreast_squares(plan->abreast, plan->g.bias, x, dz, squares);
}
