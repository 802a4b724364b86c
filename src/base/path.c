#include "base/path.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* The real path of the nearest that is there, from `path` upwards; NULL where not even that can be found out. */
static char *nearest_real(const char *path) {
    char part[TC_PATH_SIZE];
    if (tc_path_format(part, NULL, "%s", path) != TC_OK) return NULL;
    for (;;) {
        char *real = realpath(part, NULL), *slash = strrchr(part, '/');
        if (real || !strcmp(part, "/") || !strcmp(part, ".")) return real;
        if (!slash)
            strcpy(part, ".");
        else
            slash[slash == part] = '\0';
    }
}

bool tc_path_within(const char *path, const char *folder) {
    char *inner = nearest_real(path), *outer = realpath(folder, NULL);
    const size_t length = outer && strcmp(outer, "/") ? strlen(outer) : 0; /* all lies in "/" */
    const bool within =
        inner && outer && !strncmp(inner, outer, length) && (inner[length] == '/' || inner[length] == '\0');
    free(inner);
    free(outer);
    return within;
}

tc_status tc_path_expand_home(char expanded[TC_PATH_SIZE], const char *source, tc_error *error) {
    const char *home = getenv("HOME"), *colon = strchr(source, ':');
    if (!colon || strncmp(colon + 1, "~/", 2) || !home) return tc_path_format(expanded, error, "%s", source);
    return tc_path_format(expanded, error, "%.*s%s%s", (int)(colon + 1 - source), source, home, colon + 2);
}
