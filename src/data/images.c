/* images.c — a folder of PNG and JPEG files with a folder a class.
 *
 * Either train/CLASS/ and test/CLASS/, or CLASS/ alone, of which a seeded fifth of every class becomes the test split.
 * Everything is in the order of names, so that the same folder gives the same data set on every machine; files are
 * decoded in parallel, each into its own place. Only the files of the subset that was asked for are opened. */
#include "base/file.h"
#include "base/log.h"
#include "data/image_file.h"
#include "data/reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HELD_OUT = 5, FILE_LIMIT = 1 << 28 }; /* one image in five; bytes of one file */

typedef struct listing {
    size_t count, capacity;
    char **path;    /* [count] */
    int32_t *label; /* [count] */
} listing;

static void free_listing(listing *list) {
    for (size_t i = 0; i < list->count; i++) free(list->path[i]);
    free(list->path);
    free(list->label);
}

static tc_status append(listing *list, const char *path, int label, tc_error *error) {
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 1024;
        char **paths = realloc(list->path, capacity * sizeof *paths);
        if (paths) list->path = paths;
        int32_t *labels = paths ? realloc(list->label, capacity * sizeof *labels) : NULL;
        if (!labels) return tc_raise(error, TC_FAILED, "%s: no memory for the listing; free some", path);
        list->label = labels;
        list->capacity = capacity;
    }
    char *copy = strdup(path);
    if (!copy) return tc_raise(error, TC_FAILED, "%s: no memory for the listing; free some", path);
    list->path[list->count] = copy;
    list->label[list->count++] = label;
    return TC_OK;
}

