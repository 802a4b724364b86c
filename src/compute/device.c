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
    if (status != TC_OK) return status;
    device->close = plugin->close;
    return plugin->open(device, error);
}

static tc_status look_cuda(const tc_device_options *options, tc_device_facts *facts, tc_error *error) {
    const tc_plugin *plugin;
    const tc_status status = tc_plugin_find(&plugin, error);
    return status == TC_OK ? plugin->look(options, facts, error) : status;
}

static const struct {
    const char *name;
    tc_status (*open)(tc_device *device, tc_error *error);
    void (*close)(tc_device *device); /* NULL: open says who */
    tc_status (*look)(const tc_device_options *options, tc_device_facts *facts, tc_error *error); /* NULL: no need to */
} backends[] = {
    {"cpu", tc_cpu_open, tc_cpu_close, NULL},
    {"reference", tc_reference_open, tc_reference_close, NULL},
    {"cuda", open_cuda, NULL, look_cuda},
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
    made->close = backends[which].close;
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
    device->close(device);
    free(device);
}

static bool fits(int in, int out, const tc_convolution *g) {
    return in + 2 * g->padding >= g->kernel && out == (in + 2 * g->padding - g->kernel) / g->stride + 1;
}

tc_status tc_convolution_check(const tc_convolution *g, tc_error *error) {
    const bool sane = g->kernel > 0 && g->stride > 0 && g->padding >= 0 && g->groups > 0 && g->in.n == g->out.n &&
                      g->in.c % g->groups == 0 && g->out.c % g->groups == 0;
    if (sane && fits(g->in.h, g->out.h, g) && fits(g->in.w, g->out.w, g)) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "convolution: %dx%dx%d to %dx%dx%d does not fit kernel %d, stride %d, padding %d, groups %d; "
                    "check the network's geometry",
                    g->in.h, g->in.w, g->in.c, g->out.h, g->out.w, g->out.c, g->kernel, g->stride, g->padding,
                    g->groups);
}

tc_status tc_device_bytes(tc_device *device, size_t bytes, void *pointer, tc_error *error) {
    void *memory = NULL;
    const tc_status status = device->k->allocate(device, bytes, &memory, error);
    memcpy(pointer, &memory, sizeof memory);
    return status;
}

tc_status tc_device_copy(tc_device *device, const void *data, size_t bytes, void *pointer, tc_error *error) {
    void *memory = NULL;
    const tc_status status = tc_device_bytes(device, bytes, &memory, error);
    if (status == TC_OK) device->k->upload_bytes(device, memory, data, bytes);
    memcpy(pointer, &memory, sizeof memory);
    return status;
}

tc_status tc_device_reals(tc_device *device, size_t count, void *pointer, tc_error *error) {
    return tc_device_bytes(device, count * device->element, pointer, error);
}

tc_status tc_device_order(tc_device *device, size_t count, uint32_t **index, tc_error *error) {
    uint32_t *order = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&order, count, sizeof *order, error));
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
    TC_TRY(tc_device_copy(device, order, count * sizeof *order, index, error));
done:
    free(order);
    return status;
}
