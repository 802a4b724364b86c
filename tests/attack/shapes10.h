/* shapes10.h — attacks on shapes10 at a scale where a whole comparison takes seconds: the data, a small network and its
 * training, a surrogate, and what a method has over the control in pairs of victims that are alike but for the poison.
 */
#ifndef TC_TESTS_ATTACK_SHAPES10_H
#define TC_TESTS_ATTACK_SHAPES10_H

#include "../train/tiny.h"

#include "attack/methods.h"
#include "evaluate/evaluate.h"
#include "train/train.h"

enum { PER_CLASS = 40, TEST_PER_CLASS = 30, CLASSES = 10 };

typedef struct shapes10 {
    tc_device *device;
    tc_dataset *data;
    tc_model *model;
    tc_train_options train;
    tc_surrogate surrogate;
    tc_threat threat;
} shapes10;

/* conv, batch norm, ReLU, conv, ReLU, 24 "features", linear; each conv has a stride of 2. */
static inline tc_model *shapes10_model(const tc_dataset *data) {
    tc_error error;
    tc_model *model = NULL;
    tc_graph *g = tc_graph_begin("small", data->height, data->width, data->channels, data->classes);
    const tc_conv_options first = {.channels = 8, .kernel = 3, .padding = 1, .stride = 2};
    const tc_conv_options second = {.channels = 16, .kernel = 3, .padding = 1, .stride = 2};
    tc_node x = tc_graph_batch_norm(g, "bn1", tc_graph_conv(g, "conv1", tc_graph_input(g), first));
    x = tc_graph_conv(g, "conv2", tc_graph_relu(g, x), second);
    x = tc_graph_batch_norm(g, "bn2", x);
    x = tc_graph_flatten(g, tc_graph_relu(g, x));
    x = tc_graph_name(g, tc_graph_relu(g, tc_graph_linear(g, "fc1", x, 24, true)), "features");
    must(tc_graph_finish(g, tc_graph_linear(g, "fc2", x, data->classes, true), &model, &error));
    return model;
}

static inline void shapes10_train(shapes10 *f, const tc_poison *poison, const tc_train_options *options, uint64_t seed,
                                  tc_weights *weights) {
    tc_error error;
    tc_view view;
    must(tc_view_create(f->data, poison, &view, &error));
    must(tc_train(f->device, f->model, &view, options, tc_stream_make(seed), NULL, weights, NULL, &error));
    tc_view_free(&view);
}

/* From the surrogate on, for a few epochs more. */
static inline void shapes10_go_on(shapes10 *f, const tc_poison *poison, uint64_t seed, tc_weights *weights) {
    const tc_weights *from = &f->surrogate.weights;
    tc_train_options options = f->train;
    options.epochs = 6;
    options.rate = 0.02;
    *weights = tiny_weights(f->model, seed);
    memcpy(weights->theta, from->theta, tc_model_parameters(f->model) * sizeof *from->theta);
    memcpy(weights->state, from->state, tc_model_state(f->model) * sizeof *from->state);
    shapes10_train(f, poison, &options, seed, weights);
}

static inline int shapes10_begin(void **state) {
    tc_error error;
    shapes10 *f = calloc(1, sizeof *f);
    const tc_dataset_options size = {.train_per_class = PER_CLASS, .test_per_class = TEST_PER_CLASS, .seed = 1};
    f->device = tiny_device("cpu");
    must(tc_dataset_open("shapes10", &size, &f->data, &error));
    f->model = shapes10_model(f->data);
    tc_train_defaults(&f->train);
    must(tc_options_assign(tc_train_table, &f->train, "schedule=cosine", &error));
    f->train.epochs = 15;
    f->train.batch = 32;
    f->train.rate = 0.05;
    f->train.crop = 0;
    f->train.flip = false;
    f->surrogate.model = f->model;
    f->surrogate.weights = tiny_weights(f->model, 1);
    shapes10_train(f, NULL, &f->train, 1, &f->surrogate.weights);
    *state = f;
    return 0;
}

static inline int shapes10_end(void **state) {
    shapes10 *f = *state;
    tc_threat_free(&f->threat);
    tc_weights_free(&f->surrogate.weights);
    tc_model_free(f->model);
    tc_dataset_free(f->data);
    tc_device_close(f->device);
    free(f);
    return 0;
}

static inline tc_poison *shapes10_craft(shapes10 *f, const tc_attack *attack, const char *const *settings,
                                        uint64_t seed) {
    tc_error error;
    tc_poison *poison;
    const tc_architecture own = {f->model, &f->train};
    const tc_craft_job job = {.device = f->device,
                              .dataset = f->data,
                              .threat = &f->threat,
                              .surrogates = &f->surrogate,
                              .surrogate_count = 1,
                              .architectures = &own,
                              .architecture_count = 1,
                              .stream = tc_stream_make(seed)};
    void *options = calloc(1, attack->options_size);
    tc_options_default(attack->options, options);
    for (; *settings; settings++) must(tc_options_assign(attack->options, options, *settings, &error));
    must(tc_attack_check(attack, options, &error));
    must(attack->craft(&job, options, &poison, NULL, &error));
    free(options);
    return poison;
}

static inline void shapes10_draw(shapes10 *f, const char *const *threat, uint64_t seed) {
    tc_error error;
    tc_threat_options options;
    tc_options_default(tc_threat_table, &options);
    for (; *threat; threat++) must(tc_options_assign(tc_threat_table, &options, *threat, &error));
    tc_threat_free(&f->threat);
    must(tc_threat_draw(f->data, &options, tc_stream_make(seed), &f->threat, &error));
}

static inline tc_poison *shapes10_noise(shapes10 *f, const char *distribution, uint64_t seed) {
    return shapes10_craft(f, &tc_random_noise, (const char *const[]){distribution, NULL}, seed);
}

/* Of the targets under a victim's weights: the share that is taken for the intended class, and by how much they are, on
 * average (below zero: are not). */
typedef struct aim {
    double success, margin;
} aim;

static inline aim shapes10_aim(shapes10 *f, const tc_weights *weights) {
    tc_error error;
    aim a = {0};
    const size_t targets = f->threat.targets;
    const int wanted = f->threat.intended_class;
    uint8_t *images = malloc(targets * tc_dataset_image_bytes(f->data));
    float *logits = malloc(targets * CLASSES * sizeof *logits);
    tc_threat_targets(f->data, &f->threat, images);
    must(tc_predict(f->device, f->model, weights, f->data, images, targets, logits, &error));
    for (size_t t = 0; t < targets; t++) {
        const float *z = logits + t * CLASSES;
        double rival = -INFINITY;
        for (int c = 0; c < CLASSES; c++)
            if (c != wanted) rival = fmax(rival, z[c]);
        a.success += (double)(z[wanted] > rival) / (double)targets;
        a.margin += (z[wanted] - rival) / (double)targets;
    }
    free(logits);
    free(images);
    return a;
}

/* Of pairs: the mean of what one has over the other, and its standard error. */
typedef struct lead {
    double mean, error;
} lead;

static inline lead shapes10_lead(const double *one, const double *other, int pairs) {
    lead l = {0};
    for (int i = 0; i < pairs; i++) l.mean += (one[i] - other[i]) / pairs;
    for (int i = 0; i < pairs; i++) l.error += (one[i] - other[i] - l.mean) * (one[i] - other[i] - l.mean);
    l.error = sqrt(l.error / (pairs - 1) / pairs);
    return l;
}

#endif
