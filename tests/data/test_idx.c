#include "helper.h"

#include <zlib.h>

static tc_error error;

static void write_set(int channels) {
    tc_dataset *d = helper_dataset(6, channels, 4, 20, 8);
    tc_folder_remove(helper_at("", "idx"), NULL);
    helper_ok(tc_dataset_write(d, "idx", helper_at("", "idx"), &error), &error);
    tc_dataset_free(d);
}

/* NAME becomes NAME.gz. */
static void gzip(const char *name) {
    uint8_t *bytes;
    size_t size;
    char packed[TC_PATH_SIZE + 4];
    helper_ok(tc_file_read(name, 1 << 24, &bytes, &size, &error), &error);
    snprintf(packed, sizeof packed, "%s.gz", name);
    gzFile file = gzopen(packed, "wb");
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), size);
    assert_int_equal(gzclose(file), Z_OK);
    remove(name);
    free(bytes);
}

static void returns_what_was_written(void **state) {
    (void)state;
    helper_round_trip(helper_dataset(6, 1, 4, 20, 8), "idx", "idx:", "grey");
    helper_round_trip(helper_dataset(5, 3, 3, 9, 3), "idx", "idx:", "colour");
}

static void reads_gzip_as_it_reads_plain(void **state) {
    (void)state;
    tc_dataset *plain, *packed;
    write_set(1);
    helper_ok(tc_dataset_open(helper_at("idx:", "idx"), NULL, &plain, &error), &error);
    gzip(helper_at("", "idx/train-images-idx3-ubyte"));
    gzip(helper_at("", "idx/t10k-labels-idx1-ubyte"));
    helper_ok(tc_dataset_open(helper_at("idx:", "idx"), NULL, &packed, &error), &error);
    helper_assert_same(plain, packed);
    tc_dataset_free(plain);
    tc_dataset_free(packed);
}

static void survives_damage(void **state) {
    (void)state;
    static const char *const files[] = {"idx/train-images-idx3-ubyte", "idx/train-labels-idx1-ubyte"};
    write_set(1);
    for (int i = 0; i < 2; i++) {
        helper_cut(helper_at("", files[i]), helper_at("idx:", "idx"), SIZE_MAX);
        helper_corrupt(helper_at("", files[i]), helper_at("idx:", "idx"), 200);
    }
    for (int i = 0; i < 2; i++) {
        char packed[64];
        gzip(helper_at("", files[i]));
        snprintf(packed, sizeof packed, "%s.gz", files[i]);
        helper_cut(helper_at("", packed), helper_at("idx:", "idx"), SIZE_MAX);
        helper_corrupt(helper_at("", packed), helper_at("idx:", "idx"), 200);
    }
}

static void put(const char *name, const uint8_t *bytes, size_t size) {
    helper_ok(tc_file_put(helper_at("", name), bytes, size, &error), &error);
}

static void refuses_absurd_headers(void **state) {
    (void)state;
    static const uint8_t huge[16] = {0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t large[16] = {0, 0, 8, 3, 0, 4, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0};     /* 256 GiB */
    static const uint8_t plausible[16] = {0, 0, 8, 3, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0}; /* 16 GiB, not there */
    static const uint8_t none[16] = {0, 0, 8, 3};
    static const uint8_t floats[16] = {0, 0, 0x0d, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
    static const uint8_t flat[16] = {0, 0, 8, 1, 0, 0, 0, 8};
    const char *name = "idx/train-images-idx3-ubyte", *source = helper_at("idx:", "idx");
    write_set(1);
    put(name, huge, sizeof huge);
    helper_refuses(source, "asks for");
    put(name, large, sizeof large);
    helper_refuses(source, "asks for");
    put(name, plausible, sizeof plausible);
    helper_refuses(source, "cut off after 16 of");
    put(name, none, sizeof none);
    helper_refuses(source, "asks for 0 bytes");
    put(name, floats, sizeof floats);
    helper_refuses(source, "not an IDX file of unsigned bytes");
    put(name, flat, sizeof flat);
    helper_refuses(source, "1 dimensions where 3 belong");
}

/* A few kilobytes that inflate to far more than their header says. */
static void refuses_a_bomb(void **state) {
    (void)state;
    static const uint8_t header[16] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2};
    static uint8_t zeros[1 << 20];
    write_set(1);
    remove(helper_at("", "idx/train-images-idx3-ubyte"));
    gzFile file = gzopen(helper_at("", "idx/train-images-idx3-ubyte.gz"), "wb9");
    gzwrite(file, header, sizeof header);
    for (int i = 0; i < 64; i++) gzwrite(file, zeros, sizeof zeros);
    gzclose(file);
    helper_refuses(helper_at("idx:", "idx"), "holds more than the 24 bytes expected");
}

static void refuses_what_does_not_match(void **state) {
    (void)state;
    static const uint8_t labels[13] = {0, 0, 8, 1, 0, 0, 0, 5, 0, 1, 2, 3, 0};
    static const uint8_t images[24] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t outside[16] = {0, 0, 8, 1, 0, 0, 0, 8, 0, 1, 2, 3, 0, 1, 2, 4};
    const char *source = helper_at("idx:", "idx");
    write_set(1);
    put("idx/t10k-labels-idx1-ubyte", labels, sizeof labels);
    helper_refuses(source, "5 labels for 8 images");
    put("idx/t10k-labels-idx1-ubyte", outside, sizeof outside);
    helper_refuses(source, "label 4 of test image 7 is outside 0 … 3");
    put("idx/t10k-images-idx3-ubyte", images, sizeof images);
    helper_refuses(source, "images of 2×2×1, the training ones are 6×6×1");
    remove(helper_at("", "idx/t10k-images-idx3-ubyte"));
    helper_refuses(source, "no file t10k-images-idx3-ubyte");
    helper_refuses("idx:/nowhere/at/all", "no such folder");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_what_was_written), cmocka_unit_test(reads_gzip_as_it_reads_plain),
        cmocka_unit_test(survives_damage),          cmocka_unit_test(refuses_absurd_headers),
        cmocka_unit_test(refuses_a_bomb),           cmocka_unit_test(refuses_what_does_not_match),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
