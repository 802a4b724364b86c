/* device.h — what computes. */
#ifndef TOCSIN_DEVICE_H
#define TOCSIN_DEVICE_H

#include "tocsin/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tocsin_device tocsin_device;

/* name: "cpu" (single precision, fast) or "reference" (double precision, plain and slow: for checking the other).
 * threads: how many compute; 0 or less: all cores. */
TOCSIN_API tocsin_status tocsin_device_open(const char *name, int threads, tocsin_device **device, tocsin_error *error);
/* After everything that was made on it. */
TOCSIN_API void tocsin_device_close(tocsin_device *device);
TOCSIN_API const char *tocsin_device_name(const tocsin_device *device);
TOCSIN_API int tocsin_device_threads(const tocsin_device *device);

#ifdef __cplusplus
}
#endif
#endif
