/* matching_gradient.c — what rounding does to the gradient that poisons are crafted by. For a network that has been
 * trained a little, ∇_x φ of the matching loss φ = 1 − ⟨g(x), t⟩/(‖g‖‖t‖) (t: the gradient of other images towards a
 * wrong class) on `cuda` in each precision, held against the `reference` backend's, in double precision throughout.
 *
 *     matching-gradient MODEL WIDTH        WIDTH 0: the model has none
 *
 * prints a line {"precision", "cosine", "length"} each: the cosine to the reference and the length as a part of it. */
#include "data/dataset.h"
#include "nn/pass.h"
#include "train/train.h"
#include "zoo/zoo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 16, CLASSES = 10 };

typedef struct study {
    tc_dataset *dataset;
    tc_model *model;
    tc_weights weights;
    size_t pixels; /* of a batch */
} study;

static tc_status train_a_little(study *s, tc_error *error) {
    tc_train_options options;
    tc_train_result result;
    tc_device *device = NULL;
    tc_view view = {0};
    tc_status status = TC_OK;
    tc_train_defaults(&options);
    options.epochs = 2;
    options.batch = 50;
    options.rate = 0.02;
    TC_TRY(tc_weights_create(s->model, &s->weights, error));
    tc_model_init(s->model, tc_stream_make(1), s->weights.theta, s->weights.state);
    TC_TRY(tc_view_create(s->dataset, NULL, &view, error));
    TC_TRY(tc_device_open("cpu", 0, &device, error));
    TC_TRY(tc_train(device, s->model, &view, &options, tc_stream_make(2), NULL, &s->weights, &result, error));
done:
    tc_device_close(device);
    tc_view_free(&view);
    return status;
}

static tc_status make(study *s, const char *name, int width, tc_error *error) {
    char text[32];
    const char *settings[] = {text};
    const tc_dataset_options options = {.train_per_class = 50, .test_per_class = 4};
    tc_status status = TC_OK;
    snprintf(text, sizeof text, "width=%d", width);
    TC_TRY(tc_dataset_open(width ? "shapes10" : "glyphs", &options, &s->dataset, error));
    const tc_shape input = tc_nhwc(1, s->dataset->height, s->dataset->width, s->dataset->channels);
    s->pixels = BATCH * tc_dataset_image_bytes(s->dataset);
    TC_TRY(tc_zoo_build(name, input, CLASSES, settings, width ? 1 : 0, &s->model, error));
    TC_TRY(train_a_little(s, error));
done:
    return status;
}

/* Test images from number `first`, every second one, into the pass; labels moved on by `shift`. */
static void load(const study *s, tc_device *device, tc_pass *pass, size_t first, int shift, float *room) {
    const tc_dataset *data = s->dataset;
    const size_t bytes = tc_dataset_image_bytes(data);
    int32_t labels[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        const size_t from = 2 * i + first, channels = (size_t)data->channels;
        labels[i] = (data->test.labels[from] + shift) % CLASSES;
        for (size_t e = 0; e < bytes; e++) {
            const float pixel = (float)data->test.images[from * bytes + e] / 255;
            room[i * bytes + e] = (pixel - data->mean[e % channels]) / data->std[e % channels];
        }
    }
    device->k->upload_float(device, tc_pass_input(pass), room, s->pixels);
    device->k->upload_bytes(device, tc_pass_labels(pass), labels, sizeof labels);
}

/* g := ∂φ/∂g */
static void cotangent(tc_device *device, size_t p, void *g, const void *t) {
    const tc_kernels *k = device->k;
    const double inner = k->dot(device, p, g, t), gg = k->dot(device, p, g, g), tt = k->dot(device, p, t, t);
    const double scale = 1 / sqrt(gg * tt);
    k->axpby(device, p, -scale, t, inner * scale / gg, g);
}

/* gradient [pixels] := ∇_x φ on that device */
static tc_status compute(const study *s, const tc_device_options *wanted, double *gradient, tc_error *error) {
    const tc_pass_options options = {.batch = BATCH, .want = TC_WANT_GRAD_THETA | TC_WANT_JVP_X};
    const size_t p = tc_model_parameters(s->model);
    void *theta = NULL, *state = NULL, *g = NULL, *t = NULL, *x = NULL;
    float *room = NULL;
    tc_device *device = NULL;
    tc_pass *pass = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_device_open_with(wanted, &device, error));
    TC_TRY(tc_new(&room, s->pixels, sizeof *room, error));
    TC_TRY(tc_device_reals(device, p, &theta, error));
    TC_TRY(tc_device_reals(device, tc_model_state(s->model), &state, error));
    TC_TRY(tc_device_reals(device, p, &g, error));
    TC_TRY(tc_device_reals(device, p, &t, error));
    TC_TRY(tc_device_reals(device, s->pixels, &x, error));
    TC_TRY(tc_pass_create(device, s->model, &options, &pass, error));
    device->k->upload_float(device, theta, s->weights.theta, p);
    device->k->upload_float(device, state, s->weights.state, tc_model_state(s->model));
    load(s, device, pass, 1, 1, room);
    tc_pass_grad(pass, theta, state, t, NULL);
    load(s, device, pass, 0, 0, room);
    tc_pass_grad(pass, theta, state, g, NULL);
    cotangent(device, p, g, t);
    tc_pass_grad_jvp(pass, g, NULL, NULL, x);
    device->k->download_double(device, gradient, x, s->pixels);
    TC_TRY(tc_device_health(device, error));
done:
    tc_pass_free(pass);
    void *const held[] = {theta, state, g, t, x};
    for (size_t i = 0; device && i < sizeof held / sizeof *held; i++) device->k->release(device, held[i]);
    tc_device_close(device);
    free(room);
    return status;
}

static void tell(const char *precision, const double *x, const double *y, size_t count) {
    double xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < count; i++) {
        xy += x[i] * y[i];
        xx += x[i] * x[i];
        yy += y[i] * y[i];
    }
    printf("{\"precision\": \"%s\", \"cosine\": %.12f, \"length\": %.9f}\n", precision, xy / sqrt(xx * yy),
           sqrt(xx / yy));
}

static tc_status run(const char *model, int width, tc_error *error) {
    static const char *const names[] = {"f32", "tf32", "bf16"};
    study s = {0};
    double *expected = NULL, *got = NULL;
    tc_status status = TC_OK;
    TC_TRY(make(&s, model, width, error));
    TC_TRY(tc_new(&expected, s.pixels, sizeof *expected, error));
    TC_TRY(tc_new(&got, s.pixels, sizeof *got, error));
    TC_TRY(compute(&s, &(tc_device_options){.name = "reference"}, expected, error));
    for (int precision = TC_F32_MATHS; precision <= TC_BF16_MATHS; precision++) {
        const tc_device_options wanted = {.name = "cuda", .precision = (tc_precision)precision};
        TC_TRY(compute(&s, &wanted, got, error));
        tell(names[precision], got, expected, s.pixels);
    }
done:
    free(expected);
    free(got);
    tc_weights_free(&s.weights);
    tc_model_free(s.model);
    tc_dataset_free(s.dataset);
    return status;
}

int main(int argc, char **argv) {
    tc_error error = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: matching-gradient MODEL WIDTH\n");
        return TC_INVALID;
    }
    const tc_status status = run(argv[1], atoi(argv[2]), &error);
    if (status != TC_OK) fprintf(stderr, "matching-gradient: %s\n", error.message);
    return (int)status;
}
