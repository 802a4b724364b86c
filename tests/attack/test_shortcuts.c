/* Noise that no network is asked for: it is what its paper says it is, and a small network tells its classes apart. */
#include "untargeted.h"

static tc_dataset *shapes(int train, int test) {
    tc_error error;
    tc_dataset *data;
    const tc_dataset_options options = {.train_per_class = train, .test_per_class = test, .seed = 1};
    must(tc_dataset_open("shapes10", &options, &data, &error));
    return data;
}

/* A job on mid-grey images of the shapes' size, where no pixel is clipped and δ can be read off. */
typedef struct grey {
    tc_dataset *data;
    tc_threat threat;
    tc_craft_job job;
} grey;

static void make_grey(grey *g, double epsilon) {
    tc_error error;
    tc_threat_options options;
    g->data = shapes(30, 1);
    memset(g->data->train.images, 128, g->data->train.count * tc_dataset_image_bytes(g->data));
    tc_options_default(tc_threat_table, &options);
    options.goal = TC_GOAL_UNTARGETED;
    options.epsilon = epsilon;
    options.ratio = 1;
    must(tc_threat_draw(g->data, &options, tc_stream_make(5), &g->threat, &error));
    g->job = (tc_craft_job){.dataset = g->data, .threat = &g->threat, .stream = tc_stream_make(9)};
}

static void end_grey(grey *g) {
    tc_threat_free(&g->threat);
    tc_dataset_free(g->data);
}

static tc_poison *craft_grey(grey *g, const tc_attack *attack, const char *const *settings) {
    tc_error error;
    tc_poison *poison;
    void *options = untargeted_options(attack, settings);
    must(attack->craft(&g->job, options, &poison, NULL, &error));
    free(options);
    return poison;
}

static double norm_of(const tc_poison *poison, size_t i) {
    double squares = 0;
    for (size_t j = 0; j < poison->image_bytes; j++) {
        const double d = (poison->images[i * poison->image_bytes + j] - 128) / 255.0;
        squares += d * d;
    }
    return sqrt(squares);
}

static void autoregressive_noise_obeys_its_recurrence(void **state) {
    (void)state;
    tc_error error;
    grey g;
    make_grey(&g, 255);
    double b[10][3][9];
    void *options = untargeted_options(&tc_autoregressive, (const char *const[]){"norm=3", NULL});
    must(tc_autoregressive_processes(&g.job, options, &b[0][0][0], &error));
    free(options);
    tc_poison *poison = craft_grey(&g, &tc_autoregressive, (const char *const[]){"norm=3", NULL});
    for (size_t i = 0; i < poison->replaced; i += 7) {
        const uint8_t *image = poison->images + i * poison->image_bytes;
        double(*own)[9] = b[poison->labels[i]];
        for (int k = 0; k < 3; k++) {
            double room = 0.501, sum = 0; /* what rounding may do: half a step here and half in each neighbour */
            for (int t = 0; t < 8; t++) room += 0.5 * fabs(own[k][t]);
            for (int t = 0; t < 8; t++) sum += own[k][t];
            assert_float_equal(sum, 1, 1e-9);
            for (int y = 2; y < 32; y++)
                for (int x = 2; x < 32; x++) {
                    double value = 0;
                    for (int t = 0; t < 8; t++)
                        value += own[k][t] * (image[((y - 2 + t / 3) * 32 + x - 2 + t % 3) * 3 + k] - 128);
                    assert_true(fabs(image[(y * 32 + x) * 3 + k] - 128 - value) <= room);
                }
        }
    }
    tc_poison_free(poison);
    end_grey(&g);
}

static void autoregressive_noise_has_its_norm(void **state) {
    (void)state;
    grey g;
    make_grey(&g, 255);
    tc_poison *one = craft_grey(&g, &tc_autoregressive, NULL);
    for (size_t i = 0; i < one->replaced; i++) assert_float_equal(norm_of(one, i), 1, 0.03);
    g.threat.epsilon = 8;
    tc_poison *clipped = craft_grey(&g, &tc_autoregressive, NULL);
    assert_true(tc_poison_linf(clipped, g.data) == 8 && tc_poison_linf(one, g.data) > 8);
    assert_true(norm_of(clipped, 0) > 0.7 && norm_of(clipped, 0) < norm_of(one, 0));
    tc_poison_free(one);
    tc_poison_free(clipped);
    end_grey(&g);
}

