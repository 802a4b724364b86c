/* poison_frogs.c — feature collision: poisons that a network cannot tell from the target, and a person can.
 *
 * Paper: Shafahi et al., "Poison frogs! Targeted clean-label poisoning attacks on neural networks", arXiv 1804.00792
 *
 * Each base image b (of class y_obj, its label unchanged) becomes the poison                                  (Eq. 1)
 *
 *     p = argmin_x ‖f(x) − f(t)‖² + β ‖x − b‖²,     β = beta · (features / pixels)²
 *
 * for a target t, f being the last features before the classifier; a network trained on p learns to see y_obj where t
 * lies. Solved by forward–backward splitting (Algorithm 1) from x = b:
 *
 *     x̂ = x − λ ∇_x ‖f(x) − f(t)‖²,        x = clip((x̂ + 2λβ b) / (1 + 2λβ))
 *
 * clip: to ‖x − b‖_∞ ≤ ε and pixels in [0, 255], which the paper does not have and SAPA's comparison demands. The bound
 * and the penalty are separable, so clipping after shrinking is the exact proximal map of both. (The paper prints
 * (x̂ + λβ b)/(1 + βλ), the proximal map of half the penalty that its Eq. 1 names; here it is Eq. 1's.)
 *
 * λ: every poison has its own. The first one moves the pixel that moves most by step·ε. A step after which the poison's
 * objective is larger is taken back and λ halved, as the released code does with its one λ by the mean of the last 40
 * objectives; here λ also grows by a fifth after a step that helped, because what the first gradient suggests is often
 * far too small.
 *
 * Several surrogates: distances are averaged over them. Several targets: poison j is for target j mod T. With sharpness
 * the distances are those of collision.h at θ* + v̂, v̂ found anew before each step.
 *
 * Units: x is in [0, 1] in the penalty. The released code measures x in 8-bit steps, takes norms without squaring them,
 * and has its network's 2048 features for `features` whatever the network is; on the images of 299 × 299 for which it
 * was written, β = 0.25 · (2048 / 268203)². Not here: the paper's watermark (the target shown at 30 % opacity in every
 * poison), with which it attacks training from scratch; no bound ε of this program's would allow it. So training from
 * scratch is where this attack does worst, and the paper says so, too. */
#include "attack/methods.h"
#include "attack/parts/collision.h"
#include "attack/parts/descent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct frog_options {
    int64_t steps;
    double beta, step;
    int64_t batch;
    tc_sharpness_options sharpness;
} frog_options;

static const tc_option options_table[] = {
    TC_INT(frog_options, steps, 200, 1, 1e6, "steps", "forward and backward steps (released code: 200)"),
    TC_REAL(frog_options, beta, 0.25, 0, 1e9, "",
            "weight of staying near the base image, before (features/pixels) squared (Poison Frogs: 0.25)"),
    TC_REAL_ABOVE(frog_options, step, 1, 0, 1e6, "epsilon", "largest move of a pixel in the first step; then adapted"),
    TC_INT(frog_options, batch, 128, 1, 65536, "images", "poisons looked at in one pass; changes no result"),
    TC_SHARPNESS_OPTIONS(frog_options, sharpness),
    TC_OPTIONS_END};

static const double shorter = 0.5, longer = 1.2; /* λ after a step taken back, after one that helped */

typedef struct frogs {
    const tc_craft_job *job;
    const frog_options *options;
    tc_perturbation delta; /* what is tried */
    tc_collider collider;
    void *dpixels;               /* device reals [values] */
    float *gradient;             /* host [values]: of what is tried */
    float *kept, *kept_gradient; /* host [values]: δ of every poison's best, in 8-bit steps, and ∇ there */
    double *best, *lambda;       /* host [poisons]: its objective; λ for δ in 8-bit steps */
    size_t image;
    double beta;   /* for δ in 8-bit steps */
    int64_t looks; /* so far: the first and one a step */
    tc_snapshot snapshot;
} frogs;

/* ---- the algorithm ---- */

static double penalty(const frogs *f, const float *delta) {
    double sum = 0;
    for (size_t i = 0; i < f->image; i++) sum += (double)delta[i] * delta[i];
    return f->beta * sum;
}

