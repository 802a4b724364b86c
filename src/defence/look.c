#include "defence/look.h"

#include "evaluate/evaluate.h"
#include "train/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_BATCH = 250 };

typedef struct looker {
    const tc_filter_job *job;
    tc_passes passes;
    tc_node node;
    void *theta, *state, *features; /* device reals; features: [batch][width] */
    uint8_t *images, *staged;       /* device, host: [batch][h][w][c] */
    uint32_t *index;                /* device [batch]: 0, 1, … */
    int batch;
} looker;

static tc_status find_features(const tc_model *model, tc_node *node, tc_error *error) {
    enum { MOST_NAMES = 64 };
    const char *names[MOST_NAMES];
    *node = tc_model_find(model, "features");
    if (*node >= 0) return TC_OK;
    const int count = tc_model_names(model, names, MOST_NAMES);
    if (count == 0)
        return tc_raise(error, TC_INVALID, "%s: names no features to look at; take a network of `tocsin list models`",
                        tc_model_name(model));
    *node = tc_model_find(model, names[(count < MOST_NAMES ? count : MOST_NAMES) - 1]);
    return TC_OK;
}

static tc_status make(looker *l, tc_error *error) {
    tc_status status = TC_OK;
    tc_device *device = l->job->device;
    const tc_model *model = l->job->model;
    const size_t parameters = tc_model_parameters(model), statistics = tc_model_state(model);
    const size_t count = l->job->view->count, bytes = tc_dataset_image_bytes(l->job->view->dataset);
    l->batch = count < LARGEST_BATCH ? (int)count : LARGEST_BATCH;
    l->passes = (tc_passes){.device = device, .model = model, .options = {.mode = TC_EVALUATE}};
    TC_TRY(tc_passes_for(&l->passes, count, l->batch, error));
    TC_TRY(tc_device_reals(device, parameters, &l->theta, error));
    TC_TRY(tc_device_reals(device, statistics + 1, &l->state, error)); /* never empty */
    TC_TRY(tc_new(&l->staged, (size_t)l->batch, bytes, error));
    TC_TRY(tc_device_bytes(device, (size_t)l->batch * bytes, &l->images, error));
    TC_TRY(tc_device_order(device, (size_t)l->batch, &l->index, error));
    device->k->upload_float(device, l->theta, l->job->weights->theta, parameters);
    device->k->upload_float(device, l->state, l->job->weights->state, statistics);
done:
    return status;
}

static void unmake(looker *l) {
    void *const memory[] = {l->theta, l->state, l->features, l->images, l->index};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i]) l->job->device->k->release(l->job->device, memory[i]);
    free(l->staged);
    tc_passes_free(&l->passes);
}

static tc_status make_room(looker *l, bool features, tc_look *look, tc_error *error) {
    tc_status status = TC_OK;
    const tc_view *view = l->job->view;
    *look = (tc_look){.count = view->count, .classes = tc_model_classes(l->job->model)};
    TC_TRY(tc_new(&look->label, view->count, sizeof *look->label, error));
    TC_TRY(tc_new(&look->logits, view->count * (size_t)look->classes, sizeof *look->logits, error));
    for (size_t i = 0; i < view->count; i++) look->label[i] = tc_view_label(view, i);
    if (!features) goto done;
    TC_TRY(find_features(l->job->model, &l->node, error));
    const tc_shape shape = tc_pass_feature_shape(tc_passes_find(&l->passes, l->batch), l->node);
    look->width = shape.h * shape.w * shape.c;
    TC_TRY(tc_device_reals(l->job->device, tc_shape_count(shape), &l->features, error));
    TC_TRY(tc_new(&look->features, view->count * (size_t)look->width, sizeof *look->features, error));
done:
    return status;
}

