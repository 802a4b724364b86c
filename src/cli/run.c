#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/progress.h"
#include "experiment/study.h"
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>

static const tc_flag flags[] = {{"out", "DIR", "where everything is written [out/NAME]"},
                                {"plan", NULL, "print the cells, the work, time and memory it takes, and stop"},
                                {"overwrite", NULL, "replace what an earlier run left there"},
                                TC_SPEC_FLAGS,
                                {"json", NULL, "print the results as JSON instead of a table"},
                                TC_COMMON_FLAGS,
                                TC_FLAGS_END};

static const tc_usage usage = {
    .command = "run",
    .operands = "SPEC.yaml",
    .summary = "run a study: train, poison, train again, evaluate, report",
    .details =
        "Leaves results.json, report.html, spec.resolved.yaml and poisons/ in DIR. Interrupted (Ctrl-C), it keeps\n"
        "what is finished and ends with status 130.\n",
    .least = 1,
    .most = 1,
    .flags = flags};

static void announce(void *context, const struct tc_trial *trial, const tc_method_spec *method,
                     const struct tc_outcome *outcome) {
    tc_meter_clear(context);
    size_t hits = 0;
    for (size_t i = 0; i < trial->threat.targets; i++) hits += outcome->prediction[i] == trial->threat.intended_class;
    tc_log("trial %lld/%lld  %s: %zu of %zu %s taken for the intended class; test accuracy %.1f %% (clean %.1f %%); "
           "%.1f s to craft, %.1f s to train",
           (long long)trial->number + 1, (long long)trial->lab->spec->study.trials, method->label, hits,
           trial->threat.targets, trial->threat.targets == 1 ? "target" : "targets", 100 * outcome->accuracy,
           100 * trial->clean_accuracy, outcome->craft_seconds, outcome->victim_seconds);
}

static bool anything_finished(const char *folder) {
    json_t *results = NULL;
    const bool any =
        tc_report_read(folder, &results, NULL) == TC_OK && json_array_size(json_object_get(results, "trials"));
    json_decref(results);
    return any;
}

/* What the spec comes to is worked out in any case: whatever is wrong with a variant of it is said here. */
static tc_status make_plan(const tc_arguments *arguments, tc_error *error) {
    tc_plan *plan = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_cli_plan(arguments, arguments->positional[0], &plan, error));
    if (tc_arguments_has(arguments, "plan"))
        TC_TRY(tc_cli_show_plan(arguments, plan, error));
    else if (plan->variants * plan->base->victim_count > 1)
        TC_RAISE(TC_FAILED, "run: several variants or victims cannot be run yet; see them with --plan");
done:
    tc_plan_free(plan);
    return status;
}

static tc_status run(const tc_arguments *arguments, tc_error *error) {
    char folder[TC_PATH_SIZE];
    tc_meter meter = tc_meter_begin();
    const tc_study_hooks hooks = {
        .progress = tc_meter_show, .finished = announce, .stop = tc_cli_stopped, .context = &meter};
    tc_spec *spec = NULL;
    tc_status status = TC_OK;
    TC_TRY(make_plan(arguments, error));
    if (tc_arguments_has(arguments, "plan")) goto done;
    TC_TRY(tc_cli_spec(arguments, arguments->positional[0], TC_SPEC_STUDY, &spec, error));
    const char *out = tc_arguments_value(arguments, "out", NULL);
    if (out && !*out) TC_RAISE(TC_INVALID, "--out: is empty; name a folder");
    TC_TRY(tc_path_format(folder, error, "%s%s", out ? out : "out/", out ? "" : spec->study.name));
    tc_cli_catch_signals();
    const tc_study_place place = {folder, tc_arguments_has(arguments, "overwrite")};
    status = tc_study_run(spec, &place, &hooks, error);
    tc_meter_clear(&meter);
    if (status == TC_OK) status = tc_cli_show(arguments, folder, error);
    if (status != TC_INTERRUPTED) goto done;
    const bool any = anything_finished(folder) && tc_cli_show(arguments, folder, NULL) == TC_OK;
    tc_raise(error, TC_INTERRUPTED, "%s: interrupted; %s", folder,
             any ? "the finished trials are kept there" : "no trial was finished, run it again");
done:
    tc_spec_free(spec);
    return status;
}

int tc_cli_run(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = run(&arguments, &error);
    return tc_cli_finish(status, &error);
}
