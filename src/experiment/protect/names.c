/* names.c — what the protected pictures are called.
 *
 * "cat/001.jpg" becomes "cat/001.png". Where the album has another picture of that stem, those that are no .png keep
 * their ending within the name: "cat/001.jpg.png", with as many more .png as it takes to be nobody else's. So a name
 * follows from the album alone, whatever the order and whatever is on the disk. */
#include "experiment/protect/protect.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static size_t stem_length(const char *file) {
    const char *dot = strrchr(file, '.'); /* every picture has one */
    return dot ? (size_t)(dot - file) : strlen(file);
}

static bool is_png(const char *file) {
    return !strcmp(file + stem_length(file), ".png");
}

/* ---- the stems of all pictures ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_texts(char **text, size_t count) {
    for (size_t i = 0; text && i < count; i++) free(text[i]);
    free(text);
}

/* *stems := [count] "cat/001", in strcmp order. */
static tc_status list_stems(const tc_album *album, char ***stems, tc_error *error) {
    tc_status status = tc_new(stems, album->count, sizeof **stems, error);
    for (size_t i = 0; i < album->count && status == TC_OK; i++) {
        (*stems)[i] = strndup(album->file[i], stem_length(album->file[i]));
        if (!(*stems)[i]) status = tc_raise(error, TC_FAILED, "memory: none left for the pictures' names; free some");
    }
    if (status == TC_OK) qsort(*stems, album->count, sizeof **stems, by_text);
    return status;
}

/* Has a picture other than `own` (0: any, 1: besides one) this stem? */
static bool is_claimed(char *const *stems, size_t count, const char *stem, size_t own) {
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(stems[middle], stem) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low + own < count && !strcmp(stems[low + own], stem);
}

/* ---- a name ---- */

/* With another .png, in a path and in a folder. */
static bool fits(const char *name) {
    const size_t more = strlen(".png");
    return strlen(name) + more < TC_PATH_SIZE && strlen(strrchr(name, '/') + 1) + more <= NAME_MAX;
}

static tc_status name_picture(char *const *stems, size_t count, const char *file, char name[TC_PATH_SIZE],
                              tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(name, error, "%s", file));
    name[stem_length(file)] = '\0';
    if (!is_png(file) && is_claimed(stems, count, name, 1)) {
        TC_TRY(tc_path_format(name, error, "%s", file));
        while (fits(name) && is_claimed(stems, count, name, 0)) strcat(name, ".png");
    }
    if (!fits(name))
        TC_RAISE(TC_INVALID, "%s: too long a name for its protected copy, %.60s….png; shorten it", file,
                 strrchr(name, '/') + 1);
    strcat(name, ".png");
done:
    return status;
}

/* A class's folder lies beside the files that are written. */
static tc_status check_classes(const tc_album *album, tc_error *error) {
    for (size_t i = 0; i < album->count; i++)
        for (const char *const *taken = tc_protect_files; *taken; taken++)
            if (!strncmp(album->file[i], *taken, strlen(*taken)) && album->file[i][strlen(*taken)] == '/')
                return tc_raise(error, TC_INVALID, "%s: a class that is called like the %s that is written; rename it",
                                album->file[i], *taken);
    return TC_OK;
}

tc_status tc_protect_name(const tc_album *album, char ***names, tc_error *error) {
    char name[TC_PATH_SIZE], **stems = NULL;
    tc_status status = TC_OK;
    TC_TRY(check_classes(album, error));
    TC_TRY(list_stems(album, &stems, error));
    TC_TRY(tc_new(names, album->count, sizeof **names, error));
    for (size_t i = 0; i < album->count; i++) {
        TC_TRY(name_picture(stems, album->count, album->file[i], name, error));
        (*names)[i] = strdup(name);
        if (!(*names)[i]) TC_RAISE(TC_FAILED, "memory: none left for the pictures' names; free some");
    }
done:
    free_texts(stems, album->count);
    if (status != TC_OK) tc_protect_free_names(album, names);
    return status;
}

void tc_protect_free_names(const tc_album *album, char ***names) {
    free_texts(*names, album->count);
    *names = NULL;
}
