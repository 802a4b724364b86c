#include "experiment/trial/room.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/lock.h"
#include "experiment/spec/difference.h"
#include "experiment/trial/phase.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char begun[] = "begun.json", lock_name[] = "run.lock", poison_name[] = "craft.poison";
enum { LARGEST_BEGUN = 16 << 20 };

static tc_status no_memory(tc_error *error) {
    return tc_raise(error, TC_FAILED, "memory: none left for what a craft was begun with; free some");
}

/* ---- where ---- */

static bool has_begun(const tc_room *room) {
    char path[TC_PATH_SIZE];
    return tc_path_format(path, NULL, "%s/%s", room->path, begun) == TC_OK && tc_file_exists(path);
}

/* Files but for what says whose room it is, and what a killed writer left. */
static bool holds_anything(const tc_room *room) {
    tc_names names;
    bool any = false;
    if (tc_folder_list(room->path, false, &names, NULL) != TC_OK) return true; /* who knows */
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.name[i], *dot = strrchr(name, '.');
        const bool left = dot && !strcmp(dot, ".tmp");
        if (strcmp(name, begun) && strcmp(name, lock_name) && !left) any = true;
    }
    tc_names_free(&names);
    return any;
}

/* A file, or a folder of somebody else's. */
static bool is_in_the_way(const tc_room *room) {
    if (!tc_folder_exists(room->path)) return tc_file_exists(room->path);
    return !has_begun(room) && holds_anything(room);
}

tc_status tc_room_name(const char *out, tc_room_mode mode, tc_room *room, tc_error *error) {
    tc_status status = TC_OK;
    size_t length = strlen(out);
    while (length > 1 && out[length - 1] == '/') length--;
    *room = (tc_room){.mode = mode, .lock = -1};
    TC_TRY(tc_path_format(room->out, error, "%.*s", (int)length, out));
    TC_TRY(tc_path_format(room->path, error, "%s.checkpoint", room->out));
    if (is_in_the_way(room))
        TC_RAISE(TC_INVALID, "--out: %s is in the way of the checkpoints; move it, or choose another folder",
                 room->path);
    if (!tc_folder_exists(room->path)) goto done;
    TC_TRY(tc_lock_check(room->path, error));
    if (mode == TC_ROOM_NEW && holds_anything(room))
        TC_RAISE(TC_INVALID,
                 "--out: %s is left of one that did not come to its end; go on with --resume, choose another folder or "
                 "--overwrite",
                 room->path);
done:
    return status;
}

bool tc_room_replaces(const tc_room *room) {
    return room->mode == TC_ROOM_OVERWRITE || (room->mode == TC_ROOM_RESUME && has_begun(room) && holds_anything(room));
}

tc_status tc_room_file(const tc_room *room, const char *name, char path[TC_PATH_SIZE], tc_error *error) {
    path[0] = '\0';
    return room->open ? tc_path_format(path, error, "%s/%s", room->path, name) : TC_OK;
}

/* ---- what it was begun with ---- */

static json_t *describe(json_t *asked, json_t *data) {
    return json_pack("{s:s, s:o, s:o}", "version", TOCSIN_VERSION, "asked", asked, "data", data);
}

static tc_status read_begun(const char *path, json_t **was, tc_error *error) {
    uint8_t *text = NULL;
    size_t size;
    tc_status status = TC_OK;
    TC_TRY(tc_file_read(path, LARGEST_BEGUN, &text, &size, error));
    *was = json_loadb((const char *)text, size, 0, NULL);
    const bool ours = json_is_string(json_object_get(*was, "version")) &&
                      json_is_object(json_object_get(*was, "asked")) && json_is_object(json_object_get(*was, "data"));
    if (!ours) TC_RAISE(TC_INVALID, "%s: is damaged; begin anew with --overwrite", path);
done:
    free(text);
    return status;
}

static tc_status check_data(const tc_room *room, const json_t *was, json_t *is, tc_error *error) {
    const char *name;
    json_t *digest;
    json_object_foreach(is, name, digest) {
        const char *before = json_string_value(json_object_get(was, name)), *now = json_string_value(digest);
        if (!before || strcmp(before, now))
            return tc_raise(error, TC_INVALID,
                            "--resume: %s was begun with other data: what %s holds has changed since (SHA-256 %.12s…, "
                            "now %.12s…); put it back, choose another folder or --overwrite",
                            room->out, name, before ? before : "none", now);
    }
    return TC_OK;
}

static tc_status check_same(const tc_room *room, const json_t *was, const json_t *is, tc_error *error) {
    const char *version = json_string_value(json_object_get(was, "version"));
    tc_difference found;
    if (strcmp(version, TOCSIN_VERSION))
        return tc_raise(error, TC_INVALID,
                        "--resume: %s was begun by Tocsin %.32s, this is %s; go on with that one, or --overwrite",
                        room->out, version, TOCSIN_VERSION);
    if (tc_settings_differ(json_object_get(was, "asked"), json_object_get(is, "asked"), &found))
        return tc_raise(error, TC_INVALID,
                        "--resume: %s was begun with other settings: %s was %s, now it is %s; set it back, choose "
                        "another folder or --overwrite",
                        room->out, found.setting, found.was, found.is);
    return check_data(room, json_object_get(was, "data"), json_object_get(is, "data"), error);
}

