/* device.h — a device and its kernel table: everything in Tocsin that differs between processors.
 *
 * Layers, losses, optimisers and attacks are written once over this table. A device's numbers are all of one type
 * ("real": float on `cpu` and `cuda`, double on `reference`), addressed by untyped pointers that only kernels
 * dereference; tc_at() does the arithmetic. A new device is one folder under compute/ that fills in one tc_kernels; it
 * may be built apart from the rest (plugin.h). C and C++ both read this header.
 *
 * Conventions: x value, y result, d… cotangent (gradient of the loss), …_t tangent (derivative along a direction).
 * Kernels overwrite their results unless `accumulate` says to add. Sizes are given in brackets. No kernel allocates.
 *
 * Activations and their cotangents, which come with a tc_shape, are reals unless it says half. Only a device with
 * `halves` meets that, in the maps forward and backward of convolution, batch norm, activation, pooling, concat, slice,
 * scale, flatten, the sums and the layout moves; never in a tangent. Whatever else a kernel is given (parameters,
 * statistics, sums by channel, factors) are reals always. */
#ifndef TC_COMPUTE_DEVICE_H
#define TC_COMPUTE_DEVICE_H

#include "base/error.h"
#include "base/random.h"
#include "compute/shape.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct tc_device tc_device;
typedef struct tc_kernels tc_kernels;

enum { TC_MAX_TERMS = 8 };

/* A tensor that arrives as addends which nobody has added up yet: the cotangent of a value with several users. */
typedef struct tc_sum {
    int count; /* 1 … TC_MAX_TERMS */
    const void *term[TC_MAX_TERMS];
} tc_sum;

static inline tc_sum tc_one(const void *term) {
    const tc_sum sum = {1, {term}};
    return sum;
}

/* ---- convolution: z = W ∗ a + b, planned once per geometry ---- */

typedef struct tc_convolution {
    tc_shape in, out; /* of the forward direction; in.n == out.n */
    int kernel, stride, padding, groups;
    bool bias;
    bool relu;         /* forward ends in max(0, z); needs no accumulation there */
    bool first;        /* backward_data will not be asked for */
    bool forward_only; /* neither will backward_weights */
    bool direct;       /* no algorithm that trades exactness for speed (Winograd) */
    bool tangents;     /* the second set of packed weights, Ẇ, will be asked for */
} tc_convolution;

/* For conv_create: whether shapes and window belong together. */
tc_status tc_convolution_check(const tc_convolution *geometry, tc_error *error);

typedef struct tc_conv_plan tc_conv_plan;
enum { TC_WEIGHTS = 0, TC_WEIGHTS_T = 1 }; /* which packed weights: W or its tangent Ẇ */

/* ---- matrix product: C[m][n] = op(A) op(B) + row bias, planned once per size; row-major ---- */

typedef struct tc_product {
    int m, n, k;
    bool transpose_a, transpose_b; /* A is [k][m] / B is [n][k] in memory */
    bool bias;                     /* bias[n] is added to every row */
    bool relu;                     /* then max(0, ·) */
    bool accumulate;               /* C += instead of C = */
} tc_product;

typedef struct tc_product_plan tc_product_plan;

/* ---- batch normalisation, with the residual sum and the ReLU that usually follow it:
 *      y = act(γ (z − μ)/σ + β + residual), σ = √(var + ε). Formulas: docs/derivatives.md ---- */

