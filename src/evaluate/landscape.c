#include "evaluate/landscape.h"

#include "train/passes.h"

#include <math.h>
#include <stdlib.h>

enum { LARGEST_BATCH = 250 };

/* ---- the directions ---- */

static double length(const float *v, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)v[i] * v[i];
    return sqrt(sum);
}

/* The filters of a tensor are its slices along the first axis: convolutions are OIHW, linear layers [out][in]. */
static void normalise(const tc_tensor *tensor, const float *theta, float *direction) {
    const size_t filters = (size_t)tensor->size[0], each = tensor->count / filters;
    for (size_t f = 0; f < filters; f++) {
        const size_t at = tensor->offset + f * each;
        const double drawn = length(direction + at, each), wanted = length(theta + at, each);
        const double scale = drawn > 0 ? wanted / drawn : 0;
        for (size_t i = 0; i < each; i++) direction[at + i] = (float)(scale * direction[at + i]);
    }
}

void tc_landscape_direction(const tc_model *model, const float *theta, tc_stream stream, int number, float *direction) {
    const tc_stream own = tc_stream_child(stream, "direction", (uint64_t)number);
    const tc_tensor *tensors;
    const int count = tc_model_tensors(model, &tensors);
    for (int t = 0; t < count; t++) {
        const tc_tensor *tensor = &tensors[t];
        const bool moves = tensor->rank > 1;
        for (size_t i = tensor->offset; i < tensor->offset + tensor->count; i++)
            direction[i] = moves ? (float)tc_normal_at(own, i) : 0;
        if (moves) normalise(tensor, theta, direction);
    }
}

/* ---- the walk ---- */

typedef struct walker {
    const tc_landscape_job *job;
    tc_passes passes;
    size_t parameters;
    void *theta, *direction[2], *moved, *state; /* device reals */
    uint8_t *images;                            /* device [count][h][w][c] */
    uint32_t *index;                            /* device [count]: 0, 1, … */
    int batch;
} walker;

static tc_status upload_images(walker *w, tc_error *error) {
    const tc_landscape_job *job = w->job;
    const size_t bytes = job->count * tc_dataset_image_bytes(job->dataset);
    tc_status status = TC_OK;
    TC_TRY(tc_device_order(job->device, job->count, &w->index, error));
    TC_TRY(tc_device_copy(job->device, job->images, bytes, &w->images, error));
done:
    return status;
}

static tc_status upload_weights(walker *w, tc_stream stream, tc_error *error) {
    const tc_landscape_job *job = w->job;
    const tc_kernels *k = job->device->k;
    const size_t statistics = tc_model_state(job->model);
    float *direction = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&direction, w->parameters, sizeof *direction, error));
    TC_TRY(tc_device_reals(job->device, w->parameters, &w->theta, error));
    TC_TRY(tc_device_reals(job->device, w->parameters, &w->moved, error));
    TC_TRY(tc_device_reals(job->device, statistics + 1, &w->state, error)); /* never empty */
    k->upload_float(job->device, w->theta, job->weights->theta, w->parameters);
    k->upload_float(job->device, w->state, job->weights->state, statistics);
    for (int d = 0; d < 2; d++) {
        TC_TRY(tc_device_reals(job->device, w->parameters, &w->direction[d], error));
        tc_landscape_direction(job->model, job->weights->theta, stream, d, direction);
        k->upload_float(job->device, w->direction[d], direction, w->parameters);
    }
done:
    free(direction);
    return status;
}

static tc_status open_walker(walker *w, tc_stream stream, tc_error *error) {
    const tc_landscape_job *job = w->job;
    const tc_pass_options options = {.mode = TC_EVALUATE, .loss = TC_CROSS_ENTROPY};
    tc_status status = TC_OK;
    w->parameters = tc_model_parameters(job->model);
    w->batch = job->count < LARGEST_BATCH ? (int)job->count : LARGEST_BATCH;
    w->passes = (tc_passes){.device = job->device, .model = job->model, .options = options};
    TC_TRY(tc_passes_for(&w->passes, job->count, w->batch, error));
    TC_TRY(upload_images(w, error));
    TC_TRY(upload_weights(w, stream, error));
done:
    return status;
}

