/* Data sets from outside: opened, made from memory, written and read back; and what is refused. */
#include "outside.h"

static void opens_by_name(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_dataset *data = NULL;
    must(tocsin_dataset_open("shapes10", (settings){"train_per_class=3", "test_per_class=2", NULL}, &data, &error));
    const tocsin_shape shape = tocsin_dataset_shape(data);
    assert_int_equal(shape.height, 32);
    assert_int_equal(shape.width, 32);
    assert_int_equal(shape.channels, 3);
    assert_int_equal(tocsin_dataset_classes(data), 10);
    assert_string_equal(tocsin_dataset_name(data), "shapes10");
    const tocsin_samples training = tocsin_dataset_samples(data, TOCSIN_TRAINING);
    const tocsin_samples test = tocsin_dataset_samples(data, TOCSIN_TEST);
    assert_int_equal(training.count, 30);
    assert_int_equal(test.count, 20);
    int count[10] = {0};
    for (size_t i = 0; i < training.count; i++) count[training.labels[i]]++;
    for (int c = 0; c < 10; c++) assert_int_equal(count[c], 3);
    assert_non_null(tocsin_dataset_class_name(data, 9));
    assert_null(tocsin_dataset_class_name(data, 10));
    assert_null(tocsin_dataset_class_name(data, -1));
    tocsin_dataset_free(data);
}

static void copies_from_memory(void **state) {
    (void)state;
    tocsin_dataset *data = bars_dataset(12, 6);
    uint8_t images[6 * IMAGE];
    int32_t labels[6];
    bars(images, labels, 6, 12);
    const tocsin_samples test = tocsin_dataset_samples(data, TOCSIN_TEST);
    assert_int_equal(test.count, 6);
    assert_memory_equal(test.images, images, sizeof images);
    assert_memory_equal(test.labels, labels, sizeof labels);
    assert_string_equal(tocsin_dataset_class_name(data, 1), "middle");
    tocsin_dataset_free(data);
}

static void normalises(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_dataset *data = bars_dataset(30, 3);
    const tocsin_samples training = tocsin_dataset_samples(data, TOCSIN_TRAINING);
    float mean, deviation, *x = malloc(training.count * IMAGE * sizeof *x);
    tocsin_dataset_normalisation(data, &mean, &deviation);
    must(tocsin_dataset_normalise(data, training.images, training.count, x, &error));
    double sum = 0, squares = 0;
    const double n = (double)(training.count * IMAGE);
    for (size_t i = 0; i < training.count * IMAGE; i++) {
        assert_true(fabs(training.images[i] / 255.0 - (mean + (double)deviation * x[i])) < 1e-5);
        sum += x[i];
        squares += (double)x[i] * x[i];
    }
    assert_true(fabs(sum / n) < 1e-4);
    assert_true(fabs(squares / n - 1) < 1e-4);
    free(x);
    tocsin_dataset_free(data);
}

static void comes_back_from_a_file(void **state) {
    (void)state;
    tocsin_error error;
    char folder[256], path[300], source[310];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/bars.npz", folder);
    snprintf(source, sizeof source, "npz:%s", path);
    tocsin_dataset *data = bars_dataset(9, 6), *back = NULL;
    must(tocsin_dataset_write(data, "npz", path, &error));
    must(tocsin_dataset_open(source, NULL, &back, &error));
    for (int split = 0; split < 2; split++) {
        const tocsin_samples a = tocsin_dataset_samples(data, (tocsin_split)split);
        const tocsin_samples b = tocsin_dataset_samples(back, (tocsin_split)split);
        assert_int_equal(a.count, b.count);
        assert_memory_equal(a.images, b.images, a.count * IMAGE);
        assert_memory_equal(a.labels, b.labels, a.count * sizeof *a.labels);
    }
    assert_string_equal(tocsin_dataset_class_name(back, 2), "right");
    refused("nmz", tocsin_dataset_write(data, "nmz", path, e));
    tocsin_dataset_free(back);
    tocsin_dataset_free(data);
    remove_folder(folder);
}

