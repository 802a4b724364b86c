#include "helper.h"

#include <math.h>
#include <omp.h>

static tc_error error;
static const char *const names[] = {"shapes10", "glyphs"};

static tc_dataset *open_set(const char *name, int64_t train, int64_t test, uint64_t seed) {
    const tc_dataset_options options = {.train_per_class = train, .test_per_class = test, .seed = seed};
    tc_dataset *d;
    helper_ok(tc_dataset_open(name, &options, &d, &error), &error);
    return d;
}

static void are_complete_and_balanced(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        tc_dataset *d = open_set(names[k], 0, 0, 0);
        int counts[10] = {0};
        assert_int_equal(d->train.count, 5000);
        assert_int_equal(d->test.count, 1000);
        for (size_t i = 0; i < 5000; i++) counts[d->train.labels[i]]++;
        for (int c = 0; c < 10; c++) assert_int_equal(counts[c], 500);
        tc_dataset_free(d);
    }
}

static void same_bits_on_any_number_of_threads(void **state) {
    (void)state;
    const int threads = omp_get_max_threads();
    for (int k = 0; k < 2; k++) {
        omp_set_num_threads(1);
        tc_dataset *a = open_set(names[k], 30, 10, 0);
        omp_set_num_threads(3);
        tc_dataset *b = open_set(names[k], 30, 10, 99); /* nor does a seed matter */
        helper_assert_same(a, b);
        tc_dataset_free(a);
        tc_dataset_free(b);
    }
    omp_set_num_threads(threads);
}

/* A smaller set is the start of a larger one, and no image of one split is in the other. */
static void smaller_sets_begin_larger_ones(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        tc_dataset *a = open_set(names[k], 10, 5, 0), *b = open_set(names[k], 20, 5, 0);
        const size_t bytes = tc_dataset_image_bytes(a);
        assert_memory_equal(a->train.images, b->train.images, 100 * bytes);
        for (size_t i = 0; i < b->train.count; i++)
            for (size_t j = 0; j < b->test.count; j++)
                assert_memory_not_equal(b->train.images + i * bytes, b->test.images + j * bytes, bytes);
        tc_dataset_free(a);
        tc_dataset_free(b);
    }
}

/* The sets are a promise: figures measured on them must stay comparable. Some slack for other sines and cosines. */
static void never_change(void **state) {
    (void)state;
    static const double sums[2][2] = {{77839693, 39403432422}, {6728072, 3352420482}};
    for (int k = 0; k < 2; k++) {
        tc_dataset *d = open_set(names[k], 20, 20, 0);
        double plain = 0, weighted = 0;
        for (size_t i = 0; i < d->train.count * tc_dataset_image_bytes(d); i++) {
            plain += d->train.images[i];
            weighted += (double)(i % 1009) * d->test.images[i];
        }
        if (fabs(plain / sums[k][0] - 1) > 1e-5 || fabs(weighted / sums[k][1] - 1) > 1e-5)
            fail_msg("%s: sums %.0f, %.0f", names[k], plain, weighted);
        tc_dataset_free(d);
    }
}

/* ---- neither colour nor brightness gives a class away ---- */

enum { BINS = 8, MOST_FEATURES = 3 * BINS };

static void histogram(const tc_dataset *d, const uint8_t *image, double *h /* [channels · BINS] */) {
    memset(h, 0, MOST_FEATURES * sizeof *h);
    const size_t bytes = tc_dataset_image_bytes(d), channels = (size_t)d->channels;
    for (size_t i = 0; i < bytes; i++)
        h[i % channels * BINS + image[i] * BINS / 256] += 1.0 / (double)(bytes / channels);
}

