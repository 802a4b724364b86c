/* path.h — names of files and folders, and what stands under them. */
#ifndef TC_BASE_PATH_H
#define TC_BASE_PATH_H

#include "base/error.h"

#include <stdbool.h>

enum { TC_PATH_SIZE = 4096 };

/* path := the printf result; refused where it does not fit. */
__attribute__((format(printf, 3, 4))) tc_status tc_path_format(char path[TC_PATH_SIZE], tc_error *error,
                                                               const char *format, ...);

bool tc_file_exists(const char *path); /* a file, not a folder */
bool tc_folder_exists(const char *path);
/* Does `path`, which need not be there yet, lie in `folder`, or is it the same, whatever links lead there? */
bool tc_path_within(const char *path, const char *folder);
bool tc_is_link(const char *path); /* whatever it leads to */
/* "KIND:~/REST" with the home folder in place of "~", which the shell expands only at the start of a word; anything
 * else as it is. */
tc_status tc_path_expand_home(char expanded[TC_PATH_SIZE], const char *source, tc_error *error);

#endif
