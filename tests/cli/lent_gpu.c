/* lent_gpu.c — a plug-in that passes the processor off as a machine with GPUs: its kernels are the `cpu` backend's, so
 * that what the program does around a GPU (who takes which, forks, failures) is tried with whole studies at full speed,
 * on any machine. Whether the CUDA backend computes rightly is not its affair: tests/compute/cuda.
 *
 *     LENT_GPUS=2          so many there are
 *     LENT_LOG=FILE        gets a line for each device that is opened: its number and its precision
 *     LENT_FAULT=1         that GPU fails, and whatever it computes from then on is nonsense …
 *     LENT_PATIENCE=3      … when its health is asked for the third time
 *
 * As with CUDA, a process whose parent has touched a GPU cannot use one. */
#include "compute/cpu/cpu.h"
#include "compute/plugin.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t owner;        /* the first process here that touched one */
static tc_kernels kernels; /* the processor's, but for its health */
static int asked;

static int number(const char *name, int otherwise) {
    const char *said = getenv(name);
    return said ? atoi(said) : otherwise;
}

static tc_status touch(tc_error *error) {
    if (!owner) owner = getpid();
    if (owner == getpid()) return TC_OK;
    return tc_raise(error, TC_FAILED, "device cuda: touched before the fork");
}

static tc_status choose(const tc_device_options *options, int *index, tc_error *error) {
    const int count = number("LENT_GPUS", 1);
    const tc_status status = touch(error);
    if (status != TC_OK) return status;
    *index = options->index < 0 ? options->turn % (count ? count : 1) : options->index;
    if (*index < count) return TC_OK;
    return tc_raise(error, TC_INVALID, "device cuda:%d: this machine has %d; count from 0", *index, count);
}

static tc_status look(const tc_device_options *options, tc_device_facts *facts, tc_error *error) {
    int index;
    const tc_status status = choose(options, &index, error);
    facts->count = number("LENT_GPUS", 1);
    snprintf(facts->description, sizeof facts->description, "%d lent GPUs", facts->count);
    return status;
}

static bool failing(const tc_device *device) {
    return device->options.index == number("LENT_FAULT", -1) && asked >= number("LENT_PATIENCE", 1);
}

static tc_status health(tc_device *device, tc_error *error) {
    asked++;
    if (!failing(device)) return TC_OK;
    return tc_raise(error, TC_FAILED, "device cuda:%d: gone", device->options.index);
}

/* One write, so that the lines of several processes do not mix. */
static void note(const tc_device *device) {
    const char *path = getenv("LENT_LOG");
    char line[64];
    const int length = snprintf(line, sizeof line, "%d %d\n", device->options.index, (int)device->options.precision);
    const int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (file < 0) return;
    if (write(file, line, (size_t)length) != length) abort();
    close(file);
}

static tc_status lend(tc_device *device, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(choose(&device->options, &device->options.index, error));
    TC_TRY(tc_cpu_open(device, error));
    kernels = *device->k;
    kernels.health = health;
    device->k = &kernels;
    note(device);
done:
    return status;
}

__attribute__((visibility("default"))) extern const tc_plugin tocsin_plugin_v1;
const tc_plugin tocsin_plugin_v1 = {.version = TOCSIN_VERSION,
                                    .kernels = sizeof(tc_kernels),
                                    .device = sizeof(tc_device),
                                    .look = look,
                                    .open = lend,
                                    .close = tc_cpu_close};
