/* plan.h — the inside of a pass, and how it is laid out once and for all. */
#ifndef TC_NN_PLAN_H
#define TC_NN_PLAN_H

#include "nn/layer.h"
#include "nn/memory.h"

struct tc_pass {
    tc_device *device;
    const tc_model *model;
    tc_pass_options options;
    const tc_layer *layer; /* [layers]: the model's for this mode */
    int layers;
    tc_shape *shape;     /* [values], in the device's layout */
    tc_step *step;       /* [layers] */
    void **value;        /* [values]; NULL where fused away */
    void **tangent;      /* [values]; NULL: zero */
    tc_sum *cotangent;   /* [values], as its users leave it; count 0: not wanted */
    tc_sum *cotangent_t; /* [values] */
    bool *reaches;       /* [values], scratch of tc_pass_vjp */
    void *workspace;     /* everything whose lifetime was planned */
    size_t bytes;

    void *x, *x_dot; /* the input and its direction, kept between calls */
    int32_t *labels;
    void *soft, *losses;
    void *dlogits, *dlogits_t;
    void *scratch;       /* every step's that needs one, in turn */
    size_t padded;       /* images with those that fill up a batch abreast */
    void *squares;       /* [padded] where each image's gradient is wanted; their weights afterwards */
    double *host_square; /* [padded] */
    void **seed;         /* [values]: a named value's cotangent from outside; NULL: none */
    tc_stream stream;
    const tc_pace *pace; /* NULL: the stream is the one above */
    const void *theta;   /* of the last tc_pass_grad, as the state, for a direction that comes too late */
    void *state;
    bool spent; /* the tangents have overwritten what the last tc_pass_grad left */
};

/* Fills in pass->shape (layout.c). */
void tc_pass_choose_shapes(tc_pass *pass);

/* Fills in everything above; on failure the pass can still be freed. */
tc_status tc_pass_plan(tc_pass *pass, tc_error *error);

#endif
