#include "compute/device.h"

#include "compute/cpu/cpu.h"
#include "compute/reference/reference.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    tc_status (*open)(tc_device *device, tc_error *error);
    void (*close)(tc_device *device);
} backends[] = {
    {"cpu", tc_cpu_open, tc_cpu_close},
    {"reference", tc_reference_open, tc_reference_close},
};
enum { BACKENDS = sizeof backends / sizeof *backends };

static int find(const char *name) {
    for (int i = 0; i < BACKENDS; i++)
        if (!strcmp(backends[i].name, name)) return i;
    return -1;
}

tc_status tc_device_open(const char *name, int threads, tc_device **device, tc_error *error) {
    *device = NULL;
    const int which = find(name);
    if (which < 0) return tc_raise(error, TC_INVALID, "device: '%s' is not known; use cpu or reference", name);
    tc_device *made = NULL;
    tc_status status = tc_new(&made, 1, sizeof *made, error);
    if (status != TC_OK) return status;
    made->name = backends[which].name;
    made->threads = threads > 0 ? threads : omp_get_num_procs();
    status = backends[which].open(made, error);
    if (status == TC_OK)
        *device = made;
    else
        free(made);
    return status;
}

void tc_device_close(tc_device *device) {
    if (!device) return;
    backends[find(device->name)].close(device);
    free(device);
}

tc_status tc_device_reals(tc_device *device, size_t count, void *pointer, tc_error *error) {
    void *memory = NULL;
    const tc_status status = device->k->allocate(device, count * device->element, &memory, error);
    memcpy(pointer, &memory, sizeof memory);
    return status;
}
