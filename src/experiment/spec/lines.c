#include "experiment/spec/lines.h"

#include "experiment/spec/tree.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64, LONGEST_PATH = 512, MOST_VALUES = 100000, MOST_ANCHORS = 1000 };

/* A mapping or list that is open. */
typedef struct level {
    bool mapping;
    bool key_next; /* of a mapping: the next scalar is a key */
    int entry;     /* of a list: how many entries have begun */
    size_t length; /* of the path that leads here */
    int anchor;    /* its name's number; −1: it has none */
} level;

/* A name for what stands there, by which it can stand elsewhere too. */
typedef struct named {
    char *name;
    long begins, values; /* how many values came before; how many it is, 0 while it is open */
} named;

typedef struct walk {
    const char *file;
    tc_lines *lines;
    level stack[DEEPEST];
    int depth;
    char path[LONGEST_PATH]; /* of the value that comes next */
    long values;             /* so far, with those that aliases stand for */
    named anchors[MOST_ANCHORS];
    int anchor_count;
} walk;

static tc_status remember(walk *w, int line, tc_error *error) {
    tc_lines *lines = w->lines;
    for (size_t i = 0; i < lines->count; i++) {
        if (!strcmp(lines->item[i].path, w->path)) {
            return tc_raise(error, TC_INVALID, "%s:%d: %s: given twice, first on line %d; keep one of the two", w->file,
                            line, w->path, lines->item[i].line);
        }
    }
    if (lines->count == lines->room) {
        const size_t room = lines->room ? 2 * lines->room : 64;
        tc_line *item = realloc(lines->item, room * sizeof *item);
        if (!item) return tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
        lines->item = item;
        lines->room = room;
    }
    char *path = strdup(w->path);
    if (!path) return tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
    lines->item[lines->count++] = (tc_line){path, line};
    return TC_OK;
}

/* path := the innermost level's path, a dot and `name`. */
static tc_status step_into(walk *w, const char *name, int line, tc_error *error) {
    const size_t length = w->depth ? w->stack[w->depth - 1].length : 0;
    const int wrote = snprintf(w->path + length, sizeof w->path - length, "%s%s", length ? "." : "", name);
    if (wrote < 0 || length + (size_t)wrote >= sizeof w->path)
        return tc_raise(error, TC_INVALID, "%s:%d: a key is too long; use the names of docs/spec.md", w->file, line);
    return remember(w, line, error);
}

/* A sweep's keys are dotted: they are those of --set. What stands below a network's layers is no key of a spec's. */
static bool may_be_dotted(const walk *w) {
    return w->depth > 1 && (!strncmp(w->path, "sweep.", 6) || strstr(w->path, ".layers."));
}

/* ---- aliases: a few lines of them can stand for more than any memory holds ---- */

static tc_status count_values(walk *w, long more, const yaml_event_t *event, tc_error *error) {
    w->values += more;
    if (w->values <= MOST_VALUES) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s:%d: comes to more than %d values with what aliases stand for; write less",
                    w->file, tc_mark_line(event->start_mark), MOST_VALUES);
}

/* The number of a new anchor called `name`; −1 where `name` is NULL, or there is no room for it. */
static int begin_anchor(walk *w, const yaml_char_t *name) {
    if (!name || w->anchor_count == MOST_ANCHORS) return -1;
    char *copy = strdup((const char *)name);
    if (!copy) return -1;
    w->anchors[w->anchor_count] = (named){copy, w->values, 0};
    return w->anchor_count++;
}

static void end_anchor(walk *w, int number) {
    if (number >= 0) w->anchors[number].values = w->values - w->anchors[number].begins;
}

static tc_status count_alias(walk *w, const yaml_event_t *event, tc_error *error) {
    if (w->anchor_count == MOST_ANCHORS)
        return tc_raise(error, TC_INVALID, "%s:%d: more than %d anchors; write less", w->file,
                        tc_mark_line(event->start_mark), MOST_ANCHORS);
    for (int i = w->anchor_count - 1; i >= 0; i--)
        if (!strcmp(w->anchors[i].name, (const char *)event->data.alias.anchor))
            return count_values(w, w->anchors[i].values ? w->anchors[i].values : 1, event, error);
    return TC_OK; /* libcyaml says that there is no such anchor */
}

static tc_status read_key(walk *w, const yaml_event_t *event, tc_error *error) {
    const char *name = (const char *)event->data.scalar.value;
    if (!*name || strlen(name) != event->data.scalar.length || (strchr(name, '.') && !may_be_dotted(w))) {
        return tc_raise(error, TC_INVALID, "%s:%d: '%.64s' is no key; use the names of docs/spec.md", w->file,
                        tc_mark_line(event->start_mark), name);
    }
    w->stack[w->depth - 1].key_next = false;
    return step_into(w, name, tc_mark_line(event->start_mark), error);
}

