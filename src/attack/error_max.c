/* error_max.c — adversarial examples as poisons, and SAPA's version of it.
 *
 * Papers: Fowl et al., "Adversarial Examples Make Strong Poisons", arXiv 2106.10807
 *         He et al., "Sharpness-aware data poisoning attack" (SAPA), Algorithm 4
 *
 * Images that a cleanly trained network takes for another class carry that class's features. Who trains on them under
 * their old labels learns these features for the wrong class, and real images are then misjudged. On surrogates θ* in
 * evaluation mode, averaged where there are several:
 *
 *     δ ~ N(0, ε²) clipped; with sharpness: θ* → θ* + v̂, which makes the objective of all x + δ largest
 *     `steps` times: δ_i := Π(δ_i ± α sign ∇_δ l(f(T(x_i + δ_i)), y)),  α = step · ε, T a fresh random shift and flip
 *
 *     aim = away          + and y = y_i: away from the image's own class
 *     aim = next-class    − and y = (y_i + 1) mod C: the paper's class-targeted attack with the released permutation
 *     aim = permutation   − and y = π(y_i), π drawn without fixed points: any other permutation does as well, says Fowl
 *
 * The paper finds class-targeted poisons the stronger ones; SAPA's Algorithm 4 is the first form. v̂ makes l(·, y_i)
 * largest there (Algorithm 4). For the other two it makes l(·, π(y_i)), which they minimise, largest: the worst case
 * of their own objective. Defaults are the released code's (250 steps of PGD, step 0.05, batches of 512, the shifts
 * and flips of Witches' Brew); its restarts, best by the loss, are not done here. SAPA says T steps and no number. */
#include "attack/methods.h"
#include "attack/parts/onlooker.h"
#include "attack/parts/perturbation.h"
#include "train/clock.h"

#include <math.h>
#include <stdlib.h>

typedef struct max_options {
    int aim;
    int64_t steps, batch;
    double step, shift;
    bool flip;
    tc_sharpness_options sharpness;
} max_options;

enum { AWAY, NEXT_CLASS, PERMUTATION };
static const char *const aim_names[] = {"away", "next-class", "permutation", NULL};

static const tc_option options_table[] = {
    TC_CHOICE(max_options, aim, "away", aim_names,
              "away: from the image's class (SAPA); next-class, permutation: towards another (Fowl et al.)"),
    TC_INT(max_options, steps, 250, 1, 1e6, "steps", "steps of PGD (Fowl et al.: 250)"),
    TC_REAL_ABOVE(max_options, step, 0.05, 0, 1, "of epsilon", "length of a step (Fowl et al.'s code: 0.05)"),
    TC_INT(max_options, batch, 512, 1, 65536, "images", "images perturbed together (Fowl et al.'s code: 512)"),
    TC_REAL(max_options, shift, 4, 0, 64, "pixels", "largest random shift while crafting (Fowl et al.'s code: 4)"),
    TC_BOOL(max_options, flip, "true", "random left-right flip while crafting (Fowl et al.'s code)"),
    TC_SHARPNESS_OPTIONS(max_options, sharpness),
    TC_OPTIONS_END};

typedef struct crafter {
    const tc_craft_job *job;
    const max_options *options;
    tc_crowd crowd;
    tc_onlooker *eyes; /* [job->surrogate_count] */
    int32_t *towards;  /* [classes]; NULL: away */
    int64_t steps;
    double aiming; /* share of the work that v̂ takes */
    bool stopped;  /* while aiming */
} crafter;

/* ---- the algorithm ---- */

static double step_all(crafter *m, tc_stream stream) {
    const int surrogates = m->job->surrogate_count;
    const double length = m->options->step * m->job->threat->epsilon;
    double loss = 0;
    tc_lens_draw(&m->crowd.lens, stream);
    for (int i = 0; i < surrogates; i++) loss += tc_onlooker_look(&m->eyes[i], 1.0 / surrogates) / surrogates;
    tc_crowd_step(&m->crowd, m->towards ? -length : length);
    m->steps++;
    return loss;
}

static tc_status tell(const crafter *m, double share, double loss, tc_error *error) {
    const tc_craft_job *job = m->job;
    if (job->progress) job->progress(job->context, share, loss);
    if (job->stop && job->stop(job->context))
        return tc_raise(error, TC_INTERRUPTED, "error-max: stopped after %lld steps; nothing was kept",
                        (long long)m->steps);
    return TC_OK;
}

static bool glance(void *context, double share) {
    crafter *m = context;
    m->stopped = m->stopped || tell(m, m->aiming * share, NAN, NULL) != TC_OK;
    return m->stopped;
}

static tc_status move_batch(crafter *m, size_t from, size_t n, tc_error *error) {
    const tc_craft_job *job = m->job;
    const double poisons = (double)job->threat->poisons, steps = (double)m->options->steps;
    tc_status status = TC_OK;
    const tc_stream stream = tc_stream_child(job->stream, "batch", from / m->crowd.batch);
    tc_crowd_load(&m->crowd, NULL, from, n);
    for (int64_t step = 0; step < m->options->steps; step++) {
        const double loss = step_all(m, tc_stream_child(stream, "step", (uint64_t)step));
        const double done = ((double)from + (double)n * (double)(step + 1) / steps) / poisons;
        if (!isfinite(loss))
            TC_RAISE(TC_FAILED,
                     "error-max: the loss is not a number; take a smaller rho or sigma, or train the surrogate again");
        TC_TRY(tell(m, m->aiming + (1 - m->aiming) * done, loss, error));
    }
    tc_crowd_keep(&m->crowd);
done:
    return status;
}

