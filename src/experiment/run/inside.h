/* inside.h — what the coordinator knows while a study runs. */
#ifndef TC_EXPERIMENT_RUN_INSIDE_H
#define TC_EXPERIMENT_RUN_INSIDE_H

#include "experiment/results/results.h"
#include "experiment/run/agenda.h"
#include "experiment/run/hooks.h"
#include "experiment/store/store.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct tc_worker {
    int phase; /* that it is at; −1: none */
    bool gone;
    tc_job_record told;
} tc_worker;

/* Of workers at one phase. */
typedef struct tc_deaths {
    int count, process[2]; /* in which they were, of the first two */
} tc_deaths;

typedef struct tc_runner {
    const tc_plan *plan;
    const tc_study_hooks *hooks;
    const char *folder;
    tc_labs *labs; /* the coordinator's own: to check, and to write poisons */
    tc_crew *crew;
    tc_device_facts device; /* what the workers compute with */
    tc_store *store;
    tc_study_record record;
    tc_agenda agenda;

    json_t **payload;  /* [phases]; NULL: not done */
    double *seconds;   /* [phases] */
    bool *fresh;       /* [phases] its blob was written by this process */
    tc_deaths *deaths; /* [phases] */
    uint8_t *told;     /* [cells][trials] whether the finding was told */

    tc_worker *worker;   /* [crew->workers] */
    tc_job_record *jobs; /* [crew->workers] room to write them down from */
    int alive;
    int given_up;     /* phases that came to nothing, with all that needed them, … */
    char first[1024]; /* … and which was the first, and why */
    bool stopping;
    int64_t trials_done;
    struct {
        int phases, done;
        double seconds; /* of those done */
    } kind[TC_PHASE_KINDS];
    double started, jobs_noted, results_written, results_cost;
} tc_runner;

tc_status tc_runner_loop(tc_runner *r, tc_error *error);
void tc_runner_note(const tc_runner *r, const char *format, ...); /* for a person */
tc_standing tc_runner_standing(const tc_runner *r);               /* standing.c */
/* For a tc_crew_job; context: the runner. */
void tc_runner_told(void *context, int worker, const tc_progress *progress);
bool tc_runner_stopped(void *context);

/* ---- what is kept (keep.c) ---- */

/* The part of it that others wait for. */
tc_status tc_runner_keep_blob(tc_runner *r, int phase, const tc_phase_result *result, tc_error *error);
/* The rest: poison, model, transaction. */
tc_status tc_runner_record(tc_runner *r, int phase, const tc_phase_result *result, double seconds, tc_error *error);
/* And then blobs that nobody needs any more go, and the hooks hear of it. */
tc_status tc_runner_keep(tc_runner *r, int phase, const tc_phase_result *result, double seconds, tc_error *error);
/* Counts, and tells where `loudly`, the trials that are finished now that `phase` is. */
void tc_runner_tell_findings(tc_runner *r, int phase, bool loudly);
tc_status tc_runner_write_results(const tc_runner *r, tc_error *error);

#endif
