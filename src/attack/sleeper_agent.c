/* sleeper_agent.c — Sleeper Agent, and SAPA's version of it: a backdoor whose trigger is in no poison.
 *
 * Papers: Souri et al., "Sleeper Agent: Scalable hidden trigger backdoors for neural networks trained from scratch",
 *         arXiv 2106.08970
 *         He et al., "Sharpness-aware data poisoning attack" (SAPA), Eq. 16 and Algorithm 3
 *
 * The attacker wants whatever image of class y_vic carries the trigger taken for class y_obj, and may change images of
 * y_obj by at most ε a pixel. Gradient matching (brew.h) towards many marked images in place of a few targets:
 *
 *     D_T = { (x ⊕ trigger, y_obj) : `sources` training images x of y_vic, the trigger at a random place of each }
 *     D_p = the images of y_obj with the largest ‖∇_θ L(θ*; x, y_obj)‖                              (selection.h)
 *     g_t = ∇_θ Q(θ*; D_T), or its sharpness-aware ∇Q^S                                              (sharpness.h)
 *     for step = 1 … M:
 *         a step of δ                                                                               (brew.h)
 *         after every ⌊M/(R+1)⌋ steps, R times:
 *             θ* = a surrogate trained from scratch on D_tr with the 8-bit D_p + δ laid over it
 *             g_t anew, v̂ included, with the trigger at other places
 *     round x + δ to 8 bits
 *
 * One surrogate's landscape is soon fitted; re-training makes δ work against networks that have seen it, as the
 * victim's will be. Where there are several surrogates all are re-trained, each as its own architecture is.
 *
 * Stopped or killed, it goes on from the step or the training it was at, to the same bits (snapshot.h).
 *
 * Where the released code differs: it takes an attempt's last step, with φ of its augmentation, for the result, and
 * trains anew after steps 51, 101, …; the sources there are all 5000 training images of CIFAR-10's class (its option
 * `sources_train`), where the papers say 1000; a re-trained network begins from the same seed, here from other ones. */
#include "attack/methods.h"
#include "attack/parts/brew.h"
#include "attack/parts/marked.h"
#include "attack/parts/selection.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

typedef enum selection_kind { LARGEST_GRADIENT, RANDOM } selection_kind;

typedef struct sleeper_options {
    tc_brew_options brew; /* first: TC_BREW_OPTIONS */
    int64_t sources, retrainings, retrain_epochs;
    int selection; /* selection_kind */
} sleeper_options;

static const char *const selection_names[] = {"largest-gradient", "random", NULL};

static const tc_option options_table[] = {
    TC_BREW_OPTIONS,
    TC_INT(sleeper_options, sources, 1000, 1, 1e7, "images",
           "marked training images whose gradient is matched, as far as there are so many (SAPA: 1000)"),
    TC_INT(sleeper_options, retrainings, 4, 0, 1e4, "",
           "how often the surrogate is trained anew while crafting (Sleeper Agent, SAPA: 4)"),
    TC_INT(sleeper_options, retrain_epochs, 0, 0, 1e6, "epochs",
           "length of a re-training; 0: that of the surrogate's own training (Sleeper Agent)"),
    TC_CHOICE(sleeper_options, selection, "largest-gradient", selection_names,
              "which images of the intended class become poisons (Sleeper Agent: largest-gradient)"),
    TC_OPTIONS_END};

/* Work is counted in forward-sized passes over one image, so that the share that is done says what is left. */
enum { GRADIENT_WORK = 3, MATCHING_WORK = 7 };

/* Where it stands, as it is saved. */
typedef struct place {
    int64_t steps, round; /* behind it: steps, rounds of re-training */
    int64_t trained;      /* surrogates of the round under way that have been */
    int64_t aimed;        /* what this round's aim took is in the ensemble's count */
    int64_t gradients, trainings;
    double done; /* work */
    double loss; /* φ of the last step that was looked at */
} place;

typedef struct sleeper {
    const tc_craft_job *given;
    const sleeper_options *options;
    tc_threat threat; /* the given one, with the base images that were selected */
    tc_craft_job job; /* about that threat */
    tc_brew brew;
    size_t sources;
    uint32_t *source; /* [sources] places in the training split, and some more behind them */
    uint8_t *marked;  /* [sources][h][w][c] */
    uint8_t *rounded; /* [poisons][h][w][c] */
    double work;      /* all of it */
    place at;
    tc_snapshot snapshot;
} sleeper;

/* ---- what is told ---- */

static double share_of(const sleeper *s, double done) {
    return fmin(done / s->work, 1);
}

