/* untargeted.h — what the tests of attacks on whole training sets share: small data, a network, a trained surrogate, a
 * threat, a job that counts what it is told, and what every poison must keep to. */
#ifndef TC_TESTS_ATTACK_UNTARGETED_H
#define TC_TESTS_ATTACK_UNTARGETED_H

#include "../train/tiny.h"

#include "attack/methods.h"
#include "attack/parts/perturbation.h"
#include "evaluate/evaluate.h"
#include "train/train.h"

typedef struct untargeted {
    tc_device *device;
    tc_dataset *data;
    tc_model *model;
    tc_surrogate surrogate;
    tc_architecture own;
    tc_train_options train;
    tc_threat threat;
    double first, last; /* objective as told by the progress */
    int calls;
    int stop_after; /* so many calls; 0: never */
} untargeted;

static inline void untargeted_told(void *context, double fraction, double objective) {
    untargeted *s = context;
    assert_true(fraction > 0 && fraction <= 1);
    s->calls++;
    if (isnan(s->first)) s->first = objective; /* there is none yet while it aims */
    s->last = objective;
}

static inline bool untargeted_stop(void *context) {
    const untargeted *s = context;
    return s->stop_after && s->calls >= s->stop_after;
}

static inline void untargeted_train(untargeted *s, const tc_poison *poison, tc_weights *weights) {
    tc_error error;
    tc_view view;
    *weights = tiny_weights(s->model, 3);
    must(tc_view_create(s->data, poison, &view, &error));
    must(tc_train(s->device, s->model, &view, &s->train, tc_stream_make(4), NULL, weights, NULL, &error));
    tc_view_free(&view);
}

static inline void untargeted_draw(untargeted *s, double epsilon, double ratio) {
    tc_error error;
    tc_threat_options options;
    tc_options_default(tc_threat_table, &options);
    options.goal = TC_GOAL_UNTARGETED;
    options.epsilon = epsilon;
    options.ratio = ratio;
    tc_threat_free(&s->threat);
    must(tc_threat_draw(s->data, &options, tc_stream_make(5), &s->threat, &error));
}

/* Most of the bars' light goes: what is left is learnt, but not beyond all doubt. */
static inline void untargeted_dim(tc_dataset *data, tc_split *split) {
    const size_t image = tc_dataset_image_bytes(data);
    for (size_t i = 0; i < split->count * image; i++) {
        const int column = (int)(i / (size_t)data->channels) % data->width;
        if (column * data->classes / data->width == split->labels[i / image]) split->images[i] -= 70;
    }
}

static inline void untargeted_begin(untargeted *s, double epsilon, double ratio) {
    *s = (untargeted){.device = tiny_device("cpu"), .data = tiny_dataset(8, 3, 3, 121, 60)};
    untargeted_dim(s->data, &s->data->train);
    untargeted_dim(s->data, &s->data->test);
    tiny_statistics(s->data);
    s->model = tiny_model(s->data, true);
    tc_train_defaults(&s->train);
    s->train.epochs = 6;
    s->train.batch = 16;
    s->train.crop = 0;
    s->train.flip = false; /* a flipped bar is another class's */
    s->train.rate = 0.02;
    s->own = (tc_architecture){s->model, &s->train};
    s->surrogate.model = s->model;
    untargeted_train(s, NULL, &s->surrogate.weights);
    untargeted_draw(s, epsilon, ratio);
}

static inline void untargeted_end(untargeted *s) {
    tc_threat_free(&s->threat);
    tc_weights_free(&s->surrogate.weights);
    tc_model_free(s->model);
    tiny_dataset_free(s->data);
    tc_device_close(s->device);
}

static inline tc_craft_job untargeted_job(untargeted *s) {
    s->calls = 0;
    s->first = NAN;
    return (tc_craft_job){.device = s->device,
                          .dataset = s->data,
                          .threat = &s->threat,
                          .surrogates = &s->surrogate,
                          .surrogate_count = 1,
                          .architectures = &s->own,
                          .architecture_count = 1,
                          .stream = tc_stream_make(6),
                          .progress = untargeted_told,
                          .stop = untargeted_stop,
                          .context = s};
}

static inline void *untargeted_options(const tc_attack *attack, const char *const *settings) {
    tc_error error;
    void *options = calloc(1, attack->options_size);
    tc_options_default(attack->options, options);
    for (; settings && *settings; settings++) must(tc_options_assign(attack->options, options, *settings, &error));
    return options;
}

static inline tc_poison *untargeted_craft(untargeted *s, const tc_attack *attack, const char *const *settings,
                                          tc_craft_report *report) {
    tc_error error;
    tc_poison *poison;
    void *options = untargeted_options(attack, settings);
    const tc_craft_job job = untargeted_job(s);
    must(tc_attack_check(attack, options, &error));
    must(attack->craft(&job, options, &poison, report, &error));
    free(options);
    return poison;
}

static inline void untargeted_limits(const untargeted *s, const tc_poison *poison) {
    assert_int_equal(poison->replaced, s->threat.poisons);
    assert_int_equal(poison->added, 0);
    for (size_t i = 0; i < poison->replaced; i++) {
        assert_int_equal(poison->index[i], s->threat.base[i]);
        assert_int_equal(poison->labels[i], s->data->train.labels[s->threat.base[i]]);
    }
    const int farthest = tc_poison_linf(poison, s->data);
    assert_true(farthest > 0 && farthest <= s->threat.epsilon);
}

/* δ of poison i, value j. */
static inline int untargeted_delta(const untargeted *s, const tc_poison *poison, size_t i, size_t j) {
    return poison->images[i * poison->image_bytes + j] -
           s->data->train.images[poison->index[i] * poison->image_bytes + j];
}

/* Mean cross-entropy of a poison's images, or of their originals, under given weights. */
static inline double untargeted_loss(untargeted *s, const tc_weights *weights, const tc_poison *poison, bool original) {
    tc_error error;
    double sum = 0;
    uint8_t *images = malloc(poison->replaced * poison->image_bytes);
    float *logits = malloc(poison->replaced * 3 * sizeof *logits);
    memcpy(images, poison->images, poison->replaced * poison->image_bytes);
    if (original) tc_threat_base(s->data, &s->threat, images);
    must(tc_predict(s->device, s->model, weights, s->data, images, poison->replaced, logits, &error));
    for (size_t i = 0; i < poison->replaced; i++) sum += tc_cross_entropy(logits + 3 * i, 3, poison->labels[i]);
    free(images);
    free(logits);
    return sum / (double)poison->replaced;
}

#endif
