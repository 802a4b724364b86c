#include "experiment/spec/difference.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where two values differ first: its path, and both as text. */
static bool first_difference(const json_t *a, const json_t *b, char *path, size_t room, const json_t **x,
                             const json_t **y) {
    const size_t length = strlen(path);
    const char *key;
    json_t *value;
    if (json_equal(a, b)) return false;
    *x = a;
    *y = b;
    if (json_is_object(a) && json_is_object(b)) {
        for (int side = 0; side < 2; side++) {
            json_object_foreach((json_t *)(uintptr_t)(side ? b : a), key, value) {
                snprintf(path + length, room - length, "%s%s", length ? "." : "", key);
                if (first_difference(json_object_get(a, key), json_object_get(b, key), path, room, x, y)) return true;
                path[length] = '\0';
            }
        }
    }
    const size_t most = json_array_size(a) > json_array_size(b) ? json_array_size(a) : json_array_size(b);
    for (size_t i = 0; json_is_array(a) && json_is_array(b) && i < most; i++) {
        snprintf(path + length, room - length, ".%zu", i + 1);
        if (first_difference(json_array_get(a, i), json_array_get(b, i), path, room, x, y)) return true;
        path[length] = '\0';
    }
    return true;
}

static void show(const json_t *value, char text[64]) {
    char *dump = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    snprintf(text, 64, "%.63s", dump ? dump : "not there");
    free(dump);
}

static void forget(json_t *within, const char *name) {
    const char *key;
    size_t i;
    json_t *value;
    json_object_del(within, name);
    json_object_foreach(within, key, value) forget(value, name);
    json_array_foreach(within, i, value) forget(value, name);
}

/* Without what changes no result, and stands in no key: which GPU, and when checkpoints are written. */
static json_t *what_matters(const json_t *asked) {
    json_t *made = json_deep_copy(asked);
    json_object_del(json_object_get(made, "spec"), "gpu");
    forget(made, "checkpoint_minutes");
    return made;
}

bool tc_settings_differ(const json_t *before, const json_t *now, tc_difference *found) {
    json_t *a = what_matters(before), *b = what_matters(now);
    const json_t *x = NULL, *y = NULL;
    char path[256] = "";
    const bool differ = first_difference(a, b, path, sizeof path, &x, &y);
    if (differ) {
        const char *dot = strchr(path, '.'); /* "spec.threat.epsilon" */
        snprintf(found->setting, sizeof found->setting, "%s", dot ? dot + 1 : path);
        show(x, found->was);
        show(y, found->is);
    }
    json_decref(a);
    json_decref(b);
    return differ;
}
