/* memory.h — device memory that is the processor's own: aligned, zeroed, counted. */
#ifndef TC_COMPUTE_PORTABLE_MEMORY_H
#define TC_COMPUTE_PORTABLE_MEMORY_H

#include "compute/portable/blocks.h"

#include <stdlib.h>

enum { PORTABLE_ALIGNMENT = 64 };

/* The size lies in one line in front of what the caller gets, so that release can count it back. */
static tc_status portable_allocate(tc_device *device, size_t bytes, void **memory, tc_error *error) {
    *memory = NULL;
    const size_t overhead = 2 * (size_t)PORTABLE_ALIGNMENT;
    char *line =
        bytes < SIZE_MAX - overhead
            ? aligned_alloc(PORTABLE_ALIGNMENT, (bytes + overhead - 1) / PORTABLE_ALIGNMENT * PORTABLE_ALIGNMENT)
            : NULL;
    if (!line) {
        return tc_raise(error, TC_FAILED,
                        "device %s: %zu MiB more do not fit in memory beside %zu MiB; use a smaller "
                        "batch or width",
                        device->name, bytes >> 20, device->bytes >> 20);
    }
    memcpy(line, &bytes, sizeof bytes);
    *memory = memset(line + PORTABLE_ALIGNMENT, 0, bytes);
    device->allocations++;
    device->bytes += bytes;
    if (device->bytes > device->peak_bytes) device->peak_bytes = device->bytes;
    return TC_OK;
}

static void portable_release(tc_device *device, void *memory) {
    if (!memory) return;
    char *line = (char *)memory - PORTABLE_ALIGNMENT;
    size_t bytes;
    memcpy(&bytes, line, sizeof bytes);
    device->bytes -= bytes;
    free(line);
}

static void portable_upload_float(tc_device *device, void *to, const float *from, size_t count) {
    real *y = to;
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) y[i] = (real)from[i];
}

static void portable_upload_double(tc_device *device, void *to, const double *from, size_t count) {
    real *y = to;
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) y[i] = (real)from[i];
}

static void portable_download_float(tc_device *device, float *to, const void *from, size_t count) {
    const real *x = from;
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) to[i] = (float)x[i];
}

static void portable_download_double(tc_device *device, double *to, const void *from, size_t count) {
    const real *x = from;
    PORTABLE_PARALLEL_SIMD(count)
    for (size_t i = 0; i < count; i++) to[i] = (double)x[i];
}

static void portable_copy_bytes(tc_device *device, void *to, const void *from, size_t bytes) {
    (void)device;
    if (bytes) memcpy(to, from, bytes);
}

#define TC_PORTABLE_MEMORY                                                                                             \
    .allocate = portable_allocate, .release = portable_release, .upload_float = portable_upload_float,                 \
    .upload_double = portable_upload_double, .download_float = portable_download_float,                                \
    .download_double = portable_download_double, .upload_bytes = portable_copy_bytes,                                  \
    .download_bytes = portable_copy_bytes

#endif
