#include "../train/tiny.h"

#include "evaluate/evaluate.h"

/* A network whose only layer reads one pixel a class: the logits can be written down. */
static tc_model *reader(const tc_dataset *data) {
    tc_error error;
    tc_model *model = NULL;
    tc_graph *g = tc_graph_begin("reader", data->height, data->width, data->channels, data->classes);
    tc_node x = tc_graph_flatten(g, tc_graph_input(g));
    must(tc_graph_finish(g, tc_graph_linear(g, "fc", x, data->classes, true), &model, &error));
    return model;
}

/* More images than one batch holds, and a remainder; every logit against its formula. */
static void logits_of_every_image(const char *name) {
    enum { COUNT = 513, SIDE = 3, CLASSES = 3 };
    tc_error error;
    tc_device *device = tiny_device(name);
    tc_dataset *data = tiny_dataset(SIDE, 1, CLASSES, 30, COUNT);
    tc_model *model = reader(data);
    tc_weights weights;
    float logits[COUNT * CLASSES];
    must(tc_weights_create(model, &weights, &error));
    for (int c = 0; c < CLASSES; c++) {
        weights.theta[c * SIDE * SIDE + 2 * c] = 1;          /* fc.weight[c][2c] */
        weights.theta[CLASSES * SIDE * SIDE + c] = (float)c; /* fc.bias */
    }
    must(tc_predict(device, model, &weights, data, data->test.images, COUNT, logits, &error));
    double loss = 0;
    size_t correct = 0;
    for (size_t i = 0; i < COUNT; i++) {
        double z[CLASSES], sum = 0;
        int best = 0;
        for (int c = 0; c < CLASSES; c++) {
            z[c] = (data->test.images[i * SIDE * SIDE + 2 * (size_t)c] / 255.0 - data->mean[0]) / data->std[0] + c;
            assert_float_equal(logits[i * CLASSES + (size_t)c], z[c], 1e-4);
            sum += exp(z[c]);
            if (z[c] > z[best]) best = c;
        }
        correct += best == data->test.labels[i];
        loss += log(sum) - z[data->test.labels[i]];
    }
    tc_accuracy accuracy;
    must(tc_evaluate(device, model, &weights, data, &data->test, &accuracy, &error));
    assert_int_equal(accuracy.count, COUNT);
    assert_float_equal(accuracy.accuracy, (double)correct / COUNT, 1e-12);
    assert_float_equal(accuracy.loss, loss / COUNT, 1e-5);
    tc_weights_free(&weights);
    tc_model_free(model);
    tiny_dataset_free(data);
    tc_device_close(device);
}

static void predictions_are_the_formula(void **state) {
    (void)state;
    logits_of_every_image("cpu");
    logits_of_every_image("reference");
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    tc_error error;
    tc_device *device = tiny_device("cpu");
    tc_dataset *data = tiny_dataset(8, 1, 3, 6, 0), *other = tiny_dataset(9, 1, 3, 6, 6);
    tc_model *model = tiny_model(data, true);
    tc_weights weights = tiny_weights(model, 1);
    tc_accuracy accuracy;
    assert_int_equal(tc_evaluate(device, model, &weights, data, &data->test, &accuracy, &error), TC_INVALID);
    assert_int_equal(tc_evaluate(device, model, &weights, other, &other->test, &accuracy, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "9 x 9"));
    tc_weights_free(&weights);
    tc_model_free(model);
    tiny_dataset_free(data);
    tiny_dataset_free(other);
    tc_device_close(device);
}

static void cross_entropy_survives_large_logits(void **state) {
    (void)state;
    const float logits[] = {1000, 0, 998};
    assert_float_equal(tc_cross_entropy(logits, 3, 0), log(1 + exp(-2)), 1e-9);
    assert_float_equal(tc_cross_entropy(logits, 3, 1), 1000 + log(1 + exp(-2)), 1e-9);
}

static void estimates(void **state) {
    (void)state;
    const double values[] = {1, 2, 4};
    tc_estimate e = tc_estimate_of(values, 3);
    assert_float_equal(e.mean, 7.0 / 3, 1e-12);
    assert_float_equal(e.standard_error, sqrt(7.0 / 3 / 3), 1e-12); /* variance 7/3 with n − 1 */
    e = tc_estimate_of(values, 1);
    assert_true(e.mean == 1 && isnan(e.standard_error));
    e = tc_estimate_of(values, 0);
    assert_true(isnan(e.mean) && isnan(e.standard_error) && e.trials == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_are_the_formula),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(cross_entropy_survives_large_logits),
        cmocka_unit_test(estimates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
