/* error_min.c — error-minimising noise ("unlearnable examples"), and SAPA's version of it.
 *
 * Papers: Huang et al., "Unlearnable Examples: Making Personal Data Unexploitable", arXiv 2101.04898
 *         He et al., "Sharpness-aware data poisoning attack" (SAPA), Eq. 13 and Algorithm 1
 *
 * A network learns nothing from images that it already fits. So the noise is what makes the images easy:
 *
 *     min_θ min_{‖δ_i‖_∞ ≤ ε}  Σ_i l(f(x_i + δ_i; θ), y_i)
 *     δ ~ U(−ε, ε), θ from scratch; for epoch = 1 … epochs:
 *         1. `model_steps` (M) steps on θ with the network's own optimiser, on batches of x + δ
 *         2. with sharpness: θ → θ + v̂, which makes the loss of all x + δ largest            (sharpness.h)
 *         3. every batch, `steps` (T) times: δ_i := Π(δ_i − α sign ∇_δ l), α = step · ε, network in evaluation mode
 *         4. the loop ends when θ itself takes less than the share `stop` of x + δ for another class
 *     round x + δ to 8 bits, clip again
 *
 * Class-wise noise is one δ a class: a batch's images start from it, and it becomes the mean of where they end.
 * Huang et al. take T = 1 there, since every batch moves it, and stop at an error of 0.1; sample-wise T = 20 and 0.01.
 * With several networks each is trained and step 3 follows the mean of their gradients.
 *
 * Where this follows the released code instead of the paper: the learning rate stays where it starts (the schedule is
 * one of whole trainings), the noise is made without augmentation, class-wise noise is averaged as above. Where it
 * differs: a share of the data that is not to be perturbed plays no part in crafting, as if its owner did not have it
 * (the released code makes noise for everything and then uses a share of it); `epochs` bounds the loop (SAPA's E);
 * δ is kept at one byte between visits (crowd.h). */
#include "attack/methods.h"
#include "attack/parts/onlooker.h"
#include "attack/parts/perturbation.h"
#include "train/clock.h"
#include "train/optimiser.h"

#include <math.h>
#include <stdlib.h>

typedef struct min_options {
    int noise;
    int64_t epochs, model_steps, steps, batch;
    double step, stop, shift;
    bool flip;
    tc_sharpness_options sharpness;
} min_options;

enum { SAMPLE_WISE, CLASS_WISE };
static const char *const noise_names[] = {"sample-wise", "class-wise", NULL};

static const tc_option options_table[] = {
    TC_CHOICE(min_options, noise, "sample-wise", noise_names,
              "sample-wise: noise of its own for every image; class-wise: one for all images of a class (SAPA: the "
              "first)"),
    TC_INT(min_options, epochs, 100, 1, 1e6, "", "rounds at most (SAPA: E = 100)"),
    TC_INT(min_options, model_steps, 10, 1, 1e6, "steps", "training steps of a round (Huang et al., SAPA: M = 10)"),
    TC_INT(min_options, steps, 20, 1, 1e6, "steps",
           "steps of the noise in a round (Huang et al., SAPA: T = 20; class-wise: 1)"),
    TC_REAL_ABOVE(min_options, step, 0.1, 0, 1, "of epsilon", "length of such a step (Huang et al., SAPA: 1/10)"),
    TC_REAL(min_options, stop, 0.01, 0, 1, "",
            "training error below which the loop ends (Huang et al., SAPA: 0.01; class-wise: 0.1); 0: never"),
    TC_INT(min_options, batch, 512, 1, 65536, "images", "images perturbed together (Huang et al.'s code: 512)"),
    TC_REAL(min_options, shift, 0, 0, 64, "pixels", "largest random shift while crafting (Huang et al.'s code: none)"),
    TC_BOOL(min_options, flip, "false", "random left-right flip while crafting (Huang et al.'s code: none)"),
    TC_SHARPNESS_OPTIONS(min_options, sharpness),
    TC_OPTIONS_END};

