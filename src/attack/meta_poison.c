/* meta_poison.c — poisons made through the training itself, a few steps of it unrolled.
 *
 * Paper: Huang et al., "MetaPoison: practical general-purpose clean-label data poisoning", arXiv 2004.00225
 *
 * The attacker's loss after the victim's next K steps is a function of the images those steps are made on, and has an
 * exact gradient (unroll.h). A poison that lowers it for networks of every age lowers it in whatever training they are
 * put into (Algorithm 1):
 *
 *     M networks of the ages 1, 2, … (stagger.h);  δ ~ N(0, ε²), projected
 *     for step = 1 … steps:
 *         for each network θ, for each share of the poisons:
 *             θ_{k+1} = θ_k − α ∇_θ L(θ_k; the share's poisons and clean images),  k = 0 … K − 1
 *             F += max(max_{i≠y_obj} z_i(x_t; θ_K) − z_{y_obj}(x_t; θ_K), −κ)
 *         each network: one more epoch of clean training, or a new start at its end of life
 *         δ = Adam(δ, ∇_δ F), projected
 *
 * L is the cross-entropy of a batch of `batch` images with the network in training mode; the poisons of a share stand
 * in all K batches, the clean images of which differ, and every poison is in one share. α is the network's learning
 * rate at its age. Steps are plain gradient descent, without momentum or weight decay. Several targets: the loss is
 * their mean. With sharpness the loss is looked at in the neighbourhood of θ_K, one more gradient of it at every θ_K.
 *
 * The rate of Adam, 200 steps of 255, is the released code's: it sends nearly every pixel to one end of its range and
 * lets later steps choose; it rises as ((step + 1)/5)² at first and falls by 10 after a third and two thirds.
 *
 * Stopped or killed, it goes on from the network it was at, to the same bits (snapshot.h).
 *
 * The paper's colour perturbation is left out. It first moves the colours of an image by a smooth, bounded function of
 * colour alone and then adds δ, so that a pixel may end farther from where it was than by the bound on δ. The threat
 * here is ‖x' − x‖_∞ ≤ ε for the 8-bit image (SAPA's for all its systems, so that they can be compared; every poison is
 * held against it): beyond ε such a change is not allowed, and within ε it is one of the δ that are searched anyway, so
 * it could make a poison smoother but no stronger.
 *
 * Where the released code differs otherwise: only the first unrolled batch holds poisons, as many as chance puts there,
 * and all batches of an epoch are unrolled; the loss is the mean over θ_1 … θ_K; the targets share the batch statistics
 * of the batch (here they are looked at in evaluation mode, as victims are); δ starts uniform in ±ε. */
#include "attack/methods.h"
#include "attack/parts/descent.h"
#include "attack/parts/mixture.h"
#include "attack/parts/stagger.h"
#include "attack/parts/unroll.h"
#include "train/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct meta_options {
    int64_t steps, models, unroll, stagger, batch, poisons;
    double rate, decay, warmup, kappa, inner_rate;
    int64_t shift;
    bool flip;
    tc_sharpness_options sharpness;
} meta_options;

static const tc_option options_table[] = {
    TC_INT(meta_options, steps, 60, 1, 1e6, "steps", "steps of the poison (MetaPoison: 60)"),
    TC_INT(meta_options, models, 24, 1, 4096, "", "networks that are trained alongside (MetaPoison: 24)"),
    TC_INT(meta_options, unroll, 2, 1, 64, "steps", "training steps that are unrolled, K (MetaPoison: 2)"),
    TC_INT(meta_options, stagger, 1, 1, 1e4, "epochs",
           "age between one network and the next; they live for models times this (released code: 1)"),
    TC_INT(meta_options, batch, 125, 1, 65536, "images", "images of an unrolled step (released code: 125)"),
    TC_INT(meta_options, poisons, 0, 0, 65536, "images",
           "of these, poisons; 0: as many as a batch of the poisoned training set holds on average. More of them in a "
           "batch make fewer unrolled steps"),
    TC_REAL_ABOVE(meta_options, rate, 200, 0, 1e6, "1/255", "step of Adam (released code: 200)"),
    TC_REAL_ABOVE(meta_options, decay, 0.1, 0, 1, "",
                  "factor on it after a third and two thirds of the steps (released code: 0.1)"),
    TC_REAL(meta_options, warmup, 5, 0, 1e6, "steps", "in which it rises quadratically (released code: 5)"),
    TC_REAL(meta_options, kappa, 100, 0, 1e6, "", "margin beyond which nothing more is gained (released code: 100)"),
    TC_REAL(meta_options, inner_rate, 0, 0, 1e3, "",
            "learning rate of the unrolled steps; 0: the network's own at its age (MetaPoison)"),
    TC_INT(meta_options, shift, 0, 0, 64, "pixels", "largest random shift in unrolled batches (MetaPoison: none)"),
    TC_BOOL(meta_options, flip, "false", "random left-right flip in unrolled batches (MetaPoison: none)"),
    TC_SHARPNESS_OPTIONS(meta_options, sharpness),
    TC_OPTIONS_END};

