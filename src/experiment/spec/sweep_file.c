/* sweep_file.c — the section `sweep` of a file, from libyaml's tree. That the file is a well-formed document without
 * repeated keys is known by now (lines.c). */
#include "experiment/spec/sweep.h"
#include "experiment/spec/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 1000, MOST_AXES = 64 };

typedef struct source {
    const char *file;
    yaml_document_t *document;
} source;

static const yaml_node_t *node_at(const source *s, int index) {
    return yaml_document_get_node(s->document, index);
}

/* "study.yaml:4: sweep.grid: must be a section (key: value)" */
static tc_status wrong_kind(const source *s, const yaml_node_t *node, const char *what, const char *must,
                            tc_error *error) {
    return tc_raise(error, TC_INVALID, "%s:%d: %s: must be %s", s->file, tc_node_line(node), what, must);
}

/* ---- one axis ---- */

static tc_status read_value(const source *s, const yaml_node_t *node, const char *key, tc_axis *axis, tc_error *error) {
    char number[16], where[TC_TEXT_SIZE];
    if (node->type != YAML_SCALAR_NODE) {
        char what[256];
        snprintf(what, sizeof what, "sweep: %.200s", key);
        return wrong_kind(s, node, what, "made of single values", error);
    }
    snprintf(number, sizeof number, "%zu", axis->list.count + 1);
    snprintf(where, sizeof where, "%s:%d", s->file, tc_node_line(node));
    return tc_settings_put(&axis->list, number, tc_node_text(node), where, error);
}

static tc_status read_list(const source *s, const yaml_node_t *node, const char *key, tc_axis *axis, tc_error *error) {
    const yaml_node_item_t *from = node->data.sequence.items.start, *to = node->data.sequence.items.top;
    char what[256];
    tc_status status = TC_OK;
    snprintf(what, sizeof what, "sweep: %.200s", key);
    if (node->type != YAML_SEQUENCE_NODE) return wrong_kind(s, node, what, "a list of values", error);
    if (from == to || to - from > MOST_VALUES) return wrong_kind(s, node, what, "a list of 1 … 1000 values", error);
    for (; from < to && status == TC_OK; from++) status = read_value(s, node_at(s, *from), key, axis, error);
    return status;
}

static tc_status read_axis(const source *s, const yaml_node_pair_t *pair, bool list, tc_axis *axis, tc_error *error) {
    const yaml_node_t *key = node_at(s, pair->key), *value = node_at(s, pair->value);
    char where[TC_TEXT_SIZE];
    tc_status status = TC_OK;
    snprintf(where, sizeof where, "%s:%d", s->file, tc_node_line(key));
    axis->key = strdup(tc_node_text(key)); /* a scalar: lines.c refuses other keys */
    if (!axis->key) return tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
    TC_TRY(tc_settings_begin(&axis->list, where, error));
    TC_TRY((list ? read_list : read_value)(s, value, axis->key, axis, error));
done:
    return status;
}

/* ---- grids ---- */

static tc_status add_grid(const source *s, const yaml_node_t *node, const char *what, bool lists, tc_sweep *sweep,
                          tc_error *error) {
    tc_status status = TC_OK;
    if (node->type != YAML_MAPPING_NODE) return wrong_kind(s, node, what, "a section (key: value)", error);
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    const long axes = node->data.mapping.pairs.top - pair;
    if (axes < 1 || axes > MOST_AXES) return wrong_kind(s, node, what, "a section of 1 … 64 keys", error);
    tc_grid *grown = realloc(sweep->grid, ((size_t)sweep->grids + 1) * sizeof *grown);
    if (!grown) return tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
    sweep->grid = grown;
    tc_grid *grid = &sweep->grid[sweep->grids++];
    *grid = (tc_grid){0};
    TC_TRY(tc_new(&grid->axis, (size_t)axes, sizeof *grid->axis, error));
    for (long a = 0; a < axes; a++) {
        grid->axes++;
        TC_TRY(read_axis(s, &pair[a], lists, &grid->axis[a], error));
    }
done:
    return status;
}

static tc_status read_grid(const source *s, const yaml_node_t *node, tc_sweep *sweep, tc_error *error) {
    return add_grid(s, node, "sweep.grid", true, sweep, error);
}

static tc_status read_cells(const source *s, const yaml_node_t *node, tc_sweep *sweep, tc_error *error) {
    if (node->type != YAML_SEQUENCE_NODE) return wrong_kind(s, node, "sweep.cells", "a list of sections", error);
    const yaml_node_item_t *from = node->data.sequence.items.start, *to = node->data.sequence.items.top;
    if (from == to || to - from > MOST_VALUES)
        return wrong_kind(s, node, "sweep.cells", "a list of 1 … 1000 sections", error);
    tc_status status = TC_OK;
    for (int i = 1; from < to && status == TC_OK; from++, i++) {
        char what[64];
        snprintf(what, sizeof what, "sweep.cells.%d", i);
        status = add_grid(s, node_at(s, *from), what, false, sweep, error);
    }
    return status;
}

/* ---- the section ---- */

static const struct {
    const char *name;
    tc_status (*read)(const source *s, const yaml_node_t *node, tc_sweep *sweep, tc_error *error);
} kinds[] = {{"grid", read_grid}, {"cells", read_cells}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static tc_status read_kind(const source *s, const yaml_node_pair_t *pair, tc_sweep *sweep, tc_error *error) {
    const yaml_node_t *key = node_at(s, pair->key);
    for (int k = 0; k < KINDS; k++)
        if (!strcmp(tc_node_text(key), kinds[k].name)) return kinds[k].read(s, node_at(s, pair->value), sweep, error);
    return tc_raise(error, TC_INVALID, "%s:%d: sweep.%.64s: unknown key; known here are grid, cells", s->file,
                    tc_node_line(key), tc_node_text(key));
}

static tc_status read_section(const source *s, const yaml_node_t *node, tc_sweep *sweep, tc_error *error) {
    const char *must = "a section of grid, cells or both";
    if (node->type != YAML_MAPPING_NODE) return wrong_kind(s, node, "sweep", must, error);
    const yaml_node_pair_t *from = node->data.mapping.pairs.start, *to = node->data.mapping.pairs.top;
    if (from == to) return wrong_kind(s, node, "sweep", must, error);
    tc_status status = TC_OK;
    for (; from < to && status == TC_OK; from++) status = read_kind(s, from, sweep, error);
    return status;
}

tc_status tc_sweep_read(const char *file, const char *text, size_t size, tc_sweep *sweep, tc_error *error) {
    yaml_parser_t parser;
    yaml_document_t document;
    const source s = {file, &document};
    tc_status status = TC_OK;
    if (!yaml_parser_initialize(&parser))
        return tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (!yaml_parser_load(&parser, &document)) {
        yaml_parser_delete(&parser);
        return tc_raise(error, TC_INVALID, "%s: cannot be read as YAML; see docs/spec.md", file);
    }
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    if (root && root->type == YAML_MAPPING_NODE) {
        const yaml_node_pair_t *pair = root->data.mapping.pairs.start, *to = root->data.mapping.pairs.top;
        while (pair < to && strcmp(tc_node_text(node_at(&s, pair->key)), "sweep")) pair++;
        if (pair < to) status = read_section(&s, node_at(&s, pair->value), sweep, error);
    }
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return status;
}