static void look_at(looker *l, size_t from, int n, tc_look *look) {
    tc_device *device = l->job->device;
    const tc_kernels *k = device->k;
    const tc_dataset *data = l->job->view->dataset;
    const size_t bytes = tc_dataset_image_bytes(data), classes = (size_t)look->classes, width = (size_t)look->width;
    tc_pass *pass = tc_passes_find(&l->passes, n);
    for (int i = 0; i < n; i++)
        memcpy(l->staged + (size_t)i * bytes, tc_view_image(l->job->view, from + (size_t)i), bytes);
    k->upload_bytes(device, l->images, l->staged, (size_t)n * bytes);
    k->load_images(device, tc_nhwc(n, data->height, data->width, data->channels), l->images, l->index, NULL, data->mean,
                   data->std, tc_pass_input(pass));
    tc_pass_forward(pass, l->theta, l->state);
    k->download_float(device, look->logits + from * classes, tc_pass_logits(pass), (size_t)n * classes);
    if (!look->features) return;
    tc_pass_features(pass, l->node, l->features);
    k->download_float(device, look->features + from * width, l->features, (size_t)n * width);
}

tc_status tc_look_create(const tc_filter_job *job, bool features, double until, tc_look *look, tc_error *error) {
    tc_status status = TC_OK;
    looker l = {.job = job};
    *look = (tc_look){0};
    TC_TRY(make(&l, error));
    TC_TRY(make_room(&l, features, look, error));
    for (size_t from = 0; from < look->count; from += (size_t)l.batch) {
        TC_TRY(tc_filter_tell(job, "filter", until * (double)from / (double)look->count, error));
        look_at(&l, from, look->count - from < (size_t)l.batch ? (int)(look->count - from) : l.batch, look);
    }
done:
    unmake(&l);
    return status;
}

void tc_look_free(tc_look *look) {
    free(look->label);
    free(look->features);
    free(look->logits);
    *look = (tc_look){0};
}

/* ---- one sample ---- */

double tc_look_loss(const tc_look *look, size_t i) {
    return tc_cross_entropy(look->logits + i * (size_t)look->classes, look->classes, look->label[i]);
}

void tc_look_residual(const tc_look *look, size_t i, float *residual) {
    const float *logits = look->logits + i * (size_t)look->classes;
    const double most = logits[tc_argmax(logits, look->classes)];
    double sum = 0;
    for (int c = 0; c < look->classes; c++) sum += exp(logits[c] - most);
    for (int c = 0; c < look->classes; c++)
        residual[c] = (float)(exp(logits[c] - most) / sum - (c == look->label[i] ? 1 : 0));
}

/* ---- one class ---- */

tc_status tc_members_create(const tc_look *look, tc_members *members, tc_error *error) {
    *members = (tc_members){0};
    return tc_new(&members->place, look->count, sizeof *members->place, error);
}

void tc_members_of(const tc_look *look, int class, tc_members *members) {
    members->count = 0;
    for (size_t i = 0; i < look->count; i++)
        if (look->label[i] == class) members->place[members->count++] = (uint32_t)i;
}

tc_status tc_members_features(const tc_look *look, const tc_members *members, float **features, tc_error *error) {
    const size_t width = (size_t)look->width;
    const tc_status status = tc_new(features, members->count * width, sizeof **features, error);
    for (size_t i = 0; status == TC_OK && i < members->count; i++)
        memcpy(*features + i * width, look->features + members->place[i] * width, width * sizeof **features);
    return status;
}

void tc_members_free(tc_members *members) {
    free(members->place);
    *members = (tc_members){0};
}

tc_status tc_filter_tell(const tc_filter_job *job, const char *who, double fraction, tc_error *error) {
    if (job->progress) job->progress(job->context, fraction);
    if (job->stop && job->stop(job->context))
        return tc_raise(error, TC_INTERRUPTED, "%s: stopped at %.0f %%; nothing was kept", who, 100 * fraction);
    return TC_OK;
}

tc_status tc_look_by_class(const tc_filter_job *job, const tc_look *look, const char *who, double from,
                           tc_class_step *step, void *context, tc_error *error) {
    tc_status status = TC_OK;
    tc_members members;
    TC_TRY(tc_members_create(look, &members, error));
    for (int class = 0; class < look->classes; class ++) {
        tc_members_of(look, class, &members);
        TC_TRY(step(look, &members, class, context, error));
        TC_TRY(tc_filter_tell(job, who, from + (1 - from) * (class + 1) / look->classes, error));
    }
done:
    tc_members_free(&members);
    return status;
}
