#include "experiment/trial/threat_file.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static const char name[] = "threat.json";

enum { LARGEST = 1 << 20 };

tc_status tc_threat_file_write(const tc_trial *trial, const tc_method_spec *method, const char *phase,
                               const char *folder, tc_error *error) {
    const tc_threat *threat = &trial->threat;
    const tc_spec *spec = trial->lab->spec;
    char path[TC_PATH_SIZE], digest[TC_DIGEST_TEXT];
    json_t *targets = json_array();
    for (size_t i = 0; i < threat->targets; i++) json_array_append_new(targets, json_integer(threat->target[i]));
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:s, s:f, s:i, s:i, s:o}", "attack", method->name, "label",
                  method->label, "dataset", trial->lab->dataset->name, "data",
                  tc_options_json(tc_data_table, &spec->data), "seed", (json_int_t)spec->study.seed, "trial",
                  (json_int_t)trial->number, "goal", tc_goal_names[threat->goal], "epsilon", threat->epsilon,
                  "target_class", threat->target_class, "intended_class", threat->intended_class, "targets", targets);
    tc_dataset_digest_tests(trial->lab->dataset, threat->target, threat->targets, digest);
    if (root && threat->targets) json_object_set_new(root, "targets_sha256", json_string(digest));
    if (root && phase) json_object_set_new(root, "phase", json_string(phase));
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(root);
    tc_status status = TC_OK;
    if (!text) TC_RAISE(TC_FAILED, "memory: none left for %s; free some", name);
    TC_TRY(tc_path_format(path, error, "%s/%s", folder, name));
    TC_TRY(tc_file_write(path, text, strlen(text), error));
done:
    free(text);
    return status;
}

/* ---- reading ---- */

static bool is_whole(const json_t *value, json_int_t most) {
    return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= most;
}

static tc_status take_targets(const json_t *targets, tc_threat_file *file, tc_error *error) {
    tc_threat *threat = &file->threat;
    const tc_status status = tc_new(&threat->target, json_array_size(targets), sizeof *threat->target, error);
    if (status != TC_OK) return status;
    threat->targets = json_array_size(targets);
    for (size_t i = 0; i < threat->targets; i++) {
        const json_t *place = json_array_get(targets, i);
        if (!is_whole(place, INT32_MAX))
            return tc_raise(error, TC_INVALID, "%s: target %zu is no place in a test set; craft the poison again",
                            file->path, i + 1);
        threat->target[i] = (uint32_t)json_integer_value(place);
    }
    return TC_OK;
}

/* A poison from before `data` was written down has the source's name only. */
static json_t *data_of(const json_t *root) {
    json_t *data = json_object_get(root, "data");
    if (json_is_object(data)) return json_incref(data);
    return json_pack("{s:o}", "source", json_incref(json_object_get(root, "dataset")));
}

/* A poison from before there were others has none: it is targeted. */
static tc_status take_goal(const json_t *root, tc_threat_file *file, tc_error *error) {
    const json_t *goal = json_object_get(root, "goal");
    const char *said = goal ? json_string_value(goal) : tc_goal_names[TC_GOAL_TARGETED];
    for (int g = 0; said && g < TC_GOALS; g++) {
        if (strcmp(said, tc_goal_names[g])) continue;
        file->threat.goal = (tc_goal)g;
        return TC_OK;
    }
    return tc_raise(error, TC_INVALID, "%s: goal is '%.40s'; must be targeted, backdoor or untargeted", file->path,
                    said ? said : "no text");
}

static tc_status take(const json_t *root, tc_threat_file *file, tc_error *error) {
    const json_t *targets = json_object_get(root, "targets"), *intended = json_object_get(root, "intended_class");
    const json_t *source = json_object_get(root, "dataset"), *trial = json_object_get(root, "trial");
    const char *attack = json_string_value(json_object_get(root, "attack"));
    const char *label = json_string_value(json_object_get(root, "label"));
    const char *phase = json_string_value(json_object_get(root, "phase"));
    const char *digest = json_string_value(json_object_get(root, "targets_sha256"));
    const json_t *class = json_object_get(root, "target_class");
    const tc_status status = take_goal(root, file, error);
    if (status != TC_OK) return status;
    const bool aimless = file->threat.goal == TC_GOAL_UNTARGETED;
    if (!json_is_string(source) || (!aimless && (!json_array_size(targets) || !is_whole(intended, INT32_MAX))))
        return tc_raise(error, TC_INVALID, "%s: names no targets, class or dataset; craft the poison again",
                        file->path);
    snprintf(file->attack, sizeof file->attack, "%s", attack ? attack : "");
    snprintf(file->label, sizeof file->label, "%s", label ? label : file->attack);
    snprintf(file->phase, sizeof file->phase, "%s", phase ? phase : "");
    snprintf(file->digest, sizeof file->digest, "%s", digest ? digest : "");
    file->trial = json_is_integer(trial) ? json_integer_value(trial) : 0;
    file->threat.intended_class = aimless ? -1 : (int)json_integer_value(intended);
    file->threat.target_class = is_whole(class, INT32_MAX) ? (int)json_integer_value(class) : -1;
    file->data = data_of(root);
    if (!file->data) return tc_raise(error, TC_FAILED, "memory: none left for %s; free some", file->path);
    return take_targets(targets, file, error);
}

