/* store.c — opening and closing run.db, the study's record, and its phases. */
#include "experiment/store/inside.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/vfs.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

static const char schema[] =
    "CREATE TABLE study(one INTEGER PRIMARY KEY CHECK(one = 1), asked TEXT NOT NULL, machine TEXT NOT NULL,"
    " data TEXT NOT NULL, text TEXT, version TEXT NOT NULL, started TEXT NOT NULL, finished TEXT);"
    "CREATE TABLE cell(number INTEGER PRIMARY KEY, factors TEXT NOT NULL);"
    "CREATE TABLE phase(number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, trial INTEGER NOT "
    "NULL,"
    " state TEXT NOT NULL DEFAULT 'waiting', payload TEXT, seconds REAL, finished TEXT, blob_size INTEGER,"
    " blob_sha256 TEXT);"
    "CREATE TABLE job(worker INTEGER PRIMARY KEY, key TEXT NOT NULL, began REAL, told REAL, fraction REAL,"
    " seconds_left REAL, what TEXT);"
    "PRAGMA user_version = 1;";

/* ---- SQLite ---- */

tc_status tc_store_fail(const tc_store *store, tc_error *error) {
    const int code = sqlite3_errcode(store->db) & 0xff;
    const char *why = sqlite3_errmsg(store->db);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return tc_raise(error, TC_INVALID, "%s: is damaged or no store of Tocsin's (%s); begin anew with --overwrite",
                        store->path, why);
    if (code == SQLITE_FULL || code == SQLITE_IOERR)
        return tc_raise(error, TC_FAILED, "%s: cannot be written: %s; free space on the disk, then --resume",
                        store->path, why);
    return tc_raise(error, TC_FAILED, "%s: %s; look at the disk and its permissions", store->path, why);
}

tc_status tc_store_do(const tc_store *store, const char *sql, tc_error *error) {
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? TC_OK : tc_store_fail(store, error);
}

tc_status tc_store_prepare(const tc_store *store, const char *sql, sqlite3_stmt **statement, tc_error *error) {
    const int code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    return code == SQLITE_OK ? TC_OK : tc_store_fail(store, error);
}

tc_status tc_store_step(const tc_store *store, sqlite3_stmt *statement, tc_error *error) {
    const tc_status status = sqlite3_step(statement) == SQLITE_DONE ? TC_OK : tc_store_fail(store, error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

static void put_text(sqlite3_stmt *statement, int place, const char *text) {
    sqlite3_bind_text(statement, place, text, -1, SQLITE_TRANSIENT); /* NULL binds NULL */
}

/* A write-ahead log needs one synchronisation for each transaction where a rollback journal needs three, but also
 * memory that all readers share, which no network disk has. */
static bool is_local(const char *folder) {
    struct statfs facts;
    if (statfs(folder, &facts)) return false;
#if defined(__linux__)
    static const unsigned long local[] = {0xEF53 /* ext */,
                                          0x58465342 /* XFS */,
                                          0x9123683E /* Btrfs */,
                                          0x01021994 /* tmpfs */,
                                          0x794C7630 /* overlay */,
                                          0x2FC12FC1 /* ZFS */,
                                          0xF2F52010 /* F2FS */};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if ((unsigned long)facts.f_type == local[i]) return true;
    return false;
#else
    return (facts.f_flags & MNT_LOCAL) != 0;
#endif
}

tc_status tc_store_open_file(tc_store *store, const char *folder, int flags, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(store->folder, error, "%s", folder));
    TC_TRY(tc_path_format(store->path, error, "%s/run.db", folder));
    TC_TRY(tc_path_format(store->work, error, "%s/work", folder));
    if (sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        if (!store->db) TC_RAISE(TC_FAILED, "memory: none left for the store; free some");
        TC_TRY(tc_store_fail(store, error));
    }
    sqlite3_busy_timeout(store->db, 10000); /* somebody is looking */
done:
    return status;
}

/* ---- opening ---- */

static tc_status write_schema(tc_store *store, tc_error *error) {
    sqlite3_stmt *version = NULL;
    int found = -1;
    tc_status status = TC_OK;
    TC_TRY(tc_store_prepare(store, "PRAGMA user_version", &version, error));
    if (sqlite3_step(version) != SQLITE_ROW) TC_TRY(tc_store_fail(store, error));
    found = sqlite3_column_int(version, 0);
    sqlite3_reset(version);
    if (found != 0 && found != TC_STORE_SCHEMA)
        TC_RAISE(TC_INVALID, "%s: is a store of schema %d; go on with the Tocsin that wrote it", store->path, found);
    if (found == 0) {
        TC_TRY(tc_store_do(store, "BEGIN IMMEDIATE", error));
        TC_TRY(tc_store_do(store, schema, error));
        TC_TRY(tc_store_do(store, "COMMIT", error));
    }
done:
    sqlite3_finalize(version);
    return status;
}

static tc_status prepare(tc_store *store, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_store_do(store, is_local(store->folder) ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = TRUNCATE",
                       error));
    TC_TRY(tc_store_do(store, "PRAGMA synchronous = FULL", error));
    TC_TRY(write_schema(store, error));
    TC_TRY(tc_store_prepare(store,
                            "UPDATE phase SET state = 'finished', payload = ?2, seconds = ?3, finished = ?4,"
                            " blob_size = ?5, blob_sha256 = ?6 WHERE key = ?1",
                            &store->finish, error));
    TC_TRY(tc_folder_make(store->work, error));
done:
    return status;
}