static double largest(const float *x, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs((double)x[i]));
    return most;
}

/* Poison j's part of a step that has been tried: kept or taken back, λ changed. */
static void judge(frogs *f, size_t j, bool first) {
    const size_t at = j * f->image, bytes = f->image * sizeof(float);
    const double value = f->collider.each[j] + penalty(f, f->delta.host + at);
    if (!first && !(value <= f->best[j])) {
        f->lambda[j] *= shorter;
        return;
    }
    f->best[j] = value;
    memcpy(f->kept + at, f->delta.host + at, bytes);
    memcpy(f->kept_gradient + at, f->gradient + at, bytes);
    if (!first) {
        f->lambda[j] *= longer;
        return;
    }
    const double steepest = largest(f->gradient + at, f->image);
    f->lambda[j] = steepest > 0 ? f->options->step * f->job->threat->epsilon / steepest : 0;
}

/* Looks at the δ that is tried and keeps of it what helped; the mean objective of what is kept. */
static double look(frogs *f, bool first) {
    tc_device *device = f->job->device;
    const size_t poisons = f->job->threat->poisons;
    double sum = 0;
    tc_perturbation_apply(&f->delta);
    tc_collider_look(&f->collider, f->dpixels);
    device->k->download_float(device, f->gradient, f->dpixels, f->delta.values);
    device->k->download_float(device, f->delta.host, f->delta.delta, f->delta.values);
    for (size_t j = 0; j < poisons; j++) {
        judge(f, j, first);
        sum += f->best[j];
    }
    return sum / (double)poisons;
}

static void try_next(frogs *f) {
    for (size_t j = 0; j < f->job->threat->poisons; j++) {
        const double lambda = f->lambda[j], shrink = 1 / (1 + 2 * lambda * f->beta);
        for (size_t i = j * f->image; i < (j + 1) * f->image; i++)
            f->delta.host[i] = (float)((f->kept[i] - lambda * f->kept_gradient[i]) * shrink);
    }
    f->job->device->k->upload_float(f->job->device, f->delta.delta, f->delta.host, f->delta.values);
    tc_perturbation_project(&f->delta);
}

static tc_status descend(frogs *f, tc_error *error) {
    tc_status status = TC_OK;
    const int64_t steps = f->options->steps;
    while (f->looks <= steps) {
        const bool first = f->looks == 0;
        if (!first) try_next(f);
        const double objective = look(f, first);
        f->looks++;
        if (!isfinite(objective))
            TC_RAISE_FRUITLESS(TC_FAILED, "poison-frogs: the distance is not a number; train the surrogate again");
        if (!first) TC_TRY(tc_craft_tell(&f->snapshot, (double)(f->looks - 1) / (double)steps, objective, error));
    }
    f->job->device->k->upload_float(f->job->device, f->delta.delta, f->kept, f->delta.values);
done:
    return status;
}

/* Of the 8-bit images, at θ* itself. */
static double final_objective(frogs *f, const uint8_t *images) {
    const size_t poisons = f->job->threat->poisons;
    double sum = tc_collider_value(&f->collider) * (double)poisons;
    tc_threat_base(f->job->dataset, f->job->threat, (uint8_t *)f->gradient); /* scratch */
    const uint8_t *base = (const uint8_t *)f->gradient;
    for (size_t i = 0; i < f->delta.values; i++) sum += f->beta * (images[i] - base[i]) * (images[i] - base[i]);
    return sum / (double)poisons;
}

/* ---- preparing ---- */

static tc_status check(const void *options, tc_error *error) {
    const frog_options *chosen = options;
    return tc_sharpness_check(&chosen->sharpness, error);
}

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    (void)options;
    return tc_collision_check(job, "features", error);
}

