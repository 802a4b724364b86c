/* inside.h — what the files of the store share. */
#ifndef TC_EXPERIMENT_STORE_INSIDE_H
#define TC_EXPERIMENT_STORE_INSIDE_H

#include "experiment/store/store.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/lock.h"

#include <sqlite3.h>

struct tc_store {
    char folder[TC_PATH_SIZE], path[TC_PATH_SIZE], work[TC_PATH_SIZE];
    sqlite3 *db;
    sqlite3_stmt *finish,
        *blob; /* prepared once: for each finished phase, and for each blob that is read, of the first */
    int lock;  /* descriptor of run.lock; −1: only looking */
};

enum { TC_STORE_SCHEMA = 1 };

/* What SQLite has to say, as an error of this store. */
tc_status tc_store_fail(const tc_store *store, tc_error *error);
tc_status tc_store_do(const tc_store *store, const char *sql, tc_error *error);
tc_status tc_store_prepare(const tc_store *store, const char *sql, sqlite3_stmt **statement, tc_error *error);
/* Steps a statement that returns nothing, and makes it ready for the next time. */
tc_status tc_store_step(const tc_store *store, sqlite3_stmt *statement, tc_error *error);
tc_status tc_store_open_file(tc_store *store, const char *folder, int flags, tc_error *error);

void tc_blob_hash(const tc_blob *blob, char text[TC_DIGEST_TEXT]);

#endif
