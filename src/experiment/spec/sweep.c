#include "experiment/spec/sweep.h"

#include "experiment/spec/change.h"
#include "experiment/spec/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VARIANTS = 10000 };

void tc_sweep_free(tc_sweep *sweep) {
    for (int g = 0; g < sweep->grids; g++) {
        for (int a = 0; a < sweep->grid[g].axes; a++) {
            free(sweep->grid[g].axis[a].key);
            tc_settings_free(&sweep->grid[g].axis[a].list);
        }
        free(sweep->grid[g].axis);
    }
    free(sweep->grid);
    *sweep = (tc_sweep){0};
}

/* ---- keys ---- */

/* Of the study's own keys, those that are part of what its phases compute. */
static bool may_vary(const char *path) {
    static const char *const names[] = {"seed", "ensemble", "precision", "deterministic"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(path, names[i])) return true;
    return false;
}

static tc_status resolve_axis(tc_axis *axis, const tc_section *schema, const tc_settings *settings, tc_error *error) {
    char where[TC_TEXT_SIZE], path[TC_KEY_PATH_SIZE];
    snprintf(where, sizeof where, "%s: sweep", axis->list.origin);
    const tc_status status = tc_spec_find_key(schema, settings, where, axis->key, path, error);
    if (status != TC_OK) return status;
    if (tc_option_find(tc_study_table, path) && !may_vary(path))
        return tc_raise(error, TC_INVALID, "%s: %s: belongs to the study as a whole; set it once, outside the sweep",
                        where, path);
    const tc_setting *said = tc_settings_find(settings, path);
    if (said && !strcmp(said->where, "--set"))
        return tc_raise(error, TC_INVALID, "--set: %s: is swept (%s); leave one of the two out", path,
                        axis->list.origin);
    char *key = strdup(path);
    if (!key) return tc_raise(error, TC_FAILED, "memory: none left to read the spec; free some");
    free(axis->key);
    axis->key = key;
    return TC_OK;
}

tc_status tc_sweep_resolve(tc_sweep *sweep, const tc_section *schema, const tc_settings *settings, tc_error *error) {
    for (int g = 0; g < sweep->grids; g++) {
        const tc_grid *grid = &sweep->grid[g];
        for (int a = 0; a < grid->axes; a++) {
            const tc_status status = resolve_axis(&grid->axis[a], schema, settings, error);
            if (status != TC_OK) return status;
            for (int b = 0; b < a; b++) /* by a label and by a number */
                if (!strcmp(grid->axis[a].key, grid->axis[b].key))
                    return tc_raise(error, TC_INVALID,
                                    "%s: sweep: %s: is swept twice, first at %s; keep one of the two",
                                    grid->axis[a].list.origin, grid->axis[a].key, grid->axis[b].list.origin);
        }
    }
    return TC_OK;
}

/* ---- combinations ---- */

static tc_status count_grid(const tc_grid *grid, int *count, tc_error *error) {
    *count = 1;
    for (int a = 0; a < grid->axes; a++) {
        *count *= (int)grid->axis[a].list.count;
        if (*count > MOST_VARIANTS)
            return tc_raise(error, TC_INVALID, "%s: sweep: %s: makes more than %d combinations; take fewer values",
                            grid->axis[a].list.origin, grid->axis[a].key, MOST_VARIANTS);
    }
    return TC_OK;
}

tc_status tc_sweep_count(const tc_sweep *sweep, int *count, tc_error *error) {
    *count = 0;
    for (int g = 0; g < sweep->grids; g++) {
        int more = 0;
        const tc_status status = count_grid(&sweep->grid[g], &more, error);
        if (status != TC_OK) return status;
        *count += more;
    }
    return TC_OK;
}

tc_status tc_sweep_lay(const tc_sweep *sweep, int number, const tc_settings *settings, tc_settings *laid,
                       tc_error *error) {
    const tc_grid *grid = sweep->grid;
    tc_status status = TC_OK;
    for (int count = 0;; number -= count, grid++) {
        TC_TRY(count_grid(grid, &count, error));
        if (number < count) break;
    }
    TC_TRY(tc_settings_copy(settings, laid, error));
    for (int a = grid->axes - 1; a >= 0; a--) { /* the last axis turns fastest */
        const tc_axis *axis = &grid->axis[a];
        const tc_setting *value = &axis->list.item[(size_t)number % axis->list.count];
        number /= (int)axis->list.count;
        TC_TRY(tc_settings_put(laid, axis->key, value->text, value->where, error));
    }
done:
    return status;
}
