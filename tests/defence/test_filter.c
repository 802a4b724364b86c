#include "planted.h"

static int32_t as_it_is(size_t i, uint8_t *image) {
    (void)i;
    (void)image;
    return 0;
}

static void judged_by_the_known_poisons(void **state) {
    (void)state;
    planted p = planted_open(8, as_it_is, 1); /* at 0, 3, … 21 */
    bool keep[PLANTED_COUNT];
    memset(keep, true, sizeof keep);
    tc_filter_verdict v = tc_filter_judge(&p.view, keep);
    assert_true(v.samples == PLANTED_COUNT && v.kept == PLANTED_COUNT && v.poisons == 8 && v.caught == 0);
    assert_true(isnan(v.precision) && v.recall == 0);
    for (size_t i = 0; i < 6; i++) keep[i] = false; /* 0 and 3, and four others */
    v = tc_filter_judge(&p.view, keep);
    assert_true(v.kept == PLANTED_COUNT - 6 && v.caught == 2);
    assert_true(fabs(v.precision - 2.0 / 6) < 1e-12 && v.recall == 0.25);
    planted_close(&p);
    p = planted_open(0, as_it_is, 1);
    v = tc_filter_judge(&p.view, keep);
    assert_true(v.poisons == 0 && v.precision == 0 && isnan(v.recall));
    planted_close(&p);
}

static void rows_are_whole(void **state) {
    (void)state;
    tc_error error;
    assert_string_equal(tc_defences()->name, "none");
    for (const tc_defence *d = tc_defences(); d->name; d++) {
        assert_ptr_equal(tc_defence_find(d->name), d);
        assert_true(*d->paper && *d->summary && d->options && d->options_size > 0);
        const bool filters = !strcmp(d->kind, "filter"), trains = !strcmp(d->kind, "training");
        assert_true(filters || trains || !strcmp(d->kind, "none"));
        assert_true(filters == (d->filter && !d->due && !d->adapt));
        assert_true(trains == (d->adapt || d->due));
        void *options = calloc(1, d->options_size);
        tc_options_default(d->options, options);
        must(tc_defence_check(d, options, &error));
        free(options);
    }
    assert_null(tc_defence_find("prayer"));
}

/* Every filter also looks at a view that another has thinned. */
static void none_keeps_all_and_views_nest(void **state) {
    (void)state;
    tc_error error;
    tc_filtered f;
    planted p = planted_open(8, as_it_is, 1);
    tc_filter_job job = planted_job(&p);
    must(planted_run(&job, "none", NULL, &f, &error));
    assert_int_equal(f.kept, PLANTED_COUNT);
    for (size_t i = 0; i < f.count; i++) assert_true(f.keep[i] && isnan(f.score[i]));
    for (size_t i = 0; i < f.count; i++) f.keep[i] = tc_view_label(&p.view, i) != 0; /* a class is gone */
    tc_view rest;
    must(tc_view_keep(&p.view, f.keep, &rest, &error));
    tc_filtered_free(&f);
    job.view = &rest;
    for (const tc_defence *d = tc_defences(); d->name; d++) {
        if (!d->filter) continue;
        must(planted_run(&job, d->name, NULL, &f, &error));
        assert_true(f.count == 80 && f.kept > 0);
        tc_filtered_free(&f);
    }
    tc_view_free(&rest);
    planted_close(&p);
}

/* A view that keeps all trains to the same bits as the view it was made of; one that does not, to others. */
static void keeping_all_changes_nothing(void **state) {
    (void)state;
    tc_error error;
    tc_train_options options;
    tc_train_result result;
    tc_view view[2];
    tc_weights trained[3];
    bool mask[PLANTED_COUNT];
    planted p = planted_open(8, as_it_is, 1);
    tc_train_defaults(&options);
    must(tc_options_assign(tc_train_table, &options, "epochs=2", &error));
    must(tc_options_assign(tc_train_table, &options, "crop=1", &error));
    memset(mask, true, sizeof mask);
    must(tc_view_keep(&p.view, mask, &view[0], &error));
    mask[5] = false;
    must(tc_view_keep(&p.view, mask, &view[1], &error));
    for (int i = 0; i < 3; i++) {
        trained[i] = tiny_weights(p.model, 2);
        must(tc_train(p.device, p.model, i ? &view[i - 1] : &p.view, &options, tc_stream_make(3), NULL, &trained[i],
                      &result, &error));
    }
    const size_t bytes = tc_model_parameters(p.model) * sizeof(float);
    assert_memory_equal(trained[0].theta, trained[1].theta, bytes);
    assert_memory_not_equal(trained[0].theta, trained[2].theta, bytes);
    for (int i = 0; i < 3; i++) tc_weights_free(&trained[i]);
    for (int i = 0; i < 2; i++) tc_view_free(&view[i]);
    planted_close(&p);
}

