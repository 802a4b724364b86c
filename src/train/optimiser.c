#include "train/optimiser.h"

/* Which step it is: its rate and number (1 for the first), or where on the device that is found. */
typedef struct moment {
    double rate;
    int64_t step;
    const tc_pace *pace; /* NULL: the two above */
} moment;

static tc_pace sgd_pace(const tc_optimiser *o, const moment *now) {
    (void)o;
    return (tc_pace){.rate = now->rate};
}

static void sgd(const tc_optimiser *o, const moment *now, const void *gradient, void *theta) {
    const tc_sgd sgd = {.rate = now->rate,
                        .momentum = o->options->momentum,
                        .weight_decay = o->options->weight_decay,
                        .nesterov = o->options->nesterov,
                        .pace = now->pace};
    o->device->k->sgd_step(o->device, o->count, &sgd, gradient, o->moment[0], theta);
}

enum { SGD, ADAM, ADAMW }; /* the choices of `optimiser` in tc_train_table */

static tc_adam adam_of(const tc_optimiser *o, const moment *now) {
    return (tc_adam){.rate = now->rate,
                     .beta1 = o->options->beta1,
                     .beta2 = o->options->beta2,
                     .epsilon = o->options->adam_epsilon,
                     .weight_decay = o->options->weight_decay,
                     .decoupled = o->options->optimiser == ADAMW,
                     .step = now->step,
                     .pace = now->pace};
}

static tc_pace adam_pace(const tc_optimiser *o, const moment *now) {
    const tc_adam adam = adam_of(o, now);
    return tc_adam_pace(&adam);
}

static void adam(const tc_optimiser *o, const moment *now, const void *gradient, void *theta) {
    const tc_adam adam = adam_of(o, now);
    o->device->k->adam_step(o->device, o->count, &adam, gradient, o->moment[0], o->moment[1], theta);
}

static const struct {
    int moments;
    tc_pace (*pace)(const tc_optimiser *optimiser, const moment *now);
    void (*step)(const tc_optimiser *optimiser, const moment *now, const void *gradient, void *theta);
} kinds[] = {[SGD] = {1, sgd_pace, sgd}, [ADAM] = {2, adam_pace, adam}, [ADAMW] = {2, adam_pace, adam}};

/* A moment that is all of what it was never leaves zero, and is divided by the share in it that is new: zero as well.
 */
tc_status tc_optimiser_check(const tc_train_options *options, tc_error *error) {
    if (options->optimiser == SGD || (options->beta1 < 1 && options->beta2 < 1)) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: is 1, with which adam takes no step; take less",
                    options->beta1 < 1 ? "beta2" : "beta1");
}

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
    kinds[optimiser->options->optimiser].step(optimiser, &(moment){.rate = rate, .step = step}, gradient, theta);
}

tc_pace tc_optimiser_pace(const tc_optimiser *optimiser, double rate, int64_t step) {
    return kinds[optimiser->options->optimiser].pace(optimiser, &(moment){.rate = rate, .step = step});
}

void tc_optimiser_step_at(tc_optimiser *optimiser, const tc_pace *pace, const void *gradient, void *theta) {
    kinds[optimiser->options->optimiser].step(optimiser, &(moment){.pace = pace}, gradient, theta);
}

void tc_optimiser_free(tc_optimiser *optimiser) {
    for (int i = 0; i < TC_MAX_MOMENTS; i++) {
        if (optimiser->moment[i]) optimiser->device->k->release(optimiser->device, optimiser->moment[i]);
        optimiser->moment[i] = NULL;
    }
}
