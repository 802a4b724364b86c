/* svhn.c — SVHN's cropped digits (Y. Netzer et al., "Reading digits in natural images with unsupervised feature
 * learning", 2011): MAT files of version 5 with X uint8 [32][32][3][n] and y [n][1], where 10 stands for the digit 0.
 *
 * MATLAB's first index runs fastest, so X is n images of three planes, each stored column by column. libmatio decodes
 * the variables; it trusts the lengths that it finds, so before it sees a file every element is held against the
 * file's end, and every compressed one is inflated to its checksum. */
#include "base/file.h"
#include "data/reader.h"

#include <matio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <zlib.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, DIGITS = 10 };
enum { MAT_HEADER = 128, MAT_TAG = 8, MAT_COMPRESSED = 15 };

/* ---- the file is whole ---- */

/* To the end of the element and past its checksum; nothing is kept. */
static bool inflates(const uint8_t *bytes, size_t size) {
    static const size_t most = (size_t)1 << 36;
    uint8_t sink[1 << 15];
    z_stream stream = {.next_in = (z_const Bytef *)(uintptr_t)bytes, .avail_in = (uInt)size};
    size_t total = 0;
    int code = Z_OK;
    if (inflateInit(&stream) != Z_OK) return false;
    while (code == Z_OK && total < most) {
        stream.next_out = sink;
        stream.avail_out = sizeof sink;
        code = inflate(&stream, Z_NO_FLUSH);
        total += sizeof sink - stream.avail_out;
    }
    inflateEnd(&stream);
    return code == Z_STREAM_END;
}

static uint32_t little_endian(const uint8_t *b) {
    return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static tc_status check_elements(const char *path, const uint8_t *bytes, size_t size, tc_error *error) {
    for (size_t at = MAT_HEADER; at < size;) {
        if (size - at < MAT_TAG) return tc_raise(error, TC_INVALID, "%s: cut off; fetch it again", path);
        const uint32_t type = little_endian(bytes + at), length = little_endian(bytes + at + 4);
        at += MAT_TAG;
        if (length > size - at)
            return tc_raise(error, TC_INVALID, "%s: cut off: %u bytes wanted, %zu are there; fetch it again", path,
                            length, size - at);
        if (type == MAT_COMPRESSED && !inflates(bytes + at, length))
            return tc_raise(error, TC_INVALID, "%s: the compressed data are damaged; fetch it again", path);
        at += length;
    }
    return TC_OK;
}

static tc_status check_whole(const char *path, size_t *size, tc_error *error) {
    uint8_t *bytes = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_file_read(path, (size_t)TC_SPLIT_BYTES, &bytes, size, error));
    if (*size < MAT_HEADER || memcmp(bytes + MAT_HEADER - 4, "\0\1IM", 4))
        TC_RAISE(TC_INVALID, "%s: not a MAT file of version 5; fetch it again, or save it with -v7", path);
    TC_TRY(check_elements(path, bytes, *size, error));
done:
    free(bytes);
    return status;
}

/* ---- its variables ---- */

static void say_nothing(int level, char *message) {
    (void)level;
    (void)message;
}

/* libmatio keeps this for the whole process. */
static void hush(void) {
    Mat_LogInitFunc("tocsin", say_nothing);
}

/* The data of `name`, which must have the shape that is asked for; shape[d] = 0: any. The last dimension that may be
 * anything is the number of samples, which `inflated` bytes must be enough for. */
static tc_status read_variable(mat_t *mat, const char *path, const char *name, int rank, const size_t *shape,
                               size_t most, matvar_t **result, tc_error *error) {
    tc_status status = TC_OK;
    size_t count = 1;
    matvar_t *variable = Mat_VarReadInfo(mat, name);
    if (!variable) TC_RAISE(TC_INVALID, "%s: no variable '%s' in it; fetch it again", path, name);
    const bool number = variable->class_type == MAT_C_UINT8 || variable->class_type == MAT_C_DOUBLE;
    bool fits = number && variable->rank == rank && !variable->isComplex && variable->dims;
    for (int d = 0; d < rank && fits; d++) {
        fits = variable->dims[d] && (!shape[d] || variable->dims[d] == shape[d]) &&
               !__builtin_mul_overflow(count, variable->dims[d], &count) && count <= most;
    }
    if (!fits) TC_RAISE(TC_INVALID, "%s: '%s' has not the type and shape of SVHN's; fetch it again", path, name);
    if (Mat_VarReadDataAll(mat, variable) || !variable->data ||
        variable->nbytes != count * (variable->class_type == MAT_C_UINT8 ? 1 : sizeof(double)))
        TC_RAISE(TC_INVALID, "%s: '%s' cannot be read; fetch it again", path, name);
    *result = variable;
    variable = NULL;
done:
    Mat_VarFree(variable);
    return status;
}

