/* file.c — libcyaml checks the structure against the generated schema and loads it; what it says about an error on
 * its log is turned into one line with a path, the line and the nearest known key. */
#include "experiment/spec/file.h"

#include "base/file.h"
#include "experiment/spec/lines.h"
#include "experiment/spec/verbatim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 1 << 20, LONGEST_PATH = 512, LONGEST_NAMES = 512 };

/* ---- what libcyaml says when it refuses: the reason, then a backtrace from the inside out ---- */

typedef struct complaint {
    char reason[256];
    char path[LONGEST_PATH];
    int line; /* of the innermost place; 0: none was named */
} complaint;

static void prepend(char *path, const char *name) {
    char longer[LONGEST_PATH];
    const int wrote = snprintf(longer, sizeof longer, "%s%s%s", name, *path ? "." : "", path);
    if (wrote > 0 && (size_t)wrote < sizeof longer) memcpy(path, longer, (size_t)wrote + 1);
}

__attribute__((format(printf, 3, 0))) static void listen(cyaml_log_t level, void *context, const char *format,
                                                         va_list list) {
    complaint *heard = context;
    char text[512], name[256];
    int line = 0;
    vsnprintf(text, sizeof text, format, list);
    if (level < CYAML_LOG_ERROR) return;
    const bool field = sscanf(text, "  in mapping field '%255[^']' (line: %d", name, &line) == 2;
    const bool entry = !field && sscanf(text, "  in sequence entry '%255[^']' (line: %d", name, &line) == 2;
    if (field || entry) {
        prepend(heard->path, name);
        if (!heard->line) heard->line = line;
    } else if (!strncmp(text, "Load: ", 6) && !*heard->reason) {
        snprintf(heard->reason, sizeof heard->reason, "%.*s", (int)strcspn(text + 6, "\n"), text + 6);
    }
}

/* The section of a path: "attacks.2" is that of the list's entries. */
static const tc_section *section_at(const tc_section *section, const char *path) {
    char name[LONGEST_PATH];
    while (*path) {
        const size_t length = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        path += length + (path[length] == '.');
        if (strspn(name, "0123456789") == strlen(name)) continue; /* an entry of the list that has just been entered */
        const tc_key *key = tc_section_find(section, name);
        if (!key || !key->section) return NULL;
        section = key->section;
    }
    return section;
}

static tc_status unknown_key(const char *file, const tc_section *schema, const tc_lines *lines, const complaint *heard,
                             const char *key, tc_error *error) {
    char path[2 * LONGEST_PATH], known[LONGEST_NAMES] = "";
    snprintf(path, sizeof path, "%s%s%s", heard->path, *heard->path ? "." : "", key);
    const tc_section *section = section_at(schema, heard->path);
    const char *near = section ? tc_section_nearest(section, key) : NULL;
    const int line = tc_lines_find(lines, path);
    if (near) return tc_raise(error, TC_INVALID, "%s:%d: %s: unknown key; did you mean '%s'?", file, line, path, near);
    if (section) tc_section_names(section, known, sizeof known);
    return tc_raise(error, TC_INVALID, "%s:%d: %s: unknown key; known here are %s", file, line, path, known);
}

/* "Expecting MAPPING, got event: SCALAR", in words. */
static tc_status wrong_kind(const char *file, const complaint *heard, const char *expected, const char *got,
                            tc_error *error) {
    static const struct {
        const char *cyaml, *word;
    } words[] = {{"STRING", "one value"},      {"MAPPING", "a section (key: value)"}, {"SEQUENCE", "a list"},
                 {"SCALAR", "a single value"}, {"MAPPING_START", "a section"},        {"SEQUENCE_START", "a list"}};
    const char *want = expected, *have = got;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i].cyaml, expected)) want = words[i].word;
        if (!strcmp(words[i].cyaml, got)) have = words[i].word;
    }
    const int line = heard->line ? heard->line : 1;
    if (!*heard->path) {
        return tc_raise(error, TC_INVALID, "%s:%d: holds %s; a spec is %s, see docs/spec.md", file, line, have, want);
    }
    return tc_raise(error, TC_INVALID, "%s:%d: %s: is %s; must be %s", file, line, heard->path, have, want);
}

