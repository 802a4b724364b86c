/* fuzz_idx.c — the four files of an IDX set, and the names of its classes. */
#include "fuzz.h"

#include "data/dataset.h"

static const char *const names[] = {"set/train-images-idx3-ubyte", "set/train-labels-idx1-ubyte",
                                    "set/t10k-images-idx3-ubyte", "set/t10k-labels-idx1-ubyte", "set/class-names.txt"};
enum { FILES = sizeof names / sizeof *names };

tc_status fuzz_prepare(tc_error *error) {
    tc_status status = TC_OK;
    tc_dataset *set = NULL;
    TC_TRY(tc_dataset_open("glyphs", &(tc_dataset_options){.train_per_class = 1, .test_per_class = 1}, &set, error));
    TC_TRY(tc_dataset_write(set, "idx", fuzz_path("set"), error));
done:
    tc_dataset_free(set);
    return status;
}

tc_status fuzz_seeds(tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(fuzz_prepare(error));
    for (int i = 0; i < FILES; i++) TC_TRY(fuzz_seed(names[i] + sizeof "set", i, fuzz_path(names[i]), error));
done:
    return status;
}

static tc_status read_set(tc_error *error) {
    return fuzz_dataset("idx", fuzz_path("set"), error);
}

tc_status fuzz_one(const uint8_t *bytes, size_t size, tc_error *error) {
    return fuzz_replace(names, FILES, bytes, size, read_set, error);
}
