/* outside.h — what the tests of the public interface share. They include nothing of src/. */
#ifndef TOCSIN_TESTS_API_OUTSIDE_H
#define TOCSIN_TESTS_API_OUTSIDE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tocsin/tocsin.h>

typedef const char *const settings[];

/* A call that must succeed, with its message where it does not. Needs a local `tocsin_error error`. */
#define must(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != TOCSIN_OK) fail_msg("%s", error.message);                                                        \
    } while (0)

/* A call that must be refused as the caller's mistake, by a message that has `part` in it; and again without a place
 * for the message. `call` ends in the variable `e`. */
#define refused(part, call)                                                                                            \
    do {                                                                                                               \
        tocsin_error *e = &error;                                                                                      \
        memset(&error, 0, sizeof error);                                                                               \
        assert_int_equal(call, TOCSIN_INVALID);                                                                        \
        if (!strstr(error.message, part) || strchr(error.message, '\n'))                                               \
            fail_msg("'%s' is not in: %s", part, error.message);                                                       \
        assert_int_equal(error.status, TOCSIN_INVALID);                                                                \
        e = NULL;                                                                                                      \
        assert_int_equal(call, TOCSIN_INVALID);                                                                        \
    } while (0)

enum { SIDE = 8, CLASSES = 3, IMAGE = SIDE * SIDE };

/* Numbers without a generator's help: the same for everybody. */
static inline double wobble(size_t i) {
    const double x = sin(12.9898 * (double)(i + 1)) * 43758.5453;
    return x - floor(x); /* [0, 1) */
}

/* Grey images of 8 × 8 whose class is where a bright bar stands, under noise. */
static inline void bars(uint8_t *images, int32_t *labels, size_t count, size_t from) {
    for (size_t i = 0; i < count; i++) {
        labels[i] = (int32_t)(i % CLASSES);
        for (size_t j = 0; j < IMAGE; j++) {
            const int bar = (int)(j % SIDE) * CLASSES / SIDE == labels[i] ? 90 : 0;
            images[i * IMAGE + j] = (uint8_t)(40 + bar + (int)(80 * wobble((from + i) * IMAGE + j)));
        }
    }
}

static inline tocsin_dataset *bars_dataset(size_t training, size_t test) {
    tocsin_error error;
    tocsin_dataset *data = NULL;
    uint8_t *images = malloc((training + test) * IMAGE);
    int32_t *labels = malloc((training + test) * sizeof *labels);
    assert_true(images && labels);
    bars(images, labels, training, 0);
    bars(images + training * IMAGE, labels + training, test, training);
    const tocsin_samples first = {training, images, labels},
                         second = {test, images + training * IMAGE, labels + training};
    static const char *const names[CLASSES] = {"left", "middle", "right"};
    must(tocsin_dataset_create("bars", (tocsin_shape){SIDE, SIDE, 1}, CLASSES, names, &first, &second, &data, &error));
    free(images);
    free(labels);
    return data;
}

static inline tocsin_device *open_device(const char *name) {
    tocsin_error error;
    tocsin_device *device = NULL;
    must(tocsin_device_open(name, 2, &device, &error));
    return device;
}

static inline tocsin_model *new_model(const char *name, const tocsin_dataset *data, const char *const *options,
                                      uint64_t seed) {
    tocsin_error error;
    tocsin_model *model = NULL;
    must(tocsin_model_create_for(name, data, options, &model, &error));
    must(tocsin_model_initialise(model, seed, &error));
    return model;
}

/* A vector of the model's; free() it. */
static inline float *weights_of(const tocsin_model *model, tocsin_vector which) {
    tocsin_error error;
    const size_t size = tocsin_model_size(model, which);
    float *values = malloc((size + 1) * sizeof *values);
    assert_non_null(values);
    must(tocsin_model_get(model, which, values, size, &error));
    return values;
}

static inline bool same_weights(const tocsin_model *a, const tocsin_model *b) {
    float *x = weights_of(a, TOCSIN_PARAMETERS), *y = weights_of(b, TOCSIN_PARAMETERS);
    const bool same = tocsin_model_size(a, TOCSIN_PARAMETERS) == tocsin_model_size(b, TOCSIN_PARAMETERS) &&
                      !memcmp(x, y, tocsin_model_size(a, TOCSIN_PARAMETERS) * sizeof *x);
    free(x);
    free(y);
    return same;
}

/* A new folder below the usual place for temporary files; remove_folder takes it away with all that is in it. */
static inline void make_folder(char folder[256]) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, 256, "%s/tocsin-api-XXXXXX", base && *base && strlen(base) < 200 ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
}

static inline void remove_folder(const char *folder) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

#endif
