#include "attack/parts/drive.h"

#include "attack/parts/perturbation.h"

#include <math.h>
#include <stdlib.h>

/* ---- making ---- */

enum { OWN_PIECES = 3, PIECES_OF_AN_EYE = 1 };

tc_status tc_drive_create(const tc_craft_job *job, const tc_attack *method, const void *options, bool class_wise,
                          size_t batch, double shift, bool flip, int count, int more, tc_drive *d, tc_error *error) {
    tc_status status = TC_OK;
    *d = (tc_drive){.job = job, .method = method, .count = count, .loss = NAN};
    TC_TRY(tc_new(&d->eyes, (size_t)count, sizeof *d->eyes, error));
    TC_TRY(tc_crowd_create(job->device, job->dataset, job->threat, class_wise, batch, shift, flip, &d->crowd, error));
    TC_TRY(tc_snapshot_create(job, method, options, OWN_PIECES + count * PIECES_OF_AN_EYE + more, &d->snapshot, error));
    TC_TRY(tc_new(&d->counted, (size_t)count, sizeof *d->counted, error));
    tc_snapshot_host(&d->snapshot, &d->mark, sizeof d->mark);
    tc_snapshot_host(&d->snapshot, d->counted, (size_t)count * sizeof *d->counted);
    tc_snapshot_host(&d->snapshot, d->crowd.kept, tc_crowd_bytes(&d->crowd));
done:
    if (status != TC_OK) tc_drive_free(d);
    return status;
}

void tc_drive_free(tc_drive *d) {
    for (int i = 0; d->eyes && i < d->count; i++) tc_onlooker_free(&d->eyes[i]);
    free(d->eyes);
    free(d->counted);
    if (d->crowd.device) tc_crowd_free(&d->crowd);
    tc_snapshot_free(&d->snapshot);
    *d = (tc_drive){0};
}

/* Asked in the midst of looking at all, where no error can be handed up. */
static bool glance(void *context, double work) {
    tc_drive *d = context;
    if (d->looking == TC_OK) d->looking = tc_drive_tell(d, work, NAN, &d->why);
    return d->looking != TC_OK;
}

tc_status tc_drive_seat(tc_drive *d, int i, const tc_model *model, const tc_weights *weights,
                        const tc_sharpness_options *sharpness, const int32_t *towards, tc_stream stream,
                        tc_error *error) {
    tc_onlooker *eye = &d->eyes[i];
    const tc_status status = tc_onlooker_create(&d->crowd, model, weights, sharpness, stream, eye, error);
    if (status != TC_OK) return status;
    eye->towards = towards;
    eye->glance = glance;
    eye->context = d;
    if (eye->sharpness.moved)
        tc_snapshot_device(&d->snapshot, eye->sharpness.moved, eye->q.parameters * d->job->device->element);
    return TC_OK;
}

/* ---- what is told and saved ---- */

/* Of one step of one image. */
static double work_of_a_step(const tc_drive *d) {
    double work = 0;
    for (int i = 0; i < d->count; i++) work += TC_GRADIENT_WORK * tc_sharpness_points(&d->eyes[i].sharpness);
    return work;
}

double tc_drive_work(const tc_drive *d, double steps) {
    double aiming = 0;
    for (int i = 0; i < d->count; i++)
        if (d->eyes[i].sharpness.options->kind == TC_SHARPNESS_WORST_CASE) aiming += TC_GRADIENT_WORK;
    return (aiming + steps * work_of_a_step(d)) * (double)d->job->threat->poisons;
}

void tc_drive_mark(tc_drive *d) {
    d->mark = d->at;
    for (int i = 0; i < d->count; i++)
        d->counted[i] = (tc_drive_count){d->eyes[i].q.gradients, d->eyes[i].sharpness.drawn};
}

tc_status tc_drive_resume(tc_drive *d, bool *found, tc_error *error) {
    const tc_status status = tc_snapshot_load(&d->snapshot, found, error);
    if (status != TC_OK || !*found) return status;
    d->at = d->mark;
    for (int i = 0; i < d->count; i++) {
        d->eyes[i].q.gradients = d->counted[i].gradients;
        d->eyes[i].sharpness.drawn = d->counted[i].drawn;
    }
    return TC_OK;
}

