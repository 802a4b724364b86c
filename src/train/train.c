/* train.c — the training loop.
 *
 *     for each epoch: shuffle
 *         for each batch: load and augment on the device → ∇_θ L → rate of the schedule → step of the optimiser
 *
 * Everything is made before the first step; a step allocates nothing. The last, smaller batch of an epoch is trained
 * with a pass of its own size, as PyTorch's DataLoader(drop_last=False) does, except that a remainder of one image is
 * left out where the network has batch normalisation: one image has no batch statistics (PyTorch stops with an error
 * where the map is 1 × 1). The order is new each epoch, so it is another image that sits out. */
#include "train/train.h"

#include "train/checkpoint.h"
#include "train/clock.h"
#include "train/passes.h"
#include "train/samples.h"
#include "train/schedule.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct trainer {
    tc_device *device;
    const tc_model *model;
    const tc_train_options *options;
    const tc_train_hooks *hooks;
    tc_stream stream;
    tc_schedule schedule;
    tc_samples samples;
    tc_passes passes;
    tc_train_state run;
    void *gradient;                  /* device reals [p] */
    float *logits;                   /* host [batch][classes] */
    int batch;                       /* min(options.batch, samples) */
    size_t epoch_samples;            /* trained in an epoch: all, or all but a last single one */
    uint64_t fingerprint;            /* of the run, where checkpoints are kept */
    double started, reported, saved; /* clock readings */
    double first_image;              /* images trained before this process took over */
} trainer;

static const char *checkpoint_path(const trainer *t) {
    return t->hooks ? t->hooks->checkpoint : NULL;
}

/* ---- making everything ---- */

static tc_status check(const tc_model *model, const tc_view *view, const tc_train_options *options, tc_error *error) {
    const tc_dataset *data = view->dataset;
    const int64_t side = data->height < data->width ? data->height : data->width;
    if (view->count == 0) return tc_raise(error, TC_INVALID, "train: %s has no training samples", data->name);
    if (options->crop >= side)
        return tc_raise(error, TC_INVALID, "crop: %" PRId64 " pixels of images %" PRId64 " wide; take fewer",
                        options->crop, side);
    if ((options->batch == 1 || view->count == 1) && tc_model_state(model) > 0)
        return tc_raise(error, TC_INVALID,
                        "batch: batch normalisation in %s needs 2 images or more; take a larger batch",
                        tc_model_name(model));
    return tc_model_fits(model, data, error);
}

static size_t samples_of_an_epoch(const trainer *t) {
    const bool lone = t->samples.count % (size_t)t->batch == 1 && t->batch > 1;
    return lone && t->run.statistics > 0 ? t->samples.count - 1 : t->samples.count;
}

static tc_status make_vectors(trainer *t, const tc_weights *weights, tc_error *error) {
    tc_status status = TC_OK;
    const tc_kernels *k = t->device->k;
    tc_train_state *run = &t->run;
    run->parameters = tc_model_parameters(t->model);
    run->statistics = tc_model_state(t->model);
    run->epochs = (size_t)t->options->epochs;
    TC_TRY(tc_new(&run->curve, 2 * run->epochs, sizeof *run->curve, error));
    TC_TRY(tc_device_reals(t->device, run->parameters, &run->theta, error));
    TC_TRY(tc_device_reals(t->device, run->statistics + 1, &run->state, error)); /* never empty */
    TC_TRY(tc_device_reals(t->device, run->parameters, &t->gradient, error));
    TC_TRY(tc_optimiser_create(t->device, t->options, run->parameters, &run->optimiser, error));
    k->upload_float(t->device, run->theta, weights->theta, run->parameters);
    k->upload_float(t->device, run->state, weights->state, run->statistics);
done:
    return status;
}

