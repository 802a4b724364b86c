#include "cli/progress.h"

#include "base/log.h"
#include "base/width.h"
#include "train/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 20, LONGEST = 240 };

tc_meter tc_meter_begin(void) {
    return (tc_meter){.terminal = isatty(STDERR_FILENO) == 1, .shown = -INFINITY};
}

static void append(char *text, const char *format, double value) {
    const size_t length = strlen(text);
    if (isfinite(value)) snprintf(text + length, LONGEST - length, format, value);
}

static void append_time(char *text, double seconds) {
    const size_t length = strlen(text);
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e8) return;
    const long whole = lround(seconds);
    if (whole < 3600)
        snprintf(text + length, LONGEST - length, "  %ld:%02ld left", whole / 60, whole % 60);
    else
        snprintf(text + length, LONGEST - length, "  %ld:%02ld h left", whole / 3600, whole / 60 % 60);
}

static void describe(const tc_progress *p, char text[LONGEST]) {
    snprintf(text, LONGEST, "trial %lld/%lld  %s%s%.*s", (long long)p->trial, (long long)p->trials, p->phase,
             *p->label ? " " : "", (int)tc_width_fit(p->label, 60), p->label);
    append(text, " %3.0f %%", 100 * p->fraction);
    append(text, "  loss %.4g", p->loss);
    append(text, "  accuracy %.3f", p->accuracy);
    append(text, "  %.0f images/s", p->images_per_second);
    if (p->fraction < 1) append_time(text, p->seconds_left);
}

static void draw(double fraction, const char *text) {
    fprintf(stderr, "\r\033[K[");
    for (int i = 0; i < BAR; i++) fputs(fraction * BAR > i ? "█" : "·", stderr);
    fprintf(stderr, "] %.*s", (int)tc_width_fit(text, 150), text);
    fflush(stderr);
}

static bool is_due(tc_meter *meter, double fraction) {
    const double now = tc_clock(), pause = meter->terminal ? 0.1 : 15;
    if (tc_log_verbosity() == TC_QUIET) return false;
    if (now - meter->shown < pause && !(fraction >= 1 && tc_log_verbosity() == TC_VERBOSE)) return false;
    const bool first = isinf(meter->shown);
    meter->shown = now;
    return meter->terminal || !first; /* the first plain line comes after a pause, not at once */
}

void tc_meter_say(tc_meter *meter, double fraction, const char *text) {
    if (!is_due(meter, fraction)) return;
    if (meter->terminal)
        draw(fraction, text);
    else
        fprintf(stderr, "%s\n", text);
    meter->drawn = meter->terminal;
}

void tc_meter_show(void *context, const tc_progress *progress) {
    char text[LONGEST];
    describe(progress, text);
    tc_meter_say(context, progress->fraction, text);
}

void tc_meter_clear(tc_meter *meter) {
    if (meter->drawn) fputs("\r\033[K", stderr);
    meter->drawn = false;
}
