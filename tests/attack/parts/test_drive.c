/* Crafting for whole training sets can be stopped at any of its steps and gone on with: the poison is the same, bit for
 * bit, and nothing is left behind. */
#include "../untargeted.h"

#include <stdio.h>
#include <unistd.h>

typedef struct course_of {
    const tc_attack *attack;
    const char *settings[10];
} course_of;

/* Every kind of sharpness, both kinds of noise, restarts, momentum; batches of 40 of 97 poisons. */
static const course_of all[] = {
    {&tc_error_min, {"epochs=3", "steps=2", "model_steps=3", "batch=40", "stop=0", "sharpness=worst-case", NULL}},
    {&tc_error_min, {"epochs=2", "steps=2", "batch=40", "stop=0", "shift=1", "sharpness=gaussian", "samples=2", NULL}},
    {&tc_error_min, {"epochs=3", "steps=1", "batch=40", "noise=class-wise", "schedule=recipe", "augment=true", NULL}},
    {&tc_error_max, {"steps=4", "batch=40", "shift=1", "sharpness=worst-case", NULL}},
    {&tc_error_max, {"steps=3", "restarts=3", "batch=40", "aim=next-class", "sharpness=gaussian", "samples=2", NULL}}};
enum { ALL = sizeof all / sizeof *all };

typedef struct bench {
    untargeted s;
    char folder[32], path[64];
} bench;

static int begin(void **state) {
    bench *b = calloc(1, sizeof *b);
    untargeted_begin(&b->s, 8, 0.8);
    b->s.train.epochs = 3;
    strcpy(b->folder, "/tmp/tocsin-drive-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/crafting", b->folder);
    *state = b;
    return 0;
}

static int end(void **state) {
    bench *b = *state;
    assert_int_equal(rmdir(b->folder), 0); /* nothing was left in it */
    untargeted_end(&b->s);
    free(b);
    return 0;
}

/* One attempt; stopped after so many calls (0: never). */
static tc_status attempt(bench *b, const course_of *of, int stop_after, tc_poison **poison, tc_craft_report *report,
                         tc_error *error) {
    void *options = untargeted_options(of->attack, of->settings);
    tc_craft_job job = untargeted_job(&b->s);
    job.checkpoint = b->path;
    b->s.stop_after = stop_after;
    const tc_status status = of->attack->craft(&job, options, poison, report, error);
    b->s.stop_after = 0;
    free(options);
    return status;
}

static void goes_on_to_the_same_poison(void **state) {
    bench *b = *state;
    for (int k = 0; k < ALL; k++) {
        tc_error error;
        tc_craft_report whole, pieced;
        tc_poison *expected, *poison = NULL;
        const size_t before = b->s.device->bytes;
        must(attempt(b, &all[k], 0, &expected, &whole, &error));
        const int questions = b->s.calls;
        assert_true(questions > 10);
        /* Twelve places all over it, each in a file of its own run; from there on without another stop. */
        for (int place = 1; place < questions; place += 1 + questions / 12) {
            assert_int_equal(attempt(b, &all[k], place, &poison, NULL, &error), TC_INTERRUPTED);
            assert_int_equal(b->s.calls, place); /* at once */
            assert_null(poison);
            assert_non_null(strstr(error.message, "run again with the same settings to go on"));
            assert_int_equal(access(b->path, F_OK), 0);
            must(attempt(b, &all[k], 0, &poison, &pieced, &error));
            assert_true(place < 20 || b->s.calls < questions); /* what was done is not done again */
            assert_memory_equal(poison->images, expected->images, expected->replaced * expected->image_bytes);
            assert_int_equal(pieced.steps, whole.steps);
            assert_int_equal(pieced.gradients, whole.gradients);
            assert_true(pieced.objective == whole.objective);
            tc_craft_forget(b->path);
            assert_int_not_equal(access(b->path, F_OK), 0);
            tc_poison_free(poison);
        }
        assert_int_equal(b->s.device->bytes, before);
        tc_poison_free(expected);
    }
}

/* Stopped again and again, every seventh question, it still comes to its end. */
static void comes_to_its_end_in_small_pieces(void **state) {
    bench *b = *state;
    tc_error error;
    tc_poison *expected, *poison = NULL;
    int pieces = 0;
    must(attempt(b, &all[0], 0, &expected, NULL, &error));
    for (tc_status status = TC_INTERRUPTED; status != TC_OK; pieces++) {
        assert_true(pieces < 100);
        status = attempt(b, &all[0], 7, &poison, NULL, &error);
        assert_true(status == TC_OK || status == TC_INTERRUPTED);
    }
    assert_true(pieces > 3);
    tc_craft_forget(b->path);
    assert_memory_equal(poison->images, expected->images, expected->replaced * expected->image_bytes);
    tc_poison_free(poison);
    tc_poison_free(expected);
}

static void another_crafting_is_refused(void **state) {
    bench *b = *state;
    tc_error error;
    tc_poison *poison;
    const course_of other = {&tc_error_max, {"steps=5", "batch=40", "shift=1", "sharpness=worst-case", NULL}};
    assert_int_equal(attempt(b, &all[3], 5, &poison, NULL, &error), TC_INTERRUPTED);
    assert_int_equal(attempt(b, &other, 0, &poison, NULL, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "another crafting"));
    b->s.surrogate.weights.theta[3] += 0.5F;
    assert_int_equal(attempt(b, &all[3], 0, &poison, NULL, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "another crafting"));
    b->s.surrogate.weights.theta[3] -= 0.5F;
    unlink(b->path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_to_the_same_poison),
        cmocka_unit_test(comes_to_its_end_in_small_pieces),
        cmocka_unit_test(another_crafting_is_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
