/* A training that is taken step by step is the training that tc_train takes, variants and all, as long as the images
 * and the rates are the same; it can be gone on with from its state, and it sees images that have changed. */
#include "running.h"

#include "train/course.h"
#include "train/schedule.h"

static tc_course *course_of(setup *s, uint64_t seed) {
    tc_error error;
    tc_course *course;
    tc_weights weights = tiny_weights(s->model, 1);
    must(tc_course_create(s->device, s->model, &s->view, &s->options, tc_stream_make(seed), &weights, &course, &error));
    tc_weights_free(&weights);
    return course;
}

/* As many steps as an epoch takes, at the rates that tc_train would take. */
static void take_epochs(setup *s, tc_course *course, int64_t from, int64_t to) {
    tc_error error;
    const int64_t batch = s->options.batch, count = (int64_t)s->view.count;
    for (int64_t epoch = from; epoch < to; epoch++)
        for (int64_t at = 0; at < count; at += batch) {
            const double middle = (double)at + 0.5 * (double)(count - at < batch ? count - at : batch);
            const double share = ((double)epoch + middle / (double)count) / (double)s->options.epochs;
            must(tc_course_step(course, tc_course_rate(course, share), &error));
        }
}

static tc_weights weights_of(setup *s, tc_course *course) {
    const tc_train_state *run = tc_course_state(course);
    tc_weights weights = tiny_weights(s->model, 9);
    s->device->k->download_float(s->device, weights.theta, run->theta, run->parameters);
    s->device->k->download_float(s->device, weights.state, run->state, run->statistics);
    return weights;
}

static const char *const kinds[][4] = {{"rate=0.05", NULL},
                                       {"optimiser=adam", "rate=0.01", NULL},
                                       {"cutout=3", "mixup=1", NULL},
                                       {"sam_rho=0.1", NULL},
                                       {"adversarial_epsilon=4", "adversarial_steps=2", "schedule=cosine", NULL},
                                       {"dp_clip=1", "dp_noise=0.1", "dp_unit=batch", NULL}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void is_the_same_training(void **state) {
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        setup s = make_setup("cpu", true, 50, kinds[k]);
        tc_weights whole, stepped;
        s.options.epochs = 3;
        s.options.batch = 16; /* and a last one of 2 */
        run(&s, 5, NULL, &whole);
        tc_course *course = course_of(&s, 5);
        take_epochs(&s, course, 0, 3);
        stepped = weights_of(&s, course);
        for (size_t i = 0; i < tc_model_parameters(s.model); i++)
            assert_float_equal(stepped.theta[i], whole.theta[i], 1e-5); /* the rate is rounded another way */
        tc_weights_free(&whole);
        tc_weights_free(&stepped);
        tc_course_free(course);
        end_setup(&s);
    }
}

/* One course's state put into another that is new. */
static void goes_on_from_a_state(void **state) {
    (void)state;
    setup s = make_setup("cpu", true, 50, (const char *const[]){"rate=0.05", "batch=16", "epochs=4", NULL});
    tc_course *one = course_of(&s, 5), *other = course_of(&s, 5);
    tc_weights expected, found;
    take_epochs(&s, one, 0, 2);
    const tc_train_state *from = tc_course_state(one);
    tc_train_state *to = tc_course_state(other);
    s.device->k->copy(s.device, from->parameters, from->theta, to->theta);
    s.device->k->copy(s.device, from->statistics, from->state, to->state);
    for (int i = 0; i < from->optimiser.moments; i++)
        s.device->k->copy(s.device, from->parameters, from->optimiser.moment[i], to->optimiser.moment[i]);
    to->at = from->at;
    tc_course_resume(other);
    take_epochs(&s, one, 2, 4);
    take_epochs(&s, other, 2, 4);
    expected = weights_of(&s, one);
    found = weights_of(&s, other);
    assert_true(same_weights(s.model, &expected, &found));
    tc_weights_free(&expected);
    tc_weights_free(&found);
    tc_course_free(one);
    tc_course_free(other);
    end_setup(&s);
}

static void sees_images_that_have_changed(void **state) {
    (void)state;
    tc_error error;
    setup s = make_setup("cpu", false, 32, (const char *const[]){"rate=0.05", "batch=16", NULL});
    tc_course *one = course_of(&s, 5), *other = course_of(&s, 5);
    tc_weights a, b;
    memset(s.data->train.images, 7, 32 * tc_dataset_image_bytes(s.data));
    must(tc_course_step(one, 0.05, &error)); /* still the old ones */
    tc_course_renew(other);
    must(tc_course_step(other, 0.05, &error));
    a = weights_of(&s, one);
    b = weights_of(&s, other);
    assert_false(same_weights(s.model, &a, &b));
    tc_weights_free(&a);
    tc_weights_free(&b);
    tc_course_free(one);
    tc_course_free(other);
    end_setup(&s);
}

static void refuses_what_training_would(void **state) {
    (void)state;
    tc_error error;
    tc_course *course;
    setup s = make_setup("cpu", true, 32, (const char *const[]){"sam_rho=0.1", "dp_clip=1", "dp_unit=batch", NULL});
    tc_weights weights = tiny_weights(s.model, 1);
    assert_int_equal(
        tc_course_create(s.device, s.model, &s.view, &s.options, tc_stream_make(1), &weights, &course, &error),
        TC_INVALID);
    assert_non_null(strstr(error.message, "sam_rho"));
    assert_null(course);
    tc_weights_free(&weights);
    end_setup(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_same_training),
        cmocka_unit_test(goes_on_from_a_state),
        cmocka_unit_test(sees_images_that_have_changed),
        cmocka_unit_test(refuses_what_training_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
