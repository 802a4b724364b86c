#include "api/api.h"

#include "compute/device.h"

const char *tocsin_version(void) {
    return TOCSIN_VERSION;
}

tocsin_status tocsin_device_open(const char *name, int threads, tocsin_device **device, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(device);
    *device = NULL;
    TC_NEED(name);
    tc_device *opened = NULL;
    const tc_status status = tc_device_open(name, threads, &opened, error);
    *device = (tocsin_device *)opened;
    return status;
}

void tocsin_device_close(tocsin_device *device) {
    tc_device_close(tc_device_of(device));
}

const char *tocsin_device_name(const tocsin_device *device) {
    return device ? ((const tc_device *)device)->name : NULL;
}

int tocsin_device_threads(const tocsin_device *device) {
    return device ? ((const tc_device *)device)->threads : 0;
}