tc_status tc_drive_tell(tc_drive *d, double work, double objective, tc_error *error) {
    d->at.done += work;
    return tc_craft_tell(&d->snapshot, fmin(d->at.done / d->all, 1), objective, error);
}

/* ---- a round ---- */

/* What was asked meanwhile came to this. */
static tc_status looked(tc_drive *d, tc_error *error) {
    if (d->looking != TC_OK && error) *error = d->why;
    return d->looking;
}

static tc_status aim(tc_drive *d, tc_error *error) {
    tc_status status = TC_OK;
    if (d->at.aimed) return TC_OK;
    for (int i = 0; i < d->count; i++) {
        tc_onlooker_aim(&d->eyes[i]);
        TC_TRY(looked(d, error));
    }
    d->at.aimed = true;
    tc_drive_mark(d);
done:
    return status;
}

void tc_drive_turn(tc_drive *d) {
    d->at.from = 0;
    d->at.aimed = false;
    tc_drive_mark(d);
}

tc_status tc_drive_round(tc_drive *d, tc_status (*move)(void *context, int64_t batch, tc_error *error), void *context,
                         tc_error *error) {
    const size_t poisons = d->job->threat->poisons, batch = d->crowd.batch;
    tc_status status = TC_OK;
    TC_TRY(aim(d, error));
    while ((size_t)d->at.from < poisons) {
        const size_t from = (size_t)d->at.from, left = poisons - from;
        tc_crowd_load(&d->crowd, NULL, from, left < batch ? left : batch);
        TC_TRY(move(context, (int64_t)(from / batch), error));
        d->at.from += (int64_t)d->crowd.n;
        tc_drive_mark(d);
    }
done:
    return status;
}

tc_status tc_drive_move(tc_drive *d, int64_t steps, double length, tc_stream stream, tc_error *error) {
    tc_status status = TC_OK;
    const double work = work_of_a_step(d) * (double)d->crowd.n;
    for (int64_t step = 0; step < steps; step++) {
        const bool looks = step + 1 == steps || tc_craft_looks(&d->snapshot);
        double sum = 0;
        tc_lens_draw(&d->crowd.lens, tc_stream_child(stream, "step", (uint64_t)step));
        for (int i = 0; i < d->count; i++) tc_onlooker_look(&d->eyes[i], 1.0 / d->count, looks ? &sum : NULL);
        if (!isfinite(sum))
            TC_RAISE_FRUITLESS(
                TC_FAILED, "%s: the loss is not a number; take a smaller rho or sigma, or train the network otherwise",
                d->method->name);
        tc_crowd_step(&d->crowd, length);
        d->at.steps++;
        if (looks) d->loss = sum / d->count;
        TC_TRY(tc_drive_tell(d, work, d->loss, error));
    }
done:
    return status;
}

/* ---- what came of it ---- */

tc_status tc_drive_judge(tc_drive *d, tc_sight *sight, tc_error *error) {
    tc_status status = TC_OK;
    *sight = (tc_sight){0};
    for (int i = 0; i < d->count; i++) {
        const tc_sight one = tc_onlooker_judge(&d->eyes[i]);
        TC_TRY(looked(d, error));
        sight->loss += one.loss / d->count;
        sight->error += one.error / d->count;
    }
done:
    return status;
}

tc_status tc_drive_end(tc_drive *d, tc_poison **poison, tc_craft_report *report, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = d->job;
    uint8_t *images = NULL;
    tc_sight sight;
    TC_TRY(tc_new(&images, job->threat->poisons, d->crowd.image, error));
    tc_crowd_round(&d->crowd, images);
    TC_TRY(tc_drive_judge(d, &sight, error));
    TC_TRY(tc_threat_poison(job->dataset, job->threat, images, poison, error));
    if (job->progress) job->progress(job->context, 1, sight.loss);
    if (!report) goto done;
    *report =
        (tc_craft_report){.objective = sight.loss, .seconds = tc_snapshot_seconds(&d->snapshot), .steps = d->at.steps};
    for (int i = 0; i < d->count; i++) report->gradients += d->eyes[i].q.gradients;
done:
    d->crowd.rounded = NULL; /* it ends here */
    free(images);
    return status;
}
