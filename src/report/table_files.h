/* table_files.h — a report's tables for other programs: FOLDER/tables/ holds success and accuracy laid out like the
 * page's, as CSV and as LaTeX (booktabs), and cells.csv, a row a cell with every factor and every metric. */
#ifndef TC_REPORT_TABLE_FILES_H
#define TC_REPORT_TABLE_FILES_H

#include "report/grid.h"

tc_status tc_table_files_write(const char *folder, const tc_grid *grid, tc_error *error);

#endif
