/* filter.c — running a filter, and judging it by the poisons that are known to whoever laid them. */
#include "defence/defence.h"
#include "train/clock.h"
#include "train/passes.h"

#include <math.h>
#include <stdlib.h>

static tc_status allocate(tc_filtered *f, size_t count, tc_error *error) {
    tc_status status = TC_OK;
    *f = (tc_filtered){.count = count};
    TC_TRY(tc_new(&f->keep, count, sizeof *f->keep, error));
    TC_TRY(tc_new(&f->score, count, sizeof *f->score, error));
    for (size_t i = 0; i < count; i++) {
        f->keep[i] = true;
        f->score[i] = NAN;
    }
done:
    return status;
}

tc_status tc_defence_filter(const tc_defence *defence, const void *options, const tc_filter_job *job,
                            tc_filtered *filtered, tc_error *error) {
    tc_status status = TC_OK;
    const double started = tc_clock();
    TC_TRY(allocate(filtered, job->view->count, error));
    TC_TRY(tc_model_fits(job->model, job->view->dataset, error));
    if (defence->filter) TC_TRY(defence->filter(job, options, filtered, error));
    for (size_t i = 0; i < filtered->count; i++) filtered->kept += filtered->keep[i];
    if (filtered->kept == 0)
        TC_RAISE_FRUITLESS(TC_INVALID, "%s: keeps none of the %zu samples; let it drop fewer", defence->name,
                           filtered->count);
    if (job->progress) job->progress(job->context, 1);
    filtered->seconds = tc_clock() - started;
done:
    return status;
}

void tc_filtered_free(tc_filtered *filtered) {
    free(filtered->keep);
    free(filtered->score);
    *filtered = (tc_filtered){0};
}

tc_filter_verdict tc_filter_judge(const tc_view *view, const bool *keep) {
    tc_filter_verdict v = {.samples = view->count};
    for (size_t i = 0; i < view->count; i++) {
        const bool poisoned = tc_view_poisoned(view, i);
        v.poisons += poisoned;
        v.kept += keep[i];
        v.caught += poisoned && !keep[i];
    }
    const size_t dropped = v.samples - v.kept;
    v.precision = dropped ? (double)v.caught / (double)dropped : NAN;
    v.recall = v.poisons ? (double)v.caught / (double)v.poisons : NAN;
    return v;
}
