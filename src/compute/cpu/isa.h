/* isa.h — for the files that are compiled once per instruction set (TC_ISA_NAME, meson.build): every function they
 * share gets that set's name, and cpu.c picks the best that this processor has. */
#ifndef TC_COMPUTE_CPU_ISA_H
#define TC_COMPUTE_CPU_ISA_H

#include "compute/cpu/abreast.h"
#include "compute/cpu/winograd.h"
#include "compute/device.h"

#include <string.h>

#define TC_ISA_JOIN(name, isa)  tc_cpu_##name##_##isa
#define TC_ISA_PASTE(name, isa) TC_ISA_JOIN(name, isa)
#define TC_ISA(name)            TC_ISA_PASTE(name, TC_ISA_NAME)

enum { TC_CPU_FEW = 16384 }; /* so few elements are done before other threads have woken up */

/* Room for the partial sums of a reduction. */
double *tc_cpu_partials(const tc_device *device);

void TC_ISA(norm_forward)(tc_device *device, const tc_norm *norm);
void TC_ISA(norm_backward)(tc_device *device, const tc_norm *norm);
void TC_ISA(norm_forward_tangent)(tc_device *device, const tc_norm *norm);
void TC_ISA(norm_backward_tangent)(tc_device *device, const tc_norm *norm);
void TC_ISA(max_pool)(tc_device *device, const tc_pool *pool, const void *x, void *y, int32_t *winner);
void TC_ISA(max_pool_gather)(tc_device *device, const tc_pool *pool, const int32_t *winner, const void *x_t, void *y_t);
void TC_ISA(max_pool_scatter)(tc_device *device, const tc_pool *pool, const int32_t *winner, tc_sum dy, void *dx);
extern const tc_abreast_loops TC_ISA(abreast_loops);
extern const tc_winograd_loops TC_ISA(winograd_3_loops), TC_ISA(winograd_5_loops);
extern const tc_kernels TC_ISA(table);

#endif
