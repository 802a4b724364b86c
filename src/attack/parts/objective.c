#include "attack/parts/objective.h"

#include "train/passes.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST_BATCH = 128 };

typedef struct image_objective {
    tc_objective base;
    tc_device *device;
    const tc_dataset *dataset;
    tc_passes passes;
    void *state; /* borrowed */
    size_t count;
    int batch;
    uint8_t *images; /* device [count][h][w][c] */
    int32_t *labels; /* host [count] */
    uint32_t *index; /* device [count]: 0, 1, … */
    void *part;      /* device reals [p]: a batch's gradient, where there are several */
} image_objective;

static void load(const image_objective *q, size_t from, int n, tc_pass *pass) {
    const tc_dataset *data = q->dataset;
    const tc_kernels *k = q->device->k;
    k->load_images(q->device, tc_nhwc(n, data->height, data->width, data->channels), q->images, q->index + from, NULL,
                   data->mean, data->std, tc_pass_input(pass));
    k->upload_bytes(q->device, tc_pass_labels(pass), q->labels + from, (size_t)n * sizeof *q->labels);
}

static double image_gradient(tc_objective *objective, const void *theta, void *g) {
    image_objective *q = (image_objective *)objective;
    double value = 0;
    for (size_t from = 0; from < q->count; from += (size_t)q->batch) {
        const int n = q->count - from < (size_t)q->batch ? (int)(q->count - from) : q->batch;
        const double share = (double)n / (double)q->count;
        tc_pass *pass = tc_passes_find(&q->passes, n);
        load(q, from, n, pass);
        value += share * tc_pass_grad(pass, theta, q->state, q->part ? q->part : g, NULL);
        if (q->part) q->device->k->axpby(q->device, objective->parameters, share, q->part, from > 0, g);
        objective->gradients++;
    }
    return value;
}

static void image_free(tc_objective *objective) {
    image_objective *q = (image_objective *)objective;
    void *const memory[] = {q->images, q->index, q->part};
    for (int i = 0; i < 3; i++)
        if (memory[i]) q->device->k->release(q->device, memory[i]);
    tc_passes_free(&q->passes);
    free(q->labels);
    free(q);
}

static tc_status fill(image_objective *q, const uint8_t *images, const int32_t *labels, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_new(&q->labels, q->count, sizeof *q->labels, error));
    memcpy(q->labels, labels, q->count * sizeof *labels);
    TC_TRY(tc_device_copy(q->device, images, q->count * tc_dataset_image_bytes(q->dataset), &q->images, error));
    TC_TRY(tc_device_order(q->device, q->count, &q->index, error));
    if (q->count > (size_t)q->batch) TC_TRY(tc_device_reals(q->device, q->base.parameters, &q->part, error));
    TC_TRY(tc_passes_for(&q->passes, q->count, q->batch, error));
done:
    return status;
}

/* What is averaged. */
typedef struct measure {
    tc_loss_kind loss;
    double kappa; /* of TC_MARGIN */
} measure;

static tc_status make(tc_device *device, const tc_model *model, void *state, const tc_dataset *dataset,
                      const uint8_t *images, const int32_t *labels, size_t count, measure of, tc_objective **objective,
                      tc_error *error) {
    tc_status status = TC_OK;
    image_objective *q = NULL;
    *objective = NULL;
    TC_TRY(tc_new(&q, 1, sizeof *q, error));
    *q = (image_objective){
        .base = {.parameters = tc_model_parameters(model), .gradient = image_gradient, .free = image_free},
        .device = device,
        .dataset = dataset,
        .passes = {.device = device,
                   .model = model,
                   .options = {.mode = TC_EVALUATE, .want = TC_WANT_GRAD_THETA, .loss = of.loss, .kappa = of.kappa}},
        .state = state,
        .count = count,
        .batch = count < LARGEST_BATCH ? (int)count : LARGEST_BATCH};
    if (count == 0) TC_RAISE(TC_INVALID, "objective: no images; name at least one target");
    TC_TRY(fill(q, images, labels, error));
    *objective = &q->base;
    q = NULL;
done:
    if (q) image_free(&q->base);
    return status;
}

tc_status tc_image_objective(tc_device *device, const tc_model *model, void *state, const tc_dataset *dataset,
                             const uint8_t *images, const int32_t *labels, size_t count, tc_objective **objective,
                             tc_error *error) {
    return make(device, model, state, dataset, images, labels, count, (measure){.loss = TC_CROSS_ENTROPY}, objective,
                error);
}

tc_status tc_target_margin(tc_device *device, const tc_model *model, void *state, const tc_dataset *dataset,
                           const tc_threat *threat, double kappa, tc_objective **objective, tc_error *error) {
    tc_status status = TC_OK;
    uint8_t *images = NULL;
    int32_t *labels = NULL;
    const size_t bytes = tc_dataset_image_bytes(dataset);
    TC_TRY(tc_new(&images, threat->targets, bytes, error));
    TC_TRY(tc_new(&labels, threat->targets, sizeof *labels, error));
    tc_threat_targets(dataset, threat, images);
    for (size_t i = 0; i < threat->targets; i++) labels[i] = threat->intended_class;
    TC_TRY(make(device, model, state, dataset, images, labels, threat->targets, (measure){TC_MARGIN, kappa}, objective,
                error));
done:
    free(images);
    free(labels);
    return status;
}
