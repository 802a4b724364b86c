/* Error-min and error-max, with and without sharpness, against random noise: what is left to learn. */
#include "unlearnable.h"

static void error_min_leaves_little_to_learn(void **state) {
    loses(*state, &tc_error_min,
          (const char *const[]){"noise=class-wise", "steps=1", "epochs=8", "batch=100", "stop=0", NULL});
    loses(*state, &tc_error_min, (const char *const[]){"sharpness=none", "steps=2", "epochs=6", "stop=0", NULL});
    loses(*state, &tc_error_min, (const char *const[]){"sharpness=worst-case", "steps=2", "epochs=6", "stop=0", NULL});
}

static void error_max_teaches_the_wrong_things(void **state) {
    static const char *const kinds[] = {"sharpness=none", "sharpness=worst-case"};
    for (int kind = 0; kind < 2; kind++)
        loses(
            *state, &tc_error_max,
            (const char *const[]){kinds[kind], "aim=next-class", "steps=4", "step=0.4", "shift=0", "flip=false", NULL});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_min_leaves_little_to_learn),
        cmocka_unit_test(error_max_teaches_the_wrong_things),
    };
    return cmocka_run_group_tests(tests, unlearnable_begin, shapes10_end);
}
