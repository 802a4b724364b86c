#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/board.h"
#include "report/report.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const tc_flag flags[] = {
    {"out", "DIR", "where everything is written [out/NAME]"},
    {"plan", NULL, "print the cells, the work, time and memory it takes, and stop"},
    {"no-measure", NULL, "with --plan: count the work, without trying how long it takes"},
    {"resume", NULL, "go on with what an earlier run left there"},
    {"overwrite", NULL, "replace what an earlier run left there"},
    {"from", "DIR", "take what the study there has finished of the same work; may be repeated"},
    {"jobs", "N", "trials side by side; 0: as many as there are cores or GPUs for [0]"},
    TC_SPEC_FLAGS,
    {"json", NULL, "print the results as JSON instead of a table"},
    TC_COMMON_FLAGS,
    TC_FLAGS_END};

static const tc_usage usage = {
    .command = "run",
    .operands = "SPEC.yaml",
    .summary = "run a study: train, poison, train again, evaluate, report",
    .details =
        "Leaves run.db, results.json, results.csv, report.html, spec.resolved.yaml and poisons/ in DIR. Interrupted\n"
        "(Ctrl-C) or killed, it keeps what is finished, and --resume goes on. The results do not depend on --jobs.\n"
        "Under mpirun every process but the first is a worker; `tocsin status DIR` looks on from elsewhere.\n",
    .least = 1,
    .most = 1,
    .flags = flags};

/* ---- what is told ---- */

static void show(void *context, int worker, const tc_progress *progress, const tc_standing *standing) {
    tc_board_show(context, worker, progress, standing);
}

static void announce(void *context, const tc_finding *f, const tc_standing *standing) {
    const char *label = json_string_value(json_object_get(f->cell->factors, "label"));
    tc_board_clear(context);
    (void)standing;
    if (!f->targets) { /* untargeted */
        tc_log("trial %lld/%lld  %s: test accuracy %.1f %% (clean %.1f %%); %.1f s to craft, %.1f s to train",
               (long long)f->trial + 1, (long long)f->trials, label, 100 * f->accuracy, 100 * f->clean_accuracy,
               f->craft_seconds, f->victim_seconds);
        return;
    }
    tc_log("trial %lld/%lld  %s: %zu of %zu %s taken for the intended class; test accuracy %.1f %% (clean %.1f %%); "
           "%.1f s to craft, %.1f s to train",
           (long long)f->trial + 1, (long long)f->trials, label, f->hits, f->targets,
           f->targets == 1 ? "target" : "targets", 100 * f->accuracy, 100 * f->clean_accuracy, f->craft_seconds,
           f->victim_seconds);
}

static void note(void *context, const char *text) {
    tc_board_clear(context);
    tc_log("tocsin: %s", text);
}

static bool anything_finished(const char *folder) {
    json_t *results = NULL;
    const bool any =
        tc_report_read(folder, &results, NULL) == TC_OK && json_array_size(json_object_get(results, "trials"));
    json_decref(results);
    return any;
}

/* ---- the run ---- */

static tc_status read_mode(const tc_arguments *arguments, tc_store_mode *mode, tc_error *error) {
    const bool resume = tc_arguments_has(arguments, "resume"), overwrite = tc_arguments_has(arguments, "overwrite");
    if (resume && overwrite)
        return tc_raise(error, TC_INVALID, "run: --resume and --overwrite exclude each other; give one of them");
    *mode = resume ? TC_STORE_RESUME : overwrite ? TC_STORE_OVERWRITE : TC_STORE_NEW;
    return TC_OK;
}

/* An order with the texts that it points to. */
typedef struct asked {
    tc_study_order order;
    char folder[TC_PATH_SIZE];
    const char *from[TC_MOST_ARGUMENTS];
} asked;

/* The folder itself is none to take from: --overwrite would have emptied it. */
static tc_status read_from(const tc_arguments *arguments, asked *a, tc_error *error) {
    a->order.from_count = tc_arguments_values(arguments, "from", a->from);
    a->order.from = a->from;
    for (int i = 0; i < a->order.from_count; i++) {
        if (!tc_store_exists(a->from[i]))
            return tc_raise(error, TC_INVALID, "--from: %s holds no run.db; name the folder of a `tocsin run`",
                            a->from[i]);
        if (tc_folder_same(a->from[i], a->folder))
            return tc_raise(error, TC_INVALID, "--from: %s is where the study itself goes; name the folder of another",
                            a->from[i]);
    }
    return TC_OK;
}

