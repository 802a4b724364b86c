/* curves.c — how training went, epoch by epoch: the mean over a cell's trials of its surrogates, its clean and
 * its poisoned victims. */
#include "experiment/results/parts.h"

#include "evaluate/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct curves {
    const json_t **curve; /* [count] arrays of [loss, accuracy] */
    size_t count;
    double *value; /* [count] */
} curves;

static void add(curves *all, const json_t *payload) {
    const json_t *curve = json_object_get(payload, "curve");
    if (json_array_size(curve)) all->curve[all->count++] = curve;
}

static void collect(const tc_results *results, const tc_cell *cell, tc_phase_kind kind, curves *all) {
    all->count = 0;
    for (int64_t t = 0; t < results->plan->trials; t++) {
        const tc_phase *craft = &results->plan->phase[cell->craft[t]];
        if (kind == TC_PHASE_CLEAN) add(all, results->payload[cell->clean[t]]);
        if (kind == TC_PHASE_VICTIM) add(all, results->payload[cell->victim_phase[t]]);
        for (int i = 0; kind == TC_PHASE_SURROGATE && i < craft->need_count; i++)
            add(all, results->payload[craft->needs[i]]);
    }
}

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

/* which 0: loss, 1: accuracy. */
static tc_estimate at_epoch(curves *all, size_t epoch, size_t which) {
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++) {
        const json_t *value = json_array_get(json_array_get(all->curve[i], epoch), which);
        if (json_is_number(value)) all->value[count++] = json_number_value(value);
    }
    return tc_estimate_of(all->value, count);
}

static json_t *mean_curve(int cell, tc_phase_kind kind, curves *all) {
    static const char *const names[2][2] = {{"loss", "loss_stderr"}, {"accuracy", "accuracy_stderr"}};
    json_t *epochs = json_array();
    json_t *made = json_pack("{s:i, s:s, s:I, s:O}", "cell", cell, "of", tc_phase_names[kind], "n",
                             (json_int_t)all->count, "epoch", epochs);
    const size_t length = json_array_size(all->curve[0]);
    for (size_t e = 0; e < length; e++) json_array_append_new(epochs, json_integer((json_int_t)e + 1));
    for (size_t which = 0; which < 2; which++) {
        json_t *mean = json_array(), *error = json_array();
        for (size_t e = 0; e < length; e++) {
            const tc_estimate found = at_epoch(all, e, which);
            json_array_append_new(mean, number(found.mean));
            json_array_append_new(error, number(found.standard_error));
        }
        json_object_set_new(made, names[which][0], mean);
        json_object_set_new(made, names[which][1], error);
    }
    json_decref(epochs);
    return made;
}

bool tc_results_curves(const tc_results *results, json_t *root) {
    static const tc_phase_kind kinds[] = {TC_PHASE_SURROGATE, TC_PHASE_CLEAN, TC_PHASE_VICTIM};
    enum { MOST_SURROGATES = 64 };
    const size_t room = (size_t)results->plan->trials * MOST_SURROGATES;
    curves all = {calloc(room, sizeof *all.curve), 0, calloc(room, sizeof *all.value)};
    json_t *made = json_array();
    bool done = all.curve && all.value;
    for (int c = 0; done && c < results->plan->cells; c++) {
        for (int k = 0; k < 3; k++) {
            collect(results, &results->plan->cell[c], kinds[k], &all);
            if (all.count) done &= !json_array_append_new(made, mean_curve(c, kinds[k], &all));
        }
    }
    free(all.curve);
    free(all.value);
    return !json_object_set_new(root, "curves", made) && done;
}
