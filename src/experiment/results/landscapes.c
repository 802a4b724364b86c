/* landscapes.c — the attacker's loss around the poisoned networks, for the report (docs/report.md). */
#include "experiment/results/parts.h"

#include <string.h>

static const char *sharpness_of(const tc_cell *cell) {
    const char *value = json_string_value(json_object_get(cell->factors, "sharpness"));
    return value ? value : "none";
}

/* Cells may share a victim; the first one shows it. */
bool tc_results_landscapes(const tc_results *results, json_t *root) {
    json_t *list = json_array();
    bool done = list;
    tc_row row;
    for (int64_t t = 0; t < results->plan->trials; t++) {
        for (int c = 0; c < results->plan->cells; c++) {
            if (!tc_results_row(results, c, t, &row)) continue;
            const json_t *found = json_object_get(row.victim, "landscape");
            if (!found) continue;
            json_t *made = json_pack("{s:i, s:I, s:s}", "cell", c, "trial", (json_int_t)t, "sharpness",
                                     sharpness_of(&results->plan->cell[c]));
            done &= !json_object_update(made, (json_t *)(uintptr_t)found) &&
                    !json_array_append_new(list, json_incref(made));
            json_decref(made);
        }
    }
    if (json_array_size(list)) done &= !json_object_set(root, "landscapes", list);
    json_decref(list);
    return done;
}
