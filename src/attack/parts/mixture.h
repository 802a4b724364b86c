/* mixture.h — the batches of a training set under attack, one share of the poisons after the other: the poisons as they
 * are now, through the victim's lens, and clean images that fill the batch up. Gradients come back to the poisons.
 *
 *     for each share of the poisons: for each unrolled step: [share of x + δ | clean images in a fresh order] */
#ifndef TC_ATTACK_PARTS_MIXTURE_H
#define TC_ATTACK_PARTS_MIXTURE_H

#include "attack/attack.h"
#include "attack/parts/lens.h"
#include "attack/parts/perturbation.h"
#include "nn/pass.h"

typedef struct tc_mixture {
    const tc_craft_job *job;
    const tc_perturbation *delta; /* borrowed */
    tc_lens lens;
    int batch, share; /* images of a batch, poisons of it */
    int64_t shift;
    bool flip;
    size_t clean;         /* how many images are not poisoned */
    uint32_t *place;      /* [clean] of them in the training split */
    uint32_t *order;      /* [clean]: a permutation */
    uint8_t *images;      /* device [train.count][h][w][c] */
    uint32_t *index;      /* device [batch] */
    tc_warp *warp;        /* device [batch] */
    uint32_t *host_index; /* [batch] */
    tc_warp *host_warp;   /* [batch] */
    int32_t *labels;      /* [batch] */
} tc_mixture;

/* Batches of at most `batch` images, `poisons` of them poisons; 0: as many as a batch of the poisoned training set has
 * on average. shift, flip: of poisons and clean images, fresh for each share. TC_INVALID where no batch can be made,
 * which can be asked before anything is trained. */
tc_status tc_mixture_check(const tc_craft_job *job, int64_t batch, int64_t poisons, tc_error *error);
tc_status tc_mixture_create(const tc_craft_job *job, const tc_perturbation *delta, int64_t batch, int64_t poisons,
                            int64_t shift, bool flip, tc_mixture *mixture, tc_error *error);
void tc_mixture_free(tc_mixture *mixture);

/* In how many shares the poisons are looked at. */
size_t tc_mixture_shares(const tc_mixture *mixture);
/* Another order and other augmentation, number `i` of that stream. */
void tc_mixture_draw(tc_mixture *mixture, tc_stream stream, uint64_t i);

typedef struct tc_share {
    const tc_mixture *of;
    size_t from;      /* the first poison */
    int n;            /* poisons */
    size_t cursor;    /* of the first clean image in the order */
    tc_stream stream; /* of dropout, and of the clean images' augmentation */
} tc_share;
/* Share number `i`, for so many batches. */
tc_share tc_mixture_share(const tc_mixture *mixture, size_t i, int64_t steps, tc_stream stream);
/* Its batch number `step`: input, labels, dropout. */
void tc_share_load(const tc_share *share, int step, tc_pass *pass);
/* gradient, of all poisons' pixels, += weight · what dx, of a batch, is for its poisons. */
void tc_share_adjoint(const tc_share *share, double weight, const void *dx, void *gradient);

#endif
