/* Training, predicting and evaluating from outside: that it learns, that seeds and settings count, that it stops. */
#include "outside.h"

static const char *const quick[] = {"epochs=6", "batch=16", "rate=0.05", "crop=0", "flip=false", NULL};

typedef struct setup {
    tocsin_device *device;
    tocsin_dataset *data;
} setup;

static int make_setup(void **state) {
    static setup s;
    s = (setup){open_device("cpu"), bars_dataset(90, 30)};
    *state = &s;
    return 0;
}

static int end_setup(void **state) {
    const setup *s = *state;
    tocsin_dataset_free(s->data);
    tocsin_device_close(s->device);
    return 0;
}

static tocsin_model *network(const setup *s) {
    return new_model("mlp", s->data, (settings){"width=16", NULL}, 1);
}

static void learns(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_train_result result;
    tocsin_model *model = network(s);
    double before, accuracy, loss;
    must(tocsin_evaluate(s->device, model, s->data, TOCSIN_TEST, NULL, &before, &error));
    must(tocsin_train(s->device, model, s->data, NULL, quick, 1, NULL, NULL, &result, &error));
    must(tocsin_evaluate(s->device, model, s->data, TOCSIN_TEST, &accuracy, &loss, &error));
    assert_true(accuracy > 0.9);
    assert_true(loss < before);
    assert_true(result.accuracy > 0.8 && result.seconds > 0);
    assert_int_equal(result.steps, 6 * 6); /* 90 images in batches of 16 */
    tocsin_model_free(model);
}

static void predicts(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_model *model = network(s);
    const tocsin_samples test = tocsin_dataset_samples(s->data, TOCSIN_TEST);
    int32_t predicted[30], alone[30];
    float logits[30][CLASSES];
    double accuracy, right = 0;
    must(tocsin_train(s->device, model, s->data, NULL, quick, 1, NULL, NULL, NULL, &error));
    must(tocsin_predict(s->device, model, s->data, test.images, 30, predicted, &logits[0][0], &error));
    must(tocsin_predict(s->device, model, s->data, test.images, 30, alone, NULL, &error));
    must(tocsin_evaluate(s->device, model, s->data, TOCSIN_TEST, &accuracy, NULL, &error));
    assert_memory_equal(predicted, alone, sizeof alone);
    for (int i = 0; i < 30; i++) {
        for (int c = 0; c < CLASSES; c++) assert_true(logits[i][c] <= logits[i][predicted[i]]);
        right += predicted[i] == test.labels[i];
    }
    assert_true(fabs(right / 30 - accuracy) < 1e-12);
    must(tocsin_predict(s->device, model, s->data, NULL, 0, NULL, NULL, &error));
    refused("NULL", tocsin_predict(s->device, model, s->data, NULL, 1, predicted, NULL, e));
    refused("NULL", tocsin_predict(s->device, NULL, s->data, test.images, 1, predicted, NULL, e));
    refused("many", tocsin_predict(s->device, model, s->data, test.images, SIZE_MAX, predicted, NULL, e));
    refused("split", tocsin_evaluate(s->device, model, s->data, (tocsin_split)2, &accuracy, NULL, e));
    tocsin_model_free(model);
}

static void is_a_function_of_the_seed(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_model *a = network(s), *b = network(s), *c = network(s);
    must(tocsin_train(s->device, a, s->data, NULL, quick, 1, NULL, NULL, NULL, &error));
    must(tocsin_train(s->device, b, s->data, NULL, quick, 1, NULL, NULL, NULL, &error));
    must(tocsin_train(s->device, c, s->data, NULL, quick, 2, NULL, NULL, NULL, &error));
    assert_true(same_weights(a, b));
    assert_false(same_weights(a, c));
    tocsin_model_free(a);
    tocsin_model_free(b);
    tocsin_model_free(c);
}

/* ---- hooks ---- */

typedef struct watch {
    int calls, questions, stop_after; /* stop_after 0: never */
    tocsin_progress last;
} watch;

static void told(void *context, const tocsin_progress *progress) {
    watch *w = context;
    w->calls++;
    assert_string_equal(progress->phase, "train");
    assert_true(progress->fraction > 0 && progress->fraction <= 1 && progress->fraction >= w->last.fraction);
    w->last = *progress;
}

static bool asked(void *context) {
    watch *w = context;
    return w->stop_after && ++w->questions > w->stop_after;
}

