/* A device's table, looked at and tampered with: how often the host has waited for a number. */
#ifndef TC_TESTS_WAITS_H
#define TC_TESTS_WAITS_H

#include "compute/device.h"

static const tc_kernels *real_table;
static tc_kernels table; /* the one in use after watch_waits; a test may change it further */
static int waits;

static void count_download_bytes(tc_device *device, void *to, const void *from, size_t bytes) {
    waits++;
    real_table->download_bytes(device, to, from, bytes);
}

static void count_download_float(tc_device *device, float *to, const void *from, size_t count) {
    waits++;
    real_table->download_float(device, to, from, count);
}

static double count_sum(tc_device *device, size_t count, const void *x) {
    waits++;
    return real_table->sum(device, count, x);
}

static double count_dot(tc_device *device, size_t count, const void *x, const void *y) {
    waits++;
    return real_table->dot(device, count, x, y);
}

static double count_sum_power(tc_device *device, size_t count, double p, const void *x) {
    waits++;
    return real_table->sum_power(device, count, p, x);
}

/* Until device->k is real_table again. */
static void watch_waits(tc_device *device) {
    waits = 0;
    real_table = device->k;
    table = *real_table;
    table.download_bytes = count_download_bytes;
    table.download_float = count_download_float;
    table.sum = count_sum;
    table.dot = count_dot;
    table.sum_power = count_sum_power;
    device->k = &table;
}

#endif
