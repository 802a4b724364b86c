#include "attack/parts/crowd.h"

#include "attack/parts/perturbation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FULL = 127 }; /* what stands for ε */

size_t tc_crowd_bytes(const tc_crowd *c) {
    return (c->class_wise ? (size_t)c->dataset->classes : c->threat->poisons) * c->image;
}

/* ---- making ---- */

static tc_status make_host(tc_crowd *c, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_new(&c->kept, tc_crowd_bytes(c), 1, error));
    TC_TRY(tc_new(&c->member, c->batch, sizeof *c->member, error));
    TC_TRY(tc_new(&c->labels, c->batch, sizeof *c->labels, error));
    TC_TRY(tc_new(&c->bytes, c->batch, c->image, error));
    TC_TRY(tc_new(&c->host, c->batch * c->image, sizeof *c->host, error));
done:
    return status;
}

static tc_status make_device(tc_crowd *c, tc_error *error) {
    tc_status status = TC_OK;
    const size_t values = c->batch * c->image;
    TC_TRY(tc_device_bytes(c->device, values, &c->base8, error));
    TC_TRY(tc_device_reals(c->device, values, &c->base, error));
    TC_TRY(tc_device_reals(c->device, values, &c->delta, error));
    TC_TRY(tc_device_reals(c->device, values, &c->pixels, error));
    TC_TRY(tc_device_reals(c->device, values, &c->gradient, error));
done:
    return status;
}

tc_status tc_crowd_create(tc_device *device, const tc_dataset *dataset, const tc_threat *threat, bool class_wise,
                          size_t batch, double shift, bool flip, tc_crowd *c, tc_error *error) {
    tc_status status = TC_OK;
    *c = (tc_crowd){.device = device,
                    .dataset = dataset,
                    .threat = threat,
                    .class_wise = class_wise,
                    .batch = batch < threat->poisons ? batch : threat->poisons,
                    .image = tc_dataset_image_bytes(dataset)};
    TC_TRY(make_host(c, error));
    TC_TRY(make_device(c, error));
    TC_TRY(tc_lens_create(device, dataset, c->batch, (int)c->batch, shift, flip, &c->lens, error));
done:
    if (status != TC_OK) tc_crowd_free(c);
    return status;
}

void tc_crowd_free(tc_crowd *c) {
    void *const memory[] = {c->base8, c->base, c->delta, c->pixels, c->gradient};
    for (int i = 0; i < 5; i++)
        if (memory[i]) c->device->k->release(c->device, memory[i]);
    if (c->lens.device) tc_lens_free(&c->lens);
    free(c->kept);
    free(c->member);
    free(c->labels);
    free(c->bytes);
    free(c->host);
    *c = (tc_crowd){0};
}

/* ---- between the kept bytes and numbers ---- */

static int8_t to_kept(const tc_crowd *c, double delta) {
    const double share = c->threat->epsilon > 0 ? delta / c->threat->epsilon : 0;
    return (int8_t)lrint(FULL * fmin(fmax(share, -1), 1));
}

static double from_kept(const tc_crowd *c, int8_t kept) {
    return c->threat->epsilon / FULL * kept;
}

static int8_t *kept_of(const tc_crowd *c, uint32_t poison) {
    const int32_t label = c->dataset->train.labels[c->threat->base[poison]];
    return c->kept + (c->class_wise ? (size_t)label : poison) * c->image;
}

static double uniform(tc_stream stream, uint64_t index) {
    return 2 * tc_uniform_at(stream, index) - 1;
}

/* In the order of tc_crowd_start. */
static double (*const draws[])(tc_stream stream, uint64_t index) = {uniform, tc_normal_at};

void tc_crowd_begin(tc_crowd *c, tc_crowd_start start, tc_stream stream) {
    for (size_t i = 0; i < tc_crowd_bytes(c); i++)
        c->kept[i] = to_kept(c, c->threat->epsilon * draws[start](stream, i));
}

/* ---- a batch ---- */

static void follow(tc_crowd *c) {
    const tc_kernels *k = c->device->k;
    k->copy(c->device, c->n * c->image, c->base, c->pixels);
    k->axpby(c->device, c->n * c->image, 1, c->delta, 1, c->pixels);
    k->fill(c->device, c->n * c->image, 0, c->gradient);
}

