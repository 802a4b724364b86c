/* study_run.c — how a run begins (crew, checks, store, what an earlier run has left) and how it ends. */
#include "experiment/run/study_run.h"

#include "base/file.h"
#include "experiment/plan/key.h"
#include "experiment/run/borrow.h"
#include "experiment/run/machine.h"
#include "experiment/spec/difference.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

tc_status tc_plan_digest(const tc_plan *plan, char digest[TC_KEY_SIZE], tc_error *error) {
    json_t *keys = json_array();
    for (int p = 0; p < plan->phases; p++) json_array_append_new(keys, json_string(plan->phase[p].key));
    return tc_key_of(keys, digest, error);
}

/* ---- the crew ---- */

static int choose_jobs(const tc_plan *plan, int asked, int gpus) {
    const int64_t threads = plan->base->study.threads > 0 ? plan->base->study.threads : 1;
    int jobs = asked > 0 ? asked : (int)(omp_get_num_procs() / threads);
    if (plan->base->study.threads == 0 && asked <= 0) jobs = 1; /* each takes all cores */
    if (tc_plan_on_gpu(plan) && asked <= 0) jobs = plan->base->study.gpu < 0 ? gpus : 1;
    if (jobs > plan->phases) jobs = plan->phases;
    return jobs > 1 ? jobs : 1;
}

/* On a GPU the jobs that share it are one process: the kernels of several processes would take turns on it. */
static int choose_processes(const tc_plan *plan, int jobs, int gpus) {
    const int used = plan->base->study.gpu < 0 ? gpus : 1;
    return tc_plan_on_gpu(plan) && used < jobs ? used : jobs;
}

/* The coordinator computes nothing. Among MPI's ranks the others have looked for their devices (tc_plan_look), and it
 * may be on a machine that has none; before a fork nobody may touch a GPU, or the children could not. */
static tc_status look(const tc_plan *plan, const tc_study_order *order, tc_device_facts *facts, tc_error *error) {
    if (order->ranks && order->ranks->size > 1) {
        tc_plan_look(plan, facts, NULL);
        return TC_OK;
    }
    return order->here ? tc_plan_look(plan, facts, error) : tc_plan_look_apart(plan, facts, error);
}

/* In a forked worker this never returns. */
static tc_status fork_crew(const tc_crew_job *job, int jobs, int processes, tc_crew **crew, tc_error *error) {
    tc_line *line = NULL, **ends = NULL;
    const tc_status status = tc_line_fork(jobs, processes, &line, &ends, error);
    if (status != TC_OK) return status;
    if (ends) {
        tc_crew_serve_all(job->plan, job->work, ends, jobs);
        _exit(0); /* not the coordinator's to flush, or to say goodbye for */
    }
    return tc_crew_remote(job, line, crew, error);
}

static tc_status make_crew(const tc_study_order *order, const tc_crew_job *job, tc_runner *r, tc_error *error) {
    const int jobs = choose_jobs(r->plan, order->jobs, r->device.count);
    const int processes = choose_processes(r->plan, jobs, r->device.count);
    tc_line *line = NULL;
    if (order->ranks && order->ranks->size > 1) {
        const tc_status status = tc_line_mpi(order->ranks, &line, error);
        return status == TC_OK ? tc_crew_remote(job, line, &r->crew, error) : status;
    }
    /* A single worker is a process of its own as well: it need not wait for the coordinator's disk. */
    return order->here ? tc_crew_here(job, &r->crew, error) : fork_crew(job, jobs, processes, &r->crew, error);
}

static tc_status make_room(tc_runner *r, tc_error *error) {
    const size_t phases = (size_t)r->plan->phases, workers = (size_t)r->crew->workers;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&r->payload, phases, sizeof *r->payload, error));
    TC_TRY(tc_new(&r->seconds, phases, sizeof *r->seconds, error));
    TC_TRY(tc_new(&r->fresh, phases, sizeof *r->fresh, error));
    TC_TRY(tc_new(&r->deaths, phases, sizeof *r->deaths, error));
    TC_TRY(tc_new(&r->told, (size_t)r->plan->cells * (size_t)r->plan->trials, sizeof *r->told, error));
    TC_TRY(tc_new(&r->worker, workers, sizeof *r->worker, error));
    TC_TRY(tc_new(&r->jobs, workers, sizeof *r->jobs, error));
    for (size_t w = 0; w < workers; w++) r->worker[w].phase = -1;
    for (int p = 0; p < r->plan->phases; p++) r->kind[r->plan->phase[p].kind].phases++;
    r->alive = r->crew->workers;
done:
    return status;
}

/* ---- the record ---- */

static json_t *describe_data(const tc_dataset *dataset, const tc_labs *labs) {
    json_t *classes = json_array();
    for (int c = 0; c < dataset->classes; c++) json_array_append_new(classes, json_string(dataset->class_names[c]));
    return json_pack("{s:s, s:i, s:i, s:i, s:I, s:I, s:o, s:o}", "name", dataset->name, "height", dataset->height,
                     "width", dataset->width, "channels", dataset->channels, "train", (json_int_t)dataset->train.count,
                     "test", (json_int_t)dataset->test.count, "classes", classes, "contents",
                     tc_labs_all_contents(labs));
}

