/* portable.h — the kernels that need no tuning, written once for every backend whose memory is the processor's own.
 *
 * A backend says what its numbers are, includes this file in one source and puts the list into its table; what it does
 * better itself comes after and wins:
 *
 *     typedef float real;
 *     #include "compute/portable/portable.h"
 *     static const tc_kernels kernels = {TC_PORTABLE_KERNELS, .axpby = my_axpby, .conv_create = …};
 *
 * Left to the backend: convolution, matrix product, batch normalisation.
 *
 * Every kernel gives the same bits for any number of threads: elements are independent, and sums are cut into parts by
 * the size of the array alone (blocks.h). */
#ifndef TC_COMPUTE_PORTABLE_H
#define TC_COMPUTE_PORTABLE_H

#include "compute/portable/activations.h"
#include "compute/portable/attention.h"
#include "compute/portable/channels.h"
#include "compute/portable/images.h"
#include "compute/portable/layer_norms.h"
#include "compute/portable/layouts.h"
#include "compute/portable/losses.h"
#include "compute/portable/memory.h"
#include "compute/portable/optimisers.h"
#include "compute/portable/pools.h"
#include "compute/portable/steps.h"
#include "compute/portable/vectors.h"

/* That a later entry of the table replaces a portable one is the point. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define TC_PORTABLE_KERNELS                                                                                            \
    TC_PORTABLE_MEMORY, TC_PORTABLE_VECTORS, TC_PORTABLE_OPTIMISERS, TC_PORTABLE_CHANNELS, TC_PORTABLE_ACTIVATIONS,    \
        TC_PORTABLE_POOLS, TC_PORTABLE_LAYOUTS, TC_PORTABLE_LOSSES, TC_PORTABLE_IMAGES, TC_PORTABLE_LAYER_NORMS,       \
        TC_PORTABLE_ATTENTION, TC_PORTABLE_STEPS

#endif
