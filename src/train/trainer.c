/* trainer.c — everything a training needs, made before its first step and given back after its last. */
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

tc_status tc_trainer_check(const tc_trainer *t, tc_error *error) {
    tc_status status = TC_OK;
    if (t->view->count == 1 && tc_model_state(t->model) > 0)
        TC_RAISE(TC_INVALID, "train: batch normalisation in %s needs 2 training samples or more; give it more data",
                 tc_model_name(t->model));
    TC_TRY(tc_train_check(t->options, t->view->dataset, t->model, error));
    if (t->hooks && t->hooks->keep) TC_TRY(tc_train_check_keep(t->options, error));
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
    if (t->hooks && t->hooks->checkpoint)
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
