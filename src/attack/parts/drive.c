#include "attack/parts/drive.h"

#include "attack/parts/perturbation.h"

#include <math.h>
#include <stdlib.h>

/* ---- making ---- */

enum { OWN_PIECES = 3, PIECES_OF_AN_EYE = 1 };

tc_status tc_drive_create(const tc_craft_job *job, const tc_attack *method, const void *options, bool class_wise,
                          size_t batch, double shift, bool flip, int count, int more, tc_drive *s, tc_error *error) {
    tc_status status = TC_OK;
    *s = (tc_drive){.job = job, .method = method, .count = count, .loss = NAN};
    TC_TRY(tc_new(&s->eyes, (size_t)count, sizeof *s->eyes, error));
    TC_TRY(tc_crowd_create(job->device, job->dataset, job->threat, class_wise, batch, shift, flip, &s->crowd, error));
    TC_TRY(tc_snapshot_create(job, method, options, OWN_PIECES + count * PIECES_OF_AN_EYE + more, &s->snapshot, error));
    TC_TRY(tc_new(&s->counted, (size_t)count, sizeof *s->counted, error));
    tc_snapshot_host(&s->snapshot, &s->mark, sizeof s->mark);
    tc_snapshot_host(&s->snapshot, s->counted, (size_t)count * sizeof *s->counted);
    tc_snapshot_host(&s->snapshot, s->crowd.kept, tc_crowd_bytes(&s->crowd));
done:
    if (status != TC_OK) tc_drive_free(s);
    return status;
}

void tc_drive_free(tc_drive *s) {
    for (int i = 0; s->eyes && i < s->count; i++) tc_onlooker_free(&s->eyes[i]);
    free(s->eyes);
    free(s->counted);
    if (s->crowd.device) tc_crowd_free(&s->crowd);
    tc_snapshot_free(&s->snapshot);
    *s = (tc_drive){0};
}

/* Asked in the midst of looking at all, where no error can be handed up. */
static bool glance(void *context, double work) {
    tc_drive *s = context;
    if (s->looking == TC_OK) s->looking = tc_drive_tell(s, work, NAN, &s->why);
    return s->looking != TC_OK;
}

tc_status tc_drive_seat(tc_drive *s, int i, const tc_model *model, const tc_weights *weights,
                        const tc_sharpness_options *sharpness, const int32_t *towards, tc_stream stream,
                        tc_error *error) {
    tc_onlooker *eye = &s->eyes[i];
    const tc_status status = tc_onlooker_create(&s->crowd, model, weights, sharpness, stream, eye, error);
    if (status != TC_OK) return status;
    eye->towards = towards;
    eye->glance = glance;
    eye->context = s;
    if (eye->sharpness.moved)
        tc_snapshot_device(&s->snapshot, eye->sharpness.moved, eye->q.parameters * s->job->device->element);
    return TC_OK;
}

/* ---- what is told and saved ---- */

/* Of one step of one image. */
static double work_of_a_step(const tc_drive *s) {
    double work = 0;
    for (int i = 0; i < s->count; i++) work += TC_GRADIENT_WORK * tc_sharpness_points(&s->eyes[i].sharpness);
    return work;
}

double tc_drive_work(const tc_drive *s, double steps) {
    double aiming = 0;
    for (int i = 0; i < s->count; i++)
        if (s->eyes[i].sharpness.options->kind == TC_SHARPNESS_WORST_CASE) aiming += TC_GRADIENT_WORK;
    return (aiming + steps * work_of_a_step(s)) * (double)s->job->threat->poisons;
}

void tc_drive_mark(tc_drive *s) {
    s->mark = s->at;
    for (int i = 0; i < s->count; i++)
        s->counted[i] = (tc_drive_count){s->eyes[i].q.gradients, s->eyes[i].sharpness.drawn};
}

tc_status tc_drive_resume(tc_drive *s, bool *found, tc_error *error) {
    const tc_status status = tc_snapshot_load(&s->snapshot, found, error);
    if (status != TC_OK || !*found) return status;
    s->at = s->mark;
    for (int i = 0; i < s->count; i++) {
        s->eyes[i].q.gradients = s->counted[i].gradients;
        s->eyes[i].sharpness.drawn = s->counted[i].drawn;
    }
    return TC_OK;
}

