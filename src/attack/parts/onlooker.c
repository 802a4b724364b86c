#include "attack/parts/onlooker.h"

#include "evaluate/evaluate.h"

#include <stdlib.h>
#include <string.h>

/* ---- looking ---- */

static size_t step_size(const tc_crowd *c, size_t from) {
    const size_t left = c->threat->poisons - from;
    return left < c->batch ? left : c->batch;
}

/* The batch, through the lens, into the pass that is made for its size. */
static tc_pass *show(tc_onlooker *o) {
    const tc_crowd *c = o->crowd;
    tc_pass *pass = tc_passes_find(&o->passes, (int)c->n);
    for (size_t i = 0; i < c->n; i++) o->labels[i] = o->towards ? o->towards[c->labels[i]] : c->labels[i];
    tc_lens_see(&c->lens, 0, (int)c->n, c->pixels, tc_pass_input(pass));
    c->device->k->upload_bytes(c->device, tc_pass_labels(pass), o->labels, c->n * sizeof *o->labels);
    return pass;
}

static double crowd_gradient(tc_objective *q, const void *theta, void *g) {
    tc_onlooker *o = (tc_onlooker *)q;
    tc_crowd *c = o->crowd;
    double value = 0;
    tc_lens_clear(&c->lens);
    for (size_t from = 0; from < c->threat->poisons; from += c->batch) {
        tc_crowd_load(c, NULL, from, step_size(c, from));
        const double share = (double)c->n / (double)c->threat->poisons;
        value += share * tc_pass_grad(show(o), theta, o->state, o->part, NULL);
        c->device->k->axpby(c->device, q->parameters, share, o->part, from > 0, g);
        q->gradients++;
        if (o->glance && o->glance(o->context, TC_GRADIENT_WORK * (double)c->n)) break;
    }
    return value;
}

void tc_onlooker_aim(tc_onlooker *o) {
    tc_sharpness_aim(&o->sharpness, &o->q, o->theta, o->g);
}

void tc_onlooker_look(tc_onlooker *o, double weight, double *loss) {
    tc_crowd *c = o->crowd;
    const int points = tc_sharpness_points(&o->sharpness);
    for (int i = 0; i < points; i++) {
        const void *theta = tc_sharpness_point(&o->sharpness, o->theta);
        tc_pass *pass = show(o);
        tc_pass_grad_async(pass, theta, o->state, NULL, o->dx);
        if (loss) *loss += tc_pass_mean_loss(pass) / points;
        tc_lens_adjoint(&c->lens, 0, (int)c->n, weight / points, o->dx, c->gradient);
        o->q.gradients++;
    }
}

void tc_onlooker_each(tc_onlooker *o, double weight, double *each) {
    tc_crowd *c = o->crowd;
    const int classes = tc_model_classes(o->model);
    const bool moved = o->sharpness.options->kind == TC_SHARPNESS_WORST_CASE;
    tc_lens_clear(&c->lens);
    tc_pass *pass = show(o);
    tc_pass_forward(pass, moved ? tc_sharpness_point(&o->sharpness, o->theta) : o->theta, o->state);
    c->device->k->download_float(c->device, o->logits, tc_pass_logits(pass), c->n * (size_t)classes);
    for (size_t i = 0; i < c->n; i++)
        each[i] += weight * tc_cross_entropy(o->logits + i * (size_t)classes, classes, o->labels[i]);
}

tc_sight tc_onlooker_judge(tc_onlooker *o) {
    tc_crowd *c = o->crowd;
    const int classes = tc_model_classes(o->model);
    const double all = (double)c->threat->poisons;
    tc_sight sight = {0};
    tc_lens_clear(&c->lens);
    for (size_t from = 0; from < c->threat->poisons; from += c->batch) {
        tc_crowd_load(c, NULL, from, step_size(c, from));
        tc_pass *pass = show(o);
        sight.loss += tc_pass_forward(pass, o->theta, o->state) * (double)c->n / all;
        c->device->k->download_float(c->device, o->logits, tc_pass_logits(pass), c->n * (size_t)classes);
        for (size_t i = 0; i < c->n; i++)
            sight.error += (tc_argmax(o->logits + i * (size_t)classes, classes) != o->labels[i]) / all;
        if (o->glance && o->glance(o->context, (double)c->n)) break;
    }
    return sight;
}

tc_crowd_work tc_crowd_work_of(const tc_sharpness_options *sharpness, double poisons) {
    const bool worst = sharpness->kind == TC_SHARPNESS_WORST_CASE;
    const double points = worst ? 1 : tc_sharpness_gradients(sharpness);
    return (tc_crowd_work){.step = points * 2 / 3 * poisons, .aim = worst ? poisons : 0};
}

/* ---- making ---- */

static tc_status make(tc_onlooker *o, const tc_weights *weights, tc_error *error) {
    tc_status status = TC_OK;
    const tc_crowd *c = o->crowd;
    tc_device *device = c->device;
    const size_t p = o->q.parameters, statistics = tc_model_state(o->model);
    TC_TRY(tc_passes_for(&o->passes, c->threat->poisons, (int)c->batch, error));
    TC_TRY(tc_device_reals(device, p, &o->theta, error));
    TC_TRY(tc_device_reals(device, statistics + 1, &o->state, error)); /* never empty */
    TC_TRY(tc_device_reals(device, p, &o->g, error));
    TC_TRY(tc_device_reals(device, p, &o->part, error));
    TC_TRY(tc_device_reals(device, c->batch * c->image, &o->dx, error));
    TC_TRY(tc_new(&o->labels, c->batch, sizeof *o->labels, error));
    TC_TRY(tc_new(&o->logits, c->batch * (size_t)tc_model_classes(o->model), sizeof *o->logits, error));
    device->k->upload_float(device, o->theta, weights->theta, p);
    device->k->upload_float(device, o->state, weights->state, statistics);
done:
    return status;
}

tc_status tc_onlooker_create(tc_crowd *crowd, const tc_model *model, const tc_weights *weights,
                             const tc_sharpness_options *sharpness, tc_stream stream, tc_onlooker *o, tc_error *error) {
    tc_status status = TC_OK;
    *o = (tc_onlooker){
        .q = {.parameters = tc_model_parameters(model), .gradient = crowd_gradient},
        .crowd = crowd,
        .model = model,
        .passes = {
            .device = crowd->device,
            .model = model,
            .options = {.mode = TC_EVALUATE, .want = TC_WANT_GRAD_THETA | TC_WANT_GRAD_X, .loss = TC_CROSS_ENTROPY}}};
    TC_TRY(tc_model_fits(model, crowd->dataset, error));
    TC_TRY(tc_sharpness_create(crowd->device, sharpness, o->q.parameters, stream, &o->sharpness, error));
    TC_TRY(make(o, weights, error));
done:
    if (status != TC_OK) tc_onlooker_free(o);
    return status;
}

void tc_onlooker_free(tc_onlooker *o) {
    if (!o->crowd) return;
    void *const memory[] = {o->theta, o->state, o->g, o->part, o->dx};
    for (int i = 0; i < 5; i++)
        if (memory[i]) o->crowd->device->k->release(o->crowd->device, memory[i]);
    if (o->sharpness.device) tc_sharpness_free(&o->sharpness);
    tc_passes_free(&o->passes);
    free(o->labels);
    free(o->logits);
    *o = (tc_onlooker){0};
}
