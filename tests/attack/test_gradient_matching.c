/* The attack on a small trained network: it lowers its objective, keeps its limits and beats noise. */
#include "../train/tiny.h"

#include "attack/methods.h"
#include "attack/parts/perturbation.h"
#include "train/train.h"

typedef struct setup {
    tc_device *device;
    tc_dataset *data;
    tc_model *model, *second_model;
    tc_surrogate surrogates[3];
    tc_threat threat;
    double first_objective; /* told by the first progress call */
    int calls, stop_after;
} setup;

static void told(void *context, double fraction, double objective) {
    setup *s = context;
    assert_true(fraction > 0 && fraction <= 1);
    if (s->calls++ == 0) s->first_objective = objective;
}

static bool stop(void *context) {
    const setup *s = context;
    return s->stop_after && s->calls >= s->stop_after;
}

static void train(setup *s, tc_surrogate *surrogate, tc_model *model, uint64_t seed) {
    tc_error error;
    tc_train_options options;
    tc_view view;
    *surrogate = (tc_surrogate){model, tiny_weights(model, seed)};
    tc_train_defaults(&options);
    options.epochs = 4;
    options.batch = 16;
    options.crop = 1;
    options.rate = 0.02;
    options.flip = false; /* a flipped bar is another class's */
    must(tc_view_create(s->data, NULL, &view, &error));
    must(tc_train(s->device, model, &view, &options, tc_stream_make(seed), NULL, &surrogate->weights, NULL, &error));
    tc_view_free(&view);
}

static void make_setup(setup *s) {
    tc_error error;
    *s = (setup){.device = tiny_device("cpu"), .data = tiny_dataset(8, 3, 3, 120, 30)};
    s->model = tiny_model(s->data, true);
    s->second_model = tiny_model(s->data, false);
    train(s, &s->surrogates[0], s->model, 1);
    train(s, &s->surrogates[1], s->model, 2);
    train(s, &s->surrogates[2], s->second_model, 3);
    tc_threat_options options;
    tc_options_default(tc_threat_table, &options);
    options.ratio = 0.15;
    options.targets = 2;
    must(tc_threat_draw(s->data, &options, tc_stream_make(5), &s->threat, &error));
}

static void end_setup(setup *s) {
    tc_threat_free(&s->threat);
    for (int i = 0; i < 3; i++) tc_weights_free(&s->surrogates[i].weights);
    tc_model_free(s->model);
    tc_model_free(s->second_model);
    tiny_dataset_free(s->data);
    tc_device_close(s->device);
}

static tc_craft_job job_of(setup *s, int surrogates) {
    s->calls = 0;
    return (tc_craft_job){.device = s->device,
                          .dataset = s->data,
                          .threat = &s->threat,
                          .surrogates = s->surrogates,
                          .surrogate_count = surrogates,
                          .stream = tc_stream_make(6),
                          .progress = told,
                          .stop = stop,
                          .context = s};
}

/* The attack's options from its own table. */
static void *options_of(const tc_attack *attack, const char *const *settings) {
    tc_error error;
    void *options = calloc(1, attack->options_size);
    tc_options_default(attack->options, options);
    for (; *settings; settings++) must(tc_options_assign(attack->options, options, *settings, &error));
    return options;
}

static const char *const quick[] = {"steps=30", "restarts=2", "shift=1", "flip=false", NULL};

static void check_limits(const setup *s, const tc_poison *poison) {
    assert_int_equal(poison->replaced, s->threat.poisons);
    assert_int_equal(poison->added, 0);
    for (size_t i = 0; i < poison->replaced; i++) {
        assert_int_equal(poison->index[i], s->threat.base[i]);
        assert_int_equal(poison->labels[i], s->threat.intended_class);
    }
    const int farthest = tc_poison_linf(poison, s->data);
    assert_true(farthest > 0 && farthest <= s->threat.epsilon);
}

