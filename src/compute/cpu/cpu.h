/* cpu.h — the fast backend for processors: oneDNN convolutions and matrix products, OpenMP loops for the rest. */
#ifndef TC_COMPUTE_CPU_H
#define TC_COMPUTE_CPU_H

#include "compute/device.h"

tc_status tc_cpu_open(tc_device *device, tc_error *error);
void tc_cpu_close(tc_device *device);

#endif
