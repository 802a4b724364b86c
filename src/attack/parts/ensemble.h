/* ensemble.h — gradient matching averaged over K surrogates: architectures × initialisations (SAPA's E&R).
 *
 * Each surrogate has a gradient g_t to match; surrogates of one architecture share the passes. */
#ifndef TC_ATTACK_PARTS_ENSEMBLE_H
#define TC_ATTACK_PARTS_ENSEMBLE_H

#include "attack/parts/matching.h"
#include "attack/parts/sharpness.h"
#include "attack/parts/snapshot.h"

typedef struct tc_ensemble {
    const tc_craft_job *job;
    size_t batch;        /* images matched together */
    double memory;       /* MiB that one pass may take */
    int piece;           /* the most images of one pass, over all surrogates */
    tc_passes *passes;   /* [K]; empty where an earlier surrogate has the same model */
    tc_matcher *matcher; /* [K] */
    double *phi;         /* on the device: what the last match came to, over … */
    int terms;           /* … so many surrogates and batches */
    int64_t gradients;   /* spent on the objective */
} tc_ensemble;

/* For the job's poisons in batches of `batch`; refuses a job without surrogates or with such as do not fit the data. */
tc_status tc_ensemble_create(const tc_craft_job *job, size_t batch, double memory, tc_ensemble *ensemble,
                             tc_error *error);
void tc_ensemble_free(tc_ensemble *ensemble);

/* g_t := ∇Q, or its sharpness-aware ∇Q^S, of the threat's targets on every surrogate. */
tc_status tc_ensemble_aim(tc_ensemble *ensemble, const tc_sharpness_options *sharpness, tc_error *error);
/* The same for other images, [count][h][w][c], all towards the threat's intended class. */
tc_status tc_ensemble_aim_at(tc_ensemble *ensemble, const tc_sharpness_options *sharpness, const uint8_t *images,
                             size_t count, tc_error *error);
/* Surrogate i gets other weights; what it is to match is to be aimed at again. */
void tc_ensemble_replace(tc_ensemble *ensemble, int i, const tc_weights *weights);

/* Matches all poisons. dpixels (NULL: not wanted) := ∇_pixels of φ's average over the surrogates; a batch's part of it
 * is that of its own cosine. Nobody waits, until φ is asked for, averaged over surrogates and batches. */
void tc_ensemble_match(tc_ensemble *ensemble, const tc_lens *lens, const void *pixels, const int32_t *labels,
                       void *dpixels);
double tc_ensemble_phi(const tc_ensemble *ensemble);

/* What has been spent so far, and, where they are replaced on the way, the weights; what they are to match is not kept.
 * Pieces of a snapshot: so many for each surrogate. */
enum { TC_ENSEMBLE_PIECES = 4 };
void tc_ensemble_keep(tc_ensemble *ensemble, bool weights, tc_snapshot *snapshot);

void tc_ensemble_spent(const tc_ensemble *ensemble, tc_craft_report *report);

#endif