/* Multinomial logistic regression by full-batch gradient descent on standardised histograms. */
static double accuracy_from_colour(const tc_dataset *d) {
    enum { CLASSES = 10, STEPS = 100 };
    static double w[CLASSES][MOST_FEATURES + 1];
    const int features = d->channels * BINS;
    double(*h)[MOST_FEATURES] = malloc(d->train.count * sizeof *h);
    memset(w, 0, sizeof w);
    for (size_t i = 0; i < d->train.count; i++) histogram(d, d->train.images + i * tc_dataset_image_bytes(d), h[i]);
    for (int step = 0; step < STEPS; step++) {
        double gradient[CLASSES][MOST_FEATURES + 1] = {{0}};
        for (size_t i = 0; i < d->train.count; i++) {
            double z[CLASSES], sum = 0;
            for (int c = 0; c < CLASSES; c++) {
                z[c] = w[c][features];
                for (int f = 0; f < features; f++) z[c] += w[c][f] * h[i][f];
                sum += z[c] = exp(z[c]);
            }
            for (int c = 0; c < CLASSES; c++) {
                const double g = z[c] / sum - (d->train.labels[i] == c);
                for (int f = 0; f < features; f++) gradient[c][f] += g * h[i][f];
                gradient[c][features] += g;
            }
        }
        for (int c = 0; c < CLASSES; c++)
            for (int f = 0; f <= features; f++) w[c][f] -= 2.0 * gradient[c][f] / (double)d->train.count;
    }
    size_t right = 0;
    for (size_t i = 0; i < d->test.count; i++) {
        double x[MOST_FEATURES], best = -INFINITY;
        int guess = 0;
        histogram(d, d->test.images + i * tc_dataset_image_bytes(d), x);
        for (int c = 0; c < CLASSES; c++) {
            double z = w[c][features];
            for (int f = 0; f < features; f++) z += w[c][f] * x[f];
            if (z > best) {
                best = z;
                guess = c;
            }
        }
        right += guess == d->test.labels[i];
    }
    free(h);
    return (double)right / (double)d->test.count;
}

static void colour_alone_says_nearly_nothing(void **state) {
    (void)state;
    static const double most[] = {0.16, 0.25}; /* chance is 0.1; how much ink a glyph needs says a little */
    for (int k = 0; k < 2; k++) {
        tc_dataset *d = open_set(names[k], 100, 60, 0);
        const double accuracy = accuracy_from_colour(d);
        if (accuracy > most[k]) fail_msg("%s: %.3f from histograms alone", names[k], accuracy);
        tc_dataset_free(d);
    }
}

/* ---- yet the classes differ: moments that do not see colour tell some apart, so labels do belong to images ---- */

static double roughness(const tc_dataset *d, const uint8_t *image) {
    double sum = 0;
    const size_t row = (size_t)d->width * (size_t)d->channels;
    for (size_t i = row; i < tc_dataset_image_bytes(d); i++) sum += abs(image[i] - image[i - row]);
    return sum;
}

static void textures_are_rougher_than_shapes(void **state) {
    (void)state;
    tc_dataset *d = open_set("shapes10", 50, 10, 0);
    double shape = 0, texture = 0;
    for (size_t i = 0; i < d->train.count; i++) {
        const double r = roughness(d, d->train.images + i * tc_dataset_image_bytes(d));
        if (d->train.labels[i] >= 7)
            texture += r / 150;
        else
            shape += r / 350;
    }
    assert_true(texture > 1.3 * shape);
    tc_dataset_free(d);
}

/* No two images are nearly alike: variation within a class is what a poison hides in. */
static void images_of_a_class_vary(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        tc_dataset *d = open_set(names[k], 10, 1, 0);
        const size_t bytes = tc_dataset_image_bytes(d);
        for (size_t i = 0; i < d->train.count; i++)
            for (size_t j = 0; j < i; j++) {
                double difference = 0;
                for (size_t b = 0; b < bytes; b++)
                    difference += abs(d->train.images[i * bytes + b] - d->train.images[j * bytes + b]);
                assert_true(difference / (double)bytes > 6);
            }
        tc_dataset_free(d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_complete_and_balanced),
        cmocka_unit_test(same_bits_on_any_number_of_threads),
        cmocka_unit_test(never_change),
        cmocka_unit_test(smaller_sets_begin_larger_ones),
        cmocka_unit_test(colour_alone_says_nearly_nothing),
        cmocka_unit_test(textures_are_rougher_than_shapes),
        cmocka_unit_test(images_of_a_class_vary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