static double noise_loss(setup *s, const void *options, int surrogates) {
    tc_error error;
    double loss;
    tc_poison *noise;
    tc_craft_job job = job_of(s, surrogates);
    void *none = options_of(&tc_random_noise, (const char *const[]){NULL});
    must(tc_random_noise.craft(&job, none, &noise, NULL, &error));
    must(tc_gradient_matching_loss(&job, options, noise, &loss, &error));
    tc_poison_free(noise);
    free(none);
    return loss;
}

static void falls_and_beats_noise(void **state) {
    (void)state;
    static const char *const kinds[] = {"none", "worst-case", "gaussian"};
    static const int64_t extra[] = {1, 2, 20};
    setup s;
    make_setup(&s);
    for (int kind = 0; kind < 3; kind++) {
        tc_error error;
        tc_poison *poison;
        tc_craft_report report;
        double loss;
        void *options = options_of(&tc_gradient_matching, quick);
        must(tc_options_set(tc_gradient_matching.options, options, "sharpness", kinds[kind], &error));
        tc_craft_job job = job_of(&s, 1);
        must(tc_gradient_matching.craft(&job, options, &poison, &report, &error));
        assert_int_equal(s.calls, 60);
        assert_int_equal(report.steps, 60);
        assert_int_equal(report.jvps, 60);
        assert_int_equal(report.gradients, 60 + 2 + extra[kind]);
        assert_true(report.objective < s.first_objective - 0.05);
        must(tc_gradient_matching_loss(&job, options, poison, &loss, &error));
        assert_float_equal(loss, report.objective, 1e-9);
        assert_true(loss < noise_loss(&s, options, 1) - 0.05);
        check_limits(&s, poison);
        tc_poison_free(poison);
        free(options);
    }
    end_setup(&s);
}

static void an_ensemble_is_matched_on_average(void **state) {
    (void)state;
    tc_error error;
    setup s;
    make_setup(&s);
    tc_poison *poison;
    tc_craft_report report;
    void *options = options_of(&tc_gradient_matching, quick);
    tc_craft_job job = job_of(&s, 3);
    must(tc_gradient_matching.craft(&job, options, &poison, &report, &error));
    assert_true(report.objective < noise_loss(&s, options, 3) - 0.05);
    assert_int_equal(report.jvps, 3 * 60);
    double mean = 0;
    for (int i = 0; i < 3; i++) {
        double loss;
        job.surrogates = &s.surrogates[i];
        job.surrogate_count = 1;
        must(tc_gradient_matching_loss(&job, options, poison, &loss, &error));
        mean += loss / 3;
    }
    assert_float_equal(mean, report.objective, 1e-6);
    check_limits(&s, poison);
    tc_poison_free(poison);
    free(options);
    end_setup(&s);
}

static void same_seed_same_poison_and_nothing_leaks(void **state) {
    (void)state;
    tc_error error;
    setup s;
    make_setup(&s);
    tc_poison *a, *b, *c;
    const size_t before = s.device->bytes;
    void *options = options_of(&tc_gradient_matching, (const char *const[]){"steps=10", "restarts=1", "batch=7", NULL});
    tc_craft_job job = job_of(&s, 2);
    must(tc_gradient_matching.craft(&job, options, &a, NULL, &error));
    must(tc_gradient_matching.craft(&job, options, &b, NULL, &error));
    job.stream = tc_stream_make(7);
    must(tc_gradient_matching.craft(&job, options, &c, NULL, &error));
    assert_memory_equal(a->images, b->images, a->replaced * a->image_bytes);
    assert_memory_not_equal(a->images, c->images, a->replaced * a->image_bytes);
    assert_int_equal(s.device->bytes, before);
    tc_poison_free(a);
    tc_poison_free(b);
    tc_poison_free(c);
    free(options);
    end_setup(&s);
}

