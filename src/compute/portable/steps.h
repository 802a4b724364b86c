/* steps.h — a step of training that finds by itself what is new in it, and adds to the epoch's count. */
#ifndef TC_COMPUTE_PORTABLE_STEPS_H
#define TC_COMPUTE_PORTABLE_STEPS_H

#include "compute/portable/vectors.h"

static void portable_next_step(tc_device *device, const tc_walk *walk, int n, int32_t *labels) {
    const size_t step = (size_t)walk->count->steps, from = step * (size_t)walk->batch;
    (void)device;
    *walk->pace = walk->paces[step];
    for (int i = 0; i < n; i++) {
        const size_t place = from + (size_t)i;
        walk->index[i] = walk->order[place];
        labels[i] = walk->answers[walk->order[place]];
        if (walk->warps) walk->warp[i] = walk->warps[place];
    }
}

static void portable_next_rows(tc_device *device, const tc_walk *walk, int n, size_t size, const void *rows,
                               void *row) {
    const size_t from = (size_t)walk->count->steps * (size_t)walk->batch;
    (void)device;
    memcpy(row, (const char *)rows + from * size, (size_t)n * size);
}

/* The first of the largest logits is the answer, compared as floats: a double's last digits are no answer. */
static void portable_tally(tc_device *device, const tc_loss *loss, const void *value, tc_count *count) {
    const size_t n = (size_t)loss->n, classes = (size_t)loss->classes;
    for (size_t i = 0; i < n; i++) {
        const real *row = (const real *)loss->logits + i * classes;
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            if ((float)row[c] > (float)row[best]) best = c;
        count->correct += best == (size_t)loss->labels[i];
    }
    const volatile double part = portable_sum(device, n, value) / loss->n * loss->n; /* rounded before it is added */
    count->loss += part;
    count->steps++;
}

static void portable_watch(tc_device *device, size_t n, const void *value, tc_count *count) {
    if (!isfinite(portable_sum(device, n, value))) count->loss = NAN;
}

#define TC_PORTABLE_STEPS                                                                                              \
    .next_step = portable_next_step, .next_rows = portable_next_rows, .tally = portable_tally, .watch = portable_watch

#endif
