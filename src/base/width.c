#include "base/width.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

/* Letters that do not take one column, from Unicode's East Asian widths and its combining marks, as far as names have
 * them; in order. The C library's wcwidth knows them in UTF-8 locales only, and a container often has none. */
static const struct {
    uint32_t first, last;
    int width;
} ranges[] = {
    {0x0300, 0x036F, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05BD, 0},   {0x064B, 0x065F, 0},   {0x1100, 0x115F, 2},
    {0x1AB0, 0x1AFF, 0},   {0x1DC0, 0x1DFF, 0},   {0x200B, 0x200F, 0},   {0x20D0, 0x20FF, 0},   {0x2E80, 0x303E, 2},
    {0x3041, 0x4DBF, 2},   {0x4E00, 0xA4CF, 2},   {0xA960, 0xA97C, 2},   {0xAC00, 0xD7A3, 2},   {0xF900, 0xFAFF, 2},
    {0xFE00, 0xFE0F, 0},   {0xFE20, 0xFE2F, 0},   {0xFE30, 0xFE6F, 2},   {0xFF01, 0xFF60, 2},   {0xFFE0, 0xFFE6, 2},
    {0x1F300, 0x1F64F, 2}, {0x1F680, 0x1F6FF, 2}, {0x1F900, 0x1FAFF, 2}, {0x20000, 0x3FFFD, 2},
};
enum { RANGES = sizeof ranges / sizeof *ranges };

static int width_of(uint32_t letter) {
    for (int i = 0; i < RANGES && letter >= ranges[i].first; i++)
        if (letter <= ranges[i].last) return ranges[i].width;
    return 1;
}

/* The letter that *text begins with, beyond which *text goes; a byte that begins none counts as one. */
static uint32_t next_letter(const char **text) {
    const uint8_t first = (uint8_t) * (*text)++;
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    uint32_t letter = first & (0x7FU >> more);
    for (int i = 0; i < more && ((uint8_t) * *text & 0xC0) == 0x80; i++)
        letter = letter << 6 | ((uint8_t) * (*text)++ & 0x3F);
    return letter;
}

/* *used := columns of the beginning. */
static size_t measure(const char *text, int most, int *used) {
    const char *end = text;
    for (*used = 0; *end;) {
        const char *next = end;
        const int width = width_of(next_letter(&next));
        if (width > most - *used) break;
        *used += width;
        end = next;
    }
    return (size_t)(end - text);
}

int tc_width(const char *text) {
    int used;
    measure(text, INT_MAX, &used);
    return used;
}

size_t tc_width_fit(const char *text, int columns) {
    int used;
    return measure(text, columns, &used);
}

void tc_width_put(FILE *out, const char *text, int width) {
    const int left = abs(width) - tc_width(text), spaces = left > 0 ? left : 0;
    fprintf(out, "%*s%s%*s", width > 0 ? spaces : 0, "", text, width < 0 ? spaces : 0, "");
}
