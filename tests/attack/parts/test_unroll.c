/* An objective after unrolled training steps: its gradient for the images against central differences, on the reference
 * backend in double precision. */
#include "../crafting.h"

#include "attack/parts/unroll.h"

enum { BATCH = 5 };

/* Batches of made-up images, all of them to be differentiated. */
typedef struct film {
    tc_device *device;
    size_t image;
    double *pixels;   /* [steps][BATCH] images, as the network gets them */
    double *gradient; /* the same */
} film;

static void load(void *context, int step, tc_pass *pass) {
    const film *f = context;
    const size_t count = BATCH * f->image;
    const int32_t labels[BATCH] = {step % 3, 1, 2, 0, 1};
    f->device->k->upload_double(f->device, tc_pass_input(pass), f->pixels + (size_t)step * count, count);
    f->device->k->upload_bytes(f->device, tc_pass_labels(pass), labels, sizeof labels);
    tc_pass_set_stream(pass, tc_stream_make((uint64_t)step));
}

static void take(void *context, int step, double weight, const void *dx) {
    film *f = context;
    const size_t count = BATCH * f->image;
    double *to = f->gradient + (size_t)step * count;
    f->device->k->download_double(f->device, to, dx, count);
    for (size_t i = 0; i < count; i++) to[i] *= weight;
}

typedef struct setup {
    crafting c;
    tc_pass *pass;
    tc_unroll unroll;
    film film;
    tc_feed feed;
    tc_objective *q;
    tc_sharpness sharpness;
    tc_sharpness_options options;
    void *state;
    size_t values;
} setup;

/* The targets' cross-entropy towards the intended class. */
static tc_objective *cross_entropy(const setup *s, const tc_model *model) {
    tc_error error;
    tc_objective *q;
    const crafting *c = &s->c;
    uint8_t *images = calloc(c->threat.targets, tc_dataset_image_bytes(c->data));
    int32_t *labels = calloc(c->threat.targets, sizeof *labels);
    tc_threat_targets(c->data, &c->threat, images);
    for (size_t i = 0; i < c->threat.targets; i++) labels[i] = c->threat.intended_class;
    must(tc_image_objective(c->device, model, s->state, c->data, images, labels, c->threat.targets, &q, &error));
    free(images);
    free(labels);
    return q;
}

static void make_setup(setup *s, int steps, bool norm, bool margin, int kind) {
    tc_error error;
    crafting_begin(&s->c, "reference", tiny_dataset(6, 2, 3, 30, 15));
    crafting_draw(&s->c, 2, 0.15, 5);
    tc_device *device = s->c.device;
    const tc_surrogate *surrogate = &s->c.surrogates[norm ? 0 : 2];
    const tc_pass_options options = {
        .batch = BATCH, .mode = TC_TRAIN, .want = TC_UNROLL_WANT, .loss = TC_CROSS_ENTROPY};
    must(tc_pass_create(device, surrogate->model, &options, &s->pass, &error));
    must(tc_unroll_create(device, surrogate->model, s->pass, BATCH, steps, &s->unroll, &error));
    must(tc_device_reals(device, tc_model_state(surrogate->model) + 1, &s->state, &error));
    device->k->upload_float(device, s->unroll.theta[0], surrogate->weights.theta, s->unroll.parameters);
    device->k->upload_float(device, s->state, surrogate->weights.state, tc_model_state(surrogate->model));
    if (margin)
        must(tc_target_margin(device, surrogate->model, s->state, s->c.data, &s->c.threat, 100, &s->q, &error));
    else
        s->q = cross_entropy(s, surrogate->model);
    s->options = (tc_sharpness_options){.kind = kind, .rho = 0.05, .sigma = 0.05, .samples = 3};
    strcpy(s->options.p, "2");
    must(tc_sharpness_create(device, &s->options, s->unroll.parameters, tc_stream_make(1), &s->sharpness, &error));
    s->values = (size_t)steps * BATCH * tc_dataset_image_bytes(s->c.data);
    s->film = (film){device, tc_dataset_image_bytes(s->c.data), calloc(s->values, sizeof(double)),
                     calloc(s->values, sizeof(double))};
    for (size_t i = 0; i < s->values; i++) s->film.pixels[i] = tc_normal_at(tc_stream_make(2), i);
    s->feed = (tc_feed){&s->film, load, take};
}