static void a_fractional_epsilon_holds_after_rounding(void **state) {
    (void)state;
    tc_error error;
    setup s;
    make_setup(&s);
    s.threat.epsilon = 3.7;
    tc_poison *poison;
    void *options = options_of(&tc_gradient_matching, (const char *const[]){"steps=5", "restarts=1", NULL});
    tc_craft_job job = job_of(&s, 1);
    must(tc_gradient_matching.craft(&job, options, &poison, NULL, &error));
    assert_int_equal(tc_poison_linf(poison, s.data), 3);
    assert_int_equal(tc_round_pixel(100, 3.7, 3.7), 103);
    assert_int_equal(tc_round_pixel(100, -3.7, 3.7), 97);
    assert_int_equal(tc_round_pixel(254, 3, 3.7), 255);
    assert_int_equal(tc_round_pixel(1, -3, 3.7), 0);
    tc_poison_free(poison);
    free(options);
    end_setup(&s);
}

static void it_stops_and_refuses(void **state) {
    (void)state;
    tc_error error;
    setup s;
    make_setup(&s);
    tc_poison *poison;
    const size_t before = s.device->bytes;
    void *options = options_of(&tc_gradient_matching, quick);
    tc_craft_job job = job_of(&s, 1);
    s.stop_after = 3;
    assert_int_equal(tc_gradient_matching.craft(&job, options, &poison, NULL, &error), TC_INTERRUPTED);
    assert_int_equal(s.calls, 3);
    s.stop_after = 0;
    job.surrogate_count = 0;
    assert_int_equal(tc_gradient_matching.craft(&job, options, &poison, NULL, &error), TC_INVALID);
    job.surrogate_count = 1;
    must(tc_options_assign(tc_gradient_matching.options, options, "p=0.5", &error));
    assert_int_equal(tc_gradient_matching.craft(&job, options, &poison, NULL, &error), TC_INVALID);
    assert_null(poison);
    tc_dataset *other = tiny_dataset(8, 3, 4, 8, 8);
    job.dataset = other;
    assert_int_equal(tc_gradient_matching.craft(&job, options, &poison, NULL, &error), TC_INVALID);
    assert_int_equal(s.device->bytes, before);
    tiny_dataset_free(other);
    free(options);
    end_setup(&s);
}

static void the_control_spends_its_budget(void **state) {
    (void)state;
    static const char *const settings[] = {"distribution=sign", "distribution=uniform"};
    tc_error error;
    setup s;
    make_setup(&s);
    s.threat.epsilon = 8;
    for (int kind = 0; kind < 2; kind++) {
        tc_poison *poison;
        tc_craft_report report;
        double spent = 0;
        void *options = options_of(&tc_random_noise, (const char *const[]){settings[kind], NULL});
        tc_craft_job job = job_of(&s, 0);
        must(tc_random_noise.craft(&job, options, &poison, &report, &error));
        assert_true(isnan(report.objective));
        check_limits(&s, poison);
        for (size_t i = 0; i < poison->replaced * poison->image_bytes; i++) {
            const size_t sample = poison->index[i / poison->image_bytes];
            const uint8_t base = s.data->train.images[sample * poison->image_bytes + i % poison->image_bytes];
            spent += abs(poison->images[i] - base);
        }
        spent /= (double)(poison->replaced * poison->image_bytes);
        if (kind == 0) assert_float_equal(spent, 8, 0); /* these images keep clear of 0 and 255 */
        if (kind == 1) assert_true(spent > 3.5 && spent < 4.5);
        tc_poison_free(poison);
        free(options);
    }
    end_setup(&s);
}

static void the_registry_knows_them(void **state) {
    (void)state;
    assert_string_equal(tc_attack_find("gradient-matching")->kind, "targeted");
    assert_string_equal(tc_attack_find("random-noise")->kind, "control");
    assert_null(tc_attack_find("gradient"));
    for (const tc_attack *a = tc_attacks(); a->name; a++) {
        assert_true(a->paper && a->summary && a->equation && a->options && a->craft && a->options_size > 0);
        assert_ptr_equal(tc_attack_find(a->name), a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(falls_and_beats_noise),
        cmocka_unit_test(an_ensemble_is_matched_on_average),
        cmocka_unit_test(same_seed_same_poison_and_nothing_leaks),
        cmocka_unit_test(a_fractional_epsilon_holds_after_rounding),
        cmocka_unit_test(it_stops_and_refuses),
        cmocka_unit_test(the_control_spends_its_budget),
        cmocka_unit_test(the_registry_knows_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
