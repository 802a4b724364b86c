/* plan.h — the inside of a pass, and how it is laid out once and for all. */
#ifndef TC_NN_PLAN_H
#define TC_NN_PLAN_H

#include "compute/track.h"
#include "nn/layer.h"
#include "nn/memory.h"

enum { TC_MAP_FORWARD, TC_MAP_GRAD, TC_MAP_GRAD_JVP, TC_MAP_EACH, TC_MAP_SUM, TC_MAP_VJP };

/* What a pass is asked to do, with all that decides which kernels are called on which memory: what was asked the same
 * way before may be replayed. */
typedef struct tc_pass_call {
    int map; /* TC_MAP_… */
    tc_node node;
    const void *theta, *theta_dot, *x_dot, *cotangent;
    void *state, *g_theta, *g_x;
    const tc_pace *pace; /* as the stream: where masks are drawn */
    uint64_t stream;
} tc_pass_call;

typedef struct tc_pass_track {
    tc_pass_call call;
    tc_track track;
    uint64_t used; /* when last, on a clock that counts the calls; 0: never */
} tc_pass_track;

/* So many of its calls a pass knows again: enough for an ensemble of several surrogates that share it. What was not
 * asked for so many calls will not be. */
enum { TC_PASS_TRACKS = 24, TC_PASS_STALE = 1000 };

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
    bool draws;          /* dropout masks, from … */
    tc_stream stream;
    const tc_pace *pace; /* NULL: the stream is the one above */
    const void *theta;   /* bound by the last call, as the state; for a direction that comes too late, too */
    void *state;
    bool spent; /* the tangents have overwritten what the last tc_pass_grad left */
    tc_pass_track track[TC_PASS_TRACKS];
    uint64_t calls;
};

/* maps.c: [TC_MAP_…] */
extern void (*const tc_pass_maps[])(tc_pass *pass, const tc_pass_call *call);
tc_loss tc_pass_loss(const tc_pass *pass); /* of its logits */

/* Fills in pass->shape (layout.c). */
void tc_pass_choose_shapes(tc_pass *pass);

/* Fills in everything above; on failure the pass can still be freed. */
tc_status tc_pass_plan(tc_pass *pass, tc_error *error);

#endif
