/* fuzz_npz.c — an .npz as a dataset and as a poison, and the .npy within it. */
#include "fuzz.h"

#include "data/dataset.h"
#include "data/npy.h"

#include <stdlib.h>

static tc_dataset *set;

static void free_set(void) {
    tc_dataset_free(set);
}

tc_status fuzz_prepare(tc_error *error) {
    atexit(free_set);
    return tc_dataset_open("glyphs", &(tc_dataset_options){.train_per_class = 2, .test_per_class = 1}, &set, error);
}

tc_status fuzz_seeds(tc_error *error) {
    static const float values[6] = {0};
    const tc_npy array = tc_npy_of(TC_NPY_F32, values, 2, (size_t[]){2, 3});
    tc_status status = TC_OK;
    tc_poison *poison = NULL;
    TC_TRY(fuzz_prepare(error));
    TC_TRY(tc_dataset_write(set, "npz", fuzz_path("set.npz"), error));
    TC_TRY(tc_poison_create(set, 2, 0, &poison, error));
    poison->index[1] = 1;
    TC_TRY(tc_poison_save(poison, set, fuzz_path("poison"), error));
    TC_TRY(tc_npy_write(fuzz_path("array.npy"), &array, error));
    TC_TRY(fuzz_seed("set.npz", 0, fuzz_path("set.npz"), error));
    TC_TRY(fuzz_seed("poison.npz", 1, fuzz_path("poison/poison.npz"), error));
    TC_TRY(fuzz_seed("array.npy", 2, fuzz_path("array.npy"), error));
done:
    tc_poison_free(poison);
    return status;
}

static tc_status read_poison(const char *path, tc_error *error) {
    tc_poison *poison = NULL;
    const tc_status status = tc_poison_load(set, path, &poison, error);
    tc_poison_free(poison);
    return status;
}

static tc_status read_array(const char *path, tc_error *error) {
    tc_npy array = {0};
    tc_status status = tc_npy_read(path, &array, error);
    if (status == TC_OK) status = tc_npy_cast(&array, TC_NPY_F32, "array", error);
    tc_npy_free(&array);
    return status;
}

tc_status fuzz_one(const uint8_t *bytes, size_t size, tc_error *error) {
    static const char *const names[] = {"in.npz", "in.npz", "in.npy"};
    if (!size) return TC_OK;
    const int what = bytes[0] % 3;
    const char *path = fuzz_path(names[what]);
    const tc_status status = tc_file_put(path, bytes + 1, size - 1, error);
    if (status != TC_OK) return status;
    return what == 0   ? fuzz_dataset("npz", path, error)
           : what == 1 ? read_poison(path, error)
                       : read_array(path, error);
}
