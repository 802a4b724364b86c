/* step.c — the parts of a step: those that a device can take by itself (plain.c calls them, too), and steps that the
 * host takes one by one and waits for. */
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>

void tc_trainer_key(tc_stream stream, int64_t step, tc_pace *pace) {
    pace->dropout = tc_stream_child(stream, "dropout", (uint64_t)step).key;
    pace->variant = tc_stream_child(stream, "variant", (uint64_t)step).key;
}

void tc_trainer_show(const tc_trainer *t, tc_pass *pass, int n) {
    tc_pass_set_pace(pass, t->pace);
    tc_samples_show(&t->samples, n, pass);
    tc_variants_change(t, pass, n);
}

void tc_trainer_climb(const tc_trainer *t, tc_pass *pass) {
    if (tc_variants_climb(t, pass)) return;
    tc_pass_grad_async(pass, t->run.theta, t->run.state, t->gradient, NULL);
    tc_pass_tally(pass, t->count);
}

tc_pass *tc_trainer_load(tc_trainer *t, int64_t round, size_t from, int n, tc_stream stream) {
    const int64_t step = t->run.at.steps;
    tc_pass *pass = tc_passes_find(&t->passes, n);
    tc_pace pace = {0};
    tc_trainer_key(stream, step, &pace);
    t->device->k->upload_bytes(t->device, t->pace, &pace, sizeof pace);
    tc_samples_bring(&t->samples, round, from, n, pass);
    tc_variants_draw(t, stream, step, 0, n, t->samples.host_labels);
    tc_variants_bring(t, n);
    tc_trainer_show(t, pass, n);
    return pass;
}

void tc_trainer_count(tc_trainer *t, const tc_pass *pass, int n, double loss, tc_tally *tally) {
    const int classes = tc_model_classes(t->model);
    t->device->k->download_float(t->device, t->logits, tc_pass_logits(pass), (size_t)n * (size_t)classes);
    for (int i = 0; i < n; i++) {
        const float *row = t->logits + (size_t)i * (size_t)classes;
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (row[c] > row[best]) best = c;
        tally->correct += best == t->samples.host_labels[i];
    }
    tally->seen += n;
    tally->loss += loss * n;
}

tc_tally tc_trainer_gradient(tc_trainer *t, int n) {
    const tc_kernels *k = t->device->k;
    const tc_train_place *at = &t->run.at;
    tc_tally tally;
    tc_count count = {0};
    if (tc_variants_gradient(t, n, &tally)) return tally;
    k->upload_bytes(t->device, t->count, &count, sizeof count);
    tc_trainer_climb(t, tc_trainer_load(t, at->epoch, (size_t)at->place, n, t->stream));
    k->download_bytes(t->device, &count, t->count, sizeof count);
    return (tc_tally){.loss = count.loss, .seen = n, .correct = count.correct};
}

/* A device that runs ahead has gone on until somebody looked. */
tc_status tc_trainer_diverged(const tc_trainer *t, int64_t step, tc_error *error) {
    return tc_raise_fruitless(error, TC_FAILED,
                              "train: the loss is no longer a number in epoch %" PRId64 ", %sstep %" PRId64
                              "; take a lower rate than %g or a longer warmup than %g epochs",
                              t->run.at.epoch + 1, t->plain.on && t->device->k->record_begin ? "by " : "", step,
                              t->options->rate, t->options->warmup);
}

/* The rate in the middle of the step, so that milestones fall between steps and warm-up does not start at zero. */
double tc_trainer_rate(const tc_trainer *t, int64_t epoch, int64_t place, int n) {
    const double middle = ((double)place + 0.5 * n) / (double)t->epoch_samples;
    return tc_schedule_rate(&t->schedule, (double)epoch + middle);
}

int tc_trainer_next(const tc_trainer *t) {
    const size_t left = t->epoch_samples - (size_t)t->run.at.place;
    return left < (size_t)t->batch ? (int)left : t->batch;
}

tc_status tc_trainer_step(tc_trainer *t, double rate, tc_error *error) {
    tc_train_place *at = &t->run.at;
    const int n = tc_trainer_next(t);
    const tc_tally tally = tc_trainer_gradient(t, n);
    if (!isfinite(tally.loss)) return tc_trainer_diverged(t, at->steps + 1, error);
    tc_optimiser_step(&t->run.optimiser, rate, at->steps + 1, t->gradient, t->run.theta);
    at->steps++;
    at->place += n;
    at->seen += tally.seen;
    at->loss_sum += tally.loss;
    at->correct += tally.correct;
    t->trained += n;
    return TC_OK;
}
