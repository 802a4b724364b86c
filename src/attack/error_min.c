/* error_min.c — error-minimising noise ("unlearnable examples"), and SAPA's version of it.
 *
 * Papers: Huang et al., "Unlearnable Examples: Making Personal Data Unexploitable", arXiv 2101.04898
 *         He et al., "Sharpness-aware data poisoning attack" (SAPA), Eq. 13 and Algorithm 1
 *
 * A network learns nothing from images that it already fits. So the noise is what makes the images easy:
 *
 *     min_θ min_{‖δ_i‖_∞ ≤ ε}  Σ_i l(f(x_i + δ_i; θ), y_i)
 *     δ ~ U(−ε, ε), θ from scratch; for round = 1 … epochs:
 *         1. `model_steps` (M) steps on θ, as its own training would take them, on batches of x + δ       (course.h)
 *         2. with sharpness: θ → θ + v̂, which makes the loss of all x + δ largest                      (sharpness.h)
 *         3. every batch, `steps` (T) times: δ_i := Π(δ_i − α sign ∇_δ l), α = step · ε, network in evaluation mode
 *         4. the loop ends when θ itself takes less than the share `stop` of x + δ for another class
 *     round x + δ to 8 bits, clip again                                                                   (drive.h)
 *
 * Class-wise noise is one δ a class: a batch's images start from it, and it becomes the mean of where they end.
 * Huang et al. take T = 1 there, since every batch moves it, and stop at an error of 0.1; sample-wise T = 20 and 0.01.
 * With several networks each is trained and step 3 follows the mean of their gradients.
 *
 * In step 1 the network's training is obeyed: optimiser, momentum, weight decay, batch, dropout and every variant of a
 * step (Mix-Up, Cut-Out, SAM, adversarial, private training). Two things of it are not, unless they are asked for,
 * because the released code does neither: the learning rate stays where it starts (its search never steps the
 * scheduler; `schedule`), and nothing is augmented (`augment`). The rounds are far fewer than the steps of a whole
 * training, over which the schedule is therefore stretched.
 *
 * Where this differs otherwise: the released code starts δ at 0 (its option `random_start` is off in the published
 * commands), trains the network in batches of 512, walks the data in a fixed order for sample-wise noise, and clips the
 * norm of the network's gradients to 5. The networks are trained on δ as a victim will get it, in 8 bits. A share of
 * the data that is not to be perturbed plays no part in crafting, as if its owner did not have it (the released code
 * makes noise for everything and then uses a share of it); `epochs` bounds the loop (SAPA's E); δ is kept at one byte
 * between visits (crowd.h).
 *
 * Stopped or killed, it goes on from where it was, to the same bits (snapshot.h). */
#include "attack/methods.h"
#include "attack/parts/drive.h"
#include "attack/parts/perturbation.h"
#include "train/course.h"

#include <math.h>
#include <stdlib.h>

typedef struct min_options {
    int noise, schedule;
    int64_t epochs, model_steps, steps, batch;
    double step, stop, shift;
    bool flip, augment;
    tc_sharpness_options sharpness;
} min_options;

enum { SAMPLE_WISE, CLASS_WISE };
static const char *const noise_names[] = {"sample-wise", "class-wise", NULL};
enum { CONSTANT, RECIPE };
static const char *const schedule_names[] = {"constant", "recipe", NULL};

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
    TC_CHOICE(min_options, schedule, "constant", schedule_names,
              "the network's learning rate: constant where it starts (Huang et al.'s code), or by the schedule of its "
              "training, stretched over the rounds"),
    TC_BOOL(min_options, augment, "false",
            "crop and flip of the network's own training in its steps as well (Huang et al.'s code: none)"),
    TC_REAL(min_options, shift, 0, 0, 64, "pixels",
            "largest random shift in the steps of the noise (Huang et al.'s code: none)"),
    TC_BOOL(min_options, flip, "false", "random left-right flip in the steps of the noise (Huang et al.'s code: none)"),
    TC_SHARPNESS_OPTIONS(min_options, sharpness),
    TC_OPTIONS_END};

/* A network in training that also says where the noise should go: what `eye` sees with is a copy of what `course`
 * trains. */
typedef struct learner {
    tc_course *course;
    tc_onlooker *eye; /* the drive's */
    tc_train_options train;
    double batch; /* images of a step */
} learner;

/* Where the alternation stands, as it is saved. */
typedef struct min_place {
    int64_t round; /* from 0 */
    int64_t taken; /* training steps of this round, over all networks, one after the other */
} min_place;

typedef struct crafter {
    const tc_craft_job *job;
    const min_options *options;
    tc_drive drive;
    min_place at;
    tc_poison *poison;       /* x + δ in 8 bits, as the networks are trained on it */
    tc_view whole, poisoned; /* the training set with that poison; those samples of it that are poisons */
    learner *learners;       /* [job->architecture_count] */
} crafter;

