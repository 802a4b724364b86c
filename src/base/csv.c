#include "base/csv.h"

#include "base/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tc_status tc_csv_open(const char *path, size_t limit, tc_csv *csv, tc_error *error) {
    *csv = (tc_csv){.path = path};
    tc_status status = tc_file_read(path, limit, &csv->bytes, &csv->size, error);
    if (status != TC_OK) return status;
    const size_t size = csv->size;
    csv->next_row = (char *)csv->bytes;
    if (size >= 3 && !memcmp(csv->bytes, "\xEF\xBB\xBF", 3)) csv->next_row += 3; /* a spreadsheet's mark */
    if (strlen((char *)csv->bytes) == size && !memchr(csv->bytes, '"', size)) return TC_OK;
    tc_csv_close(csv);
    return tc_raise(error, TC_INVALID, "%s: no plain CSV; write numbers and words between commas, without quotes",
                    path);
}

void tc_csv_close(tc_csv *csv) {
    free(csv->bytes);
    *csv = (tc_csv){.path = csv->path};
}

static char *trim(char *text) {
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length && strchr(" \t\r", text[length - 1])) length--;
    text[length] = 0;
    return text;
}

bool tc_csv_row(tc_csv *csv) {
    while (csv->next_row) {
        char *row = csv->next_row, *end = strchr(row, '\n');
        if (end) *end = 0;
        csv->next_row = end ? end + 1 : NULL;
        csv->line++;
        csv->next_cell = trim(row);
        if (*csv->next_cell) return true;
    }
    csv->next_cell = NULL;
    return false;
}

const char *tc_csv_cell(tc_csv *csv) {
    char *cell = csv->next_cell;
    if (!cell) return NULL;
    char *comma = strchr(cell, ',');
    if (comma) *comma = 0;
    csv->next_cell = comma ? comma + 1 : NULL;
    return trim(cell);
}

tc_status tc_csv_int(const tc_csv *csv, const char *cell, const char *what, int64_t low, int64_t high, int64_t *value,
                     tc_error *error) {
    char *end = NULL;
    errno = 0;
    *value = cell ? strtoll(cell, &end, 10) : 0;
    if (cell && *cell && !*end && !errno && *value >= low && *value <= high) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s:%zu: %s is '%.40s'; must be a whole number, %lld … %lld", csv->path,
                    csv->line, what, cell ? cell : "", (long long)low, (long long)high);
}

tc_status tc_csv_real(const tc_csv *csv, const char *cell, const char *what, double *value, tc_error *error) {
    char *end = NULL;
    *value = cell ? strtod(cell, &end) : NAN;
    if (cell && *cell && !*end && isfinite(*value)) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s:%zu: %s is '%.40s'; must be a finite number", csv->path, csv->line, what,
                    cell ? cell : "");
}

const char *tc_csv_number(double value, char text[TC_CSV_NUMBER]) {
    text[0] = '\0';
    for (int digits = 15; isfinite(value) && digits <= 17; digits++) {
        snprintf(text, TC_CSV_NUMBER, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    return text;
}

void tc_csv_put(FILE *out, const char *text) {
    const bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted) fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    if (quoted) fputc('"', out);
}
