/* Separable patches and autoregressive noise against random noise: networks take the shortcut.
 *
 * A filter tells autoregressive classes apart only where it is on all of the image alike, and where the image itself
 * does not answer louder: so its victims are convolutions with batch norm and a mean over the map, and the norm is six
 * times the paper's, where shapes10 has noise of its own (of 3 to 14 steps a pixel, where norm 1 has 4.6) and a victim
 * has 750 steps in the place of 62,500. At norm 1 networks as small as these learn the images before the filters, and
 * know them no worse than under noise. The random noise has the same L2 norm, which is what this attack is bounded by.
 */
#include "unlearnable.h"

static void patches_are_taken_for_the_class(void **state) {
    loses(*state, &tc_separable, (const char *const[]){"radius=30", NULL});
}

enum { NORM = 6, WIDTH = 16 };

static tc_node conv_norm(tc_graph *g, const char *conv, const char *norm, tc_node x, int channels, int stride) {
    const tc_conv_options options = {.channels = channels, .kernel = 3, .padding = 1, .stride = stride};
    return tc_graph_relu(g, tc_graph_batch_norm(g, norm, tc_graph_conv(g, conv, x, options)));
}

static tc_model *filters(const tc_dataset *data) {
    tc_error error;
    tc_model *model = NULL;
    tc_graph *g = tc_graph_begin("filters", data->height, data->width, data->channels, data->classes);
    tc_node x = conv_norm(g, "conv1", "bn1", tc_graph_input(g), WIDTH, 2);
    x = conv_norm(g, "conv2", "bn2", x, 2 * WIDTH, 2);
    x = conv_norm(g, "conv3", "bn3", x, 2 * WIDTH, 1);
    x = tc_graph_flatten(g, tc_graph_global_pool(g, x));
    must(tc_graph_finish(g, tc_graph_linear(g, "fc", x, data->classes, true), &model, &error));
    return model;
}

static void autoregressive_noise_is_taken_for_the_class(void **state) {
    tc_error error;
    shapes10 f = {.device = ((shapes10 *)*state)->device, .train = ((shapes10 *)*state)->train};
    const tc_dataset_options size = {.train_per_class = 80, .test_per_class = 60, .seed = 1};
    double left[PAIRS], noisy[PAIRS];
    must(tc_dataset_open("shapes10", &size, &f.data, &error));
    f.model = filters(f.data);
    f.train.batch = 16;
    f.train.epochs = 15;
    shapes10_draw(&f, (const char *const[]){"goal=untargeted", "ratio=1", "epsilon=150", NULL}, 1);
    for (int i = 0; i < PAIRS; i++) {
        f.threat.epsilon = 150; /* nearly never reached: the norm is the bound */
        tc_poison *poison =
            shapes10_craft(&f, &tc_autoregressive, (const char *const[]){"norm=6", NULL}, 10 + (uint64_t)i);
        f.threat.epsilon = NORM * 255 / sqrt(32 * 32 * 3);
        tc_poison *noise = shapes10_noise(&f, "distribution=sign", (uint64_t)i);
        left[i] = accuracy(&f, poison, i);
        noisy[i] = accuracy(&f, noise, i);
        tc_poison_free(poison);
        tc_poison_free(noise);
    }
    const lead l = shapes10_lead(left, noisy, PAIRS);
    print_message("autoregressive: accuracy %+.3f ± %.3f over noise\n", l.mean, l.error);
    assert_true(l.mean < -0.05 && l.mean < -2 * l.error);
    tc_threat_free(&f.threat);
    tc_model_free(f.model);
    tc_dataset_free(f.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_are_taken_for_the_class),
        cmocka_unit_test(autoregressive_noise_is_taken_for_the_class),
    };
    return cmocka_run_group_tests(tests, unlearnable_begin, shapes10_end);
}
