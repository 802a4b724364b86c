#include "report/html.h"

#include <stdlib.h>
#include <string.h>

void tc_html_text(FILE *out, const char *text) {
    static const struct {
        char letter;
        const char *entity;
    } entities[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}};
    for (; *text; text++) {
        const char *written = NULL;
        for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
            if (entities[i].letter == *text) written = entities[i].entity;
        if (*text == ' ' && text[1] == '%') written = "&nbsp;"; /* a line never begins with the % of its number */
        if (written)
            fputs(written, out);
        else
            fputc(*text, out);
    }
}

void tc_html_png(FILE *out, const uint8_t *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    fputs("data:image/png;base64,", out);
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                               (left > 2 ? (uint32_t)bytes[i + 2] : 0);
        fputc(digits[three >> 18], out);
        fputc(digits[three >> 12 & 63], out);
        fputc(left > 1 ? digits[three >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[three & 63] : '=', out);
    }
}

tc_status tc_html_json(FILE *out, const json_t *json, tc_error *error) {
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (!text) return tc_raise(error, TC_FAILED, "memory: none left for a chart; free some");
    for (const char *at = text; *at; at++)
        if (*at == '<')
            fputs("\\u003c", out);
        else
            fputc(*at, out);
    free(text);
    return TC_OK;
}

/* ---- tables ---- */

void tc_html_table(FILE *out, const char *name) {
    fputs("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"", out);
    tc_html_text(out, name);
    fputs("\"><table>\n<caption><span>", out);
}

void tc_html_caption_end(FILE *out) {
    fputs("</span></caption>\n", out);
}

void tc_html_table_end(FILE *out) {
    fputs("</tbody>\n</table></div>\n", out);
}

void tc_html_head(FILE *out, const char *scope, const char *class, const char *text) {
    fprintf(out, "<th scope=\"%s\" class=\"%s\">", scope, class);
    tc_html_text(out, text);
    fputs("</th>", out);
}

void tc_html_heads(FILE *out, int left, const char *const *titles) {
    fputs("<thead><tr>", out);
    for (int i = 0; titles[i]; i++) tc_html_head(out, "col", i < left ? "row" : "", titles[i]);
    fputs("</tr></thead>\n<tbody>\n", out);
}