static tc_status write_begun(const char *path, const json_t *is, tc_error *error) {
    char *text = json_dumps(is, JSON_INDENT(1));
    const tc_status status = text ? tc_file_write(path, text, strlen(text), error) : no_memory(error);
    free(text);
    return status;
}

/* ---- coming and going ---- */

static tc_status enter(tc_room *room, const char *path, const json_t *is, tc_error *error) {
    json_t *was = NULL;
    tc_status status = TC_OK;
    if (room->mode == TC_ROOM_OVERWRITE && tc_folder_exists(room->path)) TC_TRY(tc_folder_remove(room->path, error));
    const bool found = room->mode == TC_ROOM_RESUME && has_begun(room) && holds_anything(room);
    if (found) TC_TRY(read_begun(path, &was, error));
    if (found) TC_TRY(check_same(room, was, is, error));
    TC_TRY(tc_folder_make(room->path, error));
    TC_TRY(tc_lock_take(room->path, &room->lock, error));
    room->open = true;
    tc_folder_tidy(room->path);
    if (!found) TC_TRY(write_begun(path, is, error));
done:
    json_decref(was);
    return status;
}

tc_status tc_room_open(tc_room *room, json_t *asked, json_t *data, tc_error *error) {
    json_t *is = describe(asked, data);
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    if (!is) TC_TRY(no_memory(error));
    TC_TRY(tc_path_format(path, error, "%s/%s", room->path, begun));
    TC_TRY(enter(room, path, is, error));
done:
    json_decref(is);
    return status;
}

tc_status tc_room_close(tc_room *room, tc_status status, tc_error *error) {
    if (!room->open) return status;
    const bool done = status == TC_OK, kept = !done && holds_anything(room);
    if (!kept && tc_folder_remove(room->path, done ? error : NULL) != TC_OK && done) status = TC_FAILED;
    close(room->lock);
    room->open = false;
    if (status != TC_INTERRUPTED) return status;
    if (!kept) return tc_raise(error, status, "%s: interrupted; nothing was done yet that could be kept", room->out);
    return tc_raise(error, status, "%s: interrupted; what was done is kept in %s, --resume goes on", room->out,
                    room->path);
}

/* ---- finished things ---- */

static void digest_of(const void *bytes, size_t size, char text[TC_DIGEST_TEXT]) {
    struct sha256_ctx sum;
    sha256_init(&sum);
    sha256_update(&sum, size, bytes);
    tc_digest_text(&sum, text);
}

tc_status tc_room_put(const tc_room *room, const char *name, const void *bytes, size_t size, tc_error *error) {
    char path[TC_PATH_SIZE], digest[TC_DIGEST_TEXT];
    tc_output output = {0};
    tc_status status = TC_OK;
    if (!room->open) return TC_OK;
    TC_TRY(tc_room_file(room, name, path, error));
    TC_TRY(tc_output_open(path, &output, error));
    digest_of(bytes, size, digest);
    fwrite(bytes, 1, size, output.file);
    fwrite(digest, 1, sizeof digest, output.file);
    TC_TRY(tc_output_commit(&output, error));
done:
    tc_output_abandon(&output);
    return status;
}

