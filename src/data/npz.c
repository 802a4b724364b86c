/* npz.c — a data set as NumPy arrays: x_train and x_test uint8 [n][h][w][c] or [n][h][w], y_train and y_test integers
 * [n] (or [n][1], as Keras has them), and, where there is one, class_names uint8 [classes][64], zero-padded. Other
 * arrays are left alone, and so is a class_names that holds text or objects. */
#include "base/file.h"
#include "base/log.h"
#include "data/npy.h"
#include "data/reader.h"

#include <stdlib.h>
#include <string.h>

static tc_status read_images(const char *path, const char *name, bool first, tc_npz *npz, tc_dataset *dataset,
                             tc_split *split, tc_error *error) {
    tc_status status = TC_OK;
    tc_npy *x;
    TC_TRY(tc_npz_want(npz, path, name, 3, 4, &x, error));
    if (x->type != TC_NPY_U8 || x->truths)
        TC_RAISE(TC_INVALID, "%s: '%s' is %s; save it as uint8, 0 to 255", path, name,
                 x->truths ? "bool" : tc_npy_type_name(x->type));
    const size_t *shape = x->shape, channels = x->rank == 4 ? shape[3] : 1;
    if (shape[1] > 4096 || shape[2] > 4096 || channels > 4)
        TC_RAISE(TC_INVALID, "%s: '%s' has images of %zu×%zu×%zu; at most 4096×4096×4, channels last, are read", path,
                 name, shape[1], shape[2], channels);
    if (first) {
        dataset->height = (int)shape[1];
        dataset->width = (int)shape[2];
        dataset->channels = (int)channels;
    }
    if ((int)shape[1] != dataset->height || (int)shape[2] != dataset->width || (int)channels != dataset->channels)
        TC_RAISE(TC_INVALID, "%s: '%s' has images of %zu×%zu×%zu, x_train has %d×%d×%d; save arrays of one set", path,
                 name, shape[1], shape[2], channels, dataset->height, dataset->width, dataset->channels);
    TC_TRY(tc_split_allocate(dataset, split, shape[0], error));
    memcpy(split->images, x->data, x->count);
    tc_npy_free(x); /* what is copied need not stay twice in memory */
done:
    return status;
}

static tc_status read_labels(const char *path, const char *name, tc_npz *npz, tc_split *split, tc_error *error) {
    tc_status status = TC_OK;
    tc_npy *y;
    char where[TC_PATH_SIZE];
    TC_TRY(tc_npz_want(npz, path, name, 1, 2, &y, error));
    if (y->count != split->count || y->shape[0] != split->count)
        TC_RAISE(TC_INVALID, "%s: '%s' has %zu labels for %zu images; save one an image", path, name, y->count,
                 split->count);
    TC_TRY(tc_path_format(where, error, "%s: %s", path, name));
    TC_TRY(tc_npy_cast(y, TC_NPY_I32, where, error));
    memcpy(split->labels, y->data, y->count * sizeof *split->labels);
done:
    return status;
}

static tc_status read_names(const char *path, tc_npz *npz, tc_dataset *dataset, tc_error *error) {
    const tc_npy *names = tc_npz_find(npz, "class_names");
    if (!names && tc_npz_has(npz, "class_names"))
        tc_log_detail("%s: 'class_names' is no uint8 [classes][%d] and is left out", path, TC_CLASS_NAME);
    if (!names) return TC_OK;
    if (names->type != TC_NPY_U8 || names->rank != 2 || names->shape[1] != TC_CLASS_NAME ||
        names->shape[0] < (size_t)dataset->classes || names->shape[0] > 65536)
        return tc_raise(error, TC_INVALID, "%s: 'class_names' is no uint8 [classes][%d]; leave it out", path,
                        TC_CLASS_NAME);
    dataset->classes = (int)names->shape[0];
    const tc_status status = tc_name_classes(dataset, error);
    for (int i = 0; i < dataset->classes && status == TC_OK; i++) {
        char name[TC_CLASS_NAME + 1] = "";
        memcpy(name, (const char *)names->data + (size_t)i * TC_CLASS_NAME, TC_CLASS_NAME);
        tc_set_class_name(dataset, i, name);
    }
    return status;
}

/* As many classes as the training labels name, or as class_names has. */
tc_status tc_read_npz(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    (void)options;
    tc_status status = TC_OK;
    tc_npz *npz = NULL;
    TC_TRY(tc_new(&npz, 1, sizeof *npz, error));
    TC_TRY(tc_npz_read(path, npz, error));
    TC_TRY(read_images(path, "x_train", true, npz, dataset, &dataset->train, error));
    TC_TRY(read_images(path, "x_test", false, npz, dataset, &dataset->test, error));
    TC_TRY(read_labels(path, "y_train", npz, &dataset->train, error));
    TC_TRY(read_labels(path, "y_test", npz, &dataset->test, error));
    for (size_t i = 0; i < dataset->train.count; i++) {
        const int32_t label = dataset->train.labels[i];
        if (label < 0 || label >= 65536)
            TC_RAISE(TC_INVALID, "%s: y_train holds %d; labels are 0 … 65535", path, label);
        if (label >= dataset->classes) dataset->classes = label + 1;
    }
    TC_TRY(read_names(path, npz, dataset, error));
done:
    tc_npz_free(npz);
    return status;
}

tc_status tc_write_npz(const tc_dataset *dataset, const char *path, tc_error *error) {
    tc_status status = TC_OK;
    tc_npz *npz = NULL;
    const tc_split *splits[2] = {&dataset->train, &dataset->test};
    const size_t names[2] = {(size_t)dataset->classes, TC_CLASS_NAME};
    TC_TRY(tc_new(&npz, 1, sizeof *npz, error));
    for (int i = 0; i < 2; i++) {
        const size_t shape[4] = {splits[i]->count, (size_t)dataset->height, (size_t)dataset->width,
                                 (size_t)dataset->channels};
        tc_npz_add(npz, i ? "x_test" : "x_train", tc_npy_of(TC_NPY_U8, splits[i]->images, 4, shape));
        tc_npz_add(npz, i ? "y_test" : "y_train", tc_npy_of(TC_NPY_I32, splits[i]->labels, 1, shape));
    }
    tc_npz_add(npz, "class_names", tc_npy_of(TC_NPY_U8, dataset->class_names, 2, names));
    TC_TRY(tc_npz_write(path, npz, error));
done:
    free(npz); /* not the data, which it borrows */
    return status;
}
