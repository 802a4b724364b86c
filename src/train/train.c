/* train.c — the training loop.
 *
 *     for each epoch: shuffle
 *         for each batch: load and augment on the device → ∇_θ L → rate of the schedule → step of the optimiser
 *
 * What a step may do differently is in variant.h, which samples take part in keep.c.
 *
 * Everything is made before the first step; a step allocates nothing. The last, smaller batch of an epoch is trained
 * with a pass of its own size, as PyTorch's DataLoader(drop_last=False) does, except that a remainder of one image is
 * left out where the network has batch normalisation: one image has no batch statistics (PyTorch stops with an error
 * where the map is 1 × 1). The order is new each epoch, so it is another image that sits out. */
#include "train/clock.h"
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *checkpoint_path(const tc_trainer *t) {
    return t->hooks ? t->hooks->checkpoint : NULL;
}

/* ---- making everything ---- */

tc_status tc_trainer_check(const tc_trainer *t, tc_error *error) {
    tc_status status = TC_OK;
    if (t->view->count == 1 && tc_model_state(t->model) > 0)
        TC_RAISE(TC_INVALID, "train: batch normalisation in %s needs 2 training samples or more; give it more data",
                 tc_model_name(t->model));
    TC_TRY(tc_train_check(t->options, t->view->dataset, t->model, error));
    if (t->hooks && t->hooks->keep && t->options->dp_clip > 0 && t->options->dp_unit == 0)
        TC_RAISE(TC_INVALID, "dp_clip: a filter that drops samples while training is not private; leave one out");
done:
    return status;
}

/* Passes are made anew where the sizes change: between epochs, and only where samples are dropped. */
tc_status tc_trainer_fit(tc_trainer *t, size_t kept, tc_error *error) {
    tc_status status = TC_OK;
    tc_plain_forget(t);
    const size_t asked = (size_t)t->options->batch, batch = asked < kept ? asked : kept;
    tc_passes_free(&t->passes);
    if (batch == 0) TC_RAISE(TC_INVALID, "train: %s has no training samples; give it some", t->view->dataset->name);
    t->batch = (int)batch;
    const bool lone = kept % batch == 1 && batch > 1;
    t->epoch_samples = lone && t->run.statistics > 0 ? kept - 1 : kept;
    if (tc_variants_lots(t->options))
        TC_TRY(tc_passes_for_lots(&t->passes, t->batch, error));
    else
        TC_TRY(tc_passes_for(&t->passes, t->epoch_samples, t->batch, error));
done:
    return status;
}

static tc_status make_vectors(tc_trainer *t, const tc_weights *weights, tc_error *error) {
    tc_status status = TC_OK;
    const tc_kernels *k = t->device->k;
    tc_train_state *run = &t->run;
    run->parameters = tc_model_parameters(t->model);
    run->statistics = tc_model_state(t->model);
    run->epochs = (size_t)t->options->epochs;
    run->samples = t->hooks && t->hooks->keep ? t->view->count : 0;
    TC_TRY(tc_new(&run->curve, 2 * run->epochs, sizeof *run->curve, error));
    TC_TRY(tc_new(&run->keep, run->samples + 1, sizeof *run->keep, error)); /* never empty */
    memset(run->keep, 1, run->samples);
    TC_TRY(tc_device_reals(t->device, run->parameters, &run->theta, error));
    TC_TRY(tc_device_reals(t->device, run->statistics + 1, &run->state, error)); /* never empty */
    TC_TRY(tc_device_reals(t->device, run->parameters, &t->gradient, error));
    TC_TRY(tc_optimiser_create(t->device, t->options, run->parameters, &run->optimiser, error));
    k->upload_float(t->device, run->theta, weights->theta, run->parameters);
    k->upload_float(t->device, run->state, weights->state, run->statistics);
done:
    return status;
}