bool tc_is_picture_name(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

static tc_status list_class(const char *folder, int label, listing *list, tc_error *error) {
    tc_names files;
    char path[TC_PATH_SIZE];
    const size_t before = list->count;
    tc_status status = tc_folder_list(folder, false, &files, error);
    for (size_t i = 0; i < files.count && status == TC_OK; i++) {
        if (!tc_is_picture_name(files.name[i])) continue;
        status = tc_path_format(path, error, "%s/%s", folder, files.name[i]);
        if (status == TC_OK) status = append(list, path, label, error);
    }
    if (files.count > list->count - before && status == TC_OK)
        tc_log_detail("%s: %zu files are neither .png nor .jpg and are left out", folder,
                      files.count - (list->count - before));
    tc_names_free(&files);
    return status;
}

/* `required`: every class must have an image here. */
static tc_status list_split(const char *folder, const tc_names *classes, bool required, listing *list,
                            tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    for (size_t i = 0; i < classes->count; i++) {
        const size_t before = list->count;
        TC_TRY(tc_path_format(path, error, "%s/%s", folder, classes->name[i]));
        if (required || tc_folder_exists(path)) TC_TRY(list_class(path, (int)i, list, error));
        if (required && list->count == before)
            TC_RAISE(TC_INVALID, "%s: no .png or .jpg in it; fill the class or remove the folder", path);
    }
done:
    return status;
}

/* Classes of the test folder that training never shows would silently get other labels. */
tc_status tc_check_test_classes(const char *folder, const tc_names *classes, tc_error *error) {
    tc_names found;
    tc_status status = tc_folder_list(folder, true, &found, error);
    for (size_t i = 0, j = 0; i < found.count && status == TC_OK; i++) {
        while (j < classes->count && strcmp(classes->name[j], found.name[i]) < 0) j++;
        if (j == classes->count || strcmp(classes->name[j], found.name[i]))
            status = tc_raise(error, TC_INVALID, "%s/%s: no such class in the training folder; add or remove it",
                              folder, found.name[i]);
    }
    tc_names_free(&found);
    return status;
}

/* Moves a seeded fifth of every class, at least one image, from train to test; both stay in order. */
static tc_status hold_out(listing *train, listing *test, int classes, uint64_t seed, tc_error *error) {
    tc_status status = TC_OK;
    uint32_t *order = NULL;
    size_t start = 0, kept = 0;
    TC_TRY(tc_new(&order, train->count, sizeof *order, error));
    for (int c = 0; c < classes; c++) {
        size_t end = start;
        while (end < train->count && train->label[end] == c) end++;
        const size_t count = end - start, held = count / HELD_OUT ? count / HELD_OUT : count > 1;
        tc_stream stream = tc_stream_child(tc_stream_make(seed), "hold out", (uint64_t)c);
        tc_draw_permutation(&stream, order, count); /* those that land in the first `held` places go */
        for (size_t i = start; i < end; i++) {
            char *path = train->path[i];
            train->path[i] = NULL;
            if (order[i - start] >= held) {
                train->label[kept] = c;
                train->path[kept++] = path;
                continue;
            }
            status = append(test, path, c, error);
            free(path);
            if (status != TC_OK) goto done;
        }
        start = end;
    }
    train->count = kept;
done:
    free(order);
    return status;
}

static tc_status choose(listing *list, int classes, int64_t per_class, tc_stream stream, tc_error *error) {
    if (!per_class || !list->count) return TC_OK;
    tc_status status = TC_OK;
    uint32_t *keep = NULL;
    size_t kept, next = 0;
    TC_TRY(tc_new(&keep, list->count, sizeof *keep, error));
    TC_TRY(tc_choose_subset(list->label, list->count, classes, per_class, stream, keep, &kept, error));
    for (size_t i = 0; i < list->count; i++) {
        char *path = list->path[i];
        list->path[i] = NULL;
        if (next == kept || keep[next] != i) {
            free(path);
            continue;
        }
        list->label[next] = list->label[i];
        list->path[next++] = path;
    }
    list->count = kept;
done:
    free(keep);
    return status;
}

/* ---- decoding ---- */

static tc_status load(const char *path, int channels, tc_image *image, tc_error *error) {
    uint8_t *bytes;
    size_t size;
    *image = (tc_image){0};
    tc_status status = tc_file_read(path, FILE_LIMIT, &bytes, &size, error);
    if (status == TC_OK) status = tc_image_decode(bytes, size, channels, path, image, error);
    free(bytes);
    return status;
}

/* Colour in a set that began grey: *coloured, and nothing is placed. */
static tc_status load_into(const tc_dataset *dataset, const char *path, bool resize, uint8_t *place, bool *coloured,
                           tc_error *error) {
    tc_image image, slot = {dataset->height, dataset->width, dataset->channels, place};
    tc_status status = load(path, dataset->channels == 1 ? 0 : dataset->channels, &image, error);
    if (status != TC_OK) return status;
    if (image.channels != dataset->channels)
        *coloured = true;
    else if (!resize && (image.height != dataset->height || image.width != dataset->width))
        status = tc_raise(error, TC_INVALID, "%s: %d×%d pixels, the first one has %d×%d; give a size to resize all to",
                          path, image.height, image.width, dataset->height, dataset->width);
    else
        status = tc_image_resize(&image, &slot, error);
    free(image.pixels);
    return status;
}

/* Of several bad files the first in order is reported, whichever thread met its own first. */
static tc_status load_split(const tc_dataset *dataset, const listing *list, bool resize, tc_split *split,
                            bool *coloured, tc_error *error) {
    const size_t bytes = tc_dataset_image_bytes(dataset);
    tc_status status = tc_split_allocate(dataset, split, list->count, error);
    if (status != TC_OK) return status;
    size_t first_bad = SIZE_MAX;
    bool any_colour = false;
#pragma omp parallel for schedule(dynamic, 64) reduction(|| : any_colour) if (list->count > 64)
    for (size_t i = 0; i < list->count; i++) {
        size_t limit;
        tc_error mine;
#pragma omp atomic read
        limit = first_bad;
        if (i > limit || any_colour) continue;
        split->labels[i] = list->label[i];
        const tc_status loaded =
            load_into(dataset, list->path[i], resize, split->images + i * bytes, &any_colour, &mine);
        if (loaded == TC_OK) continue;
#pragma omp critical(tc_images)
        if (i < first_bad) {
#pragma omp atomic write
            first_bad = i;
            status = loaded;
            if (error) *error = mine;
        }
    }
    *coloured |= any_colour;
    return status;
}

/* The first image says how large and whether grey; a grey set in which colour turns up is read again as colour. */
static tc_status load_all(const listing *train, const listing *test, int size, tc_dataset *dataset, tc_error *error) {
    tc_status status = TC_OK;
    tc_image first = {0};
    bool coloured = false;
    TC_TRY(load(train->path[0], 0, &first, error));
    dataset->height = size ? size : first.height;
    dataset->width = size ? size : first.width;
    dataset->channels = first.channels;
    for (int attempt = 0; attempt < 2; attempt++) {
        status = load_split(dataset, train, size != 0, &dataset->train, &coloured, error);
        if (status == TC_OK && !coloured)
            status = load_split(dataset, test, size != 0, &dataset->test, &coloured, error);
        if (!coloured) break;
        tc_split_free(&dataset->train);
        tc_split_free(&dataset->test);
        dataset->channels = 3;
        coloured = false;
    }
done:
    free(first.pixels);
    return status;
}

static tc_status list_all(const char *path, uint64_t seed, tc_names *classes, listing *train, listing *test,
                          tc_error *error) {
    tc_status status = TC_OK;
    char train_path[TC_PATH_SIZE], test_path[TC_PATH_SIZE];
    TC_TRY(tc_path_format(train_path, error, "%s/train", path));
    TC_TRY(tc_path_format(test_path, error, "%s/test", path));
    const bool split = tc_folder_exists(train_path);
    if (split && !tc_folder_exists(test_path))
        TC_RAISE(TC_INVALID, "%s: train/ without test/; add it, or move the classes up to have a fifth held out", path);
    TC_TRY(tc_folder_list(split ? train_path : path, true, classes, error));
    if (classes->count < 2)
        TC_RAISE(TC_INVALID, "%s: %zu folder; a folder a class and at least two are needed", path, classes->count);
    TC_TRY(list_split(split ? train_path : path, classes, true, train, error));
    if (!split)
        TC_TRY(hold_out(train, test, (int)classes->count, seed, error));
    else {
        TC_TRY(tc_check_test_classes(test_path, classes, error));
        TC_TRY(list_split(test_path, classes, false, test, error));
    }
    if (!train->count || !test->count) TC_RAISE(TC_INVALID, "%s: too few images for two splits; add some", path);
done:
    return status;
}

tc_status tc_read_images(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    tc_status status = TC_OK;
    tc_names classes = {0};
    listing train = {0}, test = {0};
    TC_TRY(list_all(path, options->seed, &classes, &train, &test, error));
    dataset->classes = (int)classes.count;
    TC_TRY(tc_name_classes(dataset, error));
    for (int i = 0; i < dataset->classes; i++) tc_set_class_name(dataset, i, classes.name[i]);
    TC_TRY(choose(&train, dataset->classes, options->train_per_class, tc_subset_stream(options, false), error));
    TC_TRY(choose(&test, dataset->classes, options->test_per_class, tc_subset_stream(options, true), error));
    TC_TRY(load_all(&train, &test, (int)options->size, dataset, error));
done:
    tc_names_free(&classes);
    free_listing(&train);
    free_listing(&test);
    return status;
}
