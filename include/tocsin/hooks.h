/* hooks.h — how work that takes long says how far it is, and how it is asked to stop. */
#ifndef TOCSIN_HOOKS_H
#define TOCSIN_HOOKS_H

#include "tocsin/status.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers that the work does not have are NaN, counters 0. */
typedef struct tocsin_progress {
    const char *phase;        /* "train", "craft", "filter"; of a study also "surrogate", "clean victim", "victim" */
    double fraction;          /* of the phase, 0 … 1 */
    double loss;              /* training: mean over the epoch so far; crafting: the attack's objective */
    double accuracy;          /* training: share of the samples, as they were seen */
    double images_per_second; /* training */
    double seconds_left;      /* training */
    int64_t epoch, epochs;    /* training, from 1 */
    int64_t trial, trials;    /* of a study, from 1 */
    const char *label;        /* of a study: the attack's, or "" */
} tocsin_progress;

/* A zeroed one, like NULL, means: say nothing, never stop. Hooks are called on the calling thread. */
typedef struct tocsin_hooks {
    void (*progress)(void *context, const tocsin_progress *progress); /* may be NULL; the struct lives for the call */
    bool (*stop)(void *context); /* may be NULL; asked between steps, true ends the work with TOCSIN_INTERRUPTED */
    void *context;               /* given to both */
} tocsin_hooks;

#ifdef __cplusplus
}
#endif
#endif
