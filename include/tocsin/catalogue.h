/* catalogue.h — what the library knows by name, and which settings each takes: the tables by which it works. */
#ifndef TOCSIN_CATALOGUE_H
#define TOCSIN_CATALOGUE_H

#include "tocsin/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tocsin_kind {
    TOCSIN_ATTACKS,
    TOCSIN_MODELS,
    TOCSIN_DATASETS,
    TOCSIN_TRAIN_SETTINGS,  /* one entry: tocsin_train's settings */
    TOCSIN_THREAT_SETTINGS, /* one entry: tocsin_threat_draw's */
    TOCSIN_DEFENCES,
} tocsin_kind;

/* All texts are the library's and live as long as it does. */
typedef struct tocsin_entry {
    const char *name;    /* "gradient-matching" */
    const char *form;    /* how it is written: of a dataset "idx:FOLDER", of a defence what it is, "none", "filter" or
                            "training" (defence.h), of others the name */
    const char *summary; /* one line */
    const char *source;  /* the paper; "" where the summary says it */
} tocsin_entry;

typedef enum tocsin_option_type {
    TOCSIN_OPTION_BOOL, /* true or false */
    TOCSIN_OPTION_INT,
    TOCSIN_OPTION_REAL,
    TOCSIN_OPTION_TEXT,
    TOCSIN_OPTION_CHOICE,
    TOCSIN_OPTION_LIST, /* a YAML list, in one text */
} tocsin_option_type;

typedef struct tocsin_option {
    const char *name;
    tocsin_option_type type;
    double low, high;           /* closed range of INT and REAL */
    bool open_low;              /* the range excludes `low` itself */
    const char *const *choices; /* of CHOICE, the last NULL; else NULL */
    const char *fallback;       /* the default, as it would be written */
    const char *unit;           /* "" for none */
    const char *help;           /* one line; names the source of the default */
} tocsin_option;

/* How many there are of a kind, and number i = 0 …; false, and *entry is left alone, past the end. */
TOCSIN_API size_t tocsin_list_count(tocsin_kind kind);
TOCSIN_API bool tocsin_list(tocsin_kind kind, size_t i, tocsin_entry *entry);
/* The same for the settings of entry `i`. */
TOCSIN_API size_t tocsin_option_count(tocsin_kind kind, size_t i);
TOCSIN_API bool tocsin_option_list(tocsin_kind kind, size_t i, size_t j, tocsin_option *option);

#ifdef __cplusplus
}
#endif
#endif
