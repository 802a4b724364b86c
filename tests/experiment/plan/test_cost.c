/* What a plan says without trying, held against trying: for every attack that says what it comes to, and for every way
 * of training that takes longer than the plain one. */
#include "experiment/plan/cost.h"

#include "base/file.h"
#include "train/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        tc_error why = {0}, *error = &why;                                                                             \
        if ((call) != TC_OK) fail_msg("%s", why.message);                                                              \
    } while (0)

enum { MOST = 40, TRIES = 4 }; /* TRIES: somebody else may work on the machine while one of two times is taken */
static const char *const common[] = {"trials=1",
                                     "threads=1",
                                     "dataset.source=shapes10",
                                     "dataset.train_per_class=8",
                                     "dataset.test_per_class=4",
                                     "surrogate.model=convnet",
                                     "surrogate.width=4",
                                     "surrogate.train.epochs=1",
                                     "surrogate.train.batch=16",
                                     "victim.model=convnet",
                                     "victim.width=4",
                                     "victim.train.epochs=1",
                                     "victim.train.batch=16"};
enum { COMMON = sizeof common / sizeof *common };

static tc_plan *plan_of(const char *const *own) {
    const char *changes[MOST];
    int count = 0;
    tc_plan *plan = NULL;
    for (; count < COMMON; count++) changes[count] = common[count];
    for (; *own; own++) changes[count++] = *own;
    MUST(tc_plan_make(NULL, changes, count, &plan, error));
    return plan;
}

static tc_cost cost_of(const tc_plan *plan, double budget) {
    tc_cost cost;
    MUST(tc_plan_measure(plan, NULL, budget, NULL, NULL, &cost, error));
    return cost;
}

/* A busy machine and small batches allow for no more than the order of magnitude. */
static bool near(double extrapolated, double measured) {
    return extrapolated < 4 * measured && measured < 4 * extrapolated;
}

/* A way of crafting or of training, as the plan's only one beside the control. */
static void compare(const char *const *own, tc_phase_kind kind, bool less_control) {
    tc_plan *plan = plan_of(own);
    tc_cost tried, told;
    int again = TRIES;
    do {
        tried = cost_of(plan, 1e9), told = cost_of(plan, 0);
        for (int k = 0; k < TC_PHASE_KINDS; k++) assert_int_equal(tried.measured[k], tried.kinds[k]);
        /* The control, which takes no network, is made in either case. */
        assert_int_equal(told.measured[kind], less_control);
        assert_true(told.networks_measured >= 1 && told.networks_measured <= told.networks);
    } while (!near(told.seconds[kind], tried.seconds[kind]) && --again);
    if (!again) fail_msg("%s: extrapolated %g s, measured %g s", own[0], told.seconds[kind], tried.seconds[kind]);
    tc_plan_free(plan);
}

static void crafting(const char *const *own) {
    compare(own, TC_PHASE_CRAFT, true);
}

static void test_targeted(void **unused) {
    (void)unused;
    crafting((const char *[]){"attacks.1.name=gradient-matching", "attacks.1.steps=6", "attacks.1.restarts=2",
                              "attacks.1.sharpness=worst-case", "threat.ratio=0.1", NULL});
    crafting((const char *[]){"attacks.1.name=poison-frogs", "attacks.1.steps=12", "threat.ratio=0.1", NULL});
    crafting((const char *[]){"attacks.1.name=bullseye-polytope", "attacks.1.steps=12", "threat.ratio=0.1", NULL});
    crafting((const char *[]){"attacks.1.name=meta-poison", "attacks.1.steps=2", "attacks.1.models=2",
                              "attacks.1.batch=20", "threat.ratio=0.1", NULL});
}

static void test_backdoors(void **unused) {
    (void)unused;
    crafting((const char *[]){"attacks.1.name=sleeper-agent", "attacks.1.steps=6", "attacks.1.retrainings=2",
                              "threat.goal=backdoor", "threat.ratio=0.1", NULL});
    crafting((const char *[]){"attacks.1.name=hidden-trigger", "attacks.1.steps=12", "threat.goal=backdoor",
                              "threat.ratio=0.1", NULL});
    crafting((const char *[]){"attacks.1.name=clean-label-backdoor", "attacks.1.steps=12", "threat.goal=backdoor",
                              "threat.ratio=0.1", NULL});
}

static void test_untargeted(void **unused) {
    (void)unused;
    crafting((const char *[]){"attacks.1.name=error-max", "attacks.1.steps=4", "attacks.1.sharpness=worst-case",
                              "attacks.1.batch=30", "threat.goal=untargeted", "threat.ratio=1", NULL});
    crafting((const char *[]){"attacks.1.name=error-min", "attacks.1.steps=3", "attacks.1.epochs=1", "attacks.1.stop=0",
                              "attacks.1.batch=30", "threat.goal=untargeted", "threat.ratio=1", NULL});
}

static void test_training(void **unused) {
    (void)unused;
    static const char *const ways[][3] = {{"victim.train.flip=true", NULL},
                                          {"victim.train.sam_rho=0.05", NULL},
                                          {"victim.train.adversarial_epsilon=8", "victim.train.adversarial_steps=5"}};
    for (int i = 0; i < 3; i++)
        compare((const char *[]){ways[i][0], "attacks.1.name=random-noise", ways[i][1], NULL}, TC_PHASE_CLEAN, false);
}

/* Networks for which there is no time get a speed by what they multiply. */
static void test_many_networks(void **unused) {
    (void)unused;
    static const char *const changes[] = {"trials=1",
                                          "threads=1",
                                          "dataset.source=shapes10",
                                          "dataset.train_per_class=8",
                                          "dataset.test_per_class=4",
                                          "surrogate.model=lenet",
                                          "victims.1.model=convnet",
                                          "victims.2.model=vgg11",
                                          "victims.3.model=resnet18",
                                          "attacks.1.name=gradient-matching"};
    tc_plan *plan = NULL;
    MUST(tc_plan_make(NULL, changes, sizeof changes / sizeof *changes, &plan, error));
    const double start = tc_clock();
    const tc_cost cost = cost_of(plan, 0);
    assert_int_equal(cost.networks, 4);
    assert_int_equal(cost.networks_measured, 1);
    assert_int_equal(cost.kinds[TC_PHASE_CLEAN], 3);
    assert_int_equal(cost.measured[TC_PHASE_CLEAN], 0);
    assert_true(cost.seconds[TC_PHASE_CLEAN] > 0);
    assert_true(tc_clock() - start < 10);
    tc_plan_free(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_targeted), cmocka_unit_test(test_backdoors),
                                       cmocka_unit_test(test_untargeted), cmocka_unit_test(test_training),
                                       cmocka_unit_test(test_many_networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