static tc_status read_order(const tc_arguments *arguments, const tc_plan *plan, const tc_ranks *ranks, asked *a,
                            tc_error *error) {
    const char *out = tc_arguments_value(arguments, "out", NULL);
    int64_t jobs = 0;
    tc_status status = TC_OK;
    if (tc_arguments_has(arguments, "no-measure") && !tc_arguments_has(arguments, "plan"))
        TC_RAISE(TC_INVALID, "run: --no-measure is about --plan; give both, or leave it away");
    if (out && !*out) TC_RAISE(TC_INVALID, "--out: is empty; name a folder");
    TC_TRY(tc_path_format(a->folder, error, "%s%s", out ? out : "out/", out ? "" : plan->base->study.name));
    TC_TRY(tc_arguments_int(arguments, "jobs", 0, 4096, 0, &jobs, error));
    if (ranks->size > 1 && jobs > 0)
        TC_RAISE(TC_INVALID, "run: under mpirun its processes are the jobs; leave --jobs away");
    a->order =
        (tc_study_order){.folder = a->folder, .jobs = (int)jobs, .ranks = ranks, .spec = arguments->positional[0]};
    TC_TRY(read_mode(arguments, &a->order.mode, error));
    if (ranks->rank == 0) TC_TRY(read_from(arguments, a, error)); /* the others need not see the folders */
done:
    return status;
}

/* All ranks must have made the same plan of the same file, and those that work have the device it asks for. */
static tc_status make_plan(const tc_arguments *arguments, const tc_ranks *ranks, tc_plan **plan, asked *a,
                           tc_error *error) {
    char digest[TC_KEY_SIZE] = "";
    tc_device_facts device;
    tc_status status = TC_OK;
    TC_TRY(tc_cli_plan(arguments, arguments->positional[0], plan, error));
    TC_TRY(read_order(arguments, *plan, ranks, a, error));
    TC_TRY(tc_plan_digest(*plan, digest, error));
    if (ranks->rank > 0) TC_TRY(tc_plan_look(*plan, &device, error));
done:
    return tc_mpi_agree(ranks, status, digest, error);
}

static tc_status conduct(const tc_arguments *arguments, const tc_plan *plan, const tc_study_order *order,
                         tc_error *error) {
    tc_board *board = NULL;
    tc_status status = tc_board_create(&board, error);
    if (status != TC_OK) return status;
    const tc_study_hooks hooks = {
        .progress = show, .finished = announce, .note = note, .stop = tc_cli_stopped, .context = board};
    tc_cli_catch_signals();
    int given_up = 0;
    tc_study_order counted = *order;
    counted.given_up = &given_up;
    status = tc_study_run(plan, &counted, &hooks, error);
    tc_board_clear(board);
    tc_board_free(board);
    if (status == TC_OK) return tc_cli_show(arguments, order->folder, error);
    if (given_up) tc_cli_show(arguments, order->folder, NULL);
    if (status != TC_INTERRUPTED) return status;
    const bool any = anything_finished(order->folder) && tc_cli_show(arguments, order->folder, NULL) == TC_OK;
    return tc_raise(error, TC_INTERRUPTED, "%s: interrupted; %s", order->folder,
                    any ? "the finished trials are kept there, --resume goes on"
                        : "no trial was finished, --resume goes on from what there is");
}

/* It is the first rank that is interrupted, and that tells the others. */
static tc_status work(const tc_plan *plan, const tc_study_order *order, tc_error *error) {
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    return tc_study_run(plan, order, NULL, error);
}

static tc_status run(const tc_arguments *arguments, const tc_ranks *ranks, tc_error *error) {
    asked a = {.folder = ""};
    tc_plan *plan = NULL;
    tc_status status = make_plan(arguments, ranks, &plan, &a, error);
    if (status == TC_OK && tc_arguments_has(arguments, "plan"))
        status = ranks->rank ? TC_OK : tc_cli_show_plan(arguments, plan, a.from, a.order.from_count, error);
    else if (status == TC_OK)
        status = ranks->rank ? work(plan, &a.order, error) : conduct(arguments, plan, &a.order, error);
    tc_plan_free(plan);
    return status;
}

int tc_cli_run(int argc, char **argv) {
    tc_arguments arguments;
    tc_ranks ranks = {0, 1, 0};
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = tc_mpi_begin(&ranks, &error);
    if (status == TC_OK) status = run(&arguments, &ranks, &error);
    const int result = ranks.rank ? (int)status : tc_cli_finish(status, &error); /* one voice */
    tc_mpi_end();
    return result;
}
