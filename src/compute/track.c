#include "compute/track.h"

#include "base/log.h"

/* Tracks within this one leave it all to it. */
static void call_alone(tc_device *device, void (*call)(void *context), void *context) {
    device->tracked = true;
    call(context);
    device->tracked = false;
}

/* Nothing has happened yet when it succeeds, nor when it fails. */
static void record(tc_device *device, tc_track *track, void (*call)(void *context), void *context) {
    const tc_kernels *k = device->k;
    tc_error why;
    tc_status status = k->record_begin(device, &why);
    if (status == TC_OK) {
        call_alone(device, call, context);
        status = k->record_end(device, &track->recording, &why);
    }
    if (status == TC_OK) return;
    track->recording = NULL;
    track->refused = true;
    if (tc_device_health(device, NULL) == TC_OK && !device->unrecorded++)
        tc_log("%s: steps are called kernel by kernel, which may be slower (%s)", device->name, why.message);
}

void tc_track_run(tc_device *device, tc_track *track, void (*call)(void *context), void *context) {
    const bool able = device->k->record_begin && !device->tracked;
    if (able && track->known && !track->recording && !track->refused) record(device, track, call, context);
    if (able && track->recording) {
        device->k->replay(device, track->recording);
        return;
    }
    if (able && !track->refused)
        call_alone(device, call, context);
    else
        call(context);
    track->known = true;
}

void tc_track_forget(tc_device *device, tc_track *track) {
    if (track->recording) device->k->recording_free(device, track->recording);
    *track = (tc_track){0};
}
