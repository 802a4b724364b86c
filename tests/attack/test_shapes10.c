/* Attacks on shapes10 against random noise of the same size in the same images: several threats, and for each a pair of
 * victims that go on from the same network over the same order of samples, which leaves chance little to say. Poison
 * Frogs, Bullseye Polytope and MetaPoison have this in their own tests, the un-targeted ones in test_unlearnable.c and
 * test_shortcuts_taken.c, and Hidden Trigger, which is made for other victims, in test_last_layer.c. */
#include "shapes10.h"

enum { MOST_THREATS = 7 };

typedef struct verdict {
    double success[MOST_THREATS], margin[MOST_THREATS];
} verdict;

static void judge(shapes10 *f, const tc_poison *poison, int i, verdict *v) {
    tc_weights weights;
    shapes10_go_on(f, poison, 100 + (uint64_t)i, &weights);
    const aim a = shapes10_aim(f, &weights);
    v->success[i] = a.success;
    v->margin[i] = a.margin;
    tc_weights_free(&weights);
}

/* One of a few sets of threats and what the control reaches on each, which is the same for every method. */
typedef struct arena {
    const char *settings[8];
    int known; /* threats on which the control was judged */
    verdict control;
} arena;

static arena targeted = {.settings = {"ratio=0.1", "epsilon=32", "targets=4", NULL}};
static arena backdoor = {.settings = {"goal=backdoor", "ratio=0.1", "epsilon=32", "trigger=checkerboard",
                                      "trigger_size=10", "trigger_place=bottom-right", NULL}};

typedef struct leads {
    lead success, margin;
} leads;

static leads compare(shapes10 *f, const tc_attack *attack, const char *const *settings, arena *where, int threats) {
    verdict method;
    for (int i = 0; i < threats; i++) {
        shapes10_draw(f, where->settings, 50 + (uint64_t)i);
        tc_poison *poison = shapes10_craft(f, attack, settings, (uint64_t)i);
        judge(f, poison, i, &method);
        tc_poison_free(poison);
        if (i < where->known) continue;
        tc_poison *noise = shapes10_noise(f, "distribution=sign", (uint64_t)i);
        judge(f, noise, where->known++, &where->control);
        tc_poison_free(noise);
    }
    const leads l = {shapes10_lead(method.success, where->control.success, threats),
                     shapes10_lead(method.margin, where->control.margin, threats)};
    print_message("%s: success %+.2f ± %.2f, margin %+.2f ± %.2f, over noise\n", attack->name, l.success.mean,
                  l.success.error, l.margin.mean, l.margin.error);
    return l;
}

static void gradient_matching_wins(void **state) {
    static const char *const kinds[] = {"sharpness=none", "sharpness=worst-case"};
    for (int kind = 0; kind < 2; kind++) {
        const char *settings[] = {"steps=60", "restarts=1", "shift=0", "flip=false", kinds[kind], NULL};
        const leads l = compare(*state, &tc_gradient_matching, settings, &targeted, 3);
        assert_true(l.success.mean > 0.4 && l.success.mean > 3 * l.success.error);
        assert_true(l.margin.mean > 2 * l.margin.error);
    }
}

static void sleeper_agent_wins(void **state) {
    static const char *const settings[] = {"steps=60", "retrainings=1", "shift=0", "flip=false", NULL};
    const leads l = compare(*state, &tc_sleeper_agent, settings, &backdoor, 4);
    assert_true(l.success.mean > 0.25 && l.success.mean > 2 * l.success.error);
    assert_true(l.margin.mean > 2 * l.margin.error);
}

static void clean_label_wins(void **state) {
    static const char *const settings[] = {"steps=20", NULL};
    const leads l = compare(*state, &tc_clean_label, settings, &backdoor, 7); /* it varies more than the others */
    assert_true(l.success.mean > 0.25 && l.success.mean > 2 * l.success.error);
    assert_true(l.margin.mean > 2 * l.margin.error);
}

static void badnets_wins(void **state) {
    static const char *const settings[] = {NULL};
    const leads l = compare(*state, &tc_badnets, settings, &backdoor, 3);
    assert_true(l.success.mean > 0.6 && l.success.mean > 3 * l.success.error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_matching_wins),
        cmocka_unit_test(sleeper_agent_wins),
        cmocka_unit_test(clean_label_wins),
        cmocka_unit_test(badnets_wins),
    };
    return cmocka_run_group_tests(tests, shapes10_begin, shapes10_end);
}