/* host := the base images as numbers, bytes := as they are. */
static void gather(tc_crowd *c) {
    for (size_t i = 0; i < c->n; i++) {
        const uint32_t place = c->threat->base[c->member[i]];
        const uint8_t *original = c->dataset->train.images + place * c->image;
        memcpy(c->bytes + i * c->image, original, c->image);
        for (size_t j = 0; j < c->image; j++) c->host[i * c->image + j] = original[j];
        c->labels[i] = c->dataset->train.labels[place];
    }
}

static void gather_delta(tc_crowd *c) {
    for (size_t i = 0; i < c->n; i++) {
        const int8_t *kept = kept_of(c, c->member[i]);
        const uint8_t *rounded = c->rounded ? c->rounded + c->member[i] * c->image : NULL;
        const uint8_t *original = c->bytes + i * c->image;
        float *delta = c->host + i * c->image;
        for (size_t j = 0; j < c->image; j++)
            delta[j] = rounded ? (float)(rounded[j] - original[j]) : (float)from_kept(c, kept[j]);
    }
}

void tc_crowd_load(tc_crowd *c, const uint32_t *member, size_t from, size_t n) {
    const tc_kernels *k = c->device->k;
    c->n = n;
    for (size_t i = 0; i < n; i++) c->member[i] = member ? member[i] : (uint32_t)(from + i);
    gather(c);
    k->upload_bytes(c->device, c->base8, c->bytes, n * c->image);
    k->upload_float(c->device, c->base, c->host, n * c->image);
    gather_delta(c);
    k->upload_float(c->device, c->delta, c->host, n * c->image);
    k->project(c->device, n * c->image, c->threat->epsilon, c->base8, c->delta);
    follow(c);
}

void tc_crowd_restart(tc_crowd *c, tc_crowd_start start, tc_stream stream) {
    const tc_kernels *k = c->device->k;
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j < c->image; j++)
            c->host[i * c->image + j] = (float)(c->threat->epsilon * draws[start](stream, c->member[i] * c->image + j));
    k->upload_float(c->device, c->delta, c->host, c->n * c->image);
    k->project(c->device, c->n * c->image, c->threat->epsilon, c->base8, c->delta);
    follow(c);
}

void tc_crowd_step(tc_crowd *c, double length) {
    const tc_kernels *k = c->device->k;
    const size_t values = c->n * c->image;
    k->sign_power(c->device, values, length, 0, c->gradient, c->gradient);
    k->axpby(c->device, values, 1, c->gradient, 1, c->delta);
    k->project(c->device, values, c->threat->epsilon, c->base8, c->delta);
    follow(c);
}

/* The class's δ := the mean over the class's images in the batch; classes that are not in it keep theirs. */
static void keep_class(tc_crowd *c, int32_t label) {
    for (size_t j = 0; j < c->image; j++) {
        double sum = 0, count = 0;
        for (size_t i = 0; i < c->n; i++) {
            if (c->labels[i] != label) continue;
            sum += c->host[i * c->image + j];
            count++;
        }
        if (count > 0) c->kept[(size_t)label * c->image + j] = to_kept(c, sum / count);
    }
}

void tc_crowd_keep(tc_crowd *c) {
    if (!c->class_wise) {
        tc_crowd_keep_some(c, NULL);
        return;
    }
    c->device->k->download_float(c->device, c->host, c->delta, c->n * c->image);
    for (int32_t label = 0; label < c->dataset->classes; label++) keep_class(c, label);
}

void tc_crowd_keep_some(tc_crowd *c, const bool *better) {
    c->device->k->download_float(c->device, c->host, c->delta, c->n * c->image);
    for (size_t i = 0; i < c->n; i++) {
        if (better && !better[i]) continue;
        int8_t *kept = kept_of(c, c->member[i]);
        for (size_t j = 0; j < c->image; j++) kept[j] = to_kept(c, c->host[i * c->image + j]);
    }
}

/* ---- the result ---- */

/* δ is made whole before it meets the image, so that a class's is the same in all of its images, bar the pixel range.
 */
void tc_crowd_images(const tc_crowd *c, uint8_t *images) {
    tc_threat_base(c->dataset, c->threat, images);
    for (size_t i = 0; i < c->threat->poisons; i++) {
        const int8_t *kept = kept_of(c, (uint32_t)i);
        uint8_t *image = images + i * c->image;
        for (size_t j = 0; j < c->image; j++)
            image[j] = tc_round_pixel(image[j], nearbyint(from_kept(c, kept[j])), c->threat->epsilon);
    }
}

void tc_crowd_round(tc_crowd *c, uint8_t *images) {
    tc_crowd_images(c, images);
    c->rounded = images;
}