typedef struct tc_norm {
    tc_shape shape;
    bool training; /* statistics of the batch, else the running ones */
    bool relu;
    double epsilon, momentum;
    /* forward */
    const void *z, *residual; /* residual: NULL for none */
    void *y;
    const void *gamma, *beta;         /* [c] */
    void *running_mean, *running_var; /* [c]; updated in training (unbiased variance, as PyTorch) unless NULL there */
    void *mean, *inv_std;             /* [c]; results that the other three maps read */
    /* backward */
    tc_sum dy;
    void *q; /* dy summed and masked by the ReLU: also the residual's cotangent. May be
                the buffer of dy.term[0]. NULL: dy has one term and no ReLU; that term is q */
    void *dz;
    void *dgamma, *dbeta; /* [c]; may be NULL in evaluation mode, and then z is not read */
    /* tangent of forward */
    const void *z_t, *residual_t; /* NULL: zero */
    void *y_t;
    const void *gamma_t, *beta_t; /* [c]; NULL: zero */
    void *mean_t, *ratio_t;       /* [c]; results: μ̇ and σ̇/σ, read by the tangent of backward */
    /* tangent of backward; q, dgamma and dbeta hold what backward left */
    tc_sum dy_t;
    void *q_t; /* as q, for dy_t */
    void *dz_t;
    void *dgamma_t, *dbeta_t; /* [c]; may be NULL in evaluation mode, and then neither z nor z_t is read */
} tc_norm;

/* ---- transformers: layer normalisation of rows, softmax attention. Formulas: docs/derivatives.md ---- */

enum { TC_LAYER_NORM_PARTS = 32 };

typedef struct tc_layer_norm {
    int rows, c;
    double epsilon;
    const void *x;            /* [rows][c]: rows of channels, whatever they belong to */
    const void *gamma, *beta; /* [c] */
    void *y;
    void *mean, *inv_std; /* [rows]; results that the other three maps read */
    const void *q;        /* cotangent of y */
    void *dx;             /* NULL: not wanted */
    void *dgamma, *dbeta; /* [c]; NULL: not wanted */
    const void *x_t;      /* NULL: zero */
    void *y_t;
    const void *gamma_t, *beta_t; /* [c]; NULL: zero */
    const void *q_t;
    void *dx_t;               /* as dx */
    void *dgamma_t, *dbeta_t; /* as dgamma, dbeta */
    void *sums;               /* room: [2 · TC_LAYER_NORM_PARTS + 1][c], zeroed when it was made */
} tc_layer_norm;

/* y = softmax(q kᵀ/√d) v for each of `heads` heads of d = width/heads channels, over the tokens of an image. */
typedef struct tc_attention {
    int n, tokens, heads, width;
    const void *x; /* [n][tokens][3·width]: q, k and v of all heads */
    void *y;       /* [n][tokens][width] */
    const void *dy;
    void *dx;
    const void *x_t; /* NULL, in the tangent of backward: zero */
    void *y_t;
    const void *dy_t;
    void *dx_t;
    void *room; /* [attention_room()] */
} tc_attention;

/* ---- element-wise functions ---- */

typedef enum tc_activation_kind { TC_RELU, TC_LEAKY_RELU, TC_RELU6, TC_SIGMOID, TC_TANH, TC_GELU } tc_activation_kind;

/* ---- pooling ---- */

typedef struct tc_pool {
    tc_shape in, out;
    int kernel, stride, padding; /* average pooling counts the padding, as PyTorch's default */
    bool relu; /* max pooling: x ends in a ReLU, and where the maximum is 0 nothing flows: no winner */
} tc_pool;

/* ---- losses on logits z [n][classes]; value per sample, then ∂(weight·value)/∂z ---- */

typedef enum tc_loss_kind {
    TC_CROSS_ENTROPY, /* −Σ t log softmax(z) */
    TC_SQUARED_ERROR, /* ½ Σ (z − t)² */
    TC_HINGE,         /* Crammer and Singer: max(0, 1 + max_{i≠y} z_i − z_y) */
    TC_MARGIN,        /* Carlini and Wagner: max(max_{i≠y} z_i − z_y, −κ) */
} tc_loss_kind;

typedef struct tc_loss {
    tc_loss_kind kind;
    double kappa; /* TC_MARGIN: confidence κ ≥ 0 */
    int n, classes;
    const void *logits;    /* [n][classes] */
    const int32_t *labels; /* [n], 0 … classes−1; ignored where soft is given */
    const void *soft;      /* [n][classes] target distribution, or NULL; cross-entropy and squared error only */
    double weight;         /* of each sample's value in the total, 1/n for the mean */
} tc_loss;

