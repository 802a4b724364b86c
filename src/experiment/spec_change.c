#include "experiment/spec_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_PATH = 512, LONGEST_NAMES = 512, MOST_ENTRIES = 1000 };

/* The first entry of list `path` whose label (or, failing that, name or model) is `word`; 0: none. */
static int entry_called(const tc_settings *settings, const char *path, const char *word) {
    static const char *const keys[] = {"label", "name", "model"};
    enum { KEYS = sizeof keys / sizeof *keys };
    const int entries = tc_settings_entries(settings, path);
    for (int k = 0; k < KEYS; k++) {
        for (int i = 1; i <= entries; i++) {
            char key[LONGEST_PATH];
            snprintf(key, sizeof key, "%s.%d.%s", path, i, keys[k]);
            const char *text = tc_settings_text(settings, key);
            if (text && !strcmp(text, word)) return i;
        }
    }
    return 0;
}

/* Which entry of list `path` is meant by "2" or "SAPA". */
static tc_status choose_entry(const tc_settings *settings, const char *path, const char *word, int *entry,
                              tc_error *error) {
    const int entries = tc_settings_entries(settings, path);
    *entry = entry_called(settings, path, word);
    if (*entry) return TC_OK;
    const size_t length = strlen(word);
    const bool number = length > 0 && length < 6 && strspn(word, "0123456789") == length;
    if (number) *entry = atoi(word);
    if (*entry >= 1 && *entry <= entries + 1 && *entry <= MOST_ENTRIES) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "--set: %s.%.64s: is none of the %d there; give a number from 1 to %d or a label", path, word,
                    entries, entries + 1);
}

static tc_status unknown(const tc_section *section, const char *path, const char *name, tc_error *error) {
    char known[LONGEST_NAMES] = "";
    const char *dot = *path ? "." : "", *near = tc_section_nearest(section, name);
    if (near)
        return tc_raise(error, TC_INVALID, "--set: %s%s%.64s: unknown key; did you mean '%s'?", path, dot, name, near);
    tc_section_names(section, known, sizeof known);
    return tc_raise(error, TC_INVALID, "--set: %s%s%.64s: unknown key; known here are %s", path, dot, name, known);
}

/* *word := the text up to the next dot, cut off in place; the rest, or NULL at the end. */
static char *cut(char *rest, char **word) {
    *word = rest;
    char *dot = rest ? strchr(rest, '.') : NULL;
    if (!dot) return NULL;
    *dot = '\0';
    return dot + 1;
}

static bool extend(char *path, const char *name) {
    const size_t length = strlen(path);
    const int wrote = snprintf(path + length, LONGEST_PATH - length, "%s%s", length ? "." : "", name);
    return wrote >= 0 && (size_t)wrote < LONGEST_PATH - length;
}

/* path := the canonical form of `key` (labels replaced by numbers), which must be that of a plain value. */
static tc_status resolve(const tc_section *section, const tc_settings *settings, char *key, char path[LONGEST_PATH],
                         tc_error *error) {
    char *word = NULL;
    path[0] = '\0';
    for (char *rest = key; rest;) {
        rest = cut(rest, &word);
        const tc_key *found = tc_section_find(section, word);
        if (!found) return unknown(section, path, word, error);
        if (!extend(path, word)) return tc_raise(error, TC_INVALID, "--set: key too long; see docs/spec.md");
        if (!found->section && rest)
            return tc_raise(error, TC_INVALID, "--set: %s: is one value; leave '.%.64s' away", path, rest);
        if (!found->section) return TC_OK;
        section = found->section;
        if (!found->list || !rest) continue;
        char number[16];
        int entry = 0;
        rest = cut(rest, &word);
        const tc_status status = choose_entry(settings, path, word, &entry, error);
        if (status != TC_OK) return status;
        snprintf(number, sizeof number, "%d", entry);
        if (!extend(path, number)) return tc_raise(error, TC_INVALID, "--set: key too long; see docs/spec.md");
    }
    char known[LONGEST_NAMES] = "";
    tc_section_names(section, known, sizeof known);
    return tc_raise(error, TC_INVALID, "--set: %s: is a section; add one of its keys: %s", path, known);
}

tc_status tc_spec_change(const tc_section *schema, tc_settings *settings, const char *assignment, tc_error *error) {
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return tc_raise(error, TC_INVALID, "--set: '%.64s' is no assignment; write KEY=VALUE", assignment);
    char key[LONGEST_PATH], path[LONGEST_PATH];
    if ((size_t)(equals - assignment) >= sizeof key)
        return tc_raise(error, TC_INVALID, "--set: key too long; see docs/spec.md");
    snprintf(key, sizeof key, "%.*s", (int)(equals - assignment), assignment);
    const tc_status status = resolve(schema, settings, key, path, error);
    return status == TC_OK ? tc_settings_put(settings, path, equals + 1, "--set", error) : status;
}
