/* attacked.c — the images that an attack is about: its targets as they are, and what its trigger was put on. */
#include "base/file.h"
#include "data/export.h"
#include "data/npy.h"

#include <stdlib.h>
#include <string.h>

static const char triggered_name[] = "triggered.npz";

void tc_attacked_free(tc_attacked *attacked) {
    if (!attacked) return;
    free(attacked->kind);
    free(attacked->place);
    free(attacked->intended);
    free(attacked->images);
    free(attacked);
}

static tc_status allocate(const tc_dataset *dataset, size_t count, tc_attacked **result, tc_error *error) {
    tc_status status = TC_OK;
    tc_attacked *a = NULL;
    TC_TRY(tc_new(&a, 1, sizeof *a, error));
    a->count = count;
    TC_TRY(tc_new(&a->kind, count, sizeof *a->kind, error));
    TC_TRY(tc_new(&a->place, count, sizeof *a->place, error));
    TC_TRY(tc_new(&a->intended, count, sizeof *a->intended, error));
    TC_TRY(tc_new(&a->images, count, tc_dataset_image_bytes(dataset), error));
    *result = a;
    a = NULL;
done:
    tc_attacked_free(a);
    return status;
}

static tc_status check(const tc_dataset *dataset, const char *where, int64_t place, int64_t intended, tc_error *error) {
    if (place < 0 || (uint64_t)place >= dataset->test.count)
        return tc_raise(error, TC_INVALID, "%s: image %lld is not one of the %zu test images of %s; name its own data",
                        where, (long long)place, dataset->test.count, dataset->name);
    if (intended >= 0 && intended < dataset->classes) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: class %lld is not one of the %d of %s; name its own data", where,
                    (long long)intended, dataset->classes, dataset->name);
}

/* ---- triggered.npz ---- */

typedef struct triggered {
    tc_npz *npz; /* NULL: there is none */
    size_t count;
    const tc_npy *images, *place, *intended;
} triggered;

static tc_status read_triggered(const char *path, const tc_dataset *dataset, triggered *t, tc_error *error) {
    tc_status status = TC_OK;
    tc_npy *images, *place, *intended;
    TC_TRY(tc_new(&t->npz, 1, sizeof *t->npz, error));
    TC_TRY(tc_npz_read(path, t->npz, error));
    TC_TRY(tc_npz_want(t->npz, path, "images", 4, 4, &images, error));
    TC_TRY(tc_npz_want(t->npz, path, "place", 1, 1, &place, error));
    TC_TRY(tc_npz_want(t->npz, path, "intended", 1, 1, &intended, error));
    TC_TRY(tc_npy_cast(place, TC_NPY_I64, path, error));
    TC_TRY(tc_npy_cast(intended, TC_NPY_I64, path, error));
    const size_t *s = images->shape;
    if (images->type != TC_NPY_U8 || s[1] != (size_t)dataset->height || s[2] != (size_t)dataset->width ||
        s[3] != (size_t)dataset->channels)
        TC_RAISE(TC_INVALID, "%s: images that are not those of %s; craft the poison again", path, dataset->name);
    if (place->count != s[0] || intended->count != s[0])
        TC_RAISE(TC_INVALID, "%s: %zu images, %zu places, %zu classes; craft the poison again", path, s[0],
                 place->count, intended->count);
    *t = (triggered){t->npz, s[0], images, place, intended};
done:
    return status;
}

static tc_status take_triggered(const triggered *t, const tc_dataset *dataset, const char *path, size_t from,
                                tc_attacked *a, tc_error *error) {
    for (size_t i = 0; i < t->count; i++) {
        const int64_t place = ((const int64_t *)t->place->data)[i], intended = ((const int64_t *)t->intended->data)[i];
        const tc_status status = check(dataset, path, place, intended, error);
        if (status != TC_OK) return status;
        a->kind[from + i] = TC_QUESTION_TRIGGERED;
        a->place[from + i] = (uint32_t)place;
        a->intended[from + i] = (int32_t)intended;
    }
    if (t->count) memcpy(a->images + from * tc_dataset_image_bytes(dataset), t->images->data, t->images->count);
    return TC_OK;
}

tc_status tc_attacked_create(const tc_dataset *dataset, const uint32_t *places, size_t count, int intended,
                             const char *poison, tc_attacked **result, tc_error *error) {
    const size_t bytes = tc_dataset_image_bytes(dataset);
    char path[TC_PATH_SIZE];
    triggered t = {0};
    tc_attacked *a = NULL;
    tc_status status = TC_OK;
    *result = NULL;
    TC_TRY(tc_path_format(path, error, "%s/%s", poison, triggered_name));
    if (tc_file_exists(path)) TC_TRY(read_triggered(path, dataset, &t, error));
    TC_TRY(allocate(dataset, count + t.count, &a, error));
    for (size_t i = 0; i < count; i++) {
        TC_TRY(check(dataset, poison, places[i], intended, error));
        a->kind[i] = TC_QUESTION_TARGET;
        a->place[i] = places[i];
        a->intended[i] = intended;
        memcpy(a->images + i * bytes, dataset->test.images + places[i] * bytes, bytes);
    }
    TC_TRY(take_triggered(&t, dataset, path, count, a, error));
    *result = a;
    a = NULL;
done:
    tc_npz_free(t.npz);
    tc_attacked_free(a);
    return status;
}
