/* plan.c — `tocsin run --plan`: what a study comes to, before a second is spent on it. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/width.h"
#include "experiment/run/study_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_ROWS = 200, MOST_COLUMNS = 16, COLUMN = 64 };
static const double budget = 12; /* seconds of measuring */

/* "3 h 20 min": two units are enough of an estimate. */
static const char *duration(double seconds, char text[32]) {
    const int64_t whole = isfinite(seconds) ? (int64_t)llround(seconds) : 0;
    if (!isfinite(seconds))
        snprintf(text, 32, "–");
    else if (seconds < 0.9995)
        snprintf(text, 32, "%.0f ms", 1000 * seconds);
    else if (seconds < 9.95)
        snprintf(text, 32, "%.1f s", seconds);
    else if (whole < 120)
        snprintf(text, 32, "%" PRId64 " s", whole);
    else if (whole < 7200)
        snprintf(text, 32, "%" PRId64 " min %" PRId64 " s", whole / 60, whole % 60);
    else if (whole < 172800)
        snprintf(text, 32, "%" PRId64 " h %" PRId64 " min", whole / 3600, whole / 60 % 60);
    else
        snprintf(text, 32, "%" PRId64 " d %" PRId64 " h", whole / 86400, whole / 3600 % 24);
    return text;
}

static double total(const tc_cost *cost) {
    double seconds = 0;
    for (int k = 0; k < TC_PHASE_KINDS; k++) seconds += cost->seconds[k];
    return seconds;
}

/* As many trials side by side as there are cores for them, or GPUs. */
static int jobs_here(const tc_plan *plan, const tc_device_facts *device) {
    if (tc_plan_on_gpu(plan)) return plan->base->study.gpu < 0 ? device->count : 1;
    const long cores = sysconf(_SC_NPROCESSORS_ONLN), threads = plan->base->study.threads;
    return threads < 1 || cores < threads ? 1 : (int)(cores / threads);
}

/* ---- the cells ---- */

/* A factor that is the same everywhere needs no column. */
static bool differs(const tc_plan *plan, const char *name) {
    for (int c = 1; c < plan->cells; c++) {
        json_t *a = json_object_get(plan->cell[0].factors, name), *b = json_object_get(plan->cell[c].factors, name);
        if (a != b && (!a || !b || !json_equal(a, b))) return true;
    }
    return false;
}

static int choose_columns(const tc_plan *plan, const char *column[MOST_COLUMNS]) {
    static const char *const always[] = {"label", "victim", "defence", "dataset", "surrogate"};
    size_t index = 0;
    json_t *name = NULL;
    int count = 0;
    column[count++] = always[0];
    for (size_t i = 1; i < sizeof always / sizeof *always; i++)
        if (differs(plan, always[i])) column[count++] = always[i];
    json_array_foreach(plan->sweep, index, name) {
        const char *text = json_string_value(name);
        bool there = false;
        for (int i = 0; i < count; i++) there |= !strcmp(column[i], text);
        if (!there && count < MOST_COLUMNS && differs(plan, text)) column[count++] = text;
    }
    return count;
}

static const char *value_text(const tc_plan *plan, int cell, const char *name, char text[COLUMN]) {
    const json_t *value = json_object_get(plan->cell[cell].factors, name);
    snprintf(text, COLUMN, "–");
    if (json_is_string(value)) snprintf(text, COLUMN, "%s", json_string_value(value));
    if (json_is_integer(value)) snprintf(text, COLUMN, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_real(value)) snprintf(text, COLUMN, "%.6g", json_real_value(value));
    if (json_is_boolean(value)) snprintf(text, COLUMN, "%s", json_is_true(value) ? "true" : "false");
    return text;
}

static void print_column(const char *text, int width) {
    fputs("  ", stdout);
    tc_width_put(stdout, text, -width);
}

static void print_cells(const tc_plan *plan) {
    const char *column[MOST_COLUMNS];
    const int columns = choose_columns(plan, column), rows = plan->cells < MOST_ROWS ? plan->cells : MOST_ROWS;
    int width[MOST_COLUMNS];
    char text[COLUMN];
    printf("%5s", "cell");
    for (int i = 0; i < columns; i++) {
        const char *title = i ? column[i] : "attack";
        width[i] = tc_width(title);
        for (int c = 0; c < rows; c++) {
            const int wide = tc_width(value_text(plan, c, column[i], text));
            if (wide > width[i]) width[i] = wide;
        }
        print_column(title, width[i]);
    }
    printf("\n");
    for (int c = 0; c < rows; c++) {
        printf("%5d", c);
        for (int i = 0; i < columns; i++) print_column(value_text(plan, c, column[i], text), width[i]);
        printf("\n");
    }
    if (rows < plan->cells) printf("      … and %d more\n", plan->cells - rows);
}

/* ---- the work ---- */

static const char *const works[TC_PHASE_KINDS] = {[TC_PHASE_SURROGATE] = "surrogates trained",
                                                  [TC_PHASE_CLEAN] = "clean victims trained",
                                                  [TC_PHASE_CRAFT] = "poisons crafted",
                                                  [TC_PHASE_VICTIM] = "poisoned victims trained"};

