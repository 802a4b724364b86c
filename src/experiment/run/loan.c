/* loan.c — reading another study's store and what lies beside it.
 *
 * Payloads are in run.db. The weights of a network are where they are needed there, in work/, and gone when they are
 * not: what still needs them here has them trained again. A poison is in its folder, which tells by its phase's key
 * whose it is (threat.json), and is the phase's blob again when it is read, to the last bit or it is not taken. */
#include "experiment/run/loan.h"

#include "base/file.h"
#include "base/folder.h"
#include "experiment/trial/threat_file.h"

#include <string.h>

/* ---- opening ---- */

typedef struct listing {
    tc_loan *loan;
    json_t *wanted; /* keys of the plan's phases */
} listing;

static tc_status list_phase(void *context, const tc_stored *stored, tc_error *error) {
    listing *l = context;
    if (!stored->key || !stored->payload || !json_object_get(l->wanted, stored->key)) return TC_OK;
    if (!json_object_set_new(l->loan->finished, stored->key, json_pack("[O, f]", stored->payload, stored->seconds)))
        return TC_OK;
    return tc_raise(error, TC_FAILED, "memory: none left for the phases of %s; free some", l->loan->folder);
}

/* Those whose folder cannot be read are crafted again. */
static void list_poison(tc_loan *loan, const char *name) {
    char path[TC_PATH_SIZE];
    tc_threat_file file = {0};
    if (tc_path_format(path, NULL, "%s/poisons/%s", loan->folder, name) != TC_OK) return;
    if (tc_threat_file_read(path, &file, NULL) == TC_OK && json_object_get(loan->finished, file.phase))
        json_object_set_new(loan->poisons, file.phase, json_string(path));
    tc_threat_file_free(&file);
}

static tc_status list_poisons(tc_loan *loan, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_names names = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/poisons", loan->folder));
    if (!tc_folder_exists(path)) goto done;
    TC_TRY(tc_folder_list(path, true, &names, error));
    for (size_t i = 0; i < names.count; i++) list_poison(loan, names.name[i]);
done:
    tc_names_free(&names);
    return status;
}

tc_status tc_loan_open(const char *folder, const tc_plan *plan, tc_loan *loan, tc_error *error) {
    tc_status status = TC_OK;
    listing l = {.loan = loan, .wanted = json_object()};
    *loan = (tc_loan){.folder = folder, .finished = json_object(), .poisons = json_object()};
    if (!l.wanted || !loan->finished || !loan->poisons)
        TC_RAISE(TC_FAILED, "memory: none left to look at %s; free some", folder);
    for (int p = 0; p < plan->phases; p++) json_object_set_new(l.wanted, plan->phase[p].key, json_true());
    if (tc_store_look(folder, &loan->store, error) != TC_OK) TC_TRY(tc_error_at(error, "--from"));
    if (tc_store_study(loan->store, &loan->record, error) != TC_OK) TC_TRY(tc_error_at(error, "--from"));
    if (tc_store_each(loan->store, list_phase, &l, error) != TC_OK) TC_TRY(tc_error_at(error, "--from"));
    TC_TRY(list_poisons(loan, error));
done:
    json_decref(l.wanted);
    return status;
}

void tc_loan_close(tc_loan *loan) {
    tc_store_close(loan->store);
    tc_study_record_free(&loan->record);
    json_decref(loan->finished);
    json_decref(loan->poisons);
    *loan = (tc_loan){0};
}

/* ---- the data ---- */

tc_status tc_loan_check(const tc_loan *loan, const json_t *contents, tc_error *error) {
    const json_t *was;
    const json_t *is = tc_contents_changed(json_object_get(loan->record.data, "contents"), contents, &was);
    if (!is) return TC_OK;
    return tc_raise(
        error, TC_INVALID,
        "--from: %s was run on other data: what %s holds has changed since (SHA-256 %.12s…, now %.12s…); put "
        "it back, or leave --from away",
        loan->folder, json_string_value(json_object_get(is, "source")),
        json_string_value(json_object_get(was, "sha256")), json_string_value(json_object_get(is, "sha256")));
}

/* ---- lending ---- */

bool tc_loan_has(const tc_loan *loan, const tc_phase *phase, bool blob) {
    if (!json_object_get(loan->finished, phase->key)) return false;
    if (phase->kind == TC_PHASE_CRAFT) return json_object_get(loan->poisons, phase->key) != NULL;
    return !blob || tc_store_has_blob(loan->store, phase);
}

/* What cannot be read is no error of the study that asks: it crafts its own. */
static tc_status fetch_poison(tc_loan *loan, const tc_phase *phase, const tc_dataset *dataset, tc_blob *blob,
                              bool *found, tc_error *error) {
    const char *folder = json_string_value(json_object_get(loan->poisons, phase->key));
    tc_poison *poison = NULL;
    if (!folder || tc_poison_load(dataset, folder, &poison, NULL) != TC_OK) return TC_OK;
    const tc_status status = tc_poison_encode(poison, blob, error);
    tc_poison_free(poison);
    *found = status == TC_OK && tc_store_knows_blob(loan->store, phase->key, blob);
    return status;
}

tc_status tc_loan_fetch(tc_loan *loan, const tc_phase *phase, bool blob, const tc_dataset *dataset,
                        tc_phase_result *result, double *seconds, bool *found, tc_error *error) {
    const json_t *entry = json_object_get(loan->finished, phase->key);
    tc_status status = TC_OK;
    *result = (tc_phase_result){0};
    *found = entry != NULL;
    if (!entry) return TC_OK;
    if (phase->kind == TC_PHASE_CRAFT) {
        *found = false;
        status = fetch_poison(loan, phase, dataset, &result->blob, found, error);
    } else if (blob) {
        status = tc_store_get_blob(loan->store, phase, false, &result->blob, found, error);
    }
    if (status == TC_OK && *found) {
        result->payload = json_incref(json_array_get(entry, 0));
        *seconds = json_number_value(json_array_get(entry, 1));
    } else {
        tc_blob_free(&result->blob);
    }
    return status;
}
