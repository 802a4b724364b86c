/* look.c — who does what just now, written for and read by `tocsin status` in another terminal. */
#include "experiment/store/inside.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool tc_store_is_running(const char *folder) {
    return tc_lock_check(folder, NULL) != TC_OK;
}

static tc_status insert_jobs(tc_store *store, const tc_job_record *jobs, int count, tc_error *error) {
    sqlite3_stmt *insert = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_store_prepare(store, "INSERT INTO job VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)", &insert, error));
    for (int i = 0; i < count; i++) {
        const double number[] = {jobs[i].began, jobs[i].told, jobs[i].fraction, jobs[i].seconds_left};
        sqlite3_bind_int(insert, 1, jobs[i].worker);
        sqlite3_bind_text(insert, 2, jobs[i].key, -1, SQLITE_STATIC);
        for (int k = 0; k < 4; k++) sqlite3_bind_double(insert, 3 + k, number[k]); /* SQLite keeps NaN as NULL */
        sqlite3_bind_text(insert, 7, jobs[i].what, -1, SQLITE_STATIC);
        TC_TRY(tc_store_step(store, insert, error));
    }
done:
    sqlite3_finalize(insert);
    return status;
}

tc_status tc_store_put_jobs(tc_store *store, const tc_job_record *jobs, int count, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_store_do(store, "BEGIN IMMEDIATE; DELETE FROM job", error));
    TC_TRY(insert_jobs(store, jobs, count, error));
    TC_TRY(tc_store_do(store, "COMMIT", error));
done:
    if (status != TC_OK) tc_store_do(store, "ROLLBACK", NULL);
    return status;
}

tc_status tc_store_look(const char *folder, tc_store **store, tc_error *error) {
    tc_store *s = NULL;
    tc_status status = TC_OK;
    if (!tc_store_exists(folder))
        return tc_raise(error, TC_INVALID, "%s: holds no run.db; name the folder of a `tocsin run`", folder);
    TC_TRY(tc_new(&s, 1, sizeof *s, error));
    s->lock = -1;
    /* Opened for writing although nothing is written: a reader may have to undo what a killed writer left half done. */
    TC_TRY(tc_store_open_file(s, folder, SQLITE_OPEN_READWRITE, error));
    *store = s;
    s = NULL;
done:
    tc_store_close(s);
    return status;
}

static double number_column(sqlite3_stmt *row, int column) {
    return sqlite3_column_type(row, column) == SQLITE_NULL ? NAN : sqlite3_column_double(row, column);
}

tc_status tc_store_jobs(tc_store *store, tc_job_record **jobs, int *count, tc_error *error) {
    sqlite3_stmt *row = NULL;
    int code = SQLITE_DONE;
    tc_status status = TC_OK;
    *jobs = NULL;
    *count = 0;
    TC_TRY(tc_store_prepare(store, "SELECT * FROM job ORDER BY worker", &row, error));
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        tc_job_record *grown = realloc(*jobs, (size_t)(*count + 1) * sizeof *grown);
        if (!grown) TC_RAISE(TC_FAILED, "memory: none left to read the store; free some");
        *jobs = grown;
        tc_job_record *job = &grown[(*count)++];
        *job = (tc_job_record){.worker = sqlite3_column_int(row, 0),
                               .began = number_column(row, 2),
                               .told = number_column(row, 3),
                               .fraction = number_column(row, 4),
                               .seconds_left = number_column(row, 5)};
        const char *key = (const char *)sqlite3_column_text(row, 1), *what = (const char *)sqlite3_column_text(row, 6);
        snprintf(job->key, sizeof job->key, "%.32s", key ? key : "");
        snprintf(job->what, sizeof job->what, "%s", what ? what : "");
    }
    if (code != SQLITE_DONE) TC_TRY(tc_store_fail(store, error));
done:
    sqlite3_finalize(row);
    return status;
}
