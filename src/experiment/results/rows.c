#include "experiment/results/rows.h"

#include <math.h>

const tc_column tc_columns[TC_COLUMNS] = {
    {"success", TC_OF_VICTIM, "success", .rate = true},
    {"accuracy", TC_OF_VICTIM, "accuracy", .rate = true},
    {"clean_accuracy", TC_OF_CLEAN, "accuracy", .rate = true},
    {"clean_success", TC_OF_CLEAN, "success", .rate = true},
    {"confidence", TC_OF_VICTIM, "confidence", .where_known = true},
    {"clean_confidence", TC_OF_CLEAN, "confidence", .where_known = true},
    {"objective", TC_OF_CRAFT, "objective", .rate = false},
    {"linf", TC_OF_CRAFT, "linf", .rate = false},
    {"kept", TC_OF_DEFENCE, "kept", .where_known = true},
    {"precision", TC_OF_DEFENCE, "precision", .where_known = true},
    {"recall", TC_OF_DEFENCE, "recall", .where_known = true},
    {"privacy_epsilon", TC_OF_VICTIM, "privacy_epsilon", .where_known = true},
    {"pretrain", TC_OF_SURROGATES, "seconds", .seconds = true},
    {"craft", TC_OF_CRAFT, "seconds", .seconds = true},
    {"victim", TC_OF_VICTIM, "seconds", .seconds = true},
    {"clean_victim", TC_OF_CLEAN, "seconds", .seconds = true},
    {"filter", TC_OF_DEFENCE, "seconds", .seconds = true, .where_known = true},
};

static double value_of(const json_t *object, const char *name) {
    const json_t *found = json_object_get(object, name);
    return json_is_number(found) ? json_number_value(found) : NAN;
}

static double of_surrogates(const tc_results *results, int craft, const char *key) {
    const tc_phase *phase = &results->plan->phase[craft];
    double sum = 0;
    for (int i = 0; i < phase->need_count; i++) sum += value_of(results->payload[phase->needs[i]], key);
    return sum;
}

bool tc_results_row(const tc_results *results, int cell, int64_t trial, tc_row *row) {
    const tc_cell *c = &results->plan->cell[cell];
    *row = (tc_row){.cell = cell,
                    .trial = trial,
                    .clean = results->payload[c->clean[trial]],
                    .craft = results->payload[c->craft[trial]],
                    .victim = results->payload[c->victim_phase[trial]]};
    if (!row->clean || !row->craft || !row->victim) return false;
    const json_t *const payload[] = {[TC_OF_CLEAN] = row->clean,
                                     [TC_OF_CRAFT] = row->craft,
                                     [TC_OF_VICTIM] = row->victim,
                                     [TC_OF_DEFENCE] = json_object_get(row->victim, "defence")};
    for (int i = 0; i < TC_COLUMNS; i++) {
        const tc_column *column = &tc_columns[i];
        row->value[i] = column->of == TC_OF_SURROGATES ? of_surrogates(results, c->craft[trial], column->key)
                                                       : value_of(payload[column->of], column->key);
    }
    return true;
}

void tc_results_poison(const tc_plan *plan, int cell, int64_t trial, char folder[64]) {
    const int craft = plan->cell[cell].craft[trial];
    int first = 0;
    while (plan->cell[first].craft[trial] != craft) first++;
    snprintf(folder, 64, "poisons/%d-%lld", first, (long long)trial);
}
