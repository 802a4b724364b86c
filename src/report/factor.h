/* factor.h — the factors that tell cells apart (ε, the share poisoned, ρ, epochs, …), as people write them. */
#ifndef TC_REPORT_FACTOR_H
#define TC_REPORT_FACTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { TC_FACTOR_TEXT = 96 };

/* A cell's value of a factor: by its whole dotted name or, where the cell has none such, by its last part. NULL: none.
 */
const json_t *tc_factor_of(const json_t *cell, const char *name);

typedef enum tc_notation { TC_PLAIN, TC_LATEX } tc_notation;
/* "ε", "victim: epochs" */
void tc_factor_title(const char *name, tc_notation notation, char *text, size_t size);
/* The title of an axis, "share poisoned (%)"; returns what the values are multiplied with on it. */
double tc_factor_axis(const char *name, char *text, size_t size);
/* "16/255", "1 %", "0.05", "resnet18"; "–" where value is NULL. LaTeX's special characters are escaped. */
void tc_factor_value(const char *name, const json_t *value, tc_notation notation, char *text, size_t size);

/* The values that the cells have, in the cells' order and without repetition: "4/255, 8/255 or 16/255"; of many numbers
 * "0.1 % to 1.1 %". */
void tc_factor_values(const json_t *cells, const char *name, char *text, size_t size);

/* Any text as LaTeX. */
void tc_latex_text(const char *from, char *text, size_t size);

#endif