/* What a victim does not allow is said before one is trained, of the data and the training alone. */
static void refused_beforehand(void **state) {
    (void)state;
    static const struct {
        const char *name, *settings[4], *message; /* NULL: allowed */
        int epochs;
    } asked[] = {
        {"deep-knn", {"k=119"}, NULL, 1},
        {"deep-knn", {"k=120"}, "k: 120 neighbours of 120 samples", 1},
        {"epic-after", {"fraction=1"}, "fraction: ", 1},
        {"epic-after", {"fraction=0.5", "isolated=1000"}, "fraction: ", 1},
        {"epic", {NULL}, "warmup: of the 10 epochs", 10},
        {"epic", {NULL}, NULL, 12}, /* before the one of number 10 */
        {"epic", {"until=0.5"}, "warmup: of the 12 epochs", 12},
        {"loss", {NULL}, NULL, 1},
    };
    planted p = planted_open(8, as_it_is, 1);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        tc_error error = {0};
        tc_train_options train;
        const tc_defence *d = tc_defence_find(asked[i].name);
        void *options = calloc(1, d->options_size);
        tc_options_default(d->options, options);
        for (int k = 0; asked[i].settings[k]; k++)
            must(tc_options_assign(d->options, options, asked[i].settings[k], &error));
        tc_train_defaults(&train);
        train.epochs = asked[i].epochs;
        const tc_prospect victim = {p.view.dataset, p.model, &train};
        const tc_status status = tc_defence_check_victim(d, &victim, options, &error);
        assert_int_equal(status, asked[i].message ? TC_INVALID : TC_OK);
        if (asked[i].message && strncmp(error.message, asked[i].message, strlen(asked[i].message)))
            fail_msg("%s", error.message);
        free(options);
    }
    planted_close(&p);
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *name, *setting, *message;
    } wrong[] = {
        {"deep-knn", "k=120", "ask for fewer"},
        {"epic-after", "isolated=1000", "keeps none of the 120 samples"},
        {"spectral-signatures", "factor=10", NULL}, /* half of a class: may be */
    };
    tc_error error;
    tc_filtered f;
    planted p = planted_open(8, as_it_is, 1);
    tc_filter_job job = planted_job(&p);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *settings[] = {wrong[i].setting, NULL};
        const tc_status status = planted_run(&job, wrong[i].name, settings, &f, &error);
        assert_int_equal(status, wrong[i].message ? TC_INVALID : TC_OK);
        if (wrong[i].message && !strstr(error.message, wrong[i].message)) fail_msg("%s", error.message);
        tc_filtered_free(&f);
    }
    const char *all[] = {"factor=10", "poisoned=0.1", NULL};
    assert_int_equal(planted_run(&job, "spectral-signatures", all, &f, &error), TC_INVALID);
    assert_true(!strncmp(error.message, "factor: ", 8));
    tc_filtered_free(&f);
    /* A network that names no features, and one for other images. */
    tc_model *model = tiny_model(p.data, false);
    tc_weights weights = tiny_weights(model, 1);
    job.model = model;
    job.weights = &weights;
    assert_int_equal(planted_run(&job, "deep-knn", NULL, &f, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "names no features"));
    tc_filtered_free(&f);
    must(planted_run(&job, "loss", NULL, &f, &error)); /* which needs none */
    tc_filtered_free(&f);
    tc_model_free(model);
    tc_weights_free(&weights);
    planted_close(&p);
}

static bool at_once(void *context) {
    (void)context;
    return true;
}

static void note(void *context, double fraction) {
    double *last = context;
    if (!(fraction >= *last && fraction <= 1)) fail_msg("%g after %g", fraction, *last);
    *last = fraction;
}

static void tells_and_stops(void **state) {
    (void)state;
    tc_error error;
    tc_filtered f;
    planted p = planted_open(8, as_it_is, 1);
    for (const tc_defence *d = tc_defences(); d->name; d++) {
        double last = 0;
        tc_filter_job job = planted_job(&p);
        if (!d->filter) continue;
        job.progress = note;
        job.context = &last;
        must(planted_run(&job, d->name, NULL, &f, &error));
        assert_true(last == 1);
        tc_filtered_free(&f);
        job.stop = at_once;
        last = 0;
        assert_int_equal(planted_run(&job, d->name, NULL, &f, &error), TC_INTERRUPTED);
        tc_filtered_free(&f);
    }
    planted_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judged_by_the_known_poisons),
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(none_keeps_all_and_views_nest),
        cmocka_unit_test(keeping_all_changes_nothing),
        cmocka_unit_test(refused_beforehand),
        cmocka_unit_test(refusals),
        cmocka_unit_test(tells_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