static json_t *describe_plan(const tc_plan *plan) {
    json_t *cells = json_array();
    for (int c = 0; c < plan->cells; c++) json_array_append(cells, plan->cell[c].factors);
    return json_pack("{s:o, s:o}", "spec", tc_plan_json(plan), "cells", cells);
}

static tc_status make_record(tc_runner *r, const char *spec, tc_study_record *record, tc_error *error) {
    enum { LARGEST_SPEC = 1 << 20 };
    tc_lab lab = {0};
    uint8_t *text = NULL;
    size_t size = 0;
    tc_status status = tc_labs_open(r->labs, r->plan->base, -1, &lab, error);
    if (status != TC_OK) return status;
    *record = (tc_study_record){.asked = describe_plan(r->plan),
                                .machine = tc_machine_json(r->device.description),
                                .data = describe_data(lab.dataset, r->labs)};
    snprintf(record->version, sizeof record->version, "%s", TOCSIN_VERSION);
    if (spec && tc_file_read(spec, LARGEST_SPEC, &text, &size, NULL) == TC_OK) record->text = (char *)text;
    tc_labs_close(&lab);
    if (record->asked && record->machine && record->data) return TC_OK;
    return tc_raise(error, TC_FAILED, "memory: none left for the study's record; free some");
}

/* ---- going on ---- */

/* The same files may hold other images by now; half of the results would be about one data set, half about another. */
static tc_status check_same_data(const tc_runner *r, const tc_study_record *wanted, tc_error *error) {
    const json_t *was;
    const json_t *is = tc_contents_changed(json_object_get(r->record.data, "contents"),
                                           json_object_get(wanted->data, "contents"), &was);
    if (!is) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "--resume: %s was begun with other data: what %s holds has changed since (SHA-256 %.12s…, now "
                    "%.12s…); put it back, or choose another folder",
                    r->folder, json_string_value(json_object_get(is, "source")),
                    json_string_value(json_object_get(was, "sha256")),
                    json_string_value(json_object_get(is, "sha256")));
}

static tc_status check_same_spec(const tc_runner *r, const tc_study_record *wanted, tc_error *error) {
    tc_difference found;
    if (!tc_settings_differ(r->record.asked, wanted->asked, &found)) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "--resume: %s was begun with another spec: %s was %s, now it is %s; set it back, or choose another "
                    "folder",
                    r->folder, found.setting, found.was, found.is);
}

static tc_status check_same(const tc_runner *r, const tc_study_record *wanted, tc_error *error) {
    tc_status status = TC_OK;
    if (strcmp(r->record.version, wanted->version))
        TC_RAISE(TC_INVALID,
                 "--resume: %s was begun by Tocsin %s, this is %s; go on with that one, or choose another folder",
                 r->folder, r->record.version, wanted->version);
    TC_TRY(check_same_spec(r, wanted, error));
    TC_TRY(check_same_data(r, wanted, error));
done:
    return status;
}

typedef struct loading {
    tc_runner *r;
    bool *done;
    int at;
} loading;

static tc_status load_phase(void *context, const tc_stored *stored, tc_error *error) {
    loading *l = context;
    tc_runner *r = l->r;
    const int p = l->at++;
    if (p >= r->plan->phases || !stored->key || strcmp(r->plan->phase[p].key, stored->key))
        return tc_raise(error, TC_INVALID, "--resume: %s holds other phases than this spec has; choose another folder",
                        r->folder);
    if (!stored->payload) return TC_OK;
    l->done[p] = true;
    r->payload[p] = json_incref(stored->payload);
    r->seconds[p] = stored->seconds;
    return TC_OK;
}

/* What is still to be run needs blobs; one that is not there any more has to be made again, from the last phase to the
 * first, because so may what that needs. */
static tc_status check_blobs(tc_runner *r, bool *done, bool *keep, tc_error *error) {
    tc_status status = TC_OK;
    for (int p = r->plan->phases - 1; p >= 0; p--) {
        if (done[p]) continue;
        for (int i = 0; i < r->plan->phase[p].need_count; i++) {
            const int need = r->plan->phase[p].needs[i];
            tc_blob blob = {0};
            if (!done[need] || keep[need]) continue;
            TC_TRY(tc_store_get_blob(r->store, &r->plan->phase[need], false, &blob, &keep[need], error));
            tc_blob_free(&blob);
            if (keep[need]) continue;
            done[need] = false;
            TC_TRY(tc_store_forget(r->store, r->plan->phase[need].key, error));
        }
    }
done:
    return status;
}

