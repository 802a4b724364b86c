#include "attack/parts/mixture.h"

#include "data/augment.h"

#include <math.h>
#include <stdlib.h>

/* ---- making ---- */

/* How many images and poisons a batch has: of the data and the threat alone. */
static tc_status choose_sizes(tc_mixture *m, int64_t most, int64_t poisons, tc_error *error) {
    const size_t all = m->job->dataset->train.count, poisoned = m->job->threat->poisons;
    const double batch = fmin((double)most, (double)all);
    const double usual = ceil(batch * (double)poisoned / (double)all);
    m->batch = (int)batch;
    m->share = (int)fmin(fmin(poisons ? (double)poisons : usual, batch), (double)poisoned);
    m->clean = all - poisoned;
    if (m->batch < 2) return tc_raise(error, TC_INVALID, "batch: a step on one image is not unrolled; take 2 or more");
    if (m->clean) return TC_OK;
    m->share = m->batch; /* every image is a poison */
    if (poisoned % (size_t)m->batch)
        return tc_raise(error, TC_INVALID, "ratio: no clean image is left to fill a batch of %d; take fewer poisons",
                        m->batch);
    return TC_OK;
}

tc_status tc_mixture_check(const tc_craft_job *job, int64_t batch, int64_t poisons, tc_error *error) {
    tc_mixture m = {.job = job};
    return choose_sizes(&m, batch, poisons, error);
}

static tc_status list_clean(tc_mixture *m, tc_error *error) {
    tc_status status = TC_OK;
    const tc_threat *threat = m->job->threat;
    TC_TRY(tc_new(&m->place, m->clean + 1, sizeof *m->place, error));
    TC_TRY(tc_new(&m->order, m->clean + 1, sizeof *m->order, error));
    for (size_t i = 0, next = 0, n = 0; i < m->job->dataset->train.count; i++) {
        const bool poisoned = next < threat->poisons && threat->base[next] == i;
        if (poisoned) next++;
        if (!poisoned) m->place[n++] = (uint32_t)i;
    }
done:
    return status;
}

static tc_status make_buffers(tc_mixture *m, tc_error *error) {
    tc_status status = TC_OK;
    tc_device *device = m->job->device;
    const tc_split *train = &m->job->dataset->train;
    const size_t batch = (size_t)m->batch, bytes = train->count * tc_dataset_image_bytes(m->job->dataset);
    TC_TRY(tc_new(&m->host_index, batch, sizeof *m->host_index, error));
    TC_TRY(tc_new(&m->host_warp, batch, sizeof *m->host_warp, error));
    TC_TRY(tc_new(&m->labels, batch, sizeof *m->labels, error));
    TC_TRY(tc_device_bytes(device, batch * sizeof *m->index, &m->index, error));
    TC_TRY(tc_device_bytes(device, batch * sizeof *m->warp, &m->warp, error));
    TC_TRY(tc_device_copy(device, train->images, bytes, &m->images, error));
done:
    return status;
}

tc_status tc_mixture_create(const tc_craft_job *job, const tc_perturbation *delta, int64_t batch, int64_t poisons,
                            int64_t shift, bool flip, tc_mixture *m, tc_error *error) {
    tc_status status = TC_OK;
    *m = (tc_mixture){.job = job, .delta = delta, .shift = shift, .flip = flip};
    TC_TRY(choose_sizes(m, batch, poisons, error));
    TC_TRY(list_clean(m, error));
    TC_TRY(make_buffers(m, error));
    TC_TRY(tc_lens_create(job->device, job->dataset, job->threat->poisons, m->batch, (double)shift, flip, &m->lens,
                          error));
done:
    if (status != TC_OK) tc_mixture_free(m);
    return status;
}

void tc_mixture_free(tc_mixture *m) {
    void *const on_device[] = {m->index, m->warp, m->images};
    void *const on_host[] = {m->place, m->order, m->host_index, m->host_warp, m->labels};
    for (int i = 0; i < 3; i++)
        if (on_device[i]) m->job->device->k->release(m->job->device, on_device[i]);
    for (int i = 0; i < 5; i++) free(on_host[i]);
    if (m->lens.device) tc_lens_free(&m->lens);
    *m = (tc_mixture){0};
}

/* ---- shares ---- */

size_t tc_mixture_shares(const tc_mixture *m) {
    return (m->job->threat->poisons + (size_t)m->share - 1) / (size_t)m->share;
}

void tc_mixture_draw(tc_mixture *m, tc_stream stream, uint64_t i) {
    tc_stream order = tc_stream_child(stream, "order", i);
    if (m->clean) tc_draw_permutation(&order, m->order, m->clean);
    tc_lens_draw(&m->lens, tc_stream_child(stream, "lens", i));
}

tc_share tc_mixture_share(const tc_mixture *m, size_t i, int64_t steps, tc_stream stream) {
    const size_t from = i * (size_t)m->share, left = m->job->threat->poisons - from;
    return (tc_share){.of = m,
                      .from = from,
                      .n = left < (size_t)m->share ? (int)left : m->share,
                      .cursor = i * (size_t)(steps * m->batch),
                      .stream = stream};
}

static void list_images(const tc_share *s, int step) {
    const tc_mixture *m = s->of;
    const tc_split *train = &m->job->dataset->train;
    const tc_stream stream = tc_stream_child(s->stream, "augment", (uint64_t)step);
    for (int i = 0; i < s->n; i++) m->labels[i] = train->labels[m->job->threat->base[s->from + (size_t)i]];
    for (int i = s->n; i < m->batch; i++) {
        const size_t at = s->cursor + (size_t)step * (size_t)m->batch + (size_t)(i - s->n);
        m->host_index[i - s->n] = m->place[m->order[at % m->clean]];
        m->labels[i] = train->labels[m->host_index[i - s->n]];
        m->host_warp[i - s->n] = tc_warp_for_training(stream, (uint64_t)i, m->shift, m->flip);
    }
}

static void load_clean(const tc_share *s, void *x) {
    const tc_mixture *m = s->of;
    tc_device *device = m->job->device;
    const tc_dataset *data = m->job->dataset;
    const int fill = m->batch - s->n;
    const bool augments = m->shift > 0 || m->flip;
    device->k->upload_bytes(device, m->index, m->host_index, (size_t)fill * sizeof *m->index);
    device->k->upload_bytes(device, m->warp, m->host_warp, (size_t)fill * sizeof *m->warp);
    device->k->load_images(device, tc_nhwc(fill, data->height, data->width, data->channels), m->images, m->index,
                           augments ? m->warp : NULL, data->mean, data->std, x);
}

void tc_share_load(const tc_share *s, int step, tc_pass *pass) {
    const tc_mixture *m = s->of;
    tc_device *device = m->job->device;
    void *x = tc_pass_input(pass);
    list_images(s, step);
    tc_lens_see(&m->lens, s->from, s->n, m->delta->pixels, x);
    device->k->upload_bytes(device, tc_pass_labels(pass), m->labels, (size_t)m->batch * sizeof *m->labels);
    tc_pass_set_stream(pass, tc_stream_child(s->stream, "dropout", (uint64_t)step));
    if (s->n < m->batch) load_clean(s, tc_at(device, x, (size_t)s->n * tc_dataset_image_bytes(m->job->dataset)));
}

void tc_share_adjoint(const tc_share *s, double weight, const void *dx, void *gradient) {
    tc_lens_adjoint(&s->of->lens, s->from, s->n, weight, dx, gradient);
}