/* Where the networks of one architecture are unrolled. */
enum { PIECES_OF_A_BENCH = 3 }; /* of a snapshot: what it has spent */
typedef struct bench {
    tc_passes passes; /* of one batch, training mode */
    tc_unroll unroll;
    void *state; /* device reals: running statistics of the network that is being looked at */
    tc_objective *q;
    tc_sharpness sharpness;
} bench;

/* Where it stands, as it is saved. */
typedef struct place {
    int64_t begun;   /* networks that have come to their first age */
    int64_t step;    /* under way */
    int64_t network; /* of this step, the next to be looked through … */
    int64_t looked;  /* … or, having been, to grow older */
    double sum;      /* of what was seen in this step */
    double done;     /* work */
} place;

typedef struct meta {
    const tc_craft_job *job;
    const meta_options *options;
    tc_stagger stagger;
    bench *bench; /* [architecture_count] */
    tc_perturbation delta;
    tc_descent descent;
    tc_mixture mixture;
    double all; /* work, in epochs of training */
    place at;
    tc_snapshot snapshot;
} meta;

/* ---- a network: F over all shares ---- */

typedef struct glance {
    meta *m;
    tc_share share;
} glance;

static void load(void *context, int step, tc_pass *pass) {
    const glance *g = context;
    tc_share_load(&g->share, step, pass);
}

static void take_gradient(void *context, int step, double weight, const void *dx) {
    const glance *g = context;
    (void)step;
    tc_share_adjoint(&g->share, weight / g->m->stagger.count, dx, g->m->descent.gradient);
}

static void sit_down(const meta *m, bench *at, const tc_apprentice *a) {
    const tc_kernels *k = m->job->device->k;
    const tc_model *model = m->job->architectures[a->architecture].model;
    k->upload_float(m->job->device, at->unroll.theta[0], a->weights.theta, tc_model_parameters(model));
    k->upload_float(m->job->device, at->state, a->weights.state, tc_model_state(model));
}

/* Returns the mean of F over the shares, for network i; adds to the gradient where that is wanted. */
static double look_through(meta *m, int i, tc_stream stream, bool gradient) {
    const tc_apprentice *a = &m->stagger.model[i];
    bench *at = &m->bench[a->architecture];
    const double rate = m->options->inner_rate > 0 ? m->options->inner_rate : tc_stagger_rate(&m->stagger, i);
    const tc_stream own = tc_stream_child(stream, "network", (uint64_t)i);
    const size_t shares = tc_mixture_shares(&m->mixture);
    double sum = 0;
    sit_down(m, at, a);
    tc_mixture_draw(&m->mixture, stream, (uint64_t)i);
    for (size_t j = 0; j < shares; j++) {
        glance g = {m, tc_mixture_share(&m->mixture, j, m->options->unroll, tc_stream_child(own, "share", j))};
        const tc_feed feed = {&g, load, take_gradient};
        at->sharpness.stream = tc_stream_child(g.share.stream, "sharpness", 0);
        sum += (gradient ? tc_unroll_gradient : tc_unroll_forward)(&at->unroll, rate, &feed, at->q, &at->sharpness);
    }
    return sum / (double)shares;
}

/* Of the images in delta.pixels, over the networks as they are now. */
static double final_loss(meta *m) {
    double sum = 0;
    for (int i = 0; i < m->stagger.count; i++)
        sum += look_through(m, i, tc_stream_child(m->job->stream, "final", 0), false);
    return sum / m->stagger.count;
}

