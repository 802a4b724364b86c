/* key.h — the name of a phase: a hash of everything that determines its result.
 *
 * Keys are SHA-256 over JSON with sorted keys. The parts that all trials share are hashed once, so that the key of one
 * phase is the hash of a few short texts. */
#ifndef TC_EXPERIMENT_PLAN_KEY_H
#define TC_EXPERIMENT_PLAN_KEY_H

#include "experiment/plan/plan.h"

/* key := the hash of a JSON value, whose reference is taken; NULL is what jansson returns without memory. */
tc_status tc_key_of(json_t *value, char key[TC_KEY_SIZE], tc_error *error);

/* What determines phases whatever their trial. */
tc_status tc_key_surroundings(const tc_spec *spec, char key[TC_KEY_SIZE], tc_error *error); /* data, device, seed */
tc_status tc_key_network(const tc_network_spec *network, char key[TC_KEY_SIZE], tc_error *error);
tc_status tc_key_draw(const tc_spec *spec, char key[TC_KEY_SIZE], tc_error *error); /* who is attacked */
/* Empty where no landscape is drawn, so that turning it on is the only thing that changes a key. */
tc_status tc_key_landscape(const tc_spec *spec, char key[TC_KEY_SIZE], tc_error *error);
tc_status tc_key_attack(const tc_spec *spec, int attack, char key[TC_KEY_SIZE], tc_error *error);
/* NULL: none. */
tc_status tc_key_defence(const tc_defence_spec *chosen, char key[TC_KEY_SIZE], tc_error *error);

#endif
