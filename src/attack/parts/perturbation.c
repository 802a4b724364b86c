#include "attack/parts/perturbation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void tc_threat_base(const tc_dataset *dataset, const tc_threat *threat, uint8_t *images) {
    const size_t bytes = tc_dataset_image_bytes(dataset);
    for (size_t i = 0; i < threat->poisons; i++)
        memcpy(images + i * bytes, dataset->train.images + threat->base[i] * bytes, bytes);
}

uint8_t tc_round_pixel(uint8_t base, double delta, double epsilon) {
    const double most = floor(epsilon);
    const double low = fmax(base - most, 0), high = fmin(base + most, 255);
    return (uint8_t)fmin(fmax(nearbyint(base + delta), low), high);
}

static tc_status make(tc_perturbation *p, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_device_bytes(p->device, p->values, &p->base8, error));
    TC_TRY(tc_device_reals(p->device, p->values, &p->base, error));
    TC_TRY(tc_device_reals(p->device, p->values, &p->delta, error));
    TC_TRY(tc_device_reals(p->device, p->values, &p->pixels, error));
    TC_TRY(tc_new(&p->host, p->values, sizeof *p->host, error));
done:
    return status;
}

tc_status tc_perturbation_create(tc_device *device, const tc_dataset *dataset, const tc_threat *threat,
                                 tc_perturbation *p, tc_error *error) {
    tc_status status = TC_OK;
    uint8_t *images = NULL;
    *p = (tc_perturbation){.device = device,
                           .dataset = dataset,
                           .threat = threat,
                           .values = threat->poisons * tc_dataset_image_bytes(dataset)};
    TC_TRY(make(p, error));
    TC_TRY(tc_new(&images, p->values, 1, error));
    tc_threat_base(dataset, threat, images);
    for (size_t i = 0; i < p->values; i++) p->host[i] = images[i];
    device->k->upload_bytes(device, p->base8, images, p->values);
    device->k->upload_float(device, p->base, p->host, p->values);
done:
    free(images);
    if (status != TC_OK) tc_perturbation_free(p);
    return status;
}

void tc_perturbation_free(tc_perturbation *p) {
    void *const memory[] = {p->base8, p->base, p->delta, p->pixels};
    for (int i = 0; i < 4; i++)
        if (memory[i]) p->device->k->release(p->device, memory[i]);
    free(p->host);
    *p = (tc_perturbation){0};
}

void tc_perturbation_start(tc_perturbation *p, tc_stream stream) {
    p->device->k->normal(p->device, p->values, stream, p->threat->epsilon, p->delta);
    tc_perturbation_project(p);
}

void tc_perturbation_project(tc_perturbation *p) {
    p->device->k->project(p->device, p->values, p->threat->epsilon, p->base8, p->delta);
}

void tc_perturbation_apply(tc_perturbation *p) {
    p->device->k->copy(p->device, p->values, p->base, p->pixels);
    p->device->k->axpby(p->device, p->values, 1, p->delta, 1, p->pixels);
}

void tc_perturbation_round(tc_perturbation *p, uint8_t *images) {
    const tc_kernels *k = p->device->k;
    tc_threat_base(p->dataset, p->threat, images);
    k->download_float(p->device, p->host, p->delta, p->values);
    for (size_t i = 0; i < p->values; i++) {
        images[i] = tc_round_pixel(images[i], p->host[i], p->threat->epsilon);
        p->host[i] = images[i];
    }
    k->upload_float(p->device, p->pixels, p->host, p->values);
}

tc_status tc_threat_poison(const tc_dataset *dataset, const tc_threat *threat, const uint8_t *images,
                           tc_poison **poison, tc_error *error) {
    tc_status status = TC_OK;
    tc_poison *made = NULL;
    TC_TRY(tc_poison_create(dataset, threat->poisons, 0, &made, error));
    memcpy(made->images, images, threat->poisons * made->image_bytes);
    for (size_t i = 0; i < threat->poisons; i++) {
        made->index[i] = threat->base[i];
        made->labels[i] = dataset->train.labels[threat->base[i]];
    }
    const int farthest = tc_poison_linf(made, dataset);
    if (farthest > threat->epsilon)
        TC_RAISE(TC_FAILED, "attack: a pixel moved by %d steps where %g are allowed; report this as a defect", farthest,
                 threat->epsilon);
    *poison = made;
    made = NULL;
done:
    tc_poison_free(made);
    return status;
}
