#include "data/npy.h"

#include "helper.h"

#include <archive.h>
#include <archive_entry.h>

static tc_error error;

static void write_set(const char *name) {
    tc_dataset *d = helper_dataset(5, 3, 4, 12, 8);
    helper_ok(tc_dataset_write(d, "npz", helper_at("", name), &error), &error);
    tc_dataset_free(d);
}

static void returns_what_was_written(void **state) {
    (void)state;
    helper_round_trip(helper_dataset(5, 3, 4, 12, 8), "npz", "npz:", "colour.npz");
    helper_round_trip(helper_dataset(5, 1, 4, 12, 8), "npz", "npz:", "grey.npz");
    helper_round_trip(helper_dataset(3, 4, 2, 4, 2), "npz", "npz:", "four.npz");
}

static void keeps_arrays_of_every_type(void **state) {
    (void)state;
    tc_npz *npz, *again;
    static const uint64_t bits[4] = {0x3ff0000000000000, 0x4037000000000000, 0x0102030405060708, 0};
    helper_ok(tc_new(&npz, 1, sizeof *npz, &error), &error);
    helper_ok(tc_new(&again, 1, sizeof *again, &error), &error);
    for (int t = TC_NPY_U8; t <= TC_NPY_F64; t++)
        tc_npz_add(npz, tc_npy_type_name(t), tc_npy_of(t, bits, 2, (size_t[]){2, 2}));
    helper_ok(tc_npz_write(helper_at("", "types.npz"), npz, &error), &error);
    helper_ok(tc_npz_read(helper_at("", "types.npz"), again, &error), &error);
    assert_int_equal(again->count, npz->count);
    for (int t = TC_NPY_U8; t <= TC_NPY_F64; t++) {
        const tc_npy *a = tc_npz_find(again, tc_npy_type_name(t));
        assert_int_equal(a->type, t);
        assert_int_equal(a->count, 4);
        assert_memory_equal(a->data, bits, 4 * tc_npy_element(t));
    }
    free(npz);
    tc_npz_free(again);
}

/* Where there is a NumPy: what it makes of our file, and we of its compressed one. */
static void numpy_agrees(void **state) {
    (void)state;
    char command[3 * TC_PATH_SIZE];
    tc_npz *npz;
    write_set("set.npz");
    snprintf(command, sizeof command,
             "for p in python3 /usr/bin/python3; do $p -c \"import numpy as n; z = n.load('%s'); "
             "x, y = z['x_train'], z['y_train']; assert x.shape == (12, 5, 5, 3) and x.dtype == n.uint8; "
             "assert y.tolist() == [0, 1, 2, 3] * 3; "
             "n.savez_compressed('%s', s=n.array([x.astype(n.int64).sum(), y.sum()]))\" 2>/dev/null && exit 0; "
             "$p -c 'import numpy' 2>/dev/null && exit 1; done; exit 77",
             helper_at("", "set.npz"), helper_at("", "sums.npz"));
    const int status = system(command);
    if (status == 77 << 8) {
        print_message("skipped: no NumPy here\n");
        return;
    }
    assert_int_equal(status, 0);
    tc_dataset *d = helper_dataset(5, 3, 4, 12, 8);
    int64_t sum = 0;
    for (size_t i = 0; i < 12 * tc_dataset_image_bytes(d); i++) sum += d->train.images[i];
    helper_ok(tc_new(&npz, 1, sizeof *npz, &error), &error);
    helper_ok(tc_npz_read(helper_at("", "sums.npz"), npz, &error), &error);
    assert_memory_equal(tc_npz_find(npz, "s")->data, ((int64_t[]){sum, 18}), 16);
    tc_npz_free(npz);
    tc_dataset_free(d);
}

static void survives_damage(void **state) {
    (void)state;
    write_set("set.npz");
    helper_cut(helper_at("", "set.npz"), helper_at("npz:", "set.npz"), SIZE_MAX);
    /* The zip's checksums notice what is changed in an array. */
    assert_true(helper_corrupt(helper_at("", "set.npz"), helper_at("npz:", "set.npz"), 500) < 100);
}

typedef struct wrong {
    const char *part;
    tc_npy_type x_type;
    size_t x[4], x_test[4], y;
    int rank, last_label;
    bool nameless;
} wrong;

static void write_wrong(const wrong *w) {
    static uint8_t pixels[8 * 4096];
    static int64_t labels[8];
    tc_npz *npz;
    labels[0] = 1;
    labels[7] = w->last_label;
    helper_ok(tc_new(&npz, 1, sizeof *npz, &error), &error);
    tc_npz_add(npz, "x_train", tc_npy_of(w->x_type, pixels, w->rank, w->x));
    tc_npz_add(npz, w->nameless ? "y" : "y_train", tc_npy_of(TC_NPY_I64, labels, 1, &w->y));
    tc_npz_add(npz, "x_test", tc_npy_of(TC_NPY_U8, pixels, w->rank, w->x_test));
    tc_npz_add(npz, "y_test", tc_npy_of(TC_NPY_I64, labels, 1, w->x_test));
    helper_ok(tc_npz_write(helper_at("", "wrong.npz"), npz, &error), &error);
    free(npz);
}

