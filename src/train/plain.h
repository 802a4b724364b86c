/* plain.h — steps that the device takes by itself: the host says no more than "a step", and waits only where somebody
 * wants to know how things stand.
 *
 * What is new in each step (which images, how they are shifted, the rate, the seed of dropout, what a variant has
 * drawn) is put on the device for a whole epoch. A step begins by fetching its own and ends by adding its loss and its
 * right answers to a count there. So every step is the same list of kernels with the same arguments, and a device that
 * can records it, once for each batch size (compute/track.h). */
#ifndef TC_TRAIN_PLAIN_H
#define TC_TRAIN_PLAIN_H

#include "compute/track.h"
#include "train/passes.h"

typedef struct tc_trainer tc_trainer;

typedef struct tc_plain {
    bool on;
    tc_walk walk;                  /* of this epoch, on the device */
    tc_warp *warps;                /* host [samples] */
    tc_pace *paces;                /* host [steps of the longest epoch] */
    tc_track track[TC_MAX_PASSES]; /* of the steps with each of the trainer's passes */
    int64_t drawn;                 /* for which epoch host arrays and order are; -1: none */
} tc_plain;

/* After everything else of the trainer, by whoever takes its steps so. Off where a variant cannot do without the host.
 */
tc_status tc_plain_make(tc_trainer *trainer, tc_error *error);
void tc_plain_free(tc_trainer *trainer);
/* Before passes go. */
void tc_plain_forget(tc_trainer *trainer);
/* Draws the epoch's order and all else, and puts it on the device; goes on from the run's place in it. */
void tc_plain_begin(tc_trainer *trainer);
/* Draws for the next epoch while the device is still at the last steps of this one. */
void tc_plain_draw_next(tc_trainer *trainer);
/* The next step, of n samples; the place in the epoch moves on, though nothing may have happened yet. */
void tc_plain_step(tc_trainer *trainer, int n);
/* Waits, and brings the run's loss_sum and correct up to its place. */
void tc_plain_read(tc_trainer *trainer);

#endif