static void tells_how_far_it_is(void **state) {
    const setup *s = *state;
    tocsin_error error;
    watch w = {0};
    const tocsin_hooks hooks = {told, asked, &w};
    tocsin_model *model = network(s);
    must(tocsin_train(s->device, model, s->data, NULL, quick, 1, &hooks, NULL, NULL, &error));
    assert_true(w.calls >= 6);
    assert_true(w.last.fraction == 1);
    assert_int_equal(w.last.epoch, 6);
    assert_int_equal(w.last.epochs, 6);
    assert_true(w.last.loss > 0 && w.last.accuracy > 0.8 && w.last.images_per_second > 0);
    tocsin_model_free(model);
}

/* A recipe gives way to single settings even where it stands after them. */
static void single_settings_win(void **state) {
    const setup *s = *state;
    tocsin_error error;
    watch w = {0};
    const tocsin_hooks hooks = {told, NULL, &w};
    tocsin_model *model = network(s);
    must(tocsin_train(s->device, model, s->data, NULL,
                      (settings){"epochs=2", "crop=1", "recipe=witches-brew", "rate=0.01", NULL}, 1, &hooks, NULL, NULL,
                      &error));
    assert_int_equal(w.last.epochs, 2);
    tocsin_model_free(model);
}

static void stops_and_goes_on(void **state) {
    const setup *s = *state;
    tocsin_error error;
    char folder[256], path[300];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    watch w = {.stop_after = 15};
    const tocsin_hooks hooks = {NULL, asked, &w};
    tocsin_model *whole = network(s), *broken = network(s), *fresh = network(s);
    must(tocsin_train(s->device, whole, s->data, NULL, quick, 1, NULL, NULL, NULL, &error));
    assert_int_equal(tocsin_train(s->device, broken, s->data, NULL, quick, 1, &hooks, path, NULL, &error),
                     TOCSIN_INTERRUPTED);
    assert_int_equal(error.status, TOCSIN_INTERRUPTED);
    assert_true(same_weights(broken, fresh));
    must(tocsin_train(s->device, broken, s->data, NULL, quick, 1, NULL, path, NULL, &error));
    assert_true(same_weights(broken, whole));
    tocsin_model_free(whole);
    tocsin_model_free(broken);
    tocsin_model_free(fresh);
    remove_folder(folder);
}

static void refuses_what_does_not_fit(void **state) {
    const setup *s = *state;
    tocsin_error error;
    tocsin_model *model = network(s), *other = NULL, *fresh = network(s);
    must(tocsin_model_create("mlp", (tocsin_shape){9, 8, 1}, CLASSES, (settings){"width=4", NULL}, &other, &error));
    refused("9", tocsin_train(s->device, other, s->data, NULL, quick, 1, NULL, NULL, NULL, e));
    refused("9", tocsin_evaluate(s->device, other, s->data, TOCSIN_TEST, NULL, NULL, e));
    refused("epochs",
            tocsin_train(s->device, model, s->data, NULL, (settings){"epochs=0", NULL}, 1, NULL, NULL, NULL, e));
    refused("epochs",
            tocsin_train(s->device, model, s->data, NULL, (settings){"epoch=3", NULL}, 1, NULL, NULL, NULL, e));
    refused("sapa",
            tocsin_train(s->device, model, s->data, NULL, (settings){"recipe=sapo", NULL}, 1, NULL, NULL, NULL, e));
    refused("crop", tocsin_train(s->device, model, s->data, NULL, (settings){"crop=20", NULL}, 1, NULL, NULL, NULL, e));
    refused("NULL", tocsin_train(NULL, model, s->data, NULL, quick, 1, NULL, NULL, NULL, e));
    refused("NULL", tocsin_train(s->device, NULL, s->data, NULL, quick, 1, NULL, NULL, NULL, e));
    refused("NULL", tocsin_train(s->device, model, NULL, NULL, quick, 1, NULL, NULL, NULL, e));
    assert_true(same_weights(model, fresh));
    tocsin_model_free(model);
    tocsin_model_free(other);
    tocsin_model_free(fresh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns),
        cmocka_unit_test(predicts),
        cmocka_unit_test(is_a_function_of_the_seed),
        cmocka_unit_test(tells_how_far_it_is),
        cmocka_unit_test(single_settings_win),
        cmocka_unit_test(stops_and_goes_on),
        cmocka_unit_test(refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, make_setup, end_setup);
}