/* ---- images: translation by (dx, dy) pixels, bilinear and zero outside, after an optional left-right flip ---- */

typedef struct tc_warp {
    float dx, dy;
    int32_t flip;
} tc_warp;

/* ---- within a batch: a rectangle of image n becomes keep · itself + take · image `from` of the same batch ---- */

typedef struct tc_blend {
    uint32_t from;
    int32_t top, left, bottom, right; /* rows top … bottom − 1, columns left … right − 1 */
    float keep, take;
} tc_blend;

/* … and what its label becomes: share[0] of label[0], which is the answer, and share[1] of label[1] */
typedef struct tc_target {
    int32_t label[2];
    float share[2];
} tc_target;

/* ---- steps of a training that a device takes by itself: what is new in each of them lies there beforehand, for a
 * whole epoch ---- */

/* What a step reads that is another in the next. */
typedef struct tc_pace {
    double rate;
    double along, unbias, shrink; /* Adam's (tc_adam_pace) */
    uint64_t dropout;             /* key of the stream whose children draw this step's masks */
    uint64_t variant;             /* … and whatever else a step draws on the device */
} tc_pace;

/* How far an epoch has come. */
typedef struct tc_count {
    int64_t steps, correct;
    double loss; /* Σ over the samples; not finite: training has diverged */
} tc_count;

/* An epoch. All that is pointed to is on the device. */
typedef struct tc_walk {
    int batch;        /* samples of a step; the last may have fewer */
    int32_t *answers; /* [images]: their labels */
    uint32_t *order;  /* [samples]: which image comes when */
    tc_warp *warps;   /* [samples]: and how; NULL: as it is */
    tc_pace *paces;   /* [steps] */
    tc_count *count;
    uint32_t *index; /* [batch]: this step's part of all that */
    tc_warp *warp;   /* [batch] */
    tc_pace *pace;
} tc_walk;

/* What was asked of a device between record_begin and record_end. */
typedef struct tc_recording tc_recording;

typedef struct tc_sgd {
    double rate, momentum, weight_decay;
    bool nesterov;
    const tc_pace *pace; /* on the device: the rate is there; NULL: it is here */
} tc_sgd;

typedef struct tc_adam {
    double rate, beta1, beta2, epsilon, weight_decay;
    bool decoupled;       /* AdamW */
    bool signed_gradient; /* the gradient is replaced by its sign (Witches' Brew's signed Adam) */
    int64_t step;         /* 1 for the first */
    const tc_pace *pace;  /* on the device: what follows from rate and step is there; NULL: they are here */
} tc_adam;

/* θ := shrink θ − along m/(√v unbias + ε): the factors that undo the start of m and v at zero, and the decay apart. */
static inline tc_pace tc_adam_pace(const tc_adam *adam) {
    const double steps = (double)adam->step;
    const tc_pace pace = {adam->rate,
                          adam->rate / (1 - pow(adam->beta1, steps)),
                          1 / sqrt(1 - pow(adam->beta2, steps)),
                          adam->decoupled ? 1 - adam->rate * adam->weight_decay : 1,
                          0,
                          0};
    return pace;
}

typedef struct tc_dropout {
    double rate;
    tc_stream stream;    /* the mask's own, unless … */
    const tc_pace *pace; /* … not NULL, on the device: it is tc_stream_child(that of pace->dropout, "layer", layer) */
    uint64_t layer;
} tc_dropout;

struct tc_kernels {
    /* Whether everything asked of the device so far was done; kernels have no status of their own, because a device may
     * find out later. NULL: a device that cannot fail. Waits for the device. */
    tc_status (*health)(tc_device *device, tc_error *error);
    /* From now on the calling thread uses the device, which another one has opened or used. NULL: whoever wants to may.
     */
    void (*enter)(tc_device *device);

