#include "train/optimiser.h"

static void sgd(const tc_optimiser *o, double rate, int64_t step, const void *gradient, void *theta) {
    (void)step;
    const tc_sgd sgd = {.rate = rate,
                        .momentum = o->options->momentum,
                        .weight_decay = o->options->weight_decay,
                        .nesterov = o->options->nesterov};
    o->device->k->sgd_step(o->device, o->count, &sgd, gradient, o->moment[0], theta);
}

static void adam_like(const tc_optimiser *o, double rate, int64_t step, bool decoupled, const void *gradient,
                      void *theta) {
    const tc_adam adam = {.rate = rate,
                          .beta1 = o->options->beta1,
                          .beta2 = o->options->beta2,
                          .epsilon = o->options->adam_epsilon,
                          .weight_decay = o->options->weight_decay,
                          .decoupled = decoupled,
                          .step = step};
    o->device->k->adam_step(o->device, o->count, &adam, gradient, o->moment[0], o->moment[1], theta);
}

static void adam(const tc_optimiser *o, double rate, int64_t step, const void *gradient, void *theta) {
    adam_like(o, rate, step, false, gradient, theta);
}

static void adamw(const tc_optimiser *o, double rate, int64_t step, const void *gradient, void *theta) {
    adam_like(o, rate, step, true, gradient, theta);
}

/* In the order of the choices of `optimiser` in tc_train_table. */
static const struct {
    int moments;
    void (*step)(const tc_optimiser *optimiser, double rate, int64_t step, const void *gradient, void *theta);
} kinds[] = {{1, sgd}, {2, adam}, {2, adamw}};

tc_status tc_optimiser_create(tc_device *device, const tc_train_options *options, size_t count, tc_optimiser *optimiser,
                              tc_error *error) {
    tc_status status = TC_OK;
    *optimiser = (tc_optimiser){
        .device = device, .options = options, .count = count, .moments = kinds[options->optimiser].moments};
    for (int i = 0; i < optimiser->moments; i++) TC_TRY(tc_device_reals(device, count, &optimiser->moment[i], error));
done:
    return status;
}

void tc_optimiser_step(tc_optimiser *optimiser, double rate, int64_t step, const void *gradient, void *theta) {
    kinds[optimiser->options->optimiser].step(optimiser, rate, step, gradient, theta);
}

void tc_optimiser_free(tc_optimiser *optimiser) {
    for (int i = 0; i < TC_MAX_MOMENTS; i++) {
        if (optimiser->moment[i]) optimiser->device->k->release(optimiser->device, optimiser->moment[i]);
        optimiser->moment[i] = NULL;
    }
}
