/* trainer.h — a training run from the inside: for the loop (train.c), its steps (step.c) and what may be different in
 * them (variant.h). */
#ifndef TC_TRAIN_TRAINER_H
#define TC_TRAIN_TRAINER_H

#include "train/checkpoint.h"
#include "train/passes.h"
#include "train/plain.h"
#include "train/samples.h"
#include "train/schedule.h"
#include "train/variant.h"

struct tc_trainer {
    tc_device *device;
    const tc_model *model;
    const tc_view *view;
    const tc_train_options *options;
    const tc_train_hooks *hooks;
    tc_stream stream;
    tc_schedule schedule;
    tc_samples samples;
    tc_passes passes;
    tc_train_state run;
    tc_plain plain;
    void *gradient;                  /* device reals [p] */
    tc_pace *pace;                   /* on the device: what this step reads, … */
    tc_count *count;                 /* … and adds to */
    float *logits;                   /* host [batch][classes] */
    int batch;                       /* images of a step: min(options.batch, those kept) */
    size_t epoch_samples;            /* trained in an epoch: those kept, or all of them but a last single one */
    void *own[TC_MOST_VARIANTS];     /* what the variants that are on keep; NULL: off */
    tc_rows rows[TC_MOST_VARIANTS];  /* and what was drawn for them */
    uint64_t fingerprint;            /* of the run, where checkpoints are kept */
    double started, reported, saved; /* clock readings */
    double trained;                  /* images, by this process */
};

/* Of a step of n samples from `place` of an epoch on. */
double tc_trainer_rate(const tc_trainer *trainer, int64_t epoch, int64_t place, int n);
/* Refuses what cannot be trained: options that do not go together, or with the data, the network or the hooks. */
tc_status tc_trainer_check(const tc_trainer *trainer, tc_error *error);
/* Everything that the steps need; device, model, view, options, hooks and stream are set. Free in any case. */
tc_status tc_trainer_make(tc_trainer *trainer, const tc_weights *weights, tc_error *error);
void tc_trainer_free(tc_trainer *trainer);
/* The keys of the streams of step number `step`. */
void tc_trainer_key(tc_stream stream, int64_t step, tc_pace *pace);
/* The parts of a step that are kernels alone, for who has put labels, pace and rows where they belong: the images of
 * samples.index, as every variant that is on changes them, into the pass; and then the gradient, which adds to the
 * count. */
void tc_trainer_show(const tc_trainer *trainer, tc_pass *pass, int n);
void tc_trainer_climb(const tc_trainer *trainer, tc_pass *pass);
/* Samples [from, from + n) of the order, shown in the pass of n images. `round` says which augmentation
 * (tc_samples_bring); random numbers come from `stream` at this step. */
tc_pass *tc_trainer_load(tc_trainer *trainer, int64_t round, size_t from, int n, tc_stream stream);
/* Adds what the pass, after its gradient, says of its n images to the tally. */
void tc_trainer_count(tc_trainer *trainer, const tc_pass *pass, int n, double loss, tc_tally *tally);
/* The gradient of the next step, by whatever rule is on, in trainer->gradient. n: how many samples it takes. */
tc_tally tc_trainer_gradient(tc_trainer *trainer, int n);
/* How many samples the next step takes: a batch, or what is left of the epoch. */
int tc_trainer_next(const tc_trainer *trainer);
/* The loss of that step, or of one before it, was not a number. */
tc_status tc_trainer_diverged(const tc_trainer *trainer, int64_t step, tc_error *error);
/* The next step, at that rate; the place in the epoch moves on. A loss that is not a number is TC_FAILED. */
tc_status tc_trainer_step(tc_trainer *trainer, double rate, tc_error *error);

/* See tc_train_result. */
double tc_private_epsilon(const tc_trainer *trainer);

/* For `kept` samples: the batch, how many are trained in an epoch, the passes for that. */
tc_status tc_trainer_fit(tc_trainer *trainer, size_t kept, tc_error *error);
/* Before an epoch: asks the caller, once, which samples are to be trained on, and goes by it (keep.c). */
tc_status tc_trainer_ask(tc_trainer *trainer, tc_error *error);
/* Goes by the mask that is there, as after a checkpoint was read. */
tc_status tc_trainer_keep(tc_trainer *trainer, tc_error *error);

#endif
