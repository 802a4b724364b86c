/* crafting.h — what tests of crafting methods share: a small data set, networks trained on it, a threat, a job, and a
 * victim that goes on training from a surrogate. */
#ifndef TC_TESTS_ATTACK_CRAFTING_H
#define TC_TESTS_ATTACK_CRAFTING_H

#include "../train/tiny.h"

#include "attack/methods.h"
#include "attack/parts/objective.h"
#include "train/train.h"

enum { SURROGATES = 3 };

typedef struct crafting {
    tc_device *device;
    tc_dataset *data;
    tc_model *model, *second; /* with batch norm, without */
    tc_train_options training;
    tc_surrogate surrogates[SURROGATES]; /* of model, of model, of second; untrained until crafting_train */
    tc_architecture architectures[2];
    tc_threat threat;
    double first, last; /* objectives told */
    int calls, stop_after;
} crafting;

/* conv, batch norm (where asked), ReLU "block1", conv with stride 2, tanh, "features", linear. */
static inline tc_model *named_model(const tc_dataset *data, bool norm) {
    tc_error error;
    tc_model *model = NULL;
    tc_graph *g = tc_graph_begin("named", data->height, data->width, data->channels, data->classes);
    const tc_conv_options first = {.channels = 6, .kernel = 3, .padding = 1, .stride = data->height > 16 ? 2 : 1};
    tc_node x = tc_graph_conv(g, "conv1", tc_graph_input(g), first);
    if (norm) x = tc_graph_batch_norm(g, "bn1", x);
    x = tc_graph_name(g, tc_graph_relu(g, x), "block1");
    x = tc_graph_conv(g, "conv2", x, (tc_conv_options){.channels = 8, .kernel = 3, .padding = 1, .stride = 2});
    x = tc_graph_activation(g, x, TC_TANH, 0);
    x = tc_graph_name(g, tc_graph_flatten(g, x), "features");
    x = tc_graph_linear(g, "fc", x, data->classes, true);
    must(tc_graph_finish(g, x, &model, &error));
    return model;
}

static inline void crafting_told(void *context, double fraction, double objective) {
    crafting *c = context;
    assert_true(fraction > 0 && fraction <= 1);
    c->calls++;
    if (isnan(objective)) return;
    if (isnan(c->first)) c->first = objective;
    c->last = objective;
}

static inline bool crafting_stop(void *context) {
    const crafting *c = context;
    return c->stop_after && c->calls >= c->stop_after;
}

static inline void crafting_draw(crafting *c, int64_t targets, double ratio, uint64_t seed) {
    tc_error error;
    tc_threat_options options;
    tc_options_default(tc_threat_table, &options);
    options.ratio = ratio;
    options.targets = targets;
    tc_threat_free(&c->threat);
    must(tc_threat_draw(c->data, &options, tc_stream_make(seed), &c->threat, &error));
}

/* On `data`, which is the crafting's from now on. */
static inline void crafting_begin(crafting *c, const char *device, tc_dataset *data) {
    *c = (crafting){.device = tiny_device(device), .data = data, .first = NAN};
    c->model = named_model(data, true);
    c->second = named_model(data, false);
    const tc_model *const models[SURROGATES] = {c->model, c->model, c->second};
    for (int i = 0; i < SURROGATES; i++)
        c->surrogates[i] = (tc_surrogate){models[i], tiny_weights(models[i], (uint64_t)i + 1)};
    tc_train_defaults(&c->training);
    c->training.epochs = 4;
    c->training.batch = 16;
    c->training.crop = 1;
    c->training.rate = 0.02;
    c->training.flip = false; /* a flipped bar is another class's */
    c->architectures[0] = (tc_architecture){c->model, &c->training};
    c->architectures[1] = (tc_architecture){c->second, &c->training};
}

static inline void crafting_train(crafting *c, const tc_poison *poison, const tc_train_options *options, uint64_t seed,
                                  const tc_model *model, tc_weights *weights) {
    tc_error error;
    tc_view view;
    must(tc_view_create(c->data, poison, &view, &error));
    must(tc_train(c->device, model, &view, options, tc_stream_make(seed), NULL, weights, NULL, &error));
    tc_view_free(&view);
}

