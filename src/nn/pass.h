/* pass.h — one model at one batch size on one device: the preallocated workspace in which losses, gradients and
 * directional derivatives of gradients are computed. Nothing is allocated after tc_pass_create.
 *
 * The caller fills tc_pass_input (and labels or soft targets), then:
 *
 *     tc_pass_grad(pass, θ, state, g_θ, g_x)         L, ∇_θ L, ∇_x L
 *     tc_pass_grad_jvp(pass, θ̇, ẋ, ġ_θ, ġ_x)          d/dε of both at (θ + εθ̇, x + εẋ); exact, forward over reverse
 *                                                     (Pearlmutter 1994); reuses what the last tc_pass_grad left
 *
 * All vectors are device arrays of reals. Formulas: docs/derivatives.md. */
#ifndef TC_NN_PASS_H
#define TC_NN_PASS_H

#include "nn/model.h"

typedef struct tc_pass tc_pass;

typedef enum tc_mode { TC_EVALUATE, TC_TRAIN } tc_mode; /* of batch norm and dropout */

/* What a pass must be able to compute: decides which buffers exist. */
enum {
    TC_WANT_GRAD_THETA = 1,
    TC_WANT_GRAD_X = 2,
    TC_WANT_JVP_THETA = 4,        /* ġ_θ */
    TC_WANT_JVP_X = 8,            /* ġ_x */
    TC_WANT_X_DOT = 16,           /* directions ẋ ≠ 0 will be given */
    TC_WANT_FEATURES = 32,        /* tc_pass_vjp will be called */
    TC_WANT_MANY_DIRECTIONS = 64, /* several tc_pass_grad_jvp after one tc_pass_grad: what they share is kept */
    TC_WANT_EACH = 128,           /* tc_pass_grad_each and tc_pass_grad_sum, beside TC_WANT_GRAD_THETA */
};

typedef struct tc_pass_options {
    int batch;
    tc_mode mode;
    unsigned want; /* 0: forward only */
    tc_loss_kind loss;
    double kappa;      /* of TC_MARGIN */
    bool soft_targets; /* tc_pass_soft instead of tc_pass_labels */
} tc_pass_options;

tc_status tc_pass_create(tc_device *device, const tc_model *model, const tc_pass_options *options, tc_pass **pass,
                         tc_error *error);
void tc_pass_free(tc_pass *pass);

/* To be filled before each call, in place. */
void *tc_pass_input(tc_pass *pass);     /* reals [n][h][w][c] */
int32_t *tc_pass_labels(tc_pass *pass); /* device [n] */
void *tc_pass_soft(tc_pass *pass);      /* reals [n][classes], or NULL */
/* The dropout masks of the next pass in training mode; same stream, same masks. */
void tc_pass_set_stream(tc_pass *pass, tc_stream stream);
/* From then on they come from the stream that is found there, on the device, when the pass runs. NULL: as before. */
void tc_pass_set_pace(tc_pass *pass, const tc_pace *pace);

/* Logits [n][classes] and, if labels are set, losses [n] and their mean. state: running statistics, updated in
 * training mode. */
double tc_pass_forward(tc_pass *pass, const void *theta, void *state);
const void *tc_pass_logits(const tc_pass *pass);

/* The mean loss and its gradients; g_theta [p] and g_x [n][h][w][c] may be NULL where not wanted. */
double tc_pass_grad(tc_pass *pass, const void *theta, void *state, void *g_theta, void *g_x);
/* The same without the loss, for which the host would wait; it may be asked for later. */
void tc_pass_grad_async(tc_pass *pass, const void *theta, void *state, void *g_theta, void *g_x);
double tc_pass_mean_loss(const tc_pass *pass);
/* … or stays on the device, together with how many answers were right: the labels, beside soft targets too. */
void tc_pass_tally(const tc_pass *pass, tc_count *count);
/* … or shall only be known to be a number: if not, the count's loss is none either. */
void tc_pass_watch(const tc_pass *pass, tc_count *count);
/* After tc_pass_grad, whose θ and state must still be there and unchanged. theta_dot, x_dot: directions, NULL for zero.
 * Results may be NULL. A second call after the same gradient computes that again first, unless the pass was made for
 * many directions. */
void tc_pass_grad_jvp(tc_pass *pass, const void *theta_dot, const void *x_dot, void *gdot_theta, void *gdot_x);

/* Gradients of single images, none of which is ever formed for all of θ: their squared norms first, then a sum. Not in
 * training mode with batch normalisation, where no image has a loss of its own.
 * tc_pass_grad_each: the first `count` images' mean loss, and squares[i] = ‖∇_θ ℓ_i‖² (host). The other images are run
 * and count for nothing. tc_pass_grad_sum, after it with θ unchanged: g_theta = Σ_i weights[i] ∇_θ ℓ_i (host). */
double tc_pass_grad_each(tc_pass *pass, const void *theta, int count, double *squares);
void tc_pass_grad_sum(tc_pass *pass, int count, const double *weights, void *g_theta);

/* Features: the value of a node after tc_pass_forward or tc_pass_grad, and vector-Jacobian products from there. */
tc_shape tc_pass_feature_shape(const tc_pass *pass, tc_node node);
void tc_pass_features(const tc_pass *pass, tc_node node, void *features /* NHWC */);
/* After tc_pass_forward, on a pass that wants features: ⟨cotangent, ∂features/∂θ⟩ and …/∂x. `node` is a named value or
 * the logits; cotangent is NHWC. */
void tc_pass_vjp(tc_pass *pass, const void *theta, tc_node node, const void *cotangent, void *g_theta, void *g_x);

size_t tc_pass_bytes(const tc_pass *pass); /* workspace on the device */

#endif
