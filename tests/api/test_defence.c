/* Filters and defended training from outside, and how attacks are told to train. */
#include "outside.h"

enum { CLEAN = 90, ADDED = 12, SAMPLES = CLEAN + ADDED };

static const char *const training[] = {"epochs=8", "batch=16", "rate=0.05", "crop=0", "flip=false", NULL};

typedef struct setup {
    tocsin_device *device;
    tocsin_dataset *data;
    tocsin_poison *poison; /* images of bars, added under the next class's label */
    tocsin_model *model;   /* trained with it */
} setup;

static int make_setup(void **state) {
    static setup s;
    tocsin_error error;
    uint8_t images[ADDED * IMAGE];
    int32_t labels[ADDED];
    s = (setup){.device = open_device("cpu"), .data = bars_dataset(CLEAN, 30)};
    bars(images, labels, ADDED, 500);
    for (int i = 0; i < ADDED; i++) labels[i] = (labels[i] + 1) % CLASSES;
    const tocsin_samples samples = {ADDED, images, labels};
    must(tocsin_poison_create(s.data, 0, NULL, ADDED, &samples, &s.poison, &error));
    s.model = new_model("mlp", s.data, (settings){"width=16", NULL}, 1);
    must(tocsin_train(s.device, s.model, s.data, s.poison, training, 1, NULL, NULL, NULL, &error));
    *state = &s;
    return 0;
}

static int end_setup(void **state) {
    const setup *s = *state;
    tocsin_model_free(s->model);
    tocsin_poison_free(s->poison);
    tocsin_dataset_free(s->data);
    tocsin_device_close(s->device);
    return 0;
}

/* ---- filters ---- */

typedef struct watch {
    int calls;
    bool stop;
    double fraction;
} watch;

static void told(void *context, const tocsin_progress *progress) {
    watch *w = context;
    w->calls++;
    w->fraction = progress->fraction;
    assert_string_equal(progress->phase, "filter");
}

static bool asked(void *context) {
    const watch *w = context;
    return w->stop;
}

static void check_verdict(const tocsin_verdict *v, const uint8_t *keep) {
    size_t kept = 0, caught = 0;
    for (int i = 0; i < SAMPLES; i++) kept += keep[i];
    for (int i = CLEAN; i < SAMPLES; i++) caught += !keep[i];
    assert_int_equal(v->samples, SAMPLES);
    assert_int_equal(v->poisons, ADDED);
    assert_int_equal(v->kept, kept);
    assert_int_equal(v->caught, caught);
    assert_true(v->recall == (double)caught / ADDED);
    if (kept < SAMPLES) assert_true(v->precision == (double)caught / (double)(SAMPLES - kept));
}

/* Whatever is listed as a filter runs, says what it did, and does it again. */
static void every_filter_runs(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_entry entry;
    int filters = 0;
    for (size_t i = 0; tocsin_list(TOCSIN_DEFENCES, i, &entry); i++) {
        uint8_t keep[SAMPLES], again[SAMPLES];
        double score[SAMPLES];
        tocsin_verdict verdict;
        watch w = {0};
        if (strcmp(entry.form, "filter") != 0) continue;
        static const char *const few[] = {"k=10", NULL};
        const char *const *own = strcmp(entry.name, "deep-knn") ? NULL : few;
        filters++;
        must(tocsin_filter(s->device, s->model, s->data, s->poison, entry.name, own, 3,
                           &(tocsin_hooks){told, asked, &w}, keep, score, &verdict, &error));
        check_verdict(&verdict, keep);
        assert_true(w.calls > 0 && w.fraction == 1 && verdict.seconds >= 0);
        must(tocsin_filter(s->device, s->model, s->data, s->poison, entry.name, own, 3, NULL, again, NULL, NULL,
                           &error));
        assert_memory_equal(keep, again, sizeof keep);
    }
    assert_true(filters >= 6);
}