static const char *how_known(const tc_cost *cost, int kind, char text[32]) {
    snprintf(text, 32, "%d of %d measured", cost->measured[kind], cost->kinds[kind]);
    if (!cost->kinds[kind]) return "";
    if (cost->measured[kind] == cost->kinds[kind]) return "measured";
    return cost->measured[kind] ? text : "extrapolated";
}

static bool extrapolated(const tc_cost *cost) {
    bool any = false;
    for (int k = 0; k < TC_PHASE_KINDS; k++) any |= cost->measured[k] < cost->kinds[k];
    return any;
}

static void print_extrapolation(const tc_cost *cost) {
    printf("Extrapolated: the passes over images that the options ask for, at the speed of a gradient of a few images");
    if (cost->networks_measured < cost->networks)
        printf(", measured\non %d of %d networks and taken by multiply-accumulates for the others",
               cost->networks_measured, cost->networks);
    printf(".\nAn attack that may end sooner is counted at its longest; memory is what was tried, and may be more.\n");
}

static void print_work(const tc_plan *plan, const tc_device_facts *device, const tc_cost *cost) {
    char each[32], all[32], how[32];
    printf("\n%-26s %12s %12s %14s %14s\n", "", "asked for", "to be done", "each", "in all");
    for (int k = 0; k < TC_PHASE_KINDS; k++) {
        const double seconds = cost->phases[k] ? cost->seconds[k] / (double)cost->phases[k] : 0;
        printf("%-26s %12" PRId64 " %12" PRId64, works[k], plan->asked_for[k], cost->phases[k]);
        tc_width_put(stdout, duration(seconds, each), 15);
        tc_width_put(stdout, duration(cost->seconds[k], all), 15);
        printf("  %s\n", how_known(cost, k, how));
    }
    const int jobs = jobs_here(plan, device);
    if (!isfinite(total(cost))) return;
    printf("\nAbout %s one after another", duration(total(cost), all));
    if (jobs > 1) printf(", %s as %d jobs side by side", duration(total(cost) / jobs, each), jobs);
    printf("; %s%.0f MiB of memory a job.\n", extrapolated(cost) ? "at least " : "",
           (double)cost->peak_bytes / (1 << 20));
    if (extrapolated(cost)) print_extrapolation(cost);
}

static void print_plan(const tc_plan *plan, const tc_device_facts *device, const tc_cost *cost) {
    printf("%s: %d %s, %" PRId64 " %s each\n\n", plan->base->study.name, plan->cells,
           plan->cells == 1 ? "cell" : "cells", plan->trials, plan->trials == 1 ? "trial" : "trials");
    print_cells(plan);
    print_work(plan, device, cost);
}

/* ---- the same for programs ---- */

/* null where nothing was measured */
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *plan_json(const tc_plan *plan, const tc_cost *cost) {
    json_t *cells = json_array(), *phases = json_object();
    for (int c = 0; c < plan->cells; c++)
        json_array_append_new(
            cells, json_pack("{s:i, s:O}", "variant", plan->cell[c].variant, "factors", plan->cell[c].factors));
    for (int k = 0; k < TC_PHASE_KINDS; k++)
        json_object_set_new(phases, tc_phase_names[k],
                            json_pack("{s:I, s:I, s:o, s:i, s:i}", "asked_for", (json_int_t)plan->asked_for[k],
                                      "to_be_done", (json_int_t)cost->phases[k], "seconds", number(cost->seconds[k]),
                                      "kinds", cost->kinds[k], "measured", cost->measured[k]));
    return json_pack("{s:s, s:I, s:O, s:o, s:o, s:o, s:I, s:i, s:i, s:o}", "name", plan->base->study.name, "trials",
                     (json_int_t)plan->trials, "sweep", plan->sweep, "cells", cells, "phases", phases, "seconds",
                     number(total(cost)), "memory_bytes", (json_int_t)cost->peak_bytes, "networks", cost->networks,
                     "networks_measured", cost->networks_measured, "spec", tc_plan_json(plan));
}

tc_status tc_cli_show_plan(const tc_arguments *arguments, const tc_plan *plan, const char *const *from, int from_count,
                           tc_error *error) {
    tc_cost cost;
    tc_device_facts device;
    bool *done = NULL;
    tc_status status = TC_OK;
    if (from_count) {
        TC_TRY(tc_new(&done, (size_t)plan->phases, sizeof *done, error));
        TC_TRY(tc_plan_borrowed(plan, from, from_count, done, error));
    }
    TC_TRY(tc_plan_look(plan, &device, error));
    TC_TRY(tc_plan_check(plan, error));
    tc_cli_catch_signals();
    if (tc_arguments_has(arguments, "no-measure")) {
        tc_plan_count(plan, done, &cost);
    } else {
        tc_log("a few steps of each kind of work are measured …");
        TC_TRY(tc_plan_measure(plan, done, budget, tc_cli_stopped, NULL, &cost, error));
    }
    if (tc_arguments_has(arguments, "json"))
        TC_TRY(tc_cli_print_json(plan_json(plan, &cost), error));
    else if (tc_log_verbosity() != TC_QUIET)
        print_plan(plan, &device, &cost);
done:
    free(done);
    return status;
}
