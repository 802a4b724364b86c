/* results_file.c — results.json as somebody may have edited, cut off or replaced it: whatever the report relies on is
 * checked here, once. */
#include "report/report.h"

#include "base/file.h"

#include <stdlib.h>

enum { LARGEST_FILE = 256 << 20, SCHEMA = 1 };

/* A list of objects under `name`, each with an object `inner`. */
static bool holds_objects(const json_t *root, const char *name, const char *inner) {
    const json_t *list = json_object_get(root, name);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_object(json_object_get(json_array_get(list, i), inner))) return false;
    return json_is_array(list);
}

static bool cells_are_known(const json_t *root) {
    const json_t *trials = json_object_get(root, "trials");
    const json_int_t cells = (json_int_t)json_array_size(json_object_get(root, "cells"));
    for (size_t i = 0; i < json_array_size(trials); i++) {
        const json_t *cell = json_object_get(json_array_get(trials, i), "cell");
        if (!json_is_integer(cell) || json_integer_value(cell) < 0 || json_integer_value(cell) >= cells) return false;
    }
    return true;
}

tc_status tc_report_read(const char *folder, json_t **results, tc_error *error) {
    char path[TC_PATH_SIZE];
    uint8_t *text = NULL;
    size_t size = 0;
    json_error_t reason;
    json_t *root = NULL;
    tc_status status = TC_OK;
    *results = NULL;
    TC_TRY(tc_path_format(path, error, "%s/results.json", folder));
    TC_TRY(tc_file_read(path, LARGEST_FILE, &text, &size, error));
    root = json_loadb((const char *)text, size, 0, &reason);
    if (!root) TC_RAISE(TC_INVALID, "%s:%d: not valid JSON: %s; run the study again", path, reason.line, reason.text);
    const json_t *schema = json_object_get(root, "schema");
    if (!json_is_integer(schema) || json_integer_value(schema) != SCHEMA)
        TC_RAISE(TC_INVALID, "%s: is not a results file of schema %d; use the Tocsin that wrote it", path, SCHEMA);
    if (!holds_objects(root, "cells", "metrics") || !holds_objects(root, "cells", "factors") ||
        !holds_objects(root, "trials", "metrics") || !cells_are_known(root) ||
        !json_is_object(json_object_get(root, "spec")))
        TC_RAISE(TC_INVALID, "%s: lacks cells, trials or the spec; run the study again", path);
    *results = json_incref(root);
done:
    json_decref(root);
    free(text);
    return status;
}
