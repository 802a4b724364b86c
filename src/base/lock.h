/* lock.h — one process at a time in a folder that is written to for long. */
#ifndef TC_BASE_LOCK_H
#define TC_BASE_LOCK_H

#include "base/path.h"

#include <stdbool.h>

/* *lock := a descriptor that holds FOLDER/run.lock until it is closed; refuses, naming the holder, where another
 * process has it. */
tc_status tc_lock_take(const char *folder, int *lock, tc_error *error);
/* Refuses where somebody else holds it; makes nothing. */
tc_status tc_lock_check(const char *folder, tc_error *error);

#endif
