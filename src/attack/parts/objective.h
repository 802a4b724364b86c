/* objective.h — the adversarial objective Q(θ): what the attacker wants the victim's parameters to make small.
 *
 * An attack sees two things of it, its value and its gradient at any θ; how the value comes about is the objective's
 * own business. A new objective is a struct that begins with tc_objective and a function that makes it. */
#ifndef TC_ATTACK_PARTS_OBJECTIVE_H
#define TC_ATTACK_PARTS_OBJECTIVE_H

#include "attack/attack.h"

typedef struct tc_objective tc_objective;
struct tc_objective {
    size_t parameters; /* p */
    int64_t gradients; /* grad passes spent so far */
    /* Returns Q(θ); g := ∇_θ Q. Both are device reals [p]. */
    double (*gradient)(tc_objective *objective, const void *theta, void *g);
    void (*free)(tc_objective *objective);
};

static inline void tc_objective_free(tc_objective *objective) {
    if (objective) objective->free(objective);
}

/* Mean cross-entropy of `count` 8-bit images [count][h][w][c] towards `labels`, surrogate in evaluation mode with the
 * running statistics `state` (device reals; borrowed). Eq. 3 and 16 of SAPA up to the constant factor 1/count, which
 * neither a cosine nor v̂ can see. */
tc_status tc_image_objective(tc_device *device, const tc_model *model, void *state, const tc_dataset *dataset,
                             const uint8_t *images, const int32_t *labels, size_t count, tc_objective **objective,
                             tc_error *error);

/* The same for a threat's targets towards the intended class, with Carlini and Wagner's loss: the mean of
 * max(max_{i≠y} z_i − z_y, −κ). */
tc_status tc_target_margin(tc_device *device, const tc_model *model, void *state, const tc_dataset *dataset,
                           const tc_threat *threat, double kappa, tc_objective **objective, tc_error *error);

#endif
