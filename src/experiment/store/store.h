/* store.h — DIR/run.db: what a study has finished so far. It is the truth; results.json is printed from it.
 *
 * A finished phase is one transaction, synchronised to the disk: after a kill at any moment the phase is there whole or
 * not at all. Blobs that later phases need are files in DIR/work, named in the transaction by size and hash; a file
 * that is not what the store says, after a power cut, say, costs the phase that made it a second run and nothing else.
 *
 * Whoever opens the store for writing holds DIR/run.lock as long as it lives; another process is refused. */
#ifndef TC_EXPERIMENT_STORE_STORE_H
#define TC_EXPERIMENT_STORE_STORE_H

#include "experiment/trial/phase.h"

typedef struct tc_store tc_store;

typedef enum tc_store_mode {
    TC_STORE_NEW,       /* refused where there is one */
    TC_STORE_OVERWRITE, /* an earlier one goes, with its work, poisons and models */
    TC_STORE_RESUME,    /* refused where there is none */
} tc_store_mode;

/* Refusals are TC_INVALID and leave the folder as it was; one that is not there is made. */
tc_status tc_store_open(const char *folder, tc_store_mode mode, tc_store **store, tc_error *error);
/* Leaves one plain file that may be copied to anywhere. */
void tc_store_close(tc_store *store);
bool tc_store_exists(const char *folder);

/* ---- the study ---- */

typedef struct tc_study_record {
    json_t *asked;                               /* what was asked for: the spec and the cells' factors */
    json_t *machine;                             /* where it was begun */
    json_t *data;                                /* results.json's "data" */
    char *text;                                  /* the spec as the user wrote it; NULL: none */
    char version[32], started[32], finished[32]; /* times as in 2026-01-31T12:00:00Z; finished is "" until it is */
} tc_study_record;
void tc_study_record_free(tc_study_record *record);

/* Writes a new study and its phases, all waiting. */
tc_status tc_store_begin(tc_store *store, const tc_plan *plan, const tc_study_record *record, tc_error *error);
tc_status tc_store_study(tc_store *store, tc_study_record *record, tc_error *error);
/* The last phase is done. */
tc_status tc_store_end(tc_store *store, tc_error *error);

/* ---- phases ---- */

/* Everything is done with a phase but to write it down: its blob must be there (tc_store_put_blob). */
tc_status tc_store_finish(tc_store *store, const char *key, const tc_phase_result *result, double seconds,
                          tc_error *error);
/* Its blob is lost: it has to be run again. */
tc_status tc_store_forget(tc_store *store, const char *key, tc_error *error);

typedef struct tc_stored {
    const char *key, *kind;
    json_t *payload; /* NULL: not finished; borrowed */
    double seconds;
    bool blob; /* one was written */
} tc_stored;
/* All phases in the order of the plan; a status other than TC_OK ends the walk. */
tc_status tc_store_each(tc_store *store, tc_status (*see)(void *context, const tc_stored *stored, tc_error *error),
                        void *context, tc_error *error);

/* ---- who does what just now, for `tocsin status` ---- */

typedef struct tc_job_record {
    int worker;
    char key[TC_KEY_SIZE];
    double began, told; /* seconds since 1970: the phase, and what is said here */
    double fraction, seconds_left;
    char what[400]; /* "trial 3/20 craft SAPA" */
} tc_job_record;
tc_status tc_store_put_jobs(tc_store *store, const tc_job_record *jobs, int count, tc_error *error);

/* ---- blobs (blob.c) ---- */

tc_status tc_store_put_blob(tc_store *store, const tc_phase *phase, const tc_blob *blob, tc_error *error);
/* *found is false where the file is not what the store knows of it; a trusted one, which this process has written, is
 * not looked at. */
tc_status tc_store_get_blob(tc_store *store, const tc_phase *phase, bool trusted, tc_blob *blob, bool *found,
                            tc_error *error);
bool tc_store_has_blob(const tc_store *store, const tc_phase *phase); /* its file is there, whatever it holds */
/* Is this what the phase left when it was finished? */
bool tc_store_knows_blob(tc_store *store, const char *key, const tc_blob *blob);
void tc_store_drop_blob(tc_store *store, const tc_phase *phase);
/* After a kill: removes what nobody finished writing, and of DIR/work all but the blobs that `keep` [phases] tells to
 * keep and the checkpoints of what is not done. */
void tc_store_tidy(tc_store *store, const tc_plan *plan, const bool *done, const bool *keep);
const char *tc_store_work(const tc_store *store); /* the folder DIR/work */

/* ---- looking from outside (look.c) ---- */

/* Opens the store of a study that may be running in another process, which is not disturbed. */
tc_status tc_store_look(const char *folder, tc_store **store, tc_error *error);
bool tc_store_is_running(const char *folder); /* somebody holds its lock */
/* [*count] jobs; free *jobs. */
tc_status tc_store_jobs(tc_store *store, tc_job_record **jobs, int *count, tc_error *error);

#endif
