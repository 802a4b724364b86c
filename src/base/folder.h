/* folder.h — making, listing, removing folders, and writing a whole one so that it is seen complete or not at all. */
#ifndef TC_BASE_FOLDER_H
#define TC_BASE_FOLDER_H

#include "base/path.h"

tc_status tc_folder_make(const char *path, tc_error *error); /* with its parents; an existing folder is fine */
/* Files can be made in the folder or, where it is not there yet, it can be made. Changes nothing. */
tc_status tc_folder_check_writable(const char *path, tc_error *error);
bool tc_folder_same(const char *a, const char *b);             /* two names of one that is there */
tc_status tc_folder_remove(const char *path, tc_error *error); /* with all that is in it */

/* Removes what writers that were killed have left in it: names that end in .tmp or .tmp.old. */
void tc_folder_tidy(const char *path);

/* The names in a folder without the hidden ones, in strcmp order: folders or everything else. */
typedef struct tc_names {
    size_t count;
    char **name; /* [count] */
} tc_names;
tc_status tc_folder_list(const char *path, bool folders, tc_names *names, tc_error *error);
void tc_names_free(tc_names *names);

/* What the program writes into folders of one kind. */
typedef struct tc_folder_kind {
    const char *mark;           /* the file by which one that was finished is known */
    const char *const *written; /* patterns of what it writes there, NULL at the end: "judge/[0-9]*.png" */
    const char *listing;        /* a CSV there whose first column names more; NULL: none */
} tc_folder_kind;
/* stranger := the first file found in the folder that is not of that kind; "": all of them are. */
tc_status tc_folder_stranger(const char *path, const tc_folder_kind *kind, char stranger[TC_PATH_SIZE],
                             tc_error *error); /* strangers.c */

/* A whole folder on its way: write into `temporary`, then commit renames it to `path`. An earlier one of the same kind
 * is replaced; a folder in which anything else lies is refused. kind == NULL: only an empty folder is replaced. */
typedef struct tc_folder_output {
    char path[TC_PATH_SIZE], temporary[TC_PATH_SIZE];
} tc_folder_output;

/* What opening would refuse, without making anything: for those who know long before. And, unless it may be replaced,
 * an earlier one of the same kind. */
tc_status tc_folder_output_check(const char *path, const tc_folder_kind *kind, bool replace, tc_error *error);
tc_status tc_folder_output_open(const char *path, const tc_folder_kind *kind, tc_folder_output *output,
                                tc_error *error);
tc_status tc_folder_output_commit(tc_folder_output *output, tc_error *error);
void tc_folder_output_abandon(tc_folder_output *output);

#endif
