/* Every source through every format that is written, bit for bit, and back. */
#include "data/image_file.h"
#include "helper.h"

#include <jpeglib.h>
#include <stdio.h>

static tc_error error;

static const struct {
    const char *format, *scheme, *name;
    bool cifar; /* 32×32×3 only */
    bool flat;  /* names of classes are kept as they are; else they may come back changed */
} formats[] = {
    {"npz", "npz:", "npz", false, true},
    {"images", "images:", "images", false, false},
    {"cifar10", "cifar10:", "cifar10", true, true},
    {"cifar100", "cifar100:", "cifar100", true, true},
    {"idx", "idx:", "idx", false, true},
};
enum { FORMATS = sizeof formats / sizeof *formats };

/* PNG in a folder a class come back by class; within a class the order stays. */
static void sort_by_class(tc_split *split, size_t bytes) {
    uint8_t *images = malloc(split->count * bytes);
    int32_t *labels = malloc(split->count * sizeof *labels);
    size_t n = 0;
    for (int32_t c = 0; n < split->count; c++)
        for (size_t i = 0; i < split->count; i++)
            if (split->labels[i] == c) {
                memcpy(images + n * bytes, split->images + i * bytes, bytes);
                labels[n++] = c;
            }
    memcpy(split->images, images, n * bytes);
    memcpy(split->labels, labels, n * sizeof *labels);
    free(images);
    free(labels);
}

static tc_dataset *through(const tc_dataset *from, int f, const char *step) {
    tc_dataset *made;
    char name[64];
    snprintf(name, sizeof name, "%s-%s", step, formats[f].name);
    helper_ok(tc_dataset_write(from, formats[f].format, helper_at("", name), &error), &error);
    helper_ok(tc_dataset_open(helper_at(formats[f].scheme, name), NULL, &made, &error), &error);
    tc_folder_remove(helper_at("", name), NULL);
    return made;
}

/* first → format a → format b: every pair of neighbours must agree in every byte. */
static void walk(tc_dataset *first, bool cifar) {
    const size_t bytes = tc_dataset_image_bytes(first);
    sort_by_class(&first->train, bytes);
    sort_by_class(&first->test, bytes);
    for (int a = 0; a < FORMATS; a++) {
        if (formats[a].cifar && !cifar) continue;
        tc_dataset *once = through(first, a, "once");
        if (first->classes <= 10 && once->classes == 100) once->classes = first->classes; /* the format's own number */
        helper_assert_same(first, once);
        for (int b = 0; b < FORMATS; b++) {
            if (formats[b].cifar && !cifar) continue;
            tc_dataset *twice = through(once, b, "twice");
            if (first->classes <= 10 && twice->classes == 100) twice->classes = first->classes;
            helper_assert_same(first, twice);
            for (int c = 0; c < first->classes && formats[a].flat && formats[b].flat; c++)
                assert_string_equal(first->class_names[c], twice->class_names[c]);
            tc_dataset_free(twice);
        }
        tc_dataset_free(once);
    }
    tc_dataset_free(first);
}

static void colour_goes_through_every_format(void **state) {
    (void)state;
    walk(helper_dataset(32, 3, 10, 30, 20), true);
}

static void other_sizes_go_through_those_that_take_them(void **state) {
    (void)state;
    walk(helper_dataset(28, 1, 10, 30, 20), false);
    walk(helper_dataset(7, 3, 4, 12, 8), false);
}

static void a_hundred_classes_stay(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(32, 3, 100, 200, 100), *again;
    for (int i = 0; i < 100; i++) snprintf(d->class_names[i], TC_CLASS_NAME, "thing %02d", i);
    again = through(d, 3, "hundred");
    helper_assert_same(d, again);
    for (int i = 0; i < 100; i++) assert_string_equal(d->class_names[i], again->class_names[i]);
    assert_int_equal(tc_dataset_write(d, "cifar10", helper_at("", "ten"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "100 classes; cifar10 holds 32×32×3 and 10"));
    tc_dataset_free(d);
    tc_dataset_free(again);
}

/* Labels 0, 5, 10, 15: what a folder of pictures has no word for; an NPZ has. A class without test images it has. */
static void classes_without_images_are_no_folders(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(7, 3, 16, 32, 8), *again;
    for (size_t i = 0; i < 32; i++) d->train.labels[i] = (int32_t)(i % 4 * 5);
    for (size_t i = 0; i < 8; i++) d->test.labels[i] = (int32_t)(i % 2 * 5);
    assert_int_equal(tc_dataset_write(d, "images", helper_at("", "gaps"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "class 1 (class b) has no training images"));
    assert_false(tc_folder_exists(helper_at("", "gaps")));
    helper_ok(tc_dataset_write(d, "npz", helper_at("", "gaps.npz"), &error), &error);
    helper_ok(tc_dataset_open(helper_at("npz:", "gaps.npz"), NULL, &again, &error), &error);
    helper_assert_same(d, again);
    tc_dataset_free(again);
    d->classes = 4;
    for (size_t i = 0; i < 32; i++) d->train.labels[i] = (int32_t)(i / 8); /* class by class, as they come back */
    for (size_t i = 0; i < 8; i++) d->test.labels[i] = (int32_t)(i / 4);
    again = through(d, 1, "gaps");
    helper_assert_same(d, again);
    tc_dataset_free(again);
    tc_dataset_free(d);
}

/* ---- JPEG ---- */

static void write_jpeg(const char *path, int seed) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    uint8_t pixels[32 * 32 * 3];
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 32 * 32 * 3; i++) pixels[i] = (uint8_t)(i / 24 + 40 * seed);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = 32;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < 32) {
        JSAMPROW row = pixels + jpeg.next_scanline * 32 * 3;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
}

/* What a JPEG is decoded to is what every format then holds. */
static void jpegs_are_decoded_once(void **state) {
    (void)state;
    tc_dataset *d;
    tc_image image;
    uint8_t *bytes;
    size_t size;
    char name[64];
    for (int split = 0; split < 2; split++)
        for (int class = 0; class < 2; class ++) {
            snprintf(name, sizeof name, "jpeg/%s/%d", split ? "test" : "train", class);
            helper_ok(tc_folder_make(helper_at("", name), &error), &error);
            for (int i = 0; i < 4; i++) {
                snprintf(name, sizeof name, "jpeg/%s/%d/%d.jpg", split ? "test" : "train", class, i);
                write_jpeg(helper_at("", name), 8 * split + 4 * class + i);
            }
        }
    helper_ok(tc_dataset_open(helper_at("images:", "jpeg"), NULL, &d, &error), &error);
    const char *file = helper_at("", "jpeg/train/1/2.jpg");
    helper_ok(tc_file_read(file, 1 << 20, &bytes, &size, &error), &error);
    helper_ok(tc_image_decode(bytes, size, 0, file, &image, &error), &error);
    assert_memory_equal(image.pixels, d->train.images + 6 * 32 * 32 * 3, 32 * 32 * 3);
    free(image.pixels);
    free(bytes);
    for (int f = 0; f < FORMATS; f++) {
        tc_dataset *again = through(d, f, "jpeg");
        again->classes = 2; /* the CIFAR formats have their own number */
        helper_assert_same(d, again);
        tc_dataset_free(again);
    }
    tc_dataset_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colour_goes_through_every_format),
        cmocka_unit_test(other_sizes_go_through_those_that_take_them),
        cmocka_unit_test(classes_without_images_are_no_folders),
        cmocka_unit_test(a_hundred_classes_stay),
        cmocka_unit_test(jpegs_are_decoded_once),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
