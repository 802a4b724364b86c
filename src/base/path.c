#include "base/path.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

tc_status tc_path_format(char path[TC_PATH_SIZE], tc_error *error, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const int length = vsnprintf(path, TC_PATH_SIZE, format, list);
    va_end(list);
    if (length >= 0 && length < TC_PATH_SIZE) return TC_OK;
    return tc_raise(error, TC_INVALID, "%.200s…: path of more than %d bytes; use a shorter one", path,
                    TC_PATH_SIZE - 1);
}

bool tc_file_exists(const char *path) {
    struct stat facts;
    return stat(path, &facts) == 0 && !S_ISDIR(facts.st_mode);
}

bool tc_folder_exists(const char *path) {
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

bool tc_is_link(const char *path) {
    struct stat facts;
    return lstat(path, &facts) == 0 && S_ISLNK(facts.st_mode);
}
