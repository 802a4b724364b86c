/* Devices used from several threads of one process at once, as by jobs that share a GPU (experiment/crew/home.c): whole
 * trainings, recorded, give the bits that they give one after the other. On the emulator, where a thread that has not
 * chosen its GPU cannot launch a kernel; and under the thread sanitizer. Then a device that goes from one thread to
 * another. */
#include "../../train/running.h"
#include "emulator/tally.h"

#include <dlfcn.h>
#include <pthread.h>

enum { WORKERS = 3, ROUNDS = 2, SAMPLES = 40 };

typedef struct job {
    int gpu;
    uint64_t seed;
    setup s; /* but for the device, which is opened by whoever works */
    tc_weights weights;
    pthread_t thread;
    pthread_barrier_t *begin;
    tc_status status;
    tc_error error;
} job;

static tc_status train_on(job *j) {
    const tc_device_options options = {.name = "cuda", .threads = 1, .index = j->gpu};
    tc_device *device = NULL;
    tc_train_result result;
    tc_status status = TC_OK;
    TC_TRY(tc_device_open_with(&options, &device, &j->error));
    TC_TRY(tc_train(device, j->s.model, &j->s.view, &j->s.options, tc_stream_make(j->seed), NULL, &j->weights, &result,
                    &j->error));
    TC_TRY(tc_device_health(device, &j->error));
done:
    tc_device_close(device);
    return status;
}

static void *work(void *context) {
    job *j = context;
    if (j->begin) pthread_barrier_wait(j->begin);
    j->status = train_on(j);
    return NULL;
}

/* Each has its own of everything, as workers do. The convolutions' kinds of numbers and layers differ by nothing but
 * the seed, so that all are at the same places at the same time. */
static job make_job(int number, pthread_barrier_t *begin) {
    static const char *const settings[] = {"epochs=3", "batch=16", "crop=1", "flip=true", "rate=0.05", NULL};
    tc_error error;
    job j = {.gpu = number % 2, .seed = (uint64_t)number, .begin = begin};
    j.s = (setup){.data = tiny_dataset(8, 3, 3, SAMPLES, 3)};
    must(tc_view_create(j.s.data, NULL, &j.s.view, &error));
    j.s.model = tiny_model(j.s.data, true);
    tc_train_defaults(&j.s.options);
    for (int i = 0; settings[i]; i++) must(tc_options_assign(tc_train_table, &j.s.options, settings[i], &error));
    j.weights = tiny_weights(j.s.model, 1);
    return j;
}

static void expect(const job *j, const char *how) {
    if (j->status != TC_OK) fail_msg("%s: %s", how, j->error.message);
}

static void end_job(job *j) {
    tc_weights_free(&j->weights);
    end_setup(&j->s);
}

/* Numbers 0 and 2 share a GPU. */
static void side_by_side(job *expected) {
    pthread_barrier_t begin;
    job j[WORKERS];
    pthread_barrier_init(&begin, NULL, WORKERS);
    for (int i = 0; i < WORKERS; i++) j[i] = make_job(i, &begin);
    for (int i = 0; i < WORKERS; i++) assert_int_equal(pthread_create(&j[i].thread, NULL, work, &j[i]), 0);
    for (int i = 0; i < WORKERS; i++) pthread_join(j[i].thread, NULL);
    for (int i = 0; i < WORKERS; i++) {
        expect(&j[i], "side by side");
        if (!same_weights(j[i].s.model, &j[i].weights, &expected[i].weights)) fail_msg("worker %d: other bits", i);
        end_job(&j[i]);
    }
    pthread_barrier_destroy(&begin);
}

/* Each did on its own GPU what the others did on theirs: two on one, one on the other. */
static void expect_kernels(int rounds) {
    void *plugin = dlopen(getenv("TOCSIN_CUDA_PLUGIN"), RTLD_NOW | RTLD_NOLOAD);
    const tc_emulator_counts *tally = plugin ? dlsym(plugin, "tc_emulator_tally") : NULL;
    static int in_a_round;
    assert_non_null(tally);
    if (!in_a_round) in_a_round = tally->kernels[1];
    assert_true(in_a_round > 20);
    assert_int_equal(tally->kernels[0], 2 * rounds * in_a_round);
    assert_int_equal(tally->kernels[1], rounds * in_a_round);
}

static void threads_do_not_disturb_each_other(void **state) {
    (void)state;
    job expected[WORKERS];
    setenv("TOCSIN_EMULATED_GPUS", "2", 1);
    for (int i = 0; i < WORKERS; i++) {
        expected[i] = make_job(i, NULL);
        work(&expected[i]);
        expect(&expected[i], "one after the other");
    }
    assert_false(same_weights(expected[0].s.model, &expected[0].weights, &expected[2].weights));
    expect_kernels(1);
    for (int round = 0; round < ROUNDS; round++) {
        side_by_side(expected);
        expect_kernels(2 + round);
    }
    for (int i = 0; i < WORKERS; i++) end_job(&expected[i]);
}

typedef struct visitor {
    tc_device *device;
    bool enters;
    double sum;
    tc_status status;
} visitor;

static void *visit(void *context) {
    enum { COUNT = 10 };
    visitor *v = context;
    tc_error error;
    void *x = NULL;
    if (v->enters) tc_device_enter(v->device);
    v->status = tc_device_reals(v->device, COUNT, &x, &error);
    if (v->status != TC_OK) return NULL;
    v->device->k->fill(v->device, COUNT, 2, x);
    v->sum = v->device->k->sum(v->device, COUNT, x);
    v->device->k->release(v->device, x);
    v->status = tc_device_health(v->device, &error);
    return NULL;
}

/* A device that one thread has opened is another's once that enters it, and not before. */
static void a_device_changes_hands(void **state) {
    (void)state;
    for (int enters = 0; enters < 2; enters++) {
        const tc_device_options options = {.name = "cuda", .threads = 1, .index = 1};
        visitor v = {.enters = enters};
        pthread_t thread;
        tc_error error;
        must(tc_device_open_with(&options, &v.device, &error));
        assert_int_equal(pthread_create(&thread, NULL, visit, &v), 0);
        pthread_join(thread, NULL);
        assert_int_equal(v.status == TC_OK, enters);
        if (enters) assert_true(v.sum == 20);
        tc_device_enter(v.device);
        tc_device_close(v.device);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_do_not_disturb_each_other),
                                       cmocka_unit_test(a_device_changes_hands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
