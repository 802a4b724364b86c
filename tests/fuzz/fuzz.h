/* fuzz.h — what the targets of `./dev fuzz` share.
 *
 * A target is one file: it names the good files of its format (fuzz_seeds) and gives the fuzzer's bytes to the reader
 * (fuzz_one). Readers that take a path get a folder of their own, in memory where the system has such a place; a format
 * of several files has one of them replaced, chosen by the first byte. Whatever the bytes are, the reader must answer
 * with a dataset or with TC_INVALID and one line: anything else stops the run and is kept. */
#ifndef TC_TESTS_FUZZ_FUZZ_H
#define TC_TESTS_FUZZ_FUZZ_H

#include "base/file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the target: makes good files below fuzz_folder() and hands inputs made from them to fuzz_seed; called once, when
 * the program is run as `PROGRAM --seeds FOLDER`. */
tc_status fuzz_seeds(tc_error *error);
/* Called once before the first input: what every input needs beside itself. */
tc_status fuzz_prepare(tc_error *error);
/* Takes `size` bytes and says what the reader said. */
tc_status fuzz_one(const uint8_t *bytes, size_t size, tc_error *error);

const char *fuzz_folder(void);
/* The path of a file in it; good for a few calls. */
const char *fuzz_path(const char *name);
/* One seed: `choice` (the first byte; −1: none) and then a file's bytes. */
tc_status fuzz_seed(const char *name, int choice, const char *path, tc_error *error);
/* Seeds that are texts, called 0.yaml, 1.yaml, … */
tc_status fuzz_seed_texts(const char *const *texts, int count, tc_error *error);
/* One input becomes the file `names[first byte % count]`, for `read`; then the good file, kept beside, comes back. */
tc_status fuzz_replace(const char *const *names, int count, const uint8_t *bytes, size_t size,
                       tc_status (*read)(tc_error *error), tc_error *error);
/* Every byte is there to be read: the sanitizer would know. */
void fuzz_look(const uint8_t *bytes, size_t size);
/* Opens a dataset and looks at all of it. */
tc_status fuzz_dataset(const char *kind, const char *path, tc_error *error);

#endif