    /* memory */
    tc_status (*allocate)(tc_device *device, size_t bytes, void **memory,
                          tc_error *error); /* zeroed, 64-byte aligned */
    void (*release)(tc_device *device, void *memory);
    void (*upload_float)(tc_device *device, void *to, const float *from, size_t count);
    void (*upload_double)(tc_device *device, void *to, const double *from, size_t count);
    void (*download_float)(tc_device *device, float *to, const void *from, size_t count);
    void (*download_double)(tc_device *device, double *to, const void *from, size_t count);
    void (*upload_bytes)(tc_device *device, void *to, const void *from, size_t bytes);
    void (*download_bytes)(tc_device *device, void *to, const void *from, size_t bytes);

    /* vectors */
    void (*fill)(tc_device *device, size_t count, double value, void *y);
    void (*copy)(tc_device *device, size_t count, const void *x, void *y);
    void (*axpby)(tc_device *device, size_t count, double a, const void *x, double b,
                  void *y); /* y = a x + b y; b == 0 ignores y */
    void (*multiply)(tc_device *device, size_t count, const void *a, const void *b, void *y, bool accumulate);
    double (*sum)(tc_device *device, size_t count, const void *x);
    double (*dot)(tc_device *device, size_t count, const void *x, const void *y);
    double (*sum_power)(tc_device *device, size_t count, double p, const void *x); /* Σ|x|^p; p = INFINITY: max|x| */
    void (*sign_power)(tc_device *device, size_t count, double a, double p, const void *x,
                       void *y); /* a sign(x)|x|^p; p = 0: a sign(x) */
    void (*normal)(tc_device *device, size_t count, tc_stream stream, double sigma, void *y);
    void (*uniform)(tc_device *device, size_t count, tc_stream stream, double low, double high, void *y);
    /* from tc_stream_child(that of pace->variant, purpose, 0), where pace is on the device */
    void (*uniform_paced)(tc_device *device, size_t count, const tc_pace *pace, const char *purpose, double low,
                          double high, void *y);
    void (*clamp)(tc_device *device, size_t count, double low, double high, void *y);
    /* y = x + ρ g/‖g‖₂, or x where g is zero; nobody waits for the norm */
    void (*ascend)(tc_device *device, size_t count, double rho, const void *g, const void *x, void *y);
    /* φ = 1 − ⟨t, g⟩/(‖t‖ ‖g‖), norm = ‖t‖: *phi, on the device, += φ; u := ∂φ/∂g (NULL: not wanted). 1 and zero where
     * t or g is zero */
    void (*cosine)(tc_device *device, size_t count, double norm, const void *t, const void *g, void *u, double *phi);

    /* optimisers: one step in place */
    void (*sgd_step)(tc_device *device, size_t count, const tc_sgd *sgd, const void *gradient, void *velocity,
                     void *theta);
    void (*adam_step)(tc_device *device, size_t count, const tc_adam *adam, const void *gradient, void *m, void *v,
                      void *theta);

    /* convolution; weights are OIHW (O, I/groups, kernel, kernel) in the flat vector */
    tc_status (*conv_create)(tc_device *device, const tc_convolution *geometry, tc_conv_plan **plan, tc_error *error);
    void (*conv_destroy)(tc_device *device, tc_conv_plan *plan);
    void (*conv_pack)(tc_conv_plan *plan, int which, const void *weights);
    void (*conv_forward)(tc_conv_plan *plan, int which, const void *x, const void *bias, void *z, bool accumulate);
    void (*conv_backward_data)(tc_conv_plan *plan, int which, const void *dz, void *dx);
    void (*conv_backward_weights)(tc_conv_plan *plan, const void *x, const void *dz, void *dw, void *db,
                                  bool accumulate);
    /* squares[i] += ‖dw‖², and ‖db‖² where the geometry has a bias, of what image i alone would give. Asked for only
     * where out is abreast: NULL on a device that lays nothing so. */
    void (*conv_squares)(tc_conv_plan *plan, const void *x, const void *dz, void *squares /* [images abreast] */);

