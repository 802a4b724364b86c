/* poison_file.c — a poison in a folder, for programs (poison.npz), people (PNG beside PNG, the first thousand) and
 * tables (index.csv).
 *
 * poison.npz holds the originals too, so that it says by itself what was changed, and so that reading it back can
 * tell the dataset that it was made for from one that only has the same shape. Of more than a thousand it holds the
 * first thousand, and a fingerprint of every one: an un-learnable data set of 50,000 images of 32×32×3 is 155 MB then
 * in place of 308. Deflating it is not worth the time: noise does not shrink. */
#include "base/digest.h"
#include "base/file.h"
#include "data/dataset.h"
#include "data/image_file.h"
#include "data/npy.h"

#include <stdlib.h>
#include <string.h>

static const char archive_name[] = "poison.npz";

/* With what a study and `tocsin craft` add to it (experiment/run/study.c, experiment/trial/threat_file.c). */
static const char *const written[] = {archive_name,
                                      "index.csv",
                                      "[0-9][0-9][0-9][0-9][0-9][0-9]-poison.png",
                                      "[0-9][0-9][0-9][0-9][0-9][0-9]-original.png",
                                      "threat.json",
                                      "trigger.png",
                                      "triggered.npz",
                                      "triggered-[0-9]*.png",
                                      "target-[0-9]*.png",
                                      NULL};
static const tc_folder_kind poison_folder = {archive_name, written, NULL};

/* An un-targeted attack may change all of 50,000 images; nobody looks at so many files. */
enum { MOST_PICTURES = 1000, FINGERPRINT = 8 };

/* The first bytes of an image's SHA-256. */
static void fingerprint(const uint8_t *image, size_t bytes, uint8_t print[FINGERPRINT]) {
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, bytes, image);
    sha256_digest(&context, FINGERPRINT, print);
}

/* ---- saving ---- */

static tc_status make_prints(const tc_poison *poison, const uint8_t *originals, uint8_t **prints, tc_error *error) {
    const tc_status status = tc_new(prints, poison->replaced, FINGERPRINT, error);
    if (status != TC_OK) return status;
    for (size_t i = 0; i < poison->replaced; i++)
        fingerprint(originals + i * poison->image_bytes, poison->image_bytes, *prints + i * FINGERPRINT);
    return TC_OK;
}

static tc_status write_arrays(const tc_poison *poison, const tc_dataset *dataset, const uint8_t *originals,
                              const char *folder, tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    tc_npz *npz = NULL;
    uint8_t *prints = NULL; /* [replaced][FINGERPRINT]; NULL: all originals are there */
    const bool many = poison->replaced > MOST_PICTURES;
    const size_t h = (size_t)dataset->height, w = (size_t)dataset->width, c = (size_t)dataset->channels;
    const size_t all[4] = {poison->replaced + poison->added, h, w, c}, replaced[4] = {poison->replaced, h, w, c};
    const size_t shown[4] = {many ? MOST_PICTURES : poison->replaced, h, w, c};
    const size_t printed[2] = {poison->replaced, FINGERPRINT};
    TC_TRY(tc_new(&npz, 1, sizeof *npz, error));
    tc_npz_add(npz, "index", tc_npy_of(TC_NPY_U32, poison->index, 1, replaced));
    tc_npz_add(npz, "images", tc_npy_of(TC_NPY_U8, poison->images, 4, all));
    tc_npz_add(npz, "labels", tc_npy_of(TC_NPY_I32, poison->labels, 1, all));
    tc_npz_add(npz, "originals", tc_npy_of(TC_NPY_U8, originals, 4, shown));
    if (many) TC_TRY(make_prints(poison, originals, &prints, error));
    if (many) tc_npz_add(npz, "fingerprints", tc_npy_of(TC_NPY_U8, prints, 2, printed));
    TC_TRY(tc_path_format(path, error, "%s/%s", folder, archive_name));
    TC_TRY(tc_npz_write(path, npz, error));
done:
    free(npz); /* not the data, which it borrows */
    free(prints);
    return status;
}

static tc_status write_png(const tc_dataset *dataset, const uint8_t *pixels, const char *folder, const char *name,
                           tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    const tc_image image = {dataset->height, dataset->width, dataset->channels, (uint8_t *)(uintptr_t)pixels};
    TC_TRY(tc_path_format(path, error, "%s/%s", folder, name));
    TC_TRY(tc_png_encode(&image, &bytes, &size, error));
    TC_TRY(tc_file_put(path, bytes, size, error));
done:
    free(bytes);
    return status;
}

