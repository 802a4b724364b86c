/* standing.c — how far a study is, and how long the rest may take. */
#include "experiment/run/inside.h"

#include "train/clock.h"

#include <math.h>

static int given_up_of(const tc_runner *r, int kind) {
    int count = 0;
    for (int p = 0; p < r->plan->phases && r->given_up; p++)
        count += r->agenda.given_up[p] && (int)r->plan->phase[p].kind == kind;
    return count;
}

/* Kinds differ a lot in how long they take, phases of one kind little. */
static double guess_seconds_left(const tc_runner *r) {
    double total = 0;
    for (int k = 0; k < TC_PHASE_KINDS; k++) {
        const int left = r->kind[k].phases - r->kind[k].done - given_up_of(r, k);
        if (left && !r->kind[k].done) return NAN;
        if (left) total += left * r->kind[k].seconds / r->kind[k].done;
    }
    for (int w = 0; w < r->crew->workers; w++) {
        const tc_worker *worker = &r->worker[w];
        if (worker->phase < 0 || !isfinite(worker->told.fraction)) continue;
        const int kind = (int)r->plan->phase[worker->phase].kind;
        total -= worker->told.fraction * r->kind[kind].seconds / fmax(r->kind[kind].done, 1);
    }
    return fmax(0, total) / fmax(r->alive, 1);
}

tc_standing tc_runner_standing(const tc_runner *r) {
    return (tc_standing){.done = r->plan->phases - r->agenda.left - r->given_up,
                         .phases = r->plan->phases,
                         .trials_done = r->trials_done,
                         .trials = r->plan->trials * r->plan->cells,
                         .seconds = tc_clock() - r->started,
                         .seconds_left = guess_seconds_left(r)};
}