static void end_setup(setup *s) {
    tc_sharpness_free(&s->sharpness);
    tc_objective_free(s->q);
    s->c.device->k->release(s->c.device, s->state);
    tc_unroll_free(&s->unroll);
    tc_pass_free(s->pass);
    free(s->film.pixels);
    free(s->film.gradient);
    tc_dataset *data = s->c.data;
    crafting_end(&s->c);
    tiny_dataset_free(data);
}

static const double rate = 0.5; /* large: the second step must feel what the first one did */

static double value_at(setup *s, uint64_t seed, double h) {
    for (size_t i = 0; i < s->values; i++) s->film.pixels[i] += h * tc_normal_at(tc_stream_make(seed), i);
    const double value = tc_unroll_forward(&s->unroll, rate, &s->feed, s->q, &s->sharpness);
    for (size_t i = 0; i < s->values; i++) s->film.pixels[i] -= h * tc_normal_at(tc_stream_make(seed), i);
    return value;
}

/* For 1, 2 and 3 steps, with batch normalisation and without, both losses; every step's images. */
static void the_gradient_agrees_with_differences(void **state) {
    (void)state;
    for (int which = 0; which < 12; which++) {
        setup s;
        const int steps = 1 + which / 4;
        make_setup(&s, steps, which & 1, which & 2, TC_SHARPNESS_NONE);
        tc_unroll_gradient(&s.unroll, rate, &s.feed, s.q, &s.sharpness);
        assert_int_equal(s.unroll.gradients, 2 * steps - 1);
        assert_int_equal(s.unroll.jvps, steps);
        for (uint64_t seed = 10; seed < 13; seed++) {
            const double h = 1e-6;
            double slope = 0;
            for (size_t i = 0; i < s.values; i++) slope += s.film.gradient[i] * tc_normal_at(tc_stream_make(seed), i);
            const double difference = (value_at(&s, seed, h) - value_at(&s, seed, -h)) / (2 * h);
            assert_true(fabs(slope) > 1e-6);
            assert_float_equal(slope / difference, 1, 1e-5);
        }
        end_setup(&s);
    }
}

/* The first step's images reach the end through the second step's curvature: without it the gradient is another. */
static void the_curvature_is_in_it(void **state) {
    (void)state;
    setup s;
    make_setup(&s, 2, true, false, TC_SHARPNESS_NONE);
    tc_unroll_gradient(&s.unroll, rate, &s.feed, s.q, &s.sharpness);
    const size_t count = s.values / 2;
    double *exact = calloc(count, sizeof *exact), *first_order = calloc(count, sizeof *first_order), gap = 0, all = 0;
    memcpy(exact, s.film.gradient, count * sizeof *exact);
    /* ∇Q(θ_2) straight to the first step */
    s.q->gradient(s.q, s.unroll.theta[2], s.unroll.adjoint);
    load(&s.film, 0, s.pass);
    tc_pass_grad(s.pass, s.unroll.theta[0], NULL, NULL, NULL);
    tc_pass_grad_jvp(s.pass, s.unroll.adjoint, NULL, NULL, s.unroll.dx);
    s.c.device->k->download_double(s.c.device, first_order, s.unroll.dx, count);
    for (size_t i = 0; i < count; i++) {
        gap += pow(exact[i] + rate * first_order[i], 2);
        all += exact[i] * exact[i];
    }
    assert_true(sqrt(gap / all) > 0.01);
    free(exact);
    free(first_order);
    end_setup(&s);
}

static void the_neighbourhood_costs_a_gradient_of_q(void **state) {
    (void)state;
    static const int64_t gradients[] = {1, 2, 3};
    double value[3];
    for (int kind = TC_SHARPNESS_NONE; kind <= TC_SHARPNESS_GAUSSIAN; kind++) {
        setup s;
        make_setup(&s, 2, true, false, kind);
        value[kind] = tc_unroll_gradient(&s.unroll, rate, &s.feed, s.q, &s.sharpness);
        assert_int_equal(s.q->gradients, gradients[kind]);
        assert_int_equal(s.unroll.gradients, 3);
        end_setup(&s);
    }
    assert_true(value[TC_SHARPNESS_WORST_CASE] > value[TC_SHARPNESS_NONE]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_agrees_with_differences),
        cmocka_unit_test(the_curvature_is_in_it),
        cmocka_unit_test(the_neighbourhood_costs_a_gradient_of_q),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
