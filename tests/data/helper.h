/* helper.h — what the tests of this folder share: a temporary folder, a small made-up data set, and torture: a file
 * cut off at many lengths and with bits flipped in many places must be refused or read, and nothing else. */
#ifndef TC_TESTS_DATA_HELPER_H
#define TC_TESTS_DATA_HELPER_H

#include "base/file.h"
#include "data/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static char helper_root[] = "/tmp/tocsin-test-data-XXXXXX";

static inline int helper_make_root(void **state) {
    (void)state;
    return mkdtemp(helper_root) ? 0 : -1;
}

static inline int helper_remove_root(void **state) {
    (void)state;
    return tc_folder_remove(helper_root, NULL) == TC_OK ? 0 : -1;
}

/* ROOT/NAME, behind `before`; good until 32 calls later. */
static inline const char *helper_at(const char *before, const char *name) {
    static char path[32][TC_PATH_SIZE];
    static int next;
    char *slot = path[next++ % 32];
    assert_true(snprintf(slot, TC_PATH_SIZE, "%s%s/%s", before, helper_root, name) < TC_PATH_SIZE);
    return slot;
}

/* Fails with the library's own message. */
static inline void helper_ok(tc_status status, const tc_error *error) {
    if (status != TC_OK) fail_msg("status %d: %s", (int)status, error->message);
}

static inline void helper_fill(tc_split *split, size_t count, size_t bytes, int classes, tc_stream stream) {
    split->count = count;
    split->images = malloc(count * bytes);
    split->labels = malloc(count * sizeof *split->labels);
    for (size_t i = 0; i < count * bytes; i++) split->images[i] = (uint8_t)tc_bits_at(stream, i);
    for (size_t i = 0; i < count; i++) split->labels[i] = (int32_t)(i % (size_t)classes);
}

/* Noise, labels in turn. */
static inline tc_dataset *helper_dataset(int side, int channels, int classes, size_t train, size_t test) {
    tc_dataset *d = calloc(1, sizeof *d);
    snprintf(d->name, sizeof d->name, "noise");
    d->height = side;
    d->width = side;
    d->channels = channels;
    d->classes = classes;
    d->class_names = calloc((size_t)classes, sizeof *d->class_names);
    for (int i = 0; i < classes; i++) snprintf(d->class_names[i], TC_CLASS_NAME, "class %c", 'a' + i);
    const size_t bytes = tc_dataset_image_bytes(d);
    helper_fill(&d->train, train, bytes, classes, tc_stream_make(1));
    helper_fill(&d->test, test, bytes, classes, tc_stream_make(2));
    return d;
}

static inline void helper_assert_same_split(const tc_dataset *a, const tc_split *x, const tc_split *y) {
    assert_int_equal(x->count, y->count);
    assert_memory_equal(x->images, y->images, x->count * tc_dataset_image_bytes(a));
    assert_memory_equal(x->labels, y->labels, x->count * sizeof *x->labels);
}

static inline void helper_assert_same(const tc_dataset *a, const tc_dataset *b) {
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->channels, b->channels);
    assert_int_equal(a->classes, b->classes);
    helper_assert_same_split(a, &a->train, &b->train);
    helper_assert_same_split(a, &a->test, &b->test);
}

/* Opens, which must be refused as wrong input with `part` in the message, within a second. */
static inline void helper_refuses(const char *source, const char *part) {
    tc_error error;
    tc_dataset *dataset = (tc_dataset *)1;
    const clock_t start = clock();
    const tc_status status = tc_dataset_open(source, NULL, &dataset, &error);
    assert_int_equal(status, TC_INVALID);
    assert_null(dataset);
    if (!strstr(error.message, part)) fail_msg("'%s' is not in: %s", part, error.message);
    assert_true(clock() - start < CLOCKS_PER_SEC);
}

/* Opens; any status but success must come with a message and nothing else. Returns whether it opened. */
static inline bool helper_survives(const char *source) {
    tc_error error = {.message = ""};
    tc_dataset *dataset = NULL;
    const tc_status status = tc_dataset_open(source, NULL, &dataset, &error);
    if (status == TC_OK) {
        assert_non_null(dataset);
        tc_dataset_free(dataset);
        return true;
    }
    assert_true(status == TC_INVALID || status == TC_FAILED);
    assert_null(dataset);
    assert_true(strlen(error.message) > 10);
    assert_null(strchr(error.message, '\n'));
    return false;
}

/* Every cut must be refused that leaves fewer than `needed` bytes; `file` is whole again afterwards. */
static inline void helper_cut(const char *file, const char *source, size_t needed) {
    tc_error error;
    uint8_t *bytes;
    size_t size;
    helper_ok(tc_file_read(file, 1 << 24, &bytes, &size, &error), &error);
    const size_t step = size / 100 + 1;
    for (size_t length = 0; length < size; length += length < 40 || size - length < 40 ? 1 : step) {
        helper_ok(tc_file_put(file, bytes, length, &error), &error);
        const bool opened = helper_survives(source);
        if (opened && length < needed) fail_msg("%s opened although cut to %zu of %zu bytes", source, length, size);
    }
    helper_ok(tc_file_put(file, bytes, size, &error), &error);
    assert_true(helper_survives(source));
    free(bytes);
}

/* `rounds` times some bytes are changed, half of the time near the start, where headers are. Returns how many opened.
 */
static inline int helper_corrupt(const char *file, const char *source, int rounds) {
    tc_error error;
    uint8_t *bytes, *damaged;
    size_t size;
    int opened = 0;
    tc_stream stream = tc_stream_child(tc_stream_make(42), source, 0);
    helper_ok(tc_file_read(file, 1 << 24, &bytes, &size, &error), &error);
    damaged = malloc(size);
    for (int round = 0; round < rounds; round++) {
        const size_t span = round & 1 && size > 160 ? 160 : size;
        memcpy(damaged, bytes, size);
        for (uint64_t changes = 1 + tc_draw_below(&stream, 4); changes; changes--) {
            const size_t at = (size_t)tc_draw_below(&stream, span);
            if (tc_draw_below(&stream, 2))
                damaged[at] ^= (uint8_t)(1 << tc_draw_below(&stream, 8));
            else
                damaged[at] = (uint8_t)tc_draw_bits(&stream);
        }
        helper_ok(tc_file_put(file, damaged, size, &error), &error);
        opened += helper_survives(source);
    }
    helper_ok(tc_file_put(file, bytes, size, &error), &error);
    free(bytes);
    free(damaged);
    return opened;
}

/* Writes the set, opens it again and compares; both are freed. */
static inline void helper_round_trip(tc_dataset *dataset, const char *format, const char *scheme, const char *name) {
    tc_error error;
    tc_dataset *again;
    helper_ok(tc_dataset_write(dataset, format, helper_at("", name), &error), &error);
    helper_ok(tc_dataset_open(helper_at(scheme, name), NULL, &again, &error), &error);
    helper_assert_same(dataset, again);
    for (int i = 0; i < dataset->classes; i++) assert_string_equal(again->class_names[i], dataset->class_names[i]);
    tc_dataset_free(dataset);
    tc_dataset_free(again);
}

#endif
