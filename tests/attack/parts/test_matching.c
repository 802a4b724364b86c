/* φ and its gradient on the reference backend, in double precision, against central differences. */
#include "../../train/tiny.h"

#include "attack/parts/ensemble.h"

enum { POISONS = 7 };

typedef struct setup {
    tc_device *device;
    tc_dataset *data;
    tc_model *model;
    tc_surrogate surrogate;
    tc_passes passes;
    tc_matcher matcher;
    tc_lens lens;
    size_t values;
    double pixels[POISONS * 6 * 6 * 2];
    void *on_device, *gradient; /* device reals [values] */
    int32_t labels[POISONS];
} setup;

static void random_target(setup *s) {
    double *target = calloc(s->matcher.parameters, sizeof *target);
    for (size_t i = 0; i < s->matcher.parameters; i++) target[i] = tc_normal_at(tc_stream_make(8), i);
    s->device->k->upload_double(s->device, s->matcher.target, target, s->matcher.parameters);
    tc_matcher_aimed(&s->matcher);
    free(target);
}

static void make_setup(setup *s, int piece) {
    tc_error error;
    *s = (setup){.device = tiny_device("reference"), .data = tiny_dataset(6, 2, 3, 30, 9)};
    s->model = tiny_model(s->data, true);
    s->surrogate = (tc_surrogate){s->model, tiny_weights(s->model, 3)};
    s->values = POISONS * tc_dataset_image_bytes(s->data);
    s->passes = (tc_passes){.device = s->device,
                            .model = s->model,
                            .options = {.mode = TC_EVALUATE, .want = TC_MATCHER_WANT, .loss = TC_CROSS_ENTROPY}};
    must(tc_passes_for(&s->passes, POISONS, piece, &error));
    must(tc_matcher_create(s->device, &s->surrogate, &s->passes, piece, &s->matcher, &error));
    must(tc_lens_create(s->device, s->data, POISONS, piece, 2.5, true, &s->lens, &error));
    must(tc_device_reals(s->device, s->values, &s->on_device, &error));
    must(tc_device_reals(s->device, s->values, &s->gradient, &error));
    for (size_t i = 0; i < s->values; i++) s->pixels[i] = 255 * tc_uniform_at(tc_stream_make(2), i);
    for (int i = 0; i < POISONS; i++) s->labels[i] = 1;
    tc_lens_draw(&s->lens, tc_stream_make(9));
    random_target(s);
}

static void end_setup(setup *s) {
    s->device->k->release(s->device, s->on_device);
    s->device->k->release(s->device, s->gradient);
    tc_lens_free(&s->lens);
    tc_matcher_free(&s->matcher);
    tc_passes_free(&s->passes);
    tc_weights_free(&s->surrogate.weights);
    tc_model_free(s->model);
    tiny_dataset_free(s->data);
    tc_device_close(s->device);
}

/* φ of all, on a device whose memory is the processor's. */
static double matched(setup *s, void *gradient) {
    const tc_match_batch batch = {&s->lens, s->on_device, s->labels, 0, POISONS};
    double phi = 0;
    tc_match(&s->matcher, &batch, 1, gradient, &phi);
    return phi;
}

static double loss_at(setup *s, const double *pixels) {
    s->device->k->upload_double(s->device, s->on_device, pixels, s->values);
    return matched(s, NULL);
}

static double gradient_at(setup *s, double *gradient) {
    s->device->k->upload_double(s->device, s->on_device, s->pixels, s->values);
    s->device->k->fill(s->device, s->values, 0, s->gradient);
    const double loss = matched(s, s->gradient);
    s->device->k->download_double(s->device, gradient, s->gradient, s->values);
    return loss;
}

/* Along random directions: through shift, flip, normalisation, network, loss and cosine. */
static void gradient_agrees_with_differences(void **state) {
    (void)state;
    for (int piece = 3; piece <= POISONS; piece += POISONS - 3) {
        setup s;
        make_setup(&s, piece);
        double gradient[POISONS * 6 * 6 * 2], there[POISONS * 6 * 6 * 2];
        const double loss = gradient_at(&s, gradient);
        assert_float_equal(loss, loss_at(&s, s.pixels), 1e-13);
        for (uint64_t seed = 0; seed < 5; seed++) {
            const double h = 1e-3;
            double slope = 0, difference = 0;
            for (int side = -1; side <= 1; side += 2) {
                for (size_t i = 0; i < s.values; i++)
                    there[i] = s.pixels[i] + side * h * tc_normal_at(tc_stream_make(seed), i);
                difference += side * loss_at(&s, there) / (2 * h);
            }
            for (size_t i = 0; i < s.values; i++) slope += gradient[i] * tc_normal_at(tc_stream_make(seed), i);
            assert_true(fabs(slope) > 1e-9);
            assert_float_equal(slope / difference, 1, 1e-6);
        }
        end_setup(&s);
    }
}

