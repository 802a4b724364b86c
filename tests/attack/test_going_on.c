/* Methods that go by steps, whatever steps they are (of δ, of a network's training, of another network), can be stopped
 * at any question and gone on with, and killed and gone on with from what was last saved: the poison is the same, bit
 * for bit, and so is what is said about it. Those that perturb whole training sets: parts/test_drive.c. */
#include "backdoors.h"
#include "crafting.h"

#include "base/file.h"

#include <stdio.h>
#include <unistd.h>

typedef struct course_of {
    const tc_attack *attack;
    bool backdoor;
    int surrogates;
    int least; /* questions before anything new is kept: a selection, which is made anew, an epoch of training */
    const char *settings[10];
} course_of;

static const course_of all[] = {
    {&tc_gradient_matching, false, 1, 0, {"steps=7", "restarts=3", "sharpness=worst-case", NULL}},
    {&tc_gradient_matching, false, 3, 0, {"steps=5", "restarts=2", "batch=7", "sharpness=gaussian", "samples=2", NULL}},
    {&tc_bullseye_polytope, false, 3, 0, {"steps=9", "batch=7", "shift=1", "sharpness=gaussian", "samples=2", NULL}},
    {&tc_bullseye_polytope, false, 1, 0, {"steps=9", "sharpness=worst-case", NULL}},
    {&tc_poison_frogs, false, 3, 0, {"steps=9", "sharpness=gaussian", "samples=2", NULL}},
    {&tc_meta_poison, false, 0, 8, {"steps=2", "models=2", "stagger=2", "batch=16", "sharpness=worst-case", NULL}},
    {&tc_sleeper_agent, true, 1, 0, {"steps=5", "retrainings=0", "selection=random", "sharpness=worst-case", NULL}},
    {&tc_sleeper_agent, true, 2, 200, {"steps=6", "retrainings=2", "retrain_epochs=1", "sources=20", NULL}},
    {&tc_hidden_trigger, true, 2, 0, {"steps=8", "batch=7", NULL}},
    {&tc_clean_label, true, 2, 0, {"steps=8", "batch=7", NULL}}};
enum { ALL = sizeof all / sizeof *all };

typedef struct bench {
    crafting targeted;
    backdoor marked;
    char folder[40], path[64], copy[64];
    int asked, stop_after; /* questions; 0: never */
    int told, copy_after;  /* calls of progress; 0: never */
} bench;

static int begin(void **state) {
    bench *b = calloc(1, sizeof *b);
    crafting_on_bars(&b->targeted, 2);
    crafting_train_surrogates(&b->targeted);
    b->targeted.architectures[0].train = &b->targeted.training;
    backdoor_begin(&b->marked, (const char *const[]){"ratio=0.1", NULL}, 5);
    strcpy(b->folder, "/tmp/tocsin-going-on-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/crafting", b->folder);
    snprintf(b->copy, sizeof b->copy, "%s/copy", b->folder);
    *state = b;
    return 0;
}

static int end(void **state) {
    bench *b = *state;
    assert_int_equal(rmdir(b->folder), 0); /* nothing was left in it */
    crafting_leave_bars(&b->targeted);
    backdoor_end(&b->marked);
    free(b);
    return 0;
}

static void copy_file(const char *from, const char *to) {
    tc_error error;
    uint8_t *bytes;
    size_t size;
    if (access(from, F_OK)) {
        unlink(to);
        return;
    }
    must(tc_file_read(from, 1 << 26, &bytes, &size, &error));
    must(tc_file_put(to, bytes, size, &error));
    free(bytes);
}

/* What a kill at this very moment would leave. */
static void told(void *context, double fraction, double objective) {
    bench *b = context;
    char from[80], to[80];
    (void)objective;
    assert_true(fraction >= 0 && fraction <= 1);
    if (++b->told != b->copy_after) return;
    copy_file(b->path, b->copy);
    snprintf(from, sizeof from, "%s.training", b->path);
    snprintf(to, sizeof to, "%s.training", b->copy);
    copy_file(from, to);
}

static bool stop(void *context) {
    bench *b = context;
    return ++b->asked >= b->stop_after && b->stop_after;
}

/* One attempt; `minutes` between two savings. */
static tc_status attempt(bench *b, const course_of *of, const char *path, double minutes, tc_poison **poison,
                         tc_craft_report *report, tc_error *error) {
    void *options = crafting_options(of->attack, of->settings);
    tc_craft_job job =
        of->backdoor ? backdoor_job(&b->marked, of->surrogates) : crafting_job(&b->targeted, of->surrogates);
    tc_train_options training = *job.architectures[0].train;
    const tc_architecture own = {job.architectures[0].model, &training};
    training.checkpoint_minutes = minutes;
    job.architectures = &own;
    job.progress = told;
    job.stop = stop;
    job.context = b;
    job.checkpoint = path;
    job.checkpoint_minutes = minutes;
    b->asked = b->told = 0;
    const tc_status status = of->attack->craft(&job, options, poison, report, error);
    free(options);
    return status;
}

