/* protect.h — un-targeted poisoning in the hands of those whose pictures they are: an album (data/album.h) is crafted
 * on at one size, each picture gets its change back at its own size, and what a network learns from the result is held
 * against what it learns from the originals. */
#ifndef TC_EXPERIMENT_PROTECT_PROTECT_H
#define TC_EXPERIMENT_PROTECT_PROTECT_H

#include "data/album.h"
#include "experiment/trial/room.h"

typedef struct tc_protection {
    const tc_spec *spec; /* its first attack that is not the added control, its threat, networks and seed */
    const tc_method_spec *method;
    tc_album album;
    char **name;       /* [album.count]: of the protected pictures, "cat/001.png" */
    tc_poison *poison; /* of album.dataset */
    double craft_seconds;
    bool measured;
    size_t asked, classes;    /* test images; classes */
    double original, guarded; /* test accuracy of a network trained on either */
} tc_protection;

/* What is written beside the pictures, ends with NULL; the first is what an earlier folder is known by. */
extern const char *const tc_protect_files[];

/* Is the spec's method one whose noise is made at the pictures' own size, because it survives no resizing? */
bool tc_protect_keeps_size(const tc_spec *spec);
/* Crafts and, if asked for, measures: two trainings of the spec's victim. `source`: see tc_album_open. The room, named,
 * is opened here, for the caller to close when the pictures are written; each training and the poison is kept in it. */
tc_status tc_protect(const char *source, const tc_spec *spec, int size, bool measured, tc_room *room,
                     const tc_trial_hooks *hooks, tc_protection *p, tc_error *error);
void tc_protection_free(tc_protection *p);

/* *names := what the album's pictures will be called, each by a name of its own: [count]. */
tc_status tc_protect_name(const tc_album *album, char ***names, tc_error *error); /* names.c */
void tc_protect_free_names(const tc_album *album, char ***names);                 /* names.c */

/* To a folder: the pictures as PNG, in the album's folders and by its names, index.csv, protect.json and REPORT.md. An
 * earlier one there is replaced; where anything else lies it is refused. */
tc_status tc_protect_write(const tc_protection *made, const char *folder, tc_error *error); /* write.c */
/* What of that folder writing would refuse and, unless it may be replaced, an earlier one; makes nothing. */
tc_status tc_protect_check_folder(const char *folder, bool replace, tc_error *error); /* write.c */
/* What was measured, and what adaptive training can undo, as text for people. */
void tc_protect_tell(const tc_protection *p, FILE *out); /* write.c */

#endif
