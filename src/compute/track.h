/* track.h — a list of kernels that is called again and again, the same ones with the same arguments: a device that can
 * (device.h, record_begin) records it, after a first call in which libraries make up their minds, and replays it from
 * then on.
 *
 * What differs from call to call must lie on the device. */
#ifndef TC_COMPUTE_TRACK_H
#define TC_COMPUTE_TRACK_H

#include "compute/device.h"

typedef struct tc_track {
    bool known; /* was called, kernel by kernel */
    tc_recording *recording;
    bool refused; /* it was tried, and does not work */
} tc_track;

/* Does what `call` does. Within another track's call, unless that was refused, it is part of that. */
void tc_track_run(tc_device *device, tc_track *track, void (*call)(void *context), void *context);
/* Before memory that the kernels know goes. */
void tc_track_forget(tc_device *device, tc_track *track);

#endif
