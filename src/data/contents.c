/* contents.c — what a dataset holds, in 64 digits: its shape, labels and images, whatever its name and format. */
#include "data/dataset.h"

static void feed_number(struct sha256_ctx *context, uint64_t number) {
    uint8_t bytes[8]; /* the same on every processor */
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(number >> 8 * i);
    sha256_update(context, sizeof bytes, bytes);
}

static void feed_label(struct sha256_ctx *context, int32_t label) {
    uint8_t bytes[4];
    for (int k = 0; k < 4; k++) bytes[k] = (uint8_t)((uint32_t)label >> 8 * k);
    sha256_update(context, sizeof bytes, bytes);
}

static void feed_split(struct sha256_ctx *context, const tc_split *split, size_t image_bytes) {
    uint8_t block[4096];
    size_t used = 0;
    feed_number(context, split->count);
    for (size_t i = 0; i < split->count; i++) {
        for (int k = 0; k < 4; k++) block[used++] = (uint8_t)((uint32_t)split->labels[i] >> 8 * k);
        if (used < sizeof block && i + 1 < split->count) continue;
        sha256_update(context, used, block);
        used = 0;
    }
    sha256_update(context, split->count * image_bytes, split->images);
}

void tc_dataset_digest(const tc_dataset *dataset, char text[TC_DIGEST_TEXT]) {
    const int shape[] = {dataset->height, dataset->width, dataset->channels, dataset->classes};
    struct sha256_ctx context;
    sha256_init(&context);
    for (int i = 0; i < 4; i++) feed_number(&context, (uint64_t)shape[i]);
    feed_split(&context, &dataset->train, tc_dataset_image_bytes(dataset));
    feed_split(&context, &dataset->test, tc_dataset_image_bytes(dataset));
    tc_digest_text(&context, text);
}

void tc_dataset_digest_tests(const tc_dataset *dataset, const uint32_t *place, size_t count,
                             char text[TC_DIGEST_TEXT]) {
    const size_t bytes = tc_dataset_image_bytes(dataset);
    const int shape[] = {dataset->height, dataset->width, dataset->channels};
    struct sha256_ctx context;
    sha256_init(&context);
    for (int i = 0; i < 3; i++) feed_number(&context, (uint64_t)shape[i]);
    for (size_t i = 0; i < count; i++) {
        feed_label(&context, dataset->test.labels[place[i]]);
        sha256_update(&context, bytes, dataset->test.images + place[i] * bytes);
    }
    tc_digest_text(&context, text);
}
