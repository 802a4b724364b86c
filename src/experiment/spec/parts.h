/* parts.h — the inside of spec.c: the sections that have rooms of their own. */
#ifndef TC_EXPERIMENT_SPEC_PARTS_H
#define TC_EXPERIMENT_SPEC_PARTS_H

#include "experiment/spec/spec.h"

enum { TC_MOST_NAMES = 255 };
#define TC_CONTROL "random-noise" /* the attack that every study has */

/* Each fills in its part of the spec from the spec's settings. */
tc_status tc_spec_resolve_surrogates(tc_spec *spec, tc_error *error);
tc_status tc_spec_resolve_victims(tc_spec *spec, tc_error *error);
tc_status tc_spec_resolve_defences(tc_spec *spec, tc_error *error);

/* Refuses the `name` that stands at `path`; `known` ends with NULL, `tocsin list KIND` prints them. */
tc_status tc_spec_unknown_name(const tc_settings *settings, const char *path, const char *name,
                               const char *const *known, const char *kind, tc_error *error);

/* Refuses a label that is a number, which in a key means a place in the list. */
tc_status tc_spec_check_label(const tc_settings *settings, const char *path, const char *label, tc_error *error);

/* What a method (an attack, a defence) says of the options at `path`, handed on: its refusal begins with an option's
 * name, which tells where to point. */
tc_status tc_spec_refuse_options(const tc_settings *settings, const char *path, tc_status said, const tc_error *reason,
                                 tc_error *error);

#endif
