/* reference.h — the oracle: every kernel in plain double-precision C, slow and obviously right. */
#ifndef TC_COMPUTE_REFERENCE_H
#define TC_COMPUTE_REFERENCE_H

#include "compute/device.h"

tc_status tc_reference_open(tc_device *device, tc_error *error);
void tc_reference_close(tc_device *device);

#endif