static tc_status make(trainer *t, const tc_view *view, const tc_weights *weights, tc_error *error) {
    tc_status status = TC_OK;
    t->batch = (int)((size_t)t->options->batch < view->count ? (size_t)t->options->batch : view->count);
    t->passes = (tc_passes){.device = t->device,
                            .model = t->model,
                            .options = {.mode = TC_TRAIN, .want = TC_WANT_GRAD_THETA, .loss = TC_CROSS_ENTROPY}};
    TC_TRY(tc_schedule_make(t->options, &t->schedule, error));
    TC_TRY(make_vectors(t, weights, error));
    TC_TRY(tc_samples_create(t->device, view, t->options, t->stream, t->batch, &t->samples, error));
    t->epoch_samples = samples_of_an_epoch(t);
    TC_TRY(tc_passes_for(&t->passes, t->epoch_samples, t->batch, error));
    TC_TRY(tc_new(&t->logits, (size_t)t->batch * (size_t)tc_model_classes(t->model), sizeof *t->logits, error));
    if (checkpoint_path(t))
        t->fingerprint = tc_train_fingerprint(t->device, t->model, view, t->options, t->stream, weights);
done:
    return status;
}

static void unmake(trainer *t) {
    void *const vectors[] = {t->run.theta, t->run.state, t->gradient};
    for (int i = 0; i < 3; i++)
        if (vectors[i]) t->device->k->release(t->device, vectors[i]);
    tc_optimiser_free(&t->run.optimiser);
    tc_passes_free(&t->passes);
    tc_samples_free(&t->samples);
    free(t->run.curve);
    free(t->logits);
}

/* ---- what is told while it runs ---- */

static void report(trainer *t, double loss, double accuracy, int64_t epoch) {
    const tc_train_place *at = &t->run.at;
    const double total = (double)t->options->epochs * (double)t->epoch_samples;
    const double images = (double)at->epoch * (double)t->epoch_samples + (double)at->place;
    const double seconds = tc_clock() - t->started, speed = (images - t->first_image) / fmax(seconds, 1e-9);
    const tc_epoch_report told = {.epoch = epoch,
                                  .epochs = t->options->epochs,
                                  .loss = loss,
                                  .accuracy = accuracy,
                                  .rate = tc_schedule_rate(&t->schedule, images / (double)t->epoch_samples),
                                  .images_per_second = speed,
                                  .seconds_left = speed > 0 ? (total - images) / speed : 0};
    t->hooks->progress(t->hooks->context, &told, images / total);
}

/* Within an epoch, at most twice a second; its end is told by end_epoch. */
static void report_within(trainer *t) {
    const tc_train_place *at = &t->run.at;
    if (!t->hooks || !t->hooks->progress || (size_t)at->place == t->epoch_samples || tc_clock() - t->reported < 0.5)
        return;
    t->reported = tc_clock();
    report(t, at->loss_sum / (double)at->seen, (double)at->correct / (double)at->seen, at->epoch + 1);
}

/* ---- one step ---- */

static int64_t count_correct(const trainer *t, int n, const tc_pass *pass) {
    const int classes = tc_model_classes(t->model);
    int64_t correct = 0;
    t->device->k->download_float(t->device, t->logits, tc_pass_logits(pass), (size_t)n * (size_t)classes);
    for (int i = 0; i < n; i++) {
        const float *row = t->logits + (size_t)i * (size_t)classes;
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (row[c] > row[best]) best = c;
        correct += best == t->samples.host_labels[i];
    }
    return correct;
}

static tc_status step(trainer *t, tc_error *error) {
    tc_train_place *at = &t->run.at;
    const size_t left = t->epoch_samples - (size_t)at->place;
    const int n = left < (size_t)t->batch ? (int)left : t->batch;
    tc_pass *pass = tc_passes_find(&t->passes, n);
    tc_samples_load(&t->samples, at->epoch, (size_t)at->place, n, pass);
    tc_pass_set_stream(pass, tc_stream_child(t->stream, "dropout", (uint64_t)at->steps));
    /* The rate in the middle of the step, so that milestones fall between steps and warm-up does not start at zero. */
    const double middle = ((double)at->place + 0.5 * n) / (double)t->epoch_samples;
    const double rate = tc_schedule_rate(&t->schedule, (double)at->epoch + middle);
    const double loss = tc_pass_grad(pass, t->run.theta, t->run.state, t->gradient, NULL);
    if (!isfinite(loss))
        return tc_raise(error, TC_FAILED,
                        "train: the loss is no longer a number in epoch %" PRId64 ", step %" PRId64
                        "; take a lower rate than %g or a longer warmup than %g epochs",
                        at->epoch + 1, at->steps + 1, t->options->rate, t->options->warmup);
    tc_optimiser_step(&t->run.optimiser, rate, at->steps + 1, t->gradient, t->run.theta);
    at->steps++;
    at->place += n;
    at->seen += n;
    at->loss_sum += loss * n;
    at->correct += count_correct(t, n, pass);
    return TC_OK;
}