tc_status tc_trainer_make(tc_trainer *t, const tc_weights *weights, tc_error *error) {
    tc_status status = TC_OK;
    const size_t count = t->view->count;
    t->passes = (tc_passes){.device = t->device,
                            .model = t->model,
                            .options = {.mode = TC_TRAIN, .want = TC_WANT_GRAD_THETA, .loss = TC_CROSS_ENTROPY}};
    tc_variants_want(t->options, &t->passes.options);
    TC_TRY(tc_schedule_make(t->options, &t->schedule, error));
    TC_TRY(make_vectors(t, weights, error));
    TC_TRY(tc_trainer_fit(t, count, error));
    TC_TRY(tc_samples_create(t->device, t->view, t->options, t->stream, t->batch, &t->samples, error));
    TC_TRY(tc_new(&t->logits, (size_t)t->batch * (size_t)tc_model_classes(t->model), sizeof *t->logits, error));
    TC_TRY(tc_device_bytes(t->device, sizeof *t->pace, &t->pace, error));
    TC_TRY(tc_device_bytes(t->device, sizeof *t->count, &t->count, error));
    TC_TRY(tc_variants_make(t, error));
    if (checkpoint_path(t))
        t->fingerprint = tc_train_fingerprint(t->device, t->model, t->view, t->options, t->stream, weights);
done:
    return status;
}

void tc_trainer_free(tc_trainer *t) {
    void *const held[] = {t->run.theta, t->run.state, t->gradient, t->pace, t->count};
    tc_plain_free(t);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i]) t->device->k->release(t->device, held[i]);
    tc_variants_free(t);
    tc_optimiser_free(&t->run.optimiser);
    tc_passes_free(&t->passes);
    tc_samples_free(&t->samples);
    free(t->run.curve);
    free(t->run.keep);
    free(t->logits);
}

/* ---- what is told while it runs ---- */

static void report(tc_trainer *t, double loss, double accuracy, int64_t epoch) {
    const tc_train_place *at = &t->run.at;
    const double epochs = (double)at->epoch + (double)at->place / (double)t->epoch_samples;
    const double left = ((double)t->options->epochs - epochs) * (double)t->epoch_samples;
    const double speed = t->trained / fmax(tc_clock() - t->started, 1e-9);
    const tc_epoch_report told = {.epoch = epoch,
                                  .epochs = t->options->epochs,
                                  .loss = loss,
                                  .accuracy = accuracy,
                                  .rate = tc_schedule_rate(&t->schedule, epochs),
                                  .images_per_second = speed,
                                  .seconds_left = speed > 0 ? left / speed : 0};
    t->hooks->progress(t->hooks->context, &told, epochs / (double)t->options->epochs);
}

/* Private lots may all have been empty. */
static double seen(const tc_train_place *at) {
    return at->seen > 0 ? (double)at->seen : 1;
}

/* ---- one step ---- */

/* Whether the host runs ahead of the device, and is told how things stand only where it asks. */
static bool ahead(const tc_trainer *t) {
    return t->plain.on && t->device->k->record_begin;
}

/* What the steps so far came to, where the device has kept it to itself. */
static tc_status settle(tc_trainer *t, tc_error *error) {
    tc_status status = TC_OK;
    if (!t->plain.on) return TC_OK;
    tc_plain_read(t);
    if (isfinite(t->run.at.loss_sum)) return TC_OK;
    TC_TRY(tc_device_health(t->device, error)); /* its failure is no divergence */
    TC_TRY(tc_trainer_diverged(t, t->run.at.steps, error));
done:
    return status;
}

static tc_status step(tc_trainer *t, tc_error *error) {
    const tc_train_place *at = &t->run.at;
    const int n = tc_trainer_next(t);
    if (!t->plain.on) return tc_trainer_step(t, tc_trainer_rate(t, at->epoch, at->place, n), error);
    tc_plain_step(t, n);
    return ahead(t) ? TC_OK : settle(t, error);
}

/* Within an epoch, at most twice a second; its end is told by end_epoch. */
static tc_status report_within(tc_trainer *t, tc_error *error) {
    tc_status status = TC_OK;
    const tc_train_place *at = &t->run.at;
    if (!t->hooks || !t->hooks->progress || (size_t)at->place == t->epoch_samples || tc_clock() - t->reported < 0.5)
        return TC_OK;
    TC_TRY(settle(t, error));
    t->reported = tc_clock();
    report(t, at->loss_sum / seen(at), (double)at->correct / seen(at), at->epoch + 1);
done:
    return status;
}

/* ---- the loop ---- */

static tc_status save(tc_trainer *t, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(settle(t, error));
    tc_train_state state = t->run;
    state.at.seconds += tc_clock() - t->started;
    t->saved = tc_clock();
    TC_TRY(tc_checkpoint_save(checkpoint_path(t), t->fingerprint, &state, error));
done:
    return status;
}

