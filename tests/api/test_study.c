/* A whole study in one call: what it leaves, what it refuses, that it stops. */
#include "outside.h"

#include <unistd.h>

static const char *const tiny[] = {"trials=1",
                                   "dataset.source=glyphs",
                                   "dataset.train_per_class=4",
                                   "dataset.test_per_class=2",
                                   "threat.ratio=0.05",
                                   "surrogate.model=logreg",
                                   "victim.model=logreg",
                                   "surrogate.train.epochs=1",
                                   "victim.train.epochs=1",
                                   "attacks.1.name=random-noise",
                                   NULL};

typedef struct watch {
    int calls;
    bool stop;
    char phase[32];
} watch;

static void told(void *context, const tocsin_progress *progress) {
    watch *w = context;
    w->calls++;
    assert_int_equal(progress->trial, 1);
    assert_int_equal(progress->trials, 1);
    assert_non_null(progress->label);
    snprintf(w->phase, sizeof w->phase, "%s", progress->phase);
}

static bool asked(void *context) {
    return ((const watch *)context)->stop;
}

static bool there(const char *folder, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, R_OK) == 0;
}

static void leaves_its_results(void **state) {
    (void)state;
    tocsin_error error;
    char folder[256], out[300];
    watch w = {0};
    const tocsin_hooks hooks = {told, asked, &w};
    make_folder(folder);
    snprintf(out, sizeof out, "%s/study", folder);
    must(tocsin_study(NULL, tiny, out, false, &hooks, &error));
    assert_true(there(out, "results.json") && there(out, "report.html") && there(out, "spec.resolved.yaml"));
    assert_true(w.calls > 0);
    assert_string_equal(w.phase, "victim");
    refused(out, tocsin_study(NULL, tiny, out, false, NULL, e)); /* somebody's results are there */
    must(tocsin_study(NULL, tiny, out, true, NULL, &error));
    remove_folder(folder);
}

static void refuses_and_stops(void **state) {
    (void)state;
    tocsin_error error;
    char folder[256], out[300];
    watch w = {.stop = true};
    const tocsin_hooks hooks = {NULL, asked, &w};
    make_folder(folder);
    snprintf(out, sizeof out, "%s/study", folder);
    refused("epsilon", tocsin_study(NULL, (settings){"threat.epsilom=8", NULL}, out, false, NULL, e));
    refused("nothing.yaml", tocsin_study("/nowhere/nothing.yaml", NULL, out, false, NULL, e));
    refused("NULL", tocsin_study(NULL, tiny, NULL, false, NULL, e));
    assert_false(there(folder, "study"));
    assert_int_equal(tocsin_study(NULL, tiny, out, false, &hooks, &error), TOCSIN_INTERRUPTED);
    remove_folder(folder);
}

/* What diverges is given up; the rest is reported. */
static void gives_up_what_diverges(void **state) {
    (void)state;
    static const char *const wild[] = {"trials=1",
                                       "dataset.source=glyphs",
                                       "dataset.train_per_class=6",
                                       "dataset.test_per_class=3",
                                       "threat.ratio=0.1",
                                       "surrogate.model=lenet",
                                       "surrogate.train.epochs=2",
                                       "surrogate.train.batch=8",
                                       "surrogate.train.rate=900",
                                       "surrogate.train.crop=0",
                                       "victim.model=logreg",
                                       "victim.train.epochs=1",
                                       "victim.train.crop=0",
                                       "attacks.1.name=gradient-matching",
                                       NULL};
    tocsin_error error;
    char folder[256], out[300];
    make_folder(folder);
    snprintf(out, sizeof out, "%s/study", folder);
    assert_int_equal(tocsin_study(NULL, wild, out, false, NULL, &error), TOCSIN_FAILED);
    if (!strstr(error.message, "3 of 6 phases were given up") || !strstr(error.message, "surrogate"))
        fail_msg("%s", error.message);
    assert_true(there(out, "results.json") && there(out, "report.html"));
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_its_results),
        cmocka_unit_test(refuses_and_stops),
        cmocka_unit_test(gives_up_what_diverges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
