/* tree.h — what readers of libyaml's tree ask of a node. */
#ifndef TC_EXPERIMENT_SPEC_TREE_H
#define TC_EXPERIMENT_SPEC_TREE_H

#include <limits.h>
#include <yaml.h>

/* From 1. */
static inline int tc_mark_line(yaml_mark_t mark) {
    return mark.line < INT_MAX ? (int)mark.line + 1 : INT_MAX;
}

static inline int tc_node_line(const yaml_node_t *node) {
    return tc_mark_line(node->start_mark);
}

/* Of a scalar. */
static inline const char *tc_node_text(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

#endif
