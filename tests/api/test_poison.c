/* Threats, attacks and poisons from outside. */
#include "outside.h"

#include <unistd.h>

typedef struct setup {
    tocsin_device *device;
    tocsin_dataset *data;
    tocsin_model *surrogate;
    tocsin_threat *threat;
} setup;

static int make_setup(void **state) {
    static setup s;
    tocsin_error error;
    s = (setup){.device = open_device("cpu"), .data = bars_dataset(90, 30)};
    s.surrogate = new_model("mlp", s.data, (settings){"width=16", NULL}, 1);
    must(tocsin_train(s.device, s.surrogate, s.data, NULL,
                      (settings){"epochs=6", "batch=16", "rate=0.05", "crop=0", "flip=false", NULL}, 1, NULL, NULL,
                      NULL, &error));
    must(tocsin_threat_draw(s.data, (settings){"epsilon=16", "ratio=0.1", "targets=2", NULL}, 1, &s.threat, &error));
    *state = &s;
    return 0;
}

static int end_setup(void **state) {
    const setup *s = *state;
    tocsin_threat_free(s->threat);
    tocsin_model_free(s->surrogate);
    tocsin_dataset_free(s->data);
    tocsin_device_close(s->device);
    return 0;
}

/* ---- threats ---- */

static void a_threat_is_drawn(void **state) {
    const setup *s = *state;
    const uint32_t *target, *base;
    const tocsin_samples training = tocsin_dataset_samples(s->data, TOCSIN_TRAINING);
    const tocsin_samples test = tocsin_dataset_samples(s->data, TOCSIN_TEST);
    assert_int_equal(tocsin_threat_targets(s->threat, &target), 2);
    assert_int_equal(tocsin_threat_base(s->threat, &base), 9);
    assert_true(tocsin_threat_epsilon(s->threat) == 16);
    for (int i = 0; i < 2; i++) assert_int_equal(test.labels[target[i]], tocsin_threat_target_class(s->threat));
    for (int i = 0; i < 9; i++) {
        assert_int_equal(training.labels[base[i]], tocsin_threat_intended_class(s->threat));
        if (i) assert_true(base[i] > base[i - 1]);
    }
    assert_true(tocsin_threat_intended_class(s->threat) != tocsin_threat_target_class(s->threat));
}

static void a_threat_is_chosen(void **state) {
    const setup *s = *state;
    tocsin_error error;
    const uint32_t target[] = {4, 1}, base[] = {0, 3, 9}, unordered[] = {3, 0}, mixed[] = {0, 1}, far[] = {9000};
    tocsin_threat *threat = NULL; /* image i is of class i mod 3 */
    must(tocsin_threat_create(s->data, 8, target, 2, 0, base, 3, &threat, &error));
    const uint32_t *places;
    assert_int_equal(tocsin_threat_base(threat, &places), 3);
    assert_memory_equal(places, base, sizeof base);
    assert_int_equal(tocsin_threat_targets(threat, &places), 2);
    assert_memory_equal(places, target, sizeof target);
    assert_int_equal(tocsin_threat_target_class(threat), 1);
    tocsin_threat_free(threat);
    refused("increase", tocsin_threat_create(s->data, 8, target, 2, 0, unordered, 2, &threat, e));
    refused("class", tocsin_threat_create(s->data, 8, target, 2, 0, mixed, 2, &threat, e));
    refused("class", tocsin_threat_create(s->data, 8, mixed, 2, 2, (const uint32_t[]){2}, 1, &threat, e));
    refused("9000", tocsin_threat_create(s->data, 8, far, 1, 0, base, 3, &threat, e));
    refused("9000", tocsin_threat_create(s->data, 8, target, 2, 0, far, 1, &threat, e));
    refused("intended", tocsin_threat_create(s->data, 8, target, 2, 1, (const uint32_t[]){1}, 1, &threat, e));
    refused("intended", tocsin_threat_create(s->data, 8, target, 2, 77, base, 3, &threat, e));
    refused("epsilon", tocsin_threat_create(s->data, NAN, target, 2, 0, base, 3, &threat, e));
    refused("0 targets", tocsin_threat_create(s->data, 8, target, 0, 0, base, 3, &threat, e));
    refused("NULL", tocsin_threat_create(s->data, 8, NULL, 2, 0, base, 3, &threat, e));
    assert_null(threat);
}

