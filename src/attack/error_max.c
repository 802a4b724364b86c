/* error_max.c — adversarial examples as poisons, and SAPA's version of it.
 *
 * Papers: Fowl et al., "Adversarial Examples Make Strong Poisons", arXiv 2106.10807
 *         He et al., "Sharpness-aware data poisoning attack" (SAPA), Algorithm 4
 *
 * Images that a cleanly trained network takes for another class carry that class's features. Who trains on them under
 * their old labels learns these features for the wrong class, and real images are then misjudged. On surrogates θ* in
 * evaluation mode, averaged where there are several:
 *
 *     with sharpness: θ* → θ* + v̂, which makes the objective of all x + δ, δ as at the first start, largest
 *     `restarts` times, keep of each image the δ that its objective likes best:
 *         δ ~ N(0, ε²) clipped
 *         `steps` times: δ_i := Π(δ_i ± α sign ∇_δ l(f(T(x_i + δ_i)), y)),  α = step · ε, T a fresh random shift and
 * flip round x + δ to 8 bits, clip again                                                                   (drive.h)
 *
 *     aim = away          + and y = y_i: away from the image's own class
 *     aim = next-class    − and y = (y_i + 1) mod C: the paper's class-targeted attack with the released permutation
 *     aim = permutation   − and y = π(y_i), π drawn without fixed points: any other permutation does as well, says Fowl
 *
 * The paper finds class-targeted poisons the stronger ones; SAPA's Algorithm 4 is the first form. v̂ makes l(·, y_i)
 * largest there (Algorithm 4). For the other two it makes l(·, π(y_i)), which they minimise, largest: the worst case
 * of their own objective. Defaults are the released code's (250 steps of PGD, step 0.05, batches of 512, the shifts
 * and flips of Witches' Brew) but for the restarts, of which it makes 8 and SAPA's Algorithm 4 none. SAPA says T steps
 * and no number.
 *
 * The released code compares restarts by the mean loss of the whole set in their last step, whose T differs from
 * restart to restart, and keeps one of them whole. PGD moves every image by itself in evaluation mode, so here the best
 * is kept image by image, by its loss without T, from θ* + v̂ with worst-case sharpness. v̂ is found once, not for each
 * restart.
 *
 * Stopped or killed, it goes on from the batch it was at, to the same bits (snapshot.h). */
#include "attack/methods.h"
#include "attack/parts/drive.h"

#include <math.h>
#include <stdlib.h>

typedef struct max_options {
    int aim;
    int64_t steps, restarts, batch;
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
    TC_INT(max_options, restarts, 1, 1, 1e4, "",
           "attempts from other noise, the best is kept image by image (SAPA: 1; Fowl et al.'s code: 8)"),
    TC_REAL_ABOVE(max_options, step, 0.05, 0, 1, "of epsilon", "length of a step (Fowl et al.'s code: 0.05)"),
    TC_INT(max_options, batch, 512, 1, 65536, "images", "images perturbed together (Fowl et al.'s code: 512)"),
    TC_REAL(max_options, shift, 4, 0, 64, "pixels", "largest random shift while crafting (Fowl et al.'s code: 4)"),
    TC_BOOL(max_options, flip, "true", "random left-right flip while crafting (Fowl et al.'s code)"),
    TC_SHARPNESS_OPTIONS(max_options, sharpness),
    TC_OPTIONS_END};

typedef struct crafter {
    const tc_craft_job *job;
    const max_options *options;
    tc_drive drive;
    int32_t *towards;    /* [classes]; NULL: away */
    double *each, *best; /* [batch]: how the images of the batch like this attempt, and the best so far */
    bool *better;        /* [batch] */
} crafter;

/* ---- the algorithm ---- */

/* Which images like this attempt better than those before it. */
static void compare(crafter *m, int64_t restart) {
    const size_t n = m->drive.crowd.n;
    const double sign = m->towards ? -1 : 1;
    for (size_t i = 0; i < n; i++) m->each[i] = 0;
    for (int k = 0; k < m->drive.count; k++) tc_onlooker_each(&m->drive.eyes[k], sign / m->drive.count, m->each);
    for (size_t i = 0; i < n; i++) {
        m->better[i] = restart == 0 || m->each[i] > m->best[i];
        if (m->better[i]) m->best[i] = m->each[i];
    }
}