static void refuses_wrong_sources(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_dataset *data = (tocsin_dataset *)&error;
    refused("shapes10", tocsin_dataset_open("shapes1", NULL, &data, e));
    assert_null(data);
    refused("NULL", tocsin_dataset_open(NULL, NULL, &data, e));
    refused("NULL", tocsin_dataset_open("shapes10", NULL, NULL, e));
    refused("train_per_class", tocsin_dataset_open("shapes10", (settings){"trein_per_class=3", NULL}, &data, e));
    refused("train_per_class", tocsin_dataset_open("shapes10", (settings){"train_per_class=many", NULL}, &data, e));
    refused("NAME=VALUE", tocsin_dataset_open("shapes10", (settings){"size", NULL}, &data, e));
    refused("source", tocsin_dataset_open("shapes10", (settings){"source=glyphs", NULL}, &data, e));
    refused("/nowhere", tocsin_dataset_open("npz:/nowhere/at/all.npz", NULL, &data, e));
}

static void refuses_wrong_memory(void **state) {
    (void)state;
    tocsin_error error;
    uint8_t images[6 * IMAGE];
    int32_t labels[6], wrong[6] = {0, 1, 2, 3, 0, 1};
    tocsin_dataset *data = NULL;
    bars(images, labels, 6, 0);
    const tocsin_shape shape = {SIDE, SIDE, 1};
    const tocsin_samples good = {6, images, labels}, mislabelled = {6, images, wrong}, none = {0, images, labels},
                         pictureless = {6, NULL, labels}, absurd = {SIZE_MAX, images, labels};
    refused("label 3", tocsin_dataset_create("x", shape, CLASSES, NULL, &mislabelled, &good, &data, e));
    refused("label 3", tocsin_dataset_create("x", shape, CLASSES, NULL, &good, &mislabelled, &data, e));
    refused("x: 0 images", tocsin_dataset_create("x", shape, CLASSES, NULL, &none, &good, &data, e));
    refused("NULL", tocsin_dataset_create("x", shape, CLASSES, NULL, &pictureless, &good, &data, e));
    refused("NULL", tocsin_dataset_create("x", shape, CLASSES, NULL, NULL, &good, &data, e));
    refused("NULL", tocsin_dataset_create(NULL, shape, CLASSES, NULL, &good, &good, &data, e));
    refused("images", tocsin_dataset_create("x", shape, CLASSES, NULL, &absurd, &good, &data, e));
    refused("classes", tocsin_dataset_create("x", shape, 1, NULL, &good, &good, &data, e));
    refused("classes", tocsin_dataset_create("x", shape, -4, NULL, &good, &good, &data, e));
    refused("pixels", tocsin_dataset_create("x", (tocsin_shape){-8, 8, 1}, CLASSES, NULL, &good, &good, &data, e));
    refused("pixels", tocsin_dataset_create("x", (tocsin_shape){8, INT32_MAX, 1}, 3, NULL, &good, &good, &data, e));
    refused("channels", tocsin_dataset_create("x", (tocsin_shape){8, 8, 5}, CLASSES, NULL, &good, &good, &data, e));
    assert_null(data);
}

static void nothing_of_nothing(void **state) {
    (void)state;
    tocsin_error error;
    assert_int_equal(tocsin_dataset_shape(NULL).height, 0);
    assert_int_equal(tocsin_dataset_classes(NULL), 0);
    assert_int_equal(tocsin_dataset_samples(NULL, TOCSIN_TEST).count, 0);
    assert_null(tocsin_dataset_name(NULL));
    assert_null(tocsin_dataset_class_name(NULL, 0));
    tocsin_dataset_normalisation(NULL, NULL, NULL);
    tocsin_dataset_free(NULL);
    tocsin_dataset *data = bars_dataset(3, 3);
    assert_int_equal(tocsin_dataset_samples(data, (tocsin_split)7).count, 0);
    refused("NULL", tocsin_dataset_normalise(data, NULL, 1, NULL, e));
    refused("NULL", tocsin_dataset_write(NULL, "npz", "x", e));
    tocsin_dataset_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_by_name),
        cmocka_unit_test(copies_from_memory),
        cmocka_unit_test(normalises),
        cmocka_unit_test(comes_back_from_a_file),
        cmocka_unit_test(refuses_wrong_sources),
        cmocka_unit_test(refuses_wrong_memory),
        cmocka_unit_test(nothing_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
