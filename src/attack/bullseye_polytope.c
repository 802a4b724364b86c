/* bullseye_polytope.c — the target in the middle of the poisons, in the features of every network at hand.
 *
 * Paper: Aghakhani et al., "Bullseye polytope: a scalable clean-label poisoning attack with improved transferability",
 *        arXiv 2005.00191
 *
 * For K surrogates φ_i and k poisons x_p with bases x_b,                                                      (Eq. 2)
 *
 *     minimise ½ Σ_i ‖φ_i(x_t) − (1/k) Σ_j φ_i(x_p^j)‖² / ‖φ_i(x_t)‖²     with ‖x_p^j − x_b^j‖_∞ ≤ ε
 *
 * (here the mean over i, which Adam cannot tell from the sum), by Adam on the poisons from x_p = x_b, clipped after
 * each step. Where a classifier is linear, what is true of all poisons is true of their mean, and the target sits there
 * with room around it. With `layers` naming several values of the network ("all"), the objective is the mean over them:
 * the paper's end-to-end mode, against victims that train more than the last layer.
 *
 * Several targets: by default every target has its own share of the poisons, poison j the target j mod T. The paper's
 * multi-target mode, several photographs of one thing, puts the mean of the targets' features there instead: merged.
 * With sharpness the objective is that of collision.h at θ* + v̂, v̂ found anew before each step.
 *
 * The paper crafts 5 poisons by 4000 steps, which are the defaults; some hundred poisons, as training from scratch
 * needs them, are content with some hundred steps. Where the released code differs: it minimises ‖·‖/‖φ‖, not ½
 * ‖·‖²/‖φ‖²; it averages over networks with dropout switched on where asked to, which a surrogate here never has. Its ε
 * is fixed at 0.1 of the pixel range; here it is the threat's. Random shifts and flips are not the paper's: off by
 * default. */
#include "attack/methods.h"
#include "attack/parts/collision.h"
#include "attack/parts/descent.h"

#include <math.h>
#include <stdlib.h>

typedef struct bull_options {
    int64_t steps;
    double step_size, decay;
    bool sign;
    char layers[TC_TEXT_SIZE];
    bool merged;
    double shift;
    bool flip;
    int64_t batch;
    tc_sharpness_options sharpness;
} bull_options;

static const tc_option options_table[] = {
    TC_INT(bull_options, steps, 4000, 1, 1e6, "steps", "steps of Adam (Bullseye Polytope: 4000)"),
    TC_REAL_ABOVE(bull_options, step_size, 0.04, 0, 100, "standard deviations",
                  "step of Adam, in normalised pixels (Bullseye Polytope: 0.04)"),
    TC_REAL_ABOVE(bull_options, decay, 1, 0, 1, "",
                  "factor on the step after 3/8, 5/8 and 7/8 of the steps (Bullseye Polytope: none)"),
    TC_BOOL(bull_options, sign, "false", "Adam sees only the sign of the gradient, as in Witches' Brew"),
    TC_TEXT(bull_options, layers, "features",
            "values of the network that shall collide, by name, or all (Bullseye Polytope: the last one; all of them "
            "end to end)"),
    TC_BOOL(bull_options, merged, "false",
            "several targets: the mean of their features in place of a share of the poisons for each"),
    TC_REAL(bull_options, shift, 0, 0, 64, "pixels", "largest random shift while crafting (Bullseye Polytope: none)"),
    TC_BOOL(bull_options, flip, "false", "random left-right flip while crafting (Bullseye Polytope: none)"),
    TC_INT(bull_options, batch, 128, 1, 65536, "images", "poisons looked at in one pass; changes no result"),
    TC_SHARPNESS_OPTIONS(bull_options, sharpness),
    TC_OPTIONS_END};

typedef struct bull {
    const tc_craft_job *job;
    const bull_options *options;
    tc_perturbation delta;
    tc_descent descent;
    tc_collider collider;
    int64_t steps; /* taken so far */
    tc_snapshot snapshot;
} bull;

static tc_status check(const void *options, tc_error *error) {
    const bull_options *chosen = options;
    return tc_sharpness_check(&chosen->sharpness, error);
}

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    return tc_collision_check(job, ((const bull_options *)options)->layers, error);
}

