/* generate.c — filling both splits of a generated set, on all threads, the same on any number of them. */
#include "data/generate.h"

#include <math.h>
#include <stdio.h>

enum { TRAIN_PER_CLASS = 500, TEST_PER_CLASS = 100, MOST_PER_CLASS = 1000000 };

double tc_draw_between(tc_stream *stream, double low, double high) {
    return low + (high - low) * tc_draw_uniform(stream);
}

/* One Philox block serves four pixels: a normal draw for each would cost more than drawing the image. */
void tc_add_noise(tc_stream stream, float sigma, size_t count, uint8_t *pixels) {
    const uint64_t key = tc_stream_child(stream, "noise", 0).key;
    const float scale = sigma / 147.79f; /* the standard deviation of the sum of four uniform bytes */
    for (size_t i = 0; i < count; i += 4) {
        uint32_t words[4];
        tc_philox(key, i / 4, 0, words);
        for (size_t k = 0; k < 4 && i + k < count; k++) {
            const uint32_t w = words[k], sum = (w & 255) + (w >> 8 & 255) + (w >> 16 & 255) + (w >> 24);
            const float value = (float)pixels[i + k] + scale * ((float)sum - 510);
            pixels[i + k] = (uint8_t)lrintf(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
}

static tc_status fill(const tc_generator *g, bool test, int64_t per_class, const tc_dataset *dataset, tc_split *split,
                      tc_error *error) {
    if (per_class > MOST_PER_CLASS)
        return tc_raise(error, TC_INVALID, "%s: %lld images a class; at most %d are generated", g->name,
                        (long long)per_class, MOST_PER_CLASS);
    const tc_status status = tc_split_allocate(dataset, split, (size_t)per_class * (size_t)g->classes, error);
    if (status != TC_OK) return status;
    const tc_stream set = tc_stream_child((tc_stream){.key = 0}, g->name, test);
    const size_t bytes = tc_dataset_image_bytes(dataset);
#pragma omp parallel for schedule(static, 16)
    for (size_t i = 0; i < split->count; i++) {
        const int class = (int)(i % (size_t)g->classes);
        split->labels[i] = class;
        g->draw(tc_stream_child(set, "image", i), class, split->images + i * bytes);
    }
    return TC_OK;
}

tc_status tc_generate(const tc_generator *g, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    tc_status status = TC_OK;
    dataset->height = dataset->width = g->side;
    dataset->channels = g->channels;
    dataset->classes = g->classes;
    TC_TRY(tc_name_classes(dataset, error));
    for (int i = 0; i < g->classes; i++) tc_set_class_name(dataset, i, g->class_names[i]);
    TC_TRY(fill(g, false, options->train_per_class ? options->train_per_class : TRAIN_PER_CLASS, dataset,
                &dataset->train, error));
    TC_TRY(fill(g, true, options->test_per_class ? options->test_per_class : TEST_PER_CLASS, dataset, &dataset->test,
                error));
done:
    return status;
}
