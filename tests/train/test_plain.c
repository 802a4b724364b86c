/* Steps as a device takes them by itself, plain and with every variant that can do without the host, recorded where it
 * can: the same bits as steps called one by one, whole or in pieces, without a wait inside an epoch. On `cpu`, or what
 * TOCSIN_TEST_DEVICE says. */
#include "running.h"
#include "waits.h"

#include "train/trainer.h"
#include "zoo/zoo.h"

static const char *name_of_device(void) {
    return tested_device("cpu");
}

/* ---- what is trained ---- */

/* Two hidden layers with dropout behind each: a step has random numbers of its own. */
static tc_model *perceptron(const tc_dataset *data) {
    tc_error error;
    tc_model *model = NULL;
    tc_graph *g = tc_graph_begin("perceptron", data->height, data->width, data->channels, data->classes);
    tc_node x = tc_graph_flatten(g, tc_graph_input(g));
    for (int i = 0; i < 2; i++) {
        char name[16];
        snprintf(name, sizeof name, "fc%d", i);
        x = tc_graph_relu(g, tc_graph_linear(g, name, x, 20, true));
        x = tc_graph_dropout(g, x, 0.2 + 0.2 * i);
    }
    x = tc_graph_linear(g, "out", x, data->classes, true);
    must(tc_graph_finish(g, x, &model, &error));
    return model;
}

typedef struct variety {
    const char *name;
    bool convolutions; /* and batch normalisation; else the perceptron */
    const char *settings[5];
} variety;

static const variety varieties[] = {
    {"sgd", false, {"momentum=0.9", "nesterov=true"}},
    {"sgd without momentum or augmentation", false, {"momentum=0", "crop=0", "flip=false"}},
    {"adamw", false, {"optimiser=adamw", "rate=0.01", "weight_decay=0.1"}},
    {"adam", true, {"optimiser=adam", "rate=0.01"}},
    {"cyclic", false, {"schedule=cyclic", "warmup=0"}},
    {"Cut-Out", false, {"cutout=3"}},
    {"Mix-Up", false, {"mixup=1"}},
    {"CutMix in some batches", false, {"cutmix=1", "cutmix_probability=0.5"}},
    {"all three", false, {"cutout=3", "mixup=0.4", "cutmix=0.7"}},
    {"SAM", true, {"sam_rho=0.05"}},
    {"adversarial, with dropout", false, {"adversarial_epsilon=4", "adversarial_steps=2", "flip=false"}},
    {"SAM on mixed attacks", false, {"sam_rho=0.05", "mixup=1", "adversarial_epsilon=4", "adversarial_steps=1"}},
};
enum { VARIETIES = sizeof varieties / sizeof *varieties, SAMPLES = 70, EPOCHS = 4, STEPS = 5 };

/* Where activations are kept as halves, only networks with positions have any. */
static bool matters_here(const variety *v) {
    return v->convolutions || !getenv("TOCSIN_TEST_PRECISION");
}

static const char *const base[] = {"epochs=4",  "batch=16", "crop=1",          "flip=true",
                                   "rate=0.05", "warmup=1", "schedule=cosine", NULL};

static setup make_variety(const variety *v) {
    tc_error error;
    setup s = make_setup(name_of_device(), true, SAMPLES, base);
    if (!v->convolutions) {
        tc_model_free(s.model);
        s.model = perceptron(s.data);
    }
    for (const char *const *setting = v->settings; *setting; setting++)
        must(tc_options_assign(tc_train_table, &s.options, *setting, &error));
    return s;
}

/* ---- the device's table, looked at and tampered with ---- */

static int replays, recorded, refused;

static void count_replay(tc_device *device, tc_recording *recording) {
    replays++;
    real_table->replay(device, recording);
}

static tc_status count_record_end(tc_device *device, tc_recording **recording, tc_error *error) {
    const tc_status status = real_table->record_end(device, recording, error);
    recorded++;
    refused += status != TC_OK;
    return status;
}

/* Waits, which nobody may who is recorded. */
static void slow_tally(tc_device *device, const tc_loss *loss, const void *value, tc_count *count) {
    real_table->sum(device, (size_t)loss->n, value);
    real_table->tally(device, loss, value, count);
}

static void watch_table(setup *s) {
    replays = recorded = refused = 0;
    watch_waits(s->device);
    if (table.replay) table.replay = count_replay;
    if (table.record_end) table.record_end = count_record_end;
}

static void forget_recording(setup *s) {
    watch_table(s);
    table.record_begin = NULL;
    table.record_end = NULL;
    table.replay = NULL;
    table.recording_free = NULL;
}

/* ---- tests ---- */

