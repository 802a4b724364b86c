/* Separable patches against random noise: networks take the shortcut.
 *
 * Autoregressive noise has no such test. Networks that are small enough for one learn no filters as fine as it takes:
 * with the network here, and with small ones of filters and a mean over the image, accuracy on shapes10 falls by
 * nothing that chance would not explain (three pairs each: −0.003 ± 0.020, +0.008 ± 0.003, +0.019 ± 0.014 over random
 * noise), and they know its images no better than untouched ones. That its classes are told apart by a filter once the
 * images are grey is in test_shortcuts.c; what it does to accuracy takes networks and data of CIFAR-10's size. */
#include "unlearnable.h"

static void patches_are_taken_for_the_class(void **state) {
    loses(*state, &tc_separable, (const char *const[]){"radius=30", NULL});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(patches_are_taken_for_the_class)};
    return cmocka_run_group_tests(tests, unlearnable_begin, shapes10_end);
}
