#include "helper.h"

static tc_error error;

static void write_set(void) {
    tc_dataset *d = helper_dataset(32, 3, 10, 20, 10);
    tc_folder_remove(helper_at("", "cifar"), NULL);
    helper_ok(tc_dataset_write(d, "cifar10", helper_at("", "cifar"), &error), &error);
    tc_dataset_free(d);
}

static void returns_what_was_written(void **state) {
    (void)state;
    helper_round_trip(helper_dataset(32, 3, 10, 23, 10), "cifar10", "cifar10:", "ten");
}

/* The layout by hand: the writer and the reader could agree on a wrong one. */
static void reads_planes_red_first(void **state) {
    (void)state;
    tc_dataset *d;
    static uint8_t record[2 * 3074];
    for (int i = 0; i < 2; i++) {
        uint8_t *r = record + i * 3074;
        r[0] = 19; /* coarse */
        r[1] = i ? 99 : 7;
        r[2 + 0 * 1024 + 33] = 11; /* red, row 1, column 1 */
        r[2 + 1 * 1024 + 33] = 22;
        r[2 + 2 * 1024 + 33] = 33;
    }
    tc_folder_make(helper_at("", "hundred/cifar-100-binary"), &error);
    tc_file_put(helper_at("", "hundred/cifar-100-binary/train.bin"), record, sizeof record, &error);
    tc_file_put(helper_at("", "hundred/cifar-100-binary/test.bin"), record, 3074, &error);
    tc_file_put(helper_at("", "hundred/cifar-100-binary/fine_label_names.txt"), "apple\r\nfish\n", 12, &error);
    helper_ok(tc_dataset_open(helper_at("cifar100:", "hundred"), NULL, &d, &error), &error);
    assert_int_equal(d->classes, 100);
    assert_int_equal(d->train.count, 2);
    assert_int_equal(d->train.labels[0], 7);
    assert_int_equal(d->train.labels[1], 99);
    const uint8_t *pixel = d->train.images + 3072 + (1 * 32 + 1) * 3;
    assert_int_equal(pixel[0], 11);
    assert_int_equal(pixel[1], 22);
    assert_int_equal(pixel[2], 33);
    assert_string_equal(d->class_names[0], "apple");
    assert_string_equal(d->class_names[1], "fish");
    assert_string_equal(d->class_names[2], "2");
    tc_dataset_free(d);
}

static void survives_damage(void **state) {
    (void)state;
    static const char *const files[] = {"cifar/data_batch_3.bin", "cifar/test_batch.bin", "cifar/batches.meta.txt"};
    write_set();
    /* Cut at a whole record a file is a smaller batch, and names are only names. */
    for (int i = 0; i < 3; i++) {
        helper_cut(helper_at("", files[i]), helper_at("cifar10:", "cifar"), i < 2 ? 3073 : 0);
        helper_corrupt(helper_at("", files[i]), helper_at("cifar10:", "cifar"), 150);
    }
}

static void refuses_what_is_no_batch(void **state) {
    (void)state;
    uint8_t *bytes;
    size_t size;
    const char *path = helper_at("", "cifar/data_batch_2.bin"), *source = helper_at("cifar10:", "cifar");
    write_set();
    helper_ok(tc_file_read(path, 1 << 20, &bytes, &size, &error), &error);
    tc_file_put(path, bytes, 3073 + 5, &error);
    helper_refuses(source, "3078 bytes are no whole number of 3073-byte records");
    bytes[3073] = 10;
    tc_file_put(path, bytes, size, &error);
    helper_refuses(source, "label 10 of record 1 is outside 0 … 9");
    remove(path);
    helper_refuses(source, "data_batch_2.bin: cannot be opened");
    helper_refuses("cifar10:/nowhere", "no such folder");
    free(bytes);
}

static void refuses_to_write_what_does_not_fit(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(28, 3, 10, 20, 10);
    assert_int_equal(tc_dataset_write(d, "cifar10", helper_at("", "unfit"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "28×28×3"));
    assert_false(tc_folder_exists(helper_at("", "unfit")));
    tc_dataset_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_what_was_written),
        cmocka_unit_test(reads_planes_red_first),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(refuses_what_is_no_batch),
        cmocka_unit_test(refuses_to_write_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
