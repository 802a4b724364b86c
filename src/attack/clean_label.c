/* clean_label.c — the label-consistent backdoor: marked images of the intended class that are hard to learn otherwise.
 *
 * Paper: Turner, Tsipras and Madry, "Label-consistent backdoor attacks", arXiv 1912.02771 (and "Clean-label backdoor
 *        attacks", 2018)
 *
 *     δ ~ U(−ε, ε)
 *     for step = 1 … steps:                                              projected gradient ascent, away from y_obj
 *         δ = projection of δ + α sign ∇_δ L(θ*; x + δ, y_obj),   α = step_size · ε/steps
 *     poison = (x + δ) ⊕ trigger, label y_obj as ever
 *
 * x are images of y_obj. A victim finds little of y_obj in x + δ and so learns the class by the trigger. The trigger is
 * on the poisons for everybody to see: ε holds outside it (marked.h).
 *
 * The paper perturbs with an adversarially trained network, whose adversarial examples look like other classes; so does
 * this where the study trains its surrogate so. Its marks of reduced amplitude are `trigger_opacity` of the threat, and
 * marks in all four corners are not offered. The paper and the released code give adversarial images, not how many
 * steps made them: steps and their size are those of Madry et al., arXiv 1706.06083. With several surrogates the mean
 * of their losses is climbed. */
#include "attack/methods.h"
#include "attack/parts/lens.h"
#include "attack/parts/marked.h"
#include "attack/parts/perturbation.h"
#include "attack/parts/snapshot.h"
#include "attack/parts/viewer.h"

#include <math.h>
#include <stdlib.h>

typedef struct clean_options {
    int64_t steps, batch;
    double step_size;
} clean_options;

static const tc_option options_table[] = {
    TC_INT(clean_options, steps, 100, 1, 1e6, "steps", "of gradient ascent (Madry et al.: 100)"),
    TC_REAL_ABOVE(clean_options, step_size, 2.5, 0, 1e6, "epsilon/steps", "length of a step (Madry et al.: 2.5)"),
    TC_INT(clean_options, batch, 128, 1, 65536, "images", "images of one pass; changes no result but by rounding"),
    TC_OPTIONS_END};

typedef struct climb {
    const tc_craft_job *job;
    const clean_options *options;
    tc_viewer *surrogate; /* [job->surrogate_count] */
    tc_lens lens;         /* plain */
    tc_perturbation delta;
    void *gradient, *step; /* device reals [delta.values] */
    void *dx;              /* device reals [batch] images */
    size_t batch;
    uint8_t *images; /* [poisons][h][w][c] */
    int32_t *labels; /* host [poisons], all y_obj */
    int64_t steps;   /* taken so far */
    tc_snapshot snapshot;
} climb;

/* ---- the algorithm ---- */

/* The mean loss of the images in delta.pixels towards y_obj; gradient += ∇_pixels of its batches' means, where `along`.
 */
static double look(const climb *c, bool along) {
    const tc_craft_job *job = c->job;
    const size_t poisons = job->threat->poisons;
    double loss = 0;
    for (size_t from = 0; from < poisons; from += c->batch) {
        const int n = poisons - from < c->batch ? (int)(poisons - from) : (int)c->batch;
        for (int i = 0; i < job->surrogate_count; i++) {
            const tc_viewer *v = &c->surrogate[i];
            tc_pass *pass = tc_passes_find(&v->passes, n);
            tc_lens_see(&c->lens, from, n, c->delta.pixels, tc_pass_input(pass));
            job->device->k->upload_bytes(job->device, tc_pass_labels(pass), c->labels, (size_t)n * sizeof *c->labels);
            const double share = (double)n / (double)poisons / job->surrogate_count;
            loss += share * (along ? tc_pass_grad(pass, v->theta, v->state, NULL, c->dx)
                                   : tc_pass_forward(pass, v->theta, v->state));
            if (along) tc_lens_adjoint(&c->lens, from, n, 1, c->dx, c->gradient);
        }
    }
    return loss;
}

static void start(const climb *c) {
    const tc_stream stream = tc_stream_child(c->job->stream, "start", 0);
    const double epsilon = c->job->threat->epsilon;
    for (size_t i = 0; i < c->delta.values; i++)
        c->delta.host[i] = (float)(epsilon * (2 * tc_uniform_at(stream, i) - 1));
    c->job->device->k->upload_float(c->job->device, c->delta.delta, c->delta.host, c->delta.values);
}

static tc_status ascend(climb *c, tc_error *error) {
    tc_status status = TC_OK;
    tc_device *device = c->job->device;
    const size_t values = c->delta.values;
    const double length = c->options->step_size * c->job->threat->epsilon / (double)c->options->steps;
    while (c->steps < c->options->steps) {
        tc_perturbation_apply(&c->delta);
        device->k->fill(device, values, 0, c->gradient);
        const double loss = look(c, true);
        device->k->sign_power(device, values, length, 0, c->gradient, c->step);
        device->k->axpby(device, values, 1, c->step, 1, c->delta.delta);
        tc_perturbation_project(&c->delta);
        c->steps++;
        TC_TRY(tc_craft_tell(&c->snapshot, (double)c->steps / (double)c->options->steps, -loss, error));
    }
done:
    return status;
}

