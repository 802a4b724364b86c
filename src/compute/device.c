#include "compute/device.h"

#include "compute/cpu/cpu.h"
#include "compute/plugin.h"
#include "compute/reference/reference.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

static tc_status open_cuda(tc_device *device, tc_error *error) {
    const tc_plugin *plugin;
    const tc_status status = tc_plugin_find(&plugin, error);
    return status == TC_OK ? plugin->open(device, error) : status;
}

static void close_cuda(tc_device *device) {
    const tc_plugin *plugin;
    if (tc_plugin_find(&plugin, NULL) == TC_OK) plugin->close(device);
}

static tc_status look_cuda(const tc_device_options *options, tc_device_facts *facts, tc_error *error) {
    const tc_plugin *plugin;
    const tc_status status = tc_plugin_find(&plugin, error);
    return status == TC_OK ? plugin->look(options, facts, error) : status;
}

static const struct {
    const char *name;
    tc_status (*open)(tc_device *device, tc_error *error);
    void (*close)(tc_device *device);
    tc_status (*look)(const tc_device_options *options, tc_device_facts *facts, tc_error *error); /* NULL: no need to */
} backends[] = {
    {"cpu", tc_cpu_open, tc_cpu_close, NULL},
    {"reference", tc_reference_open, tc_reference_close, NULL},
    {"cuda", open_cuda, close_cuda, look_cuda},
};
enum { BACKENDS = sizeof backends / sizeof *backends };

static int find(const char *name) {
    for (int i = 0; i < BACKENDS; i++)
        if (!strcmp(backends[i].name, name)) return i;
    return -1;
}

static tc_status not_known(const char *name, tc_error *error) {
    return tc_raise(error, TC_INVALID, "device: '%.64s' is not known; use cpu, reference or cuda", name);
}

tc_status tc_device_look(const tc_device_options *options, tc_device_facts *facts, tc_error *error) {
    const int which = find(options->name);
    *facts = (tc_device_facts){.count = 1};
    if (which < 0) return not_known(options->name, error);
    return backends[which].look ? backends[which].look(options, facts, error) : TC_OK;
}

tc_status tc_device_open_with(const tc_device_options *options, tc_device **device, tc_error *error) {
    *device = NULL;
    const int which = find(options->name);
    if (which < 0) return not_known(options->name, error);
    tc_device *made = NULL;
    tc_status status = tc_new(&made, 1, sizeof *made, error);
    if (status != TC_OK) return status;
    made->name = backends[which].name;
    made->options = *options;
    made->options.name = made->name;
    made->threads = options->threads > 0 ? options->threads : omp_get_num_procs();
    status = backends[which].open(made, error);
    if (status == TC_OK)
        *device = made;
    else
        free(made);
    return status;
}

tc_status tc_device_open(const char *name, int threads, tc_device **device, tc_error *error) {
    return tc_device_open_with(&(tc_device_options){.name = name, .threads = threads}, device, error);
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