static void tell(const sleeper *s, double done) {
    const tc_craft_job *job = s->given;
    if (job->progress) job->progress(job->context, share_of(s, done), s->at.loss);
}

static bool asked_to_stop(void *context) {
    const tc_craft_job *job = ((sleeper *)context)->given;
    return job->stop && job->stop(job->context);
}

static tc_status tell_selected(void *context, tc_error *error) {
    sleeper *s = context;
    s->at.gradients++;
    s->at.done += GRADIENT_WORK;
    tell(s, s->at.done);
    if (asked_to_stop(s))
        return tc_raise(error, TC_INTERRUPTED, "sleeper-agent: stopped before its first step; nothing was kept");
    return TC_OK;
}

static double work_of_training(const sleeper *s, int64_t epochs) {
    return GRADIENT_WORK * (double)epochs * (double)s->given->dataset->train.count;
}

static void tell_trained(void *context, const tc_epoch_report *report, double fraction) {
    const sleeper *s = context;
    tell(s, s->at.done + fraction * work_of_training(s, report->epochs));
}

/* ---- re-training ---- */

static const tc_train_options *training_of(const tc_craft_job *job, const tc_model *model) {
    for (int i = 0; i < job->architecture_count; i++)
        if (job->architectures[i].model == model) return job->architectures[i].train;
    return NULL;
}

static tc_train_options training_for(const sleeper *s, int surrogate) {
    tc_train_options options = *training_of(s->given, s->given->surrogates[surrogate].model);
    if (s->options->retrain_epochs) options.epochs = s->options->retrain_epochs;
    return options;
}

static tc_status train_anew(sleeper *s, int i, const tc_view *view, tc_stream stream, tc_error *error) {
    tc_status status = TC_OK;
    tc_weights weights = {0};
    const tc_model *model = s->given->surrogates[i].model;
    const tc_train_options options = training_for(s, i);
    char checkpoint[TC_PATH_SIZE];
    TC_TRY(tc_snapshot_training(&s->snapshot, checkpoint, error));
    const tc_train_hooks hooks = {
        .progress = tell_trained, .stop = asked_to_stop, .context = s, .checkpoint = *checkpoint ? checkpoint : NULL};
    TC_TRY(tc_weights_create(model, &weights, error));
    tc_model_init(model, tc_stream_child(stream, "initialise", (uint64_t)i), weights.theta, weights.state);
    TC_TRY(tc_train(s->given->device, model, view, &options, tc_stream_child(stream, "train", (uint64_t)i), &hooks,
                    &weights, NULL, error));
    tc_ensemble_replace(&s->brew.surrogates, i, &weights);
    s->at.trainings++;
    s->at.done += work_of_training(s, options.epochs);
done:
    tc_weights_free(&weights);
    return status;
}

/* A snapshot before each of them, and the training's own checkpoint beside it: whoever goes on finds the one under way
 * where it was. */
static tc_status retrain(sleeper *s, tc_error *error) {
    tc_status status = TC_OK;
    tc_poison *poison = NULL;
    tc_view view = {0};
    const tc_stream stream = tc_stream_child(s->given->stream, "retrain", (uint64_t)s->at.round);
    tc_perturbation_round(&s->brew.delta, s->rounded);
    TC_TRY(tc_threat_poison(s->given->dataset, &s->threat, s->rounded, &poison, error));
    TC_TRY(tc_view_create(s->given->dataset, poison, &view, error));
    for (; s->at.trained < s->given->surrogate_count; s->at.trained++) {
        TC_TRY(tc_snapshot_save(&s->snapshot, error));
        TC_TRY(train_anew(s, (int)s->at.trained, &view, stream, error));
    }
    s->at.trained = s->at.aimed = 0;
    s->at.round++;
done:
    tc_view_free(&view);
    tc_poison_free(poison);
    return status;
}

/* ---- the algorithm ---- */

/* Look 0 is the poisons', who carry no trigger. Whoever goes on aims again, at no cost to the count. */
static tc_status aim(sleeper *s, tc_error *error) {
    const int64_t counted = s->brew.surrogates.gradients;
    tc_status status = TC_OK;
    tc_mark_images(s->given->dataset, &s->threat, (uint64_t)s->at.round + 1, s->source, s->sources, s->marked);
    TC_TRY(tc_ensemble_aim_at(&s->brew.surrogates, &s->options->brew.sharpness, s->marked, s->sources, error));
    if (s->at.aimed) s->brew.surrogates.gradients = counted;
    s->at.aimed = true;
done:
    return status;
}