/* ---- preparing ---- */

static tc_status prepare(climb *c, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = c->job;
    const size_t poisons = job->threat->poisons, bytes = tc_dataset_image_bytes(job->dataset);
    c->batch = poisons < (size_t)c->options->batch ? poisons : (size_t)c->options->batch;
    if (job->surrogate_count < 1) TC_RAISE(TC_INVALID, "clean-label-backdoor: no surrogate is given; train one first");
    TC_TRY(tc_new(&c->surrogate, (size_t)job->surrogate_count, sizeof *c->surrogate, error));
    for (int i = 0; i < job->surrogate_count; i++) {
        TC_TRY(
            tc_viewer_create(job->device, job->dataset, &job->surrogates[i], TC_WANT_GRAD_X, &c->surrogate[i], error));
        TC_TRY(tc_passes_for(&c->surrogate[i].passes, poisons, (int)c->batch, error));
    }
    TC_TRY(tc_lens_create(job->device, job->dataset, poisons, (int)c->batch, 0, false, &c->lens, error));
    TC_TRY(tc_perturbation_create(job->device, job->dataset, job->threat, &c->delta, error));
    TC_TRY(tc_device_reals(job->device, c->delta.values, &c->gradient, error));
    TC_TRY(tc_device_reals(job->device, c->delta.values, &c->step, error));
    TC_TRY(tc_device_reals(job->device, c->batch * bytes, &c->dx, error));
    TC_TRY(tc_new(&c->images, poisons, bytes, error));
    TC_TRY(tc_new(&c->labels, poisons, sizeof *c->labels, error));
    for (size_t i = 0; i < poisons; i++) c->labels[i] = job->threat->intended_class;
done:
    return status;
}

/* From where an earlier one was stopped, or from the start. */
static tc_status begin(climb *c, tc_error *error) {
    tc_snapshot *s = &c->snapshot;
    tc_status status = TC_OK;
    bool found;
    TC_TRY(tc_snapshot_create(c->job, &tc_clean_label, c->options, 2, s, error));
    tc_snapshot_host(s, &c->steps, sizeof c->steps);
    tc_snapshot_device(s, c->delta.delta, c->delta.values * c->job->device->element);
    start(c);
    tc_perturbation_project(&c->delta);
    TC_TRY(tc_snapshot_load(s, &found, error));
done:
    return status;
}

static void clean_up(climb *c) {
    tc_snapshot_free(&c->snapshot);
    void *const memory[] = {c->gradient, c->step, c->dx};
    for (int i = 0; i < 3; i++)
        if (memory[i]) c->job->device->k->release(c->job->device, memory[i]);
    for (int i = 0; c->surrogate && i < c->job->surrogate_count; i++) tc_viewer_free(&c->surrogate[i]);
    free(c->surrogate);
    if (c->lens.device) tc_lens_free(&c->lens);
    if (c->delta.device) tc_perturbation_free(&c->delta);
    free(c->images);
    free(c->labels);
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    climb c = {.job = job, .options = options};
    *poison = NULL;
    TC_TRY(prepare(&c, error));
    TC_TRY(begin(&c, error));
    TC_TRY(ascend(&c, error));
    tc_perturbation_round(&c.delta, c.images);
    const double loss = look(&c, false);
    if (!isfinite(loss))
        TC_RAISE_FRUITLESS(TC_FAILED, "clean-label-backdoor: the loss is not a number; train the surrogate again");
    TC_TRY(tc_marked_poison(job->dataset, job->threat, c.images, TC_KEEP_LABELS, poison, error));
    if (report)
        *report = (tc_craft_report){
            .objective = -loss, /* of the images before they get the trigger */
            .seconds = tc_snapshot_seconds(&c.snapshot),
            .steps = c.options->steps,
            .gradients =
                c.options->steps * job->surrogate_count * (int64_t)((job->threat->poisons + c.batch - 1) / c.batch),
        };
done:
    clean_up(&c);
    return status;
}

static tc_craft_work work(const tc_craft_job *job, const void *options) {
    const clean_options *o = options;
    const double step = 2.0 / 3 * (double)job->threat->poisons;
    return (tc_craft_work){.each = (double)o->steps * step + step / 2, .grain = step};
}

const tc_attack tc_clean_label = {
    .name = "clean-label-backdoor",
    .kind = "backdoor",
    .goals = TC_FOR_BACKDOOR,
    .paper = "Turner et al., Label-consistent backdoor attacks, arXiv 1912.02771",
    .summary = "marked images of the intended class, made hard to recognise by anything but the trigger",
    .equation = "max over |δ| ≤ ε of L(θ*; x + δ, y_obj); poison = (x + δ) with the trigger",
    .departs = "the paper and its code hand out adversarial images and say no steps: those are Madry et "
               "al.'s; no marks in all four corners",
    .options = options_table,
    .options_size = sizeof(clean_options),
    .needs_surrogate = true,
    .craft = craft,
    .work = work,
};