/* A value begins: in a list it is the next entry, in a mapping the key has named it. */
static tc_status begin_value(walk *w, const yaml_event_t *event, tc_error *error) {
    if (!w->depth) return TC_OK;
    level *top = &w->stack[w->depth - 1];
    if (top->mapping) return TC_OK;
    char number[16];
    snprintf(number, sizeof number, "%d", ++top->entry);
    return step_into(w, number, tc_mark_line(event->start_mark), error);
}

static void end_value(walk *w) {
    if (w->depth) w->stack[w->depth - 1].key_next = true;
}

static tc_status open_level(walk *w, const yaml_event_t *event, tc_error *error) {
    const int line = tc_mark_line(event->start_mark);
    if (w->depth && w->stack[w->depth - 1].mapping && w->stack[w->depth - 1].key_next)
        return tc_raise(error, TC_INVALID, "%s:%d: a key must be a plain word; use the names of docs/spec.md", w->file,
                        line);
    if (w->depth == DEEPEST)
        return tc_raise(error, TC_INVALID, "%s:%d: nested too deeply; at most %d levels", w->file, line, DEEPEST);
    const tc_status status = begin_value(w, event, error);
    if (status != TC_OK) return status;
    const size_t length = w->depth ? strlen(w->path) : 0;
    const bool mapping = event->type == YAML_MAPPING_START_EVENT;
    const int anchor = begin_anchor(w, mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor);
    w->stack[w->depth++] = (level){.mapping = mapping, .key_next = true, .length = length, .anchor = anchor};
    return count_values(w, 1, event, error);
}

static tc_status visit(walk *w, const yaml_event_t *event, int *documents, tc_error *error) {
    const bool key = w->depth && w->stack[w->depth - 1].mapping && w->stack[w->depth - 1].key_next;
    tc_status status = TC_OK;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1) {
            status =
                tc_raise(error, TC_INVALID, "%s:%d: a second document begins; put each study into a file of its own",
                         w->file, tc_mark_line(event->start_mark));
        }
        break;
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        status = open_level(w, event, error);
        break;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        w->path[w->stack[--w->depth].length] = '\0';
        end_anchor(w, w->stack[w->depth].anchor);
        end_value(w);
        break;
    case YAML_SCALAR_EVENT:
        if (key) return read_key(w, event, error);
        status = begin_value(w, event, error);
        if (status == TC_OK && strlen((const char *)event->data.scalar.value) != event->data.scalar.length) {
            status = tc_raise(error, TC_INVALID, "%s:%d: %s: holds a zero byte; remove it", w->file,
                              tc_mark_line(event->start_mark), w->path);
        }
        end_anchor(w, begin_anchor(w, event->data.scalar.anchor));
        end_value(w);
        if (status == TC_OK) status = count_values(w, 1, event, error);
        break;
    case YAML_ALIAS_EVENT:
        if (key)
            return tc_raise(error, TC_INVALID, "%s:%d: a key must be a plain word; use the names of docs/spec.md",
                            w->file, tc_mark_line(event->start_mark));
        status = begin_value(w, event, error);
        if (status == TC_OK) status = count_alias(w, event, error);
        end_value(w);
        break;
    default:
        break;
    }
    return status;
}

static tc_status syntax_error(const char *file, const yaml_parser_t *parser, tc_error *error) {
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->error == YAML_MEMORY_ERROR)
        return tc_raise(error, TC_FAILED, "%s: memory: none left to read it; free some", file);
    return tc_raise(error, TC_INVALID, "%s:%d: not valid YAML: %s; mend this line or the one before", file,
                    tc_mark_line(parser->problem_mark), problem);
}

tc_status tc_lines_read(const char *file, const char *text, size_t size, tc_lines *lines, tc_error *error) {
    yaml_parser_t parser;
    walk *w = calloc(1, sizeof *w);
    if (!w || !yaml_parser_initialize(&parser)) {
        free(w);
        return tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
    }
    w->file = file;
    w->lines = lines;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    tc_status status = TC_OK;
    int documents = 0;
    for (bool more = true; more && status == TC_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = syntax_error(file, &parser, error);
            break;
        }
        status = visit(w, &event, &documents, error);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    for (int i = 0; i < w->anchor_count; i++) free(w->anchors[i].name);
    free(w);
    return status;
}

void tc_lines_free(tc_lines *lines) {
    for (size_t i = 0; i < lines->count; i++) free(lines->item[i].path);
    free(lines->item);
    *lines = (tc_lines){0};
}

int tc_lines_exactly(const tc_lines *lines, const char *path) {
    for (size_t i = 0; i < lines->count; i++)
        if (!strcmp(lines->item[i].path, path)) return lines->item[i].line;
    return 0;
}

int tc_lines_find(const tc_lines *lines, const char *path) {
    char around[LONGEST_PATH];
    snprintf(around, sizeof around, "%s", path);
    for (;;) {
        const int line = tc_lines_exactly(lines, around);
        char *dot = strrchr(around, '.');
        if (line) return line;
        if (!dot) return 1;
        *dot = '\0';
    }
}
