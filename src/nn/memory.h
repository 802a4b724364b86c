/* memory.h — planning a pass's workspace: buffers whose lifetimes do not meet share memory. */
#ifndef TC_NN_MEMORY_H
#define TC_NN_MEMORY_H

#include "compute/device.h"

/* One buffer: wanted from the first to the last time it is touched. */
typedef struct tc_span {
    size_t bytes;
    int first, last; /* last < first: never touched, no memory */
    size_t offset;   /* result */
} tc_span;

static inline void tc_span_touch(tc_span *span, int time) {
    if (span->last < span->first) span->first = span->last = time;
    if (time < span->first) span->first = time;
    if (time > span->last) span->last = time;
}

/* Gives every span an offset so that no two which live at the same time overlap: greedy, largest first, each at the
 * lowest gap that fits. Returns the bytes needed in all. */
size_t tc_plan_spans(tc_span *spans, int count, tc_error *error);

#endif