static inline void crafting_train_surrogates(crafting *c) {
    for (int i = 0; i < SURROGATES; i++)
        crafting_train(c, NULL, &c->training, (uint64_t)i, c->surrogates[i].model, &c->surrogates[i].weights);
}

static inline void crafting_end(crafting *c) {
    tc_threat_free(&c->threat);
    for (int i = 0; i < SURROGATES; i++) tc_weights_free(&c->surrogates[i].weights);
    tc_model_free(c->model);
    tc_model_free(c->second);
    tc_device_close(c->device);
}

static inline tc_craft_job crafting_job(crafting *c, int surrogates) {
    c->calls = 0;
    c->first = c->last = NAN;
    return (tc_craft_job){.device = c->device,
                          .dataset = c->data,
                          .threat = &c->threat,
                          .surrogates = c->surrogates,
                          .surrogate_count = surrogates,
                          .architectures = c->architectures,
                          .architecture_count = 1,
                          .stream = tc_stream_make(6),
                          .progress = crafting_told,
                          .stop = crafting_stop,
                          .context = c};
}

/* The attack's options from its own table; free them. */
static inline void *crafting_options(const tc_attack *attack, const char *const *settings) {
    tc_error error;
    void *options = calloc(1, attack->options_size);
    tc_options_default(attack->options, options);
    for (; *settings; settings++) must(tc_options_assign(attack->options, options, *settings, &error));
    return options;
}

static inline tc_poison *crafting_craft(const tc_craft_job *job, const tc_attack *attack, const char *const *settings,
                                        tc_craft_report *report) {
    tc_error error;
    tc_poison *poison = NULL;
    void *options = crafting_options(attack, settings);
    must(tc_attack_check(attack, options, &error));
    must(attack->craft(job, options, &poison, report, &error));
    free(options);
    return poison;
}

/* 8 bits, within ε of its base image, the base's label, and something did change. */
static inline void crafting_check_limits(const crafting *c, const tc_poison *poison) {
    assert_int_equal(poison->replaced, c->threat.poisons);
    assert_int_equal(poison->added, 0);
    for (size_t i = 0; i < poison->replaced; i++) {
        assert_int_equal(poison->index[i], c->threat.base[i]);
        assert_int_equal(poison->labels[i], c->threat.intended_class);
    }
    const int farthest = tc_poison_linf(poison, c->data);
    assert_true(farthest > 0 && farthest <= c->threat.epsilon);
}

static inline void crafting_same_poison(const tc_poison *a, const tc_poison *b, bool same) {
    const size_t bytes = a->replaced * a->image_bytes;
    assert_int_equal(memcmp(a->images, b->images, bytes) == 0, same);
}

/* How far the targets are from the intended class: the mean of max_{i≠y} z_i − z_y, below zero where one is taken. */
static inline double crafting_gap(crafting *c, const tc_model *model, const tc_weights *weights) {
    tc_error error;
    const tc_kernels *k = c->device->k;
    const size_t p = tc_model_parameters(model), statistics = tc_model_state(model);
    void *theta, *state, *g;
    tc_objective *q;
    must(tc_device_reals(c->device, p, &theta, &error));
    must(tc_device_reals(c->device, p, &g, &error));
    must(tc_device_reals(c->device, statistics + 1, &state, &error));
    k->upload_float(c->device, theta, weights->theta, p);
    k->upload_float(c->device, state, weights->state, statistics);
    must(tc_target_margin(c->device, model, state, c->data, &c->threat, 1e6, &q, &error));
    const double gap = q->gradient(q, theta, g);
    tc_objective_free(q);
    k->release(c->device, theta);
    k->release(c->device, state);
    k->release(c->device, g);
    return gap;
}

/* What a victim makes of the targets that goes on from surrogate 0, or starts afresh, on the poisoned data. */
static inline double crafting_victim(crafting *c, const tc_poison *poison, const tc_train_options *options,
                                     bool afresh) {
    const tc_surrogate *first = &c->surrogates[0];
    tc_weights weights = tiny_weights(first->model, 77);
    if (!afresh) {
        memcpy(weights.theta, first->weights.theta, tc_model_parameters(first->model) * sizeof *weights.theta);
        memcpy(weights.state, first->weights.state, tc_model_state(first->model) * sizeof *weights.state);
    }
    crafting_train(c, poison, options, 78, first->model, &weights);
    const double gap = crafting_gap(c, first->model, &weights);
    tc_weights_free(&weights);
    return gap;
}