/* ---- 1: the networks ---- */

static double rate_of(const crafter *m, const learner *l, int64_t step) {
    const min_options *o = m->options;
    const double steps = (double)o->epochs * (double)o->model_steps;
    if (o->schedule == CONSTANT) return tc_course_state(l->course)->optimiser.options->rate;
    return tc_course_rate(l->course, ((double)m->at.round * (double)o->model_steps + (double)step + 0.5) / steps);
}

static void look_with(const learner *l) {
    const tc_train_state *own = tc_course_state(l->course);
    tc_device *device = own->optimiser.device;
    device->k->copy(device, own->parameters, own->theta, l->eye->theta);
    if (own->statistics) device->k->copy(device, own->statistics, own->state, l->eye->state);
}

static tc_status train_all(crafter *m, tc_error *error) {
    const int64_t steps = m->options->model_steps, all = steps * m->job->architecture_count;
    tc_status status = TC_OK;
    if (m->at.taken == all) return TC_OK;
    tc_crowd_images(&m->drive.crowd, m->poison->images);
    for (int i = 0; i < m->job->architecture_count; i++) tc_course_renew(m->learners[i].course);
    while (m->at.taken < all) {
        const learner *l = &m->learners[m->at.taken / steps];
        TC_TRY(tc_course_step(l->course, rate_of(m, l, m->at.taken % steps), error));
        m->at.taken++;
        tc_drive_mark(&m->drive);
        TC_TRY(tc_drive_tell(&m->drive, TC_GRADIENT_WORK * l->batch, NAN, error));
    }
done:
    return status;
}

/* ---- 2 and 3: the noise; the loop ---- */

static tc_status move_batch(void *context, int64_t batch, tc_error *error) {
    crafter *m = context;
    const tc_stream stream = tc_stream_child(m->job->stream, "epoch", (uint64_t)m->at.round);
    const tc_status status = tc_drive_move(&m->drive, m->options->steps, -m->options->step * m->job->threat->epsilon,
                                           tc_stream_child(stream, "batch", (uint64_t)batch), error);
    if (status == TC_OK) tc_crowd_keep(&m->drive.crowd);
    return status;
}

static tc_status alternate(crafter *m, tc_error *error) {
    tc_status status = TC_OK;
    while (m->at.round < m->options->epochs) {
        tc_sight sight;
        TC_TRY(train_all(m, error));
        for (int i = 0; i < m->job->architecture_count; i++) look_with(&m->learners[i]);
        TC_TRY(tc_drive_round(&m->drive, move_batch, m, error));
        TC_TRY(tc_drive_judge(&m->drive, &sight, error));
        if (sight.error < m->options->stop) break;
        m->at = (min_place){.round = m->at.round + 1};
        tc_drive_turn(&m->drive);
    }
done:
    return status;
}

/* ---- preparing ---- */

static tc_status check(const void *options, tc_error *error) {
    const min_options *chosen = options;
    return tc_sharpness_check(&chosen->sharpness, error);
}

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    (void)options;
    for (int i = 0; i < job->architecture_count; i++) {
        const tc_architecture *own = &job->architectures[i];
        if (!own->train)
            return tc_raise(error, TC_INVALID, "error-min: trains a network of its own; say how it is trained");
        /* One image has no batch statistics to be normalised with. */
        if ((own->train->batch == 1 || job->threat->poisons == 1) && tc_model_state(own->model))
            return tc_raise(error, TC_INVALID,
                            "error-min: batch normalisation in %s needs 2 images or more in a training batch; poison "
                            "more images or take a larger batch",
                            tc_model_name(own->model));
    }
    if (job->architecture_count > 0) return TC_OK;
    return tc_raise(error, TC_INVALID, "error-min: no network is given; name a surrogate's model");
}

/* What the networks are trained on: the poisons alone, with δ as it is at first. */
static tc_status make_view(crafter *m, tc_error *error) {
    const tc_dataset *data = m->job->dataset;
    const tc_threat *threat = m->job->threat;
    uint8_t *images = NULL;
    bool *keep = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&images, threat->poisons, tc_dataset_image_bytes(data), error));
    TC_TRY(tc_new(&keep, data->train.count, sizeof *keep, error));
    tc_crowd_images(&m->drive.crowd, images);
    TC_TRY(tc_threat_poison(data, threat, images, &m->poison, error));
    TC_TRY(tc_view_create(data, m->poison, &m->whole, error));
    for (size_t i = 0; i < threat->poisons; i++) keep[threat->base[i]] = true;
    TC_TRY(tc_view_keep(&m->whole, keep, &m->poisoned, error));
done:
    free(images);
    free(keep);
    return status;
}

