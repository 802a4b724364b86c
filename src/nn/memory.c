#include "nn/memory.h"

#include <stdlib.h>

enum { ALIGNMENT = 64 };

static bool together(const tc_span *a, const tc_span *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* Insertion sort of pointers by a key: the lists are short and this runs once a pass. */
static void sort_by(tc_span **list, int count, bool (*before)(const tc_span *, const tc_span *)) {
    for (int i = 1; i < count; i++) {
        tc_span *moving = list[i];
        int j = i;
        for (; j > 0 && before(moving, list[j - 1]); j--) list[j] = list[j - 1];
        list[j] = moving;
    }
}

static bool larger(const tc_span *a, const tc_span *b) {
    return a->bytes > b->bytes;
}

static bool lower(const tc_span *a, const tc_span *b) {
    return a->offset < b->offset;
}

/* The lowest offset at which `span` misses all of `placed`, which are sorted by offset. */
static size_t lowest_gap(const tc_span *span, tc_span *const *placed, int count) {
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        if (!together(span, placed[i])) continue;
        if (offset + span->bytes <= placed[i]->offset) break;
        const size_t end = placed[i]->offset + placed[i]->bytes;
        if (end > offset) offset = end;
    }
    return offset;
}

size_t tc_plan_spans(tc_span *spans, int count, tc_error *error) {
    tc_span **order = NULL, **placed = NULL;
    size_t total = 0;
    int live = 0;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&order, (size_t)count, sizeof *order, error));
    TC_TRY(tc_new(&placed, (size_t)count, sizeof *placed, error));
    for (int i = 0; i < count; i++) {
        spans[i].bytes = (spans[i].bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (spans[i].last >= spans[i].first) order[live++] = &spans[i];
    }
    sort_by(order, live, larger);
    for (int i = 0; i < live; i++) {
        order[i]->offset = lowest_gap(order[i], placed, i);
        if (order[i]->offset + order[i]->bytes > total) total = order[i]->offset + order[i]->bytes;
        placed[i] = order[i];
        sort_by(placed, i + 1, lower);
    }
done:
    free(order);
    free(placed);
    return status == TC_OK ? total : SIZE_MAX;
}
