/* layer.h — the inside of a model and of a pass, for the files of this floor only.
 *
 * A layer class is a plan and four maps (docs/derivatives.md),
 *
 *     forward            y   from x
 *     backward           dx  from dy                 and the parameters' gradient
 *     forward_tangent    y_t from x, x_t, θ_t
 *     backward_tangent   dx_t from dy, dy_t, x, x_t, θ_t   and the tangent of the parameters' gradient
 *
 * each a few calls of the kernel table, so that it works on every device. A layer with parameters has a fifth,
 *
 *     squares            ‖∇_θ ℓ_i‖² of each image i on its own, from x and the gathered dy
 *
 * without which a network has no gradients of single images (TC_WANT_EACH): batch norm in training mode. A new layer is
 * one file in layers/, one row in tc_layer_classes and one builder in graph.c. */
#ifndef TC_NN_LAYER_H
#define TC_NN_LAYER_H

#include "nn/pass.h"

typedef struct tc_layer_class tc_layer_class;

/* What a layer is told once, when the model is built. Each class reads its own part. */
typedef struct tc_layer_options {
    tc_conv_options conv; /* convolution, transposed convolution */
    bool relu;            /* convolution, linear, batch norm: ends in a fused ReLU */
    tc_activation_kind activation;
    double slope;
    int kernel, stride, padding; /* pooling */
    double rate;                 /* dropout */
    int heads;                   /* attention */
} tc_layer_options;

/* One layer. Its output's node number is its place in the order of evaluation. */
typedef struct tc_layer {
    const tc_layer_class *class;
    int inputs;
    tc_node input[TC_MAX_INPUTS];
    tc_node output;
    tc_layer_options options;
    int weight, bias;   /* tensors of θ (norms: γ, β; tokens: class token, positions), −1: none */
    int gamma, beta;    /* … of a batch norm folded into this convolution, −1: none */
    int mean, variance; /* tensors of the state, −1: none */
} tc_layer;

typedef struct tc_value {
    int h, w, c;
    int layer; /* that computes it; −1: the input; −2: fused away */
    int users;
    char name[TC_NAME_SIZE]; /* "": none */
} tc_value;

struct tc_model {
    char name[TC_NAME_SIZE];
    int classes;
    int values, layers, tensors, state_tensors;
    tc_value *value; /* [values]; 0 is the input */
    tc_layer *layer; /* [layers], in the order of evaluation */
    int folded_layers;
    tc_layer *folded; /* [folded_layers]: the same for evaluation mode (fold.c) */
    tc_tensor *tensor, *state_tensor;
    size_t parameters, state;
    tc_node logits;
};

/* One layer within a pass: every pointer it needs, resolved when the pass is made. */
typedef struct tc_step {
    tc_device *device;
    const tc_layer *layer;
    const tc_pass_options *options;
    tc_shape in[TC_MAX_INPUTS], out;
    size_t weight, bias, mean, variance; /* offsets in θ and the state */
    size_t gamma, beta;                  /* offsets in θ */
    size_t weights, biases;              /* elements of the two tensors */
    bool wants_theta, wants_theta_t;     /* the parameters' gradient and its tangent will be asked for */
    bool has_second;                     /* there is a second-order phase */
    bool wants_dx, wants_dx_t;           /* for any input */
    bool wants_each;                     /* so will the squared norms of single images' gradients */
    bool masks;                          /* the layer ends in a ReLU and masks its cotangents itself … */
    bool masks_below;                    /* … or, a max pool, the ReLU's of the layer below, whose only user it is */

    const void *x[TC_MAX_INPUTS];
    void *y;
    tc_sum dy;                      /* cotangent of y, in addends */
    void *q;                        /* dy added up (and masked, where a ReLU is fused); may be dy.term[0]'s buffer */
    void *dx[TC_MAX_INPUTS];        /* NULL: not wanted */
    const void *x_t[TC_MAX_INPUTS]; /* NULL: zero */
    void *y_t;
    tc_sum dy_t;
    void *q_t;
    void *dx_t[TC_MAX_INPUTS];
    void *dx_u[TC_MAX_INPUTS]; /* a second addend of the same, for classes with TC_TWO_ADDENDS */

    /* of the call in progress */
    const void *theta, *theta_t; /* flat vectors; theta_t NULL: zero */
    void *state;
    void *g, *g_t;    /* flat gradients; NULL: not wanted */
    tc_stream stream; /* this layer's own: the child of this number of the pass's … */
    uint64_t number;
    const tc_pace *pace; /* … or, where not NULL, of the one that lies there on the device */

    void *scratch;  /* [room], all steps' in turn: lasts as long as one map */
    size_t room;    /* reals; `plan` may ask for more (tc_step_need) */
    void *plan[8];  /* the layer's convolution or product plans */
    void *saved[6]; /* what its maps hand to each other: statistics, masks, winners */
} tc_step;

