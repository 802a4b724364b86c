/* cifar.c — CIFAR-10 and CIFAR-100, binary version (A. Krizhevsky, "Learning multiple layers of features from tiny
 * images", 2009).
 *
 * Records without a header: one label byte (CIFAR-100: the coarse, then the fine one), then 3072 pixels as three
 * planes of 32×32, red first. A file's size is therefore all there is to check beside its labels. */
#include "base/file.h"
#include "data/reader.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, MOST_FILES = 5 };

typedef struct flavour {
    int classes, label_bytes; /* the last of them counts */
    const char *subfolder, *names;
    const char *train[MOST_FILES + 1], *test[2];
} flavour;

static const flavour cifar10 = {
    .classes = 10,
    .label_bytes = 1,
    .subfolder = "cifar-10-batches-bin",
    .names = "batches.meta.txt",
    .train = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
    .test = {"test_batch.bin"},
};
static const flavour cifar100 = {
    .classes = 100,
    .label_bytes = 2,
    .subfolder = "cifar-100-binary",
    .names = "fine_label_names.txt",
    .train = {"train.bin"},
    .test = {"test.bin"},
};

/* Planes to channels last. */
static void interleave(const uint8_t *planes, uint8_t *image) {
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++) image[3 * i + c] = planes[c * PLANE + i];
}

static void unpack(const flavour *f, const uint8_t *bytes, size_t count, uint8_t *images, int32_t *labels) {
    const size_t record = (size_t)f->label_bytes + PIXELS;
    for (size_t i = 0; i < count; i++, bytes += record) {
        labels[i] = bytes[f->label_bytes - 1];
        interleave(bytes + f->label_bytes, images + i * PIXELS);
    }
}

typedef struct batch {
    uint8_t *bytes;
    size_t count;
} batch;

static tc_status read_batch(const flavour *f, const char *folder, const char *name, batch *b, tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    size_t size;
    const size_t record = (size_t)f->label_bytes + PIXELS;
    TC_TRY(tc_path_format(path, error, "%s/%s", folder, name));
    TC_TRY(tc_file_read(path, (size_t)TC_SPLIT_BYTES, &b->bytes, &size, error));
    if (!size || size % record)
        TC_RAISE(TC_INVALID, "%s: %zu bytes are no whole number of %zu-byte records; fetch it again", path, size,
                 record);
    b->count = size / record;
    for (size_t i = 0; i < b->count; i++)
        if (b->bytes[i * record + record - PIXELS - 1] >= f->classes)
            TC_RAISE(TC_INVALID, "%s: label %d of record %zu is outside 0 … %d; fetch it again", path,
                     b->bytes[i * record + record - PIXELS - 1], i, f->classes - 1);
done:
    return status;
}

static tc_status read_split(const flavour *f, const char *folder, const char *const *names, const tc_dataset *dataset,
                            tc_split *split, tc_error *error) {
    tc_status status = TC_OK;
    batch batches[MOST_FILES] = {{NULL, 0}};
    size_t count = 0, done = 0;
    for (int i = 0; names[i]; i++) {
        TC_TRY(read_batch(f, folder, names[i], &batches[i], error));
        count += batches[i].count;
    }
    TC_TRY(tc_split_allocate(dataset, split, count, error));
    for (int i = 0; names[i]; i++) {
        unpack(f, batches[i].bytes, batches[i].count, split->images + done * PIXELS, split->labels + done);
        done += batches[i].count;
    }
done:
    for (int i = 0; i < MOST_FILES; i++) free(batches[i].bytes);
    return status;
}

