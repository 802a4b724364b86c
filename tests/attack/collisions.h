/* collisions.h — what Poison Frogs and Bullseye Polytope must both do, on the small networks of crafting.h: the same
 * steps on the same features, towards objectives of their own. */
#ifndef TC_TESTS_ATTACK_COLLISIONS_H
#define TC_TESTS_ATTACK_COLLISIONS_H

#include "crafting.h"

static const char *const quick[] = {"steps=40", NULL};

static inline void collisions_begin(crafting *c, int64_t targets) {
    crafting_on_bars(c, targets);
    crafting_train_surrogates(c);
}

/* To below `share` of what it is at first, on one surrogate and on three of two architectures; for one target, four and
 * eight. */
static inline void collisions_lower_their_objective(const tc_attack *attack, double share) {
    static const int64_t targets[] = {1, 4, 8};
    for (int i = 0; i < 6; i++) {
        crafting c;
        tc_craft_report report;
        collisions_begin(&c, targets[i / 2]);
        const tc_craft_job job = crafting_job(&c, i % 2 ? SURROGATES : 1);
        tc_poison *poison = crafting_craft(&job, attack, quick, &report);
        assert_int_equal(c.calls, 40);
        assert_int_equal(report.steps, 40);
        assert_true(report.objective < share * c.first);
        assert_float_equal(report.objective / c.last, 1, 0.02); /* rounding to 8 bits costs little */
        crafting_check_limits(&c, poison);
        tc_poison_free(poison);
        crafting_leave_bars(&c);
    }
}

/* none: a look a step, and `before` the first one, on each surrogate; worst-case: one more for each; gaussian: so many
 * as it has samples. */
static inline void collisions_cost_what_they_say(const tc_attack *attack, int64_t before) {
    static const char *const kinds[] = {"sharpness=none", "sharpness=worst-case", "sharpness=gaussian"};
    static const int64_t looks[] = {1, 2, 5};
    for (int kind = 0; kind < 3; kind++) {
        crafting c;
        tc_craft_report report;
        collisions_begin(&c, 2);
        const tc_craft_job job = crafting_job(&c, 2);
        tc_poison *poison =
            crafting_craft(&job, attack, (const char *const[]){"steps=25", kinds[kind], "samples=5", NULL}, &report);
        assert_int_equal(report.gradients, 2 * (before + 25) * looks[kind]);
        assert_int_equal(report.jvps, 0);
        assert_true(c.last < c.first);
        crafting_check_limits(&c, poison);
        tc_poison_free(poison);
        crafting_leave_bars(&c);
    }
}

static inline void collisions_have_manners(const tc_attack *attack) {
    tc_error error;
    crafting c;
    collisions_begin(&c, 2);
    crafting_check_manners(&c, attack, (const char *const[]){"steps=5", "batch=7", NULL}, 2);
    tc_poison *poison = NULL;
    void *options = crafting_options(attack, quick);
    const tc_craft_job job = crafting_job(&c, 0);
    assert_int_equal(attack->craft(&job, options, &poison, NULL, &error), TC_INVALID);
    assert_null(poison);
    must(tc_options_assign(attack->options, options, "p=0.5", &error));
    assert_int_equal(tc_attack_check(attack, options, &error), TC_INVALID);
    free(options);
    crafting_leave_bars(&c);
}

/* The setting of both papers: a victim that goes on training from the network that the poisons were made on. */
static inline void collisions_beat_noise(const tc_attack *attack) {
    crafting c;
    crafting_on_shapes(&c);
    tc_train_options victim = c.training;
    victim.epochs = 3;
    const duel d = crafting_duel(&c, attack, quick, 4, &victim, false);
    assert_true(d.attack >= d.control + 2);
    assert_true(d.attack_gap < d.control_gap - 1);
    crafting_leave_shapes(&c);
}

#endif