static void a_threat_is_refused(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_threat *threat = (tocsin_threat *)&error;
    refused("targets", tocsin_threat_draw(s->data, (settings){"targets=1000", NULL}, 1, &threat, e));
    assert_null(threat);
    refused("epsilon", tocsin_threat_draw(s->data, (settings){"epsilon=300", NULL}, 1, &threat, e));
    refused("ratio", tocsin_threat_draw(s->data, (settings){"ration=0.1", NULL}, 1, &threat, e));
    refused("NULL", tocsin_threat_draw(NULL, NULL, 1, &threat, e));
    tocsin_threat_free(NULL);
    assert_int_equal(tocsin_threat_targets(NULL, NULL), 0);
    assert_int_equal(tocsin_threat_base(NULL, NULL), 0);
}

/* ---- attacks ---- */

static const char *const sapa[] = {"sharpness=worst-case", "steps=12", "restarts=1", "shift=1", "flip=false", NULL};

static void check_limits(const setup *s, const tocsin_poison *poison) {
    tocsin_error error;
    const uint32_t *base;
    int distance;
    const size_t count = tocsin_threat_base(s->threat, &base);
    assert_int_equal(tocsin_poison_replaced(poison), count);
    assert_int_equal(tocsin_poison_added(poison), 0);
    assert_memory_equal(tocsin_poison_index(poison), base, count * sizeof *base);
    const tocsin_samples samples = tocsin_poison_samples(poison);
    for (size_t i = 0; i < count; i++) assert_int_equal(samples.labels[i], tocsin_threat_intended_class(s->threat));
    must(tocsin_poison_distance(poison, s->data, &distance, &error));
    assert_true(distance > 0 && distance <= 16);
}

typedef struct watch {
    int calls, stop_after;
    double fraction;
} watch;

static void told(void *context, const tocsin_progress *progress) {
    watch *w = context;
    w->calls++;
    assert_string_equal(progress->phase, "craft");
    assert_true(isnan(progress->accuracy));
    w->fraction = progress->fraction;
}

static bool asked(void *context) {
    const watch *w = context;
    return w->stop_after && w->calls >= w->stop_after;
}

static void every_attack_crafts(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_entry entry;
    tocsin_model *surrogates[] = {s->surrogate};
    for (size_t i = 0; tocsin_list(TOCSIN_ATTACKS, i, &entry); i++) {
        tocsin_poison *poison = NULL;
        const bool matching = !strcmp(entry.name, "gradient-matching");
        if (!matching && strcmp(entry.name, "random-noise") != 0) continue; /* others have tests of their own */
        must(tocsin_craft(s->device, s->data, s->threat, entry.name, matching ? sapa : NULL, surrogates, 1, 3, NULL,
                          NULL, &poison, NULL, &error));
        check_limits(s, poison);
        tocsin_poison_free(poison);
    }
}