    tc_status (*product_create)(tc_device *device, const tc_product *geometry, tc_product_plan **plan, tc_error *error);
    void (*product_destroy)(tc_device *device, tc_product_plan *plan);
    void (*product_run)(tc_product_plan *plan, const void *a, const void *b, const void *bias, void *c);
    void (*column_sums)(tc_device *device, int rows, int columns, const void *x, void *y,
                        bool accumulate); /* y[c] = Σ_r x[r][c] */
    void (*channel_sums)(tc_device *device, tc_shape shape, const void *x, void *y,
                         bool accumulate);                                             /* y[c] over n, h, w */
    void (*channel_add)(tc_device *device, tc_shape shape, const void *bias, void *y); /* y += bias[c] */

    void (*norm_forward)(tc_device *device, const tc_norm *norm);
    void (*norm_backward)(tc_device *device, const tc_norm *norm);
    void (*norm_forward_tangent)(tc_device *device, const tc_norm *norm);
    void (*norm_backward_tangent)(tc_device *device, const tc_norm *norm);

    void (*layer_norm)(tc_device *device, const tc_layer_norm *norm);
    void (*layer_norm_backward)(tc_device *device, const tc_layer_norm *norm);
    void (*layer_norm_tangent)(tc_device *device, const tc_layer_norm *norm);
    void (*layer_norm_backward_tangent)(tc_device *device, const tc_layer_norm *norm);
    size_t (*attention_room)(tc_device *device, const tc_attention *attention); /* reals that the four maps work in */
    void (*attention)(tc_device *device, const tc_attention *attention);
    void (*attention_backward)(tc_device *device, const tc_attention *attention);
    void (*attention_tangent)(tc_device *device, const tc_attention *attention);
    void (*attention_backward_tangent)(tc_device *device, const tc_attention *attention);

    void (*add)(tc_device *device, tc_shape shape, tc_sum terms, void *y);      /* y may be a term */
    void (*add_relu)(tc_device *device, tc_shape shape, tc_sum terms, void *y); /* y = max(0, Σ terms); likewise */
    /* y = f(x); dx = f′(x) Σdy; y_t = f′(x) x_t; dx_t = f′(x) Σdy_t + f″(x) x_t Σdy. Piecewise linear kinds read only
     * y (x may be NULL or share y's buffer); the smooth ones read x. dx may be dy.term[0]. x_t == NULL: zero. */
    void (*activation)(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape, const void *x,
                       void *y);
    void (*activation_backward)(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape, const void *x,
                                const void *y, tc_sum dy, void *dx);
    void (*activation_tangent)(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape, const void *x,
                               const void *y, const void *x_t, void *y_t);
    void (*activation_backward_tangent)(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape,
                                        const void *x, const void *y, const void *x_t, tc_sum dy, tc_sum dy_t,
                                        void *dx_t);

    /* pooling; `winner` [out count] holds, per output, the position y·w + x of its maximum (the first, as PyTorch),
     * −1 for none */
    void (*max_pool)(tc_device *device, const tc_pool *pool, const void *x, void *y, int32_t *winner);
    void (*max_pool_gather)(tc_device *device, const tc_pool *pool, const int32_t *winner, const void *x_t, void *y_t);
    void (*max_pool_scatter)(tc_device *device, const tc_pool *pool, const int32_t *winner, tc_sum dy, void *dx);
    void (*average_pool)(tc_device *device, const tc_pool *pool, const void *x, void *y);
    void (*average_pool_backward)(tc_device *device, const tc_pool *pool, tc_sum dy, void *dx);

    /* channels [at, at + part.c) of whole := part, and back */
    void (*concat)(tc_device *device, tc_shape part, tc_shape whole, int at, const void *x, void *y);
    void (*slice)(tc_device *device, tc_shape whole, tc_shape part, int at, tc_sum x, void *y);
    /* y = x scaled per image and channel by s [n][c], y may be x; and its reduction ds[n][c] = Σ_hw x dy */
    void (*scale)(tc_device *device, tc_shape shape, const void *x, const void *s, void *y, bool accumulate);
    void (*scale_reduce)(tc_device *device, tc_shape shape, const void *x, const void *dy, void *ds, bool accumulate);
    /* between an activation and the [n][c·h·w] rows in PyTorch's (c, h, w) order */
    void (*flatten)(tc_device *device, tc_shape shape, const void *x, void *y);
    void (*unflatten)(tc_device *device, tc_shape shape, tc_sum y, void *x);
    /* between NHWC and the shape's own layout */
    void (*to_layout)(tc_device *device, tc_shape shape, const void *nhwc, void *x);
    void (*from_layout)(tc_device *device, tc_shape shape, const void *x, void *nhwc);
    /* mask := 0 or 1/(1−rate); element i in NHWC order from element i of the stream, whatever the layout */
    void (*dropout_mask)(tc_device *device, tc_shape shape, const tc_dropout *dropout, void *mask);