static tc_status prepare(frogs *f, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = f->job;
    const tc_collision_options collision = {
        .kind = TC_COLLIDE_EACH, .layers = "features", .piece = (int)f->options->batch};
    f->image = tc_dataset_image_bytes(job->dataset);
    TC_TRY(tc_perturbation_create(job->device, job->dataset, job->threat, &f->delta, error));
    TC_TRY(tc_collider_create(job, &collision, &f->options->sharpness, 0, false, f->delta.pixels, &f->collider, error));
    TC_TRY(tc_device_reals(job->device, f->delta.values, &f->dpixels, error));
    float **const images[] = {&f->gradient, &f->kept, &f->kept_gradient};
    for (int i = 0; i < 3; i++) TC_TRY(tc_new(images[i], f->delta.values, sizeof **images[i], error));
    TC_TRY(tc_new(&f->best, job->threat->poisons, sizeof *f->best, error));
    TC_TRY(tc_new(&f->lambda, job->threat->poisons, sizeof *f->lambda, error));
    const double ratio = (double)f->collider.at[0].width[0] / (double)f->image;
    f->beta = f->options->beta * ratio * ratio / (255 * 255);
done:
    return status;
}

enum { OWN_PIECES = 5 };

static tc_status resume(frogs *f, tc_error *error) {
    const size_t images = f->delta.values * sizeof(float), each = f->job->threat->poisons * sizeof(double);
    tc_snapshot *s = &f->snapshot;
    tc_status status = TC_OK;
    bool found;
    TC_TRY(tc_snapshot_create(f->job, &tc_poison_frogs, f->options,
                              OWN_PIECES + TC_COLLIDER_PIECES * f->job->surrogate_count, s, error));
    tc_snapshot_host(s, &f->looks, sizeof f->looks);
    tc_snapshot_host(s, f->kept, images);
    tc_snapshot_host(s, f->kept_gradient, images);
    tc_snapshot_host(s, f->best, each);
    tc_snapshot_host(s, f->lambda, each);
    tc_collider_keep(&f->collider, s);
    TC_TRY(tc_snapshot_load(s, &found, error));
done:
    return status;
}

static void clean_up(frogs *f) {
    tc_snapshot_free(&f->snapshot);
    if (f->dpixels) f->job->device->k->release(f->job->device, f->dpixels);
    if (f->collider.job) tc_collider_free(&f->collider);
    if (f->delta.device) tc_perturbation_free(&f->delta);
    free(f->gradient);
    free(f->kept);
    free(f->kept_gradient);
    free(f->best);
    free(f->lambda);
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    frogs f = {.job = job, .options = options};
    uint8_t *images = NULL;
    *poison = NULL;
    TC_TRY(prepare(&f, error));
    TC_TRY(tc_new(&images, f.delta.values, 1, error));
    TC_TRY(resume(&f, error));
    TC_TRY(descend(&f, error));
    tc_perturbation_round(&f.delta, images);
    const double objective = final_objective(&f, images);
    TC_TRY(tc_threat_poison(job->dataset, job->threat, images, poison, error));
    if (report) {
        *report = (tc_craft_report){
            .objective = objective, .seconds = tc_snapshot_seconds(&f.snapshot), .steps = f.options->steps};
        tc_collider_spent(&f.collider, report);
    }
done:
    clean_up(&f);
    free(images);
    return status;
}

static tc_craft_work work(const tc_craft_job *job, const void *options) {
    const frog_options *o = options;
    const double look = tc_collision_work(job, "features", (int)o->batch, &o->sharpness);
    return (tc_craft_work){.each = (double)(o->steps + 1) * look, .grain = look};
}

const tc_attack tc_poison_frogs = {
    .name = "poison-frogs",
    .kind = "targeted",
    .goals = TC_FOR_TARGETED,
    .paper =
        "Shafahi et al., Poison frogs! Targeted clean-label poisoning attacks on neural networks, arXiv 1804.00792",
    .summary = "feature collision: each poison has the target's features and its base's looks",
    .equation = "x = argmin ‖f(x) − f(target)‖² + β ‖x − base‖², |x − base| ≤ ε",
    .departs = "the paper has no ε, and a watermark that no ε would allow; its proximal step is half of "
               "its Eq. 1's; the code takes norms unsquared; here the step adapts for every poison",
    .options = options_table,
    .options_size = sizeof(frog_options),
    .needs_surrogate = true,
    .check = check,
    .check_job = check_job,
    .craft = craft,
    .work = work,
};
