#include "api/api.h"

#include "evaluate/evaluate.h"

#include <stdlib.h>

tocsin_status tocsin_predict(tocsin_device *device, const tocsin_model *model, const tocsin_dataset *dataset,
                             const uint8_t *images, size_t count, int32_t *predicted, float *logits,
                             tocsin_error *error) {
    TC_ENTER;
    TC_NEED(device);
    TC_NEED(model);
    TC_NEED(dataset);
    if (!count) return TC_OK;
    TC_NEED(images);
    const tc_dataset *data = tc_dataset_of(dataset);
    const size_t classes = (size_t)data->classes;
    float *own = NULL;
    tc_status status = TC_OK;
    if (count > SIZE_MAX / classes) TC_RAISE(TC_INVALID, "predict: %zu images are too many; give fewer", count);
    if (!logits) TC_TRY(tc_new(&own, count * classes, sizeof *own, error));
    float *z = logits ? logits : own; /* [count][classes] */
    TC_TRY(tc_predict(tc_device_of(device), model->network->model, &model->weights, data, images, count, z, error));
    for (size_t i = 0; predicted && i < count; i++) predicted[i] = tc_argmax(z + i * classes, data->classes);
done:
    free(own);
    return status;
}

tocsin_status tocsin_evaluate(tocsin_device *device, const tocsin_model *model, const tocsin_dataset *dataset,
                              tocsin_split split, double *accuracy, double *loss, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(device);
    TC_NEED(model);
    TC_NEED(dataset);
    if (split != TOCSIN_TRAINING && split != TOCSIN_TEST)
        return tc_raise(error, TC_INVALID, "evaluate: there is no split %d; give TOCSIN_TRAINING or TOCSIN_TEST",
                        (int)split);
    const tc_dataset *data = tc_dataset_of(dataset);
    tc_accuracy measured;
    const tc_status status = tc_evaluate(tc_device_of(device), model->network->model, &model->weights, data,
                                         split == TOCSIN_TRAINING ? &data->train : &data->test, &measured, error);
    if (status != TC_OK) return status;
    if (accuracy) *accuracy = measured.accuracy;
    if (loss) *loss = measured.loss;
    return TC_OK;
}
