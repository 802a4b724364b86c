/* The planner: no two buffers that live together overlap, and the total is not more than what the largest moment needs
 * by much. */
#include "nn/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SPANS = 200, TIMES = 60 };

static void test_overlaps(void **state) {
    (void)state;
    tc_stream stream = tc_stream_make(5);
    for (int round = 0; round < 20; round++) {
        tc_span spans[SPANS];
        size_t needed[TIMES] = {0}, most = 0;
        for (int i = 0; i < SPANS; i++) {
            spans[i] = (tc_span){.bytes = 1 + (size_t)tc_draw_below(&stream, 5000), .first = 0, .last = -1};
            if (i % 9 == 0) continue;
            const int from = (int)tc_draw_below(&stream, TIMES - 10);
            tc_span_touch(&spans[i], from + (int)tc_draw_below(&stream, 10));
            tc_span_touch(&spans[i], from);
        }
        const size_t total = tc_plan_spans(spans, SPANS, NULL);
        for (int i = 0; i < SPANS; i++) {
            for (int t = spans[i].first; t <= spans[i].last; t++) needed[t] += spans[i].bytes;
            for (int j = 0; j < i; j++) {
                if (spans[i].last < spans[j].first || spans[j].last < spans[i].first) continue;
                assert_true(spans[i].offset + spans[i].bytes <= spans[j].offset ||
                            spans[j].offset + spans[j].bytes <= spans[i].offset);
            }
            if (spans[i].last >= spans[i].first) assert_true(spans[i].offset + spans[i].bytes <= total);
        }
        for (int t = 0; t < TIMES; t++) most = needed[t] > most ? needed[t] : most;
        assert_true(total >= most);
        assert_true(total <= most + most / 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_overlaps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
