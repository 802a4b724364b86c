/* course.h — a training that someone else takes step by step, changing its images between two steps: the crafting
 * methods that train a network against the poison as it stands (error-minimising noise).
 *
 * It is the training of train.h in all but the loop: its optimiser, its augmentation and every variant of a step that
 * its options ask for. The rate is the caller's, who alone knows how long the course will be. */
#ifndef TC_TRAIN_COURSE_H
#define TC_TRAIN_COURSE_H

#include "train/checkpoint.h"

typedef struct tc_course tc_course;

/* Starts at `weights`. The view and the options are borrowed. Refuses what tc_train would. */
tc_status tc_course_create(tc_device *device, const tc_model *model, const tc_view *view,
                           const tc_train_options *options, tc_stream stream, const tc_weights *weights,
                           tc_course **course, tc_error *error);
void tc_course_free(tc_course *course);

/* The view's images have changed. */
void tc_course_renew(tc_course *course);
tc_status tc_course_step(tc_course *course, double rate, tc_error *error);
/* What the options' schedule says when that share of the training, 0 … 1, is over. */
double tc_course_rate(const tc_course *course, double share);

/* Where it stands: the vectors live on the device. To whoever puts a saved state there, and then says so. */
tc_train_state *tc_course_state(tc_course *course);
void tc_course_resume(tc_course *course);

#endif
