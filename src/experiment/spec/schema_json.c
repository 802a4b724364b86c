/* schema_json.c — draft 7 of JSON Schema, which most editors know.
 *
 * What a network or an attack may be told depends on its name, so each is a choice between one schema a name. It is
 * what the tables say, and no more: whether labels are unique or classes exist is found out by reading the spec. */
#include "experiment/spec/schema_json.h"

#include "experiment/spec/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one option ---- */

static void add_range(json_t *made, const tc_option *option) {
    const bool whole = option->type == TC_OPTION_INT;
    if (option->low > -1e300)
        json_object_set_new(made, option->open_low ? "exclusiveMinimum" : "minimum",
                            whole ? json_integer((json_int_t)option->low) : json_real(option->low));
    if (option->high < 1e300)
        json_object_set_new(made, "maximum", whole ? json_integer((json_int_t)option->high) : json_real(option->high));
}

static json_t *bool_schema(const tc_option *option) {
    return json_pack("{s:s, s:b}", "type", "boolean", "default", !strcmp(option->fallback, "true"));
}

static json_t *int_schema(const tc_option *option) {
    json_t *made =
        json_pack("{s:s, s:I}", "type", "integer", "default", (json_int_t)strtoll(option->fallback, NULL, 10));
    add_range(made, option);
    return made;
}

static json_t *real_schema(const tc_option *option) {
    json_t *made = json_pack("{s:s, s:f}", "type", "number", "default", strtod(option->fallback, NULL));
    add_range(made, option);
    return made;
}

/* A text may look like a number: `p: 2`. */
static json_t *text_schema(const tc_option *option) {
    return json_pack("{s:[s, s], s:i, s:s}", "type", "string", "number", "maxLength", TC_TEXT_SIZE - 1, "default",
                     option->fallback);
}

/* Beside a list also its text, as spec.resolved.yaml has it. */
static json_t *list_schema(const tc_option *option) {
    return json_pack("{s:[s, s], s:i, s:i, s:s}", "type", "array", "string", "minItems", 1, "maxLength",
                     (int)option->high - 1, "default", option->fallback);
}

static json_t *choice_schema(const tc_option *option) {
    json_t *words = json_array();
    for (int i = 0; option->choices[i]; i++) json_array_append_new(words, json_string(option->choices[i]));
    return json_pack("{s:o, s:s}", "enum", words, "default", option->fallback);
}

static json_t *option_schema(const tc_option *option) {
    static json_t *(*const makers[])(const tc_option *) = {
        [TC_OPTION_BOOL] = bool_schema, [TC_OPTION_INT] = int_schema,       [TC_OPTION_REAL] = real_schema,
        [TC_OPTION_TEXT] = text_schema, [TC_OPTION_CHOICE] = choice_schema, [TC_OPTION_LIST] = list_schema};
    char help[1024];
    json_t *made = makers[option->type](option);
    snprintf(help, sizeof help, "%s%s%s%s", option->help, *option->unit ? " (" : "", option->unit,
             *option->unit ? ")" : "");
    json_object_set_new(made, "description", json_string(help));
    return made;
}

/* ---- sections ---- */

static void add_table(json_t *properties, const tc_option *table) {
    for (; table->name; table++) json_object_set_new(properties, table->name, option_schema(table));
}

/* A section of these keys and no others. */
static json_t *section(json_t *properties, const char *help) {
    return json_pack("{s:s, s:o, s:b, s:s}", "type", "object", "properties", properties, "additionalProperties", 0,
                     "description", help);
}

static json_t *table_section(const tc_option *table, const char *help) {
    json_t *properties = json_object();
    add_table(properties, table);
    return section(properties, help);
}

static json_t *list_of(json_t *items, const char *help) {
    return json_pack("{s:s, s:i, s:o, s:s}", "type", "array", "minItems", 1, "items", items, "description", help);
}

/* One of several sections, told apart by the word at `key`; the first table holds what all of them share. */
typedef struct choice {
    const char *key, *fallback; /* fallback: the word that is meant where none is given; NULL: one must be */
    const tc_option *shared;
    json_t *words, *sections;
} choice;

static void add_choice(choice *c, const char *word, const char *help, const tc_option *options, bool trained) {
    json_t *properties = json_object();
    add_table(properties, c->shared);
    add_table(properties, options);
    if (trained) json_object_set_new(properties, "train", json_pack("{s:s}", "$ref", "#/definitions/train"));
    json_object_set_new(properties, c->key, json_pack("{s:s}", "const", word));
    json_t *made = section(properties, help);
    if (!c->fallback || strcmp(c->fallback, word)) json_object_set_new(made, "required", json_pack("[s]", c->key));
    json_array_append_new(c->words, json_string(word));
    json_array_append_new(c->sections, made);
}

/* The words stand beside the sections too, so that an editor can offer them before it knows which section it is in. */
static json_t *finish_choice(choice *c, const char *help) {
    json_t *words = json_pack("{s:o}", "enum", c->words);
    return json_pack("{s:s, s:{s:o}, s:o, s:s}", "type", "object", "properties", c->key, words, "anyOf", c->sections,
                     "description", help);
}