static void same(const tc_poison *poison, const tc_craft_report *report, const tc_poison *expected,
                 const tc_craft_report *whole) {
    crafting_same_poison(poison, expected, true);
    assert_memory_equal(poison->index, expected->index, expected->replaced * sizeof *expected->index);
    assert_true(report->objective == whole->objective);
    assert_int_equal(report->steps, whole->steps);
    assert_int_equal(report->gradients, whole->gradients);
    assert_int_equal(report->jvps, whole->jvps);
    assert_int_equal(report->trainings, whole->trainings);
}

/* At many places all over it. */
static void stopped_and_gone_on_with(void **state) {
    bench *b = *state;
    for (int k = 0; k < ALL; k++) {
        tc_error error;
        tc_craft_report whole, pieced;
        tc_poison *expected, *poison = NULL;
        must(attempt(b, &all[k], NULL, 0, &expected, &whole, &error));
        const int questions = b->asked;
        assert_true(questions >= 5);
        for (int place = all[k].least + 1; place <= questions; place += 1 + (questions - all[k].least) / 4) {
            b->stop_after = place;
            assert_int_equal(attempt(b, &all[k], b->path, 0, &poison, NULL, &error), TC_INTERRUPTED);
            assert_int_equal(b->asked, place); /* at once */
            assert_null(poison);
            b->stop_after = 0;
            must(attempt(b, &all[k], b->path, 0, &poison, &pieced, &error));
            if (place > all[k].least + 3) assert_true(b->asked < questions); /* what was done is not done again */
            same(poison, &pieced, expected, &whole);
            tc_craft_forget(b->path);
            tc_poison_free(poison);
        }
        tc_poison_free(expected);
    }
}

/* Stopped again and again, it still comes to its end. */
static void comes_to_its_end_in_small_pieces(void **state) {
    bench *b = *state;
    for (int k = 1; k < ALL; k += 2) {
        tc_error error;
        tc_craft_report whole, pieced;
        tc_poison *expected, *poison = NULL;
        int pieces = 0;
        must(attempt(b, &all[k], NULL, 0, &expected, &whole, &error));
        for (tc_status status = TC_INTERRUPTED; status != TC_OK; pieces++) {
            assert_true(pieces < 400);
            b->stop_after = all[k].least + 9;
            status = attempt(b, &all[k], b->path, 0, &poison, &pieced, &error);
            assert_true(status == TC_OK || status == TC_INTERRUPTED);
        }
        b->stop_after = 0;
        same(poison, &pieced, expected, &whole);
        tc_craft_forget(b->path);
        tc_poison_free(poison);
        tc_poison_free(expected);
    }
}

/* At a moment that nobody has announced: from what was last saved, which is always. */
static void killed_and_gone_on_with(void **state) {
    bench *b = *state;
    for (int k = 0; k < ALL; k++) {
        tc_error error;
        tc_craft_report whole, pieced;
        tc_poison *expected, *poison = NULL;
        must(attempt(b, &all[k], NULL, 0, &expected, &whole, &error));
        const int calls = b->told;
        for (int place = 2; place <= calls; place += 1 + calls / 2) {
            b->copy_after = place;
            must(attempt(b, &all[k], b->path, 1e-9, &poison, NULL, &error));
            tc_craft_forget(b->path);
            tc_poison_free(poison);
            b->copy_after = 0;
            must(attempt(b, &all[k], b->copy, 0, &poison, &pieced, &error));
            same(poison, &pieced, expected, &whole);
            tc_craft_forget(b->copy);
            tc_poison_free(poison);
        }
        tc_poison_free(expected);
    }
}

static void another_crafting_is_refused(void **state) {
    bench *b = *state;
    for (int k = 0; k < ALL; k++) {
        tc_error error;
        tc_poison *poison;
        course_of other = all[k];
        b->stop_after = all[k].least + 5;
        if (attempt(b, &all[k], b->path, 1e-9, &poison, NULL, &error) == TC_OK) tc_poison_free(poison);
        b->stop_after = 0;
        assert_int_equal(access(b->path, F_OK), 0);
        other.settings[0] = "steps=50";
        assert_int_equal(attempt(b, &other, b->path, 0, &poison, NULL, &error), TC_INVALID);
        assert_non_null(strstr(error.message, "another crafting"));
        assert_int_equal(access(b->path, F_OK), 0);
        assert_int_equal(truncate(b->path, 300), 0);
        assert_int_equal(attempt(b, &all[k], b->path, 0, &poison, NULL, &error), TC_INVALID);
        assert_non_null(strstr(error.message, "damaged"));
        assert_int_equal(access(b->path, F_OK), 0);
        tc_craft_forget(b->path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_and_gone_on_with),
        cmocka_unit_test(comes_to_its_end_in_small_pieces),
        cmocka_unit_test(killed_and_gone_on_with),
        cmocka_unit_test(another_crafting_is_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
