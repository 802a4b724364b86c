#include "train/course.h"

#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>

struct tc_course {
    tc_trainer trainer;
};

tc_status tc_course_create(tc_device *device, const tc_model *model, const tc_view *view,
                           const tc_train_options *options, tc_stream stream, const tc_weights *weights,
                           tc_course **course, tc_error *error) {
    tc_status status = TC_OK;
    tc_course *made = NULL;
    *course = NULL;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    made->trainer = (tc_trainer){.device = device, .model = model, .view = view, .options = options, .stream = stream};
    TC_TRY(tc_model_fits(model, view->dataset, error));
    TC_TRY(tc_trainer_check(&made->trainer, error));
    TC_TRY(tc_trainer_make(&made->trainer, weights, error));
    tc_samples_begin_epoch(&made->trainer.samples, 0);
    *course = made;
    made = NULL;
done:
    tc_course_free(made);
    return status;
}

void tc_course_free(tc_course *course) {
    if (!course) return;
    tc_trainer_free(&course->trainer);
    free(course);
}

void tc_course_renew(tc_course *course) {
    tc_samples_renew(&course->trainer.samples, course->trainer.view);
}

static void begin_epoch(tc_trainer *t) {
    tc_train_place *at = &t->run.at;
    at->epoch++;
    at->place = at->seen = at->correct = 0;
    at->loss_sum = 0;
    tc_samples_begin_epoch(&t->samples, at->epoch);
}

tc_status tc_course_step(tc_course *course, double rate, tc_error *error) {
    tc_trainer *t = &course->trainer;
    const tc_status status = tc_trainer_step(t, rate, error);
    if (status == TC_OK && (size_t)t->run.at.place == t->epoch_samples) begin_epoch(t);
    return status;
}

double tc_course_rate(const tc_course *course, double share) {
    const double epochs = (double)course->trainer.options->epochs;
    return tc_schedule_rate(&course->trainer.schedule, fmin(fmax(share, 0), 1) * epochs);
}

tc_train_state *tc_course_state(tc_course *course) {
    return &course->trainer.run;
}

void tc_course_resume(tc_course *course) {
    tc_samples_begin_epoch(&course->trainer.samples, course->trainer.run.at.epoch);
}
