/* lent_gpu.c — a plug-in that passes the processor off as a machine with GPUs: its kernels are the `cpu` backend's, so
 * that what the program does around a GPU (who takes which, forks, failures) is tried with whole studies at full speed,
 * on any machine. Whether the CUDA backend computes rightly is not its affair: tests/compute/cuda.
 *
 *     LENT_GPUS=2          so many there are
 *     LENT_LOG=FILE        gets a line for each device that is opened: its number, its precision, process and thread
 *     LENT_FAULT=1         that GPU fails, and whatever it computes from then on is nonsense …
 *     LENT_FAULTS=2        … and so does the next one …
 *     LENT_PATIENCE=3      … when a process asks for its health for the third time, whichever of its workers does
 *     LENT_CRASH=1         then the process dies of it, as of kill -9
 *
 * As with CUDA, a process whose parent has touched a GPU cannot use one; and a device belongs to the thread that has
 * opened it: another that asks how it is ends the process. */
#include "compute/cpu/cpu.h"
#include "compute/plugin.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long owner; /* the first process here that touched one */
static atomic_int asked;  /* how often, for the health of one that fails */

/* The processor's table, but for its health; one for each device, which it outlives by nothing. */
typedef struct loan {
    tc_kernels kernels;
    const tc_kernels *own;
    pthread_t thread;
} loan;

static int number(const char *name, int otherwise) {
    const char *said = getenv(name);
    return said ? atoi(said) : otherwise;
}

static tc_status touch(tc_error *error) {
    long first = 0;
    if (atomic_compare_exchange_strong(&owner, &first, (long)getpid()) || first == (long)getpid()) return TC_OK;
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

/* The table is the beginning of the loan. */
static loan *loan_of(const tc_device *device) {
    return (loan *)(uintptr_t)device->k;
}

static tc_status health(tc_device *device, tc_error *error) {
    const int fault = number("LENT_FAULT", -1), behind = device->options.index - fault;
    if (!pthread_equal(loan_of(device)->thread, pthread_self())) abort();
    if (fault < 0 || behind < 0 || behind >= number("LENT_FAULTS", 1)) return TC_OK;
    if (atomic_fetch_add(&asked, 1) + 1 < number("LENT_PATIENCE", 1)) return TC_OK;
    if (number("LENT_CRASH", 0)) kill(getpid(), SIGKILL);
    return tc_raise(error, TC_FAILED, "device cuda:%d: gone", device->options.index);
}

/* One write, so that the lines of several processes do not mix. */
static void note(const tc_device *device) {
    const char *path = getenv("LENT_LOG");
    char line[96];
    const int length = snprintf(line, sizeof line, "%d %d %ld %lx\n", device->options.index,
                                (int)device->options.precision, (long)getpid(), (unsigned long)pthread_self());
    const int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (file < 0) return;
    if (write(file, line, (size_t)length) != length) abort();
    close(file);
}

static tc_status lend(tc_device *device, tc_error *error) {
    loan *made = NULL;
    tc_status status = TC_OK;
    TC_TRY(choose(&device->options, &device->options.index, error));
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    TC_TRY(tc_cpu_open(device, error));
    *made = (loan){.kernels = *device->k, .own = device->k, .thread = pthread_self()};
    made->kernels.health = health;
    device->k = &made->kernels;
    made = NULL;
    note(device);
done:
    free(made);
    return status;
}

static void take_back(tc_device *device) {
    loan *made = loan_of(device);
    device->k = made->own;
    tc_cpu_close(device);
    free(made);
}

__attribute__((visibility("default"))) extern const tc_plugin tocsin_plugin_v1;
const tc_plugin tocsin_plugin_v1 = {.version = TOCSIN_VERSION,
                                    .kernels = sizeof(tc_kernels),
                                    .device = sizeof(tc_device),
                                    .look = look,
                                    .open = lend,
                                    .close = take_back};