/* Mislabelled samples lie among those of their true class, and are hard to fit. */
static void mislabelled_samples_are_caught(void **state) {
    const setup *s = *state;
    tocsin_error error;
    uint8_t keep[SAMPLES];
    double score[SAMPLES];
    tocsin_verdict verdict;
    must(tocsin_filter(s->device, s->model, s->data, s->poison, "deep-knn", (settings){"k=15", NULL}, 1, NULL, keep,
                       score, &verdict, &error));
    assert_true(verdict.recall > 0.7 && verdict.precision > 0.7);
    double poisoned = 0, clean = 0;
    for (int i = 0; i < SAMPLES; i++) *(i < CLEAN ? &clean : &poisoned) += score[i] / (i < CLEAN ? CLEAN : ADDED);
    assert_true(poisoned > 2 * clean);
    must(tocsin_filter(s->device, s->model, s->data, s->poison, "loss", (settings){"share=0.12", NULL}, 1, NULL, keep,
                       NULL, &verdict, &error));
    assert_true(verdict.recall > 0.7);
    must(tocsin_filter(s->device, s->model, s->data, s->poison, "none", NULL, 1, NULL, keep, score, &verdict, &error));
    assert_int_equal(verdict.kept, SAMPLES);
    assert_true(verdict.recall == 0 && isnan(verdict.precision) && isnan(score[0]));
    must(tocsin_filter(s->device, s->model, s->data, NULL, "loss", NULL, 1, NULL, keep, NULL, &verdict, &error));
    assert_int_equal(verdict.samples, CLEAN);
    assert_true(isnan(verdict.recall) && verdict.precision == 0);
}

static void filtering_is_refused_or_stopped(void **state) {
    const setup *s = *state;
    tocsin_error error;
    uint8_t keep[SAMPLES];
    watch w = {.stop = true};
    const tocsin_hooks hooks = {told, asked, &w};
    memset(keep, 7, sizeof keep);
#define FILTER(data, name, own)                                                                                        \
    tocsin_filter(s->device, s->model, data, s->poison, name, own, 1, NULL, keep, NULL, NULL, e)
    refused("deep-knn", FILTER(s->data, "deep-kn", NULL));
    refused("tocsin_train_defended", FILTER(s->data, "dp-sgd", NULL));
    refused("deep-knn", FILTER(s->data, "deep-knn", ((settings){"kk=3", NULL})));
    refused("neighbours", FILTER(s->data, "deep-knn", ((settings){"k=500", NULL})));
    refused("factor", FILTER(s->data, "spectral-signatures", ((settings){"factor=9", "poisoned=0.5", NULL})));
    refused("NULL", FILTER(s->data, NULL, NULL));
    refused("NULL", FILTER(NULL, "loss", NULL));
#undef FILTER
    refused("keep is NULL",
            tocsin_filter(s->device, s->model, s->data, s->poison, "loss", NULL, 1, NULL, NULL, NULL, NULL, e));
    assert_int_equal(tocsin_filter(s->device, s->model, s->data, s->poison, "deep-knn", (settings){"k=5", NULL}, 1,
                                   &hooks, keep, NULL, NULL, &error),
                     TOCSIN_INTERRUPTED);
    for (int i = 0; i < SAMPLES; i++) assert_int_equal(keep[i], 7);
}

/* ---- training ---- */

static tocsin_model *fresh(const setup *s) {
    return new_model("mlp", s->data, (settings){"width=16", NULL}, 5);
}

/* What is dropped might as well not be there; without a defence nothing is different. */
static void trains_on_what_is_kept(void **state) {
    const setup *s = *state;
    tocsin_error error;
    uint8_t keep[SAMPLES];
    tocsin_verdict verdict;
    tocsin_model *plain = fresh(s), *same = fresh(s), *clean = fresh(s), *kept = fresh(s);
    must(tocsin_train(s->device, plain, s->data, s->poison, training, 2, NULL, NULL, NULL, &error));
    must(tocsin_train_defended(s->device, same, s->data, s->poison, NULL, NULL, training, 2, NULL, NULL, NULL, NULL,
                               &verdict, &error));
    assert_true(same_weights(plain, same));
    assert_int_equal(verdict.kept, SAMPLES);
    memset(keep, 1, sizeof keep);
    memset(keep + CLEAN, 0, ADDED);
    must(tocsin_train(s->device, clean, s->data, NULL, training, 2, NULL, NULL, NULL, &error));
    must(tocsin_train_defended(s->device, kept, s->data, s->poison, "none", NULL, training, 2, NULL, NULL, keep, NULL,
                               &verdict, &error));
    assert_true(same_weights(clean, kept));
    assert_false(same_weights(plain, kept));
    check_verdict(&verdict, keep);
    assert_true(verdict.recall == 1 && verdict.precision == 1 && isnan(verdict.seconds));
    tocsin_model_free(plain);
    tocsin_model_free(same);
    tocsin_model_free(clean);
    tocsin_model_free(kept);
}

