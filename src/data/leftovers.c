#include "data/leftovers.h"

#include "data/reader.h"

#include <ctype.h>
#include <string.h>

typedef struct search {
    const char *root;
    bool split;
    const tc_names *classes;
    tc_leftovers *left;
} search;

/* ---- one file ---- */

/* ".gif" of "cat/001.GIF". */
static void name_ending(const char *file, char text[TC_LEFT_KIND]) {
    const char *slash = strrchr(file, '/'), *dot = strrchr(slash ? slash : file, '.');
    snprintf(text, TC_LEFT_KIND, "%.20s", !dot ? "without an ending" : strlen(dot) > 10 ? "of other kinds" : dot);
    for (; dot && *text; text++) *text = (char)tolower((unsigned char)*text);
}

/* Why it is left: where it lies, if it is a picture like those that are taken, else what it is. */
static void name_kind(const search *s, const char *file, char text[TC_LEFT_KIND]) {
    const bool taken = tc_is_picture_name(file);
    int depth = 0;
    for (const char *c = file; *c; c++) depth += *c == '/';
    if (s->split && !strncmp(file, "test/", 5))
        snprintf(text, TC_LEFT_KIND, "in test/");
    else if (!taken)
        name_ending(file, text);
    else if (s->split && strncmp(file, "train/", 6) != 0)
        snprintf(text, TC_LEFT_KIND, "outside train/");
    else
        snprintf(text, TC_LEFT_KIND,
                 depth > s->split ? "in folders within a class" : "beside the folders of the classes");
}

static void count_kind(tc_leftovers *left, const char *name) {
    size_t k = 0;
    while (k < left->kinds && strcmp(left->kind[k].name, name)) k++;
    if (k == TC_LEFT_KINDS) k--;
    if (k == left->kinds)
        snprintf(left->kind[left->kinds++].name, TC_LEFT_KIND, "%s", k + 1 < TC_LEFT_KINDS ? name : "of other kinds");
    left->kind[k].count++;
}

static void leave(const search *s, const char *file, bool folder) {
    char kind[TC_LEFT_KIND] = "links to folders";
    if (!folder) name_kind(s, file, kind);
    count_kind(s->left, kind);
    if (s->left->names < TC_LEFT_NAMES) snprintf(s->left->name[s->left->names++], TC_PATH_SIZE, "%s", file);
    s->left->count++;
}

/* ---- all of them ---- */

static bool is_class(const search *s, const char *name) {
    for (size_t c = 0; c < s->classes->count; c++)
        if (!strcmp(s->classes->name[c], name)) return true;
    return false;
}

/* Are the pictures that lie in it the album's? "train/cat" or "cat". */
static bool is_taken_from(const search *s, const char *folder) {
    if (s->split && strncmp(folder, "train/", 6) != 0) return false;
    return is_class(s, s->split ? folder + 6 : folder);
}

static tc_status look_into(const search *s, const char *folder, tc_error *error);

/* The files and folders of `folder`, a path below the root; "": the root. A link to a folder is not followed, since it
 * may lead in circles, unless it stands where a class does. */
static tc_status look_at(const search *s, const char *folder, bool folders, tc_error *error) {
    char path[TC_PATH_SIZE], below[TC_PATH_SIZE];
    tc_names names = {0};
    const bool taken = is_taken_from(s, folder);
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/%s", s->root, folder));
    TC_TRY(tc_folder_list(path, folders, &names, error));
    for (size_t i = 0; i < names.count; i++) {
        TC_TRY(tc_path_format(below, error, "%s%s%s", folder, *folder ? "/" : "", names.name[i]));
        TC_TRY(tc_path_format(path, error, "%s/%s", s->root, below));
        if (folders && (!tc_is_link(path) || is_taken_from(s, below)))
            TC_TRY(look_into(s, below, error));
        else if (folders || !taken || !tc_is_picture_name(names.name[i]))
            leave(s, below, folders);
    }
done:
    tc_names_free(&names);
    return status;
}

static tc_status look_into(const search *s, const char *folder, tc_error *error) {
    const tc_status status = look_at(s, folder, false, error);
    return status == TC_OK ? look_at(s, folder, true, error) : status;
}

tc_status tc_leftovers_find(const char *root, bool split, const tc_names *classes, tc_leftovers *left,
                            tc_error *error) {
    const search s = {root, split, classes, left};
    *left = (tc_leftovers){0};
    return look_into(&s, "", error);
}

/* ---- telling ---- */

static size_t append(char text[TC_LEFT_TEXT], size_t length, const char *what) {
    return length + (size_t)snprintf(text + length, TC_LEFT_TEXT - length, "%s", what); /* there is room for all */
}

void tc_leftovers_tell(const tc_leftovers *left, char text[TC_LEFT_TEXT]) {
    char part[TC_LEFT_KIND + 32];
    size_t length = 0;
    snprintf(part, sizeof part, "%zu file%s left as %s, unprotected: ", left->count, left->count == 1 ? " is" : "s are",
             left->count == 1 ? "it is" : "they are");
    length = append(text, length, part);
    for (size_t k = 0; k < left->kinds; k++) {
        snprintf(part, sizeof part, "%s%zu %s", k ? ", " : "", left->kind[k].count, left->kind[k].name);
        length = append(text, length, part);
    }
    for (size_t i = 0; i < left->names; i++) {
        length = append(text, length, i ? ", " : " (");
        length = append(text, length, left->name[i]);
    }
    append(text, length, left->count > left->names ? ", …)" : ")");
    for (; *text; text++) /* one line, whatever a name holds */
        if ((unsigned char)*text < ' ' || *text == 127) *text = '?';
}
