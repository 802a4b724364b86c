/* option.h — typed options: the one table from which the YAML reader, `--set`, `tocsin list`, the JSON Schema and the
 * documentation of a method, a model or an optimiser all come.
 *
 * A table describes the fields of a C struct:
 *
 *     typedef struct { int steps; double epsilon; } budget;
 *     static const tc_option options[] = {
 *         TC_INT(budget, steps, 250, 1, 1e9, "steps", "optimisation steps (Witches' Brew: 250)"),
 *         TC_REAL(budget, epsilon, 16, 0, 255, "1/255", "largest change of a pixel"),
 *         TC_OPTIONS_END};
 */
#ifndef TC_BASE_OPTION_H
#define TC_BASE_OPTION_H

#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>

enum { TC_TEXT_SIZE = 1024 };

typedef enum tc_option_type {
    TC_OPTION_BOOL,   /* bool */
    TC_OPTION_INT,    /* int64_t */
    TC_OPTION_REAL,   /* double */
    TC_OPTION_TEXT,   /* char[TC_TEXT_SIZE] */
    TC_OPTION_CHOICE, /* int: index into choices */
    TC_OPTION_LIST,   /* char[high]: a YAML list, or what else YAML has, as text */
} tc_option_type;

typedef struct tc_option {
    const char *name; /* NULL ends a table */
    tc_option_type type;
    size_t offset;              /* of the field in its struct */
    double low, high;           /* closed range of INT and REAL; LIST: high is the field's size */
    bool open_low;              /* the range excludes `low` itself: rho > 0 */
    const char *const *choices; /* CHOICE: NULL-terminated names */
    const char *fallback;       /* default, as the user would write it */
    const char *unit;           /* "" for none */
    const char *help;           /* one line; names the source of the default */
} tc_option;

#define TC_BOOL(type, field, fallback, help)                                                                           \
    { #field, TC_OPTION_BOOL, offsetof(type, field), 0, 1, false, NULL, fallback, "", help }
#define TC_INT(type, field, fallback, low, high, unit, help)                                                           \
    { #field, TC_OPTION_INT, offsetof(type, field), low, high, false, NULL, #fallback, unit, help }
#define TC_REAL(type, field, fallback, low, high, unit, help)                                                          \
    { #field, TC_OPTION_REAL, offsetof(type, field), low, high, false, NULL, #fallback, unit, help }
#define TC_REAL_ABOVE(type, field, fallback, low, high, unit, help)                                                    \
    { #field, TC_OPTION_REAL, offsetof(type, field), low, high, true, NULL, #fallback, unit, help }
#define TC_TEXT(type, field, fallback, help)                                                                           \
    { #field, TC_OPTION_TEXT, offsetof(type, field), 0, 0, false, NULL, fallback, "", help }
#define TC_CHOICE(type, field, fallback, names, help)                                                                  \
    { #field, TC_OPTION_CHOICE, offsetof(type, field), 0, 0, false, names, fallback, "", help }
#define TC_LIST(type, field, fallback, help)                                                                           \
    { #field, TC_OPTION_LIST, offsetof(type, field), 0, sizeof(((type *)0)->field), false, NULL, fallback, "", help }
#define TC_OPTIONS_END                                                                                                 \
    { .name = NULL }

/* Every field of `object` := its default. The tables are the program's own: a default that does not parse aborts. */
void tc_options_default(const tc_option *table, void *object);

/* One field from text. Unknown names are refused with the nearest known one; values with the range and the unit.
 * The message starts with the option's name, so the caller prefixes file and line (tc_error_at). */
tc_status tc_options_set(const tc_option *table, void *object, const char *name, const char *text, tc_error *error);

/* "NAME=VALUE", as the command line gives it. */
tc_status tc_options_assign(const tc_option *table, void *object, const char *assignment, tc_error *error);

const tc_option *tc_option_find(const tc_option *table, const char *name);
/* The value of one field as the user would write it, cut off where `text` is too short. */
void tc_option_format(const tc_option *option, const void *object, char *text, size_t size);
/* Lines of "  name (type, range, unit) = default  help". */
void tc_options_describe(const tc_option *table, FILE *out);

/* The word of a NULL-terminated list nearest to `word` by edit distance, or NULL where none is near. */
const char *tc_nearest(const char *word, const char *const *words);

#endif
