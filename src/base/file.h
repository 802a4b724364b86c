/* file.h — whole files in, whole files out: nothing is read past its limit and nothing is left half-written.
 *
 * Writing goes to a temporary name in the same folder, is flushed to the disk and then renamed, so a reader sees the
 * old file, the new one, or none. Messages name the path and what the system said. */
#ifndef TC_BASE_FILE_H
#define TC_BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { TC_PATH_SIZE = 4096 };

/* path := the printf result; refused where it does not fit. */
__attribute__((format(printf, 3, 4))) tc_status tc_path_format(char path[TC_PATH_SIZE], tc_error *error,
                                                               const char *format, ...);

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

/* ---- folders ---- */

bool tc_file_exists(const char *path); /* a file, not a folder */
bool tc_folder_exists(const char *path);
tc_status tc_folder_make(const char *path, tc_error *error); /* with its parents; an existing folder is fine */
/* Files can be made in the folder or, where it is not there yet, it can be made. Changes nothing. */
tc_status tc_folder_check_writable(const char *path, tc_error *error);
tc_status tc_folder_remove(const char *path, tc_error *error); /* with all that is in it */

/* The names in a folder without the hidden ones, in strcmp order: folders or everything else. */
typedef struct tc_names {
    size_t count;
    char **name; /* [count] */
} tc_names;
tc_status tc_folder_list(const char *path, bool folders, tc_names *names, tc_error *error);
void tc_names_free(tc_names *names);

/* A whole folder on its way: write into `temporary`, then commit renames it to `path`. `ours` names a file by which
 * an existing folder is known to be an earlier one of the same kind, which is replaced; a folder that holds anything
 * else is refused. ours == NULL: only an empty folder is replaced. */
typedef struct tc_folder_output {
    char path[TC_PATH_SIZE], temporary[TC_PATH_SIZE];
} tc_folder_output;

tc_status tc_folder_output_open(const char *path, const char *ours, tc_folder_output *output, tc_error *error);
tc_status tc_folder_output_commit(tc_folder_output *output, tc_error *error);
void tc_folder_output_abandon(tc_folder_output *output);

#endif