static json_t *network_schema(const tc_option *shared, const char *help) {
    choice c = {"model", tc_option_find(shared, "model")->fallback, shared, json_array(), json_array()};
    for (const tc_zoo_entry *entry = tc_zoo_entries(); entry->name; entry++)
        add_choice(&c, entry->name, entry->summary, entry->options, true);
    return finish_choice(&c, help);
}

static json_t *attack_schema(void) {
    choice c = {"name", NULL, tc_method_table, json_array(), json_array()};
    for (const tc_attack *attack = tc_attacks(); attack->name; attack++)
        add_choice(&c, attack->name, attack->summary, attack->options, false);
    return finish_choice(&c, "one attack and its options");
}

static json_t *defence_schema(void) {
    choice c = {"name", NULL, tc_defence_table, json_array(), json_array()};
    for (const tc_defence *defence = tc_defences(); defence->name; defence++)
        add_choice(&c, defence->name, defence->summary, defence->options, false);
    return finish_choice(&c, "one defence and its options");
}

/* ---- the sweep ---- */

static void add_swept(json_t *properties, const char *prefix, const tc_option *table, bool lists) {
    for (; table->name; table++) {
        char key[256];
        snprintf(key, sizeof key, "%.100s%.100s", prefix, table->name);
        json_t *value = option_schema(table);
        json_object_set_new(properties, key, lists ? list_of(value, table->help) : value);
    }
}

static const tc_option seed_table[] = {
    TC_INT(tc_study_options, seed, 1, 0, 999999999999999, "", "the study's seed"),
    TC_INT(tc_study_options, ensemble, 0, 0, 64, "networks", "of a list of surrogates, how many are used; 0: all"),
    TC_OPTIONS_END};

/* Dotted keys: the known ones with their values, and any below the entries of a list. */
static json_t *swept_schema(bool lists) {
    static const char listed[] = "^(attacks|surrogates|victims|defences)\\.[^.]+\\..+$";
    const struct {
        const char *prefix;
        const tc_option *table;
    } tables[] = {{"", seed_table},
                  {"dataset.", tc_data_table},
                  {"threat.", tc_threat_table},
                  {"landscape.", tc_landscape_table},
                  {"surrogate.", tc_surrogate_table},
                  {"surrogate.train.", tc_train_table},
                  {"victim.", tc_victim_table},
                  {"victim.train.", tc_train_table}};
    json_t *properties = json_object(), *any = json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        add_swept(properties, tables[i].prefix, tables[i].table, lists);
    for (const tc_zoo_entry *entry = tc_zoo_entries(); entry->name; entry++) {
        add_swept(properties, "surrogate.", entry->options, lists);
        add_swept(properties, "victim.", entry->options, lists);
    }
    json_t *made = section(properties, "keys as --set takes them");
    json_object_set_new(made, "minProperties", json_integer(1));
    json_object_set_new(made, "patternProperties",
                        json_pack("{s:o}", listed, lists ? list_of(any, "values, one after another") : any));
    return made;
}

static json_t *sweep_schema(void) {
    json_t *made = section(
        json_pack("{s:o, s:o}", "grid", swept_schema(true), "cells", list_of(swept_schema(false), "explicit variants")),
        "values that the study goes through: every combination of the grid, and the cells");
    json_object_set_new(made, "minProperties", json_integer(1));
    return made;
}

/* ---- the whole ---- */

json_t *tc_schema_json(void) {
    json_t *properties = json_object();
    add_table(properties, tc_study_table);
    json_object_set_new(
        properties, "extends",
        json_pack("{s:s, s:s}", "type", "string", "description",
                  "another spec, over which this one is laid; its path as seen from this file's folder"));
    json_object_set_new(properties, "dataset", table_section(tc_data_table, "the images"));
    json_object_set_new(properties, "threat", table_section(tc_threat_table, "what the attacker can do"));
    json_object_set_new(properties, "landscape",
                        table_section(tc_landscape_table, "the attacker's loss around the poisoned networks"));
    json_object_set_new(properties, "surrogate", network_schema(tc_surrogate_table, "what the attacker trains"));
    json_object_set_new(
        properties, "surrogates",
        list_of(network_schema(tc_surrogates_table, "one architecture"), "several architectures, averaged"));
    json_object_set_new(properties, "victim", network_schema(tc_victim_table, "what everybody else trains"));
    json_object_set_new(properties, "victims",
                        list_of(network_schema(tc_victims_table, "one victim"), "several victims, judged apart"));
    json_object_set_new(properties, "attacks", list_of(attack_schema(), "compared on the same trials"));
    json_object_set_new(properties, "defences", list_of(defence_schema(), "compared on the same poisons"));
    json_object_set_new(properties, "sweep", sweep_schema());
    json_t *made = section(properties, "one study of data poisoning, as `tocsin run` takes it");
    json_object_set_new(made, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    json_object_set_new(made, "title", json_string("Tocsin " TOCSIN_VERSION " study"));
    json_object_set_new(made, "definitions",
                        json_pack("{s:o}", "train", table_section(tc_train_table, "how it is trained")));
    return made;
}
