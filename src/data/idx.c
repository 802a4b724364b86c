/* idx.c — IDX, the format of MNIST, Fashion-MNIST, KMNIST and EMNIST (Y. LeCun, "The MNIST database").
 *
 * A file is two zero bytes, a type (8: unsigned bytes), the number of dimensions, the dimensions as big-endian 32-bit
 * numbers and the elements. Images are [n][h][w], here also [n][h][w][c]; labels [n]. Either may be gzipped. */
#include "base/file.h"
#include "data/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIMENSIONS = 4, HEADER = 4 + 4 * MOST_DIMENSIONS };

typedef struct idx {
    int rank;
    size_t shape[MOST_DIMENSIONS];
    uint8_t *bytes;          /* the whole file */
    const uint8_t *elements; /* in it */
} idx;

static uint32_t big_endian(const uint8_t *b) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The header first: then the file need not be trusted to be no larger than it says. */
static tc_status read_idx(const char *path, int low, int high, idx *file, tc_error *error) {
    tc_status status = TC_OK;
    uint8_t header[HEADER];
    size_t size, total;
    *file = (idx){0};
    TC_TRY(tc_file_head_gz(path, header, sizeof header, &size, error));
    if (size < 4 || header[0] || header[1] || header[2] != 8)
        TC_RAISE(TC_INVALID, "%s: not an IDX file of unsigned bytes; fetch it again", path);
    file->rank = header[3];
    if (file->rank < low || file->rank > high)
        TC_RAISE(TC_INVALID, "%s: %d dimensions where %d belong; check which file it is", path, file->rank, low);
    const size_t start = 4 + 4 * (size_t)file->rank;
    if (size < start) TC_RAISE(TC_INVALID, "%s: cut off in the header; fetch it again", path);
    uint64_t elements = 1;
    for (int i = 0; i < file->rank; i++) {
        file->shape[i] = big_endian(header + 4 + 4 * i);
        if (__builtin_mul_overflow(elements, (uint64_t)file->shape[i], &elements)) elements = UINT64_MAX;
    }
    if (!elements || elements > TC_SPLIT_BYTES)
        TC_RAISE(TC_INVALID, "%s: the header asks for %llu bytes; fetch it again", path, (unsigned long long)elements);
    TC_TRY(tc_file_read_gz(path, start + (size_t)elements, &file->bytes, &total, error));
    if (total != start + elements)
        TC_RAISE(TC_INVALID, "%s: cut off after %zu of %llu bytes; fetch it again", path, total,
                 (unsigned long long)(start + elements));
    file->elements = file->bytes + start;
done:
    return status;
}

/* Under the names that these files go by: MNIST's own, with a dot as some mirrors have it, and with channels. */
static tc_status find_file(const char *folder, const char *stem, const char *const *kinds, char path[TC_PATH_SIZE],
                           tc_error *error) {
    static const char *const endings[] = {"", ".gz"};
    static const char separators[] = "-.";
    for (int e = 0; e < 2; e++)
        for (int s = 0; s < 2; s++)
            for (const char *const *kind = kinds; *kind; kind++) {
                const tc_status status =
                    tc_path_format(path, error, "%s/%s%c%s-ubyte%s", folder, stem, separators[s], *kind, endings[e]);
                if (status != TC_OK || tc_file_exists(path)) return status;
            }
    return tc_raise(error, TC_INVALID, "%s: no file %s-%s-ubyte or %s-%s-ubyte.gz in it; check the folder", folder,
                    stem, kinds[0], stem, kinds[0]);
}