    void (*loss)(tc_device *device, const tc_loss *loss, void *value /* [n] */,
                 void *dz /* [n][classes]; NULL: not wanted */);
    void (*loss_tangent)(tc_device *device, const tc_loss *loss, const void *logits_t, void *dz_t);

    /* steps: index, warp and pace of step number count->steps, n samples, and the labels that go with them; */
    void (*next_step)(tc_device *device, const tc_walk *walk, int n, int32_t *labels /* [n] */);
    /* … and of a table with `size` bytes (a multiple of 4) for each sample of the epoch, those of this step's n */
    void (*next_rows)(tc_device *device, const tc_walk *walk, int n, size_t size, const void *rows, void *row);
    /* … and after its loss: count += what it says of right answers and its mean value, times n; one step more */
    void (*tally)(tc_device *device, const tc_loss *loss, const void *value /* [n] */, tc_count *count);
    /* count->loss := NaN unless Σ value is finite */
    void (*watch)(tc_device *device, size_t n, const void *value /* [n] */, tc_count *count);

    /* From begin to end nothing is done but everything kept, to be done by each replay: the same kernels with the same
     * numbers at the same places. It must not allocate, wait, or bring anything from the host or to it: record_end
     * refuses that, and the device is as it was before. Replays may lag behind the host, but not far. All NULL on
     * devices on which a kernel is called as fast as replayed. */
    tc_status (*record_begin)(tc_device *device, tc_error *error);
    tc_status (*record_end)(tc_device *device, tc_recording **recording, tc_error *error);
    void (*replay)(tc_device *device, tc_recording *recording);
    void (*recording_free)(tc_device *device, tc_recording *recording);

    /* images, NHWC */
    void (*load_images)(tc_device *device, tc_shape shape, const uint8_t *images /* [·][h][w][c] on the device */,
                        const uint32_t *index /* [n] */, const tc_warp *warp /* [n], whole pixels; NULL: none */,
                        const float *mean, const float *std /* [c], of pixel/255 */, void *x);
    void (*warp)(tc_device *device, tc_shape shape, const tc_warp *warp /* [n] */, const void *x, void *y);
    void (*warp_adjoint)(tc_device *device, tc_shape shape, const tc_warp *warp, const void *dy, void *dx);
    void (*blend)(tc_device *device, tc_shape shape, const tc_blend *blend /* [n] */, const void *x,
                  void *y); /* y may be x where nothing is taken from others (take = 0) */
    void (*blend_labels)(tc_device *device, int n, int classes, const tc_target *target /* [n] */,
                         int32_t *labels /* [n] */, void *soft /* [n][classes] */);
    void (*normalise)(tc_device *device, tc_shape shape, const float *mean, const float *std,
                      const void *pixels /* 0…255 */, void *x); /* x = (pixels/255 − mean)/std */
    void (*normalise_adjoint)(tc_device *device, tc_shape shape, const float *std, const void *dx, void *dpixels);
    /* delta := clamp(delta, ±epsilon), then base + delta into [0, 255]; base are 8-bit pixels */
    void (*project)(tc_device *device, size_t count, double epsilon, const uint8_t *base, void *delta);
};

/* What convolutions and matrix products may do with the reals they multiply; sums are kept in single precision or
 * better. With the last, activations that only training sees may be kept so rounded (tc_shape.half). */
