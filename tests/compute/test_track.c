/* Tracks: what is called again is recorded once and replayed from then on; what is called within is part of it; what is
 * refused is called as ever, and what is within it then goes by itself. On a device that only pretends to record. */
#include "compute/track.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct tc_recording {
    int nothing;
};

static int recorded, replayed, freed, called;
static bool refuses;

static tc_status begin(tc_device *device, tc_error *error) {
    (void)error;
    assert_false(device->recording); /* one within another is no recording */
    device->recording = true;
    return TC_OK;
}

static tc_status end(tc_device *device, tc_recording **recording, tc_error *error) {
    device->recording = false;
    recorded++;
    if (refuses) return tc_raise(error, TC_FAILED, "a pretext");
    *recording = calloc(1, sizeof **recording);
    return TC_OK;
}

static void replay(tc_device *device, tc_recording *recording) {
    (void)device;
    assert_non_null(recording);
    replayed++;
}

static void release(tc_device *device, tc_recording *recording) {
    (void)device;
    freed++;
    free(recording);
}

static tc_kernels table;

static tc_device *pretender(void) {
    tc_device *device = NULL;
    tc_error error;
    if (tc_device_open("reference", 1, &device, &error) != TC_OK) fail_msg("%s", error.message);
    table = *device->k;
    table.record_begin = begin;
    table.record_end = end;
    table.replay = replay;
    table.recording_free = release;
    device->k = &table;
    recorded = replayed = freed = called = 0;
    refuses = false;
    return device;
}

static void expect(int of_calls, int of_recorded, int of_replayed) {
    assert_int_equal(called, of_calls);
    assert_int_equal(recorded, of_recorded);
    assert_int_equal(replayed, of_replayed);
}

static void inner(void *context) {
    (void)context;
    called++;
}

static void recorded_at_the_second_call(void **state) {
    (void)state;
    tc_device *device = pretender();
    tc_track track = {0};
    tc_track_run(device, &track, inner, NULL);
    expect(1, 0, 0);
    tc_track_run(device, &track, inner, NULL);
    expect(2, 1, 1); /* called for the recording, done by the replay */
    tc_track_run(device, &track, inner, NULL);
    expect(2, 1, 2);
    tc_track_forget(device, &track);
    tc_track_forget(device, &track);
    assert_int_equal(freed, 1);
    tc_track_run(device, &track, inner, NULL);
    expect(3, 1, 2);
    tc_device_close(device);
}

typedef struct nest {
    tc_device *device;
    tc_track outer, inner;
} nest;

static void both(void *context) {
    nest *n = context;
    tc_track_run(n->device, &n->inner, inner, NULL);
}

static void what_is_within_is_part_of_it(void **state) {
    (void)state;
    nest n = {.device = pretender()};
    for (int i = 0; i < 5; i++) tc_track_run(n.device, &n.outer, both, &n);
    expect(2, 1, 4);
    assert_null(n.inner.recording);
    tc_track_forget(n.device, &n.outer);
    tc_device_close(n.device);
}

static void what_is_within_something_refused_goes_by_itself(void **state) {
    (void)state;
    nest n = {.device = pretender()};
    refuses = true;
    tc_track_run(n.device, &n.outer, both, &n);
    tc_track_run(n.device, &n.outer, both, &n); /* recorded in vain, then called, and what is within recorded in vain */
    expect(4, 2, 0);
    assert_int_equal(n.device->unrecorded, 2);
    for (int i = 0; i < 3; i++) tc_track_run(n.device, &n.outer, both, &n);
    expect(7, 2, 0);
    tc_track_forget(n.device, &n.inner);
    refuses = false;
    for (int i = 0; i < 3; i++) tc_track_run(n.device, &n.outer, both, &n);
    expect(9, 3, 2); /* the outer one stays refused */
    tc_track_forget(n.device, &n.inner);
    tc_track_forget(n.device, &n.outer);
    assert_int_equal(freed, 1);
    tc_device_close(n.device);
}

static void processors_are_called(void **state) {
    (void)state;
    tc_device *device = pretender();
    tc_track track = {0};
    table.record_begin = NULL;
    for (int i = 0; i < 3; i++) tc_track_run(device, &track, inner, NULL);
    expect(3, 0, 0);
    tc_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_at_the_second_call),
        cmocka_unit_test(what_is_within_is_part_of_it),
        cmocka_unit_test(what_is_within_something_refused_goes_by_itself),
        cmocka_unit_test(processors_are_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
