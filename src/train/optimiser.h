/* optimiser.h — a step on the flat parameter vector: SGD with (Nesterov) momentum, Adam, AdamW. */
#ifndef TC_TRAIN_OPTIMISER_H
#define TC_TRAIN_OPTIMISER_H

#include "compute/device.h"
#include "train/train.h"

enum { TC_MAX_MOMENTS = 2 };

typedef struct tc_optimiser {
    tc_device *device;
    const tc_train_options *options;
    size_t count;                 /* length of θ */
    int moments;                  /* how many running vectors this kind keeps */
    void *moment[TC_MAX_MOMENTS]; /* device reals [count] */
} tc_optimiser;

/* Refuses moments that no step could be made of. */
tc_status tc_optimiser_check(const tc_train_options *options, tc_error *error);
tc_status tc_optimiser_create(tc_device *device, const tc_train_options *options, size_t count, tc_optimiser *optimiser,
                              tc_error *error);
/* θ := θ − …; `step` is 1 for the first. */
void tc_optimiser_step(tc_optimiser *optimiser, double rate, int64_t step, const void *gradient, void *theta);
/* The same in two parts: what a step of this rate and number needs, to be put on the device beforehand; and the step,
 * which finds it there. */
tc_pace tc_optimiser_pace(const tc_optimiser *optimiser, double rate, int64_t step);
void tc_optimiser_step_at(tc_optimiser *optimiser, const tc_pace *pace, const void *gradient, void *theta);
void tc_optimiser_free(tc_optimiser *optimiser);

#endif
