/* folder.c — making, listing, removing and replacing folders. */
#define _GNU_SOURCE /* syncfs */
#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static tc_status cannot_make(const char *path, tc_error *error) {
    return tc_raise(error, TC_FAILED, "%s: the folder cannot be made: %s; choose another place", path, strerror(errno));
}

tc_status tc_folder_make(const char *path, tc_error *error) {
    char part[TC_PATH_SIZE];
    const tc_status status = tc_path_format(part, error, "%s", path);
    if (status != TC_OK) return status;
    for (char *end = part + 1; part[0] && *end; end++) {
        if (*end != '/') continue;
        *end = 0;
        if (mkdir(part, 0777) && errno != EEXIST) return cannot_make(part, error);
        *end = '/';
    }
    if (mkdir(part, 0777) == 0) return TC_OK;
    if (errno == EEXIST) {
        if (tc_folder_exists(part)) return TC_OK;
        errno = ENOTDIR;
    }
    return cannot_make(part, error);
}

/* Cuts the last name off: "a/b" → "a", "a" → ".", "/a" → "/". */
static void to_parent(char *path) {
    char *slash = strrchr(path, '/');
    if (!slash)
        strcpy(path, ".");
    else if (slash == path)
        path[1] = 0;
    else
        *slash = 0;
}

static void trim_slashes(char *path) {
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--) path[length - 1] = 0;
}

tc_status tc_folder_check_writable(const char *path, tc_error *error) {
    char nearest[TC_PATH_SIZE];
    const tc_status status = tc_path_format(nearest, error, "%s", path[0] ? path : ".");
    if (status != TC_OK) return status;
    trim_slashes(nearest);
    bool file = tc_file_exists(nearest);
    while (!file && !tc_folder_exists(nearest) && strcmp(nearest, ".") && strcmp(nearest, "/")) {
        to_parent(nearest);
        file = tc_file_exists(nearest);
    }
    if (file) return tc_raise(error, TC_INVALID, "%s: %s is a file, not a folder; choose another place", path, nearest);
    if (access(nearest, W_OK | X_OK) == 0) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: cannot be written to: %s; choose another place", path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place) {
    (void)facts;
    (void)kind;
    (void)place;
    return remove(path);
}

bool tc_folder_same(const char *a, const char *b) {
    struct stat first, second;
    return !stat(a, &first) && !stat(b, &second) && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

tc_status tc_folder_remove(const char *path, tc_error *error) {
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0) return TC_OK;
    return tc_raise(error, TC_FAILED, "%s: cannot be removed: %s; remove it by hand", path, strerror(errno));
}

/* ---- listing ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool append(tc_names *names, const char *name) {
    if ((names->count & (names->count - 1)) == 0) { /* full at 0, 1, 2, 4, 8, … */
        const size_t capacity = names->count ? 2 * names->count : 1;
        char **larger = realloc(names->name, capacity * sizeof *larger);
        if (!larger) return false;
        names->name = larger;
    }
    char *copy = strdup(name);
    if (!copy) return false;
    names->name[names->count++] = copy;
    return true;
}

/* Most file systems tell the type with the name; asking for each of 60,000 files costs as much as reading them. */
static bool entry_is_folder(DIR *folder, const struct dirent *entry) {
    if (entry->d_type == DT_DIR) return true;
    if (entry->d_type == DT_REG) return false;
    struct stat facts;
    return fstatat(dirfd(folder), entry->d_name, &facts, 0) == 0 && S_ISDIR(facts.st_mode);
}

tc_status tc_folder_list(const char *path, bool folders, tc_names *names, tc_error *error) {
    *names = (tc_names){0};
    DIR *folder = opendir(path);
    if (!folder)
        return tc_raise(error, TC_INVALID, "%s: the folder cannot be opened: %s; check the path", path,
                        strerror(errno));
    tc_status status = TC_OK;
    for (const struct dirent *entry; errno = 0, (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || entry_is_folder(folder, entry) != folders) continue;
        if (!append(names, entry->d_name)) TC_RAISE(TC_FAILED, "%s: no memory for its listing; free some", path);
    }
    if (errno) TC_RAISE(TC_FAILED, "%s: the folder cannot be read: %s; check the disk", path, strerror(errno));
    if (names->count) qsort(names->name, names->count, sizeof *names->name, by_name);
done:
    closedir(folder);
    if (status != TC_OK) tc_names_free(names);
    return status;
}

void tc_names_free(tc_names *names) {
    for (size_t i = 0; i < names->count; i++) free(names->name[i]);
    free(names->name);
    *names = (tc_names){0};
}

/* ---- after a kill ---- */

static bool ends_in(const char *name, const char *suffix) {
    const size_t length = strlen(name), tail = strlen(suffix);
    return length > tail && !strcmp(name + length - tail, suffix);
}

void tc_folder_tidy(const char *path) {
    tc_names names;
    char left[TC_PATH_SIZE];
    for (int folders = 0; folders < 2; folders++) {
        if (!tc_folder_exists(path) || tc_folder_list(path, folders, &names, NULL) != TC_OK) continue;
        for (size_t i = 0; i < names.count; i++)
            if ((ends_in(names.name[i], ".tmp") || ends_in(names.name[i], ".tmp.old")) &&
                tc_path_format(left, NULL, "%s/%s", path, names.name[i]) == TC_OK)
                tc_folder_remove(left, NULL); /* a file as well */
        tc_names_free(&names);
    }
}