static void pieces_change_no_result(void **state) {
    (void)state;
    double one[POISONS * 6 * 6 * 2], many[POISONS * 6 * 6 * 2], most = 0;
    setup s;
    make_setup(&s, POISONS);
    const double loss = gradient_at(&s, one);
    assert_int_equal(s.matcher.gradients, 1);
    assert_int_equal(s.matcher.jvps, 1);
    end_setup(&s);
    make_setup(&s, 3);
    assert_float_equal(gradient_at(&s, many), loss, 1e-13);
    assert_int_equal(s.matcher.gradients, 6); /* 3 + 3 + 1, twice */
    assert_int_equal(s.matcher.jvps, 3);
    for (size_t i = 0; i < s.values; i++) most = fmax(most, fabs(one[i]));
    for (size_t i = 0; i < s.values; i++) assert_float_equal(one[i], many[i], 1e-10 * most);
    end_setup(&s);
}

static void matching_itself_is_zero(void **state) {
    (void)state;
    setup s;
    make_setup(&s, POISONS);
    loss_at(&s, s.pixels); /* leaves g_p in g */
    s.device->k->axpby(s.device, s.matcher.parameters, 3, s.matcher.g, 0, s.matcher.target);
    tc_matcher_aimed(&s.matcher);
    assert_float_equal(loss_at(&s, s.pixels), 0, 1e-12);
    s.device->k->axpby(s.device, s.matcher.parameters, -1, s.matcher.g, 0, s.matcher.target);
    tc_matcher_aimed(&s.matcher);
    assert_float_equal(loss_at(&s, s.pixels), 2, 1e-12);
    s.device->k->fill(s.device, s.matcher.parameters, 0, s.matcher.target);
    tc_matcher_aimed(&s.matcher);
    double gradient[POISONS * 6 * 6 * 2];
    assert_float_equal(gradient_at(&s, gradient), 1, 0); /* nothing to match */
    for (size_t i = 0; i < s.values; i++) assert_float_equal(gradient[i], 0, 0);
    end_setup(&s);
}

/* ⟨A δ, r⟩ = ⟨δ, Aᵀ r⟩ for the linear part of the lens. */
static void the_lens_and_its_adjoint(void **state) {
    (void)state;
    setup s;
    make_setup(&s, POISONS);
    double *pixels = calloc(s.values, sizeof *pixels), *zero = calloc(s.values, sizeof *zero);
    double *x = calloc(s.values, sizeof *x), *x0 = calloc(s.values, sizeof *x0), *r = calloc(s.values, sizeof *r);
    void *seen = tc_pass_input(tc_passes_find(&s.passes, POISONS));
    for (size_t i = 0; i < s.values; i++) r[i] = tc_normal_at(tc_stream_make(77), i);
    for (int plain = 0; plain < 2; plain++) {
        if (plain) tc_lens_clear(&s.lens);
        s.device->k->upload_double(s.device, s.on_device, s.pixels, s.values);
        tc_lens_see(&s.lens, 0, POISONS, s.on_device, seen);
        s.device->k->download_double(s.device, x, seen, s.values);
        s.device->k->upload_double(s.device, s.on_device, zero, s.values);
        tc_lens_see(&s.lens, 0, POISONS, s.on_device, seen);
        s.device->k->download_double(s.device, x0, seen, s.values);
        s.device->k->upload_double(s.device, seen, r, s.values);
        s.device->k->fill(s.device, s.values, 1, s.gradient); /* the adjoint adds: 1 + 2 Aᵀr */
        tc_lens_adjoint(&s.lens, 0, POISONS, 2, seen, s.gradient);
        s.device->k->download_double(s.device, pixels, s.gradient, s.values);
        double left = 0, right = 0;
        for (size_t i = 0; i < s.values; i++) {
            left += (x[i] - x0[i]) * r[i];
            right += s.pixels[i] * (pixels[i] - 1) / 2;
        }
        assert_float_equal(left, right, 1e-9);
    }
    free(pixels);
    free(zero);
    free(x);
    free(x0);
    free(r);
    end_setup(&s);
}