/* ---- the loop ---- */

static tc_status save(trainer *t, tc_error *error) {
    tc_train_state state = t->run;
    state.at.seconds += tc_clock() - t->started;
    t->saved = tc_clock();
    return tc_checkpoint_save(checkpoint_path(t), t->fingerprint, &state, error);
}

/* Between steps: a checkpoint when it is time or when asked to stop. */
static tc_status pause_if_asked(trainer *t, tc_error *error) {
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

static void end_epoch(trainer *t) {
    tc_train_place *at = &t->run.at;
    at->last_loss = at->loss_sum / (double)at->seen;
    at->last_accuracy = (double)at->correct / (double)at->seen;
    t->run.curve[2 * at->epoch] = at->last_loss;
    t->run.curve[2 * at->epoch + 1] = at->last_accuracy;
    at->epoch++;
    at->place = at->seen = at->correct = 0;
    at->loss_sum = 0;
    if (t->hooks && t->hooks->progress) report(t, at->last_loss, at->last_accuracy, at->epoch);
}

static tc_status loop(trainer *t, tc_error *error) {
    tc_status status = TC_OK;
    tc_train_place *at = &t->run.at;
    t->first_image = (double)at->epoch * (double)t->epoch_samples + (double)at->place;
    t->started = t->saved = t->reported = tc_clock();
    while (at->epoch < t->options->epochs) {
        tc_samples_begin_epoch(&t->samples, at->epoch);
        while ((size_t)at->place < t->epoch_samples) {
            TC_TRY(pause_if_asked(t, error));
            TC_TRY(step(t, error));
            report_within(t);
        }
        end_epoch(t);
    }
done:
    return status;
}

static void finish(trainer *t, tc_weights *weights, tc_train_result *result) {
    const tc_kernels *k = t->device->k;
    k->download_float(t->device, weights->theta, t->run.theta, t->run.parameters);
    k->download_float(t->device, weights->state, t->run.state, t->run.statistics);
    if (t->hooks && t->hooks->curve) memcpy(t->hooks->curve, t->run.curve, 2 * t->run.epochs * sizeof *t->run.curve);
    if (checkpoint_path(t)) remove(checkpoint_path(t)); /* its run is over */
    if (!result) return;
    *result = (tc_train_result){.loss = t->run.at.last_loss,
                                .accuracy = t->run.at.last_accuracy,
                                .seconds = t->run.at.seconds + tc_clock() - t->started,
                                .steps = t->run.at.steps};
}

tc_status tc_train(tc_device *device, const tc_model *model, const tc_view *view, const tc_train_options *options,
                   tc_stream stream, const tc_train_hooks *hooks, tc_weights *weights, tc_train_result *result,
                   tc_error *error) {
    tc_status status = TC_OK;
    bool found = false;
    trainer t = {.device = device, .model = model, .options = options, .hooks = hooks, .stream = stream};
    TC_TRY(check(model, view, options, error));
    TC_TRY(make(&t, view, weights, error));
    if (checkpoint_path(&t)) TC_TRY(tc_checkpoint_load(checkpoint_path(&t), t.fingerprint, &t.run, &found, error));
    TC_TRY(loop(&t, error));
    finish(&t, weights, result);
done:
    unmake(&t);
    return status;
}
