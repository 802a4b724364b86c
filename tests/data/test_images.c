#include "data/image_file.h"

#include "helper.h"

#include <omp.h>

static tc_error error;

/* A picture of one colour; channels 1 or 3. */
static void put_picture(const char *name, int side, int channels, uint8_t value) {
    char folder[256];
    uint8_t *bytes;
    size_t size;
    tc_image image = {side, side, channels, malloc((size_t)(side * side * channels))};
    memset(image.pixels, value, (size_t)(side * side * channels));
    snprintf(folder, sizeof folder, "%s", helper_at("", name));
    *strrchr(folder, '/') = 0;
    helper_ok(tc_folder_make(folder, &error), &error);
    helper_ok(tc_png_encode(&image, &bytes, &size, &error), &error);
    helper_ok(tc_file_put(helper_at("", name), bytes, size, &error), &error);
    free(bytes);
    free(image.pixels);
}

static void put_set(const char *root) {
    static const char *const names[] = {"train/cat/2.png", "train/cat/10.png", "train/ant/a.PNG",
                                        "train/ant/b.png", "test/cat/x.png",   "test/ant/y.png"};
    char path[128];
    tc_folder_remove(helper_at("", root), NULL);
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        put_picture(path, 4, 1, (uint8_t)(10 * i));
    }
}

static tc_dataset *open_set(const char *name, int64_t size) {
    const tc_dataset_options options = {.size = size};
    tc_dataset *d;
    helper_ok(tc_dataset_open(helper_at("images:", name), &options, &d, &error), &error);
    return d;
}

static void reads_in_the_order_of_names(void **state) {
    (void)state;
    put_set("set");
    tc_file_put(helper_at("", "set/train/ant/notes.txt"), "no picture", 10, &error);
    tc_dataset *d = open_set("set", 0);
    assert_int_equal(d->channels, 1);
    assert_int_equal(d->classes, 2);
    assert_string_equal(d->class_names[0], "ant");
    assert_string_equal(d->class_names[1], "cat");
    assert_int_equal(d->train.count, 4);
    static const uint8_t values[] = {20, 30, 10, 0}; /* a b 10 2 */
    static const int labels[] = {0, 0, 1, 1};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(d->train.images[i * 16], values[i]);
        assert_int_equal(d->train.labels[i], labels[i]);
    }
    assert_int_equal(d->test.images[0], 50);
    tc_dataset_free(d);
}

static void one_colour_picture_makes_all_colour(void **state) {
    (void)state;
    put_set("set");
    put_picture("set/train/cat/9.png", 4, 3, 77);
    tc_dataset *d = open_set("set", 0);
    assert_int_equal(d->channels, 3);
    assert_int_equal(d->train.images[0], 20);
    assert_int_equal(d->train.images[2], 20);
    assert_int_equal(d->train.images[4 * 48], 77);
    tc_dataset_free(d);
    put_set("set");
    put_picture("set/test/cat/z.png", 4, 3, 78); /* only the test split shows colour */
    d = open_set("set", 0);
    assert_int_equal(d->channels, 3);
    assert_int_equal(d->test.images[2 * 48], 78);
    tc_dataset_free(d);
}

static void resizes_only_when_asked(void **state) {
    (void)state;
    put_set("set");
    put_picture("set/train/cat/big.png", 9, 1, 55);
    helper_refuses(helper_at("images:", "set"), "cat/big.png: 9×9 pixels, the first one has 4×4");
    tc_dataset *d = open_set("set", 6);
    assert_int_equal(d->height, 6);
    assert_int_equal(d->width, 6);
    assert_int_equal(d->train.images[4 * 36 + 35], 55);
    tc_dataset_free(d);
}

static void holds_out_a_seeded_fifth(void **state) {
    (void)state;
    char name[64];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "flat/%s/%02d.png", i & 1 ? "odd" : "even", i);
        put_picture(name, 2, 1, (uint8_t)(i + 1));
    }
    tc_dataset *a, *b, *c;
    tc_dataset_options options = {.seed = 3};
    helper_ok(tc_dataset_open(helper_at("images:", "flat"), &options, &a, &error), &error);
    helper_ok(tc_dataset_open(helper_at("images:", "flat"), &options, &b, &error), &error);
    options.seed = 4;
    helper_ok(tc_dataset_open(helper_at("images:", "flat"), &options, &c, &error), &error);
    helper_assert_same(a, b);
    assert_int_equal(a->train.count, 32);
    assert_int_equal(a->test.count, 8);
    assert_int_equal(c->test.count, 8);
    int seen[41] = {0}, moved = 0;
    for (int i = 0; i < 32; i++) seen[a->train.images[4 * i]]++;
    for (int i = 0; i < 8; i++) seen[a->test.images[4 * i]]++;
    for (int i = 1; i <= 40; i++) assert_int_equal(seen[i], 1); /* every picture on exactly one side */
    for (int i = 0; i < 8; i++) {
        assert_int_equal(a->test.labels[i], i / 4);
        assert_int_equal((a->test.images[4 * i] - 1) & 1, a->test.labels[i]);
        moved += a->test.images[4 * i] != c->test.images[4 * i];
    }
    assert_true(moved > 0);
    tc_dataset_free(a);
    tc_dataset_free(b);
    tc_dataset_free(c);
}

