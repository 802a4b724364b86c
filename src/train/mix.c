/* mix.c — Mix-Up and CutMix: each image of a batch is trained together with a partner, and the label with the
 * partner's.
 *
 *     Mix-Up (Zhang et al., ICLR 2018, arXiv 1710.09412)      x := λ x_i + (1 − λ) x_j,           λ ~ Beta(α, α)
 *     CutMix (Yun et al., ICCV 2019, arXiv 1905.04899)        a box of x_i is filled from x_j;    λ = share left of x_i
 *     both                                                    L := λ CE(y_i) + (1 − λ) CE(y_j)
 *
 * As in both papers' code, one λ (and one box) serves a whole batch, and the partners are a permutation of it. The
 * box's sides are √(1 − λ) of the image's around a centre drawn anywhere, cut to the image, and λ is then what is
 * really left. Cross-entropy is linear in its target, so the loss is cross-entropy with the target λ e_i + (1 − λ) e_j.
 *
 * With both on, CutMix has its share of the batches (cutmix_probability) and Mix-Up the others; with CutMix alone the
 * others stay as they are. The accuracy reported while training counts the label with the larger share. */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>

typedef struct mix {
    uint32_t *partner; /* host [batch] */
    void *before;      /* the batch as it was: device reals [batch][h][w][c] */
} mix;

static bool on(const tc_train_options *options) {
    return options->mixup > 0 || options->cutmix > 0;
}

static tc_status check(const tc_train_options *options, const tc_dataset *dataset, const tc_model *model,
                       tc_error *error) {
    (void)dataset, (void)model;
    if (options->batch > 1) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: pairs need 2 images or more; take a larger batch",
                    options->mixup > 0 ? "mixup" : "cutmix");
}

static tc_status make(const tc_trainer *t, void *own, tc_error *error) {
    mix *m = own;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&m->partner, (size_t)t->batch, sizeof *m->partner, error));
    TC_TRY(tc_device_reals(t->device, (size_t)t->batch * tc_dataset_image_bytes(t->view->dataset), &m->before, error));
done:
    return status;
}

static void release(const tc_trainer *t, void *own) {
    mix *m = own;
    if (m->before) t->device->k->release(t->device, m->before);
    free(m->partner);
}

/* log of a Gamma(α) variate (Marsaglia and Tsang 2000; for α < 1 a variate of α + 1 times U^{1/α}, which would be 0 too
 * often if it were not its logarithm). */
static double log_gamma_variate(tc_stream *stream, double alpha) {
    if (alpha < 1) {
        const double power = log(1 - tc_draw_uniform(stream)) / alpha;
        return log_gamma_variate(stream, alpha + 1) + power;
    }
    const double d = alpha - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = tc_draw_normal(stream), root = 1 + c * x, v = root * root * root;
        if (root > 0 && log(1 - tc_draw_uniform(stream)) < 0.5 * x * x + d * (1 - v + log(v))) return log(d * v);
    }
}

static double beta_variate(tc_stream *stream, double alpha) {
    const double a = log_gamma_variate(stream, alpha), b = log_gamma_variate(stream, alpha);
    return 1 / (1 + exp(b - a));
}

/* The box of CutMix; *share := what it leaves of the image. */
static tc_blend draw_box(tc_stream *stream, const tc_dataset *data, double *share) {
    const double side = sqrt(1 - *share);
    const int height = (int)(data->height * side), width = (int)(data->width * side);
    const int top = (int)tc_draw_below(stream, (uint64_t)data->height) - height / 2;
    const int left = (int)tc_draw_below(stream, (uint64_t)data->width) - width / 2;
    tc_blend box = {.top = top > 0 ? top : 0, .left = left > 0 ? left : 0, .keep = 0, .take = 1};
    box.bottom = top + height < data->height ? top + height : data->height;
    box.right = left + width < data->width ? left + width : data->width;
    const int area = (box.bottom - box.top) * (box.right - box.left);
    *share = 1 - (double)area / ((double)data->height * data->width);
    return box;
}

/* How this batch is blended; *share is 1 where it is not. */
static tc_blend draw_blend(tc_stream *stream, const tc_train_options *options, const tc_dataset *data, double *share) {
    const bool cut = options->cutmix > 0 && tc_draw_uniform(stream) < options->cutmix_probability;
    tc_blend whole = {.bottom = data->height, .right = data->width, .keep = 1, .take = 0};
    *share = 1;
    if (!cut && options->mixup == 0) return whole;
    *share = beta_variate(stream, cut ? options->cutmix : options->mixup);
    if (cut) return draw_box(stream, data, share);
    whole.keep = (float)*share;
    whole.take = (float)(1 - *share);
    return whole;
}

static tc_target mixed(int32_t own, int32_t other, double share) {
    const bool more = share >= 0.5;
    return more ? (tc_target){{own, other}, {(float)share, (float)(1 - share)}}
                : (tc_target){{other, own}, {(float)(1 - share), (float)share}};
}

static void draw(const tc_trainer *t, void *own, const tc_drawing *drawing, void *rows) {
    const mix *m = own;
    const int n = drawing->n;
    tc_blend *blend = rows;
    tc_target *target = (tc_target *)(blend + n);
    tc_stream stream = tc_stream_child(drawing->stream, "mix", 0);
    double share;
    const tc_blend each = draw_blend(&stream, t->options, t->view->dataset, &share);
    tc_draw_permutation(&stream, m->partner, (size_t)n);
    for (int i = 0; i < n; i++) {
        blend[i] = each;
        blend[i].from = m->partner[i];
        target[i] = mixed(drawing->labels[i], drawing->labels[m->partner[i]], share);
    }
    for (int i = 0; i < n; i++) drawing->labels[i] = target[i].label[0];
}

/* Where a batch stays as it is, its blends keep all of it. */
static void change(const tc_trainer *t, const void *own, const tc_batch *batch) {
    const mix *m = own;
    const tc_kernels *k = t->device->k;
    const tc_dataset *data = t->view->dataset;
    const tc_shape shape = tc_nhwc(batch->n, data->height, data->width, data->channels);
    const tc_blend *blend = batch->rows;
    k->blend_labels(t->device, batch->n, data->classes, (const tc_target *)(blend + batch->n),
                    tc_pass_labels(batch->pass), tc_pass_soft(batch->pass));
    k->copy(t->device, tc_shape_count(shape), tc_pass_input(batch->pass), m->before);
    k->blend(t->device, shape, blend, m->before, tc_pass_input(batch->pass));
}

const tc_variant tc_mix = {.name = "Mix-Up, CutMix",
                           .size = sizeof(mix),
                           .soft = true,
                           .row = sizeof(tc_blend) + sizeof(tc_target), /* of n: tc_blend [n], then tc_target [n] */
                           .on = on,
                           .check = check,
                           .make = make,
                           .release = release,
                           .draw = draw,
                           .change = change};