static tc_status refuse(const char *file, const tc_section *schema, const tc_lines *lines, const complaint *heard,
                        cyaml_err_t code, tc_error *error) {
    char first[64] = "", second[64] = "";
    const char *reason = *heard->reason ? heard->reason : cyaml_strerror(code);
    if (code == CYAML_ERR_OOM) return tc_raise(error, TC_FAILED, "%s: memory: none left to read it; free some", file);
    static const char unknown[] = "Unexpected key: ";
    if (!strncmp(reason, unknown, sizeof unknown - 1))
        return unknown_key(file, schema, lines, heard, reason + sizeof unknown - 1, error);
    if (sscanf(reason, "Expecting %63[^,], got event: %63s", first, second) == 2)
        return wrong_kind(file, heard, first, second, error);
    return tc_raise(error, TC_INVALID, "%s:%d: %s%s%s; see docs/spec.md for what may stand there", file,
                    heard->line ? heard->line : 1, heard->path, *heard->path ? ": " : "", reason);
}

/* ---- from libcyaml's slots to settings ---- */

typedef struct collector {
    const char *file;
    const tc_lines *lines;
    tc_settings *settings;
} collector;

static tc_status collect(const collector *c, const tc_section *section, const tc_slot *slots, const char *path,
                         tc_error *error);

static tc_status collect_key(const collector *c, const tc_key *key, const tc_slot *slot, const char *path,
                             tc_error *error) {
    char below[LONGEST_PATH], where[LONGEST_PATH + 256];
    tc_status status = TC_OK;
    snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", key->name);
    if (!key->section) {
        snprintf(where, sizeof where, "%s:%d", c->file, tc_lines_find(c->lines, below));
        return tc_settings_put(c->settings, below, slot->value, where, error);
    }
    if (!key->list) return collect(c, key->section, slot->value, below, error);
    for (uint32_t i = 0; i < slot->entries && status == TC_OK; i++) {
        char entry[LONGEST_PATH + 16];
        snprintf(entry, sizeof entry, "%s.%u", below, i + 1);
        const tc_slot *slots = slot->value;
        const size_t before = c->settings->count;
        status = collect(c, key->section, slots + i * key->section->count, entry, error);
        if (status == TC_OK && c->settings->count == before) /* else nothing would tell that it was there */
            status = tc_raise(error, TC_INVALID, "%s:%d: %s: is empty; give it a name or remove it", c->file,
                              tc_lines_find(c->lines, entry), entry);
    }
    return status;
}

/* A list without entries would pass for one that was not given. */
static tc_status refuse_empty_list(const collector *c, const tc_key *key, const char *path, tc_error *error) {
    char below[2 * LONGEST_PATH];
    snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", key->name);
    const int line = tc_lines_exactly(c->lines, below);
    if (!line) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s:%d: %s: is empty; give it an entry or remove it", c->file, line, below);
}

static tc_status collect(const collector *c, const tc_section *section, const tc_slot *slots, const char *path,
                         tc_error *error) {
    tc_status status = TC_OK;
    for (size_t i = 0; i < section->count && status == TC_OK; i++) {
        const tc_key *key = &section->key[i];
        if (key->list && !slots[i].entries)
            status = refuse_empty_list(c, key, path, error);
        else if (slots[i].value)
            status = collect_key(c, key, &slots[i], path, error);
    }
    return status;
}

/* ---- the file ---- */

tc_status tc_spec_file_read(const char *path, const tc_section *schema, tc_settings *settings, tc_sweep *sweep,
                            tc_error *error) {
    tc_status status = TC_OK;
    uint8_t *text = NULL;
    size_t size = 0;
    tc_lines lines = {0};
    tc_slot *slots = NULL;
    complaint heard = {0};
    const cyaml_config_t config = {
        .log_fn = listen, .log_ctx = &heard, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR};
    TC_TRY(tc_file_read(path, LARGEST_FILE, &text, &size, error));
    TC_TRY(tc_lines_read(path, (const char *)text, size, &lines, error));
    const cyaml_err_t code = cyaml_load_data(text, size, &config, &schema->value, (cyaml_data_t **)&slots, NULL);
    if (code != CYAML_OK) TC_TRY(refuse(path, schema, &lines, &heard, code, error));
    TC_TRY(tc_sweep_read(path, (const char *)text, size, sweep, error));
    if (slots) TC_TRY(collect(&(collector){path, &lines, settings}, schema, slots, "", error));
    TC_TRY(tc_verbatim_read(path, (const char *)text, size, schema, settings, error));
done:
    if (slots) cyaml_free(&config, &schema->value, slots, 0);
    tc_lines_free(&lines);
    free(text);
    return status;
}
