/* variant.h — what may be different in a training step. A step is
 *
 *     load a batch → change it → gradient → optimiser
 *
 * and a variant is a row of the table in variants.c that changes the batch, or puts a gradient rule of its own in the
 * place of ∇_θ L. One file each: cut_out.c, mix.c (Mix-Up, CutMix), adversarial.c; sam.c, private.c. Changes are
 * applied in the order of the table: each sees what those before it made.
 *
 * Every random number comes from a stream named by the step, so that a run that was interrupted goes on to the same
 * bits; all memory is taken by `make`, before the first step. A new variant: a file, a row, its options with 0 for off.
 */
#ifndef TC_TRAIN_VARIANT_H
#define TC_TRAIN_VARIANT_H

#include "nn/pass.h"
#include "train/train.h"

enum { TC_MOST_VARIANTS = 8 };

typedef struct tc_trainer tc_trainer;

/* A loaded batch. */
typedef struct tc_batch {
    tc_pass *pass; /* its input and its labels or soft targets */
    int n;
    int32_t *labels;  /* host [n]: what a right answer is; a change may put others there */
    tc_stream stream; /* of this batch alone */
} tc_batch;

/* What a gradient rule saw. */
typedef struct tc_tally {
    double loss; /* summed over `seen`; not finite: training has diverged */
    int64_t seen, correct;
} tc_tally;

typedef struct tc_variant {
    const char *name;
    size_t size;   /* of its own struct, which `make` gets zeroed */
    unsigned want; /* what its passes must be able to do beside ∇_θ (TC_WANT_…) */
    bool soft;     /* it sets soft targets, in every batch */
    bool lots;     /* its rule draws lots (tc_passes_for_lots) */
    bool (*on)(const tc_train_options *options);
    /* What a step takes in plain ones, for plans. NULL: one, or hardly more. */
    double (*work)(const tc_train_options *options);
    /* Refuses what cannot be together. model: NULL where it is not known yet. Called only where it is on. */
    tc_status (*check)(const tc_train_options *options, const tc_dataset *dataset, const tc_model *model,
                       tc_error *error);
    tc_status (*make)(const tc_trainer *trainer, void *own, tc_error *error); /* NULL: nothing to make */
    void (*release)(const tc_trainer *trainer, void *own); /* also after a `make` that failed half-way */
    /* One or the other: */
    void (*change)(const tc_trainer *trainer, void *own, const tc_batch *batch);
    tc_tally (*gradient)(tc_trainer *trainer, void *own, int n);
} tc_variant;

extern const tc_variant tc_cut_out, tc_mix, tc_adversarial, tc_sam, tc_private, tc_shaping;

tc_status tc_variants_check(const tc_train_options *options, const tc_dataset *dataset, const tc_model *model,
                            tc_error *error);
/* What passes must be able to do for all that are on. */
void tc_variants_want(const tc_train_options *options, tc_pass_options *pass);
bool tc_variants_lots(const tc_train_options *options);
tc_status tc_variants_make(tc_trainer *trainer, tc_error *error);
void tc_variants_free(tc_trainer *trainer);
/* Whether any is on. */
bool tc_variants_any(const tc_trainer *trainer);
void tc_variants_change(const tc_trainer *trainer, const tc_batch *batch);
/* False where no rule is on. */
bool tc_variants_gradient(tc_trainer *trainer, int n, tc_tally *tally);

#endif
