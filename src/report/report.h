/* report.h — what a study found, for people: a table on the terminal, and one HTML page that needs nothing but itself.
 *
 * Both are made from results.json (and the pictures beside it) alone, so a report can be rebuilt anywhere and later. */
#ifndef TC_REPORT_REPORT_H
#define TC_REPORT_REPORT_H

#include "base/error.h"

#include <jansson.h>
#include <stdio.h>

/* FOLDER/results.json, checked to be of a kind that this program can read. */
tc_status tc_report_read(const char *folder, json_t **results, tc_error *error);
/* Cell by cell: success, accuracies, trials, seconds. */
tc_status tc_report_table(const json_t *results, FILE *out, tc_error *error);
/* Writes FOLDER/report.html and the tables of FOLDER/tables/ (table_files.h). */
tc_status tc_report_write(const char *folder, const json_t *results, tc_error *error);

#endif
