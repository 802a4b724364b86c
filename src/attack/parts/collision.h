/* collision.h — feature collision on one surrogate, and averaged over several.
 *
 * f is what the network computes up to a named value, in evaluation mode: "features", the last one before the
 * classifier, or a list of them. Poison j is for target j mod T where there are several targets, unless these are
 * `merged`, their features averaged into one.
 *
 *     each   F(δ; θ) = Σ_l Σ_j ‖f_l(p_j) − f_l(t_j)‖² / (L n)               every poison has a distance of its own
 *     mean   F(δ; θ) = Σ_l Σ_t ½ ‖mean_{j for t} f_l(p_j) − f_l(t)‖² / ‖f_l(t)‖² / (L T)
 *
 * F is also the Q of SAPA for these attacks, as a function of θ: the collision is to hold for the weights around θ*,
 * not only for θ* itself, and in both images, so ∇_θ F has the poisons' share and the targets' share. The targets are
 * looked at in the same pass as the poisons; so a look with a gradient, for δ or for θ, is one forward and one backward
 * pass for every `piece` poisons and layer, and a worst case costs one look more. */
#ifndef TC_ATTACK_PARTS_COLLISION_H
#define TC_ATTACK_PARTS_COLLISION_H

#include "attack/parts/lens.h"
#include "attack/parts/sharpness.h"
#include "attack/parts/snapshot.h"
#include "train/passes.h"

typedef enum tc_collision_kind { TC_COLLIDE_EACH, TC_COLLIDE_MEAN } tc_collision_kind;

enum { TC_MAX_LAYERS = 16 };

typedef struct tc_collision_options {
    tc_collision_kind kind;
    const char *layers; /* names, with commas between them; "all": every named value */
    bool merged;        /* only with TC_COLLIDE_MEAN */
    int piece;          /* the most poisons of one pass */
} tc_collision_options;

/* One surrogate's. */
typedef struct tc_collision {
    tc_objective q; /* F as a function of θ, for the pixels of now */
    tc_device *device;
    tc_collision_options options;
    const tc_lens *lens;
    const void *pixels; /* device reals [poisons] images, 0 … 255 */
    size_t poisons, targets, aims;
    int piece, layers;
    tc_node node[TC_MAX_LAYERS];
    size_t width[TC_MAX_LAYERS]; /* values of a layer for one image */
    tc_passes passes;            /* of piece + targets images */
    tc_sharpness sharpness;
    void *theta, *state;
    void *seen;           /* device reals [targets] images, as the network gets them */
    void *rows;           /* device reals [piece + targets][widest] */
    void *part, *g;       /* device reals [p]: of a piece, of all; NULL without sharpness */
    void *dx;             /* device reals [piece + targets] images */
    double *row;          /* host [piece + targets][widest]: features, then cotangents */
    double *middle, *aim; /* host [aims][widest]: the poisons' means, the targets' features */
    double *each;         /* host [poisons]; the collider's */
} tc_collision;

/* All of the job's surrogates. */
typedef struct tc_collider {
    const tc_craft_job *job;
    tc_lens lens;
    tc_collision *at; /* [surrogate_count] */
    double *each;     /* host [poisons]: of TC_COLLIDE_EACH, each poison's own distance at the last look */
} tc_collider;

/* Refuses layers that one of the surrogates does not have: before they are trained, and when a collider is made. */
tc_status tc_collision_check(const tc_craft_job *job, const char *layers, tc_error *error);

/* `pixels` (device reals, [poisons][h][w][c]) is where every look finds the poisons; shift and flip are the lens's. */
tc_status tc_collider_create(const tc_craft_job *job, const tc_collision_options *options,
                             const tc_sharpness_options *sharpness, double shift, bool flip, const void *pixels,
                             tc_collider *collider, tc_error *error);
void tc_collider_free(tc_collider *collider);

/* F, or F^S, averaged over the surrogates. dpixels (NULL: not wanted) := its gradient for TC_COLLIDE_MEAN, and for
 * TC_COLLIDE_EACH each poison's gradient of its own distance. */
double tc_collider_look(tc_collider *collider, void *dpixels);

/* F at θ* itself, without sharpness. */
double tc_collider_value(tc_collider *collider);

/* Of one look with a gradient at one surrogate, in `layers` and with that sharpness (attack.h). */
double tc_collision_work(const tc_craft_job *job, const char *layers, int batch, const tc_sharpness_options *sharpness);

/* What looks have spent, and how many random points they have looked from: pieces of a snapshot, so many for each
 * surrogate. */
enum { TC_COLLIDER_PIECES = 2 };
void tc_collider_keep(tc_collider *collider, tc_snapshot *snapshot);

void tc_collider_spent(const tc_collider *collider, tc_craft_report *report);

#endif
