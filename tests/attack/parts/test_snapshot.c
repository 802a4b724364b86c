/* A snapshot brings back what was saved, on the host and on the device, and believes no file that is cut off, damaged
 * or of another run. */
#include "../untargeted.h"

#include "attack/parts/snapshot.h"
#include "base/file.h"

#include <stdio.h>
#include <unistd.h>

typedef struct bench {
    untargeted s;
    char folder[40], path[64];
    void *options;
    double number;
    uint8_t bytes[100];
    void *reals; /* device [50] */
    tc_snapshot snapshot;
} bench;

enum { REALS = 50 };

static void open_snapshot(bench *b, const char *path) {
    tc_error error;
    tc_craft_job job = untargeted_job(&b->s);
    job.checkpoint = path;
    must(tc_snapshot_create(&job, &tc_error_max, b->options, 3, &b->snapshot, &error));
    tc_snapshot_host(&b->snapshot, &b->number, sizeof b->number);
    tc_snapshot_host(&b->snapshot, b->bytes, sizeof b->bytes);
    tc_snapshot_device(&b->snapshot, b->reals, REALS * b->s.device->element);
}

static void fill(bench *b, double number) {
    double values[REALS];
    b->number = number;
    for (size_t i = 0; i < sizeof b->bytes; i++) b->bytes[i] = (uint8_t)(number + (double)i);
    for (int i = 0; i < REALS; i++) values[i] = number / (i + 1);
    b->s.device->k->upload_double(b->s.device, b->reals, values, REALS);
}

static void holds(const bench *b, double number) {
    double values[REALS];
    assert_true(b->number == number);
    for (size_t i = 0; i < sizeof b->bytes; i++) assert_int_equal(b->bytes[i], (uint8_t)(number + (double)i));
    b->s.device->k->download_double(b->s.device, values, b->reals, REALS);
    for (int i = 0; i < REALS; i++) assert_float_equal(values[i], number / (i + 1), 1e-5);
}

static int begin(void **state) {
    tc_error error;
    bench *b = calloc(1, sizeof *b);
    untargeted_begin(&b->s, 8, 0.5);
    b->options = untargeted_options(&tc_error_max, NULL);
    must(tc_device_reals(b->s.device, REALS, &b->reals, &error));
    strcpy(b->folder, "/tmp/tocsin-snapshot-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/crafting", b->folder);
    open_snapshot(b, b->path);
    *state = b;
    return 0;
}

static int end(void **state) {
    bench *b = *state;
    tc_snapshot_free(&b->snapshot);
    unlink(b->path);
    assert_int_equal(rmdir(b->folder), 0);
    b->s.device->k->release(b->s.device, b->reals);
    free(b->options);
    untargeted_end(&b->s);
    free(b);
    return 0;
}

static void brings_back_what_was_saved(void **state) {
    bench *b = *state;
    tc_error error;
    bool found = true;
    fill(b, 3);
    must(tc_snapshot_load(&b->snapshot, &found, &error));
    assert_false(found);
    holds(b, 3);
    must(tc_snapshot_save(&b->snapshot, &error));
    fill(b, 8);
    must(tc_snapshot_load(&b->snapshot, &found, &error));
    assert_true(found);
    holds(b, 3);
    tc_craft_forget(b->path);
    assert_int_not_equal(access(b->path, F_OK), 0);
}

/* Every length that is too short, and every byte changed: none is believed, and nothing is touched. */
static void a_damaged_file_is_refused(void **state) {
    bench *b = *state;
    tc_error error;
    bool found;
    uint8_t *whole;
    size_t size;
    fill(b, 3);
    must(tc_snapshot_save(&b->snapshot, &error));
    must(tc_file_read(b->path, 1 << 20, &whole, &size, &error));
    fill(b, 8);
    for (size_t at = 0; at < size; at += 3) {
        must(tc_file_put(b->path, whole, at, &error));
        assert_int_equal(tc_snapshot_load(&b->snapshot, &found, &error), TC_INVALID);
        whole[at] ^= 4;
        must(tc_file_put(b->path, whole, size, &error));
        assert_int_equal(tc_snapshot_load(&b->snapshot, &found, &error), TC_INVALID);
        whole[at] ^= 4;
        holds(b, 8);
    }
    must(tc_file_put(b->path, whole, size, &error));
    must(tc_snapshot_load(&b->snapshot, &found, &error));
    holds(b, 3);
    unlink(b->path);
    free(whole);
}

/* What decides on the poison is in the digest, one thing at a time. */
static void another_run_is_refused(void **state) {
    bench *b = *state;
    char runs[8][TC_DIGEST_TEXT];
    tc_craft_job job = untargeted_job(&b->s);
    tc_error error;
    bool found;
    must(tc_snapshot_save(&b->snapshot, &error));
    for (int k = 0; k < 8; k++) {
        uint8_t *pixel = b->s.data->train.images + b->s.threat.base[2] * tc_dataset_image_bytes(b->s.data) + 5;
        if (k == 1) job.stream = tc_stream_make(77);
        if (k == 2) *pixel ^= 1;
        if (k == 3) b->s.train.sam_rho = 0.1;
        if (k == 4) b->s.threat.epsilon = 7;
        if (k == 5) b->s.surrogate.weights.theta[0] += 1;
        if (k == 6) b->s.data->test.images[3] ^= 1; /* nor any other image, or label */
        if (k == 7) b->s.data->train.labels[1] ^= 1;
        tc_snapshot other;
        job.checkpoint = b->path;
        must(tc_snapshot_create(&job, &tc_error_max, b->options, 3, &other, &error));
        memcpy(runs[k], other.run, sizeof other.run);
        for (int i = 0; i < k; i++) assert_string_not_equal(runs[i], runs[k]);
        if (k) assert_int_equal(tc_snapshot_load(&other, &found, &error), TC_INVALID);
        tc_snapshot_free(&other);
    }
    assert_string_equal(runs[0], b->snapshot.run);
}

/* Without a path nothing happens, and nothing fails. */
static void no_path_no_file(void **state) {
    bench *b = *state;
    tc_error error;
    bool found = true;
    tc_snapshot_free(&b->snapshot);
    open_snapshot(b, NULL);
    must(tc_snapshot_save(&b->snapshot, &error));
    must(tc_snapshot_load(&b->snapshot, &found, &error));
    assert_false(found || tc_snapshot_due(&b->snapshot));
    tc_craft_forget(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brings_back_what_was_saved),
        cmocka_unit_test(a_damaged_file_is_refused),
        cmocka_unit_test(another_run_is_refused),
        cmocka_unit_test(no_path_no_file),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
