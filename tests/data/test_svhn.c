#include "helper.h"

#include <matio.h>

static tc_error error;

enum { PIXELS = 32 * 32 * 3 };

/* What is wrong with a file; all zero: nothing. */
typedef struct flaw {
    const char *part; /* of the message */
    bool plain;       /* not compressed */
    bool wide;        /* X as int16 */
    bool transposed;  /* X as [n][3][32][32] */
    bool row;         /* y as [1][n] */
    bool short_y;     /* one label too few */
    double label;     /* of the last image, where not 0 */
    const char *x_name;
} flaw;

static void put_variable(mat_t *mat, const char *name, enum matio_classes class, enum matio_types type, int rank,
                         size_t *dims, void *data, bool plain) {
    matvar_t *variable = Mat_VarCreate(name, class, type, rank, dims, data, MAT_F_DONT_COPY_DATA);
    assert_non_null(variable);
    assert_int_equal(Mat_VarWrite(mat, variable, plain ? MAT_COMPRESSION_NONE : MAT_COMPRESSION_ZLIB), 0);
    Mat_VarFree(variable);
}

/* The split as MATLAB would hold it: index h + 32 w + 1024 c + 3072 n, and 10 for the digit 0. */
static void write_mat(const char *name, const tc_split *split, const flaw *f) {
    const size_t n = split->count;
    uint8_t *x = malloc(2 * n * PIXELS);
    double *y = malloc(n * sizeof *y);
    for (size_t i = 0; i < n; i++) {
        y[i] = split->labels[i] ? split->labels[i] : 10;
        for (size_t h = 0; h < 32; h++)
            for (size_t w = 0; w < 32; w++)
                for (size_t c = 0; c < 3; c++)
                    x[i * PIXELS + c * 1024 + w * 32 + h] = split->images[i * PIXELS + (h * 32 + w) * 3 + c];
    }
    if (f->label != 0) y[n - 1] = f->label;
    size_t right[4] = {32, 32, 3, n}, turned[4] = {n, 3, 32, 32}, column[2] = {n - f->short_y, 1}, row[2] = {1, n};
    mat_t *mat = Mat_CreateVer(helper_at("", name), NULL, MAT_FT_MAT5);
    assert_non_null(mat);
    put_variable(mat, f->x_name ? f->x_name : "X", f->wide ? MAT_C_INT16 : MAT_C_UINT8,
                 f->wide ? MAT_T_INT16 : MAT_T_UINT8, 4, f->transposed ? turned : right, x, f->plain);
    put_variable(mat, "y", MAT_C_DOUBLE, MAT_T_DOUBLE, 2, f->row ? row : column, y, f->plain);
    Mat_Close(mat);
    free(x);
    free(y);
}

static const flaw none = {.part = ""};

static tc_dataset *write_set(const flaw *train) {
    tc_dataset *d = helper_dataset(32, 3, 10, 13, 7);
    for (int i = 0; i < 10; i++) snprintf(d->class_names[i], TC_CLASS_NAME, "%d", i);
    tc_folder_make(helper_at("", "svhn"), &error);
    remove(helper_at("", "svhn/train_32x32.mat"));
    remove(helper_at("", "svhn/test_32x32.mat"));
    write_mat("svhn/train_32x32.mat", &d->train, train);
    write_mat("svhn/test_32x32.mat", &d->test, &none);
    return d;
}

static void reads_what_matlab_would_write(void **state) {
    (void)state;
    const flaw plain = {.part = "", .plain = true};
    for (int i = 0; i < 2; i++) {
        tc_dataset *d = write_set(i ? &plain : &none), *again;
        helper_ok(tc_dataset_open(helper_at("svhn:", "svhn"), NULL, &again, &error), &error);
        helper_assert_same(d, again);
        assert_string_equal(again->class_names[0], "0");
        tc_dataset_free(d);
        tc_dataset_free(again);
    }
}

/* Every byte of an element is counted by its length, and every compressed one by its checksum. */
static void survives_damage(void **state) {
    (void)state;
    tc_dataset_free(write_set(&none));
    const char *file = helper_at("", "svhn/train_32x32.mat"), *source = helper_at("svhn:", "svhn");
    helper_cut(file, source, SIZE_MAX);
    assert_true(helper_corrupt(file, source, 200) < 100); /* the first 116 bytes are a text that may say anything */
    const flaw plain = {.part = "", .plain = true};
    tc_dataset_free(write_set(&plain));
    helper_cut(file, source, SIZE_MAX);
    helper_corrupt(file, source, 200);
}

static void refuses_what_is_not_svhn(void **state) {
    (void)state;
    static const flaw flaws[] = {
        {.part = "'X' has not the type and shape", .wide = true},
        {.part = "'X' has not the type and shape", .transposed = true},
        {.part = "'y' has not the type and shape", .row = true},
        {.part = "12 labels for 13 images", .short_y = true},
        {.part = "label 11 of image 12", .label = 11},
        {.part = "label 2.5 of image 12", .label = 2.5},
        {.part = "label -1 of image 12", .label = -1},
        {.part = "label nan of image 12", .label = 0.0 / 0.0},
        {.part = "no variable 'X'", .x_name = "Z"},
    };
    for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        tc_dataset_free(write_set(&flaws[i]));
        helper_refuses(helper_at("svhn:", "svhn"), flaws[i].part);
    }
    tc_dataset_free(write_set(&none));
    tc_file_put(helper_at("", "svhn/test_32x32.mat"), "MATLAB 7.3", 10, &error);
    helper_refuses(helper_at("svhn:", "svhn"), "test_32x32.mat: not a MAT file of version 5");
    remove(helper_at("", "svhn/test_32x32.mat"));
    helper_refuses(helper_at("svhn:", "svhn"), "test_32x32.mat: cannot be opened");
    helper_refuses("svhn:/nowhere", "no such folder");
}

/* A header of a few bytes that asks for a terabyte. */
static void believes_no_header(void **state) {
    (void)state;
    uint8_t *bytes;
    size_t size;
    const flaw plain = {.part = "", .plain = true};
    const char *file = helper_at("", "svhn/train_32x32.mat");
    tc_dataset_free(write_set(&plain));
    helper_ok(tc_file_read(file, 1 << 20, &bytes, &size, &error), &error);
    const size_t last = 128 + 8 + 16 + 8 + 12; /* header, matrix tag, flags, tag of the dimensions, three of them */
    assert_int_equal(bytes[last], 13);
    memset(bytes + last, 0x7f, 4);
    helper_ok(tc_file_put(file, bytes, size, &error), &error);
    helper_refuses(helper_at("svhn:", "svhn"), "'X' has not the type and shape");
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_matlab_would_write),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(refuses_what_is_not_svhn),
        cmocka_unit_test(believes_no_header),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
