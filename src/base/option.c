/* option.c — one table, five uses: parse, default, print, describe, suggest.
 *
 * Each option type is one row of `types`: how it reads text, how it prints itself and how its range is said. */
#include "base/option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 64, LONGEST_RANGE = 512 };

/* ---- what a value may be, in words: for messages and for the documentation ---- */

static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...) {
    const size_t used = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + used, size - used, format, list);
    va_end(list);
}

static bool bounded(double limit) {
    return fabs(limit) < 1e300;
}

static void numeric_range(const tc_option *option, char *text, size_t size) {
    const bool low = bounded(option->low), high = bounded(option->high);
    if (low && high && option->open_low)
        append(text, size, "above %.15g … %.15g", option->low, option->high);
    else if (low && high)
        append(text, size, "%.15g … %.15g", option->low, option->high);
    else if (low)
        append(text, size, "%s %.15g", option->open_low ? "above" : "at least", option->low);
    else if (high)
        append(text, size, "at most %.15g", option->high);
    else
        append(text, size, "finite");
    if (*option->unit) append(text, size, " (%s)", option->unit);
}

static void bool_range(const tc_option *option, char *text, size_t size) {
    (void)option;
    append(text, size, "true or false");
}

static size_t room_of(const tc_option *option) {
    return option->type == TC_OPTION_LIST ? (size_t)option->high : TC_TEXT_SIZE;
}

static void text_range(const tc_option *option, char *text, size_t size) {
    append(text, size, "shorter than %zu bytes", room_of(option));
}

static void choice_range(const tc_option *option, char *text, size_t size) {
    for (int i = 0; option->choices[i]; i++) append(text, size, "%s%s", i ? ", " : "", option->choices[i]);
}

/* ---- from text ---- */

/* strtod and strtoll also take blanks, hexadecimal, "inf" and "nan"; a spec must not. */
static bool only(const char *text, const char *letters) {
    return *text && strspn(text, letters) == strlen(text);
}

static bool in_range(const tc_option *option, double value) {
    return (option->open_low ? value > option->low : value >= option->low) && value <= option->high;
}

static bool read_bool(const tc_option *option, const char *text, void *field) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    (void)option;
    for (int i = 0; i < 6; i++) {
        if (strcmp(text, words[i])) continue;
        const bool value = i & 1;
        memcpy(field, &value, sizeof value);
        return true;
    }
    return false;
}

static bool read_int(const tc_option *option, const char *text, void *field) {
    char *end = NULL;
    if (!only(text, "+-0123456789")) return false;
    errno = 0;
    const int64_t value = strtoll(text, &end, 10);
    if (errno || *end || !in_range(option, (double)value)) return false;
    memcpy(field, &value, sizeof value);
    return true;
}

static bool read_real(const tc_option *option, const char *text, void *field) {
    char *end = NULL;
    if (!only(text, "+-.eE0123456789")) return false;
    const double value = strtod(text, &end);
    if (*end || end == text || !isfinite(value) || !in_range(option, value)) return false;
    memcpy(field, &value, sizeof value);
    return true;
}

static bool read_text(const tc_option *option, const char *text, void *field) {
    const size_t length = strlen(text);
    if (length >= room_of(option)) return false;
    memcpy(field, text, length + 1);
    return true;
}

static bool read_choice(const tc_option *option, const char *text, void *field) {
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(text, option->choices[i])) continue;
        memcpy(field, &i, sizeof i);
        return true;
    }
    return false;
}

/* ---- to text ---- */

static void print_bool(const tc_option *option, const void *field, char *text, size_t size) {
    (void)option;
    bool value;
    memcpy(&value, field, sizeof value);
    snprintf(text, size, "%s", value ? "true" : "false");
}

static void print_int(const tc_option *option, const void *field, char *text, size_t size) {
    (void)option;
    int64_t value;
    memcpy(&value, field, sizeof value);
    snprintf(text, size, "%" PRId64, value);
}

