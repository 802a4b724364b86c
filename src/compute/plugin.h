/* plugin.h — a device that is built apart from Tocsin and opened at run time, so that one program runs with or without
 * it.
 *
 * The shared library exports one tc_plugin named tocsin_plugin_v1. It belongs to the very build that made the program:
 * a table of another shape or version is refused. */
#ifndef TC_COMPUTE_PLUGIN_H
#define TC_COMPUTE_PLUGIN_H

#include "compute/device.h"

typedef struct tc_plugin {
    const char *version;    /* TOCSIN_VERSION */
    size_t kernels, device; /* sizeof tc_kernels, sizeof tc_device */
    tc_status (*look)(const tc_device_options *options, tc_device_facts *facts, tc_error *error);
    tc_status (*open)(tc_device *device, tc_error *error); /* as the backends' that are built in */
    void (*close)(tc_device *device);
} tc_plugin;

/* Finds libtocsin-cuda: where TOCSIN_CUDA_PLUGIN says, beside the program or library, in its folder of the
 * installation. Stays open for the life of the process. TC_INVALID, with what is missing, where there is none. */
tc_status tc_plugin_find(const tc_plugin **plugin, tc_error *error);

#endif