/* ---- a folder on its way ---- */

static bool is_empty(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) return false;
    int count = 0;
    while (readdir(folder)) count++;
    closedir(folder);
    return count <= 2; /* itself and its parent */
}

static tc_status check_replaceable(const char *path, const tc_folder_kind *kind, bool replace, tc_error *error) {
    char mark[TC_PATH_SIZE], stranger[TC_PATH_SIZE];
    if (tc_file_exists(path)) return tc_raise(error, TC_INVALID, "%s: is a file; name a folder", path);
    if (!tc_folder_exists(path) || is_empty(path)) return TC_OK;
    if (!kind || tc_path_format(mark, NULL, "%s/%s", path, kind->mark) != TC_OK || !tc_file_exists(mark))
        return tc_raise(error, TC_INVALID, "%s: holds other files already; remove it or choose another place", path);
    if (!replace)
        return tc_raise(error, TC_INVALID, "%s: holds an earlier result; choose another place, or --overwrite", path);
    const tc_status status = tc_folder_stranger(path, kind, stranger, error);
    if (status != TC_OK || !*stranger) return status;
    return tc_raise(error, TC_INVALID,
                    "%s: holds %s, which is no part of an earlier result; take it out, or choose "
                    "another place",
                    path, stranger);
}

tc_status tc_folder_output_check(const char *path, const tc_folder_kind *kind, bool replace, tc_error *error) {
    char trimmed[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(trimmed, error, "%s", path));
    trim_slashes(trimmed);
    TC_TRY(check_replaceable(trimmed, kind, replace, error));
done:
    return status;
}

/* "NAME.PID-N.tmp" of a process that is gone; or with ".old", what it was about to replace, where that has happened. */
static bool is_left_over(const char *entry, const char *name, bool replaced) {
    const size_t length = strlen(name);
    long pid;
    int end = 0;
    if (strncmp(entry, name, length) || entry[length] != '.') return false;
    if (sscanf(entry + length, ".%ld-%*u.tmp%n", &pid, &end) != 1 || !end) return false;
    const char *rest = entry + length + end;
    const bool ours = !*rest || (replaced && !strcmp(rest, ".old"));
    return ours && pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH;
}

/* What one that was killed while it wrote the same folder has left beside it. */
static void sweep(const char *parent, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    tc_names names;
    char left[TC_PATH_SIZE];
    const bool replaced = tc_folder_exists(path);
    if (tc_folder_list(parent, true, &names, NULL) != TC_OK) return;
    for (size_t i = 0; i < names.count; i++)
        if (is_left_over(names.name[i], name, replaced) &&
            tc_path_format(left, NULL, "%s/%s", parent, names.name[i]) == TC_OK)
            tc_folder_remove(left, NULL);
    tc_names_free(&names);
}

tc_status tc_folder_output_open(const char *path, const tc_folder_kind *kind, tc_folder_output *output,
                                tc_error *error) {
    static atomic_uint made;
    tc_status status = TC_OK;
    output->temporary[0] = 0;
    TC_TRY(tc_path_format(output->path, error, "%s", path));
    trim_slashes(output->path);
    TC_TRY(check_replaceable(output->path, kind, true, error));
    char parent[TC_PATH_SIZE];
    TC_TRY(tc_path_format(parent, error, "%s", output->path));
    to_parent(parent);
    TC_TRY(tc_folder_make(parent, error));
    sweep(parent, output->path);
    int failed;
    do {
        TC_TRY(tc_path_format(output->temporary, error, "%s.%ld-%u.tmp", output->path, (long)getpid(), made++));
        failed = mkdir(output->temporary, 0777);
    } while (failed && errno == EEXIST);
    if (failed) TC_TRY(cannot_make(path, error));
done:
    if (status != TC_OK) output->temporary[0] = 0; /* nothing to abandon */
    return status;
}

/* One flush for all the files of the folder: flushing each alone takes minutes for a data set. */
static void flush_all(const char *path) {
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
#if defined(__linux__) && defined(_GNU_SOURCE)
    syncfs(folder);
#else
    sync();
#endif
    close(folder);
}

tc_status tc_folder_output_commit(tc_folder_output *output, tc_error *error) {
    tc_status status = TC_OK;
    char old[TC_PATH_SIZE] = "";
    flush_all(output->temporary);
    if (tc_folder_exists(output->path) && !is_empty(output->path)) {
        TC_TRY(tc_path_format(old, error, "%s.old", output->temporary));
        if (rename(output->path, old))
            TC_RAISE(TC_FAILED, "%s: cannot be replaced: %s; choose another place", output->path, strerror(errno));
    }
    if (rename(output->temporary, output->path)) {
        const int why = errno;
        if (old[0]) rename(old, output->path);
        TC_RAISE(TC_FAILED, "%s: cannot be written: %s; choose another place", output->path, strerror(why));
    }
    output->temporary[0] = 0;
    if (old[0]) TC_TRY(tc_folder_remove(old, error));
done:
    tc_folder_output_abandon(output);
    return status;
}

void tc_folder_output_abandon(tc_folder_output *output) {
    if (!output->temporary[0]) return;
    tc_folder_remove(output->temporary, NULL);
    output->temporary[0] = 0;
}
