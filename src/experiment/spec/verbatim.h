/* verbatim.h — values of a spec that are YAML themselves, such as a network's layers: kept as one text, for whoever
 * knows what they mean. */
#ifndef TC_EXPERIMENT_SPEC_VERBATIM_H
#define TC_EXPERIMENT_SPEC_VERBATIM_H

#include "experiment/spec/schema.h"
#include "experiment/spec/settings.h"

/* What stands at the schema's verbatim keys goes into `settings`: a text as it is, anything else in one line, without
 * comments, aliases filled in. */
tc_status tc_verbatim_read(const char *file, const char *text, size_t size, const tc_section *schema,
                           tc_settings *settings, tc_error *error);

#endif
