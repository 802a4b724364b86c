/* Directions have the length of the network's own filters; values are the loss at weights moved by hand. */
#include "../train/tiny.h"

#include "evaluate/evaluate.h"
#include "evaluate/landscape.h"

enum { SIDE = 8, CLASSES = 3, COUNT = 7, N = 5 };

static double length_of(const float *v, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)v[i] * v[i];
    return sqrt(sum);
}

static void directions_have_the_filters_lengths(void **state) {
    (void)state;
    tc_dataset *data = tiny_dataset(SIDE, 1, CLASSES, 12, COUNT);
    tc_model *model = tiny_model(data, true);
    tc_weights weights = tiny_weights(model, 3);
    const size_t p = tc_model_parameters(model);
    float *a = malloc(p * sizeof *a), *b = malloc(p * sizeof *b), *again = malloc(p * sizeof *again);
    tc_landscape_direction(model, weights.theta, tc_stream_make(5), 0, a);
    tc_landscape_direction(model, weights.theta, tc_stream_make(5), 1, b);
    tc_landscape_direction(model, weights.theta, tc_stream_make(5), 0, again);
    assert_memory_equal(a, again, p * sizeof *a);
    const tc_tensor *tensors;
    const int count = tc_model_tensors(model, &tensors);
    int moving = 0;
    double product = 0;
    for (int t = 0; t < count; t++) {
        const size_t each = tensors[t].count / (size_t)tensors[t].size[0];
        for (int f = 0; f < tensors[t].size[0]; f++) {
            const size_t at = tensors[t].offset + (size_t)f * each;
            const double wanted = tensors[t].rank > 1 ? length_of(weights.theta + at, each) : 0;
            assert_float_equal(length_of(a + at, each), wanted, 1e-5);
            moving += wanted > 0;
        }
    }
    for (size_t i = 0; i < p; i++) product += (double)a[i] * b[i];
    assert_int_equal(moving, 6 + 8 + CLASSES);                            /* conv1, conv2, fc */
    assert_true(fabs(product) < 0.5 * length_of(a, p) * length_of(b, p)); /* two draws, not one */
    free(a);
    free(b);
    free(again);
    tc_weights_free(&weights);
    tc_model_free(model);
    tiny_dataset_free(data);
}

/* The mean cross-entropy at θ + a d₁ + b d₂, by the evaluation that everything else uses. */
static double loss_at(tc_device *device, const tc_model *model, const tc_weights *weights, const tc_dataset *data,
                      const int32_t *labels, double a, double b) {
    tc_error error;
    const size_t p = tc_model_parameters(model);
    float *d[2] = {malloc(p * sizeof(float)), malloc(p * sizeof(float))}, logits[COUNT * CLASSES];
    tc_weights moved;
    must(tc_weights_create(model, &moved, &error));
    for (int i = 0; i < 2; i++) tc_landscape_direction(model, weights->theta, tc_stream_make(5), i, d[i]);
    for (size_t i = 0; i < p; i++) moved.theta[i] = (float)(weights->theta[i] + a * d[0][i] + b * d[1][i]);
    memcpy(moved.state, weights->state, tc_model_state(model) * sizeof *moved.state);
    must(tc_predict(device, model, &moved, data, data->test.images, COUNT, logits, &error));
    double sum = 0;
    for (size_t i = 0; i < COUNT; i++) sum += tc_cross_entropy(logits + i * CLASSES, CLASSES, labels[i]);
    tc_weights_free(&moved);
    free(d[0]);
    free(d[1]);
    return sum / COUNT;
}

typedef struct counted {
    int calls, stop_after;
    double last;
} counted;

static void count(void *context, double fraction) {
    counted *c = context;
    assert_true(fraction > c->last);
    c->last = fraction;
    c->calls++;
}

static bool stop(void *context) {
    const counted *c = context;
    return c->calls == c->stop_after;
}

static void values_are_losses_around_the_weights(const char *name, double tolerance) {
    tc_error error;
    tc_device *device = tiny_device(name);
    tc_dataset *data = tiny_dataset(SIDE, 1, CLASSES, 12, COUNT);
    tc_model *model = tiny_model(data, true);
    tc_weights weights = tiny_weights(model, 3);
    const int32_t labels[COUNT] = {1, 2, 0, 1, 1, 2, 0};
    double value[N * N];
    counted seen = {.stop_after = -1};
    tc_landscape_job job = {device, model, &weights, data, data->test.images, labels, COUNT, count, stop, &seen};
    const tc_landscape_options options = {.extent = 0.8, .n = N, .stream = tc_stream_make(5)};
    must(tc_landscape(&job, &options, value, &error));
    assert_int_equal(seen.calls, N * N);
    assert_true(seen.last == 1);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            const double a = 0.8 * (j - 2) / 2, b = 0.8 * (i - 2) / 2;
            assert_float_equal(value[i * N + j], loss_at(device, model, &weights, data, labels, a, b), tolerance);
        }
    assert_true(fabs(value[0] - value[N * N - 1]) > 1e-3); /* it does move */
    seen = (counted){.stop_after = 4};
    assert_int_equal(tc_landscape(&job, &options, value, &error), TC_INTERRUPTED);
    assert_int_equal(seen.calls, 4);
    tc_weights_free(&weights);
    tc_model_free(model);
    tiny_dataset_free(data);
    tc_device_close(device);
}

static void values_on_both_devices(void **state) {
    (void)state;
    values_are_losses_around_the_weights("cpu", 1e-4);
    values_are_losses_around_the_weights("reference", 1e-5);
}

static void wrong_requests_are_refused(void **state) {
    (void)state;
    tc_error error;
    tc_device *device = tiny_device("reference");
    tc_dataset *data = tiny_dataset(SIDE, 1, CLASSES, 12, COUNT),
               *other = tiny_dataset(SIDE + 1, 1, CLASSES, 12, COUNT);
    tc_model *model = tiny_model(data, false);
    tc_weights weights = tiny_weights(model, 3);
    int32_t labels[COUNT] = {0};
    double value[N * N];
    tc_landscape_job job = {device, model, &weights, data, data->test.images, labels, COUNT, NULL, NULL, NULL};
    static const tc_landscape_options wrong[] = {{.extent = 1, .n = 4},
                                                 {.extent = 1, .n = 1},
                                                 {.extent = 1, .n = 203},
                                                 {.extent = 0, .n = N},
                                                 {.extent = NAN, .n = N}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(tc_landscape(&job, &wrong[i], value, &error), TC_INVALID);
    const tc_landscape_options right = {.extent = 1, .n = N};
    labels[3] = CLASSES;
    assert_int_equal(tc_landscape(&job, &right, value, &error), TC_INVALID);
    assert_string_equal(error.message, "landscape: label 3 of image 3; the classes are 0 to 2");
    labels[3] = 0;
    job.count = 0;
    assert_int_equal(tc_landscape(&job, &right, value, &error), TC_INVALID);
    job.count = COUNT;
    job.dataset = other;
    assert_int_equal(tc_landscape(&job, &right, value, &error), TC_INVALID);
    tc_weights_free(&weights);
    tc_model_free(model);
    tiny_dataset_free(data);
    tiny_dataset_free(other);
    tc_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(directions_have_the_filters_lengths),
                                       cmocka_unit_test(values_on_both_devices),
                                       cmocka_unit_test(wrong_requests_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
