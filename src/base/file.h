/* file.h — whole files in, whole files out: nothing is read past its limit and nothing is left half-written.
 *
 * Writing goes to a temporary name in the same folder, is flushed to the disk and then renamed, so a reader sees the
 * old file, the new one, or none. Messages name the path and what the system said. */
#ifndef TC_BASE_FILE_H
#define TC_BASE_FILE_H

#include "base/folder.h"
#include "base/path.h"

#include <stdint.h>
#include <stdio.h>

/* ---- reading: a path that cannot be opened or a file over the limit is TC_INVALID, a failing disk TC_FAILED ---- */

/* *bytes (free it) holds the whole file and one zero byte after it, so that a text can be read as a string. */
tc_status tc_file_read(const char *path, size_t limit, uint8_t **bytes, size_t *size, tc_error *error);
/* The same for a gzip file, inflated; `limit` is on what comes out. A file that is not gzip is read as it is. */
tc_status tc_file_read_gz(const char *path, size_t limit, uint8_t **bytes, size_t *size, tc_error *error);
/* At most `capacity` inflated bytes from the start: to look at a header before believing it. */
tc_status tc_file_head_gz(const char *path, uint8_t *bytes, size_t capacity, size_t *size, tc_error *error);

/* ---- writing ---- */

/* A file on its way: write to `file`, then commit. Abandon after a commit, or of a zeroed one, does nothing. */
typedef struct tc_output {
    FILE *file;
    char path[TC_PATH_SIZE], temporary[TC_PATH_SIZE];
} tc_output;

tc_status tc_output_open(const char *path, tc_output *output, tc_error *error);
tc_status tc_output_commit(tc_output *output, tc_error *error); /* on failure the temporary file is gone */
void tc_output_abandon(tc_output *output);

tc_status tc_file_write(const char *path, const void *bytes, size_t size, tc_error *error);
/* Neither temporary nor flushed: for the many files inside a tc_folder_output, which vouches for all of them. */
tc_status tc_file_put(const char *path, const void *bytes, size_t size, tc_error *error);

#endif