enum {
    TC_READS_X = 1,          /* the backward maps read x (and x_t) */
    TC_READS_X_THETA = 2,    /* … only for the parameters' gradient */
    TC_READS_X_TRAINING = 4, /* … also in training mode */
    TC_READS_Y = 8,          /* … read y */
    TC_USES_Q = 16,          /* they leave their cotangent, summed and masked, in q */
    TC_PASSES_ON = 32,       /* every input's cotangent is the output's; no map but to add up several addends (sum) */
    TC_TWO_ADDENDS = 64,     /* the tangent of backward leaves dx_t in two addends */
    TC_RESIDUAL_IS_Q = 128,  /* input 1's cotangent is q, and no backward map reads its value */
    TC_SCRATCH = 256,        /* the maps work in room for one more weight tensor */
    TC_WHOLE_ROWS = 512,     /* all channels of a position lie together: plain NHWC */
    TC_HALVES = 1024,        /* forward and backward take activations in bf16 (compute/shape.h) */
};

struct tc_layer_class {
    const char *name;
    unsigned traits;
    tc_status (*plan)(tc_step *step, tc_error *error); /* NULL: nothing to plan */
    void (*release)(tc_step *step);
    void (*forward)(tc_step *step);
    void (*backward)(tc_step *step);
    void (*forward_tangent)(tc_step *step);
    void (*backward_tangent)(tc_step *step);
    void (*squares)(tc_step *step, void *squares /* [n], added to; what fills up a batch abreast gets 0 */);
};

extern const tc_layer_class tc_convolution_layer, tc_folded_layer, tc_transposed_layer, tc_linear_layer,
    tc_batch_norm_layer, tc_activation_layer, tc_max_pool_layer, tc_average_pool_layer, tc_add_layer, tc_concat_layer,
    tc_scale_layer, tc_dropout_layer, tc_flatten_layer, tc_layer_norm_layer, tc_attention_layer, tc_tokens_layer,
    tc_first_token_layer;

/* Whether nobody but the next layer looks at x: then it need not exist. */
static inline bool tc_value_private(const tc_model *m, tc_node x) {
    return m->value[x].users == 1 && !m->value[x].name[0] && x != m->logits;
}

/* Makes model->folded from model->layer. */
tc_status tc_model_fold(tc_model *model, tc_error *error);

/* ε of batch norm, PyTorch's. */
#define TC_NORM_EPSILON 1e-5

/* Reals that a layer keeps between its maps; released with the pass. */
tc_status tc_step_keep(tc_step *step, int slot, size_t reals, tc_error *error);
void tc_step_release_kept(tc_step *step);
/* From a class's `plan`: its maps work in so many reals of scratch. */
void tc_step_need(tc_step *step, size_t reals);

/* Where the parameter at `offset` lies in a flat vector, or NULL where there is no such parameter or vector. */
static inline void *tc_step_at(const tc_step *step, const void *vector, int tensor, size_t offset) {
    return vector && tensor >= 0 ? tc_at(step->device, vector, offset) : NULL;
}

/* q := dy added up, masked where y ≤ 0 if the layer masks; and the same for the tangents. Returns q. */
const void *tc_step_gather(const tc_step *step);
const void *tc_step_gather_tangent(const tc_step *step);
/* Image i of an array that is laid out as `shape`, not abreast. */
static inline void *tc_step_image(const tc_step *step, tc_shape shape, const void *base, int i) {
    return tc_at(step->device, base, (size_t)i * (size_t)shape.h * (size_t)shape.w * (size_t)shape.c);
}
/* What forms one image's gradient, for layers that ask for tc_step_each_room reals of scratch. */
typedef struct tc_each {
    const void *x, *q; /* begin where libraries like it */
    void *dw, *db;     /* scratch, one behind the other; db NULL: no bias */
} tc_each;
size_t tc_step_each_room(const tc_step *step);
tc_each tc_step_each(const tc_step *step, int i);
/* squares[i] += Σ_j x[i][j]² for x [n][count]; and += Σ_j x[j] y[j] for one image's. */
void tc_step_square_rows(const tc_step *step, int n, size_t count, const void *x, void *squares);
void tc_step_add_inner(const tc_step *step, size_t count, const void *x, const void *y, void *square);
/* What tc_step_gather left. */
static inline const void *tc_step_q(const tc_step *step) {
    return step->q ? step->q : step->dy.term[0];
}

#endif
