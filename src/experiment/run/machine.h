/* machine.h — where a result was computed: what somebody who repeats it has to know. */
#ifndef TC_EXPERIMENT_RUN_MACHINE_H
#define TC_EXPERIMENT_RUN_MACHINE_H

#include <jansson.h>

/* {"cpu", "cores", "memory_bytes", "system", "compiler", "tocsin", "onednn", …}, and "gpu" where that (what
 * tc_device_look says of it) is not ""; a new reference. */
json_t *tc_machine_json(const char *gpu);

#endif