/* A network in training that also says where the noise should go. */
typedef struct learner {
    tc_onlooker eye; /* its θ is what is trained */
    tc_optimiser optimiser;
    tc_passes passes; /* training mode, one batch size */
    const tc_train_options *train;
    tc_stream stream;
    uint32_t *order; /* [poisons] */
    size_t batch, at, epoch;
    int64_t steps;
} learner;

typedef struct crafter {
    const tc_craft_job *job;
    const min_options *options;
    tc_crowd crowd;
    learner *learners; /* [job->architecture_count] */
    int64_t steps;     /* of the noise */
    int64_t epoch;     /* the round, from 0 */
    double aiming;     /* share of a round that step 2 takes, 0 where there is none */
    bool stopped;      /* while aiming */
} crafter;

/* ---- 1: the networks ---- */

/* The next batch of an order that is drawn anew whenever too few are left for one. */
static const uint32_t *next_batch(learner *l, size_t poisons) {
    if (!l->steps || l->at + l->batch > poisons) {
        tc_stream stream = tc_stream_child(l->stream, "order", l->epoch++);
        tc_draw_permutation(&stream, l->order, poisons);
        l->at = 0;
    }
    const uint32_t *batch = l->order + l->at;
    l->at += l->batch;
    return batch;
}

static tc_status train_step(crafter *m, learner *l, tc_error *error) {
    tc_device *device = m->job->device;
    tc_crowd *c = &m->crowd;
    tc_pass *pass = tc_passes_find(&l->passes, (int)l->batch);
    tc_crowd_load(c, next_batch(l, m->job->threat->poisons), 0, l->batch);
    tc_lens_draw(&c->lens, tc_stream_child(l->stream, "augment", (uint64_t)l->steps));
    tc_lens_see(&c->lens, 0, (int)l->batch, c->pixels, tc_pass_input(pass));
    device->k->upload_bytes(device, tc_pass_labels(pass), c->labels, l->batch * sizeof *c->labels);
    tc_pass_set_stream(pass, tc_stream_child(l->stream, "dropout", (uint64_t)l->steps));
    const double loss = tc_pass_grad(pass, l->eye.theta, l->eye.state, l->eye.g, NULL);
    l->eye.q.gradients++;
    if (!isfinite(loss))
        return tc_raise(error, TC_FAILED,
                        "error-min: the network's loss is no longer a number in step %lld; take a lower rate than %g",
                        (long long)l->steps + 1, l->train->rate);
    tc_optimiser_step(&l->optimiser, l->train->rate, ++l->steps, l->eye.g, l->eye.theta);
    return TC_OK;
}

static tc_status train_all(crafter *m, tc_error *error) {
    tc_status status = TC_OK;
    for (int i = 0; i < m->job->architecture_count; i++)
        for (int64_t step = 0; step < m->options->model_steps; step++) TC_TRY(train_step(m, &m->learners[i], error));
done:
    return status;
}

/* ---- 2 and 3: the noise ---- */

/* `share` of the round is done. How many rounds there will be is known at their end only: this is of the most. */
static tc_status tell(const crafter *m, double share, double loss, tc_error *error) {
    const tc_craft_job *job = m->job;
    if (job->progress) job->progress(job->context, ((double)m->epoch + share) / (double)m->options->epochs, loss);
    if (job->stop && job->stop(job->context))
        return tc_raise(error, TC_INTERRUPTED, "error-min: stopped after %lld steps of the noise; nothing was kept",
                        (long long)m->steps);
    return TC_OK;
}

static bool glance(void *context, double share) {
    crafter *m = context;
    m->stopped = m->stopped || tell(m, m->aiming * share, NAN, NULL) != TC_OK;
    return m->stopped;
}

static tc_status move_batch(crafter *m, size_t from, tc_stream stream, tc_error *error) {
    const int networks = m->job->architecture_count;
    const double steps = (double)m->options->steps, poisons = (double)m->job->threat->poisons;
    tc_status status = TC_OK;
    for (int64_t step = 0; step < m->options->steps; step++) {
        double loss = 0;
        tc_lens_draw(&m->crowd.lens, tc_stream_child(stream, "step", (uint64_t)step));
        for (int i = 0; i < networks; i++) loss += tc_onlooker_look(&m->learners[i].eye, 1.0 / networks) / networks;
        tc_crowd_step(&m->crowd, -m->options->step * m->job->threat->epsilon);
        m->steps++;
        const double done = ((double)from + (double)m->crowd.n * (double)(step + 1) / steps) / poisons;
        TC_TRY(tell(m, m->aiming + (1 - m->aiming) * done, loss, error));
    }
    tc_crowd_keep(&m->crowd);
done:
    return status;
}

