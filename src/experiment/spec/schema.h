/* schema.h — which keys a spec may have: a tree generated from the option tables of the program, the only place where
 * options are listed. libcyaml reads a file by it, `--set` looks names up in it, and both name the nearest key where
 * somebody has mistyped one. */
#ifndef TC_EXPERIMENT_SPEC_SCHEMA_H
#define TC_EXPERIMENT_SPEC_SCHEMA_H

#include "base/option.h"

#include <cyaml/cyaml.h>

typedef struct tc_section tc_section;

typedef struct tc_key {
    const char *name;
    tc_section *section; /* of a section or of a list's entries; NULL: a plain value */
    bool list;           /* a list of sections */
    bool file_only;      /* about files, not about the study: no --set, no sweep */
    bool foreign;        /* skipped by libcyaml and read by a room of its own: sweep.h … */
    bool verbatim;       /* … or verbatim.h: whatever YAML stands there, as one text */
} tc_key;

/* libcyaml loads a section as an array of slots, one a key. */
typedef struct tc_slot {
    void *value;      /* text, the section's slots, or the list's entries' slots back to back; NULL: not given */
    uint32_t entries; /* of a list */
} tc_slot;

struct tc_section {
    tc_key *key; /* [count] */
    size_t count;
    cyaml_schema_field_t *field; /* [count + 1]: the same for libcyaml */
    cyaml_schema_value_t value;
};

/* The whole spec's tree; free with tc_schema_free. */
tc_status tc_schema_create(tc_section **root, tc_error *error);
void tc_schema_free(tc_section *section);

const tc_key *tc_section_find(const tc_section *section, const char *name);
/* The key nearest to a mistyped one, or NULL. */
const char *tc_section_nearest(const tc_section *section, const char *name);
/* All keys, "name, seed, …", for a message. */
void tc_section_names(const tc_section *section, char *text, size_t size);

#endif