static tc_status read_cifar(const flavour *f, const char *path, tc_dataset *dataset, tc_error *error) {
    tc_status status = TC_OK;
    char folder[TC_PATH_SIZE], names[TC_PATH_SIZE];
    if (!tc_folder_exists(path))
        TC_RAISE(TC_INVALID, "%s: no such folder; name the one that holds %s", path, f->train[0]);
    TC_TRY(tc_path_format(folder, error, "%s/%s", path, f->subfolder)); /* as the archive unpacks */
    if (!tc_folder_exists(folder)) TC_TRY(tc_path_format(folder, error, "%s", path));
    dataset->height = dataset->width = SIDE;
    dataset->channels = 3;
    dataset->classes = f->classes;
    TC_TRY(read_split(f, folder, f->train, dataset, &dataset->train, error));
    TC_TRY(read_split(f, folder, f->test, dataset, &dataset->test, error));
    TC_TRY(tc_path_format(names, error, "%s/%s", folder, f->names));
    TC_TRY(tc_read_class_names(names, dataset, error));
done:
    return status;
}

tc_status tc_read_cifar10(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    (void)options;
    return read_cifar(&cifar10, path, dataset, error);
}

tc_status tc_read_cifar100(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    (void)options;
    return read_cifar(&cifar100, path, dataset, error);
}

/* ---- writing: for programs that read nothing else ---- */

static tc_status write_batch(const flavour *f, const char *folder, const char *name, const tc_split *split, size_t from,
                             size_t to, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_output output;
    uint8_t record[2 + PIXELS] = {0}; /* the coarse label of CIFAR-100, which nothing here knows, stays 0 */
    uint8_t *pixels = record + f->label_bytes;
    tc_status status = tc_path_format(path, error, "%s/%s", folder, name);
    if (status == TC_OK) status = tc_output_open(path, &output, error);
    if (status != TC_OK) return status;
    for (size_t i = from; i < to; i++) {
        pixels[-1] = (uint8_t)split->labels[i];
        for (int p = 0; p < PIXELS; p++) pixels[p] = split->images[i * PIXELS + (size_t)(p % PLANE * 3 + p / PLANE)];
        fwrite(record, 1, (size_t)f->label_bytes + PIXELS, output.file);
    }
    return tc_output_commit(&output, error);
}

static tc_status write_cifar(const flavour *f, const char *name, const tc_dataset *dataset, const char *path,
                             tc_error *error) {
    tc_status status = TC_OK;
    const tc_split *train = &dataset->train;
    size_t files = 0;
    while (f->train[files]) files++;
    if (dataset->height != SIDE || dataset->width != SIDE || dataset->channels != 3 || dataset->classes > f->classes)
        TC_RAISE(TC_INVALID, "%s: %d×%d×%d, %d classes; %s holds 32×32×3 and %d: write npz or images", dataset->name,
                 dataset->height, dataset->width, dataset->channels, dataset->classes, name, f->classes);
    if (train->count < files)
        TC_RAISE(TC_INVALID, "%s: %zu training images; %s needs one a file: write npz or images", dataset->name,
                 train->count, name);
    for (size_t i = 0; i < files; i++)
        TC_TRY(
            write_batch(f, path, f->train[i], train, i * train->count / files, (i + 1) * train->count / files, error));
    TC_TRY(write_batch(f, path, f->test[0], &dataset->test, 0, dataset->test.count, error));
    TC_TRY(tc_write_class_names(dataset, path, f->names, error));
done:
    return status;
}

tc_status tc_write_cifar10(const tc_dataset *dataset, const char *path, tc_error *error) {
    return write_cifar(&cifar10, "cifar10", dataset, path, error);
}

tc_status tc_write_cifar100(const tc_dataset *dataset, const char *path, tc_error *error) {
    return write_cifar(&cifar100, "cifar100", dataset, path, error);
}

tc_status tc_write_cifar10_batch(const char *folder, const char *name, const tc_split *split, tc_error *error) {
    return write_batch(&cifar10, folder, name, split, 0, split->count, error);
}

int tc_cifar10_batch_of(size_t count, size_t i) {
    int number = 1;
    while (number < MOST_FILES && i >= (size_t)number * count / MOST_FILES) number++;
    return number;
}
