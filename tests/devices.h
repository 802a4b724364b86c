/* devices.h — which device a test is about: the one it names or, where the environment says so, TOCSIN_TEST_DEVICE.
 * TOCSIN_TEST_PRECISION (f32, tf32, bf16) is what a GPU may do to the numbers it multiplies. */
#ifndef TC_TESTS_DEVICES_H
#define TC_TESTS_DEVICES_H

#include "compute/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline const char *tested_device(const char *otherwise) {
    const char *said = getenv("TOCSIN_TEST_DEVICE");
    return said ? said : otherwise;
}

static inline tc_status open_device(const char *name, int threads, tc_device **device, tc_error *error) {
    static const char *const names[] = {[TC_F32_MATHS] = "f32", [TC_TF32_MATHS] = "tf32", [TC_BF16_MATHS] = "bf16"};
    const char *precision = getenv("TOCSIN_TEST_PRECISION");
    tc_device_options options = {.name = name, .threads = threads};
    for (int i = 0; precision && i < 3; i++)
        if (!strcmp(precision, names[i])) options.precision = (tc_precision)i;
    return tc_device_open_with(&options, device, error);
}

/* From here on devices are opened in bf16. False, and said, where the GPU cannot: then there is nothing to test. */
static inline bool ask_for_bf16(const char *name) {
    tc_device *device = NULL;
    tc_error error = {0};
    setenv("TOCSIN_TEST_PRECISION", "bf16", 1);
    const tc_status status = open_device(tested_device(name), 1, &device, &error);
    if (status == TC_OK) tc_device_close(device);
    const bool too_old = status == TC_INVALID && strstr(error.message, "nor bf16");
    if (too_old) printf("nothing to test: %s\n", error.message);
    return !too_old;
}

#endif
