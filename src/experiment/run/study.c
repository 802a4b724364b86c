#include "experiment/run/study.h"

#include "base/file.h"
#include "data/image_file.h"
#include "data/npy.h"
#include "experiment/trial/threat_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES = 8 }; /* of marked images: the report shows fewer */

static tc_status save_picture(const tc_image *image, const char *path, tc_error *error) {
    uint8_t *file = NULL;
    size_t size = 0;
    tc_status status = tc_png_encode(image, &file, &size, error);
    if (status == TC_OK) status = tc_file_write(path, file, size, error);
    free(file);
    return status;
}

/* FOLDER/NAME-0.png … of `count` images. */
static tc_status save_pictures(const tc_dataset *dataset, uint8_t *images, size_t count, const char *folder,
                               const char *name, tc_error *error) {
    const size_t bytes = tc_dataset_image_bytes(dataset);
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    for (size_t i = 0; i < count; i++) {
        const tc_image image = {dataset->height, dataset->width, dataset->channels, images + i * bytes};
        TC_TRY(tc_path_format(path, error, "%s/%s-%zu.png", folder, name, i));
        TC_TRY(save_picture(&image, path, error));
    }
done:
    return status;
}

/* ---- of backdoors ---- */

static tc_status save_trigger(const tc_trigger *trigger, const char *folder, tc_error *error) {
    const tc_image image = {trigger->rows, trigger->columns, trigger->channels, trigger->pattern};
    char path[TC_PATH_SIZE];
    const tc_status status = tc_path_format(path, error, "%s/trigger.png", folder);
    return status == TC_OK ? save_picture(&image, path, error) : status;
}

/* triggered.npz (data/attacked.c): every image that the backdoor is judged by. */
static tc_status save_triggered(const tc_dataset *dataset, const tc_threat *threat, const uint8_t *images,
                                const char *folder, tc_error *error) {
    const size_t count = threat->targets,
                 sides[] = {count, (size_t)dataset->height, (size_t)dataset->width, (size_t)dataset->channels};
    int64_t *place = NULL, *intended = NULL;
    tc_npz *npz = NULL;
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(tc_new(&place, count, sizeof *place, error));
    TC_TRY(tc_new(&intended, count, sizeof *intended, error));
    TC_TRY(tc_new(&npz, 1, sizeof *npz, error));
    for (size_t i = 0; i < count; i++) {
        place[i] = threat->target[i];
        intended[i] = threat->intended_class;
    }
    tc_npz_add(npz, "images", tc_npy_of(TC_NPY_U8, images, 4, sides));
    tc_npz_add(npz, "place", tc_npy_of(TC_NPY_I64, place, 1, &count));
    tc_npz_add(npz, "intended", tc_npy_of(TC_NPY_I64, intended, 1, &count));
    TC_TRY(tc_path_format(path, error, "%s/triggered.npz", folder));
    TC_TRY(tc_npz_write(path, npz, error));
done:
    free(npz);
    free(place);
    free(intended);
    return status;
}

/* ---- of all ---- */

/* What the attack is about, as the victim will meet it. */
static tc_status save_attacked(const tc_dataset *dataset, const tc_threat *threat, const char *folder,
                               tc_error *error) {
    const bool marked = threat->trigger != NULL;
    const size_t shown = marked && threat->targets > PICTURES ? PICTURES : threat->targets;
    uint8_t *images = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&images, threat->targets, tc_dataset_image_bytes(dataset), error));
    tc_threat_targets(dataset, threat, images);
    if (marked) {
        TC_TRY(save_trigger(threat->trigger, folder, error));
        TC_TRY(save_triggered(dataset, threat, images, folder, error));
    }
    TC_TRY(save_pictures(dataset, images, shown, folder, marked ? "triggered" : "target", error));
done:
    free(images);
    return status;
}

tc_status tc_study_save_poison(const tc_trial *trial, const tc_method_spec *method, const tc_outcome *outcome,
                               const char *phase, const char *folder, tc_error *error) {
    const tc_dataset *dataset = trial->lab->dataset;
    tc_status status = TC_OK;
    TC_TRY(tc_poison_save(outcome->poison, dataset, folder, error));
    TC_TRY(tc_threat_file_write(trial, method, phase, folder, error));
    TC_TRY(save_attacked(dataset, &trial->threat, folder, error));
done:
    return status;
}
