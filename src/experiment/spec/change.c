#include "experiment/spec/change.h"

#include "experiment/spec/parts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAMES = 512, MOST_ENTRIES = 1000 };

/* The first entry of list `path` whose label (or, failing that, name or model) is `word`; 0: none. */
static int entry_called(const tc_settings *settings, const char *path, const char *word) {
    static const char *const keys[] = {"label", "name", "model"};
    enum { KEYS = sizeof keys / sizeof *keys };
    const int entries = tc_settings_entries(settings, path);
    for (int k = 0; k < KEYS; k++) {
        for (int i = 1; i <= entries; i++) {
            char key[TC_KEY_PATH_SIZE];
            snprintf(key, sizeof key, "%s.%d.%s", path, i, keys[k]);
            const char *text = tc_settings_text(settings, key);
            if (text && !strcmp(text, word)) return i;
        }
    }
    return 0;
}

/* A key on its way to a path. */
typedef struct search {
    const tc_settings *settings;
    const char *where; /* stands before every message */
    char *path;        /* [TC_KEY_PATH_SIZE] as far as it is found */
} search;

static tc_status too_long(const search *s, tc_error *error) {
    return tc_raise(error, TC_INVALID, "%s: key too long; see docs/spec.md", s->where);
}

/* Which entry of the list s->path is meant by "2" or "SAPA". */
static tc_status choose_entry(const search *s, const char *word, int *entry, tc_error *error) {
    const int entries = tc_settings_entries(s->settings, s->path);
    *entry = entry_called(s->settings, s->path, word);
    if (*entry) return TC_OK;
    const size_t length = strlen(word);
    const bool number = length > 0 && length < 6 && strspn(word, "0123456789") == length;
    if (number) *entry = atoi(word);
    if (*entry >= 1 && *entry <= entries + 1 && *entry <= MOST_ENTRIES) return TC_OK;
    if (!strcmp(word, TC_CONTROL) && !strcmp(s->path, "attacks"))
        return tc_raise(error, TC_INVALID, "%s: attacks.%s: the control is added by itself; list it to change it",
                        s->where, word);
    return tc_raise(error, TC_INVALID, "%s: %s.%.64s: is none of the %d there; give a number from 1 to %d or a label",
                    s->where, s->path, word, entries, entries + 1);
}

static tc_status unknown(const search *s, const tc_section *section, const char *name, tc_error *error) {
    char known[LONGEST_NAMES] = "";
    const char *dot = *s->path ? "." : "", *near = tc_section_nearest(section, name);
    if (near)
        return tc_raise(error, TC_INVALID, "%s: %s%s%.64s: unknown key; did you mean '%s'?", s->where, s->path, dot,
                        name, near);
    tc_section_names(section, known, sizeof known);
    return tc_raise(error, TC_INVALID, "%s: %s%s%.64s: unknown key; known here are %s", s->where, s->path, dot, name,
                    known);
}

/* *word := the text up to the next dot, cut off in place; the rest, or NULL at the end. */
static char *cut(char *rest, char **word) {
    *word = rest;
    char *dot = rest ? strchr(rest, '.') : NULL;
    if (!dot) return NULL;
    *dot = '\0';
    return dot + 1;
}

static tc_status extend(const search *s, const char *name, tc_error *error) {
    const size_t length = strlen(s->path);
    const int wrote = snprintf(s->path + length, TC_KEY_PATH_SIZE - length, "%s%s", length ? "." : "", name);
    return wrote >= 0 && (size_t)wrote < TC_KEY_PATH_SIZE - length ? TC_OK : too_long(s, error);
}

/* What `found`, a key that is a plain value, has to say to `rest`, the part of the key behind it. */
static tc_status end_at(const search *s, const tc_key *found, const char *rest, tc_error *error) {
    if (found->file_only)
        return tc_raise(error, TC_INVALID, "%s: %s: stands in a file only; write it there", s->where, s->path);
    if (rest) return tc_raise(error, TC_INVALID, "%s: %s: is one value; leave '.%.64s' away", s->where, s->path, rest);
    return TC_OK;
}

/* s->path grows by the entry that the next word of `*rest` names. */
static tc_status enter_list(const search *s, char **rest, tc_error *error) {
    char number[16], *word = NULL;
    int entry = 0;
    *rest = cut(*rest, &word);
    const tc_status status = choose_entry(s, word, &entry, error);
    if (status != TC_OK) return status;
    snprintf(number, sizeof number, "%d", entry);
    return extend(s, number, error);
}

static tc_status find(const search *s, const tc_section *section, char *key, tc_error *error) {
    char *word = NULL;
    tc_status status = TC_OK;
    for (char *rest = key; rest;) {
        rest = cut(rest, &word);
        const tc_key *found = tc_section_find(section, word);
        if (!found) return unknown(s, section, word, error);
        TC_TRY(extend(s, word, error));
        if (!found->section) return end_at(s, found, rest, error);
        section = found->section;
        if (found->list && rest) TC_TRY(enter_list(s, &rest, error));
    }
    char known[LONGEST_NAMES] = "";
    tc_section_names(section, known, sizeof known);
    return tc_raise(error, TC_INVALID, "%s: %s: is a section; add one of its keys: %s", s->where, s->path, known);
done:
    return status;
}

tc_status tc_spec_find_key(const tc_section *schema, const tc_settings *settings, const char *where, const char *key,
                           char path[TC_KEY_PATH_SIZE], tc_error *error) {
    const search s = {settings, where, path};
    char words[TC_KEY_PATH_SIZE];
    path[0] = '\0';
    if (strlen(key) >= sizeof words) return too_long(&s, error);
    snprintf(words, sizeof words, "%s", key);
    return find(&s, schema, words, error);
}

bool tc_is_text(const char *text) {
    json_t *made = json_string(text);
    json_decref(made);
    return made != NULL;
}

tc_status tc_spec_change(const tc_section *schema, tc_settings *settings, const char *assignment, tc_error *error) {
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return tc_raise(error, TC_INVALID, "--set: '%.64s' is no assignment; write KEY=VALUE", assignment);
    char key[TC_KEY_PATH_SIZE], path[TC_KEY_PATH_SIZE];
    if ((size_t)(equals - assignment) >= sizeof key)
        return tc_raise(error, TC_INVALID, "--set: key too long; see docs/spec.md");
    snprintf(key, sizeof key, "%.*s", (int)(equals - assignment), assignment);
    const tc_status status = tc_spec_find_key(schema, settings, "--set", key, path, error);
    if (status != TC_OK) return status;
    if (!tc_is_text(equals + 1))
        return tc_raise(error, TC_INVALID, "--set: %s: holds bytes that are no UTF-8; write it in UTF-8", path);
    return tc_settings_put(settings, path, equals + 1, "--set", error);
}