static tc_status prepare(bull *b, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = b->job;
    const bull_options *o = b->options;
    const tc_collision_options collision = {
        .kind = TC_COLLIDE_MEAN, .layers = o->layers, .merged = o->merged, .piece = (int)o->batch};
    TC_TRY(tc_perturbation_create(job->device, job->dataset, job->threat, &b->delta, error));
    TC_TRY(tc_descent_create(&b->delta, &b->descent, error));
    TC_TRY(tc_collider_create(job, &collision, &o->sharpness, o->shift, o->flip, b->delta.pixels, &b->collider, error));
done:
    return status;
}

static tc_status resume(bull *b, tc_error *error) {
    const int pieces = 1 + TC_DESCENT_PIECES + TC_COLLIDER_PIECES * b->job->surrogate_count;
    tc_snapshot *s = &b->snapshot;
    tc_status status = TC_OK;
    bool found;
    TC_TRY(tc_snapshot_create(b->job, &tc_bullseye_polytope, b->options, pieces, s, error));
    tc_snapshot_host(s, &b->steps, sizeof b->steps);
    tc_descent_keep(&b->descent, s);
    tc_collider_keep(&b->collider, s);
    TC_TRY(tc_snapshot_load(s, &found, error));
done:
    return status;
}

static tc_status descend(bull *b, tc_error *error) {
    tc_status status = TC_OK;
    const bull_options *o = b->options;
    const double rate = tc_deviations(b->job->dataset, o->step_size);
    while (b->steps < o->steps) {
        const int64_t step = b->steps;
        tc_lens_draw(&b->collider.lens, tc_stream_child(b->job->stream, "augment", (uint64_t)step));
        tc_perturbation_apply(&b->delta);
        const double value = tc_collider_look(&b->collider, b->descent.gradient);
        if (!isfinite(value))
            TC_RAISE_FRUITLESS(TC_FAILED, "bullseye-polytope: the distance is not a number; train the surrogate again");
        tc_descent_step(&b->descent, tc_decayed(rate, o->decay, step, o->steps), step, o->sign);
        b->steps++;
        TC_TRY(tc_craft_tell(&b->snapshot, (double)b->steps / (double)o->steps, value, error));
    }
done:
    return status;
}

static void clean_up(bull *b) {
    if (b->collider.job) tc_collider_free(&b->collider);
    tc_descent_free(&b->descent);
    if (b->delta.device) tc_perturbation_free(&b->delta);
    tc_snapshot_free(&b->snapshot);
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    bull b = {.job = job, .options = options};
    uint8_t *images = NULL;
    *poison = NULL;
    TC_TRY(prepare(&b, error));
    TC_TRY(tc_new(&images, b.delta.values, 1, error));
    TC_TRY(resume(&b, error));
    TC_TRY(descend(&b, error));
    tc_perturbation_round(&b.delta, images);
    tc_lens_clear(&b.collider.lens);
    const double objective = tc_collider_value(&b.collider);
    TC_TRY(tc_threat_poison(job->dataset, job->threat, images, poison, error));
    if (report) {
        *report =
            (tc_craft_report){.objective = objective, .seconds = tc_snapshot_seconds(&b.snapshot), .steps = b.steps};
        tc_collider_spent(&b.collider, report);
    }
done:
    clean_up(&b);
    free(images);
    return status;
}

static tc_craft_work work(const tc_craft_job *job, const void *options) {
    const bull_options *o = options;
    const double look = tc_collision_work(job, o->layers, (int)o->batch, &o->sharpness);
    return (tc_craft_work){.each = (double)o->steps * look, .grain = look};
}

const tc_attack tc_bullseye_polytope = {
    .name = "bullseye-polytope",
    .kind = "targeted",
    .goals = TC_FOR_TARGETED,
    .paper = "Aghakhani et al., Bullseye polytope: a scalable clean-label poisoning attack with improved "
             "transferability, arXiv 2005.00191",
    .summary = "feature collision: the poisons' mean features are the target's, on every surrogate",
    .equation = "min over |δ| ≤ ε of ½ mean over networks of ‖φ(target) − mean of φ(poisons)‖² / "
                "‖φ(target)‖²",
    .departs = "the code minimises the norm and not its square, may leave dropout on, and fixes ε at a "
               "tenth of the range",
    .options = options_table,
    .options_size = sizeof(bull_options),
    .needs_surrogate = true,
    .check = check,
    .check_job = check_job,
    .craft = craft,
    .work = work,
};
