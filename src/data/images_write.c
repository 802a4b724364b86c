/* images_write.c — a data set as PNG files in a folder a class, which images.c reads back with the same labels. */
#include "base/file.h"
#include "data/image_file.h"
#include "data/reader.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What any file system takes; bytes of UTF-8 stay. */
static void make_safe(const char *name, char *safe) {
    size_t i = 0;
    for (; name[i]; i++) {
        const unsigned char c = (unsigned char)name[i];
        safe[i] = isalnum(c) || c >= 128 || c == '-' || c == '_' || (c == '.' && i) ? name[i] : '_';
    }
    safe[i] = 0;
}

/* A reader gives labels in the order of names. Where the classes' names are not in it, numbers go before them. */
tc_status tc_name_class_folders(const tc_dataset *dataset, char (**result)[TC_CLASS_FOLDER], tc_error *error) {
    char(*folder)[TC_CLASS_FOLDER] = NULL;
    bool ordered = true;
    const tc_status status = tc_new(&folder, (size_t)dataset->classes, sizeof *folder, error);
    *result = folder;
    if (status != TC_OK) return status;
    for (int i = 0; i < dataset->classes; i++) {
        make_safe(dataset->class_names[i], folder[i]);
        ordered &= folder[i][0] && (!i || strcmp(folder[i - 1], folder[i]) < 0);
    }
    for (int i = 0; i < dataset->classes && !ordered; i++) {
        char safe[TC_CLASS_FOLDER];
        make_safe(dataset->class_names[i], safe);
        snprintf(folder[i], TC_CLASS_FOLDER, "%05d-%.*s", i, TC_CLASS_NAME - 1, safe);
    }
    return TC_OK;
}

static tc_status write_image(const tc_dataset *dataset, const tc_split *split, size_t i, const char *path,
                             tc_error *error) {
    const tc_image image = {dataset->height, dataset->width, dataset->channels,
                            split->images + i * tc_dataset_image_bytes(dataset)};
    uint8_t *bytes;
    size_t size;
    tc_status status = tc_png_encode(&image, &bytes, &size, error);
    if (status == TC_OK) status = tc_file_put(path, bytes, size, error);
    free(bytes);
    return status;
}

static tc_status write_split(const tc_dataset *dataset, const tc_split *split, const char *path, const char *name,
                             char (*folder)[TC_CLASS_FOLDER], tc_error *error) {
    tc_status status = TC_OK;
    char class_path[TC_PATH_SIZE];
    bool failed = false;
    for (int c = 0; c < dataset->classes; c++) {
        TC_TRY(tc_path_format(class_path, error, "%s/%s/%s", path, name, folder[c]));
        TC_TRY(tc_folder_make(class_path, error));
    }
#pragma omp parallel for schedule(dynamic, 64)
    for (size_t i = 0; i < split->count; i++) {
        char file[TC_PATH_SIZE];
        tc_error mine;
        bool stop;
#pragma omp atomic read
        stop = failed;
        if (stop) continue;
        tc_status written = tc_path_format(file, &mine, "%s/%s/%s/%06zu.png", path, name, folder[split->labels[i]], i);
        if (written == TC_OK) written = write_image(dataset, split, i, file, &mine);
        if (written == TC_OK) continue;
#pragma omp critical(tc_images_write)
        {
#pragma omp atomic write
            failed = true;
            status = written;
            if (error) *error = mine;
        }
    }
done:
    return status;
}

/* A reader knows the classes by their folders, and refuses an empty one. */
static tc_status check_classes(const tc_dataset *dataset, tc_error *error) {
    size_t *counts = NULL; /* [classes] */
    tc_status status = tc_new(&counts, (size_t)dataset->classes, sizeof *counts, error);
    if (status != TC_OK) return status;
    for (size_t i = 0; i < dataset->train.count; i++) counts[dataset->train.labels[i]]++;
    for (int c = 0; c < dataset->classes && status == TC_OK; c++)
        if (!counts[c])
            status = tc_raise(error, TC_INVALID,
                              "%s: class %d (%s) has no training images, and a folder without pictures is no class: "
                              "write npz",
                              dataset->name, c, dataset->class_names[c]);
    free(counts);
    return status;
}

tc_status tc_write_images(const tc_dataset *dataset, const char *path, tc_error *error) {
    tc_status status = TC_OK;
    char(*folder)[TC_CLASS_FOLDER] = NULL;
    if (dataset->channels != 1 && dataset->channels != 3)
        TC_RAISE(TC_INVALID, "%s: %d channels; pictures have 1 or 3: write npz", dataset->name, dataset->channels);
    TC_TRY(check_classes(dataset, error));
    TC_TRY(tc_name_class_folders(dataset, &folder, error));
    TC_TRY(write_split(dataset, &dataset->train, path, "train", folder, error));
    TC_TRY(write_split(dataset, &dataset->test, path, "test", folder, error));
done:
    free(folder);
    return status;
}