/* "000007-poison.png", or nothing where there are pictures enough. */
static tc_status write_picture(const tc_dataset *dataset, const uint8_t *pixels, size_t i, const char *what,
                               const char *folder, char name[40], tc_error *error) {
    name[0] = '\0';
    if (i >= MOST_PICTURES) return TC_OK;
    snprintf(name, 40, "%06zu-%s.png", i, what);
    return write_png(dataset, pixels, folder, name, error);
}

/* One row and its pictures. An added sample has no place and no original. */
static tc_status write_sample(const tc_poison *poison, const tc_dataset *dataset, const uint8_t *originals, size_t i,
                              const char *folder, FILE *table, tc_error *error) {
    tc_status status = TC_OK;
    char name[40], original[40];
    const size_t bytes = poison->image_bytes;
    const uint8_t *image = poison->images + i * bytes;
    TC_TRY(write_picture(dataset, image, i, "poison", folder, name, error));
    if (i >= poison->replaced) {
        fprintf(table, "-1,%d,%s,,\n", poison->labels[i], name);
        return TC_OK;
    }
    TC_TRY(write_picture(dataset, originals + i * bytes, i, "original", folder, original, error));
    fprintf(table, "%u,%d,%s,%s,%d\n", poison->index[i], poison->labels[i], name, original,
            tc_largest_change(image, originals + i * bytes, bytes));
done:
    return status;
}

static tc_status write_table(const tc_poison *poison, const tc_dataset *dataset, const uint8_t *originals,
                             const char *folder, tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    tc_output table = {.file = NULL};
    TC_TRY(tc_path_format(path, error, "%s/index.csv", folder));
    TC_TRY(tc_output_open(path, &table, error));
    fputs("place,label,file_poison,file_original,max_change\n", table.file);
    for (size_t i = 0; i < poison->replaced + poison->added; i++)
        TC_TRY(write_sample(poison, dataset, originals, i, folder, table.file, error));
    TC_TRY(tc_output_commit(&table, error));
done:
    tc_output_abandon(&table);
    return status;
}

tc_status tc_poison_check_folder(const char *folder, bool replace, tc_error *error) {
    return tc_folder_output_check(folder, &poison_folder, replace, error);
}

tc_status tc_poison_save(const tc_poison *poison, const tc_dataset *dataset, const char *folder, tc_error *error) {
    tc_status status = TC_OK;
    uint8_t *originals = NULL; /* [replaced][height][width][channels] */
    tc_folder_output output = {.temporary = ""};
    const size_t bytes = poison->image_bytes;
    TC_TRY(tc_poison_check(poison, dataset, error));
    TC_TRY(tc_new(&originals, poison->replaced, bytes, error));
    for (size_t i = 0; i < poison->replaced; i++)
        memcpy(originals + i * bytes, dataset->train.images + poison->index[i] * bytes, bytes);
    TC_TRY(tc_folder_output_open(folder, &poison_folder, &output, error));
    TC_TRY(write_arrays(poison, dataset, originals, output.temporary, error));
    TC_TRY(write_table(poison, dataset, originals, output.temporary, error));
    TC_TRY(tc_folder_output_commit(&output, error));
done:
    tc_folder_output_abandon(&output);
    free(originals);
    return status;
}

/* ---- loading ---- */

static tc_status want_images(tc_npz *npz, const char *path, const char *name, const tc_dataset *dataset, tc_npy **array,
                             tc_error *error) {
    const tc_status status = tc_npz_want(npz, path, name, 4, 4, array, error);
    if (status != TC_OK) return status;
    const tc_npy *x = *array;
    if (x->type == TC_NPY_U8 && x->shape[1] == (size_t)dataset->height && x->shape[2] == (size_t)dataset->width &&
        x->shape[3] == (size_t)dataset->channels)
        return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "%s: '%s' is %s of %zu×%zu×%zu, %s is uint8 of %d×%d×%d; use the dataset that the "
                    "poison was made for",
                    path, name, tc_npy_type_name(x->type), x->shape[1], x->shape[2], x->shape[3], dataset->name,
                    dataset->height, dataset->width, dataset->channels);
}

static tc_status want_numbers(tc_npz *npz, const char *path, const char *name, tc_npy_type type, tc_npy **array,
                              tc_error *error) {
    char where[TC_PATH_SIZE];
    tc_status status = tc_npz_want(npz, path, name, 1, 1, array, error);
    if (status == TC_OK) status = tc_path_format(where, error, "%s: %s", path, name);
    if (status == TC_OK) status = tc_npy_cast(*array, type, where, error);
    return status;
}

