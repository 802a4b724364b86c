/* leftovers.h — what of a folder of pictures an album does not take, so that it can be told to those whose it is: files
 * of other kinds, and pictures in places where none are looked for. Hidden files and folders are nobody's. */
#ifndef TC_DATA_LEFTOVERS_H
#define TC_DATA_LEFTOVERS_H

#include "base/folder.h"

#include <stdio.h>

enum { TC_LEFT_KINDS = 12, TC_LEFT_NAMES = 3, TC_LEFT_KIND = 40 };

typedef struct tc_leftovers {
    size_t count, kinds, names;
    struct {
        char name[TC_LEFT_KIND]; /* ".gif", "in test/" */
        size_t count;
    } kind[TC_LEFT_KINDS]; /* [kinds], in the order of their first appearance; the last one is of all further ones */
    char name[TC_LEFT_NAMES][TC_PATH_SIZE]; /* [names], the first ones, below the root */
} tc_leftovers;

/* split: the classes are in root/train, else in root itself. */
tc_status tc_leftovers_find(const char *root, bool split, const tc_names *classes, tc_leftovers *left, tc_error *error);
enum { TC_LEFT_TEXT = TC_LEFT_NAMES * TC_PATH_SIZE + 2048 };
/* One line without its end: how many, of which kinds, and the first names. Only where there are some. */
void tc_leftovers_tell(const tc_leftovers *left, char text[TC_LEFT_TEXT]);

#endif