/* An ensemble of a model, a copy of it with other weights, and another network; the same twice. */
static void ensembles_and_seeds(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_model *twin = NULL, *other = new_model("logreg", s->data, NULL, 3);
    must(tocsin_model_copy(s->surrogate, &twin, &error));
    must(tocsin_model_initialise(twin, 9, &error));
    tocsin_model *surrogates[] = {s->surrogate, twin, other};
    tocsin_poison *poison[4];
    tocsin_craft_result result, single;
    watch w = {0};
    const tocsin_hooks hooks = {told, asked, &w};
    for (int i = 0; i < 3; i++)
        must(tocsin_craft(s->device, s->data, s->threat, "gradient-matching", sapa, surrogates, 3, i == 2 ? 4 : 3,
                          &hooks, NULL, &poison[i], &result, &error));
    must(tocsin_craft(s->device, s->data, s->threat, "gradient-matching", sapa, surrogates, 1, 3, NULL, NULL,
                      &poison[3], &single, &error));
    assert_int_equal(w.calls, 3 * 12);
    assert_true(w.fraction == 1);
    assert_int_equal(result.steps, 12);
    assert_true(result.gradients > single.gradients && result.jvps == 3 * single.jvps && single.jvps > 0);
    assert_true(isfinite(result.objective) && result.seconds > 0);
    const size_t bytes = 9 * IMAGE;
    const uint8_t *first = tocsin_poison_samples(poison[0]).images;
    assert_memory_equal(first, tocsin_poison_samples(poison[1]).images, bytes);
    assert_memory_not_equal(first, tocsin_poison_samples(poison[2]).images, bytes);
    assert_memory_not_equal(first, tocsin_poison_samples(poison[3]).images, bytes);
    for (int i = 0; i < 4; i++) tocsin_poison_free(poison[i]);
    tocsin_model_free(twin);
    tocsin_model_free(other);
}

static tocsin_status go_on(const setup *s, uint64_t seed, int stop_after, const char *checkpoint,
                           tocsin_poison **poison, tocsin_error *error) {
    static const char *const own[] = {"steps=6", "restarts=2", "sharpness=worst-case", "checkpoint_minutes=5", NULL};
    tocsin_model *surrogates[] = {s->surrogate};
    watch w = {.stop_after = stop_after};
    const tocsin_hooks hooks = {told, asked, &w};
    *poison = (tocsin_poison *)error; /* NULL unless all is well */
    const tocsin_status status = tocsin_craft(s->device, s->data, s->threat, "gradient-matching", own, surrogates, 1,
                                              seed, &hooks, checkpoint, poison, NULL, error);
    if (status == TOCSIN_OK && stop_after == 0 && checkpoint) assert_true(w.calls < 12);
    if (status != TOCSIN_OK) assert_null(*poison);
    return status;
}

/* A crafting that was stopped goes on to the same poison; its checkpoint is believed only where it fits, is left alone
 * where it does not, and is gone at the end. */
