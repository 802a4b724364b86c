#include "train/samples.h"

#include "data/augment.h"

#include <stdlib.h>

static tc_status upload(tc_samples *samples, const tc_view *view, tc_error *error) {
    tc_status status = TC_OK;
    const size_t bytes = tc_dataset_image_bytes(view->dataset);
    TC_TRY(tc_device_bytes(samples->device, view->count * bytes, &samples->images, error));
    for (size_t i = 0; i < view->count; i++) {
        const int32_t label = tc_view_label(view, i);
        if (label < 0 || label >= view->dataset->classes)
            TC_RAISE(TC_INVALID, "train: sample %zu has label %d, outside 0 ... %d; mend the data", i, label,
                     view->dataset->classes - 1);
        samples->labels[i] = label;
    }
    tc_samples_renew(samples, view);
done:
    return status;
}

void tc_samples_renew(tc_samples *samples, const tc_view *view) {
    const tc_kernels *k = samples->device->k;
    const size_t bytes = tc_dataset_image_bytes(view->dataset);
    for (size_t i = 0; i < view->count; i++)
        k->upload_bytes(samples->device, samples->images + i * bytes, tc_view_image(view, i), bytes);
}

tc_status tc_samples_create(tc_device *device, const tc_view *view, const tc_train_options *options, tc_stream stream,
                            int batch, tc_samples *samples, tc_error *error) {
    tc_status status = TC_OK;
    *samples = (tc_samples){.device = device,
                            .dataset = view->dataset,
                            .stream = stream,
                            .crop = options->crop,
                            .flip = options->flip,
                            .augment = options->crop > 0 || options->flip,
                            .count = view->count,
                            .kept = view->count,
                            .batch = batch};
    TC_TRY(tc_new(&samples->labels, view->count, sizeof *samples->labels, error));
    TC_TRY(tc_new(&samples->order, view->count + (size_t)batch, sizeof *samples->order, error));
    TC_TRY(tc_new(&samples->host_warp, (size_t)batch, sizeof *samples->host_warp, error));
    TC_TRY(tc_new(&samples->host_labels, (size_t)batch, sizeof *samples->host_labels, error));
    TC_TRY(tc_device_bytes(device, (size_t)batch * sizeof *samples->index, &samples->index, error));
    TC_TRY(tc_device_bytes(device, (size_t)batch * sizeof *samples->warp, &samples->warp, error));
    TC_TRY(upload(samples, view, error));
done:
    return status;
}

void tc_samples_free(tc_samples *samples) {
    void *const on_device[] = {samples->images, samples->index, samples->warp};
    for (size_t i = 0; i < sizeof on_device / sizeof *on_device; i++)
        if (on_device[i]) samples->device->k->release(samples->device, on_device[i]);
    free(samples->labels);
    free(samples->order);
    free(samples->host_warp);
    free(samples->host_labels);
    *samples = (tc_samples){0};
}

void tc_samples_begin_epoch(tc_samples *samples, int64_t epoch) {
    tc_stream order = tc_stream_child(samples->stream, "order", (uint64_t)epoch);
    tc_draw_permutation(&order, samples->order, samples->count);
    samples->kept = samples->count;
    if (!samples->keep) return;
    samples->kept = 0;
    for (size_t i = 0; i < samples->count; i++)
        if (samples->keep[samples->order[i]]) samples->order[samples->kept++] = samples->order[i];
}

size_t tc_samples_draw_lot(tc_samples *samples, int64_t lot, double q) {
    const tc_stream stream = tc_stream_child(samples->stream, "lot", (uint64_t)lot);
    size_t drawn = 0;
    for (size_t i = 0; i < samples->count; i++)
        if (tc_uniform_at(stream, i) < q) samples->order[drawn++] = (uint32_t)i;
    for (int i = 0; drawn > 0 && i < samples->batch; i++) samples->order[drawn + (size_t)i] = samples->order[0];
    return drawn;
}

void tc_samples_warps(const tc_samples *samples, int64_t round, size_t from, size_t n, tc_warp *warps) {
    const tc_stream stream = tc_stream_child(samples->stream, "augment", (uint64_t)round);
    for (size_t i = 0; i < n; i++) warps[i] = tc_warp_for_training(stream, from + i, samples->crop, samples->flip);
}

void tc_samples_show(const tc_samples *samples, int n, tc_pass *pass) {
    const tc_dataset *data = samples->dataset;
    samples->device->k->load_images(samples->device, tc_nhwc(n, data->height, data->width, data->channels),
                                    samples->images, samples->index, samples->augment ? samples->warp : NULL,
                                    data->mean, data->std, tc_pass_input(pass));
}

void tc_samples_bring(tc_samples *samples, int64_t round, size_t from, int n, tc_pass *pass) {
    tc_device *device = samples->device;
    const size_t count = (size_t)n;
    if (samples->augment) {
        tc_samples_warps(samples, round, from, count, samples->host_warp);
        device->k->upload_bytes(device, samples->warp, samples->host_warp, count * sizeof *samples->warp);
    }
    for (int i = 0; i < n; i++) samples->host_labels[i] = samples->labels[samples->order[from + (size_t)i]];
    device->k->upload_bytes(device, samples->index, samples->order + from, count * sizeof *samples->index);
    device->k->upload_bytes(device, tc_pass_labels(pass), samples->host_labels, count * sizeof *samples->host_labels);
}
