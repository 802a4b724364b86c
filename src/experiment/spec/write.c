/* write.c — a resolved spec as JSON, and as the YAML that reads back to the same spec. */
#include "experiment/spec/spec.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* ---- JSON ---- */

static json_t *option_json(const tc_option *option, const void *object) {
    char text[TC_TEXT_SIZE];
    if (option->type == TC_OPTION_LIST) return json_string((const char *)object + option->offset);
    tc_option_format(option, object, text, sizeof text);
    switch (option->type) {
    case TC_OPTION_BOOL:
        return json_boolean(!strcmp(text, "true"));
    case TC_OPTION_INT:
        return json_integer(strtoll(text, NULL, 10));
    case TC_OPTION_REAL:
        return json_real(strtod(text, NULL));
    default:
        return json_string(text);
    }
}

json_t *tc_options_json(const tc_option *table, const void *object) {
    json_t *made = json_object();
    for (; table->name; table++) json_object_set_new(made, table->name, option_json(table, object));
    return made;
}

static json_t *network_json(const tc_option *table, const tc_network_spec *network) {
    json_t *made = tc_options_json(table, network);
    json_object_update_new(made, tc_options_json(network->entry->options, &network->zoo));
    json_object_set_new(made, "train", tc_options_json(tc_train_table, &network->train));
    return made;
}

/* As it was asked for: one section, or a list, whose name is the section's with an s. */
static void add_networks(json_t *made, const char *name, const tc_option *table, const tc_option *list_table,
                         const tc_network_spec *networks, int count) {
    char plural[32];
    json_t *list = json_array();
    for (int v = 0; v < count; v++) json_array_append_new(list, network_json(list_table, &networks[v]));
    snprintf(plural, sizeof plural, "%ss", name);
    const bool single = !strcmp(networks[0].section, name);
    json_object_set_new(made, single ? name : plural, single ? network_json(table, &networks[0]) : json_incref(list));
    json_decref(list);
}

static json_t *defences_json(const tc_spec *spec) {
    json_t *list = json_array();
    for (int d = 0; d < spec->defence_count; d++) {
        const tc_defence_spec *defence = &spec->defences[d];
        json_t *entry = tc_options_json(tc_defence_table, defence);
        json_object_update_new(entry, tc_options_json(defence->defence->options, defence->options));
        json_array_append_new(list, entry);
    }
    return list;
}

json_t *tc_spec_json(const tc_spec *spec) {
    json_t *made = tc_options_json(tc_study_table, &spec->study), *attacks = json_array();
    json_object_set_new(made, "dataset", tc_options_json(tc_data_table, &spec->data));
    json_object_set_new(made, "threat", tc_options_json(tc_threat_table, &spec->threat));
    json_object_set_new(made, "landscape", tc_options_json(tc_landscape_table, &spec->landscape));
    add_networks(made, "surrogate", tc_surrogate_table, tc_surrogates_table, spec->surrogates, spec->surrogates_listed);
    add_networks(made, "victim", tc_victim_table, tc_victims_table, spec->victims, spec->victim_count);
    for (int i = 0; i < spec->attack_count; i++) {
        const tc_method_spec *method = &spec->attacks[i];
        json_t *entry = tc_options_json(tc_method_table, method);
        json_object_update_new(entry, tc_options_json(method->attack->options, method->options));
        json_array_append_new(attacks, entry);
    }
    json_object_set_new(made, "attacks", attacks);
    json_object_set_new(made, "defences", defences_json(spec));
    return made;
}

/* ---- YAML: the same tree through libyaml's emitter ---- */

static bool emit(yaml_emitter_t *emitter, int initialised, yaml_event_t *event) {
    return initialised && yaml_emitter_emit(emitter, event);
}

static bool emit_text(yaml_emitter_t *emitter, const char *text) {
    yaml_event_t event;
    const int ok = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
                                                *text ? YAML_ANY_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
    return emit(emitter, ok, &event);
}

static bool emit_json(yaml_emitter_t *emitter, json_t *value);

static bool emit_object(yaml_emitter_t *emitter, json_t *object) {
    yaml_event_t event;
    const char *key = NULL;
    json_t *value = NULL;
    int ok = yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);
    if (!emit(emitter, ok, &event)) return false;
    json_object_foreach(object, key, value) if (!emit_text(emitter, key) || !emit_json(emitter, value)) return false;
    return emit(emitter, yaml_mapping_end_event_initialize(&event), &event);
}

static bool emit_array(yaml_emitter_t *emitter, json_t *array) {
    yaml_event_t event;
    size_t index = 0;
    json_t *value = NULL;
    int ok = yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE);
    if (!emit(emitter, ok, &event)) return false;
    json_array_foreach(array, index, value) if (!emit_json(emitter, value)) return false;
    return emit(emitter, yaml_sequence_end_event_initialize(&event), &event);
}

/* YAML 1.1 takes 1e-08 for text, 1.0e-08 for a number. */
static void write_real(double value, char text[64]) {
    char digits[48];
    snprintf(digits, sizeof digits, "%.15g", value);
    if (strtod(digits, NULL) != value) snprintf(digits, sizeof digits, "%.17g", value);
    const size_t mantissa = strcspn(digits, "e");
    const bool point = !digits[mantissa] || memchr(digits, '.', mantissa);
    snprintf(text, 64, "%.*s%s%s", (int)mantissa, digits, point ? "" : ".0", digits + mantissa);
}

static bool emit_json(yaml_emitter_t *emitter, json_t *value) {
    char text[64];
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return emit_object(emitter, value);
    case JSON_ARRAY:
        return emit_array(emitter, value);
    case JSON_STRING:
        return emit_text(emitter, json_string_value(value));
    case JSON_INTEGER:
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(json_real_value(value), text);
        break;
    default:
        snprintf(text, sizeof text, "%s", json_is_true(value) ? "true" : "false");
    }
    return emit_text(emitter, text);
}

static bool emit_document(yaml_emitter_t *emitter, json_t *root) {
    yaml_event_t event;
    return emit(emitter, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), &event) &&
           emit(emitter, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), &event) &&
           emit_json(emitter, root) && emit(emitter, yaml_document_end_event_initialize(&event, 1), &event) &&
           emit(emitter, yaml_stream_end_event_initialize(&event), &event);
}

tc_status tc_json_save_yaml(json_t *root, const char *path, tc_error *error) {
    tc_status status = TC_OK;
    tc_output output = {0};
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter)) {
        json_decref(root);
        return tc_raise(error, TC_FAILED, "%s: memory: none left to write it; free some", path);
    }
    TC_TRY(tc_output_open(path, &output, error));
    fprintf(output.file, "# The study as it was run, with every default; `tocsin run` on this file repeats it.\n");
    yaml_emitter_set_output_file(&emitter, output.file);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, 120);
    if (!root || !emit_document(&emitter, root)) {
        TC_RAISE(TC_FAILED, "%s: cannot be written: %s; free space on the disk", path,
                 emitter.problem ? emitter.problem : "memory");
    }
    TC_TRY(tc_output_commit(&output, error));
done:
    tc_output_abandon(&output);
    yaml_emitter_delete(&emitter);
    json_decref(root);
    return status;
}
