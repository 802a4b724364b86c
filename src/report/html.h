/* html.h — writing HTML to a stream without letting anybody's text become markup. */
#ifndef TC_REPORT_HTML_H
#define TC_REPORT_HTML_H

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>

/* Text from outside, with < > & " replaced. */
void tc_html_text(FILE *out, const char *text);
/* "data:image/png;base64,…" of the bytes of a PNG file. */
void tc_html_png(FILE *out, const uint8_t *bytes, size_t size);

#endif