/* A training in steps that the host takes one by one: everything brought by it, every number waited for. */
static tc_train_result by_hand(setup *s, tc_weights *weights) {
    tc_error error;
    tc_train_result result = {0};
    tc_trainer t = {
        .device = s->device, .model = s->model, .view = &s->view, .options = &s->options, .stream = tc_stream_make(5)};
    tc_train_place *at = &t.run.at;
    *weights = tiny_weights(s->model, 1);
    must(tc_trainer_make(&t, weights, &error));
    for (; at->epoch < s->options.epochs; at->epoch++) {
        tc_tally sum = {0};
        tc_samples_begin_epoch(&t.samples, at->epoch);
        for (at->place = 0; (size_t)at->place < t.epoch_samples; at->place += t.batch, at->steps++) {
            const size_t left = t.epoch_samples - (size_t)at->place;
            const int n = left < (size_t)t.batch ? (int)left : t.batch;
            const double rate = tc_trainer_rate(&t, at->epoch, at->place, n);
            const tc_tally tally = tc_trainer_gradient(&t, n);
            tc_optimiser_step(&t.run.optimiser, rate, at->steps + 1, t.gradient, t.run.theta);
            sum.loss += tally.loss;
            sum.correct += tally.correct;
        }
        result.loss = sum.loss / SAMPLES;
        result.accuracy = (double)sum.correct / SAMPLES;
    }
    s->device->k->download_float(s->device, weights->theta, t.run.theta, t.run.parameters);
    s->device->k->download_float(s->device, weights->state, t.run.state, t.run.statistics);
    tc_trainer_free(&t);
    return result;
}

static void expect_same(const variety *v, const setup *s, const char *how, const tc_weights *a, tc_weights *b,
                        tc_train_result first, tc_train_result second) {
    if (!same_weights(s->model, a, b)) fail_msg("%s: other bits %s", v->name, how);
    assert_float_equal(first.loss, second.loss, 0);
    assert_float_equal(first.accuracy, second.accuracy, 0);
    tc_weights_free(b);
}

/* Recorded, called kernel by kernel, and after a recording that was refused. */
static void however_a_step_is_called_the_bits_are_the_same(void **state) {
    (void)state;
    for (int i = 0; i < VARIETIES; i++) {
        const variety *v = &varieties[i];
        if (!matters_here(v)) continue;
        setup s = make_variety(v);
        tc_weights a, b;
        tc_train_result expected = by_hand(&s, &a), result;
        watch_table(&s);
        result = run(&s, 5, NULL, &b);
        expect_same(v, &s, "by itself", &a, &b, expected, result);
        if (table.record_begin) {
            assert_int_equal(recorded, 2);                  /* of two sizes */
            assert_int_equal(replays, EPOCHS * (STEPS)-2);  /* all but the first of each */
            assert_in_range(waits, EPOCHS + 2, EPOCHS + 2); /* the end of an epoch; the weights, the state */
        }
        s.device->k = real_table;
        forget_recording(&s);
        result = run(&s, 5, NULL, &b);
        expect_same(v, &s, "kernel by kernel", &a, &b, expected, result);
        s.device->k = real_table;
        watch_table(&s);
        table.tally = slow_tally;
        result = run(&s, 5, NULL, &b);
        expect_same(v, &s, "where recording is refused", &a, &b, expected, result);
        if (table.record_begin) {
            assert_int_equal(refused, 2); /* each size tried once … */
            assert_true(replays > 0);     /* … and the gradient, which does not wait, by itself */
        }
        tc_weights_free(&a);
        s.device->k = real_table;
        end_setup(&s);
    }
}

/* Every kernel of a network as large as they come, small. */
static void a_residual_network_is_recorded(void **state) {
    (void)state;
    tc_error error;
    const char *const settings[] = {"epochs=3", "batch=8", "crop=1", "flip=true", "rate=0.02", NULL};
    const char *const sizes[] = {"width=4"};
    setup s = make_setup(name_of_device(), true, 16, settings);
    tc_weights a, b;
    tc_model_free(s.model);
    must(tc_zoo_build("resnet18", tc_nhwc(1, 8, 8, 3), 3, sizes, 1, &s.model, &error));
    watch_table(&s);
    const tc_train_result first = run(&s, 5, NULL, &a);
    if (table.record_begin) assert_int_equal(replays, 5);
    s.device->k = real_table;
    forget_recording(&s);
    const tc_train_result second = run(&s, 5, NULL, &b);
    expect_same(&(variety){.name = "resnet18"}, &s, "recorded", &a, &b, first, second);
    tc_weights_free(&a);
    s.device->k = real_table;
    end_setup(&s);
}