static void refuses_what_does_not_match(void **state) {
    (void)state;
    static const wrong cases[] = {
        {"'x_train' is float32", TC_NPY_F32, {8, 2, 2, 1}, {4, 2, 2, 1}, 8, 4, 1, false},
        {"7 labels for 8 images", TC_NPY_U8, {8, 2, 2, 1}, {4, 2, 2, 1}, 7, 4, 1, false},
        {"'x_train' has 2 dimensions", TC_NPY_U8, {8, 2, 2, 1}, {4, 2, 2, 1}, 8, 2, 1, false},
        {"images of 2×2×9", TC_NPY_U8, {8, 2, 2, 9}, {4, 2, 2, 9}, 8, 4, 1, false},
        {"'x_test' has images of 2×4×1", TC_NPY_U8, {8, 2, 2, 1}, {4, 2, 4, 1}, 8, 4, 1, false},
        {"y_train holds -1", TC_NPY_U8, {8, 2, 2, 1}, {4, 2, 2, 1}, 8, 4, -1, false},
        {"y_train holds 70000", TC_NPY_U8, {8, 2, 2, 1}, {4, 2, 2, 1}, 8, 4, 70000, false},
        {"0 images", TC_NPY_U8, {8, 2, 2, 1}, {0, 2, 2, 1}, 8, 4, 1, false},
        {"no array 'y_train'", TC_NPY_U8, {8, 2, 2, 1}, {4, 2, 2, 1}, 8, 4, 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_wrong(&cases[i]);
        helper_refuses(helper_at("npz:", "wrong.npz"), cases[i].part);
    }
    const wrong right = {"", TC_NPY_U8, {8, 2, 2, 1}, {4, 2, 2, 1}, 8, 4, 1, false};
    write_wrong(&right);
    assert_true(helper_survives(helper_at("npz:", "wrong.npz")));
    helper_refuses("npz:/nowhere.npz", "no such file");
}

/* ---- as others save them ---- */

/* One .npy of `size` elements' bytes under a header of that type and shape. */
static void put_array(struct archive *zip, const char *name, const char *type, const char *shape, size_t size) {
    char bytes[4096] = "\x93NUMPY\x01";
    const int length =
        snprintf(bytes + 10, 200, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", type, shape);
    struct archive_entry *entry = archive_entry_new();
    bytes[8] = (char)length;
    assert_true((size_t)length + size < sizeof bytes - 10);
    for (size_t i = 0; i < size; i++) bytes[10 + (size_t)length + i] = (char)(i % 2);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, 10 + length + (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_header(zip, entry), ARCHIVE_OK);
    archive_write_data(zip, bytes, 10 + (size_t)length + size);
    archive_entry_free(entry);
}

/* 4 training and 2 test images of 3×3, with labels; images of `type`, and names and notes that are no numbers. */
static void put_set(const char *path, const char *type, const char *labels) {
    struct archive *zip = archive_write_new();
    archive_write_set_format_zip(zip);
    archive_write_open_filename(zip, path);
    put_array(zip, "class_names.npy", "<U3", "(2,)", 24);
    put_array(zip, "x_train.npy", type, "(4, 3, 3)", 36);
    put_array(zip, "y_train.npy", labels, "(4,)", labels[2] == '1' ? 4 : 32);
    put_array(zip, "meta.npy", "|O", "()", 50);
    put_array(zip, "x_test.npy", type, "(2, 3, 3)", 18);
    put_array(zip, "y_test.npy", "|u1", "(2,)", 2);
    archive_write_free(zip);
}

static void reads_what_it_wants_only(void **state) {
    (void)state;
    tc_dataset *d;
    put_set(helper_at("", "theirs.npz"), "|u1", "|u1");
    helper_ok(tc_dataset_open(helper_at("npz:", "theirs.npz"), NULL, &d, &error), &error);
    assert_int_equal(d->train.count, 4);
    assert_int_equal(d->classes, 2);
    assert_string_equal(d->class_names[1], "1"); /* not the text's */
    tc_dataset_free(d);
    put_set(helper_at("", "theirs.npz"), "|u1", "<U2"); /* labels are wanted */
    helper_refuses(helper_at("npz:", "theirs.npz"), "y_train: elements of type '<U2' are not read");
    put_set(helper_at("", "theirs.npz"), "|b1", "|u1");
    helper_refuses(helper_at("npz:", "theirs.npz"), "'x_train' is bool; save it as uint8, 0 to 255");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_what_was_written),
        cmocka_unit_test(keeps_arrays_of_every_type),
        cmocka_unit_test(numpy_agrees),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(refuses_what_does_not_match),
        cmocka_unit_test(reads_what_it_wants_only),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