static tc_status move_batch(void *context, int64_t batch, tc_error *error) {
    crafter *m = context;
    const max_options *o = m->options;
    const double length = o->step * m->job->threat->epsilon;
    const tc_stream stream = tc_stream_child(m->job->stream, "batch", (uint64_t)batch);
    tc_status status = TC_OK;
    for (int64_t restart = 0; restart < o->restarts; restart++) {
        /* Several begin where their streams say and not at what is kept: a batch that is begun again may have kept some
         * of them. */
        if (o->restarts > 1)
            tc_crowd_restart(&m->drive.crowd, TC_START_NORMAL,
                             tc_stream_child(m->job->stream, "start", (uint64_t)restart));
        TC_TRY(tc_drive_move(&m->drive, o->steps, m->towards ? -length : length,
                             restart ? tc_stream_child(stream, "restart", (uint64_t)restart) : stream, error));
        if (o->restarts > 1) compare(m, restart);
        tc_crowd_keep_some(&m->drive.crowd, o->restarts > 1 ? m->better : NULL);
    }
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
    TC_TRY(tc_new(&m->towards, (size_t)classes, sizeof *m->towards, error));
    TC_TRY(tc_new(&order, (size_t)classes, sizeof *order, error));
    for (int c = 0; c < classes; c++) m->towards[c] = (c + 1) % classes;
    if (m->options->aim == PERMUTATION)
        derange(m->towards, order, classes, tc_stream_child(m->job->stream, "permutation", 0));
done:
    free(order);
    return status;
}

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    const max_options *o = options;
    if (job->surrogate_count < 1)
        return tc_raise(error, TC_INVALID, "error-max: no surrogate is given; train one first");
    if (o->aim == AWAY || job->dataset->classes > 1) return TC_OK;
    return tc_raise(error, TC_INVALID, "aim: %s has one class, there is no other to aim at; take away",
                    job->dataset->name);
}

static tc_status prepare(crafter *m, tc_error *error) {
    const tc_craft_job *job = m->job;
    const max_options *o = m->options;
    bool found = false;
    tc_status status = TC_OK;
    TC_TRY(check_job(job, o, error));
    TC_TRY(aim(m, error));
    TC_TRY(tc_drive_create(job, &tc_error_max, o, false, (size_t)o->batch, o->shift, o->flip, job->surrogate_count, 0,
                           &m->drive, error));
    TC_TRY(tc_new(&m->each, m->drive.crowd.batch, sizeof *m->each, error));
    TC_TRY(tc_new(&m->best, m->drive.crowd.batch, sizeof *m->best, error));
    TC_TRY(tc_new(&m->better, m->drive.crowd.batch, sizeof *m->better, error));
    tc_crowd_begin(&m->drive.crowd, TC_START_NORMAL, tc_stream_child(job->stream, "start", 0));
    for (int i = 0; i < job->surrogate_count; i++)
        TC_TRY(tc_drive_seat(&m->drive, i, job->surrogates[i].model, &job->surrogates[i].weights, &o->sharpness,
                             m->towards, tc_stream_child(job->stream, "sharpness", (uint64_t)i), error));
    m->drive.all = tc_drive_work(&m->drive, (double)o->steps * (double)o->restarts) +
                   (double)job->threat->poisons * job->surrogate_count; /* judging */
    TC_TRY(tc_drive_resume(&m->drive, &found, error));
done:
    return status;
}

static void clean_up(crafter *m) {
    if (m->drive.job) tc_drive_free(&m->drive);
    free(m->towards);
    free(m->each);
    free(m->best);
    free(m->better);
}

/* The objective that is told is the mean loss that the aim is about: to be raised for `away`, to be lowered for the
 * others. */
static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    crafter m = {.job = job, .options = options};
    *poison = NULL;
    TC_TRY(prepare(&m, error));
    TC_TRY(tc_drive_round(&m.drive, move_batch, &m, error));
    TC_TRY(tc_drive_end(&m.drive, poison, report, error));
done:
    clean_up(&m);
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
    .equation = "max over |δ_i| ≤ ε of l(f(T(x_i + δ_i); θ*), y_i), or min towards π(y_i); with sharpness "
                "at θ* + v̂",
    .departs = "the code keeps the best of 8 restarts of the whole set by the mean loss of the last "
               "step; here the best of each image, and one attempt unless asked",
    .options = options_table,
    .options_size = sizeof(max_options),
    .needs_surrogate = true,
    .check = check,
    .check_job = check_job,
    .craft = craft,
    .work = work,
};
