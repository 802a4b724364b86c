/* Two steps of each optimiser on one coordinate against values worked out by hand from PyTorch's definitions. */
#include "tiny.h"

#include "train/optimiser.h"

typedef struct expectation {
    const char *settings[6];
    double theta[2]; /* after the first and the second step from θ = 1 with gradients 0.5 and −0.25, rate 0.1 */
} expectation;

static const expectation cases[] = {
    /* θ −= 0.1 g */
    {{"optimiser=sgd", "momentum=0", "nesterov=false", "weight_decay=0", NULL}, {0.95, 0.975}},
    /* g′ = g + 0.2 θ: 0.7 → 0.93; −0.25 + 0.186 = −0.064 → 0.9364 */
    {{"optimiser=sgd", "momentum=0", "nesterov=false", "weight_decay=0.2", NULL}, {0.93, 0.9364}},
    /* v = 0.5 → 0.95; v = 0.45 − 0.25 = 0.2 → 0.93 */
    {{"optimiser=sgd", "momentum=0.9", "nesterov=false", "weight_decay=0", NULL}, {0.95, 0.93}},
    /* v = 0.5, step 0.5 + 0.45 → 0.905; v = 0.2, step −0.25 + 0.18 → 0.912 */
    {{"optimiser=sgd", "momentum=0.9", "nesterov=true", "weight_decay=0", NULL}, {0.905, 0.912}},
    /* m̂ = 0.5, v̂ = 0.25 → 0.9; m = 0.02, m̂ = 0.02/0.19, v = 0.00031225, v̂ = 0.00031225/0.001999 */
    {{"optimiser=adam", "weight_decay=0", NULL}, {0.9, 0.8733662967068734}},
    /* AdamW with decay 0.5: θ shrinks by 1 − 0.05 before each step */
    {{"optimiser=adamw", "weight_decay=0.5", NULL}, {0.85, 0.7808662967068734}},
};

static void one_case(const expectation *expected, const char *name, double tolerance) {
    tc_error error;
    tc_train_options options;
    tc_optimiser optimiser;
    const double gradients[] = {0.5, -0.25};
    double theta = 1;
    void *on_device, *gradient;
    tc_device *device = tiny_device(name);
    tc_train_defaults(&options);
    for (const char *const *s = expected->settings; *s; s++)
        must(tc_options_assign(tc_train_table, &options, *s, &error));
    must(tc_device_reals(device, 1, &on_device, &error));
    must(tc_device_reals(device, 1, &gradient, &error));
    must(tc_optimiser_create(device, &options, 1, &optimiser, &error));
    device->k->upload_double(device, on_device, &theta, 1);
    for (int step = 0; step < 2; step++) {
        device->k->upload_double(device, gradient, &gradients[step], 1);
        tc_optimiser_step(&optimiser, 0.1, step + 1, gradient, on_device);
        device->k->download_double(device, &theta, on_device, 1);
        assert_float_equal(theta, expected->theta[step], tolerance);
    }
    tc_optimiser_free(&optimiser);
    device->k->release(device, on_device);
    device->k->release(device, gradient);
    tc_device_close(device);
}

static void steps_are_pytorchs(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        one_case(&cases[i], "reference", 2e-8); /* the ε of Adam's denominator is part of the difference */
        one_case(&cases[i], "cpu", 1e-6);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_are_pytorchs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
