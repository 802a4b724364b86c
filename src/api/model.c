#include "api/api.h"

#include "zoo/zoo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

/* A model of the network, whose use the caller has counted. */
static tc_status make(tc_network *network, tocsin_model **model, tc_error *error) {
    tocsin_model *made = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    TC_TRY(tc_weights_create(network->model, &made->weights, error));
    made->network = network;
    *model = made;
    return TC_OK;
done:
    free(made);
    return status;
}

static void leave(tc_network *network) {
    if (atomic_fetch_sub(&network->users, 1) > 1) return;
    tc_model_free(network->model);
    free(network);
}

tocsin_status tocsin_model_create(const char *name, tocsin_shape shape, int classes, const char *const *settings,
                                  tocsin_model **model, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(model);
    *model = NULL;
    TC_NEED(name);
    const tc_shape input = tc_nhwc(1, shape.height, shape.width, shape.channels);
    tc_network *network = NULL;
    tc_status status = tc_new(&network, 1, sizeof *network, error);
    if (status != TC_OK) return status;
    atomic_init(&network->users, 1);
    TC_TRY(tc_zoo_build(name, input, classes, settings, tc_api_count(settings), &network->model, error));
    TC_TRY(make(network, model, error));
done:
    if (status != TC_OK) leave(network);
    return status;
}

tocsin_status tocsin_model_create_for(const char *name, const tocsin_dataset *dataset, const char *const *settings,
                                      tocsin_model **model, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(model);
    *model = NULL;
    TC_NEED(dataset);
    return tocsin_model_create(name, tocsin_dataset_shape(dataset), tocsin_dataset_classes(dataset), settings, model,
                               error);
}

tocsin_status tocsin_model_copy(const tocsin_model *model, tocsin_model **copy, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(copy);
    *copy = NULL;
    TC_NEED(model);
    const tc_status status = make(model->network, copy, error);
    if (status != TC_OK) return status;
    atomic_fetch_add(&model->network->users, 1);
    memcpy((*copy)->weights.theta, model->weights.theta,
           tc_model_parameters(model->network->model) * sizeof *model->weights.theta);
    memcpy((*copy)->weights.state, model->weights.state,
           tc_model_state(model->network->model) * sizeof *model->weights.state);
    return TC_OK;
}

void tocsin_model_free(tocsin_model *model) {
    if (!model) return;
    tc_weights_free(&model->weights);
    leave(model->network);
    free(model);
}

/* ---- looking ---- */

const char *tocsin_model_name(const tocsin_model *model) {
    return model ? tc_model_name(model->network->model) : NULL;
}

tocsin_shape tocsin_model_shape(const tocsin_model *model) {
    if (!model) return (tocsin_shape){0, 0, 0};
    const tc_shape input = tc_model_input(model->network->model);
    return (tocsin_shape){input.h, input.w, input.c};
}

int tocsin_model_classes(const tocsin_model *model) {
    return model ? tc_model_classes(model->network->model) : 0;
}

/* One of a model's two vectors with all that is known about it; the same shape for both. */
typedef struct vector {
    float *values;
    size_t size, tensors;
    const tc_tensor *tensor; /* [tensors] */
} vector;

/* Of no model, or no such vector: an empty one. */
static vector vector_of(const tocsin_model *model, tocsin_vector which) {
    vector v = {NULL, 0, 0, NULL};
    if (!model || (which != TOCSIN_PARAMETERS && which != TOCSIN_STATISTICS)) return v;
    const tc_model *network = model->network->model;
    const bool parameters = which == TOCSIN_PARAMETERS;
    v.values = parameters ? model->weights.theta : model->weights.state;
    v.size = parameters ? tc_model_parameters(network) : tc_model_state(network);
    v.tensors =
        (size_t)(parameters ? tc_model_tensors(network, &v.tensor) : tc_model_state_tensors(network, &v.tensor));
    return v;
}

size_t tocsin_model_size(const tocsin_model *model, tocsin_vector which) {
    return vector_of(model, which).size;
}

size_t tocsin_model_tensors(const tocsin_model *model, tocsin_vector which) {
    return vector_of(model, which).tensors;
}

tocsin_status tocsin_model_tensor(const tocsin_model *model, tocsin_vector which, size_t i, tocsin_tensor *tensor,
                                  tocsin_error *error) {
    TC_ENTER;
    TC_NEED(model);
    TC_NEED(tensor);
    const vector v = vector_of(model, which);
    if (i >= v.tensors)
        return tc_raise(error, TC_INVALID, "%s: tensor %zu of %zu; count from 0", tocsin_model_name(model), i,
                        v.tensors);
    const tc_tensor *t = &v.tensor[i];
    *tensor = (tocsin_tensor){.name = t->name, .rank = t->rank, .offset = t->offset, .count = t->count};
    for (int s = 0; s < t->rank; s++) tensor->size[s] = t->size[s];
    return TC_OK;
}

/* ---- weights ---- */

tocsin_status tocsin_model_initialise(tocsin_model *model, uint64_t seed, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(model);
    tc_model_init(model->network->model, tc_stream_child(tc_stream_make(seed), "initialise", 0), model->weights.theta,
                  model->weights.state);
    return TC_OK;
}

static tc_status check_count(const tocsin_model *model, const vector *v, size_t count, tc_error *error) {
    if (!v->values) return tc_raise(error, TC_INVALID, "%s: there is no such vector", tocsin_model_name(model));
    if (count == v->size) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: room for %zu numbers where the vector has %zu; ask tocsin_model_size",
                    tocsin_model_name(model), count, v->size);
}

tocsin_status tocsin_model_get(const tocsin_model *model, tocsin_vector which, float *values, size_t count,
                               tocsin_error *error) {
    TC_ENTER;
    TC_NEED(model);
    const vector v = vector_of(model, which);
    const tc_status status = check_count(model, &v, count, error);
    if (status != TC_OK || !v.values || !count) return status;
    TC_NEED(values);
    memcpy(values, v.values, count * sizeof *values);
    return TC_OK;
}

tocsin_status tocsin_model_set(tocsin_model *model, tocsin_vector which, const float *values, size_t count,
                               tocsin_error *error) {
    TC_ENTER;
    TC_NEED(model);
    const vector v = vector_of(model, which);
    const tc_status status = check_count(model, &v, count, error);
    if (status != TC_OK || !v.values || !count) return status;
    TC_NEED(values);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return tc_raise(error, TC_INVALID, "%s: number %zu is %g; give finite ones", tocsin_model_name(model), i,
                            (double)values[i]);
    memcpy(v.values, values, count * sizeof *values);
    return TC_OK;
}

tocsin_status tocsin_model_load(tocsin_model *model, const char *path, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(model);
    TC_NEED(path);
    return tc_weights_load(model->network->model, path, &model->weights, error);
}

tocsin_status tocsin_model_save(const tocsin_model *model, const char *path, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(model);
    TC_NEED(path);
    return tc_weights_save(model->network->model, path, &model->weights, error);
}