static tc_status take_up(tc_runner *r, bool *done, tc_error *error) {
    loading l = {.r = r, .done = done};
    bool *keep = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&keep, (size_t)r->plan->phases, sizeof *keep, error));
    TC_TRY(tc_store_each(r->store, load_phase, &l, error));
    if (l.at != r->plan->phases)
        TC_RAISE(TC_INVALID, "--resume: %s holds fewer phases than this spec has; choose another folder", r->folder);
    TC_TRY(check_blobs(r, done, keep, error));
    tc_store_tidy(r->store, r->plan, done, keep);
    for (int p = 0; p < r->plan->phases; p++) {
        if (!done[p]) continue;
        r->kind[r->plan->phase[p].kind].done++;
        r->kind[r->plan->phase[p].kind].seconds += r->seconds[p];
        tc_runner_tell_findings(r, p, false);
    }
done:
    free(keep);
    return status;
}

/* ---- beginning and ending ---- */

static tc_status open_store(tc_runner *r, const tc_study_order *order, tc_error *error) {
    tc_study_record wanted = {0};
    tc_loans loans = {0};
    bool *done = NULL;
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(tc_new(&done, (size_t)r->plan->phases, sizeof *done, error));
    TC_TRY(make_record(r, order->spec, &wanted, error));
    if (order->from_count)
        TC_TRY(tc_loans_open(r->plan, order->from, order->from_count, json_object_get(wanted.data, "contents"), &loans,
                             error));
    TC_TRY(tc_store_open(order->folder, order->mode, &r->store, error));
    TC_TRY(tc_store_study(r->store, &r->record, error));
    if (r->record.asked) {
        TC_TRY(check_same(r, &wanted, error));
        TC_TRY(take_up(r, done, error));
    } else {
        TC_TRY(tc_path_format(path, error, "%s/spec.resolved.yaml", order->folder));
        TC_TRY(tc_plan_save_yaml(r->plan, path, error));
        TC_TRY(tc_store_begin(r->store, r->plan, &wanted, error));
        TC_TRY(tc_store_study(r->store, &r->record, error));
    }
    if (loans.count) TC_TRY(tc_runner_borrow(r, &loans, done, error));
    TC_TRY(tc_agenda_create(r->plan, done, &r->agenda, error));
done:
    tc_loans_close(&loans);
    tc_study_record_free(&wanted);
    free(done);
    return status;
}

static void close_runner(tc_runner *r) {
    if (r->crew) r->crew->close(r->crew);
    tc_store_close(r->store);
    tc_labs_free(r->labs);
    tc_agenda_free(&r->agenda);
    tc_study_record_free(&r->record);
    for (int p = 0; r->payload && p < r->plan->phases; p++) json_decref(r->payload[p]);
    void *const owned[] = {r->payload, r->seconds, r->fresh, r->deaths, r->told, r->worker, r->jobs};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
}

/* The study is not finished, but nothing more can be done for it now. */
static tc_status end_incomplete(tc_runner *r, const tc_study_order *order, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_runner_write_results(r, error));
    if (order->given_up) *order->given_up = r->given_up;
    TC_RAISE(
        TC_FAILED,
        "%s: %d of %d phases were given up, the others are done and kept; the first was %.600s; change that and take "
        "over the rest with --from, or try again with --resume",
        r->folder, r->given_up, r->plan->phases, r->first);
done:
    return status;
}

static tc_status end(tc_runner *r, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_store_end(r->store, error));
    tc_study_record_free(&r->record);
    TC_TRY(tc_store_study(r->store, &r->record, error));
    TC_TRY(tc_runner_write_results(r, error));
done:
    return status;
}

static tc_status coordinate(const tc_plan *plan, const tc_study_order *order, const tc_study_hooks *hooks,
                            tc_error *error) {
    tc_runner r = {.plan = plan, .hooks = hooks, .folder = order->folder};
    char work[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(work, error, "%s/work", order->folder));
    TC_TRY(tc_labs_create(0, &r.labs, error));
    TC_TRY(look(plan, order, &r.device, error));
    const tc_crew_job job = {plan, r.labs, work, tc_runner_told, tc_runner_stopped, &r};
    TC_TRY(make_crew(order, &job, &r, error)); /* first: a fork after threads have started is no use */
    TC_TRY(make_room(&r, error));
    for (int v = 0; v < plan->variants; v++) TC_TRY(tc_labs_check(r.labs, plan->variant[v], error));
    TC_TRY(open_store(&r, order, error));
    status = tc_runner_loop(&r, error);
    if (status == TC_OK)
        status = r.given_up ? end_incomplete(&r, order, error) : end(&r, error);
    else
        tc_runner_write_results(&r, NULL); /* where there is still room for it */
done:
    close_runner(&r);
    return status;
}

static tc_status serve(const tc_plan *plan, const tc_study_order *order, tc_error *error) {
    char work[TC_PATH_SIZE];
    tc_line *line = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(work, error, "%s/work", order->folder));
    TC_TRY(tc_line_mpi(order->ranks, &line, error));
    tc_crew_serve(plan, work, order->ranks->turn, line);
done:
    return status;
}

tc_status tc_study_run(const tc_plan *plan, const tc_study_order *order, const tc_study_hooks *hooks, tc_error *error) {
    static const tc_study_hooks none = {0};
    if (order->ranks && order->ranks->rank > 0) return serve(plan, order, error);
    return coordinate(plan, order, hooks ? hooks : &none, error);
}
