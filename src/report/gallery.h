/* gallery.h — the pictures of a report: what the victim was shown, what it would have been shown, and the difference.
 */
#ifndef TC_REPORT_GALLERY_H
#define TC_REPORT_GALLERY_H

#include "base/error.h"

#include <jansson.h>
#include <stdio.h>

/* Of the first trial that every attack has finished: the targets, and a few poisons of each attack. A poison folder
 * that is missing or damaged is said so in its place. */
tc_status tc_gallery_write(const char *folder, const json_t *results, FILE *out, tc_error *error);

#endif
