/* html.h — writing HTML to a stream without letting anybody's text become markup. */
#ifndef TC_REPORT_HTML_H
#define TC_REPORT_HTML_H

#include "base/error.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Text from outside, with < > & " replaced; a space before % becomes one at which no line ends. */
void tc_html_text(FILE *out, const char *text);
/* "data:image/png;base64,…" of the bytes of a PNG file. */
void tc_html_png(FILE *out, const uint8_t *bytes, size_t size);
/* JSON for a <script>: nothing in it can end the script. */
tc_status tc_html_json(FILE *out, const json_t *json, tc_error *error);

/* A table that may be wider than the page, `name` for those who cannot see it: what is written up to caption_end is its
 * caption, then come the head and <tbody>. */
void tc_html_table(FILE *out, const char *name);
void tc_html_caption_end(FILE *out);
void tc_html_table_end(FILE *out);
/* <th scope="SCOPE" class="CLASS">TEXT</th> */
void tc_html_head(FILE *out, const char *scope, const char *class, const char *text);
/* A plain head and the start of the body; the first `left` columns are of words, aligned left. titles ends with NULL.
 */
void tc_html_heads(FILE *out, int left, const char *const *titles);

#endif