/* The poison was made for these very images, not for others of the same size: `originals` are the first ones, `prints`
 * (NULL: none) all of them. */
static tc_status check_originals(const tc_poison *poison, const tc_dataset *dataset, const tc_npy *originals,
                                 const uint8_t *prints, const char *path, tc_error *error) {
    const size_t bytes = poison->image_bytes;
    for (size_t i = 0; i < poison->replaced; i++) {
        const uint8_t *image = dataset->train.images + poison->index[i] * bytes;
        uint8_t own[FINGERPRINT];
        if (prints) fingerprint(image, bytes, own);
        if ((i >= originals->shape[0] || !memcmp((const uint8_t *)originals->data + i * bytes, image, bytes)) &&
            (!prints || !memcmp(own, prints + i * FINGERPRINT, FINGERPRINT)))
            continue;
        return tc_raise(error, TC_INVALID,
                        "%s: training image %u of %s is not the one that was poisoned; use the "
                        "dataset, subset and seed that it was made for",
                        path, poison->index[i], dataset->name);
    }
    return TC_OK;
}

/* *prints := NULL where there are none, as in files that hold all originals. */
static tc_status want_prints(tc_npz *npz, const char *path, size_t replaced, const uint8_t **prints, tc_error *error) {
    tc_npy *array;
    *prints = NULL;
    if (!tc_npz_has(npz, "fingerprints")) return TC_OK;
    const tc_status status = tc_npz_want(npz, path, "fingerprints", 2, 2, &array, error);
    if (status != TC_OK) return status;
    if (array->type != TC_NPY_U8 || array->shape[0] != replaced || array->shape[1] != FINGERPRINT)
        return tc_raise(error, TC_INVALID, "%s: 'fingerprints' is not uint8 of %zu×%d; save the poison again", path,
                        replaced, FINGERPRINT);
    *prints = array->data;
    return TC_OK;
}

/* Every sample has its label, every replaced one its place, and its original or at least that one's fingerprint. */
static tc_status check_counts(const char *path, const tc_npy *index, const tc_npy *images, const tc_npy *labels,
                              const tc_npy *originals, bool printed, tc_error *error) {
    const size_t shown = originals->shape[0];
    if (labels->count == images->shape[0] && index->count <= labels->count &&
        (shown == index->count || (printed && shown < index->count)))
        return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: %zu images, %zu labels, %zu places, %zu originals; save the poison again",
                    path, images->shape[0], labels->count, index->count, shown);
}

static tc_status fill(tc_npz *npz, const char *path, const tc_dataset *dataset, tc_poison **result, tc_error *error) {
    tc_status status = TC_OK;
    tc_poison *poison = NULL;
    tc_npy *index, *images, *labels, *originals;
    const uint8_t *prints;
    TC_TRY(want_numbers(npz, path, "index", TC_NPY_U32, &index, error));
    TC_TRY(want_numbers(npz, path, "labels", TC_NPY_I32, &labels, error));
    TC_TRY(want_images(npz, path, "images", dataset, &images, error));
    TC_TRY(want_images(npz, path, "originals", dataset, &originals, error));
    TC_TRY(want_prints(npz, path, index->count, &prints, error));
    TC_TRY(check_counts(path, index, images, labels, originals, prints != NULL, error));
    TC_TRY(tc_poison_create(dataset, index->count, labels->count - index->count, &poison, error));
    if (index->count) memcpy(poison->index, index->data, index->count * sizeof *poison->index);
    if (labels->count) memcpy(poison->labels, labels->data, labels->count * sizeof *poison->labels);
    if (images->count) memcpy(poison->images, images->data, images->count);
    if (tc_poison_check(poison, dataset, error) != TC_OK) TC_TRY(tc_error_at(error, path));
    TC_TRY(check_originals(poison, dataset, originals, prints, path, error));
    *result = poison;
    poison = NULL;
done:
    tc_poison_free(poison);
    return status;
}

tc_status tc_poison_load(const tc_dataset *dataset, const char *folder, tc_poison **poison, tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    tc_npz *npz = NULL;
    *poison = NULL;
    if (tc_folder_exists(folder))
        TC_TRY(tc_path_format(path, error, "%s/%s", folder, archive_name));
    else
        TC_TRY(tc_path_format(path, error, "%s", folder));
    TC_TRY(tc_new(&npz, 1, sizeof *npz, error));
    TC_TRY(tc_npz_read(path, npz, error));
    TC_TRY(fill(npz, path, dataset, poison, error));
done:
    tc_npz_free(npz);
    return status;
}