static tc_status move_all(crafter *m, tc_error *error) {
    const size_t poisons = m->job->threat->poisons, batch = m->crowd.batch;
    const tc_stream stream = tc_stream_child(m->job->stream, "epoch", (uint64_t)m->epoch);
    tc_status status = TC_OK;
    for (int i = 0; i < m->job->architecture_count; i++) tc_onlooker_aim(&m->learners[i].eye);
    if (m->stopped) TC_TRY(tell(m, m->aiming, NAN, error));
    for (size_t from = 0; from < poisons; from += batch) {
        tc_crowd_load(&m->crowd, NULL, from, poisons - from < batch ? poisons - from : batch);
        TC_TRY(move_batch(m, from, tc_stream_child(stream, "batch", from / batch), error));
    }
done:
    return status;
}

/* ---- the loop ---- */

static tc_sight judge(crafter *m) {
    tc_sight mean = {0};
    for (int i = 0; i < m->job->architecture_count; i++) {
        const tc_sight sight = tc_onlooker_judge(&m->learners[i].eye);
        mean.loss += sight.loss / m->job->architecture_count;
        mean.error += sight.error / m->job->architecture_count;
    }
    return mean;
}

static tc_status alternate(crafter *m, tc_error *error) {
    const tc_craft_job *job = m->job;
    tc_status status = TC_OK;
    for (; m->epoch < m->options->epochs; m->epoch++) {
        TC_TRY(train_all(m, error));
        TC_TRY(move_all(m, error));
        const tc_sight sight = judge(m);
        const bool enough = sight.error < m->options->stop;
        if (job->progress && (enough || m->epoch + 1 == m->options->epochs)) job->progress(job->context, 1, sight.loss);
        if (enough) break;
    }
done:
    return status;
}

/* ---- preparing ---- */

static tc_status check(const void *options, tc_error *error) {
    const min_options *chosen = options;
    return tc_sharpness_check(&chosen->sharpness, error);
}

/* One image has no batch statistics to be normalised with. */
static tc_status check_batch(const learner *l, const tc_model *model, tc_error *error) {
    if (l->batch > 1 || !tc_model_state(model)) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "error-min: batch normalisation in %s needs 2 images or more in a training batch; poison more "
                    "images or take a larger batch",
                    tc_model_name(model));
}

static tc_status make_learner(crafter *m, int i, tc_error *error) {
    const tc_architecture *own = &m->job->architectures[i];
    const size_t poisons = m->job->threat->poisons;
    learner *l = &m->learners[i];
    tc_weights weights = {0};
    tc_pass *pass;
    tc_status status = TC_OK;
    l->train = own->train;
    l->stream = tc_stream_child(m->job->stream, "network", (uint64_t)i);
    l->batch = (size_t)own->train->batch < poisons ? (size_t)own->train->batch : poisons;
    TC_TRY(check_batch(l, own->model, error));
    TC_TRY(tc_weights_create(own->model, &weights, error));
    tc_model_init(own->model, tc_stream_child(l->stream, "initialise", 0), weights.theta, weights.state);
    TC_TRY(tc_onlooker_create(&m->crowd, own->model, &weights, &m->options->sharpness,
                              tc_stream_child(l->stream, "sharpness", 0), &l->eye, error));
    l->eye.glance = glance;
    l->eye.context = m;
    TC_TRY(tc_optimiser_create(m->job->device, own->train, tc_model_parameters(own->model), &l->optimiser, error));
    l->passes = (tc_passes){.device = m->job->device,
                            .model = own->model,
                            .options = {.mode = TC_TRAIN, .want = TC_WANT_GRAD_THETA, .loss = TC_CROSS_ENTROPY}};
    TC_TRY(tc_passes_get(&l->passes, (int)l->batch, &pass, error));
    TC_TRY(tc_new(&l->order, poisons, sizeof *l->order, error));
done:
    tc_weights_free(&weights);
    return status;
}

