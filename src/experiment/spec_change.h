/* spec_change.h — one `--set KEY=VALUE` laid over the settings. */
#ifndef TC_EXPERIMENT_SPEC_CHANGE_H
#define TC_EXPERIMENT_SPEC_CHANGE_H

#include "experiment/schema.h"
#include "experiment/settings.h"

/* Keys are dotted: "threat.epsilon=8", "victim.train.epochs=10". An attack is named by its place, from 1, or by its
 * label or name: "attacks.2.rho=0.1", "attacks.SAPA.rho=0.1"; one place after the last makes a new one. */
tc_status tc_spec_change(const tc_section *schema, tc_settings *settings, const char *assignment, tc_error *error);

#endif
