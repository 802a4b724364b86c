/* Bullseye Polytope on small trained networks: it lowers its objective, keeps its limits and beats noise. */
#include "collisions.h"

static void it_lowers_its_objective(void **state) {
    (void)state;
    collisions_lower_their_objective(&tc_bullseye_polytope, 0.9);
}

static void sharpness_costs_one_gradient_where_it_is_computed(void **state) {
    (void)state;
    collisions_cost_what_they_say(&tc_bullseye_polytope, 0);
}

static void its_manners(void **state) {
    (void)state;
    collisions_have_manners(&tc_bullseye_polytope);
}

/* Through several layers, and with the targets merged, the objective falls, too; unknown layers are refused. */
static void layers_and_merged_targets(void **state) {
    (void)state;
    static const char *const settings[][4] = {{"steps=40", "layers=all", NULL},
                                              {"steps=40", "merged=true", NULL},
                                              {"steps=40", "shift=1", "sign=true", NULL}};
    tc_error error;
    crafting c;
    collisions_begin(&c, 4);
    const tc_craft_job job = crafting_job(&c, 2);
    for (int i = 0; i < 3; i++) {
        tc_craft_report report;
        c.first = NAN;
        tc_poison *poison = crafting_craft(&job, &tc_bullseye_polytope, settings[i], &report);
        assert_true(report.objective < 0.9 * c.first);
        crafting_check_limits(&c, poison);
        tc_poison_free(poison);
    }
    tc_poison *none = NULL;
    void *options = crafting_options(&tc_bullseye_polytope, (const char *const[]){"layers=block7", NULL});
    assert_int_equal(tc_bullseye_polytope.craft(&job, options, &none, NULL, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "block1"));
    tc_craft_job unready = job; /* before surrogates are trained */
    tc_surrogate untrained[SURROGATES];
    for (int i = 0; i < job.surrogate_count; i++) untrained[i] = (tc_surrogate){.model = job.surrogates[i].model};
    unready.surrogates = untrained;
    unready.device = NULL;
    error = (tc_error){0};
    assert_int_equal(tc_attack_check_job(&tc_bullseye_polytope, &unready, options, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "block1"));
    free(options);
    crafting_leave_bars(&c);
}

static void it_beats_noise_on_the_shapes(void **state) {
    (void)state;
    collisions_beat_noise(&tc_bullseye_polytope);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_lowers_its_objective),
        cmocka_unit_test(sharpness_costs_one_gradient_where_it_is_computed),
        cmocka_unit_test(its_manners),
        cmocka_unit_test(layers_and_merged_targets),
        cmocka_unit_test(it_beats_noise_on_the_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