static void resuming_gives_the_same_bits(void **state) {
    (void)state;
    char folder[64], path[128];
    temporary(folder, path, sizeof path);
    for (int i = 0; i < VARIETIES; i++) {
        if (!matters_here(&varieties[i])) continue;
        setup s = make_variety(&varieties[i]);
        tc_weights whole, pieces;
        double curve[2 * EPOCHS], pieced[2 * EPOCHS]; /* [epochs][2] */
        tc_train_result result, expected = run(&s, 5, &(tc_train_hooks){.curve = curve}, &whole);
        for (int interrupted = 0;; interrupted++) { /* after every 7th step, in and between epochs */
            tc_error error;
            stopper every = {7};
            const tc_train_hooks hooks = {.stop = stop, .context = &every, .checkpoint = path, .curve = pieced};
            pieces = tiny_weights(s.model, 1);
            const tc_status status =
                tc_train(s.device, s.model, &s.view, &s.options, tc_stream_make(5), &hooks, &pieces, &result, &error);
            if (status == TC_OK) {
                assert_int_equal(interrupted, 2); /* 20 steps */
                break;
            }
            if (status != TC_INTERRUPTED) fail_msg("%s", error.message);
            tc_weights_free(&pieces);
        }
        assert_memory_equal(curve, pieced, sizeof curve);
        expect_same(&varieties[i], &s, "after resuming", &whole, &pieces, expected, result);
        tc_weights_free(&whole);
        end_setup(&s);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* Drops a few more samples before every epoch, so that the remainder, and in the end the batch, have other sizes. */
static tc_status drop_some(void *context, const tc_train_moment *moment, uint8_t *keep, tc_error *error) {
    (void)context, (void)error;
    for (int i = 0; i < SAMPLES; i++) keep[i] = i >= 20 * moment->epoch;
    return TC_OK;
}

static void samples_may_drop_out(void **state) {
    (void)state;
    setup s = make_variety(&varieties[0]);
    tc_weights a, b;
    const tc_train_hooks hooks = {.keep = drop_some};
    watch_table(&s);
    const tc_train_result first = run(&s, 5, &hooks, &a);
    if (table.record_begin) assert_true(replays > 0);
    s.device->k = real_table;
    forget_recording(&s);
    const tc_train_result second = run(&s, 5, &hooks, &b);
    assert_int_equal(first.kept, 10);
    assert_int_equal(first.steps, 5 + 4 + 2 + 1);
    expect_same(&varieties[0], &s, "recorded", &a, &b, first, second);
    tc_weights_free(&a);
    s.device->k = real_table;
    end_setup(&s);
}

/* What the device has allocated must not change between reports, nor be kept after the last. */
typedef struct watch {
    tc_device *device;
    uint64_t allocations;
    int reports;
} watch;

static void look(void *context, const tc_epoch_report *report, double fraction) {
    watch *w = context;
    (void)fraction;
    if (w->reports++ == 0) w->allocations = w->device->allocations;
    assert_int_equal(w->device->allocations, w->allocations);
    assert_true(isfinite(report->loss));
}

static void steps_allocate_nothing(void **state) {
    (void)state;
    setup s = make_variety(&varieties[0]);
    watch w = {.device = s.device};
    const tc_train_hooks hooks = {.progress = look, .context = &w};
    tc_weights weights;
    const size_t before = s.device->bytes;
    run(&s, 5, &hooks, &weights);
    assert_true(w.reports >= EPOCHS);
    assert_int_equal(s.device->bytes, before);
    tc_weights_free(&weights);
    end_setup(&s);
}

static void divergence_is_one_clear_line(void **state) {
    (void)state;
    tc_error error;
    setup s = make_variety(&(variety){"diverging", false, {"rate=1000", "weight_decay=1", "schedule=constant"}});
    tc_weights weights = tiny_weights(s.model, 1), before = tiny_weights(s.model, 1);
    s.options.epochs = 100;
    s.options.warmup = 0;
    assert_int_equal(tc_train(s.device, s.model, &s.view, &s.options, tc_stream_make(1), NULL, &weights, NULL, &error),
                     TC_FAILED);
    assert_non_null(strstr(error.message, "no longer a number in epoch "));
    assert_null(strchr(error.message, '\n'));
    assert_true(same_weights(s.model, &weights, &before)); /* left as they were */
    tc_weights_free(&weights);
    tc_weights_free(&before);
    end_setup(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_a_step_is_called_the_bits_are_the_same),
        cmocka_unit_test(a_residual_network_is_recorded),
        cmocka_unit_test(resuming_gives_the_same_bits),
        cmocka_unit_test(samples_may_drop_out),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(divergence_is_one_clear_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