static tc_status move_all(crafter *m, tc_error *error) {
    const size_t poisons = m->job->threat->poisons, batch = m->crowd.batch;
    tc_status status = TC_OK;
    if (m->options->sharpness.kind == TC_SHARPNESS_WORST_CASE) m->aiming = 1 / (1 + (double)m->options->steps);
    for (int i = 0; i < m->job->surrogate_count; i++) tc_onlooker_aim(&m->eyes[i]);
    if (m->stopped) TC_TRY(tell(m, m->aiming, NAN, error));
    for (size_t from = 0; from < poisons; from += batch)
        TC_TRY(move_batch(m, from, poisons - from < batch ? poisons - from : batch, error));
done:
    return status;
}

/* ---- preparing ---- */

static tc_status check(const void *options, tc_error *error) {
    const max_options *chosen = options;
    return tc_sharpness_check(&chosen->sharpness, error);
}

/* π := a permutation without fixed points: a shuffle is drawn until it has none, e times on average. */
static void derange(int32_t *towards, uint32_t *order, int classes, tc_stream stream) {
    for (bool fixed = true; fixed;) {
        fixed = false;
        tc_draw_permutation(&stream, order, (size_t)classes);
        for (int c = 0; c < classes; c++) {
            fixed |= order[c] == (uint32_t)c;
            towards[c] = (int32_t)order[c];
        }
    }
}

static tc_status aim(crafter *m, tc_error *error) {
    const int classes = m->job->dataset->classes;
    uint32_t *order = NULL;
    tc_status status = TC_OK;
    if (m->options->aim == AWAY) return TC_OK;
    if (classes < 2) TC_RAISE(TC_INVALID, "error-max: %s has one class; there is no other", m->job->dataset->name);
    TC_TRY(tc_new(&m->towards, (size_t)classes, sizeof *m->towards, error));
    TC_TRY(tc_new(&order, (size_t)classes, sizeof *order, error));
    for (int c = 0; c < classes; c++) m->towards[c] = (c + 1) % classes;
    if (m->options->aim == PERMUTATION)
        derange(m->towards, order, classes, tc_stream_child(m->job->stream, "permutation", 0));
done:
    free(order);
    return status;
}

static tc_status prepare(crafter *m, tc_error *error) {
    const tc_craft_job *job = m->job;
    tc_status status = TC_OK;
    if (job->surrogate_count < 1) TC_RAISE(TC_INVALID, "error-max: no surrogate is given; train one first");
    TC_TRY(aim(m, error));
    TC_TRY(tc_crowd_create(job->device, job->dataset, job->threat, false, (size_t)m->options->batch, m->options->shift,
                           m->options->flip, &m->crowd, error));
    tc_crowd_begin(&m->crowd, TC_START_NORMAL, tc_stream_child(job->stream, "start", 0));
    TC_TRY(tc_new(&m->eyes, (size_t)job->surrogate_count, sizeof *m->eyes, error));
    for (int i = 0; i < job->surrogate_count; i++) {
        const tc_surrogate *own = &job->surrogates[i];
        TC_TRY(tc_onlooker_create(&m->crowd, own->model, &own->weights, &m->options->sharpness,
                                  tc_stream_child(job->stream, "sharpness", (uint64_t)i), &m->eyes[i], error));
        m->eyes[i].towards = m->towards;
        m->eyes[i].glance = glance;
        m->eyes[i].context = m;
    }
done:
    return status;
}

static void clean_up(crafter *m) {
    for (int i = 0; m->eyes && i < m->job->surrogate_count; i++) tc_onlooker_free(&m->eyes[i]);
    free(m->eyes);
    if (m->crowd.device) tc_crowd_free(&m->crowd);
    free(m->towards);
}

/* The objective is the mean loss that the aim is about: to be raised for `away`, to be lowered for the others. */
static void fill_report(crafter *m, double started, tc_craft_report *report) {
    *report = (tc_craft_report){.steps = m->steps};
    for (int i = 0; i < m->job->surrogate_count; i++) {
        report->gradients += m->eyes[i].q.gradients;
        report->objective += tc_onlooker_judge(&m->eyes[i]).loss / m->job->surrogate_count;
    }
    report->seconds = tc_clock() - started;
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    const double started = tc_clock();
    crafter m = {.job = job, .options = options};
    uint8_t *images = NULL;
    *poison = NULL;
    TC_TRY(prepare(&m, error));
    TC_TRY(move_all(&m, error));
    TC_TRY(tc_new(&images, job->threat->poisons, m.crowd.image, error));
    tc_crowd_round(&m.crowd, images);
    TC_TRY(tc_threat_poison(job->dataset, job->threat, images, poison, error));
    if (report) fill_report(&m, started, report);
done:
    clean_up(&m);
    free(images);
    return status;
}

static tc_craft_work work(const tc_craft_job *job, const void *options) {
    const max_options *o = options;
    const double poisons = (double)job->threat->poisons;
    const tc_crowd_work crowd = tc_crowd_work_of(&o->sharpness, poisons);
    return (tc_craft_work){.each = (double)o->steps * crowd.step + crowd.aim + poisons / 3,
                           .grain = crowd.step * fmin(1, (double)o->batch / poisons)};
}

const tc_attack tc_error_max = {
    .name = "error-max",
    .kind = "untargeted",
    .goals = TC_FOR_UNTARGETED,
    .paper = "Fowl et al., Adversarial Examples Make Strong Poisons, arXiv 2106.10807; with sharpness: He et al., "
             "Sharpness-aware data poisoning attack",
    .summary = "adversarial examples of a clean network, under their own labels",
    .options = options_table,
    .options_size = sizeof(max_options),
    .needs_surrogate = true,
    .check = check,
    .craft = craft,
    .work = work,
};
