/* train.c — the training loop.
 *
 *     for each epoch: shuffle
 *         for each batch: load and augment on the device → ∇_θ L → rate of the schedule → step of the optimiser
 *
 * What a step may do differently is in variant.h, which samples take part in keep.c.
 *
 * Everything is made before the first step (trainer.c); a step allocates nothing. The last, smaller batch of an epoch
 * is trained with a pass of its own size, as PyTorch's DataLoader(drop_last=False) does, except that a remainder of one
 * image is left out where the network has batch normalisation: one image has no batch statistics (PyTorch stops with an
 * error where the map is 1 × 1). The order is new each epoch, so it is another image that sits out. */
#include "train/clock.h"
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *checkpoint_path(const tc_trainer *t) {
    return t->hooks ? t->hooks->checkpoint : NULL;
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
