/* variant.h — what may be different in a training step. A step is
 *
 *     load a batch → change it → gradient → optimiser
 *
 * and a variant is a row of the table in variants.c that changes the batch, or puts a gradient rule of its own in the
 * place of ∇_θ L. One file each: cut_out.c, mix.c (Mix-Up, CutMix), adversarial.c; sam.c, private.c. Changes are
 * applied in the order of the table: each sees what those before it made.
 *
 * `change` and `climb` call kernels and nothing else: they neither wait, nor bring anything, nor look at a number, so
 * that a device can take and record whole steps by itself (plain.h). What a host has to draw for them, `draw` puts into
 * `row` bytes for each sample, which lie on the device when the step runs; uniform noise the device draws by itself
 * (uniform_paced). A rule that cannot do without the host is a `gradient` instead, and then every step waits (step.c).
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

/* Of a batch, before it is loaded. */
typedef struct tc_drawing {
    int n;
    int32_t *labels;  /* host [n]: what a right answer is; others may be put there */
    tc_stream stream; /* of this batch alone */
} tc_drawing;

/* A loaded batch. */
typedef struct tc_batch {
    tc_pass *pass; /* its input and its labels or soft targets */
    int n;
    const void *rows; /* device [n · row]: as they were drawn */
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
    size_t row;    /* bytes that are drawn for each sample: a multiple of 4. 0: nothing is */
    bool (*on)(const tc_train_options *options);
    /* What a step takes in plain ones, for plans. NULL: one, or hardly more. */
    double (*work)(const tc_train_options *options);
    /* Refuses what cannot be together. model: NULL where it is not known yet. Called only where it is on. */
    tc_status (*check)(const tc_train_options *options, const tc_dataset *dataset, const tc_model *model,
                       tc_error *error);
    tc_status (*make)(const tc_trainer *trainer, void *own, tc_error *error); /* NULL: nothing to make */
    void (*release)(const tc_trainer *trainer, void *own); /* also after a `make` that failed half-way */
    void (*draw)(const tc_trainer *trainer, void *own, const tc_drawing *drawing, void *rows /* host [n · row] */);
    /* One of these: */
    void (*change)(const tc_trainer *trainer, const void *own, const tc_batch *batch);
    /* trainer->gradient := what the optimiser goes by; trainer->count += loss and right answers (tc_pass_tally) */
    void (*climb)(const tc_trainer *trainer, const void *own, tc_pass *pass);
    tc_tally (*gradient)(tc_trainer *trainer, void *own, int n);
} tc_variant;

/* What is drawn for a variant's steps. */
typedef struct tc_rows {
    char *host;      /* [samples of the longest epoch][row]: an epoch's, or, from its beginning, a single step's */
    void *all, *now; /* device, the same, and [batch][row]: this step's part */
} tc_rows;

extern const tc_variant tc_cut_out, tc_mix, tc_adversarial, tc_sam, tc_private, tc_shaping;

tc_status tc_variants_check(const tc_train_options *options, const tc_dataset *dataset, const tc_model *model,
                            tc_error *error);
/* What passes must be able to do for all that are on. */
void tc_variants_want(const tc_train_options *options, tc_pass_options *pass);
bool tc_variants_lots(const tc_train_options *options);
tc_status tc_variants_make(tc_trainer *trainer, tc_error *error);
void tc_variants_free(tc_trainer *trainer);
/* Whether all that are on do without the host. */
bool tc_variants_resident(const tc_trainer *trainer);
/* On the host, for step number `step` of the run, which takes n samples from `place` of the epoch on and has these
 * labels; they are as the variants left them then. */
void tc_variants_draw(const tc_trainer *trainer, tc_stream stream, int64_t step, size_t place, int n, int32_t *labels);
/* What was drawn for [0, n) is put on the device as an epoch's, of which each step fetches its part … */
void tc_variants_bring_epoch(const tc_trainer *trainer, size_t n);
void tc_variants_fetch(const tc_trainer *trainer, const tc_walk *walk, int n);
/* … or as this step's. */
void tc_variants_bring(const tc_trainer *trainer, int n);
void tc_variants_change(const tc_trainer *trainer, tc_pass *pass, int n);
/* Both false where no such rule is on. */
bool tc_variants_climb(const tc_trainer *trainer, tc_pass *pass);
bool tc_variants_gradient(tc_trainer *trainer, int n, tc_tally *tally);

#endif
