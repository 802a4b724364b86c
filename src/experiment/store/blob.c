/* blob.c — the files in DIR/work. They are not synchronised to the disk one by one: their hash in the database
 * tells after a power cut whether they are whole. */
#include "experiment/store/inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void tc_blob_hash(const tc_blob *blob, char text[TC_DIGEST_TEXT]) {
    struct sha256_ctx context;
    sha256_init(&context);
    if (blob->size) sha256_update(&context, blob->size, blob->bytes);
    tc_digest_text(&context, text);
}

const char *tc_store_work(const tc_store *store) {
    return store->work;
}

static tc_status blob_path(const tc_store *store, const tc_phase *phase, char path[TC_PATH_SIZE], tc_error *error) {
    return tc_path_format(path, error, "%s/%s.%s", store->work, phase->key,
                          phase->kind == TC_PHASE_CRAFT ? "poison" : "safetensors");
}

tc_status tc_store_put_blob(tc_store *store, const tc_phase *phase, const tc_blob *blob, tc_error *error) {
    char path[TC_PATH_SIZE], temporary[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(blob_path(store, phase, path, error));
    TC_TRY(tc_path_format(temporary, error, "%s.tmp", path));
    TC_TRY(tc_file_put(temporary, blob->bytes, blob->size, error));
    if (rename(temporary, path)) TC_RAISE(TC_FAILED, "%s: cannot be written; look at the disk", path);
done:
    return status;
}

bool tc_store_knows_blob(tc_store *store, const char *key, const tc_blob *blob) {
    static const char select[] = "SELECT blob_size, blob_sha256 FROM phase WHERE key = ?1";
    char hash[TC_DIGEST_TEXT];
    bool same = false;
    if (!store->blob && tc_store_prepare(store, select, &store->blob, NULL) != TC_OK) return false;
    sqlite3_bind_text(store->blob, 1, key, -1, SQLITE_STATIC);
    if (sqlite3_step(store->blob) == SQLITE_ROW && sqlite3_column_type(store->blob, 0) != SQLITE_NULL &&
        (size_t)sqlite3_column_int64(store->blob, 0) == blob->size) {
        tc_blob_hash(blob, hash);
        const char *stored = (const char *)sqlite3_column_text(store->blob, 1);
        same = stored && !strcmp(stored, hash);
    }
    sqlite3_reset(store->blob);
    sqlite3_clear_bindings(store->blob);
    return same;
}

tc_status tc_store_get_blob(tc_store *store, const tc_phase *phase, bool trusted, tc_blob *blob, bool *found,
                            tc_error *error) {
    char path[TC_PATH_SIZE];
    *blob = (tc_blob){0};
    *found = false;
    tc_status status = blob_path(store, phase, path, error);
    if (status != TC_OK || !tc_file_exists(path)) return status;
    status = tc_file_read(path, SIZE_MAX - 2, &blob->bytes, &blob->size, error);
    if (status != TC_OK) return status;
    *found = trusted || tc_store_knows_blob(store, phase->key, blob);
    if (!*found) tc_blob_free(blob);
    return TC_OK;
}

bool tc_store_has_blob(const tc_store *store, const tc_phase *phase) {
    char path[TC_PATH_SIZE];
    return blob_path(store, phase, path, NULL) == TC_OK && tc_file_exists(path);
}

void tc_store_drop_blob(tc_store *store, const tc_phase *phase) {
    char path[TC_PATH_SIZE];
    if (blob_path(store, phase, path, NULL) == TC_OK) unlink(path);
}

/* ---- after a kill ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files in work/ that may stay, sorted: blobs to keep, checkpoints of what is still to be run, which may have one
 * of a training within beside them. */
static char **wanted_names(const tc_plan *plan, const bool *done, const bool *keep, size_t *count) {
    char **names = calloc(2 * (size_t)plan->phases + 1, sizeof *names);
    *count = 0;
    for (int p = 0; names && p < plan->phases; p++) {
        const tc_phase *phase = &plan->phase[p];
        const char *kind = phase->kind == TC_PHASE_CRAFT ? "poison" : "safetensors";
        char name[TC_KEY_SIZE + 32];
        if (done[p] && !keep[p]) continue;
        snprintf(name, sizeof name, "%s.%s", phase->key, done[p] ? kind : "checkpoint");
        names[*count] = strdup(name);
        if (names[*count]) ++*count;
        if (done[p]) continue;
        snprintf(name, sizeof name, "%s.checkpoint.training", phase->key);
        names[*count] = strdup(name);
        if (names[*count]) ++*count;
    }
    if (names) qsort(names, *count, sizeof *names, by_text);
    return names;
}

void tc_store_tidy(tc_store *store, const tc_plan *plan, const bool *done, const bool *keep) {
    static const char *const places[] = {"", "/poisons", "/models"};
    char path[TC_PATH_SIZE];
    tc_names names = {0};
    size_t count;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (tc_path_format(path, NULL, "%s%s", store->folder, places[i]) != TC_OK) continue;
        tc_folder_tidy(path);
    }
    char **wanted = wanted_names(plan, done, keep, &count);
    if (wanted && tc_folder_list(store->work, false, &names, NULL) == TC_OK)
        for (size_t i = 0; i < names.count; i++)
            if (!bsearch(&names.name[i], wanted, count, sizeof *wanted, by_text) &&
                tc_path_format(path, NULL, "%s/%s", store->work, names.name[i]) == TC_OK)
                unlink(path);
    tc_names_free(&names);
    for (size_t i = 0; wanted && i < count; i++) free(wanted[i]);
    free(wanted);
}