tc_status tc_drive_tell(tc_drive *s, double work, double objective, tc_error *error) {
    s->at.done += work;
    return tc_craft_tell(&s->snapshot, fmin(s->at.done / s->all, 1), objective, error);
}

/* ---- a round ---- */

/* What was asked meanwhile came to this. */
static tc_status looked(tc_drive *s, tc_error *error) {
    if (s->looking != TC_OK && error) *error = s->why;
    return s->looking;
}

static tc_status aim(tc_drive *s, tc_error *error) {
    tc_status status = TC_OK;
    if (s->at.aimed) return TC_OK;
    for (int i = 0; i < s->count; i++) {
        tc_onlooker_aim(&s->eyes[i]);
        TC_TRY(looked(s, error));
    }
    s->at.aimed = true;
    tc_drive_mark(s);
done:
    return status;
}

void tc_drive_turn(tc_drive *s) {
    s->at.from = 0;
    s->at.aimed = false;
    tc_drive_mark(s);
}

tc_status tc_drive_round(tc_drive *s, tc_status (*move)(void *context, int64_t batch, tc_error *error), void *context,
                         tc_error *error) {
    const size_t poisons = s->job->threat->poisons, batch = s->crowd.batch;
    tc_status status = TC_OK;
    TC_TRY(aim(s, error));
    while ((size_t)s->at.from < poisons) {
        const size_t from = (size_t)s->at.from, left = poisons - from;
        tc_crowd_load(&s->crowd, NULL, from, left < batch ? left : batch);
        TC_TRY(move(context, (int64_t)(from / batch), error));
        s->at.from += (int64_t)s->crowd.n;
        tc_drive_mark(s);
    }
done:
    return status;
}

tc_status tc_drive_move(tc_drive *s, int64_t steps, double length, tc_stream stream, tc_error *error) {
    tc_status status = TC_OK;
    const double work = work_of_a_step(s) * (double)s->crowd.n;
    for (int64_t step = 0; step < steps; step++) {
        const bool looks = step + 1 == steps || tc_craft_looks(&s->snapshot);
        double sum = 0;
        tc_lens_draw(&s->crowd.lens, tc_stream_child(stream, "step", (uint64_t)step));
        for (int i = 0; i < s->count; i++) tc_onlooker_look(&s->eyes[i], 1.0 / s->count, looks ? &sum : NULL);
        if (!isfinite(sum))
            TC_RAISE(TC_FAILED,
                     "%s: the loss is not a number; take a smaller rho or sigma, or train the network otherwise",
                     s->method->name);
        tc_crowd_step(&s->crowd, length);
        s->at.steps++;
        if (looks) s->loss = sum / s->count;
        TC_TRY(tc_drive_tell(s, work, s->loss, error));
    }
done:
    return status;
}

/* ---- what came of it ---- */

tc_status tc_drive_judge(tc_drive *s, tc_sight *sight, tc_error *error) {
    tc_status status = TC_OK;
    *sight = (tc_sight){0};
    for (int i = 0; i < s->count; i++) {
        const tc_sight one = tc_onlooker_judge(&s->eyes[i]);
        TC_TRY(looked(s, error));
        sight->loss += one.loss / s->count;
        sight->error += one.error / s->count;
    }
done:
    return status;
}

tc_status tc_drive_end(tc_drive *s, tc_poison **poison, tc_craft_report *report, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = s->job;
    uint8_t *images = NULL;
    tc_sight sight;
    TC_TRY(tc_new(&images, job->threat->poisons, s->crowd.image, error));
    tc_crowd_round(&s->crowd, images);
    TC_TRY(tc_drive_judge(s, &sight, error));
    TC_TRY(tc_threat_poison(job->dataset, job->threat, images, poison, error));
    if (job->progress) job->progress(job->context, 1, sight.loss);
    if (!report) goto done;
    *report =
        (tc_craft_report){.objective = sight.loss, .seconds = tc_snapshot_seconds(&s->snapshot), .steps = s->at.steps};
    for (int i = 0; i < s->count; i++) report->gradients += s->eyes[i].q.gradients;
done:
    s->crowd.rounded = NULL; /* it ends here */
    free(images);
    return status;
}
