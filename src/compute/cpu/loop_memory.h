/* loop_memory.h — what a convolution by loops of our own (abreast.c, winograd.c) holds: weights in the loops' order,
 * for the way ahead and for the way back, values and tangents; room for a call to work in; parts of the weights'
 * gradient. */
#ifndef TC_COMPUTE_CPU_LOOP_MEMORY_H
#define TC_COMPUTE_CPU_LOOP_MEMORY_H

#include "compute/device.h"

enum { TC_AHEAD, TC_BACK, TC_WAYS };

typedef struct tc_loop_memory {
    float *packed[TC_WAYS][2]; /* [·][TC_WEIGHTS, TC_WEIGHTS_T]; NULL where `g` does not go that way */
    float *room, *parts;
} tc_loop_memory;

/* So many reals each; 0: none of it. Free it in any case. */
tc_status tc_loop_memory_create(tc_device *device, const tc_convolution *g, size_t packed, size_t room, size_t parts,
                                tc_loop_memory *memory, tc_error *error);
void tc_loop_memory_free(tc_device *device, tc_loop_memory *memory);

#endif
