#include "defence/medoids.h"

#include <math.h>
#include <stdlib.h>

/* Values that distances look at: to wake threads takes as long, and on a busy machine far longer. */
static const double worth_sharing = 1 << 20;

/* A heap of what each point is known to bring at most, the largest first and of equals the first point: so the choice
 * depends on nothing but the distances. */
typedef struct promise {
    double gain;
    uint32_t point;
    uint32_t age; /* how many medoids there were when the gain was computed */
} promise;

typedef struct choice {
    tc_distance *distance;
    const void *context;
    size_t count;
    bool shared;     /* by threads */
    double *nearest; /* [count]: distance to the nearest medoid so far */
    double *apart;   /* [count]: scratch, distances to one point */
    promise *heap;   /* [waiting] */
    size_t waiting;
} choice;

static bool before(const promise *a, const promise *b) {
    return a->gain > b->gain || (a->gain == b->gain && a->point < b->point);
}

static void sink(choice *c, size_t at) {
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < c->waiting; child++)
            if (before(&c->heap[child], &c->heap[first])) first = child;
        if (first == at) return;
        const promise moved = c->heap[at];
        c->heap[at] = c->heap[first];
        c->heap[first] = moved;
        at = first;
    }
}

static double gain_of(const choice *c, size_t point) {
    double gain = 0;
    for (size_t i = 0; i < c->count; i++) {
        const double closer = c->nearest[i] - c->distance(c->context, i, point);
        if (closer > 0) gain += closer;
    }
    return gain;
}

/* apart := the distances to one point, by all threads; what is made of them is summed in order, by one. */
static void measure(choice *c, size_t point) {
#pragma omp parallel for if (c->shared)
    for (size_t i = 0; i < c->count; i++) c->apart[i] = c->distance(c->context, i, point);
}

/* gain_of, one point at a time. */
static double gain_together(choice *c, size_t point) {
    double gain = 0;
    measure(c, point);
    for (size_t i = 0; i < c->count; i++) {
        const double closer = c->nearest[i] - c->apart[i];
        if (closer > 0) gain += closer;
    }
    return gain;
}

/* C: twice the largest distance from any one point is above every distance between two. */
static double bound(const choice *c) {
    double largest = 0;
    for (size_t i = 0; i < c->count; i++) largest = fmax(largest, c->distance(c->context, 0, i));
    return 2 * largest;
}

static tc_status start(choice *c, tc_error *error) {
    tc_status status = TC_OK;
    const double most = bound(c);
    TC_TRY(tc_new(&c->nearest, c->count, sizeof *c->nearest, error));
    TC_TRY(tc_new(&c->apart, c->count, sizeof *c->apart, error));
    TC_TRY(tc_new(&c->heap, c->count, sizeof *c->heap, error));
    for (size_t i = 0; i < c->count; i++) c->nearest[i] = most;
#pragma omp parallel for
    for (size_t i = 0; i < c->count; i++) c->heap[i] = (promise){gain_of(c, i), (uint32_t)i, 0};
    c->waiting = c->count;
    for (size_t at = c->count / 2; at-- > 0;) sink(c, at);
done:
    return status;
}

static void take(choice *c, uint32_t point, int32_t number, int32_t *of) {
    measure(c, point);
    for (size_t i = 0; i < c->count; i++) {
        const double d = c->apart[i];
        if (number && !(d < c->nearest[i])) continue;
        c->nearest[i] = d;
        of[i] = number;
    }
}

/* The point that brings most, out of the heap. */
static promise best_of(choice *c, size_t taken) {
    while (c->heap[0].age != taken) {
        c->heap[0].gain = gain_together(c, c->heap[0].point);
        c->heap[0].age = (uint32_t)taken;
        sink(c, 0);
    }
    const promise best = c->heap[0];
    c->heap[0] = c->heap[--c->waiting];
    sink(c, 0);
    return best;
}

tc_status tc_medoids(tc_distance *distance, const void *context, int width, size_t count, size_t wanted,
                     uint32_t *medoid, size_t *chosen, int32_t *of, tc_error *error) {
    tc_status status = TC_OK;
    choice c = {
        .distance = distance, .context = context, .count = count, .shared = (double)count * width >= worth_sharing};
    *chosen = 0;
    if (count == 0) goto done;
    TC_TRY(start(&c, error));
    while (*chosen < wanted && c.waiting) {
        const promise best = best_of(&c, *chosen);
        if (*chosen && !(best.gain > 0)) break;
        take(&c, best.point, (int32_t)*chosen, of);
        medoid[(*chosen)++] = best.point;
    }
done:
    free(c.nearest);
    free(c.apart);
    free(c.heap);
    return status;
}