static tc_status read_split(const char *folder, const char *name, bool first, tc_dataset *dataset, tc_split *split,
                            tc_error *error) {
    static const char *const image_kinds[] = {"idx3", "idx4", NULL}, *const label_kinds[] = {"idx1", NULL};
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE], stem[32];
    idx images = {0}, labels = {0};
    snprintf(stem, sizeof stem, "%s-images", name);
    TC_TRY(find_file(folder, stem, image_kinds, path, error));
    TC_TRY(read_idx(path, 3, 4, &images, error));
    const size_t *shape = images.shape, channels = images.rank == 4 ? shape[3] : 1;
    if (shape[1] > 4096 || shape[2] > 4096 || channels > 4)
        TC_RAISE(TC_INVALID, "%s: images of %zu×%zu×%zu; at most 4096×4096×4 are read", path, shape[1], shape[2],
                 channels);
    if (first) {
        dataset->height = (int)shape[1];
        dataset->width = (int)shape[2];
        dataset->channels = (int)channels;
    }
    if ((int)shape[1] != dataset->height || (int)shape[2] != dataset->width || (int)channels != dataset->channels)
        TC_RAISE(TC_INVALID, "%s: images of %zu×%zu×%zu, the training ones are %d×%d×%d; use files of one set", path,
                 shape[1], shape[2], channels, dataset->height, dataset->width, dataset->channels);
    TC_TRY(tc_split_allocate(dataset, split, shape[0], error));
    memcpy(split->images, images.elements, shape[0] * tc_dataset_image_bytes(dataset));
    snprintf(stem, sizeof stem, "%s-labels", name);
    TC_TRY(find_file(folder, stem, label_kinds, path, error));
    TC_TRY(read_idx(path, 1, 1, &labels, error));
    if (labels.shape[0] != split->count)
        TC_RAISE(TC_INVALID, "%s: %zu labels for %zu images; use files of one set", path, labels.shape[0],
                 split->count);
    for (size_t i = 0; i < split->count; i++) split->labels[i] = labels.elements[i];
done:
    free(images.bytes);
    free(labels.bytes);
    return status;
}

/* The format does not say how many classes there are: as many as the training labels name. */
tc_status tc_read_idx(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    (void)options;
    tc_status status = TC_OK;
    char names[TC_PATH_SIZE];
    if (!tc_folder_exists(path))
        TC_RAISE(TC_INVALID, "%s: no such folder; name the one that holds train-images-idx3-ubyte", path);
    TC_TRY(read_split(path, "train", true, dataset, &dataset->train, error));
    TC_TRY(read_split(path, "t10k", false, dataset, &dataset->test, error));
    for (size_t i = 0; i < dataset->train.count; i++)
        if (dataset->train.labels[i] >= dataset->classes) dataset->classes = dataset->train.labels[i] + 1;
    TC_TRY(tc_path_format(names, error, "%s/class-names.txt", path));
    TC_TRY(tc_read_class_names(names, dataset, error));
done:
    return status;
}

/* ---- writing ---- */

static void put_big_endian(uint8_t *b, size_t x) {
    for (int i = 0; i < 4; i++) b[i] = (uint8_t)(x >> (24 - 8 * i));
}

static tc_status write_idx(const char *path, int rank, const size_t *shape, const uint8_t *elements, tc_error *error) {
    uint8_t header[HEADER] = {0, 0, 8, (uint8_t)rank};
    tc_output output;
    size_t count = 1;
    const tc_status status = tc_output_open(path, &output, error);
    if (status != TC_OK) return status;
    for (int i = 0; i < rank; i++) {
        put_big_endian(header + 4 + 4 * i, shape[i]);
        count *= shape[i];
    }
    fwrite(header, 1, 4 + 4 * (size_t)rank, output.file);
    fwrite(elements, 1, count, output.file);
    return tc_output_commit(&output, error);
}

static tc_status write_split(const tc_dataset *dataset, const tc_split *split, const char *folder, const char *name,
                             tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    uint8_t *labels = NULL;
    const int rank = dataset->channels == 1 ? 3 : 4;
    const size_t shape[4] = {split->count, (size_t)dataset->height, (size_t)dataset->width, (size_t)dataset->channels};
    TC_TRY(tc_path_format(path, error, "%s/%s-images-idx%d-ubyte", folder, name, rank));
    TC_TRY(write_idx(path, rank, shape, split->images, error));
    TC_TRY(tc_new(&labels, split->count, 1, error));
    for (size_t i = 0; i < split->count; i++) labels[i] = (uint8_t)split->labels[i];
    TC_TRY(tc_path_format(path, error, "%s/%s-labels-idx1-ubyte", folder, name));
    TC_TRY(write_idx(path, 1, shape, labels, error));
done:
    free(labels);
    return status;
}

tc_status tc_write_idx(const tc_dataset *dataset, const char *path, tc_error *error) {
    tc_status status = TC_OK;
    if (dataset->classes > 256)
        TC_RAISE(TC_INVALID, "%s: %d classes; IDX labels are bytes: write npz or images", dataset->name,
                 dataset->classes);
    TC_TRY(write_split(dataset, &dataset->train, path, "train", error));
    TC_TRY(write_split(dataset, &dataset->test, path, "t10k", error));
    TC_TRY(tc_write_class_names(dataset, path, "class-names.txt", error));
done:
    return status;
}
