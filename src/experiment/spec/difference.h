/* difference.h — is this what an earlier run was begun with? */
#ifndef TC_EXPERIMENT_SPEC_DIFFERENCE_H
#define TC_EXPERIMENT_SPEC_DIFFERENCE_H

#include <jansson.h>
#include <stdbool.h>

typedef struct tc_difference {
    char setting[256];    /* "threat.epsilon" */
    char was[64], is[64]; /* as JSON */
} tc_difference;

/* The first difference between what was asked for, {"spec": …, …} of both. Which of several GPUs computes, and how
 * often checkpoints are written, may change on the way. */
bool tc_settings_differ(const json_t *before, const json_t *now, tc_difference *found);

#endif