static void trains_otherwise(void **state) {
    const setup *s = *state;
    tocsin_error error;
    uint8_t keep[SAMPLES];
    tocsin_train_result result;
    tocsin_verdict verdict;
    tocsin_model *own = fresh(s), *set = fresh(s);
    must(tocsin_train_defended(s->device, own, s->data, s->poison, "dp-sgd", (settings){"clip=2", "noise=1.5", NULL},
                               training, 2, NULL, NULL, NULL, &result, NULL, &error));
    assert_true(isfinite(result.epsilon) && result.epsilon > 0);
    must(tocsin_train(
        s->device, set, s->data, s->poison,
        (settings){"dp_clip=2", "dp_noise=1.5", "epochs=8", "batch=16", "rate=0.05", "crop=0", "flip=false", NULL}, 2,
        NULL, NULL, NULL, &error));
    assert_true(same_weights(own, set));
    must(tocsin_model_initialise(own, 5, &error));
    memset(keep, 1, sizeof keep);
    keep[3] = 0;
    must(tocsin_train_defended(s->device, own, s->data, s->poison, "epic",
                               (settings){"warmup=2", "every=1", "fraction=0.3", NULL}, training, 2, NULL, NULL, keep,
                               &result, &verdict, &error));
    check_verdict(&verdict, keep);
    assert_int_equal(keep[3], 0);
    assert_true(verdict.kept < SAMPLES - 1);
    tocsin_model_free(own);
    tocsin_model_free(set);
}

static void training_is_refused(void **state) {
    const setup *s = *state;
    tocsin_error error;
    uint8_t keep[SAMPLES] = {0};
    tocsin_model *model = fresh(s), *before = fresh(s);
#define TRAIN(name, own, how, mask)                                                                                    \
    tocsin_train_defended(s->device, model, s->data, s->poison, name, own, how, 2, NULL, NULL, mask, NULL, NULL, e)
    refused("tocsin_filter", TRAIN("loss", NULL, training, NULL));
    refused("clip", TRAIN("dp-sgd", ((settings){"clip=0", NULL}), training, NULL));
    refused("epochs", TRAIN("dp-sgd", NULL, ((settings){"epochz=2", NULL}), NULL));
    refused("sam_rho", TRAIN("dp-sgd", NULL, ((settings){"sam_rho=0.1", "crop=0", NULL}), NULL));
    refused("kept", TRAIN("dp-sgd", NULL, training, keep));
#undef TRAIN
    assert_true(same_weights(model, before));
    tocsin_model_free(model);
    tocsin_model_free(before);
}

/* ---- attacks that train ---- */

static tocsin_poison *craft(const setup *s, tocsin_threat *threat, const char *const *own) {
    tocsin_error error;
    tocsin_poison *poison = NULL;
    must(tocsin_craft(s->device, s->data, threat, "error-min", own, &(tocsin_model *){s->model}, 1, 1, NULL, NULL,
                      &poison, NULL, &error));
    return poison;
}

static void attacks_are_told_how_to_train(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_threat *threat = NULL;
    tocsin_poison *none = NULL;
    tocsin_model *surrogates[] = {s->model};
    must(tocsin_threat_draw(s->data, (settings){"goal=untargeted", "ratio=1", NULL}, 1, &threat, &error));
#define SHORT "epochs=2", "model_steps=3", "steps=2", "stop=0"
    tocsin_poison *made[] = {craft(s, threat, (settings){SHORT, NULL}),
                             craft(s, threat, (settings){SHORT, "train.rate=0.1", NULL}),
                             craft(s, threat, (settings){"train.rate=0.5", SHORT, "train.batch=9", NULL})};
    const size_t bytes = (size_t)CLEAN * IMAGE;
    const uint8_t *images[3];
    for (int i = 0; i < 3; i++) images[i] = tocsin_poison_samples(made[i]).images;
    assert_memory_equal(images[0], images[1], bytes); /* 0.1 is the default */
    assert_memory_not_equal(images[0], images[2], bytes);
    for (int i = 0; i < 3; i++) tocsin_poison_free(made[i]);
#define CRAFT(name, own)                                                                                               \
    tocsin_craft(s->device, s->data, threat, name, own, surrogates, 1, 1, NULL, NULL, &none, NULL, e)
    refused("rate", CRAFT("error-min", ((settings){"train.rat=1", NULL})));
    refused("trains no network", CRAFT("error-max", ((settings){"train.rate=1", NULL})));
#undef CRAFT
    assert_null(none);
    tocsin_threat_free(threat);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_filter_runs),
                                       cmocka_unit_test(mislabelled_samples_are_caught),
                                       cmocka_unit_test(filtering_is_refused_or_stopped),
                                       cmocka_unit_test(trains_on_what_is_kept),
                                       cmocka_unit_test(trains_otherwise),
                                       cmocka_unit_test(training_is_refused),
                                       cmocka_unit_test(attacks_are_told_how_to_train)};
    return cmocka_run_group_tests(tests, make_setup, end_setup);
}