static bool due_for_retraining(const sleeper *s) {
    const int64_t period = s->options->brew.steps / (s->options->retrainings + 1);
    return s->at.round < s->options->retrainings && s->at.steps == (s->at.round + 1) * period;
}

static tc_status run(sleeper *s, tc_error *error) {
    tc_status status = TC_OK;
    const int64_t steps = s->options->brew.steps;
    const tc_stream stream = tc_stream_child(s->given->stream, "attempt", 0);
    const double work = MATCHING_WORK * (double)s->threat.poisons * s->given->surrogate_count;
    bool aimed = false;
    if (!s->at.steps) tc_brew_start(&s->brew, stream);
    while (s->at.steps < steps) {
        if (due_for_retraining(s)) {
            TC_TRY(retrain(s, error));
            aimed = false;
        }
        if (!aimed) TC_TRY(aim(s, error));
        aimed = true;
        tc_brew_step(&s->brew, stream, s->at.steps++, tc_craft_looks(&s->snapshot) ? &s->at.loss : NULL);
        s->at.done += work;
        TC_TRY(tc_craft_tell(&s->snapshot, share_of(s, s->at.done), s->at.loss, error));
    }
    if (!aimed) TC_TRY(aim(s, error)); /* gone on with after the last step: to judge by */
done:
    return status;
}

/* ---- preparing ---- */

static tc_status check(const void *options, tc_error *error) {
    const sleeper_options *chosen = options;
    if (chosen->retrainings >= chosen->brew.steps)
        return tc_raise(error, TC_INVALID, "retrainings: %" PRId64 " within %" PRId64 " steps; take at most %" PRId64,
                        chosen->retrainings, chosen->brew.steps, chosen->brew.steps - 1);
    return tc_sharpness_check(&chosen->brew.sharpness, error);
}

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    const sleeper_options *o = options;
    if (job->surrogate_count < 1)
        return tc_raise(error, TC_INVALID, "sleeper-agent: no surrogate is given; train one first");
    for (int i = 0; i < job->surrogate_count && o->retrainings; i++)
        if (!training_of(job, job->surrogates[i].model))
            return tc_raise(error, TC_INVALID,
                            "sleeper-agent: nobody says how surrogate %d is to be trained anew; give its architecture "
                            "with the job, or set retrainings to 0",
                            i + 1);
    return tc_marked_check(job, error);
}

static double all_work(const sleeper *s, size_t candidates) {
    const double poisons = (double)s->given->threat->poisons, samples = (double)s->given->dataset->train.count;
    double work = 0;
    for (int i = 0; i < s->given->surrogate_count; i++) {
        work += GRADIENT_WORK * (double)candidates + MATCHING_WORK * poisons * (double)s->options->brew.steps;
        if (s->options->retrainings)
            work += (double)s->options->retrainings * GRADIENT_WORK * (double)training_for(s, i).epochs * samples;
    }
    return work;
}

static tc_status select_base(sleeper *s, tc_error *error) {
    const tc_craft_job *job = s->given;
    const bool random = s->options->selection == RANDOM;
    uint32_t *candidate = NULL; /* all images of the intended class */
    double *norm = NULL;
    size_t count = 0;
    tc_status status = TC_OK;
    TC_TRY(tc_class_places(job->dataset, job->threat->intended_class, tc_stream_child(job->stream, "candidates", 0),
                           &candidate, &count, error));
    s->work = all_work(s, random ? 0 : count);
    if (!random) {
        TC_TRY(tc_new(&norm, count, sizeof *norm, error));
        TC_TRY(tc_gradient_norms(job, candidate, count, norm, tell_selected, s, error));
        TC_TRY(tc_largest_first(candidate, norm, count, error));
    }
    TC_TRY(
        tc_threat_rebase(job->threat, random ? job->threat->base : candidate, job->threat->poisons, &s->threat, error));
done:
    free(candidate);
    free(norm);
    return status;
}

static tc_status prepare(sleeper *s, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = s->given;
    const size_t bytes = tc_dataset_image_bytes(job->dataset);
    TC_TRY(check_job(job, s->options, error));
    TC_TRY(tc_class_places(job->dataset, job->threat->target_class, tc_stream_child(job->stream, "sources", 0),
                           &s->source, &s->sources, error));
    if (s->sources > (size_t)s->options->sources) s->sources = (size_t)s->options->sources;
    TC_TRY(select_base(s, error));
    s->job = *job;
    s->job.threat = &s->threat;
    TC_TRY(tc_brew_create(&s->job, &s->options->brew, &s->brew, error));
    TC_TRY(tc_new(&s->marked, s->sources, bytes, error));
    TC_TRY(tc_new(&s->rounded, s->threat.poisons, bytes, error));
done:
    return status;
}

