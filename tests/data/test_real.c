/* test_real.c — real data, where somebody says where it is: TOCSIN_MNIST, a folder with MNIST's four files, and
 * TOCSIN_CIFAR10, CIFAR-10 as pictures in train/CLASS/ and test/CLASS/. */
#include "helper.h"

#include <math.h>
#include <omp.h>

static tc_error error;

static tc_dataset *open_where(const char *variable, const char *scheme) {
    const char *path = getenv(variable);
    char source[TC_PATH_SIZE];
    tc_dataset *d;
    if (!path || !*path) {
        print_message("skipped: %s is not set\n", variable);
        return NULL;
    }
    snprintf(source, sizeof source, "%s%s", scheme, path);
    const double start = omp_get_wtime();
    helper_ok(tc_dataset_open(source, NULL, &d, &error), &error);
    print_message("%s: read in %.2f s on %d threads\n", variable, omp_get_wtime() - start, omp_get_max_threads());
    return d;
}

static void mnist(void **state) {
    (void)state;
    static const int32_t first[10] = {5, 0, 4, 1, 9, 2, 1, 3, 1, 4};
    tc_dataset *d = open_where("TOCSIN_MNIST", "idx:");
    if (!d) return;
    assert_int_equal(d->train.count, 60000);
    assert_int_equal(d->test.count, 10000);
    assert_int_equal(d->height, 28);
    assert_int_equal(d->channels, 1);
    assert_int_equal(d->classes, 10);
    assert_memory_equal(d->train.labels, first, sizeof first);
    assert_true(fabs(d->mean[0] - 0.1307) < 1e-4 && fabs(d->std[0] - 0.3081) < 1e-4); /* as everybody uses them */
    tc_dataset_free(d);
}

static void cifar10(void **state) {
    (void)state;
    int counts[10] = {0};
    tc_dataset *d = open_where("TOCSIN_CIFAR10", "images:");
    if (!d) return;
    assert_int_equal(d->train.count, 50000);
    assert_int_equal(d->test.count, 10000);
    assert_int_equal(d->channels, 3);
    assert_int_equal(d->height, 32);
    assert_string_equal(d->class_names[0], "airplane");
    assert_string_equal(d->class_names[9], "truck");
    for (size_t i = 0; i < d->train.count; i++) counts[d->train.labels[i]]++;
    for (int c = 0; c < 10; c++) assert_int_equal(counts[c], 5000);
    assert_true(fabs(d->mean[0] - 0.4914) < 0.01 && fabs(d->mean[2] - 0.4465) < 0.01); /* those of the original */
    tc_dataset_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mnist), cmocka_unit_test(cifar10)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