/* Folders first: what tells that they are a study's goes last. */
static const char *const our_folders[] = {"work", "poisons", "models", "tables", NULL};
static const char *const our_files[] = {"results.json",       "results.csv", "report.html",
                                        "spec.resolved.yaml", "run.db-wal",  "run.db-shm",
                                        "run.db-journal",     "run.db",      NULL};

/* Where no study ever was, folders of these names are somebody's. */
static tc_status remove_earlier(const char *folder, tc_error *error) {
    const bool begun = tc_store_exists(folder);
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    for (const char *const *name = our_folders; *name && begun; name++) {
        TC_TRY(tc_path_format(path, error, "%s/%s", folder, *name));
        if (tc_folder_exists(path)) TC_TRY(tc_folder_remove(path, error));
    }
    for (const char *const *name = our_files; *name; name++) {
        TC_TRY(tc_path_format(path, error, "%s/%s", folder, *name));
        if (tc_file_exists(path)) unlink(path); /* a file that cannot go is found by whoever wants to write it */
    }
done:
    return status;
}

static bool holds(const char *folder, const char *name) {
    char path[TC_PATH_SIZE];
    return tc_path_format(path, NULL, "%s/%s", folder, name) == TC_OK && tc_file_exists(path);
}

bool tc_store_exists(const char *folder) {
    return holds(folder, "run.db");
}