typedef enum tc_precision {
    TC_F32_MATHS,  /* nothing */
    TC_TF32_MATHS, /* round them to 11 significant bits */
    TC_BF16_MATHS, /* round them to 8 */
} tc_precision;

typedef struct tc_device_options {
    const char *name;       /* "cpu", "reference", "cuda" */
    int threads;            /* of the processor; ≤ 0: all cores */
    int index;              /* which one of several: a GPU's number; −1: number … */
    int turn;               /* … turn, counted round, so that workers numbered from 0 spread over what is there */
    tc_precision precision; /* `cuda` only; the others compute in full */
    bool fastest; /* `cuda` only: algorithms whose results differ in the last bits from run to run may be taken */
} tc_device_options;

struct tc_device {
    const char *name; /* "cpu", "reference", "cuda" */
    const tc_kernels *k;
    size_t element;    /* bytes of a real: 4 or 8 */
    bool halves;       /* keeps activations in bf16 where a shape says so, and wants it */
    int channel_block; /* panel width the convolutions like; 0: plain NHWC only */
    int abreast;       /* images side by side (shape.h) in networks of at most abreast_channels channels and … */
    int abreast_channels, abreast_kernel; /* … windows of at most abreast_kernel. 0: never. Taken by convolutions,
                                             poolings, activations, dropout, flatten and the two layout moves */
    int threads;
    bool recording;      /* between record_begin and record_end */
    bool tracked;        /* within a call that is recorded, or will be (track.h) */
    uint64_t unrecorded; /* so often that was refused */
    char remark[160];    /* of the backend, on what it was asked to plan; "": none. Whoever makes passes says it, … */
    bool remarked;       /* … once */
    tc_device_options options;
    uint64_t allocations;     /* how often allocate or …_create was called: must stand still while training */
    size_t bytes, peak_bytes; /* on the device, now and at most */
    void *state;              /* the backend's own */
    void (*close)(tc_device *device);
};

/* What somebody who repeats a result has to know of a device beside the processor. */
typedef struct tc_device_facts {
    int count;             /* how many there are to choose from; 1 for a processor */
    char description[256]; /* GPU, driver, libraries; "" for a processor */
} tc_device_facts;

/* Whether tc_device_open_with would find its device, and what that is. A GPU is not opened for it: that would take some
 * of its memory as long as the process lives. */
tc_status tc_device_look(const tc_device_options *options, tc_device_facts *facts, tc_error *error);
/* Free with tc_device_close. TC_INVALID: not known, or not on this machine. */
tc_status tc_device_open_with(const tc_device_options *options, tc_device **device, tc_error *error);
/* The same with everything but the name and the threads as they come. */
tc_status tc_device_open(const char *name, int threads, tc_device **device, tc_error *error);
void tc_device_close(tc_device *device);

static inline tc_status tc_device_health(tc_device *device, tc_error *error) {
    return device->k->health ? device->k->health(device, error) : TC_OK;
}

static inline void tc_device_enter(tc_device *device) {
    if (device->k->enter) device->k->enter(device);
}

/* Element `offset` of a device array of reals. */
static inline void *tc_at(const tc_device *device, const void *base, size_t offset) {
    return (char *)(uintptr_t)base + offset * device->element;
}

/* Bytes of an activation. */
static inline size_t tc_shape_bytes(const tc_device *device, tc_shape shape) {
    return tc_shape_count(shape) * (shape.half ? 2 : device->element);
}

/* *pointer, a pointer to any type, := zeroed memory on the device; NULL where there is none. */
tc_status tc_device_bytes(tc_device *device, size_t bytes, void *pointer, tc_error *error);
/* The same, with what `data` of the host holds in it. */
tc_status tc_device_copy(tc_device *device, const void *data, size_t bytes, void *pointer, tc_error *error);
/* The same as tc_device_bytes, of `count` reals. */
tc_status tc_device_reals(tc_device *device, size_t count, void *pointer, tc_error *error);
/* *index := 0, 1, … count - 1 on the device: a batch's images in the order in which they lie. */
tc_status tc_device_order(tc_device *device, size_t count, uint32_t **index, tc_error *error);

#endif
