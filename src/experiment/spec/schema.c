#include "experiment/spec/schema.h"

#include "experiment/spec/spec.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_TEXT = TC_TEXT_SIZE - 1, MOST_ENTRIES = 1000 };

const tc_key *tc_section_find(const tc_section *section, const char *name) {
    for (size_t i = 0; i < section->count; i++)
        if (!strcmp(section->key[i].name, name)) return &section->key[i];
    return NULL;
}

const char *tc_section_nearest(const tc_section *section, const char *name) {
    const char **words = calloc(section->count + 1, sizeof *words);
    if (!words) return NULL;
    for (size_t i = 0; i < section->count; i++) words[i] = section->key[i].name;
    const char *nearest = tc_nearest(name, words);
    free(words);
    return nearest;
}

void tc_section_names(const tc_section *section, char *text, size_t size) {
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < section->count && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "", section->key[i].name);
}

void tc_schema_free(tc_section *section) {
    if (!section) return;
    for (size_t i = 0; i < section->count; i++) tc_schema_free(section->key[i].section);
    free(section->key);
    free(section->field);
    free(section);
}

/* ---- the tree of names ---- */

static tc_status add_key(tc_section *section, tc_key key, tc_error *error) {
    tc_key *grown = realloc(section->key, (section->count + 1) * sizeof *grown);
    if (!grown) {
        tc_schema_free(key.section);
        tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
        return TC_FAILED;
    }
    section->key = grown;
    section->key[section->count++] = key;
    return TC_OK;
}

/* The names of a table that are not there yet: the sections of attacks and networks are unions over all methods; which
 * of the names a method knows is checked when its name is. */
static tc_status add_table(tc_section *section, const tc_option *table, tc_error *error) {
    tc_status status = TC_OK;
    for (; table && table->name && status == TC_OK; table++)
        if (!tc_section_find(section, table->name))
            status = add_key(section, (tc_key){.name = table->name, .verbatim = table->type == TC_OPTION_LIST}, error);
    return status;
}

static tc_status add_section(tc_section *parent, const char *name, bool list, tc_section **section, tc_error *error) {
    tc_status status = tc_new(section, 1, sizeof **section, error);
    if (status == TC_OK) status = add_key(parent, (tc_key){.name = name, .section = *section, .list = list}, error);
    return status;
}

static tc_status add_network(tc_section *root, const char *name, bool list, const tc_option *table, tc_error *error) {
    tc_status status = TC_OK;
    tc_section *network = NULL, *train = NULL;
    TC_TRY(add_section(root, name, list, &network, error));
    TC_TRY(add_table(network, table, error));
    for (const tc_zoo_entry *entry = tc_zoo_entries(); entry->name; entry++)
        TC_TRY(add_table(network, entry->options, error));
    TC_TRY(add_section(network, "train", false, &train, error));
    TC_TRY(add_table(train, tc_train_table, error));
done:
    return status;
}

static tc_status add_everything(tc_section *root, tc_error *error) {
    tc_status status = TC_OK;
    tc_section *section = NULL;
    TC_TRY(add_table(root, tc_study_table, error));
    TC_TRY(add_section(root, "dataset", false, &section, error));
    TC_TRY(add_table(section, tc_data_table, error));
    TC_TRY(add_section(root, "threat", false, &section, error));
    TC_TRY(add_table(section, tc_threat_table, error));
    TC_TRY(add_section(root, "landscape", false, &section, error));
    TC_TRY(add_table(section, tc_landscape_table, error));
    TC_TRY(add_network(root, "surrogate", false, tc_surrogate_table, error));
    TC_TRY(add_network(root, "surrogates", true, tc_surrogates_table, error));
    TC_TRY(add_network(root, "victim", false, tc_victim_table, error));
    TC_TRY(add_network(root, "victims", true, tc_victims_table, error));
    TC_TRY(add_section(root, "attacks", true, &section, error));
    TC_TRY(add_table(section, tc_method_table, error));
    for (const tc_attack *attack = tc_attacks(); attack->name; attack++)
        TC_TRY(add_table(section, attack->options, error));
    TC_TRY(add_section(root, "defences", true, &section, error));
    TC_TRY(add_table(section, tc_defence_table, error));
    for (const tc_defence *defence = tc_defences(); defence->name; defence++)
        TC_TRY(add_table(section, defence->options, error));
    TC_TRY(add_key(root, (tc_key){.name = "extends", .file_only = true}, error));
    TC_TRY(add_key(root, (tc_key){.name = "sweep", .file_only = true, .foreign = true}, error));
done:
    return status;
}

/* ---- the same tree for libcyaml: every value an optional text, so that types and ranges stay the tables' business
 * ---- */

static tc_status describe(tc_section *section, tc_error *error);

static tc_status describe_key(tc_key *key, size_t place, cyaml_schema_field_t *field, tc_error *error) {
    *field = (cyaml_schema_field_t){
        .key = key->name,
        .data_offset = (uint32_t)(place * sizeof(tc_slot) + offsetof(tc_slot, value)),
        .count_offset = (uint32_t)(place * sizeof(tc_slot) + offsetof(tc_slot, entries)),
        .count_size = sizeof(uint32_t),
        .value = {.type = CYAML_STRING,
                  .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                  .data_size = 1,
                  .string = {0, LONGEST_TEXT}},
    };
    if (key->foreign || key->verbatim)
        field->value = (cyaml_schema_value_t){.type = CYAML_IGNORE, .flags = CYAML_FLAG_OPTIONAL};
    if (!key->section) return TC_OK;
    const tc_status status = describe(key->section, error);
    if (status != TC_OK) return status;
    if (key->list) {
        key->section->value.flags = CYAML_FLAG_DEFAULT; /* entries lie back to back, without pointers */
        field->value = (cyaml_schema_value_t){.type = CYAML_SEQUENCE,
                                              .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                                              .data_size = key->section->value.data_size,
                                              .sequence = {&key->section->value, 0, MOST_ENTRIES}};
    } else {
        field->value = key->section->value;
        field->value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
    }
    return TC_OK;
}

static tc_status describe(tc_section *section, tc_error *error) {
    tc_status status = tc_new(&section->field, section->count + 1, sizeof *section->field, error);
    for (size_t i = 0; i < section->count && status == TC_OK; i++)
        status = describe_key(&section->key[i], i, &section->field[i], error);
    section->value = (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                            .flags = CYAML_FLAG_POINTER,
                                            .data_size = (uint32_t)(section->count * sizeof(tc_slot)),
                                            .mapping = {section->field}};
    return status;
}

tc_status tc_schema_create(tc_section **root, tc_error *error) {
    *root = NULL;
    tc_section *made = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    TC_TRY(add_everything(made, error));
    TC_TRY(describe(made, error));
    *root = made;
    made = NULL;
done:
    tc_schema_free(made);
    return status;
}