/* What every method must do the same: the same bits for the same stream, others for another; nothing leaks; it stops
 * when asked; ε holds where it is no whole number. */
static inline void crafting_check_manners(crafting *c, const tc_attack *attack, const char *const *settings,
                                          int surrogates) {
    tc_error error;
    tc_craft_job job = crafting_job(c, surrogates);
    const size_t before = c->device->bytes;
    tc_poison *a = crafting_craft(&job, attack, settings, NULL), *b = crafting_craft(&job, attack, settings, NULL);
    crafting_same_poison(a, b, true);
    assert_int_equal(c->device->bytes, before);
    c->threat.epsilon = 3.7;
    tc_poison *small = crafting_craft(&job, attack, settings, NULL), *none = NULL;
    assert_true(tc_poison_linf(small, c->data) <= 3);
    c->stop_after = 1;
    c->calls = 0;
    void *options = crafting_options(attack, settings);
    assert_int_equal(attack->craft(&job, options, &none, NULL, &error), TC_INTERRUPTED);
    assert_null(none);
    assert_int_equal(c->device->bytes, before);
    c->stop_after = 0;
    c->threat.epsilon = 16;
    free(options);
    tc_poison_free(a);
    tc_poison_free(b);
    tc_poison_free(small);
}

/* Bars of three classes, 40 images of each; 18 poisons. */
static inline void crafting_on_bars(crafting *c, int64_t targets) {
    crafting_begin(c, "cpu", tiny_dataset(8, 3, 3, 120, 30));
    crafting_draw(c, targets, 0.15, 5);
}

static inline void crafting_leave_bars(crafting *c) {
    tc_dataset *data = c->data;
    crafting_end(c);
    tiny_dataset_free(data);
}

/* Shapes of ten classes, 30 images of each, every one of the intended class a poison; surrogates that have seen them.
 * For tests of whether an attack has an effect, which takes whole trainings on the same code as the other tests: a
 * sanitizer would look at it for minutes and see nothing new, so the test that asks for these ends here under one. */
static inline void crafting_on_shapes(crafting *c) {
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    tc_error error;
    tc_dataset *data;
    must(
        tc_dataset_open("shapes10", &(tc_dataset_options){.train_per_class = 30, .test_per_class = 10}, &data, &error));
    crafting_begin(c, "cpu", data);
    c->training.epochs = 6;
    c->training.batch = 32;
    c->training.crop = 0;
    crafting_train_surrogates(c);
}

static inline void crafting_leave_shapes(crafting *c) {
    tc_dataset *data = c->data;
    crafting_end(c);
    tc_dataset_free(data);
}

typedef struct duel {
    int attack, control; /* trials in which the target is taken for the intended class */
    double attack_gap, control_gap;
} duel;

/* The attack and random noise of the same size, each once a trial, on the same images and the same victim. */
static inline duel crafting_duel(crafting *c, const tc_attack *attack, const char *const *settings, int trials,
                                 const tc_train_options *victim, bool afresh) {
    static const char *const none[] = {NULL};
    duel d = {0};
    for (int trial = 0; trial < trials; trial++) {
        crafting_draw(c, 1, 0.1, 100 + (uint64_t)trial);
        tc_craft_job job = crafting_job(c, 1);
        job.stream = tc_stream_make((uint64_t)trial);
        tc_poison *poison = crafting_craft(&job, attack, settings, NULL);
        tc_poison *noise = crafting_craft(&job, &tc_random_noise, none, NULL);
        crafting_check_limits(c, poison);
        const double attacked = crafting_victim(c, poison, victim, afresh);
        const double controlled = crafting_victim(c, noise, victim, afresh);
        d.attack += attacked < 0;
        d.control += controlled < 0;
        d.attack_gap += attacked / trials;
        d.control_gap += controlled / trials;
        tc_poison_free(poison);
        tc_poison_free(noise);
    }
    return d;
}

#endif