tc_status tc_room_get(const tc_room *room, const char *name, size_t limit, uint8_t **bytes, size_t *size, bool *found,
                      tc_error *error) {
    char path[TC_PATH_SIZE], digest[TC_DIGEST_TEXT];
    tc_status status = TC_OK;
    *bytes = NULL;
    *found = false;
    TC_TRY(tc_room_file(room, name, path, error));
    if (!*path || !tc_file_exists(path)) return TC_OK;
    TC_TRY(tc_file_read(path, limit + sizeof digest, bytes, size, error));
    *size = *size > sizeof digest ? *size - sizeof digest : 0;
    digest_of(*bytes, *size, digest);
    if (!*size || memcmp(*bytes + *size, digest, sizeof digest))
        TC_RAISE(TC_INVALID, "%s: is damaged; remove it to have it made anew", path);
    *found = true;
done:
    if (status != TC_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

/* ---- work that is kept ---- */

static tc_status take_weights(const tc_room *room, const char *file, const tc_model *model, tc_weights *weights,
                              bool *found, tc_error *error) {
    enum { HEADER = 1 << 22 }; /* more than the names of any network's tensors take */
    const size_t numbers = 2 * (tc_model_parameters(model) + tc_model_state(model));
    uint8_t *bytes = NULL;
    size_t size = 0;
    tc_status status = TC_OK;
    TC_TRY(tc_room_get(room, file, numbers * sizeof(float) + HEADER, &bytes, &size, found, error));
    if (!*found) goto done;
    TC_TRY(tc_weights_create(model, weights, error));
    TC_TRY(tc_weights_decode(model, file, bytes, size, weights, error));
done:
    free(bytes);
    return status;
}

static tc_status put_weights(const tc_room *room, const char *file, const tc_model *model, const tc_weights *weights,
                             tc_error *error) {
    uint8_t *bytes = NULL;
    size_t size = 0;
    tc_status status = TC_OK;
    if (!room->open) return TC_OK;
    TC_TRY(tc_weights_encode(model, weights, &bytes, &size, error));
    TC_TRY(tc_room_put(room, file, bytes, size, error));
done:
    free(bytes);
    return status;
}

tc_status tc_room_train(const tc_room *room, const char *name, const tc_trial *trial, const tc_training *training,
                        tc_weights *weights, tc_error *error) {
    const tc_lab *lab = trial->lab;
    const tc_model *model = training->role == TC_VICTIM ? lab->victim : lab->surrogates[training->architecture];
    char file[64], checkpoint_name[64], checkpoint[TC_PATH_SIZE];
    tc_training own = *training;
    tc_train_result trained;
    bool found;
    tc_status status = TC_OK;
    snprintf(file, sizeof file, "%s.weights", name);
    snprintf(checkpoint_name, sizeof checkpoint_name, "%s.checkpoint", name);
    TC_TRY(take_weights(room, file, model, weights, &found, error));
    if (found) goto done;
    TC_TRY(tc_room_file(room, checkpoint_name, checkpoint, error));
    own.checkpoint = *checkpoint ? checkpoint : NULL;
    TC_TRY(tc_trial_train(trial, &own, weights, &trained, error));
    TC_TRY(put_weights(room, file, model, weights, error));
done:
    return status;
}

/* What it took, and the poison behind it. */
static tc_status put_outcome(const tc_room *room, const tc_outcome *outcome, tc_error *error) {
    tc_blob blob = {0};
    uint8_t *bytes = NULL;
    tc_outcome numbers = *outcome;
    tc_status status = TC_OK;
    if (!room->open) return TC_OK;
    numbers.poison = NULL;
    TC_TRY(tc_poison_encode(outcome->poison, &blob, error));
    TC_TRY(tc_new(&bytes, sizeof numbers + blob.size, 1, error));
    memcpy(bytes, &numbers, sizeof numbers);
    memcpy(bytes + sizeof numbers, blob.bytes, blob.size);
    TC_TRY(tc_room_put(room, poison_name, bytes, sizeof numbers + blob.size, error));
done:
    tc_blob_free(&blob);
    free(bytes);
    return status;
}

static tc_status take_outcome(const tc_room *room, const tc_dataset *dataset, tc_outcome *outcome, bool *found,
                              tc_error *error) {
    uint8_t *bytes = NULL;
    size_t size = 0;
    tc_outcome numbers;
    const size_t most = 4096 + 2 * dataset->train.count * (tc_dataset_image_bytes(dataset) + 2 * sizeof(uint32_t));
    tc_status status = TC_OK;
    TC_TRY(tc_room_get(room, poison_name, most, &bytes, &size, found, error));
    if (!*found) goto done;
    if (size < sizeof numbers) TC_RAISE(TC_INVALID, "%s/%s: is damaged; remove it", room->path, poison_name);
    memcpy(&numbers, bytes, sizeof numbers);
    *outcome = numbers;
    outcome->poison = NULL;
    const tc_blob blob = {bytes + sizeof numbers, size - sizeof numbers};
    TC_TRY(tc_poison_decode(dataset, &blob, &outcome->poison, error));
done:
    free(bytes);
    return status;
}

tc_status tc_room_craft(const tc_room *room, const tc_trial *trial, const tc_method_spec *method, bool kept,
                        tc_outcome *outcome, tc_error *error) {
    char checkpoint[TC_PATH_SIZE];
    bool found;
    tc_status status = TC_OK;
    *outcome = (tc_outcome){0};
    TC_TRY(take_outcome(room, trial->lab->dataset, outcome, &found, error));
    if (found) goto done;
    TC_TRY(tc_room_file(room, "craft.checkpoint", checkpoint, error));
    TC_TRY(tc_trial_craft(trial, method, *checkpoint ? checkpoint : NULL, outcome, error));
    if (!kept || !room->open) goto done;
    TC_TRY(put_outcome(room, outcome, error));
    tc_craft_forget(checkpoint);
done:
    return status;
}

/* ---- digests ---- */

tc_status tc_room_digest_file(json_t *data, const char *name, const char *path, tc_error *error) {
    char digest[TC_DIGEST_TEXT];
    uint8_t *bytes = NULL;
    size_t size;
    const tc_status status = tc_file_read(path, SIZE_MAX / 2, &bytes, &size, error);
    if (status != TC_OK) return status;
    digest_of(bytes, size, digest);
    free(bytes);
    return json_object_set_new(data, name, json_string(digest)) ? no_memory(error) : TC_OK;
}

void tc_room_digest_data(json_t *data, const char *name, const tc_dataset *dataset) {
    char digest[TC_DIGEST_TEXT];
    tc_dataset_digest(dataset, digest);
    json_object_set_new(data, name, json_string(digest));
}
