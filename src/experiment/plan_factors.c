#include "experiment/plan_factors.h"

json_t *tc_plan_factors(const tc_plan *plan, const tc_cell *cell) {
    const tc_spec *spec = cell->spec;
    const tc_method_spec *method = &spec->attacks[cell->attack];
    (void)plan;
    json_t *made = json_pack("{s:s, s:s}", "attack", method->name, "label", method->label);
    json_object_update_new(made, tc_options_json(method->attack->options, method->options));
    json_object_update_new(made, tc_options_json(tc_threat_table, &spec->threat));
    json_object_set_new(made, "dataset", json_string(spec->data.source));
    json_object_set_new(made, "surrogate", json_string(spec->surrogate.model));
    json_object_set_new(made, "victim", json_string(spec->victims[cell->victim].label));
    json_object_set_new(made, "defence", json_string(spec->defences[cell->defence].label));
    return made;
}
