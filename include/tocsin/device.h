/* device.h — what computes. */
#ifndef TOCSIN_DEVICE_H
#define TOCSIN_DEVICE_H

#include "tocsin/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tocsin_device tocsin_device;

/* name: "cpu" (single precision, fast), "reference" (double precision, plain and slow: for checking the others) or
 * "cuda" (an NVIDIA GPU, where libtocsin-cuda is installed; docs/gpu.md). threads: how many of the processor's compute;
 * 0 or less: all cores. A GPU must not have been opened before a fork by a process whose child opens it. */
TOCSIN_API tocsin_status tocsin_device_open(const char *name, int threads, tocsin_device **device, tocsin_error *error);
/* Settings, as in a spec: threads=N; of "cuda": gpu=N (which one, from 0), precision=f32|tf32|bf16 (what convolutions
 * and matrix products round their factors to) and deterministic=true|false. NULL ends them. */
TOCSIN_API tocsin_status tocsin_device_open_with(const char *name, const char *const *settings, tocsin_device **device,
                                                 tocsin_error *error);
/* After everything that was made on it. */
TOCSIN_API void tocsin_device_close(tocsin_device *device);
TOCSIN_API const char *tocsin_device_name(const tocsin_device *device);
TOCSIN_API int tocsin_device_threads(const tocsin_device *device);

#ifdef __cplusplus
}
#endif
#endif