/* Results, of an earlier version or of somebody else; NULL: none. */
static const char *results_in(const char *folder) {
    static const char *const files[] = {"results.json", "results.csv", "report.html", "spec.resolved.yaml"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (holds(folder, files[i])) return files[i];
    return NULL;
}

/* Everything that can be refused without touching the folder. */
static tc_status check_folder(const char *folder, tc_store_mode mode, tc_error *error) {
    tc_status status = tc_folder_check_writable(folder, error);
    if (status != TC_OK) return tc_error_at(error, "--out");
    status = tc_lock_check(folder, error);
    if (status != TC_OK) return status;
    const bool begun = tc_store_exists(folder);
    const char *there = begun ? NULL : results_in(folder);
    if (mode == TC_STORE_NEW && (begun || (there && !strcmp(there, "results.json"))))
        return tc_raise(error, TC_INVALID,
                        "--out: %s holds the results of an earlier run; go on with --resume, choose another folder or "
                        "--overwrite",
                        folder);
    if (mode == TC_STORE_NEW && there)
        return tc_raise(error, TC_INVALID,
                        "--out: %s holds a %s, which a run would write over; move it or choose another folder", folder,
                        there);
    if (mode == TC_STORE_RESUME && there)
        return tc_raise(error, TC_INVALID,
                        "--resume: %s holds results but no run.db to go on from; choose another folder", folder);
    return TC_OK;
}

tc_status tc_store_open(const char *folder, tc_store_mode mode, tc_store **store, tc_error *error) {
    tc_store *s = NULL;
    tc_status status = TC_OK;
    TC_TRY(check_folder(folder, mode, error));
    if (tc_folder_make(folder, error) != TC_OK)
        TC_RAISE(TC_INVALID, "--out: %s: cannot be made; choose another folder", folder);
    TC_TRY(tc_new(&s, 1, sizeof *s, error));
    s->lock = -1;
    TC_TRY(tc_lock_take(folder, &s->lock, error));
    if (mode == TC_STORE_OVERWRITE) TC_TRY(remove_earlier(folder, error));
    TC_TRY(tc_store_open_file(s, folder, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error));
    TC_TRY(prepare(s, error));
    *store = s;
    s = NULL;
done:
    tc_store_close(s);
    return status;
}

void tc_store_close(tc_store *store) {
    if (!store) return;
    sqlite3_finalize(store->finish);
    sqlite3_finalize(store->blob);
    if (store->lock >= 0 && store->db) {
        sqlite3_exec(store->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
        rmdir(store->work); /* where nothing is left in it */
    }
    sqlite3_close(store->db);
    if (store->lock >= 0) close(store->lock);
    free(store);
}

/* ---- the study ---- */

void tc_study_record_free(tc_study_record *record) {
    json_decref(record->asked);
    json_decref(record->machine);
    json_decref(record->data);
    free(record->text);
    *record = (tc_study_record){0};
}

static void now(char text[32]) {
    const time_t seconds = time(NULL);
    struct tm utc;
    text[0] = '\0';
    if (gmtime_r(&seconds, &utc)) strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static tc_status put_json(const tc_store *store, sqlite3_stmt *statement, int place, const json_t *value,
                          tc_error *error) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text) return tc_raise(error, TC_FAILED, "%s: no memory for a record; free some", store->path);
    sqlite3_bind_text(statement, place, text, -1, free);
    return TC_OK;
}

static tc_status insert_study(tc_store *store, const tc_study_record *record, tc_error *error) {
    sqlite3_stmt *insert = NULL;
    char started[32];
    tc_status status = TC_OK;
    now(started);
    TC_TRY(tc_store_prepare(store, "INSERT INTO study VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, NULL)", &insert, error));
    TC_TRY(put_json(store, insert, 1, record->asked, error));
    TC_TRY(put_json(store, insert, 2, record->machine, error));
    TC_TRY(put_json(store, insert, 3, record->data, error));
    put_text(insert, 4, record->text);
    put_text(insert, 5, record->version);
    put_text(insert, 6, started);
    TC_TRY(tc_store_step(store, insert, error));
done:
    sqlite3_finalize(insert);
    return status;
}

static tc_status insert_cells(tc_store *store, const tc_plan *plan, tc_error *error) {
    sqlite3_stmt *insert = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_store_prepare(store, "INSERT INTO cell VALUES(?1, ?2)", &insert, error));
    for (int c = 0; c < plan->cells; c++) {
        sqlite3_bind_int(insert, 1, c);
        TC_TRY(put_json(store, insert, 2, plan->cell[c].factors, error));
        TC_TRY(tc_store_step(store, insert, error));
    }
done:
    sqlite3_finalize(insert);
    return status;
}

static tc_status insert_phases(tc_store *store, const tc_plan *plan, tc_error *error) {
    sqlite3_stmt *insert = NULL;
    tc_status status = TC_OK;
    TC_TRY(
        tc_store_prepare(store, "INSERT INTO phase(number, key, kind, trial) VALUES(?1, ?2, ?3, ?4)", &insert, error));
    for (int p = 0; p < plan->phases; p++) {
        sqlite3_bind_int(insert, 1, p);
        put_text(insert, 2, plan->phase[p].key);
        put_text(insert, 3, tc_phase_names[plan->phase[p].kind]);
        sqlite3_bind_int64(insert, 4, plan->phase[p].trial);
        TC_TRY(tc_store_step(store, insert, error));
    }
done:
    sqlite3_finalize(insert);
    return status;
}

tc_status tc_store_begin(tc_store *store, const tc_plan *plan, const tc_study_record *record, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_store_do(store, "BEGIN IMMEDIATE", error));
    TC_TRY(insert_study(store, record, error));
    TC_TRY(insert_cells(store, plan, error));
    TC_TRY(insert_phases(store, plan, error));
    TC_TRY(tc_store_do(store, "COMMIT", error));
done:
    if (status != TC_OK) tc_store_do(store, "ROLLBACK", NULL);
    return status;
}

