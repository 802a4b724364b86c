/* onlooker.h — a network that looks at a crowd (crowd.h), in evaluation mode: the loss and its gradients with respect
 * to the pixels of the batch that is loaded, from θ itself or from SAPA's neighbourhood of it (sharpness.h).
 *
 * As an objective of θ it is the mean loss of the whole crowd, Q(θ) = Σ_i l(f(x_i + δ_i; θ), y_i)/n, which is what v̂
 * is computed from in SAPA's Algorithms 1 and 4: one gradient of every sample, once for all the steps that follow. */
#ifndef TC_ATTACK_PARTS_ONLOOKER_H
#define TC_ATTACK_PARTS_ONLOOKER_H

#include "attack/parts/crowd.h"
#include "attack/parts/sharpness.h"
#include "train/passes.h"

/* What a gradient costs, where a forward pass of one image costs 1. */
enum { TC_GRADIENT_WORK = 3 };

typedef struct tc_onlooker {
    tc_objective q; /* the crowd's mean loss; loads its batches one after the other */
    tc_crowd *crowd;
    const tc_model *model;
    const int32_t *towards; /* [classes]: the class that images of a class are held against; NULL: their own */
    /* Told after each batch of tc_onlooker_aim and tc_onlooker_judge, which take long where the crowd is large, how
     * much was done, in forward passes of one image. True ends them. NULL: nobody is told. */
    bool (*glance)(void *context, double work);
    void *context; /* of glance */
    tc_passes passes;
    tc_sharpness sharpness;
    void *theta, *state; /* device reals, the network's; whoever trains it changes them in place */
    void *g, *part;      /* device reals [p] */
    void *dx;            /* device reals [batch] images */
    int32_t *labels;     /* host [batch] */
    float *logits;       /* host [batch][classes] */
} tc_onlooker;

/* Looks with `weights`. The crowd must stay where it is. */
tc_status tc_onlooker_create(tc_crowd *crowd, const tc_model *model, const tc_weights *weights,
                             const tc_sharpness_options *sharpness, tc_stream stream, tc_onlooker *onlooker,
                             tc_error *error);
void tc_onlooker_free(tc_onlooker *onlooker);

/* Finds the point from which tc_onlooker_look looks, for the θ and the δ of now. */
void tc_onlooker_aim(tc_onlooker *onlooker);
/* Of the batch's mean loss, averaged over the points: crowd->gradient += weight · its ∇_pixels, *loss += it. loss NULL:
 * nobody waits for it. */
void tc_onlooker_look(tc_onlooker *onlooker, double weight, double *loss);

/* each [n] += weight · the losses of the batch's images one by one, without augmentation, from θ + v̂ with worst-case
 * and from θ itself otherwise: attempts are compared from one place. */
void tc_onlooker_each(tc_onlooker *onlooker, double weight, double *each);

typedef struct tc_sight {
    double loss, error; /* mean loss; share that the network does not take for the class it is held against */
} tc_sight;
/* Of the whole crowd at θ itself, without augmentation. */
tc_sight tc_onlooker_judge(tc_onlooker *onlooker);

/* What a crowd of `poisons` takes (attack.h): one step of all its pixels, and finding v̂ before. */
typedef struct tc_crowd_work {
    double step, aim;
} tc_crowd_work;
tc_crowd_work tc_crowd_work_of(const tc_sharpness_options *sharpness, double poisons);

#endif