static void crafting_goes_on(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_poison *whole, *poison;
    char folder[] = "/tmp/tocsin-craft-XXXXXX", path[64], nowhere[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/craft", folder);
    snprintf(nowhere, sizeof nowhere, "%s/none/craft", folder);
    must(go_on(s, 3, 0, NULL, &whole, &error));
    assert_int_equal(go_on(s, 3, 8, path, &poison, &error), TOCSIN_INTERRUPTED);
    assert_non_null(strstr(error.message, "run again with the same settings to go on"));
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(go_on(s, 4, 0, path, &poison, &error), TOCSIN_INVALID);
    assert_non_null(strstr(error.message, "another crafting"));
    must(go_on(s, 3, 0, path, &poison, &error));
    assert_memory_equal(tocsin_poison_samples(poison).images, tocsin_poison_samples(whole).images, 9 * IMAGE);
    tocsin_poison_free(poison);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(go_on(s, 3, 8, path, &poison, &error), TOCSIN_INTERRUPTED);
    assert_int_equal(truncate(path, 1000), 0);
    assert_int_equal(go_on(s, 3, 0, path, &poison, &error), TOCSIN_INVALID);
    assert_non_null(strstr(error.message, "damaged"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(go_on(s, 3, 8, nowhere, &poison, &error), TOCSIN_FAILED);
    assert_non_null(strstr(error.message, nowhere));
    assert_int_equal(rmdir(folder), 0);
    tocsin_poison_free(whole);
}

static void crafting_is_refused_or_stopped(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_model *surrogates[] = {s->surrogate, NULL};
    tocsin_poison *poison = (tocsin_poison *)&error;
    tocsin_dataset *fewer = bars_dataset(12, 3);
    watch w = {.stop_after = 5};
    const tocsin_hooks hooks = {told, asked, &w};
    assert_int_equal(tocsin_craft(s->device, s->data, s->threat, "gradient-matching", sapa, surrogates, 1, 3, &hooks,
                                  NULL, &poison, NULL, &error),
                     TOCSIN_INTERRUPTED);
    assert_null(poison);
#define CRAFT(data, threat, attack, options, models, count)                                                            \
    tocsin_craft(s->device, data, threat, attack, options, models, count, 3, NULL, NULL, &poison, NULL, e)
    refused("gradient-matching", CRAFT(s->data, s->threat, "gradient-machting", NULL, surrogates, 1));
    refused("rho", CRAFT(s->data, s->threat, "gradient-matching", ((settings){"rho=-1", NULL}), surrogates, 1));
    refused("no norm", CRAFT(s->data, s->threat, "gradient-matching", ((settings){"p=two", NULL}), surrogates, 1));
    refused("steps", CRAFT(s->data, s->threat, "gradient-matching", ((settings){"step=9", NULL}), surrogates, 1));
    refused("checkpoint_minutes",
            CRAFT(s->data, s->threat, "gradient-matching", ((settings){"checkpoint_minutes=-1", NULL}), surrogates, 1));
    refused("surrogate", CRAFT(s->data, s->threat, "gradient-matching", sapa, NULL, 0));
    refused("surrogate 1", CRAFT(s->data, s->threat, "gradient-matching", sapa, surrogates, 2));
    refused("surrogate 0", CRAFT(s->data, s->threat, "gradient-matching", sapa, NULL, 1));
    refused("threat", CRAFT(fewer, s->threat, "random-noise", NULL, NULL, 0));
    refused("NULL", CRAFT(s->data, NULL, "random-noise", NULL, NULL, 0));
    refused("NULL", CRAFT(NULL, s->threat, "random-noise", NULL, NULL, 0));
    refused("NULL", CRAFT(s->data, s->threat, NULL, NULL, NULL, 0));
#undef CRAFT
    assert_null(poison);
    tocsin_dataset_free(fewer);
}

static void success_is_counted(void **state) {
    const setup *s = *state;
    tocsin_error error;
    double success;
    int32_t predicted[2];
    must(tocsin_success(s->device, s->surrogate, s->data, s->threat, &success, predicted, &error));
    const int intended = tocsin_threat_intended_class(s->threat);
    assert_true(success == ((predicted[0] == intended) + (predicted[1] == intended)) / 2.0);
    assert_true(success == 0); /* the surrogate knows its bars */
    const uint32_t *target;
    tocsin_threat_targets(s->threat, &target);
    int32_t directly;
    const tocsin_samples test = tocsin_dataset_samples(s->data, TOCSIN_TEST);
    must(tocsin_predict(s->device, s->surrogate, s->data, test.images + target[1] * IMAGE, 1, &directly, NULL, &error));
    assert_int_equal(directly, predicted[1]);
    refused("NULL", tocsin_success(s->device, s->surrogate, s->data, NULL, &success, NULL, e));
    refused("NULL", tocsin_success(s->device, s->surrogate, s->data, s->threat, NULL, NULL, e));
}

/* ---- poisons ---- */

static void comes_back_from_a_folder(void **state) {
    const setup *s = *state;
    tocsin_error error;
    char folder[256], path[300];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/poison", folder);
    tocsin_poison *poison = NULL, *back = NULL;
    must(tocsin_craft(s->device, s->data, s->threat, "random-noise", NULL, NULL, 0, 3, NULL, NULL, &poison, NULL,
                      &error));
    must(tocsin_poison_save(poison, s->data, path, &error));
    must(tocsin_poison_load(s->data, path, &back, &error));
    assert_memory_equal(tocsin_poison_samples(poison).images, tocsin_poison_samples(back).images, 9 * IMAGE);
    assert_memory_equal(tocsin_poison_index(poison), tocsin_poison_index(back), 9 * sizeof(uint32_t));
    tocsin_poison_free(back);
    refused("poison", tocsin_poison_load(s->data, folder, &back, e));
    assert_null(back);
    refused("NULL", tocsin_poison_save(poison, s->data, NULL, e));
    tocsin_poison_free(poison);
    remove_folder(folder);
}

/* Somebody's own poison: one sample replaced by grey, one added. Training on it is not training without. */
static void is_made_by_hand(void **state) {
    const setup *s = *state;
    tocsin_error error;
    uint8_t images[2 * IMAGE];
    int32_t labels[2] = {0, 2};
    uint32_t index[1] = {5};
    memset(images, 128, sizeof images);
    const tocsin_samples samples = {2, images, labels}, one = {1, images, labels}, blank = {2, NULL, labels};
    tocsin_poison *poison = NULL;
    must(tocsin_poison_create(s->data, 1, index, 1, &samples, &poison, &error));
    assert_int_equal(tocsin_poison_added(poison), 1);
    tocsin_model *clean = new_model("logreg", s->data, NULL, 1), *poisoned = new_model("logreg", s->data, NULL, 1);
    static const char *const quick[] = {"epochs=1", "crop=0", NULL};
    must(tocsin_train(s->device, clean, s->data, NULL, quick, 1, NULL, NULL, NULL, &error));
    must(tocsin_train(s->device, poisoned, s->data, poison, quick, 1, NULL, NULL, NULL, &error));
    assert_false(same_weights(clean, poisoned));
    tocsin_model_free(clean);
    tocsin_model_free(poisoned);
    tocsin_poison_free(poison);
    refused("samples", tocsin_poison_create(s->data, 1, index, 1, &one, &poison, e));
    refused("images", tocsin_poison_create(s->data, 1, index, 1, &blank, &poison, e));
    refused("NULL", tocsin_poison_create(s->data, 1, NULL, 1, &samples, &poison, e));
    refused("replace", tocsin_poison_create(s->data, SIZE_MAX, index, 1, &samples, &poison, e));
    refused("added", tocsin_poison_create(s->data, 1, index, SIZE_MAX, &samples, &poison, e));
    labels[1] = CLASSES;
    refused("label 3", tocsin_poison_create(s->data, 1, index, 1, &samples, &poison, e));
    labels[1] = 0;
    index[0] = 90;
    refused("90", tocsin_poison_create(s->data, 1, index, 1, &samples, &poison, e));
    assert_null(poison);
    tocsin_poison_free(NULL);
    assert_int_equal(tocsin_poison_replaced(NULL), 0);
    assert_null(tocsin_poison_samples(NULL).images);
}

static void does_not_fit_another_dataset(void **state) {
    const setup *s = *state;
    tocsin_error error;
    int distance;
    tocsin_dataset *shapes = NULL;
    tocsin_poison *poison = NULL;
    must(tocsin_dataset_open("shapes10", (settings){"train_per_class=2", "test_per_class=1", NULL}, &shapes, &error));
    must(tocsin_craft(s->device, s->data, s->threat, "random-noise", NULL, NULL, 0, 3, NULL, NULL, &poison, NULL,
                      &error));
    tocsin_model *model = new_model("logreg", shapes, NULL, 1);
    refused("poison", tocsin_poison_distance(poison, shapes, &distance, e));
    refused("poison", tocsin_poison_save(poison, shapes, "/nowhere/poison", e));
    refused("poison", tocsin_train(s->device, model, shapes, poison, NULL, 1, NULL, NULL, NULL, e));
    tocsin_model_free(model);
    tocsin_poison_free(poison);
    tocsin_dataset_free(shapes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_threat_is_drawn),
        cmocka_unit_test(a_threat_is_chosen),
        cmocka_unit_test(a_threat_is_refused),
        cmocka_unit_test(every_attack_crafts),
        cmocka_unit_test(ensembles_and_seeds),
        cmocka_unit_test(crafting_goes_on),
        cmocka_unit_test(crafting_is_refused_or_stopped),
        cmocka_unit_test(success_is_counted),
        cmocka_unit_test(comes_back_from_a_folder),
        cmocka_unit_test(is_made_by_hand),
        cmocka_unit_test(does_not_fit_another_dataset),
    };
    return cmocka_run_group_tests(tests, make_setup, end_setup);
}
