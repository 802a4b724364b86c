#include "api/api.h"

#include "compute/device.h"
#include "experiment/spec/spec.h"

#include <string.h>

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

/* Of a study's settings, those that are about its device. */
static bool is_of_device(const char *setting) {
    static const char *const names[] = {"threads", "gpu", "precision", "deterministic"};
    const size_t length = strcspn(setting, "=");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && !strncmp(names[i], setting, length)) return true;
    return false;
}

tocsin_status tocsin_device_open_with(const char *name, const char *const *settings, tocsin_device **device,
                                      tocsin_error *error) {
    TC_ENTER;
    TC_NEED(device);
    *device = NULL;
    TC_NEED(name);
    tc_spec spec = {0}; /* of which only the device is asked for */
    tc_device *opened = NULL;
    tc_status status = TC_OK;
    tc_options_default(tc_study_table, &spec.study);
    for (int i = 0; settings && settings[i]; i++)
        if (!is_of_device(settings[i]))
            TC_RAISE(TC_INVALID,
                     "device: '%.64s' is no setting of a device; there are threads, gpu, precision and "
                     "deterministic",
                     settings[i]);
    TC_TRY(tc_api_lay(tc_study_table, &spec.study, settings, "device", error));
    tc_device_options options = tc_spec_device(&spec, 0);
    options.name = name;
    TC_TRY(tc_device_open_with(&options, &opened, error));
    *device = (tocsin_device *)opened;
done:
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
