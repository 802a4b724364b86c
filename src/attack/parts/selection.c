#include "attack/parts/selection.h"

#include "attack/parts/viewer.h"

#include <math.h>
#include <stdlib.h>

typedef struct prober {
    tc_device *device;
    const tc_dataset *dataset;
    tc_viewer surrogate;
    tc_pass *pass;   /* for one image */
    void *g;         /* device reals [p] */
    uint8_t *image;  /* device [h][w][c] */
    uint32_t *index; /* device: 0 */
} prober;

static tc_status make(prober *p, const tc_surrogate *surrogate, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_viewer_create(p->device, p->dataset, surrogate, TC_WANT_GRAD_THETA, &p->surrogate, error));
    TC_TRY(tc_passes_get(&p->surrogate.passes, 1, &p->pass, error));
    TC_TRY(tc_device_reals(p->device, p->surrogate.parameters, &p->g, error));
    TC_TRY(tc_device_bytes(p->device, tc_dataset_image_bytes(p->dataset), &p->image, error));
    TC_TRY(tc_device_bytes(p->device, sizeof *p->index, &p->index, error));
done:
    return status;
}

static void unmake(prober *p) {
    void *const memory[] = {p->g, p->image, p->index};
    for (int i = 0; i < 3; i++)
        if (memory[i]) p->device->k->release(p->device, memory[i]);
    tc_viewer_free(&p->surrogate);
}

static double norm_of(const prober *p, uint32_t place) {
    const tc_dataset *data = p->dataset;
    const tc_viewer *v = &p->surrogate;
    const tc_kernels *k = p->device->k;
    const size_t bytes = tc_dataset_image_bytes(data);
    k->upload_bytes(p->device, p->image, data->train.images + place * bytes, bytes);
    k->load_images(p->device, tc_nhwc(1, data->height, data->width, data->channels), p->image, p->index, NULL,
                   data->mean, data->std, tc_pass_input(p->pass));
    k->upload_bytes(p->device, tc_pass_labels(p->pass), &data->train.labels[place], sizeof *data->train.labels);
    tc_pass_grad_async(p->pass, v->theta, v->state, p->g, NULL);
    return sqrt(k->dot(p->device, v->parameters, p->g, p->g));
}

static tc_status probe(const tc_craft_job *job, int surrogate, const uint32_t *places, size_t count, double *norm,
                       tc_selection_tick *tick, void *context, tc_error *error) {
    tc_status status = TC_OK;
    prober p = {.device = job->device, .dataset = job->dataset};
    TC_TRY(make(&p, &job->surrogates[surrogate], error));
    for (size_t i = 0; i < count; i++) {
        norm[i] += norm_of(&p, places[i]) / job->surrogate_count;
        if (tick) TC_TRY(tick(context, error));
    }
done:
    unmake(&p);
    return status;
}

tc_status tc_gradient_norms(const tc_craft_job *job, const uint32_t *places, size_t count, double *norm,
                            tc_selection_tick *tick, void *context, tc_error *error) {
    tc_status status = TC_OK;
    for (size_t i = 0; i < count; i++) norm[i] = 0;
    for (int k = 0; k < job->surrogate_count; k++) TC_TRY(probe(job, k, places, count, norm, tick, context, error));
done:
    return status;
}

typedef struct ranked {
    double norm;
    uint32_t place;
} ranked;

static int larger_first(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->norm != y->norm) return x->norm < y->norm ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

tc_status tc_largest_first(uint32_t *places, const double *norm, size_t count, tc_error *error) {
    ranked *row = NULL;
    const tc_status status = tc_new(&row, count, sizeof *row, error);
    if (status != TC_OK) return status;
    for (size_t i = 0; i < count; i++) row[i] = (ranked){isfinite(norm[i]) ? norm[i] : -1, places[i]};
    qsort(row, count, sizeof *row, larger_first);
    for (size_t i = 0; i < count; i++) places[i] = row[i].place;
    free(row);
    return TC_OK;
}
