/* fuzz.c — between libFuzzer and a target: the folder, the seeds, and what may not be answered. */
#include "fuzz.h"

#include "data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char folder[64], seeds[TC_PATH_SIZE];

const char *fuzz_folder(void) {
    return folder;
}

const char *fuzz_path(const char *name) {
    static char path[8][TC_PATH_SIZE];
    static int next;
    char *slot = path[next++ % 8];
    snprintf(slot, TC_PATH_SIZE, "%s/%s", folder, name);
    return slot;
}

static void remove_folder(void) {
    tc_folder_remove(folder, NULL);
}

static void stop_at(const char *what, tc_status status, const tc_error *error) {
    if (status == TC_OK) return;
    fprintf(stderr, "fuzz: %s: status %d: %s\n", what, (int)status, error->message);
    abort();
}

/* `--seeds FOLDER` writes the seeds and ends; every other argument is libFuzzer's. */
int LLVMFuzzerInitialize(int *count, char ***arguments) {
    tc_error error = {0};
    const char *memory = "/dev/shm";
    snprintf(folder, sizeof folder, "%s/tocsin-fuzz-XXXXXX", access(memory, W_OK) ? "/tmp" : memory);
    if (!mkdtemp(folder)) stop_at("a folder of its own cannot be made", TC_FAILED, &error);
    atexit(remove_folder);
    if (*count == 3 && !strcmp((*arguments)[1], "--seeds")) {
        snprintf(seeds, sizeof seeds, "%s", (*arguments)[2]);
        stop_at("seeds", tc_folder_make(seeds, &error), &error);
        stop_at("seeds", fuzz_seeds(&error), &error);
        exit(0);
    }
    stop_at("preparing", fuzz_prepare(&error), &error);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    tc_error error = {0};
    const tc_status status = fuzz_one(bytes, size, &error);
    if (status == TC_OK) return 0;
    if (status != TC_INVALID) stop_at("bad input is the user's to mend, so its status is 2", status, &error);
    if (!error.message[0] || strchr(error.message, '\n')) stop_at("the message is not one line", status, &error);
    return 0;
}

tc_status fuzz_seed(const char *name, int choice, const char *path, tc_error *error) {
    tc_status status = TC_OK;
    char to[TC_PATH_SIZE];
    uint8_t *bytes = NULL, *seed = NULL;
    size_t size = 0;
    const size_t before = choice >= 0;
    TC_TRY(tc_file_read(path, 1 << 24, &bytes, &size, error));
    TC_TRY(tc_new(&seed, size + before, 1, error));
    if (before) seed[0] = (uint8_t)choice;
    memcpy(seed + before, bytes, size);
    TC_TRY(tc_path_format(to, error, "%s/%s", seeds, name));
    TC_TRY(tc_file_put(to, seed, size + before, error));
done:
    free(seed);
    free(bytes);
    return status;
}

tc_status fuzz_seed_texts(const char *const *texts, int count, tc_error *error) {
    tc_status status = TC_OK;
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.yaml", i);
        TC_TRY(tc_file_put(fuzz_path(name), texts[i], strlen(texts[i]), error));
        TC_TRY(fuzz_seed(name, -1, fuzz_path(name), error));
    }
done:
    return status;
}

tc_status fuzz_replace(const char *const *names, int count, const uint8_t *bytes, size_t size,
                       tc_status (*read)(tc_error *error), tc_error *error) {
    if (!size) return TC_OK;
    char path[TC_PATH_SIZE], good[TC_PATH_SIZE];
    tc_error trouble = {0};
    snprintf(path, sizeof path, "%s", fuzz_path(names[bytes[0] % count]));
    snprintf(good, sizeof good, "%s.good", path);
    if (rename(path, good)) stop_at("putting the good file aside", TC_FAILED, &trouble);
    stop_at("writing the input", tc_file_put(path, bytes + 1, size - 1, &trouble), &trouble);
    const tc_status status = read(error);
    if (rename(good, path)) stop_at("putting the good file back", TC_FAILED, &trouble);
    return status;
}

void fuzz_look(const uint8_t *bytes, size_t size) {
    static volatile unsigned seen;
    for (size_t i = 0; i < size; i++) seen = seen + bytes[i];
}

tc_status fuzz_dataset(const char *kind, const char *path, tc_error *error) {
    char source[TC_PATH_SIZE + 16];
    tc_dataset *dataset = NULL;
    snprintf(source, sizeof source, "%s:%s", kind, path);
    const tc_status status = tc_dataset_open(source, NULL, &dataset, error);
    if (status == TC_OK) {
        fuzz_look(dataset->train.images, dataset->train.count * tc_dataset_image_bytes(dataset));
        fuzz_look(dataset->test.images, dataset->test.count * tc_dataset_image_bytes(dataset));
    }
    tc_dataset_free(dataset);
    return status;
}
