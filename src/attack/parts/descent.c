#include "attack/parts/descent.h"

tc_status tc_descent_create(tc_perturbation *delta, tc_descent *descent, tc_error *error) {
    tc_status status = TC_OK;
    *descent = (tc_descent){.delta = delta};
    TC_TRY(tc_device_reals(delta->device, delta->values, &descent->gradient, error));
    for (int i = 0; i < 2; i++) TC_TRY(tc_device_reals(delta->device, delta->values, &descent->moment[i], error));
done:
    if (status != TC_OK) tc_descent_free(descent);
    return status;
}

void tc_descent_free(tc_descent *descent) {
    void *const memory[] = {descent->gradient, descent->moment[0], descent->moment[1]};
    for (int i = 0; i < 3; i++)
        if (memory[i]) descent->delta->device->k->release(descent->delta->device, memory[i]);
    *descent = (tc_descent){0};
}

void tc_descent_restart(tc_descent *descent) {
    tc_device *device = descent->delta->device;
    for (int i = 0; i < 2; i++) device->k->fill(device, descent->delta->values, 0, descent->moment[i]);
}

void tc_descent_step(tc_descent *descent, double rate, int64_t step, bool sign) {
    tc_device *device = descent->delta->device;
    const tc_adam adam = {
        .rate = rate, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .signed_gradient = sign, .step = step + 1};
    device->k->adam_step(device, descent->delta->values, &adam, descent->gradient, descent->moment[0],
                         descent->moment[1], descent->delta->delta);
    tc_perturbation_project(descent->delta);
}

double tc_deviations(const tc_dataset *dataset, double deviations) {
    double mean = 0;
    for (int c = 0; c < dataset->channels; c++) mean += dataset->std[c] / (double)dataset->channels;
    return deviations * 255 * mean;
}

double tc_decayed(double rate, double decay, int64_t step, int64_t steps) {
    for (int eighths = 3; eighths <= 7; eighths += 2)
        if (8 * step >= eighths * steps) rate *= decay;
    return rate;
}

void tc_descent_keep(tc_descent *descent, tc_snapshot *snapshot) {
    const size_t bytes = descent->delta->values * descent->delta->device->element;
    void *const memory[TC_DESCENT_PIECES] = {descent->delta->delta, descent->moment[0], descent->moment[1]};
    for (int i = 0; i < TC_DESCENT_PIECES; i++) tc_snapshot_device(snapshot, memory[i], bytes);
}