/* ---- the algorithm ---- */

static double rate_at(const meta_options *o, int64_t step) {
    const double risen = o->warmup > 0 ? fmin(((double)step + 1) / o->warmup, 1) : 1;
    double rate = o->rate * risen * risen;
    for (int thirds = 1; thirds <= 2; thirds++)
        if (3 * step >= thirds * o->steps) rate *= o->decay;
    return rate;
}

/* Epochs that looking through all the poisons takes, roughly: a gradient and a directional derivative are 3 and 7
 * passes where training takes 3. */
static double cost_of_a_look(const meta *m) {
    const double images = (double)tc_mixture_shares(&m->mixture) * (double)(m->options->unroll * m->mixture.batch);
    return images * 10 / 3 / (double)m->job->dataset->train.count;
}

static void plan_work(meta *m) {
    const double steps = (double)m->options->steps, models = (double)m->stagger.count;
    for (int i = 0; i < m->stagger.count; i++) m->all += (double)tc_stagger_first_age(&m->stagger, i);
    m->all += models * (steps * cost_of_a_look(m) + steps - 1);
}

static tc_status tell(meta *m, double work, double objective, tc_error *error) {
    m->at.done += work;
    return tc_craft_tell(&m->snapshot, fmin(m->at.done / m->all, 1), objective, error);
}

/* What came of growing older. An epoch that is stopped leaves its network as it was before. */
static tc_status grown(meta *m, tc_status status, tc_error *error) {
    return status == TC_INTERRUPTED ? tc_craft_stop(&m->snapshot, fmin(m->at.done / m->all, 1), error) : status;
}

static tc_status look_and_grow(meta *m, int i, tc_stream stream, tc_error *error) {
    tc_status status = TC_OK;
    const bool last = m->at.step == m->options->steps - 1; /* then the networks stay, to judge the poison by */
    if (!m->at.looked) m->at.sum += look_through(m, i, stream, true);
    m->at.looked = true;
    if (!isfinite(m->at.sum))
        TC_RAISE_FRUITLESS(TC_FAILED,
                           "meta-poison: the loss after the unrolled steps is not a number; take a lower inner_rate");
    if (!last) TC_TRY(grown(m, tc_stagger_advance(&m->stagger, i, error), error));
    m->at.looked = false;
    m->at.network++;
    TC_TRY(tell(m, cost_of_a_look(m) + !last, m->at.sum / (i + 1), error));
done:
    return status;
}

/* The step under way, or what is left of it. */
static tc_status take_a_step(meta *m, tc_error *error) {
    tc_status status = TC_OK;
    const tc_stream stream = tc_stream_child(m->job->stream, "step", (uint64_t)m->at.step);
    const bool fresh = !m->at.network && !m->at.looked;
    if (fresh) m->job->device->k->fill(m->job->device, m->delta.values, 0, m->descent.gradient);
    if (fresh) m->at.sum = 0;
    tc_perturbation_apply(&m->delta);
    while (m->at.network < m->stagger.count) TC_TRY(look_and_grow(m, (int)m->at.network, stream, error));
    tc_descent_step(&m->descent, rate_at(m->options, m->at.step), m->at.step, false);
    m->at.step++;
    m->at.network = 0;
done:
    return status;
}

static tc_status begin(meta *m, tc_error *error) {
    tc_status status = TC_OK;
    plan_work(m);
    while (m->at.begun < m->stagger.count) {
        const int i = (int)m->at.begun;
        TC_TRY(grown(m, tc_stagger_begin(&m->stagger, i, error), error));
        m->at.begun += m->stagger.model[i].age == tc_stagger_first_age(&m->stagger, i);
        TC_TRY(tell(m, 1, NAN, error));
    }
done:
    return status;
}

/* ---- preparing ---- */

