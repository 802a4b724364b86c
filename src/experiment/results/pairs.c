/* pairs.c — paired comparisons between the cells of one variant that differ in one thing: their trials share
 * targets, starts and orders. A cell that a sweep leaves alone stands in several variants, and meets in each what else
 * stands there: where only one attack's ρ is swept, every one of its cells has the same control.
 *
 * Success with one target a trial is yes or no: McNemar's exact test. Everything else: Student's paired t test. The
 * victim's confidence in the intended class says more per trial than its yes or no, and so tells attacks apart earlier.
 */
#include "experiment/results/parts.h"

#include "evaluate/compare.h"
#include "evaluate/evaluate.h"

#include <math.h>
#include <stdlib.h>

static const int compared[] = {0, 1, 4}; /* columns: success, accuracy, confidence */

static bool neighbours(const tc_place *a, const tc_place *b) {
    return (a->attack != b->attack) + (a->victim != b->victim) + (a->defence != b->defence) == 1;
}

static bool comparable(const tc_cell *a, const tc_cell *b) {
    for (int i = 0, k = 0; i < a->places && k < b->places;) { /* both by variant */
        const tc_place *x = &a->place[i], *y = &b->place[k];
        if (x->variant == y->variant && neighbours(x, y)) return true;
        i += x->variant <= y->variant;
        k += y->variant <= x->variant;
    }
    return false;
}

typedef struct pairing {
    double *difference; /* [count] */
    size_t count, more, fewer;
    bool binary; /* both are 0 or 1 in every trial */
} pairing;

static void pair_up(const tc_results *results, int a, int b, int column, pairing *p) {
    tc_row first, second;
    *p = (pairing){.difference = p->difference, .binary = true};
    for (int64_t t = 0; t < results->plan->trials; t++) {
        if (!tc_results_row(results, a, t, &first) || !tc_results_row(results, b, t, &second)) continue;
        const double x = first.value[column], y = second.value[column];
        if (!isfinite(x) || !isfinite(y)) continue;
        p->binary &= (x == 0 || x == 1) && (y == 0 || y == 1);
        p->more += x > y;
        p->fewer += x < y;
        p->difference[p->count++] = x - y;
    }
}

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *pair_json(int a, int b, int column, const pairing *p) {
    const tc_estimate found = tc_estimate_of(p->difference, p->count);
    const double probability = p->binary ? tc_mcnemar(p->more, p->fewer) : tc_paired_t(p->difference, p->count);
    return json_pack("{s:i, s:i, s:s, s:{s:o, s:o}, s:I, s:s, s:o}", "a", a, "b", b, "metric", tc_columns[column].name,
                     "difference", "mean", number(found.mean), "stderr", number(found.standard_error), "n",
                     (json_int_t)p->count, "test", p->binary ? "McNemar, exact" : "paired t", "p", number(probability));
}

bool tc_results_pairs(const tc_results *results, json_t *root) {
    const tc_plan *plan = results->plan;
    pairing p = {.difference = calloc((size_t)plan->trials + 1, sizeof *p.difference)};
    if (!p.difference) return false;
    json_t *made = json_array();
    bool done = made;
    for (int a = 0; a < plan->cells; a++) {
        for (int b = a + 1; b < plan->cells; b++) {
            if (!comparable(&plan->cell[a], &plan->cell[b])) continue;
            for (size_t k = 0; k < sizeof compared / sizeof *compared; k++) {
                pair_up(results, a, b, compared[k], &p);
                if (p.count) done &= !json_array_append_new(made, pair_json(a, b, compared[k], &p));
            }
        }
    }
    free(p.difference);
    return !json_object_set_new(root, "pairs", made) && done;
}
