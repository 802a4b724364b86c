/* bench.h — trying out a plan's kinds of work within a bounded time.
 *
 * What a step of a kind would take is known before it is tried: images times the seconds of one image's gradient, which
 * is measured on a few images of each network (speed.c). A kind of which a few steps fit into its share of the time is
 * tried as the study would do it; any other is extrapolated: passes counted from its options, at the network's speed.
 * Networks for which no time is left get a speed by their multiply-accumulates. */
#ifndef TC_EXPERIMENT_PLAN_BENCH_H
#define TC_EXPERIMENT_PLAN_BENCH_H

#include "experiment/plan/data.h"

typedef struct tc_bench {
    double share;    /* seconds of trying for one kind, at most */
    double deadline; /* of it all, by tc_clock; a network's speed may be under way */
    bool (*stop)(void *context);
    void *context;
    const tc_spec *spec; /* what is being tried, with what */
    const tc_dataset *dataset;
    tc_device *device;
    json_t *speeds;         /* key of a network and its images → seconds of an image's gradient */
    int networks, measured; /* of which the speed is known; of them by measurement, not by multiply-accumulates */
    double seconds, macs;   /* sums over the measured ones */
    double pass_bytes;      /* the most that a training would take which was not tried */
} tc_bench;

typedef struct tc_tried {
    double seconds; /* of one phase of the kind */
    bool measured;  /* or extrapolated */
} tc_tried;

/* *seconds := of the gradient of one image, forward and backward, in training mode; *bytes (NULL: not wanted) := of the
 * pass, for an image, 0 where it was not measured. */
tc_status tc_bench_speed(tc_bench *bench, const tc_network_spec *network, const tc_model *model, double *seconds,
                         double *bytes, tc_error *error);
/* The time that a kind may still take. */
double tc_bench_left(const tc_bench *bench);

/* Training, and judging the test images after it where it is a victim's. */
tc_status tc_bench_training(tc_bench *bench, const tc_network_spec *network, bool judged, tc_tried *tried,
                            tc_error *error);
tc_status tc_bench_crafting(tc_bench *bench, int attack, tc_tried *tried, tc_error *error);

#endif
