/* clock.h — seconds since some moment, for saying how long something took. */
#ifndef TC_TRAIN_CLOCK_H
#define TC_TRAIN_CLOCK_H

#include <time.h>

static inline double tc_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