/* The shortest decimal that reads back as the same number, so that 0.1 is shown as the user wrote it. */
static void print_real(const tc_option *option, const void *field, char *text, size_t size) {
    (void)option;
    double value;
    memcpy(&value, field, sizeof value);
    for (int digits = 1; digits <= 17; digits++) {
        char shortest[32];
        snprintf(shortest, sizeof shortest, "%.*g", digits, value);
        if (digits < 17 && strtod(shortest, NULL) != value) continue;
        snprintf(text, size, "%s", shortest);
        return;
    }
}

static void print_text(const tc_option *option, const void *field, char *text, size_t size) {
    (void)option;
    snprintf(text, size, "%s", (const char *)field);
}

static void print_choice(const tc_option *option, const void *field, char *text, size_t size) {
    int value;
    memcpy(&value, field, sizeof value);
    snprintf(text, size, "%s", option->choices[value]);
}

static const struct {
    const char *name;  /* in descriptions */
    const char *wants; /* in messages: "must be WANTS RANGE" */
    bool (*read)(const tc_option *option, const char *text, void *field);
    void (*print)(const tc_option *option, const void *field, char *text, size_t size);
    void (*range)(const tc_option *option, char *text, size_t size);
} types[] = {
    [TC_OPTION_BOOL] = {"yes/no", "", read_bool, print_bool, bool_range},
    [TC_OPTION_INT] = {"whole number", "a whole number, ", read_int, print_int, numeric_range},
    [TC_OPTION_REAL] = {"number", "a number, ", read_real, print_real, numeric_range},
    [TC_OPTION_TEXT] = {"text", "", read_text, print_text, text_range},
    [TC_OPTION_CHOICE] = {"one of", "one of ", read_choice, print_choice, choice_range},
    [TC_OPTION_LIST] = {"list", "", read_text, print_text, text_range},
};

/* ---- the table's own calls ---- */

const tc_option *tc_option_find(const tc_option *table, const char *name) {
    for (; table->name; table++)
        if (!strcmp(table->name, name)) return table;
    return NULL;
}

void tc_option_format(const tc_option *option, const void *object, char *text, size_t size) {
    types[option->type].print(option, (const char *)object + option->offset, text, size);
}

/* Says what is wrong and what would be right. A number that is merely out of range is not told that it is no number. */
static tc_status refuse(const tc_option *option, const char *text, tc_error *error) {
    char range[LONGEST_RANGE] = "";
    types[option->type].range(option, range, sizeof range);
    if (option->type == TC_OPTION_TEXT || option->type == TC_OPTION_LIST)
        return tc_raise(error, TC_INVALID, "%s is %zu bytes long; must be %s", option->name, strlen(text), range);
    const char *near = option->type == TC_OPTION_CHOICE ? tc_nearest(text, option->choices) : NULL;
    if (near) {
        return tc_raise(error, TC_INVALID, "%s is '%.64s'; did you mean '%s'? It must be one of %s", option->name, text,
                        near, range);
    }
    const bool number = only(text, option->type == TC_OPTION_INT ? "+-0123456789" : "+-.eE0123456789");
    const bool numeric = option->type == TC_OPTION_INT || option->type == TC_OPTION_REAL;
    if (numeric && number) {
        char *end = NULL;
        (void)strtod(text, &end);
        if (!*end) return tc_raise(error, TC_INVALID, "%s is %.64s; must be %s", option->name, text, range);
    }
    return tc_raise(error, TC_INVALID, "%s is '%.64s'; must be %s%s", option->name, text, types[option->type].wants,
                    range);
}

