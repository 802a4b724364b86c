/* tiny.h — data and networks small enough for tests of training and attacks: images of `side` × `side` whose class is a
 * bright bar at one of `classes` places, under noise. */
#ifndef TC_TESTS_TRAIN_TINY_H
#define TC_TESTS_TRAIN_TINY_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../devices.h"
#include "data/dataset.h"
#include "nn/weights.h"

static inline void tiny_split(tc_split *split, const tc_dataset *data, size_t count, tc_stream stream) {
    const size_t image = tc_dataset_image_bytes(data);
    split->count = count;
    split->images = calloc(count ? count : 1, image);
    split->labels = calloc(count ? count : 1, sizeof *split->labels);
    for (size_t i = 0; i < count; i++) {
        const int label = (int)(i % (size_t)data->classes);
        split->labels[i] = label;
        for (size_t j = 0; j < image; j++) {
            const int column = (int)(j / (size_t)data->channels) % data->width;
            const double bar = column * data->classes / data->width == label ? 90 : 0;
            split->images[i * image + j] = (uint8_t)(60 + bar + 80 * tc_uniform_at(stream, i * image + j));
        }
    }
}

static inline void tiny_statistics(tc_dataset *data) {
    const size_t pixels = data->train.count * (size_t)data->height * (size_t)data->width, c = (size_t)data->channels;
    for (size_t k = 0; k < c; k++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < pixels; i++) {
            const double value = data->train.images[i * c + k] / 255.0;
            sum += value;
            squares += value * value;
        }
        data->mean[k] = (float)(sum / (double)pixels);
        data->std[k] = (float)sqrt(squares / (double)pixels - data->mean[k] * (double)data->mean[k]);
    }
}

static inline tc_dataset *tiny_dataset(int side, int channels, int classes, size_t train, size_t test) {
    tc_dataset *data = calloc(1, sizeof *data);
    strcpy(data->name, "tiny");
    data->height = data->width = side;
    data->channels = channels;
    data->classes = classes;
    data->class_names = calloc((size_t)classes, sizeof *data->class_names);
    for (int i = 0; i < classes; i++) data->class_names[i][0] = (char)('a' + i);
    tiny_split(&data->train, data, train, tc_stream_make(11));
    tiny_split(&data->test, data, test, tc_stream_make(12));
    tiny_statistics(data);
    return data;
}

static inline void tiny_dataset_free(tc_dataset *data) {
    free(data->train.images);
    free(data->train.labels);
    free(data->test.images);
    free(data->test.labels);
    free(data->class_names);
    free(data);
}

/* conv, batch norm (where asked), ReLU, conv with stride 2, tanh, mean over the map, linear. */
static inline tc_model *tiny_model(const tc_dataset *data, bool norm) {
    tc_error error;
    tc_model *model = NULL;
    tc_graph *g = tc_graph_begin("tiny", data->height, data->width, data->channels, data->classes);
    tc_node x =
        tc_graph_conv(g, "conv1", tc_graph_input(g), (tc_conv_options){.channels = 6, .kernel = 3, .padding = 1});
    if (norm) x = tc_graph_batch_norm(g, "bn1", x);
    x = tc_graph_relu(g, x);
    x = tc_graph_conv(g, "conv2", x, (tc_conv_options){.channels = 8, .kernel = 3, .padding = 1, .stride = 2});
    x = tc_graph_activation(g, x, TC_TANH, 0);
    x = tc_graph_flatten(g, x);
    x = tc_graph_linear(g, "fc", x, data->classes, true);
    if (tc_graph_finish(g, x, &model, &error) != TC_OK) fail_msg("%s", error.message);
    return model;
}

static inline tc_weights tiny_weights(const tc_model *model, uint64_t seed) {
    tc_weights weights;
    assert_int_equal(tc_weights_create(model, &weights, NULL), TC_OK);
    tc_model_init(model, tc_stream_make(seed), weights.theta, weights.state);
    return weights;
}

static inline tc_device *tiny_device_of(const char *name, int threads) {
    tc_device *device = NULL;
    tc_error error;
    if (open_device(name, threads, &device, &error) != TC_OK) fail_msg("%s", error.message);
    return device;
}

/* One thread: the work is too little to share, and sharing it on a busy machine takes ten times as long. */
static inline tc_device *tiny_device(const char *name) {
    return tiny_device_of(name, 1);
}

/* A call that must succeed, with its message where it does not. */
#define must(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != TC_OK) fail_msg("%s", error.message);                                                            \
    } while (0)

#endif