tc_status tc_threat_file_read(const char *folder, tc_threat_file *file, tc_error *error) {
    char path[TC_PATH_SIZE];
    uint8_t *text = NULL;
    size_t size = 0;
    json_t *root = NULL;
    json_error_t reason;
    tc_status status = TC_OK;
    *file = (tc_threat_file){.trial = 0};
    TC_TRY(tc_path_format(path, error, "%s/%s", folder, name));
    snprintf(file->path, sizeof file->path, "%.1000s", path);
    TC_TRY(tc_file_read(path, LARGEST, &text, &size, error));
    root = json_loadb((const char *)text, size, 0, &reason);
    if (!root)
        TC_RAISE(TC_INVALID, "%s:%d: not valid JSON: %s; craft the poison again", path, reason.line, reason.text);
    TC_TRY(take(root, file, error));
done:
    json_decref(root);
    free(text);
    return status;
}

/* ---- holding it against data ---- */

/* "source=glyphs, size=0, …": what the poison was made from. */
static void name_data(const json_t *data, char *text, size_t size) {
    const char *key;
    json_t *value;
    size_t used = 0;
    text[0] = '\0';
    json_object_foreach((json_t *)(uintptr_t)data, key, value) {
        const char *before = used ? ", " : "";
        const int wrote =
            json_is_string(value)
                ? snprintf(text + used, size - used, "%s%s=%s", before, key, json_string_value(value))
                : snprintf(text + used, size - used, "%s%s=%lld", before, key, (long long)json_integer_value(value));
        if (wrote < 0 || (size_t)wrote >= size - used) return; /* cut off */
        used += (size_t)wrote;
    }
}

/* The same place in another subset is another image. A poison from before there was a digest has the class at least. */
static bool has_targets(const tc_threat_file *file, const tc_dataset *dataset) {
    const tc_threat *threat = &file->threat;
    char digest[TC_DIGEST_TEXT];
    for (size_t i = 0; i < threat->targets && threat->target_class >= 0; i++)
        if (dataset->test.labels[threat->target[i]] != threat->target_class) return false;
    if (!*file->digest) return true;
    tc_dataset_digest_tests(dataset, threat->target, threat->targets, digest);
    return !strcmp(digest, file->digest);
}

tc_status tc_threat_file_check(const tc_threat_file *file, const tc_dataset *dataset, tc_error *error) {
    const tc_threat *threat = &file->threat;
    char data[400];
    if (threat->intended_class >= dataset->classes)
        return tc_raise(error, TC_INVALID, "%s: class %d is not one of the %d of %s; name the poison's own dataset",
                        file->path, threat->intended_class, dataset->classes, dataset->name);
    for (size_t i = 0; i < threat->targets; i++)
        if (threat->target[i] >= dataset->test.count)
            return tc_raise(error, TC_INVALID,
                            "%s: target %zu is not one of the %zu test images of %s; name the poison's own dataset",
                            file->path, i + 1, dataset->test.count, dataset->name);
    if (has_targets(file, dataset)) return TC_OK;
    name_data(file->data, data, sizeof data);
    return tc_raise(error, TC_INVALID,
                    "%s: the test images of %.200s are not those that the poison was made for; set the dataset to what "
                    "it was then: %s",
                    file->path, dataset->name, data);
}

tc_status tc_threat_file_attacked(const tc_threat_file *file, const char *folder, const tc_dataset *dataset,
                                  tc_attacked **attacked, tc_error *error) {
    const tc_threat *threat = &file->threat;
    const bool marked = threat->goal == TC_GOAL_BACKDOOR;
    const tc_status status = tc_attacked_create(dataset, threat->target, marked ? 0 : threat->targets,
                                                threat->intended_class, folder, attacked, error);
    if (status != TC_OK || !marked || (*attacked)->count == threat->targets) return status;
    tc_raise(error, TC_INVALID,
             "%s/triggered.npz: holds %zu of the %zu images that the backdoor is about; craft the "
             "poison again",
             folder, (*attacked)->count, threat->targets);
    tc_attacked_free(*attacked);
    *attacked = NULL;
    return TC_INVALID;
}

void tc_threat_file_free(tc_threat_file *file) {
    json_decref(file->data);
    tc_threat_free(&file->threat);
    *file = (tc_threat_file){.trial = 0};
}
