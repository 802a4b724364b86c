/* Losses: values by hand, gradients and their tangents against central differences, the extremes. */
#include "testing.h"

enum { N = 60, CLASSES = 7, COUNT = N * CLASSES };

static const struct {
    tc_loss_kind kind;
    bool soft;
    double kappa;
} kinds[] = {
    {TC_CROSS_ENTROPY, false, 0}, {TC_CROSS_ENTROPY, true, 0}, {TC_SQUARED_ERROR, false, 0},
    {TC_SQUARED_ERROR, true, 0},  {TC_HINGE, false, 0},        {TC_MARGIN, false, 0},
    {TC_MARGIN, false, 1.5},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static tc_loss loss_of(int i, const double *logits) {
    int32_t *labels = bytes(N * sizeof *labels);
    for (int n = 0; n < N; n++) labels[n] = n * 3 % CLASSES;
    on.draws = 1000; /* the same targets at every point */
    double *soft = noise(COUNT);
    for (int j = 0; j < COUNT; j++) soft[j] = fabs(soft[j]); /* not normalised: Σt enters the formulas */
    return (tc_loss){kinds[i].kind, kinds[i].kappa, N, CLASSES, logits, labels, kinds[i].soft ? soft : NULL, 0.3};
}

static const double *gradient(int i, const double *logits, double *value) {
    const tc_loss loss = loss_of(i, logits);
    double *dz = garbage(COUNT);
    on.k->loss(on.device, &loss, value, dz);
    return dz;
}

static void test_derivatives(void **state) {
    (void)state;
    const double h = 1e-5;
    for (int i = 0; i < KINDS; i++) {
        const double *z = noise(COUNT), *v = noise(COUNT);
        double *value = garbage(N), *high = garbage(N), *low = garbage(N), *dz_t = garbage(COUNT);
        const double *dz = gradient(i, z, value);
        const double *up = gradient(i, moved(COUNT, z, h, v), high), *down = gradient(i, moved(COUNT, z, -h, v), low);
        const double *slope = slope_between(N, high, low, h);
        for (int n = 0; n < N; n++)
            numbers_agree(inner(CLASSES, dz + n * CLASSES, v + n * CLASSES), 0.3 * slope[n], 1e-6, "gradient");
        const tc_loss loss = loss_of(i, z);
        on.k->loss_tangent(on.device, &loss, v, dz_t);
        agree(COUNT, dz_t, slope_between(COUNT, up, down, h), 1e-6, "tangent of the gradient");
        double *alone = garbage(N);
        on.k->loss(on.device, &loss, alone, NULL);
        assert_memory_equal(alone, value, N * sizeof *value);
    }
}

static double one_value(tc_loss_kind kind, double kappa, int classes, const double *z, int32_t label, double *dz) {
    double value = NAN;
    const tc_loss loss = {kind, kappa, 1, classes, z, &label, NULL, 1};
    on.k->loss(on.device, &loss, &value, dz);
    return value;
}

static void test_values(void **state) {
    (void)state;
    const double z[3] = {1, 3, 3};
    double dz[3];
    numbers_agree(one_value(TC_CROSS_ENTROPY, 0, 3, z, 0, dz), log(1 + 2 * exp(2)), 1e-14, "cross-entropy");
    numbers_agree(one_value(TC_SQUARED_ERROR, 0, 3, z, 1, dz), (1 + 4 + 9) / 2.0, 1e-14, "squared error");
    numbers_agree(one_value(TC_HINGE, 0, 3, z, 0, dz), 3, 1e-14, "hinge");
    assert_true(dz[0] == -1 && dz[1] == 1 && dz[2] == 0); /* the first of equal rivals */
    numbers_agree(one_value(TC_HINGE, 0, 3, z, 1, dz), 1, 1e-14, "hinge of a tie");
    numbers_agree(one_value(TC_MARGIN, 0.5, 3, z, 0, dz), 2, 1e-14, "margin");
    const double sure[3] = {9, 3, 3};
    numbers_agree(one_value(TC_HINGE, 0, 3, sure, 0, dz), 0, 0, "satisfied hinge");
    assert_true(dz[0] == 0 && dz[1] == 0 && dz[2] == 0);
    numbers_agree(one_value(TC_MARGIN, 0.5, 3, sure, 0, dz), -0.5, 0, "satisfied margin");
    assert_true(dz[0] == 0 && dz[1] == 0 && dz[2] == 0);
    numbers_agree(one_value(TC_MARGIN, 10, 3, sure, 0, dz), -6, 0, "margin within κ");
    assert_true(dz[0] == -1 && dz[1] == 1);
}

/* Logits of any size give finite numbers; a diverged network gives NaN, not a good-looking loss. */
static void test_extremes(void **state) {
    (void)state;
    const double huge[2] = {1e4, -1e4}, broken[2] = {NAN, 0};
    double dz[2];
    numbers_agree(one_value(TC_CROSS_ENTROPY, 0, 2, huge, 1, dz), 2e4, 1e-14, "sure and wrong");
    assert_true(dz[0] == 1 && dz[1] == -1);
    numbers_agree(one_value(TC_CROSS_ENTROPY, 0, 2, huge, 0, dz), 0, 1e-14, "sure and right");
    for (int kind = TC_CROSS_ENTROPY; kind <= TC_MARGIN; kind++)
        assert_true(isnan(one_value((tc_loss_kind)kind, 0, 2, broken, 0, dz)));
    const double lone[1] = {2};
    numbers_agree(one_value(TC_CROSS_ENTROPY, 0, 1, lone, 0, dz), 0, 0, "one class");
    numbers_agree(one_value(TC_HINGE, 0, 1, lone, 0, dz), 0, 0, "no rival");
}

int main(void) {
    const struct CMUnitTest tests[] = {KERNEL_TEST(test_derivatives), KERNEL_TEST(test_values),
                                       KERNEL_TEST(test_extremes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
