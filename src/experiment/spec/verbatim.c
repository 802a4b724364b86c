#include "experiment/spec/verbatim.h"

#include "experiment/spec/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64, LONGEST = 1 << 16, LONGEST_PATH = 512 };

typedef struct source {
    const char *file;
    yaml_document_t *document;
    tc_settings *settings;
} source;

static const yaml_node_t *node_at(const source *s, int index) {
    return yaml_document_get_node(s->document, index);
}

/* ---- a node in one line ---- */

static bool emit_node(const source *s, yaml_emitter_t *emitter, const yaml_node_t *node, int depth);

static bool emit_scalar(yaml_emitter_t *emitter, const yaml_node_t *node) {
    yaml_event_t event;
    return yaml_scalar_event_initialize(&event, NULL, NULL, node->data.scalar.value, (int)node->data.scalar.length, 1,
                                        1, YAML_ANY_SCALAR_STYLE) &&
           yaml_emitter_emit(emitter, &event);
}

static bool emit_sequence(const source *s, yaml_emitter_t *emitter, const yaml_node_t *node, int depth) {
    yaml_event_t event;
    const yaml_node_item_t *item = node->data.sequence.items.start;
    if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_FLOW_SEQUENCE_STYLE) ||
        !yaml_emitter_emit(emitter, &event))
        return false;
    for (; item < node->data.sequence.items.top; item++)
        if (!emit_node(s, emitter, node_at(s, *item), depth + 1)) return false;
    return yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static bool emit_mapping(const source *s, yaml_emitter_t *emitter, const yaml_node_t *node, int depth) {
    yaml_event_t event;
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_FLOW_MAPPING_STYLE) ||
        !yaml_emitter_emit(emitter, &event))
        return false;
    for (; pair < node->data.mapping.pairs.top; pair++)
        if (!emit_node(s, emitter, node_at(s, pair->key), depth + 1) ||
            !emit_node(s, emitter, node_at(s, pair->value), depth + 1))
            return false;
    return yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

/* An alias may stand within what it is the name of: so the depth ends. */
static bool emit_node(const source *s, yaml_emitter_t *emitter, const yaml_node_t *node, int depth) {
    if (!node || depth > DEEPEST) return false;
    if (node->type == YAML_SEQUENCE_NODE) return emit_sequence(s, emitter, node, depth);
    if (node->type == YAML_MAPPING_NODE) return emit_mapping(s, emitter, node, depth);
    return emit_scalar(emitter, node);
}

static bool emit_line(const source *s, yaml_emitter_t *emitter, const yaml_node_t *node) {
    yaml_event_t event;
    return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(emitter, &event) &&
           yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && yaml_emitter_emit(emitter, &event) &&
           emit_node(s, emitter, node, 0) && yaml_document_end_event_initialize(&event, 1) &&
           yaml_emitter_emit(emitter, &event) && yaml_emitter_flush(emitter);
}

static tc_status put_line(const source *s, const yaml_node_t *node, const char *path, const char *where,
                          tc_error *error) {
    yaml_emitter_t emitter;
    size_t length = 0;
    tc_status status = TC_OK;
    char *line = calloc(1, LONGEST);
    if (!line || !yaml_emitter_initialize(&emitter)) {
        free(line);
        return tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
    }
    yaml_emitter_set_output_string(&emitter, (unsigned char *)line, LONGEST - 1, &length);
    yaml_emitter_set_width(&emitter, -1);
    yaml_emitter_set_unicode(&emitter, 1);
    if (!emit_line(s, &emitter, node))
        TC_RAISE(TC_INVALID, "%s: %s: is longer than %d bytes, or nested more than %d deep; write less", where, path,
                 LONGEST, DEEPEST);
    while (length && (line[length - 1] == '\n' || line[length - 1] == ' ')) line[--length] = '\0';
    TC_TRY(tc_settings_put(s->settings, path, line, where, error));
done:
    yaml_emitter_delete(&emitter);
    free(line);
    return status;
}

static tc_status put(const source *s, const yaml_node_t *node, const char *path, tc_error *error) {
    char where[LONGEST_PATH];
    snprintf(where, sizeof where, "%s:%d", s->file, tc_node_line(node));
    if (node->type != YAML_SCALAR_NODE) return put_line(s, node, path, where, error);
    return tc_settings_put(s->settings, path, tc_node_text(node), where, error);
}

/* ---- where such values stand ---- */

static tc_status walk(const source *s, const tc_section *section, const yaml_node_t *node, const char *path,
                      tc_error *error);

static tc_status walk_key(const source *s, const tc_key *key, const yaml_node_t *value, const char *path,
                          tc_error *error) {
    tc_status status = TC_OK;
    if (key->verbatim) return put(s, value, path, error);
    if (!key->section) return TC_OK;
    if (!key->list) return walk(s, key->section, value, path, error);
    if (value->type != YAML_SEQUENCE_NODE) return TC_OK;
    const yaml_node_item_t *item = value->data.sequence.items.start;
    for (int i = 1; item < value->data.sequence.items.top && status == TC_OK; item++, i++) {
        char entry[LONGEST_PATH];
        if (snprintf(entry, sizeof entry, "%s.%d", path, i) >= (int)sizeof entry) continue; /* no key is so long */
        status = walk(s, key->section, node_at(s, *item), entry, error);
    }
    return status;
}

static tc_status walk(const source *s, const tc_section *section, const yaml_node_t *node, const char *path,
                      tc_error *error) {
    tc_status status = TC_OK;
    if (!node || node->type != YAML_MAPPING_NODE) return TC_OK;
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top && status == TC_OK; pair++) {
        const yaml_node_t *name = node_at(s, pair->key), *value = node_at(s, pair->value);
        const tc_key *key = name->type == YAML_SCALAR_NODE ? tc_section_find(section, tc_node_text(name)) : NULL;
        char below[LONGEST_PATH];
        if (!key || !value) continue;
        if (snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", key->name) >= (int)sizeof below) continue;
        status = walk_key(s, key, value, below, error);
    }
    return status;
}

tc_status tc_verbatim_read(const char *file, const char *text, size_t size, const tc_section *schema,
                           tc_settings *settings, tc_error *error) {
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    tc_status status = TC_OK;
    if (yaml_parser_load(&parser, &document)) {
        const source s = {file, &document, settings};
        status = walk(&s, schema, yaml_document_get_root_node(&document), "", error);
        yaml_document_delete(&document);
    } else { /* it has been read twice by now */
        status = tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
    }
    yaml_parser_delete(&parser);
    return status;
}
