/* csv.h — tables of numbers and plain words, one row a line, cells between commas. Cells in quotes are refused: nothing
 * that is read here needs them. What is written here may hold anything, and is quoted where it must be.
 *
 *     while (tc_csv_row(&csv))
 *         for (const char *cell; (cell = tc_csv_cell(&csv));) …
 */
#ifndef TC_BASE_CSV_H
#define TC_BASE_CSV_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct tc_csv {
    const char *path; /* for messages */
    size_t line;      /* of the row, from 1 */
    uint8_t *bytes;
    size_t size;
    char *next_row, *next_cell;
} tc_csv;

tc_status tc_csv_open(const char *path, size_t limit, tc_csv *csv, tc_error *error);
void tc_csv_close(tc_csv *csv);
bool tc_csv_row(tc_csv *csv);         /* goes to the next row that is not empty; false at the end */
const char *tc_csv_cell(tc_csv *csv); /* the row's next cell without spaces around it; NULL after the last */

/* A cell as a whole number between low and high, or as a finite one; the message names file and line. */
tc_status tc_csv_int(const tc_csv *csv, const char *cell, const char *what, int64_t low, int64_t high, int64_t *value,
                     tc_error *error);
tc_status tc_csv_real(const tc_csv *csv, const char *cell, const char *what, double *value, tc_error *error);

enum { TC_CSV_NUMBER = 32 };
/* A number for a cell, in the fewest digits that read back as the same one; "" where it is none. Returns text. */
const char *tc_csv_number(double value, char text[TC_CSV_NUMBER]);
/* A cell of a table that is written: in quotes where a comma, a quotation mark or a line's end stands in it. */
void tc_csv_put(FILE *out, const char *text);

#endif
