#include "attack/parts/lens.h"

#include "data/augment.h"

#include <stdlib.h>

static tc_shape shape_of(const tc_lens *lens, int n) {
    return tc_nhwc(n, lens->dataset->height, lens->dataset->width, lens->dataset->channels);
}

tc_status tc_lens_create(tc_device *device, const tc_dataset *dataset, size_t count, int piece, double shift, bool flip,
                         tc_lens *lens, tc_error *error) {
    tc_status status = TC_OK;
    const size_t image = tc_dataset_image_bytes(dataset);
    *lens =
        (tc_lens){.device = device, .dataset = dataset, .count = count, .shift = shift, .flip = flip, .plain = true};
    TC_TRY(tc_new(&lens->host, count, sizeof *lens->host, error));
    TC_TRY(tc_device_bytes(device, count * sizeof *lens->warp, &lens->warp, error));
    TC_TRY(tc_device_reals(device, (size_t)piece * image, &lens->a, error));
    TC_TRY(tc_device_reals(device, (size_t)piece * image, &lens->b, error));
done:
    if (status != TC_OK) tc_lens_free(lens);
    return status;
}

void tc_lens_free(tc_lens *lens) {
    void *const memory[] = {lens->warp, lens->a, lens->b};
    for (int i = 0; i < 3; i++)
        if (memory[i]) lens->device->k->release(lens->device, memory[i]);
    free(lens->host);
    *lens = (tc_lens){0};
}

void tc_lens_draw(tc_lens *lens, tc_stream stream) {
    lens->plain = !(lens->shift > 0) && !lens->flip;
    if (lens->plain) return;
    for (size_t i = 0; i < lens->count; i++) lens->host[i] = tc_warp_for_crafting(stream, i, lens->shift, lens->flip);
    lens->device->k->upload_bytes(lens->device, lens->warp, lens->host, lens->count * sizeof *lens->warp);
}

void tc_lens_clear(tc_lens *lens) {
    lens->plain = true;
}

void tc_lens_see(const tc_lens *lens, size_t from, int n, const void *pixels, void *x) {
    const tc_kernels *k = lens->device->k;
    const tc_dataset *data = lens->dataset;
    const tc_shape shape = shape_of(lens, n);
    const void *seen = tc_at(lens->device, pixels, from * tc_dataset_image_bytes(data));
    if (!lens->plain) {
        k->warp(lens->device, shape, lens->warp + from, seen, lens->a);
        seen = lens->a;
    }
    k->normalise(lens->device, shape, data->mean, data->std, seen, x);
}

void tc_lens_adjoint(const tc_lens *lens, size_t from, int n, double weight, const void *dx, void *dpixels) {
    const tc_kernels *k = lens->device->k;
    const tc_shape shape = shape_of(lens, n);
    const size_t image = tc_dataset_image_bytes(lens->dataset);
    k->normalise_adjoint(lens->device, shape, lens->dataset->std, dx, lens->a);
    if (!lens->plain) k->warp_adjoint(lens->device, shape, lens->warp + from, lens->a, lens->b);
    k->axpby(lens->device, (size_t)n * image, weight, lens->plain ? lens->a : lens->b, 1,
             tc_at(lens->device, dpixels, from * image));
}
