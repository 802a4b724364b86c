/* lines.h — on which line of a YAML file each key stands.
 *
 * libcyaml forgets lines once a value is loaded, but a range error is found only later. This is one walk over libyaml's
 * events that keeps them. On its way it refuses what is no spec under any schema: broken YAML, a key given twice, more
 * than one document, keys that are not plain words, aliases of aliases that come to more than a spec can be. */
#ifndef TC_EXPERIMENT_SPEC_LINES_H
#define TC_EXPERIMENT_SPEC_LINES_H

#include "base/error.h"

typedef struct tc_line {
    char *path; /* "attacks.2.rho" */
    int line;   /* from 1 */
} tc_line;

typedef struct tc_lines {
    tc_line *item; /* [count] in the order of the file */
    size_t count, room;
} tc_lines;

tc_status tc_lines_read(const char *file, const char *text, size_t size, tc_lines *lines, tc_error *error);
void tc_lines_free(tc_lines *lines);
/* The line of exactly `path`; 0 where it is not in the file. */
int tc_lines_exactly(const tc_lines *lines, const char *path);
/* The line of `path`, or of the nearest thing around it (an alias' contents stand elsewhere); 1 where nothing is known.
 */
int tc_lines_find(const tc_lines *lines, const char *path);

#endif
