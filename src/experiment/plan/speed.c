/* speed.c — how fast a network is: the gradient of a few images. */
#include "experiment/plan/bench.h"

#include "experiment/plan/key.h"
#include "nn/pass.h"
#include "train/clock.h"

#include <math.h>

enum { IMAGES = 4 };             /* as few as tell: a step of a large network on all its batch may take minutes */
static const double brief = 0.5; /* seconds: a gradient that takes less is timed once more, with its memory warm */

static tc_status key_of(const tc_bench *b, const tc_network_spec *network, char key[TC_KEY_SIZE], tc_error *error) {
    return tc_key_of(json_pack("{s:o, s:s, s:o}", "data", tc_options_json(tc_data_table, &b->spec->data), "model",
                               network->model, "options", tc_options_json(network->entry->options, &network->zoo)),
                     key, error);
}

static double time_gradient(tc_pass *pass, const void *theta, void *state, void *g) {
    const double start = tc_clock();
    tc_pass_grad(pass, theta, state, g, NULL);
    return tc_clock() - start;
}

static tc_status time_pass(const tc_bench *b, const tc_model *model, const tc_weights *weights, tc_pass *pass,
                           double *seconds, tc_error *error) {
    tc_device *device = b->device;
    const size_t parameters = tc_model_parameters(model), statistics = tc_model_state(model);
    const size_t values = IMAGES * tc_dataset_image_bytes(b->dataset);
    const int32_t labels[IMAGES] = {0};
    void *theta = NULL, *state = NULL, *g = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_device_reals(device, parameters, &theta, error));
    TC_TRY(tc_device_reals(device, statistics + 1, &state, error)); /* never empty */
    TC_TRY(tc_device_reals(device, parameters, &g, error));
    device->k->upload_float(device, theta, weights->theta, parameters);
    device->k->upload_float(device, state, weights->state, statistics);
    device->k->upload_bytes(device, tc_pass_labels(pass), labels, sizeof labels);
    device->k->normal(device, values, tc_stream_make(1), 1, tc_pass_input(pass));
    tc_pass_set_stream(pass, tc_stream_make(1));
    *seconds = time_gradient(pass, theta, state, g) / IMAGES;
    if (*seconds * IMAGES < brief) *seconds = time_gradient(pass, theta, state, g) / IMAGES;
done:
    if (theta) device->k->release(device, theta);
    if (state) device->k->release(device, state);
    if (g) device->k->release(device, g);
    return status;
}

static tc_status measure(const tc_bench *b, const tc_model *model, double *seconds, double *bytes, tc_error *error) {
    const tc_pass_options options = {
        .batch = IMAGES, .mode = TC_TRAIN, .want = TC_WANT_GRAD_THETA, .loss = TC_CROSS_ENTROPY};
    tc_weights weights = {0};
    tc_pass *pass = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_weights_create(model, &weights, error));
    tc_model_init(model, tc_stream_make(1), weights.theta, weights.state);
    TC_TRY(tc_pass_create(b->device, model, &options, &pass, error));
    TC_TRY(time_pass(b, model, &weights, pass, seconds, error));
    *bytes = (double)tc_pass_bytes(pass) / IMAGES;
done:
    tc_pass_free(pass);
    tc_weights_free(&weights);
    return status;
}

/* The first network is always measured: there has to be something to go by. */
static tc_status find_out(tc_bench *b, const tc_model *model, double *seconds, double *bytes, tc_error *error) {
    const double macs = tc_model_macs(model);
    tc_status status = TC_OK;
    *bytes = 0;
    b->networks++;
    if (b->measured && b->macs > 0 && tc_clock() > b->deadline) {
        *seconds = b->seconds * macs / b->macs;
        return TC_OK;
    }
    TC_TRY(measure(b, model, seconds, bytes, error));
    b->measured++;
    b->seconds += *seconds;
    b->macs += macs;
done:
    return status;
}

tc_status tc_bench_speed(tc_bench *b, const tc_network_spec *network, const tc_model *model, double *seconds,
                         double *bytes, tc_error *error) {
    char key[TC_KEY_SIZE];
    double taken = 0, room = 0;
    tc_status status = TC_OK;
    TC_TRY(key_of(b, network, key, error));
    const json_t *known = json_object_get(b->speeds, key);
    if (!known) {
        TC_TRY(find_out(b, model, &taken, &room, error));
        if (json_object_set_new(b->speeds, key, json_pack("[f, f]", taken, room)))
            TC_RAISE(TC_FAILED, "memory: none left to measure the study; free some");
        known = json_object_get(b->speeds, key);
    }
    *seconds = json_number_value(json_array_get(known, 0));
    if (bytes) *bytes = json_number_value(json_array_get(known, 1));
done:
    return status;
}

double tc_bench_left(const tc_bench *b) {
    return fmin(b->share, b->deadline - tc_clock());
}
