/* fuzz_cifar.c — the files of CIFAR-10's and CIFAR-100's binary versions. */
#include "fuzz.h"

#include "data/dataset.h"

#include <string.h>

static const char *const names[] = {"ten/data_batch_1.bin", "ten/data_batch_3.bin", "ten/test_batch.bin",
                                    "ten/batches.meta.txt", "hundred/train.bin",    "hundred/test.bin"};
enum { FILES = sizeof names / sizeof *names, OF_TEN = 4, ROW = 2 + 3072 };

/* CIFAR-100 is only read: rows of a coarse label, a fine one and the planes. */
static tc_status write_hundred(tc_error *error) {
    static uint8_t rows[100][ROW];
    tc_status status = TC_OK;
    for (int i = 0; i < 100; i++) {
        memset(rows[i], i, ROW);
        rows[i][0] = (uint8_t)(i % 20);
    }
    TC_TRY(tc_folder_make(fuzz_path("hundred"), error));
    TC_TRY(tc_file_put(fuzz_path("hundred/train.bin"), rows, sizeof rows, error));
    TC_TRY(tc_file_put(fuzz_path("hundred/test.bin"), rows, 2 * sizeof *rows, error));
done:
    return status;
}

tc_status fuzz_prepare(tc_error *error) {
    tc_status status = TC_OK;
    tc_dataset *set = NULL;
    TC_TRY(tc_dataset_open("shapes10", &(tc_dataset_options){.train_per_class = 1, .test_per_class = 1}, &set, error));
    TC_TRY(tc_dataset_write(set, "cifar10", fuzz_path("ten"), error));
    TC_TRY(write_hundred(error));
done:
    tc_dataset_free(set);
    return status;
}

tc_status fuzz_seeds(tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(fuzz_prepare(error));
    for (int i = 0; i < FILES; i++) TC_TRY(fuzz_seed(strchr(names[i], '/') + 1, i, fuzz_path(names[i]), error));
done:
    return status;
}

static tc_status read_ten(tc_error *error) {
    return fuzz_dataset("cifar10", fuzz_path("ten"), error);
}

static tc_status read_hundred(tc_error *error) {
    return fuzz_dataset("cifar100", fuzz_path("hundred"), error);
}

tc_status fuzz_one(const uint8_t *bytes, size_t size, tc_error *error) {
    const bool ten = size && bytes[0] % FILES < OF_TEN;
    return fuzz_replace(names, FILES, bytes, size, ten ? read_ten : read_hundred, error);
}
