/* derive.h — derivatives of a model's loss: what every attack here is built on, for whoever builds another.
 *
 * With θ the parameters, x the inputs, y the labels and L the mean loss over the batch,
 *
 *     grad        L,  ∇_θ L,  ∇_x L
 *     grad_jvp    d/dε of ∇_θ L and ∇_x L at (θ + εθ̇, x + εẋ), ε = 0
 *
 * The second is exact: forward over reverse (Pearlmutter, "Fast exact multiplication by the Hessian", 1994), no step
 * to choose. With ẋ = 0 it gives Hθ̇ and the mixed partials ∇_x⟨∇_θ L, θ̇⟩ at once. docs/derivatives.md has the formulas.
 *
 * Vectors over θ are [tocsin_model_size(model, TOCSIN_PARAMETERS)] and ordered as the model's tensors are; those over x
 * are [batch][height][width][channels]. x goes into the first layer as it is given (tocsin_dataset_normalise makes it
 * from images). NaN and infinities are refused. */
#ifndef TOCSIN_DERIVE_H
#define TOCSIN_DERIVE_H

#include "tocsin/device.h"
#include "tocsin/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One model at one batch size on one device, with all the memory that its derivatives need. */
typedef struct tocsin_derivatives tocsin_derivatives;

/* How batch normalisation and dropout behave. */
typedef enum tocsin_mode { TOCSIN_MODE_EVALUATE, TOCSIN_MODE_TRAIN } tocsin_mode;

typedef enum tocsin_loss {
    TOCSIN_CROSS_ENTROPY, /* −log softmax(z)_y */
    TOCSIN_SQUARED_ERROR, /* ½ Σ (z − one-hot(y))² */
    TOCSIN_HINGE,         /* max(0, 1 + max_{i≠y} z_i − z_y): Crammer and Singer 2001 */
    TOCSIN_MARGIN,        /* max(max_{i≠y} z_i − z_y, −kappa): Carlini and Wagner, arXiv 1608.04644 */
} tocsin_loss;

/* A zeroed one is evaluation mode and cross-entropy. */
typedef struct tocsin_derive_options {
    tocsin_mode mode;
    tocsin_loss loss;
    double kappa;  /* of TOCSIN_MARGIN, 0 or more */
    uint64_t seed; /* of the dropout masks; the same in every call */
} tocsin_derive_options;

/* batch: images of each call, 1 … 65536. options: NULL for a zeroed one. Device and model must outlive the result. */
TOCSIN_API tocsin_status tocsin_derivatives_create(tocsin_device *device, const tocsin_model *model, int batch,
                                                   const tocsin_derive_options *options,
                                                   tocsin_derivatives **derivatives, tocsin_error *error);
TOCSIN_API void tocsin_derivatives_free(tocsin_derivatives *derivatives);

/* The loss alone. logits: [batch][classes] or NULL. Here and below the model's weights of the moment of the call are
 * used; its running statistics are read in evaluation mode and never changed. */
TOCSIN_API tocsin_status tocsin_derive_loss(tocsin_derivatives *derivatives, const float *x, const int32_t *labels,
                                            double *loss, float *logits, tocsin_error *error);
/* loss, g_theta, g_x: NULL where not wanted. */
TOCSIN_API tocsin_status tocsin_derive_grad(tocsin_derivatives *derivatives, const float *x, const int32_t *labels,
                                            double *loss, float *g_theta, float *g_x, tocsin_error *error);
/* At the point of the last tocsin_derive_grad, without which it is refused. theta_dot, x_dot: the direction, NULL for
 * zero, not both. gdot_theta, gdot_x: NULL where not wanted. */
TOCSIN_API tocsin_status tocsin_derive_grad_jvp(tocsin_derivatives *derivatives, const float *theta_dot,
                                                const float *x_dot, float *gdot_theta, float *gdot_x,
                                                tocsin_error *error);
/* hv := H v with H = ∇²_θθ L at (x, labels): both calls in one. */
TOCSIN_API tocsin_status tocsin_derive_hvp(tocsin_derivatives *derivatives, const float *x, const int32_t *labels,
                                           const float *v, float *hv, tocsin_error *error);

#ifdef __cplusplus
}
#endif
#endif