/* What was selected is selected again, from the same surrogates; what has become of them is in the snapshot. */
static tc_status resume(sleeper *s, tc_error *error) {
    tc_snapshot *to = &s->snapshot;
    char training[TC_PATH_SIZE];
    tc_status status = TC_OK;
    bool found;
    TC_TRY(tc_snapshot_create(s->given, &tc_sleeper_agent, s->options, 2 + tc_brew_pieces(s->given), to, error));
    tc_snapshot_host(to, &s->at, sizeof s->at);
    tc_snapshot_host(to, &s->brew.surrogates.gradients, sizeof s->brew.surrogates.gradients);
    tc_brew_keep(&s->brew, s->options->retrainings > 0, to);
    TC_TRY(tc_snapshot_load(to, &found, error));
    TC_TRY(tc_snapshot_training(to, training, error));
    if (!found && *training) unlink(training); /* of one that is gone */
done:
    return status;
}

static void clean_up(sleeper *s) {
    tc_snapshot_free(&s->snapshot);
    if (s->brew.job) tc_brew_free(&s->brew);
    tc_threat_rebase_free(&s->threat);
    free(s->source);
    free(s->marked);
    free(s->rounded);
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    sleeper s = {.given = job, .options = options, .at.loss = NAN};
    *poison = NULL;
    TC_TRY(prepare(&s, error));
    TC_TRY(resume(&s, error));
    TC_TRY(run(&s, error));
    const double objective = tc_brew_round(&s.brew, s.rounded);
    if (!isfinite(objective))
        TC_RAISE_FRUITLESS(TC_FAILED, "sleeper-agent: the matching loss is not a number; train the surrogate again");
    TC_TRY(tc_threat_poison(job->dataset, &s.threat, s.rounded, poison, error));
    if (report) {
        *report =
            (tc_craft_report){.objective = objective, .seconds = tc_snapshot_seconds(&s.snapshot), .steps = s.at.steps};
        tc_ensemble_spent(&s.brew.surrogates, report);
        report->gradients += s.at.gradients;
        report->trainings = s.at.trainings;
    }
done:
    clean_up(&s);
    return status;
}

static size_t images_of(const tc_dataset *dataset, int class) {
    size_t count = 0;
    for (size_t i = 0; i < dataset->train.count; i++) count += dataset->train.labels[i] == class;
    return count;
}

/* Of all the surrogates' re-trainings, by the mean one. */
static double retraining_work(const sleeper *s) {
    double work = 0;
    for (int i = 0; i < s->given->surrogate_count; i++) {
        const tc_train_options training = training_for(s, i);
        work += tc_train_work(&training) * (double)training.epochs * (double)s->given->dataset->train.count;
    }
    return (double)s->options->retrainings * work / s->given->surrogate_count;
}

static tc_craft_work work(const tc_craft_job *job, const void *options) {
    const sleeper s = {.given = job, .options = options};
    const sleeper_options *o = options;
    const tc_threat *threat = job->threat;
    const double sources = fmin((double)images_of(job->dataset, threat->target_class), (double)o->sources);
    const double step = tc_brew_step_work(job), aim = sources * tc_sharpness_gradients(&o->brew.sharpness);
    double each = (double)o->brew.steps * step + (double)(o->retrainings + 1) * aim;
    if (o->selection != RANDOM) each += (double)images_of(job->dataset, threat->intended_class);
    if (o->retrainings) each += retraining_work(&s);
    return (tc_craft_work){.each = each, .grain = fmax(step, aim)};
}

const tc_attack tc_sleeper_agent = {
    .name = "sleeper-agent",
    .kind = "backdoor",
    .goals = TC_FOR_BACKDOOR,
    .paper = "Souri et al., Sleeper Agent, arXiv 2106.08970; with sharpness: He et al., Sharpness-aware data poisoning "
             "attack",
    .summary = "poisons without the trigger whose training gradient points where the marked images' would",
    .equation = "min over |δ| ≤ ε of 1 − cos(∇θ Q(θ; marked images, y_obj), ∇θ L(θ; T(x + δ), y_obj)), θ "
                "trained anew on x + δ R times; with sharpness ∇Q at θ + v̂",
    .departs = "the code takes all 5000 images of the class as sources where the papers say 1000, and "
               "trains anew from the same seed; here from other ones",
    .options = options_table,
    .options_size = sizeof(sleeper_options),
    .needs_surrogate = true,
    .trains = true,
    .check = check,
    .check_job = check_job,
    .craft = craft,
    .work = work,
};
