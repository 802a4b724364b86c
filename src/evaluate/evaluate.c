/* evaluate.c — logits of any images in batches, and what follows from them. */
#include "evaluate/evaluate.h"

#include "train/passes.h"

#include <math.h>
#include <stdlib.h>

enum { LARGEST_BATCH = 250 };

/* ---- prediction ---- */

typedef struct predictor {
    tc_device *device;
    const tc_dataset *dataset;
    tc_passes passes;
    void *theta, *state; /* device reals */
    uint8_t *images;     /* device [batch][h][w][c] */
    uint32_t *index;     /* device [batch]: 0, 1, … */
    int batch;
} predictor;

static tc_status make(predictor *p, const tc_model *model, const tc_weights *weights, size_t count, tc_error *error) {
    tc_status status = TC_OK;
    const tc_kernels *k = p->device->k;
    const size_t parameters = tc_model_parameters(model), statistics = tc_model_state(model);
    p->batch = count < LARGEST_BATCH ? (int)count : LARGEST_BATCH;
    p->passes = (tc_passes){.device = p->device, .model = model, .options = {.mode = TC_EVALUATE}};
    TC_TRY(tc_passes_for(&p->passes, count, p->batch, error));
    TC_TRY(tc_device_reals(p->device, parameters, &p->theta, error));
    TC_TRY(tc_device_reals(p->device, statistics + 1, &p->state, error)); /* never empty */
    TC_TRY(tc_device_bytes(p->device, (size_t)p->batch * tc_dataset_image_bytes(p->dataset), &p->images, error));
    TC_TRY(tc_device_order(p->device, (size_t)p->batch, &p->index, error));
    k->upload_float(p->device, p->theta, weights->theta, parameters);
    k->upload_float(p->device, p->state, weights->state, statistics);
done:
    return status;
}

static void unmake(predictor *p) {
    void *const memory[] = {p->theta, p->state, p->images, p->index};
    for (int i = 0; i < 4; i++)
        if (memory[i]) p->device->k->release(p->device, memory[i]);
    tc_passes_free(&p->passes);
}

static void predict_batch(predictor *p, const uint8_t *images, int n, float *logits) {
    const tc_kernels *k = p->device->k;
    const tc_dataset *data = p->dataset;
    tc_pass *pass = tc_passes_find(&p->passes, n);
    k->upload_bytes(p->device, p->images, images, (size_t)n * tc_dataset_image_bytes(data));
    k->load_images(p->device, tc_nhwc(n, data->height, data->width, data->channels), p->images, p->index, NULL,
                   data->mean, data->std, tc_pass_input(pass));
    tc_pass_forward(pass, p->theta, p->state);
    k->download_float(p->device, logits, tc_pass_logits(pass), (size_t)n * (size_t)data->classes);
}

tc_status tc_predict(tc_device *device, const tc_model *model, const tc_weights *weights, const tc_dataset *dataset,
                     const uint8_t *images, size_t count, float *logits, tc_error *error) {
    tc_status status = TC_OK;
    predictor p = {.device = device, .dataset = dataset};
    if (count == 0) return TC_OK;
    TC_TRY(tc_model_fits(model, dataset, error));
    TC_TRY(make(&p, model, weights, count, error));
    const size_t bytes = tc_dataset_image_bytes(dataset);
    for (size_t from = 0; from < count; from += (size_t)p.batch) {
        const int n = count - from < (size_t)p.batch ? (int)(count - from) : p.batch;
        predict_batch(&p, images + from * bytes, n, logits + from * (size_t)dataset->classes);
    }
    TC_TRY(tc_device_health(device, error));
done:
    unmake(&p);
    return status;
}

/* ---- accuracy ---- */

int tc_argmax(const float *logits, int classes) {
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > logits[best]) best = c;
    return best;
}

double tc_cross_entropy(const float *logits, int classes, int label) {
    const double most = logits[tc_argmax(logits, classes)];
    double sum = 0;
    for (int c = 0; c < classes; c++) sum += exp(logits[c] - most);
    return most + log(sum) - logits[label];
}

tc_status tc_evaluate(tc_device *device, const tc_model *model, const tc_weights *weights, const tc_dataset *dataset,
                      const tc_split *split, tc_accuracy *result, tc_error *error) {
    tc_status status = TC_OK;
    float *logits = NULL;
    const size_t classes = (size_t)dataset->classes;
    *result = (tc_accuracy){.accuracy = NAN, .loss = NAN, .count = split->count};
    if (split->count == 0) TC_RAISE(TC_INVALID, "evaluate: the split of %s is empty; take more images", dataset->name);
    TC_TRY(tc_new(&logits, split->count * classes, sizeof *logits, error));
    TC_TRY(tc_predict(device, model, weights, dataset, split->images, split->count, logits, error));
    double loss = 0;
    size_t correct = 0;
    for (size_t i = 0; i < split->count; i++) {
        correct += tc_argmax(logits + i * classes, dataset->classes) == split->labels[i];
        loss += tc_cross_entropy(logits + i * classes, dataset->classes, split->labels[i]);
    }
    result->accuracy = (double)correct / (double)split->count;
    result->loss = loss / (double)split->count;
done:
    free(logits);
    return status;
}