static json_t *json_column(sqlite3_stmt *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

static void text_column(sqlite3_stmt *row, int column, char text[32]) {
    const char *found = (const char *)sqlite3_column_text(row, column);
    snprintf(text, 32, "%.31s", found ? found : "");
}

tc_status tc_store_study(tc_store *store, tc_study_record *record, tc_error *error) {
    sqlite3_stmt *row = NULL;
    tc_status status = TC_OK;
    *record = (tc_study_record){0};
    TC_TRY(tc_store_prepare(store, "SELECT asked, machine, data, text, version, started, finished FROM study", &row,
                            error));
    const int code = sqlite3_step(row);
    if (code == SQLITE_DONE) goto done; /* killed before it had begun */
    if (code != SQLITE_ROW) TC_TRY(tc_store_fail(store, error));
    record->asked = json_column(row, 0);
    record->machine = json_column(row, 1);
    record->data = json_column(row, 2);
    const char *text = (const char *)sqlite3_column_text(row, 3);
    record->text = text ? strdup(text) : NULL;
    text_column(row, 4, record->version);
    text_column(row, 5, record->started);
    text_column(row, 6, record->finished);
    if (!record->asked || !record->machine || !record->data)
        TC_RAISE(TC_INVALID, "%s: its record of the study cannot be read; begin anew with --overwrite", store->path);
done:
    sqlite3_finalize(row);
    if (status != TC_OK) tc_study_record_free(record);
    return status;
}

tc_status tc_store_end(tc_store *store, tc_error *error) {
    char sql[128], finished[32];
    now(finished);
    snprintf(sql, sizeof sql, "BEGIN; UPDATE study SET finished = '%s'; DELETE FROM job; COMMIT", finished);
    const tc_status status = tc_store_do(store, sql, error);
    if (status != TC_OK) tc_store_do(store, "ROLLBACK", NULL);
    return status;
}

/* ---- phases ---- */

tc_status tc_store_finish(tc_store *store, const char *key, const tc_phase_result *result, double seconds,
                          tc_error *error) {
    char finished[32], hash[TC_DIGEST_TEXT];
    now(finished);
    put_text(store->finish, 1, key);
    const tc_status status = put_json(store, store->finish, 2, result->payload, error);
    if (status != TC_OK) return status;
    sqlite3_bind_double(store->finish, 3, seconds);
    put_text(store->finish, 4, finished);
    if (result->blob.bytes) {
        tc_blob_hash(&result->blob, hash);
        sqlite3_bind_int64(store->finish, 5, (sqlite3_int64)result->blob.size);
        put_text(store->finish, 6, hash);
    }
    return tc_store_step(store, store->finish, error); /* a statement on its own is a transaction */
}

tc_status tc_store_forget(tc_store *store, const char *key, tc_error *error) {
    sqlite3_stmt *update = NULL;
    tc_status status =
        tc_store_prepare(store, "UPDATE phase SET state = 'waiting', payload = NULL WHERE key = ?1", &update, error);
    if (status == TC_OK) {
        put_text(update, 1, key);
        status = tc_store_step(store, update, error);
    }
    sqlite3_finalize(update);
    return status;
}

tc_status tc_store_each(tc_store *store, tc_status (*see)(void *context, const tc_stored *stored, tc_error *error),
                        void *context, tc_error *error) {
    sqlite3_stmt *row = NULL;
    int code = SQLITE_DONE;
    tc_status status = TC_OK;
    TC_TRY(tc_store_prepare(store, "SELECT key, kind, payload, seconds, blob_size FROM phase ORDER BY number", &row,
                            error));
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        json_t *payload = json_column(row, 2);
        const tc_stored stored = {.key = (const char *)sqlite3_column_text(row, 0),
                                  .kind = (const char *)sqlite3_column_text(row, 1),
                                  .payload = payload,
                                  .seconds = sqlite3_column_double(row, 3),
                                  .blob = sqlite3_column_type(row, 4) != SQLITE_NULL};
        status = see(context, &stored, error);
        json_decref(payload);
        if (status != TC_OK) goto done;
    }
    if (code != SQLITE_DONE) TC_TRY(tc_store_fail(store, error));
done:
    sqlite3_finalize(row);
    return status;
}