static void close_walker(walker *w) {
    void *const memory[] = {w->theta, w->direction[0], w->direction[1], w->moved, w->state, w->images, w->index};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i]) w->job->device->k->release(w->job->device, memory[i]);
    tc_passes_free(&w->passes);
}

/* The mean loss at the moved weights. */
static double loss_here(const walker *w) {
    const tc_landscape_job *job = w->job;
    const tc_dataset *data = job->dataset;
    const tc_kernels *k = job->device->k;
    double sum = 0;
    for (size_t from = 0; from < job->count; from += (size_t)w->batch) {
        const int n = job->count - from < (size_t)w->batch ? (int)(job->count - from) : w->batch;
        tc_pass *pass = tc_passes_find(&w->passes, n);
        k->load_images(job->device, tc_nhwc(n, data->height, data->width, data->channels), w->images, w->index + from,
                       NULL, data->mean, data->std, tc_pass_input(pass));
        k->upload_bytes(job->device, tc_pass_labels(pass), job->labels + from, (size_t)n * sizeof *job->labels);
        sum += n * tc_pass_forward(pass, w->moved, w->state);
    }
    return sum / (double)job->count;
}

/* θ + a d₁ + b d₂, always from θ itself: no rounding piles up along the way. */
static void move(const walker *w, double a, double b) {
    const tc_kernels *k = w->job->device->k;
    k->axpby(w->job->device, w->parameters, a, w->direction[0], 0, w->moved);
    k->axpby(w->job->device, w->parameters, b, w->direction[1], 1, w->moved);
    k->axpby(w->job->device, w->parameters, 1, w->theta, 1, w->moved);
}

static tc_status check(const tc_landscape_job *job, const tc_landscape_options *options, tc_error *error) {
    if (options->n < 3 || options->n > TC_LANDSCAPE_LARGEST || options->n % 2 == 0)
        return tc_raise(error, TC_INVALID, "landscape: %d values a side; give an odd number from 3 to %d", options->n,
                        TC_LANDSCAPE_LARGEST);
    if (!(options->extent > 0) || !isfinite(options->extent))
        return tc_raise(error, TC_INVALID, "landscape: extent %g; give a number above 0", options->extent);
    if (job->count == 0) return tc_raise(error, TC_INVALID, "landscape: no images; name at least one target");
    for (size_t i = 0; i < job->count; i++)
        if (job->labels[i] < 0 || job->labels[i] >= job->dataset->classes)
            return tc_raise(error, TC_INVALID, "landscape: label %d of image %zu; the classes are 0 to %d",
                            (int)job->labels[i], i, job->dataset->classes - 1);
    return tc_model_fits(job->model, job->dataset, error);
}

tc_status tc_landscape(const tc_landscape_job *job, const tc_landscape_options *options, double *value,
                       tc_error *error) {
    walker w = {.job = job};
    const int n = options->n, places = n * n;
    tc_status status = TC_OK;
    TC_TRY(check(job, options, error));
    TC_TRY(open_walker(&w, options->stream, error));
    for (int i = 0; i < places; i++) {
        if (job->stop && job->stop(job->context)) TC_RAISE(TC_INTERRUPTED, "landscape: interrupted; run it again");
        move(&w, options->extent * (2.0 * (i % n) / (n - 1) - 1), options->extent * (2.0 * (i / n) / (n - 1) - 1));
        value[i] = loss_here(&w);
        if (job->progress) job->progress(job->context, (i + 1.0) / places);
    }
    TC_TRY(tc_device_health(job->device, error));
done:
    close_walker(&w);
    return status;
}