/* Accuracy on the noise of every third image of a network that was trained on that of the others. */
static double told_apart(const tc_poison *poison, tc_model *model, double rate) {
    tc_error error;
    tc_dataset like = {.height = 32, .width = 32, .channels = 3, .classes = 10}, *noise;
    like.train = like.test = (tc_split){poison->replaced, poison->images, poison->labels};
    must(tc_dataset_create("noise", &like, NULL, &noise, &error));
    size_t kept = 0;
    for (size_t i = 0; i < poison->replaced; i++) {
        if (i % 3 == 0) continue;
        memcpy(noise->train.images + kept * 3072, poison->images + i * 3072, 3072);
        noise->train.labels[kept++] = poison->labels[i];
    }
    noise->train.count = kept;
    for (size_t i = 0; 3 * i < poison->replaced; i++, noise->test.count = i) {
        memcpy(noise->test.images + i * 3072, poison->images + 3 * i * 3072, 3072);
        noise->test.labels[i] = poison->labels[3 * i];
    }
    tc_device *device = tiny_device("cpu");
    tc_weights weights = tiny_weights(model, 1);
    tc_train_options options;
    tc_view view;
    tc_accuracy measured;
    tc_train_defaults(&options);
    options.epochs = 30;
    options.batch = 20;
    options.rate = rate;
    options.crop = 0;
    options.flip = false;
    must(tc_view_create(noise, NULL, &view, &error));
    must(tc_train(device, model, &view, &options, tc_stream_make(1), NULL, &weights, NULL, &error));
    must(tc_evaluate(device, model, &weights, noise, &noise->test, &measured, &error));
    tc_view_free(&view);
    tc_weights_free(&weights);
    tc_model_free(model);
    tc_device_close(device);
    tc_dataset_free(noise);
    return measured.accuracy;
}

static void separable_noise_is_linearly_separable(void **state) {
    (void)state;
    tc_error error;
    grey g;
    make_grey(&g, 16);
    tc_poison *poison = craft_grey(&g, &tc_separable, NULL);
    assert_true(tc_poison_linf(poison, g.data) <= 16);
    for (size_t i = 0; i < poison->replaced; i++)
        assert_float_equal(norm_of(poison, i), sqrt(3072) * 6 / 255, 0.06); /* the norm of ±6 everywhere */
    tc_model *model;
    tc_graph *graph = tc_graph_begin("logreg", 32, 32, 3, 10);
    must(tc_graph_finish(graph, tc_graph_linear(graph, "fc", tc_graph_flatten(graph, tc_graph_input(graph)), 10, true),
                         &model, &error));
    assert_true(told_apart(poison, model, 0.002) > 0.97);
    tc_poison_free(poison);
    end_grey(&g);
}

/* One convolution with 3×3 windows and a mean over the image: a filter is enough. */
static void autoregressive_noise_is_known_by_a_filter(void **state) {
    (void)state;
    tc_error error;
    grey g;
    make_grey(&g, 8);
    tc_poison *poison = craft_grey(&g, &tc_autoregressive, NULL);
    tc_model *model;
    tc_graph *graph = tc_graph_begin("filters", 32, 32, 3, 10);
    tc_node x = tc_graph_conv(graph, "conv", tc_graph_input(graph), (tc_conv_options){.channels = 32, .kernel = 3});
    x = tc_graph_flatten(graph, tc_graph_global_pool(graph, tc_graph_relu(graph, tc_graph_batch_norm(graph, "bn", x))));
    must(tc_graph_finish(graph, tc_graph_linear(graph, "fc", x, 10, true), &model, &error));
    assert_true(told_apart(poison, model, 0.1) > 0.9);
    tc_poison_free(poison);
    end_grey(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(autoregressive_noise_obeys_its_recurrence),
        cmocka_unit_test(autoregressive_noise_has_its_norm),
        cmocka_unit_test(autoregressive_noise_is_known_by_a_filter),
        cmocka_unit_test(separable_noise_is_linearly_separable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