/* Plane by plane and column by column, to rows of pixels. */
static void transpose(const uint8_t *from, size_t count, uint8_t *to) {
#pragma omp parallel for schedule(static) if (count > 1000)
    for (size_t n = 0; n < count; n++)
        for (int c = 0; c < 3; c++)
            for (int x = 0; x < SIDE; x++)
                for (int y = 0; y < SIDE; y++)
                    to[n * PIXELS + (size_t)((y * SIDE + x) * 3 + c)] =
                        from[n * PIXELS + (size_t)(c * PLANE + x * SIDE + y)];
}

static tc_status take_labels(const char *path, const matvar_t *y, tc_split *split, tc_error *error) {
    for (size_t i = 0; i < split->count; i++) {
        const double label =
            y->class_type == MAT_C_UINT8 ? ((const uint8_t *)y->data)[i] : ((const double *)y->data)[i];
        if (!(label >= 1 && label <= DIGITS) || label != (int)label)
            return tc_raise(error, TC_INVALID, "%s: label %g of image %zu is outside 1 … 10; fetch it again", path,
                            label, i);
        split->labels[i] = (int32_t)label % DIGITS;
    }
    return TC_OK;
}

static tc_status read_split(const char *folder, const char *name, const tc_dataset *dataset, tc_split *split,
                            tc_error *error) {
    static const size_t image_shape[4] = {SIDE, SIDE, 3, 0}, label_shape[2] = {0, 1};
    static once_flag hushed = ONCE_FLAG_INIT;
    enum { MOST_INFLATION = 1040 }; /* no deflated byte becomes more than 1032 */
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    size_t size = 0;
    mat_t *mat = NULL;
    matvar_t *x = NULL, *y = NULL;
    TC_TRY(tc_path_format(path, error, "%s/%s", folder, name));
    TC_TRY(check_whole(path, &size, error));
    call_once(&hushed, hush);
    mat = Mat_Open(path, MAT_ACC_RDONLY);
    if (!mat) TC_RAISE(TC_INVALID, "%s: not a MAT file of version 5; fetch it again", path);
    TC_TRY(read_variable(mat, path, "X", 4, image_shape, size * MOST_INFLATION, &x, error));
    TC_TRY(read_variable(mat, path, "y", 2, label_shape, size * MOST_INFLATION, &y, error));
    if (!x || !y || x->class_type != MAT_C_UINT8) TC_RAISE(TC_INVALID, "%s: 'X' is not uint8; fetch it again", path);
    if (x->dims[3] != y->dims[0])
        TC_RAISE(TC_INVALID, "%s: %zu labels for %zu images; fetch it again", path, y->dims[0], x->dims[3]);
    TC_TRY(tc_split_allocate(dataset, split, x->dims[3], error));
    transpose(x->data, split->count, split->images);
    TC_TRY(take_labels(path, y, split, error));
done:
    Mat_VarFree(x);
    Mat_VarFree(y);
    if (mat) Mat_Close(mat);
    return status;
}

tc_status tc_read_svhn(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    (void)options;
    tc_status status = TC_OK;
    if (!tc_folder_exists(path))
        TC_RAISE(TC_INVALID, "%s: no such folder; name the one that holds train_32x32.mat", path);
    dataset->height = dataset->width = SIDE;
    dataset->channels = 3;
    dataset->classes = DIGITS;
    TC_TRY(read_split(path, "train_32x32.mat", dataset, &dataset->train, error));
    TC_TRY(read_split(path, "test_32x32.mat", dataset, &dataset->test, error));
done:
    return status;
}
