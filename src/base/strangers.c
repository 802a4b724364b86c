/* strangers.c — whether everything in a folder is what the program itself writes there. */
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LARGEST_LISTING = 1 << 28 };

typedef struct search {
    const tc_folder_kind *kind;
    char *text;    /* of the listing; its lines are cut up into … */
    char **listed; /* [count], in strcmp order */
    size_t count;
    char *found; /* the first stranger, TC_PATH_SIZE; "": none so far */
} search;

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* *cell := the first cell of the row that begins at `at`, without its quotes, cut out in its place. Returns the next
 * row. */
static char *cut_row(char *at, char **cell) {
    char *to = at;
    bool quoted = false, first = true;
    *cell = at;
    for (; *at && (quoted || *at != '\n'); at++) {
        const bool doubled = quoted && at[0] == '"' && at[1] == '"';
        if (*at == '"' && !doubled) {
            quoted = !quoted;
            continue;
        }
        at += doubled;
        first &= quoted || *at != ',';
        if (first) *to++ = *at;
    }
    char *next = *at ? at + 1 : at;
    *to = '\0';
    return next;
}

static tc_status cut_up(search *s, size_t size, tc_error *error) {
    size_t lines = 1;
    char *head;
    for (size_t i = 0; i < size; i++) lines += s->text[i] == '\n';
    const tc_status status = tc_new(&s->listed, lines, sizeof *s->listed, error);
    if (status != TC_OK) return status;
    for (char *row = cut_row(s->text, &head); *row; s->count++) row = cut_row(row, &s->listed[s->count]);
    if (s->count) qsort(s->listed, s->count, sizeof *s->listed, by_name);
    return TC_OK;
}

static tc_status read_listing(search *s, const char *path, tc_error *error) {
    char listing[TC_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    tc_status status = TC_OK;
    if (!s->kind->listing) return TC_OK;
    TC_TRY(tc_path_format(listing, error, "%s/%s", path, s->kind->listing));
    if (!tc_file_exists(listing)) return TC_OK;
    TC_TRY(tc_file_read(listing, LARGEST_LISTING, &bytes, &size, error));
    TC_TRY(tc_new(&s->text, size + 1, 1, error));
    memcpy(s->text, bytes, size);
    TC_TRY(cut_up(s, size, error));
done:
    free(bytes);
    return status;
}

static bool is_ours(const search *s, const char *name) {
    for (const char *const *pattern = s->kind->written; *pattern; pattern++)
        if (!fnmatch(*pattern, name, FNM_PATHNAME)) return true;
    return s->count && bsearch(&name, s->listed, s->count, sizeof *s->listed, by_name);
}

/* The files below root/below; hidden ones are somebody's, too, a folder with nothing in it is nobody's. */
static tc_status look(search *s, const char *root, const char *below, tc_error *error) {
    char path[TC_PATH_SIZE], name[TC_PATH_SIZE];
    struct stat facts;
    DIR *folder = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s%s%s", root, *below ? "/" : "", below));
    folder = opendir(path);
    if (!folder) TC_RAISE(TC_INVALID, "%s: the folder cannot be opened; choose another place", path);
    for (const struct dirent *entry; !*s->found && (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        TC_TRY(tc_path_format(name, error, "%s%s%s", below, *below ? "/" : "", entry->d_name));
        if (fstatat(dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(facts.st_mode))
            TC_TRY(look(s, root, name, error));
        else if (!is_ours(s, name))
            strcpy(s->found, name);
    }
done:
    if (folder) closedir(folder);
    return status;
}

tc_status tc_folder_stranger(const char *path, const tc_folder_kind *kind, char stranger[TC_PATH_SIZE],
                             tc_error *error) {
    search s = {.kind = kind, .found = stranger};
    *stranger = '\0';
    tc_status status = read_listing(&s, path, error);
    if (status == TC_OK) status = look(&s, path, "", error);
    free(s.listed);
    free(s.text);
    return status;
}
