/* width.h — how wide a text is on a terminal: the widths of printf count bytes, of which a letter may have several,
 * and some letters take two columns or none. */
#ifndef TC_BASE_WIDTH_H
#define TC_BASE_WIDTH_H

#include <stddef.h>
#include <stdio.h>

int tc_width(const char *text);
/* Bytes of the longest beginning that takes no more than so many columns: for printf's %.*s. */
size_t tc_width_fit(const char *text, int columns);
/* As printf's %*s: with spaces before it, or, of a negative width, behind it. */
void tc_width_put(FILE *out, const char *text, int width);

#endif