static tc_status make_bench(meta *m, int i, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = m->job;
    const tc_model *model = job->architectures[i].model;
    bench *at = &m->bench[i];
    tc_pass *pass;
    TC_TRY(tc_model_fits(model, job->dataset, error));
    at->passes = (tc_passes){.device = job->device,
                             .model = model,
                             .options = {.mode = TC_TRAIN, .want = TC_UNROLL_WANT, .loss = TC_CROSS_ENTROPY}};
    TC_TRY(tc_passes_get(&at->passes, m->mixture.batch, &pass, error));
    TC_TRY(tc_unroll_create(job->device, model, pass, m->mixture.batch, (int)m->options->unroll, &at->unroll, error));
    TC_TRY(tc_device_reals(job->device, tc_model_state(model) + 1, &at->state, error)); /* never empty */
    TC_TRY(
        tc_target_margin(job->device, model, at->state, job->dataset, job->threat, m->options->kappa, &at->q, error));
    TC_TRY(tc_sharpness_create(job->device, &m->options->sharpness, tc_model_parameters(model), job->stream,
                               &at->sharpness, error));
done:
    return status;
}

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    const meta_options *o = options;
    const tc_status status = tc_stagger_check(job, error);
    return status == TC_OK ? tc_mixture_check(job, o->batch, o->poisons, error) : status;
}

static tc_status prepare(meta *m, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = m->job;
    const meta_options *o = m->options;
    TC_TRY(check_job(job, o, error));
    TC_TRY(tc_stagger_create(job, (int)o->models, o->stagger, &m->stagger, error));
    TC_TRY(tc_perturbation_create(job->device, job->dataset, job->threat, &m->delta, error));
    TC_TRY(tc_descent_create(&m->delta, &m->descent, error));
    TC_TRY(tc_mixture_create(job, &m->delta, o->batch, o->poisons, o->shift, o->flip, &m->mixture, error));
    TC_TRY(tc_new(&m->bench, (size_t)job->architecture_count, sizeof *m->bench, error));
    for (int i = 0; i < job->architecture_count; i++) TC_TRY(make_bench(m, i, error));
done:
    return status;
}

/* Everything that outlives a look: the networks, δ, what was summed up in the step under way. */
static tc_status resume(meta *m, const tc_craft_job *job, tc_error *error) {
    const int pieces =
        2 + TC_DESCENT_PIECES + m->stagger.count * TC_STAGGER_PIECES + job->architecture_count * PIECES_OF_A_BENCH;
    tc_snapshot *s = &m->snapshot;
    tc_status status = TC_OK;
    bool found;
    TC_TRY(tc_snapshot_create(job, &tc_meta_poison, m->options, pieces, s, error));
    tc_snapshot_host(s, &m->at, sizeof m->at);
    tc_snapshot_device(s, m->descent.gradient, m->delta.values * job->device->element);
    tc_descent_keep(&m->descent, s);
    tc_stagger_keep(&m->stagger, s);
    for (int i = 0; i < job->architecture_count; i++) {
        bench *at = &m->bench[i];
        tc_snapshot_host(s, &at->unroll.gradients, sizeof at->unroll.gradients);
        tc_snapshot_host(s, &at->unroll.jvps, sizeof at->unroll.jvps);
        tc_snapshot_host(s, &at->q->gradients, sizeof at->q->gradients);
    }
    TC_TRY(tc_snapshot_load(s, &found, error));
done:
    return status;
}

static void free_bench(bench *at) {
    tc_device *device = at->passes.device;
    if (!device) return;
    if (at->unroll.device) tc_unroll_free(&at->unroll);
    if (at->state) device->k->release(device, at->state);
    tc_objective_free(at->q);
    if (at->sharpness.device) tc_sharpness_free(&at->sharpness);
    tc_passes_free(&at->passes);
}

static void clean_up(meta *m) {
    tc_snapshot_free(&m->snapshot);
    for (int i = 0; m->bench && i < m->job->architecture_count; i++) free_bench(&m->bench[i]);
    free(m->bench);
    if (m->mixture.job) tc_mixture_free(&m->mixture);
    tc_descent_free(&m->descent);
    if (m->delta.device) tc_perturbation_free(&m->delta);
    if (m->stagger.job) tc_stagger_free(&m->stagger);
}

