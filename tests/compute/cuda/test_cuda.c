/* The host's part of the CUDA backend, on the emulator: which GPU is taken, what is said of it, and that a failure is
 * noticed when somebody asks and hides nothing. Each test is a process of its own, because a GPU that has failed stays
 * so. */
#include "compute/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { COUNT = 1000 };

static tc_device_options wanted(int index, int turn) {
    return (tc_device_options){.name = "cuda", .threads = 1, .index = index, .turn = turn};
}

/* Runs `body` in a child; its status. */
static int apart(int (*body)(void)) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0) _exit(body());
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool says(const tc_error *error, const char *text) {
    if (strstr(error->message, text)) return true;
    print_error("'%s' is not in '%s'\n", text, error->message);
    return false;
}

static int what_there_is(void) {
    tc_device_facts facts;
    tc_error error = {0};
    tc_device *device = NULL;
    tc_device_options options = wanted(-1, 0);
    setenv("TOCSIN_EMULATED_GPUS", "3", 1);
    if (tc_device_look(&options, &facts, &error) != TC_OK || facts.count != 3) return 1;
    if (!strstr(facts.description, "3 x emulated (compute capability 9.0, 3 GiB), driver ")) return 2;
    if (!strstr(facts.description, "runtime 13.0, cuDNN 9.") || !strstr(facts.description, ", cuBLASLt 13.")) return 3;
    options = wanted(3, 0);
    if (tc_device_look(&options, &facts, &error) != TC_INVALID || !says(&error, "this machine has 3")) return 4;
    for (int turn = 0; turn < 5; turn++) {
        options = wanted(-1, turn);
        if (tc_device_open_with(&options, &device, &error) != TC_OK) return 5;
        if (device->options.index != turn % 3) return 6;
        tc_device_close(device);
    }
    setenv("TOCSIN_EMULATED_GPUS", "0", 1);
    options = wanted(-1, 0);
    return tc_device_look(&options, &facts, &error) == TC_INVALID && says(&error, "no GPU can be used here") ? 0 : 7;
}

/* The third kernel fails: what came down before is right, what comes down after is NaN, the first failure is told, and
 * another GPU of the same machine would go on. */
static int what_fails(void) {
    float got[COUNT];
    void *x = NULL;
    tc_device *device = NULL;
    tc_error error = {0};
    tc_device_options options = wanted(1, 0);
    setenv("TOCSIN_EMULATED_GPUS", "2", 1);
    setenv("TOCSIN_EMULATED_FAULT", "3@1", 1);
    if (tc_device_open_with(&options, &device, &error) != TC_OK) return 1;
    const tc_kernels *k = device->k;
    if (tc_device_reals(device, COUNT, &x, &error) != TC_OK) return 2;
    k->fill(device, COUNT, 2, x);
    k->download_float(device, got, x, COUNT);
    if (got[COUNT - 1] != 2 || tc_device_health(device, &error) != TC_OK) return 3;
    k->fill(device, COUNT, 3, x);
    k->fill(device, COUNT, 4, x);
    k->download_float(device, got, x, COUNT);
    if (got[0] == got[0]) return 4;
    if (tc_device_health(device, &error) != TC_FAILED || !says(&error, "device cuda:1: ")) return 5;
    if (!says(&error, "unspecified launch failure")) return 6;
    if (tc_device_reals(device, COUNT, &x, &error) != TC_FAILED) return 7;
    k->fill(device, COUNT, 5, x);
    if (tc_device_health(device, &error) != TC_FAILED) return 8;
    tc_device_close(device);
    return 0;
}

static int what_goes_on(void) {
    float got[COUNT];
    void *x = NULL;
    tc_device *device = NULL;
    tc_error error = {0};
    tc_device_options options = wanted(0, 0);
    setenv("TOCSIN_EMULATED_GPUS", "2", 1);
    setenv("TOCSIN_EMULATED_FAULT", "3@1", 1);
    if (tc_device_open_with(&options, &device, &error) != TC_OK) return 1;
    if (tc_device_reals(device, COUNT, &x, &error) != TC_OK) return 2;
    for (int i = 0; i < 9; i++) device->k->fill(device, COUNT, i, x);
    device->k->download_float(device, got, x, COUNT);
    if (got[0] != 8 || tc_device_health(device, &error) != TC_OK) return 3;
    device->k->release(device, x);
    tc_device_close(device);
    return 0;
}

/* The same without a pool. */
static int what_has_no_pool(void) {
    setenv("TOCSIN_EMULATED_POOLLESS", "1", 1);
    return what_goes_on();
}

static int after_a_fork(void) {
    tc_device_facts facts;
    tc_error error = {0};
    const tc_device_options options = wanted(0, 0);
    return tc_device_look(&options, &facts, &error) == TC_INVALID && says(&error, "initialization error") ? 0 : 1;
}

static int before_a_fork(void) {
    tc_device_facts facts;
    const tc_device_options options = wanted(0, 0);
    return tc_device_look(&options, &facts, NULL) == TC_OK ? apart(after_a_fork) : 9;
}

#define APART(name)                                                                                                    \
    static void test_##name(void **state) {                                                                            \
        (void)state;                                                                                                   \
        assert_int_equal(apart(name), 0);                                                                              \
    }
APART(what_there_is)
APART(what_fails)
APART(what_goes_on)
APART(what_has_no_pool)
APART(before_a_fork)

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_there_is), cmocka_unit_test(test_what_fails),
                                       cmocka_unit_test(test_what_goes_on), cmocka_unit_test(test_what_has_no_pool),
                                       cmocka_unit_test(test_before_a_fork)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