/* What the lens shows without augmentation is what training and evaluation load. */
static void the_plain_lens_is_what_the_victim_loads(void **state) {
    (void)state;
    tc_error error;
    setup s;
    make_setup(&s, POISONS);
    void *images = NULL, *index = NULL, *loaded;
    const uint32_t order[POISONS] = {0, 1, 2, 3, 4, 5, 6};
    double x[POISONS * 6 * 6 * 2], y[POISONS * 6 * 6 * 2];
    must(s.device->k->allocate(s.device, s.values, &images, &error));
    must(s.device->k->allocate(s.device, sizeof order, &index, &error));
    must(tc_device_reals(s.device, s.values, &loaded, &error));
    s.device->k->upload_bytes(s.device, images, s.data->train.images, s.values);
    s.device->k->upload_bytes(s.device, index, order, sizeof order);
    s.device->k->load_images(s.device, tc_nhwc(POISONS, 6, 6, 2), images, index, NULL, s.data->mean, s.data->std,
                             loaded);
    for (size_t i = 0; i < s.values; i++) s.pixels[i] = s.data->train.images[i];
    s.device->k->upload_double(s.device, s.on_device, s.pixels, s.values);
    tc_lens_clear(&s.lens);
    tc_lens_see(&s.lens, 0, POISONS, s.on_device, s.gradient);
    s.device->k->download_double(s.device, x, s.gradient, s.values);
    s.device->k->download_double(s.device, y, loaded, s.values);
    for (size_t i = 0; i < s.values; i++) assert_float_equal(x[i], y[i], 1e-12);

    /* and a whole-pixel shift with a flip moves the same pixels in both, black ones in from outside */
    const tc_warp warp = {.dx = 2, .dy = -1, .flip = 1};
    for (int i = 0; i < POISONS; i++) s.lens.host[i] = warp;
    s.device->k->upload_bytes(s.device, s.lens.warp, s.lens.host, sizeof warp * POISONS);
    s.lens.plain = false;
    tc_lens_see(&s.lens, 0, POISONS, s.on_device, s.gradient);
    s.device->k->load_images(s.device, tc_nhwc(POISONS, 6, 6, 2), images, index, s.lens.warp, s.data->mean, s.data->std,
                             loaded);
    s.device->k->download_double(s.device, x, s.gradient, s.values);
    s.device->k->download_double(s.device, y, loaded, s.values);
    for (size_t i = 0; i < s.values; i++) assert_float_equal(x[i], y[i], 1e-12);
    s.device->k->release(s.device, images);
    s.device->k->release(s.device, index);
    s.device->k->release(s.device, loaded);
    end_setup(&s);
}

/* The objective's gradient: batches of it weigh as one, and it is the gradient of its value. */
static void the_target_objective(void **state) {
    (void)state;
    enum { COUNT = 150 };
    tc_error error;
    tc_device *device = tiny_device("reference");
    tc_dataset *data = tiny_dataset(6, 2, 3, COUNT, 9);
    tc_model *model = tiny_model(data, true);
    tc_weights weights = tiny_weights(model, 3);
    const size_t p = tc_model_parameters(model);
    tc_objective *q;
    void *theta, *statistics, *g, *other;
    must(tc_device_reals(device, p, &theta, &error));
    must(tc_device_reals(device, tc_model_state(model), &statistics, &error));
    must(tc_device_reals(device, p, &g, &error));
    must(tc_device_reals(device, p, &other, &error));
    device->k->upload_float(device, theta, weights.theta, p);
    device->k->upload_float(device, statistics, weights.state, tc_model_state(model));
    must(
        tc_image_objective(device, model, statistics, data, data->train.images, data->train.labels, COUNT, &q, &error));
    q->gradient(q, theta, g);
    assert_int_equal(q->gradients, 2); /* 128 + 22 */
    const double h = 1e-6, length = sqrt(device->k->dot(device, p, g, g));
    double difference = 0;
    for (int side = -1; side <= 1; side += 2) {
        void *moved;
        must(tc_device_reals(device, p, &moved, &error));
        device->k->copy(device, p, theta, moved);
        device->k->axpby(device, p, side * h / length, g, 1, moved);
        difference += side * q->gradient(q, moved, other) / (2 * h);
        device->k->release(device, moved);
    }
    assert_float_equal(difference, length, 1e-6 * length);
    tc_objective_free(q);
    void *const memory[] = {theta, statistics, g, other};
    for (int i = 0; i < 4; i++) device->k->release(device, memory[i]);
    tc_weights_free(&weights);
    tc_model_free(model);
    tiny_dataset_free(data);
    tc_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_agrees_with_differences),
        cmocka_unit_test(pieces_change_no_result),
        cmocka_unit_test(matching_itself_is_zero),
        cmocka_unit_test(the_lens_and_its_adjoint),
        cmocka_unit_test(the_plain_lens_is_what_the_victim_loads),
        cmocka_unit_test(the_target_objective),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