static tc_status prepare(crafter *m, tc_error *error) {
    const tc_craft_job *job = m->job;
    size_t batch = (size_t)m->options->batch;
    tc_status status = TC_OK;
    if (m->options->sharpness.kind == TC_SHARPNESS_WORST_CASE) m->aiming = 1 / (1 + (double)m->options->steps);
    for (int i = 0; i < job->architecture_count; i++) {
        if (!job->architectures[i].train)
            TC_RAISE(TC_INVALID, "error-min: trains a network of its own; say how it is trained");
        if ((size_t)job->architectures[i].train->batch > batch) batch = (size_t)job->architectures[i].train->batch;
    }
    if (job->architecture_count < 1) TC_RAISE(TC_INVALID, "error-min: no network is given; name a surrogate's model");
    TC_TRY(tc_crowd_create(job->device, job->dataset, job->threat, m->options->noise == CLASS_WISE, batch,
                           m->options->shift, m->options->flip, &m->crowd, error));
    tc_crowd_begin(&m->crowd, TC_START_UNIFORM, tc_stream_child(job->stream, "start", 0));
    TC_TRY(tc_new(&m->learners, (size_t)job->architecture_count, sizeof *m->learners, error));
    for (int i = 0; i < job->architecture_count; i++) TC_TRY(make_learner(m, i, error));
done:
    return status;
}

static void clean_up(crafter *m) {
    for (int i = 0; m->learners && i < m->job->architecture_count; i++) {
        learner *l = &m->learners[i];
        if (l->optimiser.device) tc_optimiser_free(&l->optimiser);
        tc_passes_free(&l->passes);
        tc_onlooker_free(&l->eye);
        free(l->order);
    }
    free(m->learners);
    if (m->crowd.device) tc_crowd_free(&m->crowd);
}

static void fill_report(crafter *m, double started, tc_craft_report *report) {
    *report = (tc_craft_report){.objective = judge(m).loss, .seconds = tc_clock() - started, .steps = m->steps};
    for (int i = 0; i < m->job->architecture_count; i++) report->gradients += m->learners[i].eye.q.gradients;
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    const double started = tc_clock();
    crafter m = {.job = job, .options = options};
    uint8_t *images = NULL;
    *poison = NULL;
    TC_TRY(prepare(&m, error));
    TC_TRY(alternate(&m, error));
    TC_TRY(tc_new(&images, job->threat->poisons, m.crowd.image, error));
    tc_crowd_round(&m.crowd, images);
    TC_TRY(tc_threat_poison(job->dataset, job->threat, images, poison, error));
    if (report) fill_report(&m, started, report);
done:
    clean_up(&m);
    free(images);
    return status;
}

/* Of all rounds: how soon the error is small enough nobody knows before. */
static tc_craft_work work(const tc_craft_job *job, const void *options) {
    const min_options *o = options;
    const double poisons = (double)job->threat->poisons;
    const tc_crowd_work crowd = tc_crowd_work_of(&o->sharpness, poisons);
    double training = 0;
    for (int i = 0; i < job->architecture_count; i++)
        training += fmin((double)job->architectures[i].train->batch, poisons) / job->architecture_count;
    training *= (double)o->model_steps;
    const double round = training + crowd.aim + (double)o->steps * crowd.step + poisons / 3;
    return (tc_craft_work){.each = (double)o->epochs * round + poisons / 3,
                           .grain = training + crowd.step * fmin(1, (double)o->batch / poisons)};
}

const tc_attack tc_error_min = {
    .name = "error-min",
    .kind = "untargeted",
    .goals = TC_FOR_UNTARGETED,
    .paper = "Huang et al., Unlearnable Examples, arXiv 2101.04898; with sharpness: He et al., Sharpness-aware data "
             "poisoning attack",
    .summary = "noise that makes the images too easy to learn anything from",
    .options = options_table,
    .options_size = sizeof(min_options),
    .needs_surrogate = false,
    .trains = true,
    .check = check,
    .craft = craft,
    .work = work,
};