/* Between steps: a checkpoint when it is time or when asked to stop. */
static tc_status pause_if_asked(tc_trainer *t, tc_error *error) {
    tc_status status = TC_OK;
    const char *path = checkpoint_path(t);
    const bool stop = t->hooks && t->hooks->stop && t->hooks->stop(t->hooks->context);
    const double minutes = t->options->checkpoint_minutes;
    const bool due = path && minutes > 0 && tc_clock() - t->saved >= 60 * minutes;
    if (path && (stop || due)) TC_TRY(save(t, error));
    if (stop)
        TC_RAISE(TC_INTERRUPTED, "train: stopped in epoch %" PRId64 " of %" PRId64 "; %s", t->run.at.epoch + 1,
                 t->options->epochs, path ? "run again with the same settings to go on" : "nothing was kept");
done:
    return status;
}

static void end_epoch(tc_trainer *t) {
    tc_train_place *at = &t->run.at;
    at->last_loss = at->loss_sum / seen(at);
    at->last_accuracy = (double)at->correct / seen(at);
    t->run.curve[2 * at->epoch] = at->last_loss;
    t->run.curve[2 * at->epoch + 1] = at->last_accuracy;
    at->epoch++;
    at->place = at->seen = at->correct = 0;
    at->loss_sum = 0;
    if (t->hooks && t->hooks->progress) report(t, at->last_loss, at->last_accuracy, at->epoch);
}

static tc_status loop(tc_trainer *t, tc_error *error) {
    tc_status status = TC_OK;
    tc_train_place *at = &t->run.at;
    t->started = t->saved = t->reported = tc_clock();
    while (at->epoch < t->options->epochs) {
        TC_TRY(tc_trainer_ask(t, error));
        if (t->plain.on)
            tc_plain_begin(t);
        else
            tc_samples_begin_epoch(&t->samples, at->epoch);
        while ((size_t)at->place < t->epoch_samples) {
            TC_TRY(pause_if_asked(t, error));
            TC_TRY(step(t, error));
            TC_TRY(report_within(t, error));
        }
        if (ahead(t)) {
            tc_plain_draw_next(t);
            TC_TRY(settle(t, error));
        }
        end_epoch(t);
    }
done:
    return status;
}

static void finish(tc_trainer *t, tc_weights *weights, tc_train_result *result) {
    const tc_kernels *k = t->device->k;
    k->download_float(t->device, weights->theta, t->run.theta, t->run.parameters);
    k->download_float(t->device, weights->state, t->run.state, t->run.statistics);
    if (t->hooks && t->hooks->curve) memcpy(t->hooks->curve, t->run.curve, 2 * t->run.epochs * sizeof *t->run.curve);
    if (checkpoint_path(t)) remove(checkpoint_path(t)); /* its run is over */
    if (!result) return;
    *result = (tc_train_result){.loss = t->run.at.last_loss,
                                .accuracy = t->run.at.last_accuracy,
                                .seconds = t->run.at.seconds + tc_clock() - t->started,
                                .steps = t->run.at.steps,
                                .kept = t->samples.kept,
                                .epsilon = tc_private_epsilon(t)};
}

tc_status tc_train(tc_device *device, const tc_model *model, const tc_view *view, const tc_train_options *options,
                   tc_stream stream, const tc_train_hooks *hooks, tc_weights *weights, tc_train_result *result,
                   tc_error *error) {
    tc_status status = TC_OK;
    bool found = false;
    tc_trainer t = {
        .device = device, .model = model, .view = view, .options = options, .hooks = hooks, .stream = stream};
    TC_TRY(tc_trainer_check(&t, error));
    TC_TRY(tc_trainer_make(&t, weights, error));
    TC_TRY(tc_plain_make(&t, error));
    if (checkpoint_path(&t)) TC_TRY(tc_checkpoint_load(checkpoint_path(&t), t.fingerprint, &t.run, &found, error));
    if (found && t.run.samples) TC_TRY(tc_trainer_keep(&t, error));
    TC_TRY(loop(&t, error));
    TC_TRY(tc_device_health(device, error));
    finish(&t, weights, result);
done:
    tc_trainer_free(&t);
    return status;
}
