/* schedule.c — one small function a schedule; warm-up is a factor on any of them. */
#include "train/schedule.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double constant(const tc_schedule *schedule, double epoch) {
    (void)schedule, (void)epoch;
    return 1;
}

static double step(const tc_schedule *schedule, double epoch) {
    double factor = 1;
    for (int i = 0; i < schedule->milestones && epoch >= schedule->milestone[i]; i++) factor *= schedule->gamma;
    return factor;
}

static double cosine(const tc_schedule *schedule, double epoch) {
    return 0.5 * (1 + cos(3.14159265358979323846 * fmin(epoch / schedule->epochs, 1)));
}

static double linear(const tc_schedule *schedule, double epoch) {
    return 1 - fmin(epoch / schedule->epochs, 1);
}

/* Up to the peak and down again, in straight lines; both ends are at `floor`. Only the rate: the momentum is not cycled
 * against it. */
static double cyclic(const tc_schedule *schedule, double epoch) {
    const double at = fmin(epoch / schedule->epochs, 1), peak = schedule->peak;
    const double height = at < peak ? at / peak : peak < 1 ? (1 - at) / (1 - peak) : 1;
    return schedule->floor + (1 - schedule->floor) * height;
}

/* In the order of the choices of `schedule` in tc_train_table. */
static double (*const shapes[])(const tc_schedule *schedule, double epoch) = {constant, step, cosine, linear, cyclic};

double tc_schedule_rate(const tc_schedule *schedule, double epoch) {
    const double warm = epoch < schedule->warmup ? epoch / schedule->warmup : 1;
    return schedule->rate * warm * shapes[schedule->kind](schedule, epoch);
}

/* "0.5, 0.75" → 80, 120 of 160 epochs. */
static tc_status read_milestones(const char *text, tc_schedule *schedule, tc_error *error) {
    double last = 0;
    while (*text) {
        char *end = NULL;
        const double fraction = strtod(text, &end);
        if (end == text || !(fraction > last) || !(fraction < 1) || schedule->milestones == TC_MAX_MILESTONES)
            return tc_raise(
                error, TC_INVALID,
                "milestones: cannot read '%.32s'; give at most %d increasing fractions of the epochs between "
                "0 and 1, such as 0.5, 0.75",
                text, TC_MAX_MILESTONES);
        schedule->milestone[schedule->milestones++] = fraction * schedule->epochs;
        last = fraction;
        text = end + strspn(end, " ,");
    }
    return TC_OK;
}

tc_status tc_schedule_make(const tc_train_options *options, tc_schedule *schedule, tc_error *error) {
    *schedule = (tc_schedule){.kind = options->schedule,
                              .rate = options->rate,
                              .epochs = (double)options->epochs,
                              .warmup = options->warmup,
                              .gamma = options->gamma,
                              .peak = options->peak,
                              .floor = options->floor};
    if (options->warmup > schedule->epochs)
        return tc_raise(error, TC_INVALID, "warmup: %g epochs of a training of %g; take fewer", options->warmup,
                        schedule->epochs);
    if (options->schedule == TC_SCHEDULE_CYCLIC && options->warmup > 0)
        return tc_raise(error, TC_INVALID,
                        "warmup: the cyclic schedule rises by itself; set warmup to 0, or move peak");
    return read_milestones(options->milestones, schedule, error);
}
