/* Phases come in the order of the plan, never before what they need, each once, whoever is how quick. */
#include "experiment/run/agenda.h"

#include "../plans.h"

static void takes_everything_once(void **state) {
    (void)state;
    tc_plan *plan = small_plan();
    for (uint64_t seed = 0; seed < 50; seed++) {
        tc_stream stream = tc_stream_make(seed);
        tc_agenda agenda;
        int doing[4], count = 0, taken = 0, returned = 0;
        MUST(tc_agenda_create(plan, NULL, &agenda, error));
        assert_int_equal(agenda.left, plan->phases);
        while (agenda.left) {
            const int phase = count < 4 ? tc_agenda_take(&agenda) : -1;
            if (phase >= 0) {
                for (int i = 0; i < plan->phase[phase].need_count; i++)
                    assert_true(agenda.done[plan->phase[phase].needs[i]]);
                assert_false(agenda.done[phase]);
                doing[count++] = phase;
                taken++;
                continue;
            }
            assert_true(count > 0); /* or nothing would ever be ready again */
            const int which = (int)tc_draw_below(&stream, (uint64_t)count), ended = doing[which];
            doing[which] = doing[--count];
            if (tc_draw_below(&stream, 5) == 0) {
                tc_agenda_return(&agenda, ended); /* its worker died */
                returned++;
            } else {
                tc_agenda_finish(&agenda, ended);
            }
        }
        assert_int_equal(taken, plan->phases + returned);
        assert_int_equal(tc_agenda_take(&agenda), -1);
        for (int p = 0; p < plan->phases; p++) assert_int_equal(agenda.wanted[p], 0);
        tc_agenda_free(&agenda);
    }
    tc_plan_free(plan);
}

static void keeps_the_order(void **state) {
    (void)state;
    tc_plan *plan = small_plan();
    tc_agenda agenda;
    MUST(tc_agenda_create(plan, NULL, &agenda, error));
    for (int p = 0; p < plan->phases; p++) { /* one worker walks through the plan as it is */
        assert_int_equal(tc_agenda_take(&agenda), p);
        tc_agenda_finish(&agenda, p);
    }
    tc_agenda_free(&agenda);
    tc_plan_free(plan);
}

static void goes_on(void **state) {
    (void)state;
    tc_plan *plan = small_plan();
    bool *done = calloc((size_t)plan->phases, sizeof *done);
    tc_agenda agenda;
    for (int p = 0; p < plan->phases; p++) done[p] = p < 7;
    MUST(tc_agenda_create(plan, done, &agenda, error));
    assert_int_equal(agenda.left, plan->phases - 7);
    for (int p = 0; p < plan->phases; p++) {
        int wanted = 0; /* by how many that are not done */
        for (int u = 7; u < plan->phases; u++)
            for (int i = 0; i < plan->phase[u].need_count; i++) wanted += plan->phase[u].needs[i] == p;
        assert_int_equal(agenda.wanted[p], wanted);
    }
    assert_int_equal(tc_agenda_take(&agenda), 7);
    tc_agenda_free(&agenda);
    free(done);
    tc_plan_free(plan);
}

/* What needs it is given up with it, and nothing else; what that needs is wanted still. */
static void gives_up(void **state) {
    (void)state;
    tc_plan *plan = small_plan();
    tc_agenda agenda;
    MUST(tc_agenda_create(plan, NULL, &agenda, error));
    const int victim = plan->cell[0].victim_phase[0];
    int taken = 0, surrogate;
    while (plan->phase[surrogate = tc_agenda_take(&agenda)].kind != TC_PHASE_SURROGATE) {
        tc_agenda_finish(&agenda, surrogate);
        taken++;
    }
    const int expected = 1 + 2 * 2; /* two of the three attacks of the first trial need it */
    assert_int_equal(tc_agenda_give_up(&agenda, surrogate), expected);
    assert_int_equal(tc_agenda_give_up(&agenda, surrogate), 0);
    assert_int_equal(agenda.left, plan->phases - expected - taken);
    assert_false(agenda.given_up[victim]); /* the control's */
    for (int p; (p = tc_agenda_take(&agenda)) >= 0; taken++) {
        assert_false(agenda.given_up[p]);
        tc_agenda_finish(&agenda, p);
    }
    assert_int_equal(taken, plan->phases - expected);
    assert_int_equal(agenda.left, 0);
    for (int p = 0; p < plan->phases; p++)
        if (plan->phase[p].kind == TC_PHASE_SURROGATE && plan->phase[p].trial == 0)
            assert_int_equal(agenda.wanted[p], 2);
    tc_agenda_free(&agenda);
    tc_plan_free(plan);
}

/* Whether it was ready by then, or becomes so later: what was given up is nobody's, and all else is done. */
static void gives_up_what_is_ready(void **state) {
    (void)state;
    for (int later = 0; later < 2; later++) {
        tc_plan *plan = small_plan();
        tc_agenda agenda;
        MUST(tc_agenda_create(plan, NULL, &agenda, error));
        const int craft = plan->cell[0].craft[0], victim = plan->cell[0].victim_phase[0];
        int given_up = later ? tc_agenda_give_up(&agenda, victim) : 0, taken = 0;
        for (int p; (p = tc_agenda_take(&agenda)) >= 0; taken++) {
            assert_int_not_equal(p, victim);
            tc_agenda_finish(&agenda, p);
            if (p == craft && !later) given_up = tc_agenda_give_up(&agenda, victim);
        }
        assert_int_equal(given_up, 1);
        assert_int_equal(taken, plan->phases - 1);
        assert_int_equal(agenda.left, 0);
        tc_agenda_free(&agenda);
        tc_plan_free(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_everything_once),
        cmocka_unit_test(keeps_the_order),
        cmocka_unit_test(goes_on),
        cmocka_unit_test(gives_up),
        cmocka_unit_test(gives_up_what_is_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
