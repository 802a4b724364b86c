/* augment.h — which warp each sample gets: drawn here, applied by the device's kernels (compute/device.h).
 *
 * Sample number i of a stream always gets the same warp, whoever draws it and in whatever order. A caller makes one
 * stream a step or an epoch. */
#ifndef TC_DATA_AUGMENT_H
#define TC_DATA_AUGMENT_H

#include "compute/device.h"

/* For training: the crop of an image padded with `crop` zeros around, which is a shift by whole pixels in
 * [−crop, crop], and a left-right flip half of the time. */
tc_warp tc_warp_for_training(tc_stream stream, uint64_t sample, int64_t crop, bool flip);

/* For crafting: a shift by real numbers in [−reach, reach] (Witches' Brew: 4 pixels of 32), and a flip. */
tc_warp tc_warp_for_crafting(tc_stream stream, uint64_t sample, double reach, bool flip);

#endif