static void spent(const meta *m, tc_craft_report *report) {
    report->trainings = tc_stagger_generations(&m->stagger);
    for (int i = 0; i < m->job->architecture_count; i++) {
        report->gradients += m->bench[i].unroll.gradients + m->bench[i].q->gradients;
        report->jvps += m->bench[i].unroll.jvps;
    }
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    meta m = {.job = job, .options = options};
    uint8_t *images = NULL;
    *poison = NULL;
    TC_TRY(prepare(&m, error));
    TC_TRY(tc_new(&images, m.delta.values, 1, error));
    tc_perturbation_start(&m.delta, tc_stream_child(job->stream, "start", 0));
    TC_TRY(resume(&m, job, error));
    TC_TRY(begin(&m, error));
    while (m.at.step < m.options->steps) TC_TRY(take_a_step(&m, error));
    tc_perturbation_round(&m.delta, images);
    const double objective = final_loss(&m);
    TC_TRY(tc_threat_poison(job->dataset, job->threat, images, poison, error));
    if (report) {
        *report = (tc_craft_report){
            .objective = objective, .seconds = tc_snapshot_seconds(&m.snapshot), .steps = m.options->steps};
        spent(&m, report);
    }
done:
    clean_up(&m);
    free(images);
    return status;
}

tc_status tc_meta_poison_loss(const tc_craft_job *job, const void *options, const tc_poison *poison, double *loss,
                              tc_error *error) {
    tc_status status = TC_OK;
    tc_craft_job own = *job;
    meta m = {.job = job, .options = options};
    own.checkpoint = NULL; /* a glance keeps nothing */
    TC_TRY(prepare(&m, error));
    TC_TRY(resume(&m, &own, error));
    TC_TRY(begin(&m, error));
    for (size_t i = 0; i < m.delta.values; i++) m.delta.host[i] = poison->images[i];
    job->device->k->upload_float(job->device, m.delta.pixels, m.delta.host, m.delta.values);
    *loss = final_loss(&m);
done:
    clean_up(&m);
    return status;
}

static tc_status check(const void *options, tc_error *error) {
    const meta_options *chosen = options;
    return tc_sharpness_check(&chosen->sharpness, error);
}

/* A share's gradient is 2K − 1 gradients and K directional derivatives of a batch (unroll.h). Architectures take
 * turns, so that each has its part of the networks. */
static tc_craft_work work(const tc_craft_job *job, const void *options) {
    const meta_options *o = options;
    const double images = (double)job->dataset->train.count, poisons = (double)job->threat->poisons;
    const double batch = fmin((double)o->batch, images), models = (double)o->models;
    const double poisoned = o->poisons ? fmin((double)o->poisons, batch) : ceil(batch * poisons / images);
    const double unrolled = (2 * (double)o->unroll - 1 + 4.0 / 3 * (double)o->unroll) * batch +
                            tc_sharpness_gradients(&o->sharpness) * (double)job->threat->targets;
    const double look = ceil(poisons / poisoned) * unrolled, steps = (double)o->steps;
    const double before = models + (double)o->stagger * models * (models - 1) / 2; /* epochs of all networks */
    double epoch = 0;
    for (int i = 0; i < job->architecture_count; i++)
        epoch += tc_train_work(job->architectures[i].train) * images / job->architecture_count;
    return (tc_craft_work){.each = ((before + models * (steps - 1)) * epoch + models * steps * look) /
                                   job->architecture_count,
                           .grain = fmax(epoch, look)};
}

const tc_attack tc_meta_poison = {
    .name = "meta-poison",
    .kind = "targeted",
    .goals = TC_FOR_TARGETED,
    .paper = "Huang et al., MetaPoison: practical general-purpose clean-label data poisoning, arXiv 2004.00225",
    .summary = "poisons made through a few unrolled training steps of networks of all ages",
    .equation = "min over |δ| ≤ ε of the mean over networks of all ages of max(max z_i − z_obj, −κ) at "
                "θ_K, θ_{k+1} = θ_k − α ∇θ L(θ_k; x + δ and clean images)",
    .departs = "the paper's colour perturbation is left out: within ε it could do nothing that δ cannot; "
               "the code poisons the first unrolled batch only and takes the mean over θ_1 … θ_K; "
               "targets are looked at in evaluation mode",
    .options = options_table,
    .options_size = sizeof(meta_options),
    .needs_surrogate = false,
    .trains = true,
    .check = check,
    .check_job = check_job,
    .craft = craft,
    .work = work,
};