static tc_status refuse_name(const tc_option *table, const char *name, tc_error *error) {
    const char *words[256] = {NULL};
    char known[LONGEST_RANGE] = "";
    for (int i = 0; i < 255 && table[i].name; i++) {
        words[i] = table[i].name;
        append(known, sizeof known, "%s%s", i ? ", " : "", table[i].name);
    }
    const char *near = tc_nearest(name, words);
    if (near) return tc_raise(error, TC_INVALID, "unknown option '%.64s'; did you mean '%s'?", name, near);
    if (!*known) return tc_raise(error, TC_INVALID, "unknown option '%.64s'; there are no options here", name);
    return tc_raise(error, TC_INVALID, "unknown option '%.64s'; known are %s", name, known);
}

tc_status tc_options_set(const tc_option *table, void *object, const char *name, const char *text, tc_error *error) {
    const tc_option *option = tc_option_find(table, name);
    if (!option) return refuse_name(table, name, error);
    if (types[option->type].read(option, text, (char *)object + option->offset)) return TC_OK;
    return refuse(option, text, error);
}

tc_status tc_options_assign(const tc_option *table, void *object, const char *assignment, tc_error *error) {
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return tc_raise(error, TC_INVALID, "'%.64s' is no assignment; write NAME=VALUE", assignment);
    char name[LONGEST_WORD + 1];
    snprintf(name, sizeof name, "%.*s", (int)(equals - assignment < LONGEST_WORD ? equals - assignment : LONGEST_WORD),
             assignment);
    return tc_options_set(table, object, name, equals + 1, error);
}

void tc_options_default(const tc_option *table, void *object) {
    for (; table->name; table++) {
        tc_error error = {0};
        if (tc_options_set(table, object, table->name, table->fallback, &error) == TC_OK) continue;
        fprintf(stderr, "tocsin: a built-in default does not parse: %s\n", error.message);
        abort();
    }
}

void tc_options_describe(const tc_option *table, FILE *out) {
    for (; table->name; table++) {
        char range[LONGEST_RANGE] = "";
        if (table->type != TC_OPTION_TEXT && table->type != TC_OPTION_LIST && table->type != TC_OPTION_BOOL)
            types[table->type].range(table, range, sizeof range);
        fprintf(out, "  %s (%s%s%s) = %s  %s\n", table->name, types[table->type].name,
                *range ? (table->type == TC_OPTION_CHOICE ? " " : ", ") : "", range, table->fallback, table->help);
    }
}

/* ---- suggestions ---- */

static int smallest(int a, int b) {
    return a < b ? a : b;
}

/* Edit distance with swapped neighbours counted once (optimal string alignment), capitals ignored. */
static int distance(const char *a, const char *b) {
    const int rows = (int)strnlen(a, LONGEST_WORD), columns = (int)strnlen(b, LONGEST_WORD);
    int d[LONGEST_WORD + 1][LONGEST_WORD + 1];
    for (int i = 0; i <= rows; i++) d[i][0] = i;
    for (int j = 0; j <= columns; j++) d[0][j] = j;
    for (int i = 1; i <= rows; i++) {
        for (int j = 1; j <= columns; j++) {
            const int p = tolower((unsigned char)a[i - 1]), q = tolower((unsigned char)b[j - 1]);
            d[i][j] = smallest(d[i - 1][j - 1] + (p != q), 1 + smallest(d[i - 1][j], d[i][j - 1]));
            const bool swapped =
                i > 1 && j > 1 && p == tolower((unsigned char)b[j - 2]) && q == tolower((unsigned char)a[i - 2]);
            if (swapped) d[i][j] = smallest(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[rows][columns];
}

const char *tc_nearest(const char *word, const char *const *words) {
    const size_t length = strlen(word);
    if (!length || length > LONGEST_WORD) return NULL;
    int best = 1 + (int)length / 3; /* further away it is another word, not a slip */
    const char *nearest = NULL;
    for (; *words; words++) {
        const int d = distance(word, *words);
        if (d > best || d >= (int)length || (nearest && d == best)) continue;
        best = d;
        nearest = *words;
    }
    return nearest;
}
