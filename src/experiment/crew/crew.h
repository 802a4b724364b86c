/* crew.h — who does the work of a study. The runner hands phases to workers and takes what comes out; a crew hides
 * whether a worker is this process (here.c), a forked one or an MPI rank (remote.c), or one of several that live in a
 * forked process (home.c). Workers never see the store. */
#ifndef TC_EXPERIMENT_CREW_CREW_H
#define TC_EXPERIMENT_CREW_CREW_H

#include "experiment/crew/line.h"
#include "experiment/trial/phase.h"

/* What a crew works on and whom it tells; outlives it. */
typedef struct tc_crew_job {
    const tc_plan *plan;
    tc_labs *labs;    /* the coordinator's own; what its data hold the workers' must hold too */
    const char *work; /* folder for checkpoints, which may not be there on another machine */
    void (*progress)(void *context, int worker, const tc_progress *progress);
    bool (*stop)(void *context); /* asked by a worker in this process; the others are told with `stop` */
    void *context;
} tc_crew_job;

typedef enum tc_event_kind {
    TC_EVENT_NOTHING, /* in the time given */
    TC_EVENT_DONE,    /* `result` is the caller's to free */
    TC_EVENT_FAILED,  /* `error` says why; TC_INTERRUPTED after a `stop` */
    TC_EVENT_BARREN,  /* the same of a phase that came to nothing by itself (tc_raise_fruitless) */
    TC_EVENT_LOST,    /* the worker is gone, and with it the phase it was at, if any; `error` may know why */
} tc_event_kind;

typedef struct tc_event {
    tc_event_kind kind;
    int worker, phase; /* phase −1: none */
    tc_phase_result result;
    tc_error error;
} tc_event;

typedef struct tc_crew tc_crew;
struct tc_crew {
    int workers, processes; /* worker w lives in process w mod processes */
    /* Gives an idle worker a phase and the blobs of its needs, which are used up before it returns. A worker that is
     * gone is told by `receive`. */
    tc_status (*send)(tc_crew *crew, int worker, int phase, const tc_blob *input, tc_error *error);
    tc_status (*receive)(tc_crew *crew, double seconds, tc_event *event, tc_error *error);
    void (*stop)(tc_crew *crew); /* every phase that is under way ends soon */
    void (*close)(tc_crew *crew);
};

/* One worker: this process, which does a phase within `receive`. */
tc_status tc_crew_here(const tc_crew_job *job, tc_crew **crew, tc_error *error);
/* The workers at the other ends of a line, which the crew closes. */
tc_status tc_crew_remote(const tc_crew_job *job, tc_line *line, tc_crew **crew, tc_error *error);
/* A worker's whole life at its end of the line, which it closes. turn: see tc_labs_create. */
void tc_crew_serve(const tc_plan *plan, const char *work, int turn, tc_line *line);
/* The same for all workers of this process, side by side: ends [count], NULL for those that live elsewhere; number w's
 * turn is w. What they share is the plan, which nobody changes (home.c). */
void tc_crew_serve_all(const tc_plan *plan, const char *work, tc_line *const *ends, int count);

/* WORK/KEY.checkpoint, or "" where the folder is not there. */
void tc_crew_checkpoint(const char *work, const tc_phase *phase, char *path, size_t size);

#endif
