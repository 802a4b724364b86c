/* each.h — holding the squared norms and the weighted sums of single images' gradients against those gradients. */
#ifndef TC_TESTS_NN_EACH_H
#define TC_TESTS_NN_EACH_H

#include "checks.h"

enum { MOST_EACH = 32 };

static inline double sum_of_squares(const double *g, size_t count) {
    return inner(g, g, count);
}

/* Not one of the factors 1, so that none can be left out. */
static inline double weight_of(int image) {
    return 0.3 + 0.2 * image;
}

static inline lab open_each(tc_device *device, const tc_model *model, tc_mode mode, int batch) {
    return lab_open(
        device, model,
        (tc_pass_options){.batch = batch, .mode = mode, .want = TC_WANT_GRAD_THETA | TC_WANT_GRAD_X | TC_WANT_EACH});
}

static inline void each_agrees(const lab *l, const char *what, double is, double should, double tolerance) {
    if (!(fabs(is - should) <= tolerance * fabs(should)))
        fail_msg("%s on %s: %s is %.12g, not %.12g", tc_model_name(l->model), l->device->name, what, is, should);
}

/* Σ weight_i g_i in l->host[G]. */
static inline void sum_each(lab *l, int count, const double *weights) {
    tc_pass_grad_sum(l->pass, count, weights, l->g);
    l->device->k->download_double(l->device, l->host[G], l->g, l->p);
}

/* The image and the answer of another lab's pass. */
static inline void take_image(lab *one, const lab *all, int image) {
    const size_t size = one->x;
    double *pixels = calloc(size, sizeof *pixels);
    int32_t label;
    all->device->k->download_double(all->device, pixels, tc_at(all->device, tc_pass_input(all->pass), image * size),
                                    size);
    all->device->k->download_bytes(all->device, &label, tc_pass_labels(all->pass) + image, sizeof label);
    one->device->k->upload_double(one->device, tc_pass_input(one->pass), pixels, size);
    one->device->k->upload_bytes(one->device, tc_pass_labels(one->pass), &label, sizeof label);
    free(pixels);
}

/* Against passes of one image on the oracle: `count` images in a pass of `batch`. */
static inline void check_each_alone(tc_device *device, tc_device *oracle, const tc_model *model, int batch, int count,
                                    double tolerance) {
    lab l = open_each(device, model, TC_EVALUATE, batch);
    lab one = lab_open(oracle, model,
                       (tc_pass_options){.batch = 1, .mode = TC_EVALUATE, .want = TC_WANT_GRAD_THETA | TC_WANT_GRAD_X});
    double squares[MOST_EACH], weights[MOST_EACH], losses = 0, *sum = calloc(l.p, sizeof *sum);
    const double loss = tc_pass_grad_each(l.pass, l.theta, count, squares);
    for (int i = 0; i < count; i++) {
        take_image(&one, &l, i);
        lab_run(&one, TC_EVALUATE, false, false, false);
        each_agrees(&l, "a squared norm", squares[i], sum_of_squares(one.host[G], l.p), tolerance);
        weights[i] = weight_of(i);
        losses += one.loss / count;
        for (size_t k = 0; k < l.p; k++) sum[k] += weights[i] * one.host[G][k];
    }
    each_agrees(&l, "the loss", loss, losses, tolerance);
    sum_each(&l, count, weights);
    if (!(relative_error(l.host[G], sum, l.p) <= tolerance))
        fail_msg("%s on %s: the weighted sum is off by %.2e", tc_model_name(model), device->name,
                 relative_error(l.host[G], sum, l.p));
    free(sum);
    lab_close(&one);
    lab_close(&l);
}

/* In training mode, where dropout tells images apart: each gradient's own norm is that which was told of it, and with
 * equal weights the sum is the ordinary gradient. */
static inline void check_each_together(tc_device *device, const tc_model *model, int batch, double tolerance) {
    lab l = open_each(device, model, TC_TRAIN, batch);
    double squares[MOST_EACH], weights[MOST_EACH] = {0};
    tc_pass_grad_each(l.pass, l.theta, batch, squares);
    for (int i = 0; i < batch; i++) {
        weights[i] = 1;
        sum_each(&l, batch, weights);
        each_agrees(&l, "a squared norm", squares[i], sum_of_squares(l.host[G], l.p), tolerance);
        weights[i] = 0;
    }
    for (int i = 0; i < batch; i++) weights[i] = 1.0 / batch;
    sum_each(&l, batch, weights);
    double *sum = lab_copy(l.host[G], l.p);
    lab_run(&l, TC_TRAIN, false, false, false);
    if (!(relative_error(sum, l.host[G], l.p) <= tolerance))
        fail_msg("%s on %s: the sum is off by %.2e", tc_model_name(model), device->name,
                 relative_error(sum, l.host[G], l.p));
    free(sum);
    lab_close(&l);
}

static inline void check_each_refused(tc_device *device, const tc_model *model) {
    const tc_pass_options options = {.batch = 3, .mode = TC_TRAIN, .want = TC_WANT_GRAD_THETA | TC_WANT_EACH};
    tc_pass *pass = NULL;
    tc_error error = {0};
    assert_int_equal(tc_pass_create(device, model, &options, &pass, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "no image has a gradient of its own"));
    assert_null(pass);
}

/* Batches that fill images abreast once and once in part; the emulated GPU has enough with fewer. */
static inline void check_each(const devices *d, const tc_model *model) {
    const bool gpu = !strcmp(d->cpu->name, "cuda");
    const int batch = gpu ? 4 : 18, count = batch - 1;
    if (tc_model_state(model) > 0) {
        check_each_refused(d->reference, model);
        return;
    }
    if (!oracle_is_proved()) {
        check_each_alone(d->reference, d->reference, model, 4, 3, 1e-10);
        check_each_together(d->reference, model, 4, 1e-10);
    }
    check_each_alone(d->cpu, d->reference, model, batch, count, 1e-4);
    check_each_together(d->cpu, model, gpu ? 3 : 5, 1e-4);
}

#endif