static void returns_what_was_written(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(5, 3, 3, 12, 6);
    for (size_t i = 0; i < 12; i++) d->train.labels[i] = (int32_t)(i / 4); /* folders give them class by class */
    for (size_t i = 0; i < 6; i++) d->test.labels[i] = (int32_t)(i / 2);
    snprintf(d->class_names[0], TC_CLASS_NAME, "zebra"); /* not in the order of names */
    snprintf(d->class_names[1], TC_CLASS_NAME, "a/b ..");
    snprintf(d->class_names[2], TC_CLASS_NAME, "ähre");
    helper_ok(tc_dataset_write(d, "images", helper_at("", "out"), &error), &error);
    tc_dataset *again = open_set("out", 0);
    helper_assert_same(d, again);
    assert_string_equal(again->class_names[0], "00000-zebra");
    assert_string_equal(again->class_names[1], "00001-a_b_..");
    assert_int_equal(tc_dataset_write(d, "images", helper_at("", "out"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "holds other files already"));
    tc_dataset_free(d);
    tc_dataset_free(again);
}

static void same_on_any_number_of_threads(void **state) {
    (void)state;
    const int threads = omp_get_max_threads();
    tc_dataset *d = helper_dataset(8, 3, 10, 300, 20), *a, *b;
    helper_ok(tc_dataset_write(d, "images", helper_at("", "many"), &error), &error);
    omp_set_num_threads(1);
    a = open_set("many", 5);
    omp_set_num_threads(4);
    b = open_set("many", 5);
    helper_assert_same(a, b);
    /* Of two bad pictures it is always the first that is named. */
    tc_file_put(helper_at("", "many/train/class_b/000211.png"), "junk", 4, &error);
    tc_file_put(helper_at("", "many/train/class_c/000002.png"), "junk", 4, &error);
    for (int i = 0; i < 5; i++)
        helper_refuses(helper_at("images:", "many"), "class_b/000211.png: neither PNG nor JPEG");
    omp_set_num_threads(threads);
    tc_dataset_free(d);
    tc_dataset_free(a);
    tc_dataset_free(b);
}

static void refuses_folders_that_make_no_set(void **state) {
    (void)state;
    put_set("set");
    tc_folder_make(helper_at("", "set/train/empty"), &error);
    helper_refuses(helper_at("images:", "set"), "set/train/empty: no .png or .jpg in it");
    put_set("set");
    put_picture("set/test/dog/1.png", 4, 1, 1);
    helper_refuses(helper_at("images:", "set"), "test/dog: no such class in the training folder");
    tc_folder_remove(helper_at("", "set/test"), &error);
    helper_refuses(helper_at("images:", "set"), "train/ without test/");
    tc_folder_make(helper_at("", "nothing"), &error);
    helper_refuses(helper_at("images:", "nothing"), "0 folder");
    helper_refuses("images:/nowhere", "cannot be opened");
}

static void survives_damage(void **state) {
    (void)state;
    put_set("set");
    helper_cut(helper_at("", "set/train/cat/10.png"), helper_at("images:", "set"), 40);
    helper_corrupt(helper_at("", "set/train/cat/10.png"), helper_at("images:", "set"), 300);
    helper_corrupt(helper_at("", "set/train/ant/a.PNG"), helper_at("images:", "set"), 300); /* it sets the size */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_in_the_order_of_names),      cmocka_unit_test(one_colour_picture_makes_all_colour),
        cmocka_unit_test(resizes_only_when_asked),          cmocka_unit_test(holds_out_a_seeded_fifth),
        cmocka_unit_test(returns_what_was_written),         cmocka_unit_test(same_on_any_number_of_threads),
        cmocka_unit_test(refuses_folders_that_make_no_set), cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