enum { PIECES_OF_A_COURSE = 3 + TC_MAX_MOMENTS };

static void save_course(tc_snapshot *snapshot, tc_train_state *run) {
    const size_t element = run->optimiser.device->element;
    tc_snapshot_host(snapshot, &run->at, sizeof run->at);
    tc_snapshot_device(snapshot, run->theta, run->parameters * element);
    tc_snapshot_device(snapshot, run->state, run->statistics * element);
    for (int i = 0; i < run->optimiser.moments; i++)
        tc_snapshot_device(snapshot, run->optimiser.moment[i], run->parameters * element);
}

static tc_status make_learner(crafter *m, int i, tc_error *error) {
    const tc_architecture *own = &m->job->architectures[i];
    const tc_stream stream = tc_stream_child(m->job->stream, "network", (uint64_t)i);
    learner *l = &m->learners[i];
    tc_weights weights = {0};
    tc_status status = TC_OK;
    l->train = *own->train;
    if (!m->options->augment) {
        l->train.crop = 0;
        l->train.flip = false;
    }
    l->batch = fmin((double)l->train.batch, (double)m->job->threat->poisons);
    l->eye = &m->drive.eyes[i];
    TC_TRY(tc_weights_create(own->model, &weights, error));
    tc_model_init(own->model, tc_stream_child(stream, "initialise", 0), weights.theta, weights.state);
    TC_TRY(tc_drive_seat(&m->drive, i, own->model, &weights, &m->options->sharpness, NULL,
                         tc_stream_child(stream, "sharpness", 0), error));
    TC_TRY(tc_course_create(m->job->device, own->model, &m->poisoned, &l->train, tc_stream_child(stream, "train", 0),
                            &weights, &l->course, error));
    save_course(&m->drive.snapshot, tc_course_state(l->course));
done:
    tc_weights_free(&weights);
    return status;
}

static double all_work(const crafter *m) {
    double round = tc_drive_work(&m->drive, (double)m->options->steps);
    for (int i = 0; i < m->job->architecture_count; i++) {
        round += TC_GRADIENT_WORK * m->learners[i].batch * (double)m->options->model_steps;
        round += (double)m->job->threat->poisons; /* judging */
    }
    return round * (double)m->options->epochs;
}

static tc_status prepare(crafter *m, tc_error *error) {
    const tc_craft_job *job = m->job;
    const min_options *o = m->options;
    const int networks = job->architecture_count;
    bool found = false;
    tc_status status = TC_OK;
    TC_TRY(check_job(job, o, error));
    TC_TRY(tc_drive_create(job, &tc_error_min, o, o->noise == CLASS_WISE, (size_t)o->batch, o->shift, o->flip, networks,
                           1 + networks * PIECES_OF_A_COURSE, &m->drive, error));
    tc_crowd_begin(&m->drive.crowd, TC_START_UNIFORM, tc_stream_child(job->stream, "start", 0));
    TC_TRY(make_view(m, error));
    tc_snapshot_host(&m->drive.snapshot, &m->at, sizeof m->at);
    TC_TRY(tc_new(&m->learners, (size_t)networks, sizeof *m->learners, error));
    for (int i = 0; i < networks; i++) TC_TRY(make_learner(m, i, error));
    m->drive.all = all_work(m);
    TC_TRY(tc_drive_resume(&m->drive, &found, error));
    for (int i = 0; found && i < networks; i++) {
        tc_course_resume(m->learners[i].course);
        look_with(&m->learners[i]);
    }
done:
    return status;
}

static void clean_up(crafter *m) {
    for (int i = 0; m->learners && i < m->job->architecture_count; i++) tc_course_free(m->learners[i].course);
    free(m->learners);
    tc_view_free(&m->poisoned);
    tc_view_free(&m->whole);
    tc_poison_free(m->poison);
    if (m->drive.job) tc_drive_free(&m->drive);
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    crafter m = {.job = job, .options = options};
    *poison = NULL;
    TC_TRY(prepare(&m, error));
    TC_TRY(alternate(&m, error));
    TC_TRY(tc_drive_end(&m.drive, poison, report, error));
    if (report) report->trainings = job->architecture_count;
done:
    clean_up(&m);
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
    .equation = "min over θ, |δ_i| ≤ ε of Σ l(f(x_i + δ_i; θ), y_i), alternating; with sharpness δ moves "
                "at θ + v̂",
    .departs = "the code starts δ at 0, trains without schedule and augmentation in batches of 512 and "
               "clips gradients to 5; here δ starts uniform, the network's own training is obeyed "
               "(schedule and augmentation where asked), and the networks see δ in 8 bits",
    .options = options_table,
    .options_size = sizeof(min_options),
    .needs_surrogate = false,
    .trains = true,
    .check = check,
    .check_job = check_job,
    .craft = craft,
    .work = work,
};
