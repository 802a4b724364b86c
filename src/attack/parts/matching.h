/* matching.h — gradient matching on one surrogate (Witches' Brew, Geiping et al., arXiv 2009.02276, Eq. 3; SAPA Eq. 9):
 *
 *     φ(x) = 1 − ⟨g_t, g_p(x)⟩ / (‖g_t‖ ‖g_p(x)‖),     g_t = ∇_θ Q,  g_p(x) = ∇_θ L(θ*, x) over the whole batch
 *     u    = ∂φ/∂g_p = −g_t/(‖g_t‖ ‖g_p‖) + ⟨g_t, g_p⟩ g_p/(‖g_t‖ ‖g_p‖³)
 *     ∇_x φ = ∇_x ⟨g_p(x), u⟩ = ġ_x of grad_jvp(θ̇ = u)
 *
 * A batch that is too large for one pass is looked at in pieces: g_p is summed over them first and each is visited
 * again for its ġ_x, which costs one more gradient (10 convolution passes instead of 7) and changes no result. */
#ifndef TC_ATTACK_PARTS_MATCHING_H
#define TC_ATTACK_PARTS_MATCHING_H

#include "attack/parts/lens.h"
#include "train/passes.h"

typedef struct tc_matcher {
    tc_device *device;
    tc_passes *passes; /* borrowed: surrogates of one architecture share them. Made for TC_MATCHER_WANT */
    int piece;         /* the most images of one pass */
    size_t parameters;
    void *theta, *state; /* device reals: the surrogate's */
    void *target;        /* device reals [p]: g_t, to be filled before matching, and then tc_matcher_aimed */
    double target_norm;
    void *g, *u; /* device reals [p] */
    void *dx;    /* device reals [piece] images */
    int64_t gradients, jvps;
} tc_matcher;

enum { TC_MATCHER_WANT = TC_WANT_GRAD_THETA | TC_WANT_JVP_X };

tc_status tc_matcher_create(tc_device *device, const tc_surrogate *surrogate, tc_passes *passes, int piece,
                            tc_matcher *matcher, tc_error *error);
void tc_matcher_free(tc_matcher *matcher);
/* The target has been filled. Its norm is taken now, so that no step waits for it. */
void tc_matcher_aimed(tc_matcher *matcher);

/* What is matched: images [from, from + count) of the lens, all of class `label`. */
typedef struct tc_match_batch {
    const tc_lens *lens;
    const void *pixels;    /* device reals, 0 … 255 */
    const int32_t *labels; /* host [lens->count] */
    size_t from, count;
} tc_match_batch;

/* *phi, on the device, += φ; dpixels (NULL: not wanted) += weight · ∇_pixels φ. A vanished gradient has no direction: φ
 * is 1, as far from matching as a perpendicular one. Nothing is waited for. */
void tc_match(tc_matcher *matcher, const tc_match_batch *batch, double weight, void *dpixels, double *phi);

#endif
