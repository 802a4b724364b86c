/* bench.c — a few steps of a training, a few of a crafting; or what they come to, counted. */
#include "experiment/plan/bench.h"

#include "evaluate/evaluate.h"
#include "train/clock.h"

#include <math.h>
#include <stdlib.h>

enum { LEAST_STEPS = 3, JUDGED = 256 };

/* ---- training ---- */

/* The first step warms up; the clock runs from its end. */
typedef struct stopwatch {
    const tc_bench *b;
    int steps;
    double start, end;
    double from, to; /* of crafting: the fraction done at these moments */
    bool interrupted;
} stopwatch;

static bool interrupted(stopwatch *w) {
    w->interrupted = w->b->stop && w->b->stop(w->b->context);
    return w->interrupted;
}

/* When all that was asked for was done: a host may run ahead of its device. */
static double moment(const stopwatch *w) {
    tc_device_health(w->b->device, NULL); /* which waits; what it says is said at the end */
    return tc_clock();
}

static bool trained_enough(void *context) {
    stopwatch *w = context;
    w->end = moment(w);
    if (w->steps++ == 1) w->start = w->end;
    return interrupted(w) || (w->steps > LEAST_STEPS && w->end - w->start > w->b->share);
}

static tc_status train_a_little(const tc_bench *b, const tc_model *model, const tc_network_spec *network,
                                tc_weights *weights, double *seconds, tc_error *error) {
    stopwatch w = {.b = b};
    const tc_train_hooks hooks = {.stop = trained_enough, .context = &w};
    tc_train_options options = network->train;
    tc_train_result result = {0};
    tc_view view = {0};
    tc_error reason = {0};
    tc_status status = TC_OK;
    const double batches = ceil((double)b->dataset->train.count / (double)options.batch);
    options.checkpoint_minutes = 0;
    TC_TRY(tc_view_create(b->dataset, NULL, &view, error));
    status = tc_train(b->device, model, &view, &options, tc_stream_make(1), &hooks, weights, &result, &reason);
    if (status == TC_INTERRUPTED && !w.interrupted) status = TC_OK;
    if (status != TC_OK) TC_RAISE(status, "%s", reason.message);
    const bool timed = w.steps > 2;
    *seconds = timed ? (w.end - w.start) / (w.steps - 2) * batches * (double)options.epochs : result.seconds;
done:
    tc_view_free(&view);
    return status;
}

/* The test images, after the victim's training. */
static tc_status judge_a_little(const tc_bench *b, const tc_model *model, const tc_weights *weights, double *seconds,
                                tc_error *error) {
    const tc_split *test = &b->dataset->test;
    const size_t count = test->count < JUDGED ? test->count : JUDGED;
    float *logits = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&logits, count * (size_t)b->dataset->classes, sizeof *logits, error));
    const double start = tc_clock();
    TC_TRY(tc_predict(b->device, model, weights, b->dataset, test->images, count, logits, error));
    *seconds = count ? (tc_clock() - start) * (double)test->count / (double)count : 0;
done:
    free(logits);
    return status;
}

/* Of the seconds that trying takes: a forward pass is a third of a gradient. */
static double judging_share(const tc_bench *b, double speed) {
    const size_t count = b->dataset->test.count;
    return speed / 3 * (double)(count < JUDGED ? count : JUDGED);
}

static tc_status try_training(const tc_bench *b, const tc_model *model, const tc_network_spec *network, bool judged,
                              double *seconds, double *judging, tc_error *error) {
    tc_weights weights = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_weights_create(model, &weights, error));
    tc_model_init(model, tc_stream_make(1), weights.theta, weights.state);
    TC_TRY(train_a_little(b, model, network, &weights, seconds, error));
    if (judged) TC_TRY(judge_a_little(b, model, &weights, judging, error));
done:
    tc_weights_free(&weights);
    return status;
}

/* One after the other, each where there is time for it. */
tc_status tc_bench_training(tc_bench *b, const tc_network_spec *network, bool judged, tc_tried *tried,
                            tc_error *error) {
    const tc_train_options *train = &network->train;
    tc_model *model = NULL;
    double speed, bytes, judging = 0;
    tc_status status = TC_OK;
    TC_TRY(tc_spec_build(b->spec, network, b->dataset, &model, error));
    TC_TRY(tc_bench_speed(b, network, model, &speed, &bytes, error));
    const double image = speed * tc_train_work(train), test = (double)b->dataset->test.count;
    tried->measured =
        (LEAST_STEPS + 1) * image * (double)train->batch + (judged ? judging_share(b, speed) : 0) <= tc_bench_left(b);
    if (tried->measured) {
        TC_TRY(try_training(b, model, network, judged, &tried->seconds, &judging, error));
    } else {
        tried->seconds = image * (double)b->dataset->train.count * (double)train->epochs;
        judging = judged ? speed / 3 * test : 0;
        b->pass_bytes = fmax(b->pass_bytes, bytes * (double)train->batch);
    }
    tried->seconds += judging;
done:
    tc_model_free(model);
    return status;
}

/* ---- crafting ---- */

static void crafted(void *context, double fraction, double objective) {
    stopwatch *w = context;
    (void)objective;
    w->end = moment(w);
    w->to = fraction;
    if (w->steps++) return;
    w->start = w->end;
    w->from = fraction;
}

static bool crafted_enough(void *context) {
    stopwatch *w = context;
    return interrupted(w) || (w->steps > LEAST_STEPS && w->to > w->from && w->end - w->start > w->b->share);
}

/* What a few steps tell of them all; how long the whole took, where it was over before. */
static double whole(const stopwatch *w, double began, bool finished) {
    if (finished) return tc_clock() - began;
    return w->start - began + (w->end - w->start) / (w->to - w->from);
}

/* The attacker's networks. */
typedef struct networks {
    tc_architecture *architectures; /* [count] */
    tc_surrogate *surrogates;       /* [surrogates] */
    int count, surrogates_made;
    double gradient; /* seconds of an image's, through each network of the job once */
} networks;

/* Without weights. */
static tc_status make_networks(tc_bench *b, bool surrogates, networks *n, tc_error *error) {
    const tc_spec *spec = b->spec;
    const int all = surrogates ? tc_spec_surrogates(spec) : 0;
    double speed;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&n->architectures, (size_t)spec->surrogate_count, sizeof *n->architectures, error));
    for (; n->count < spec->surrogate_count; n->count++) {
        const tc_network_spec *own = &spec->surrogates[n->count];
        tc_model *model = NULL;
        TC_TRY(tc_spec_build(spec, own, b->dataset, &model, error));
        n->architectures[n->count] = (tc_architecture){model, &own->train};
        const tc_status timed = tc_bench_speed(b, own, model, &speed, NULL, error);
        if (timed != TC_OK) n->count++; /* the model is to be given back */
        TC_TRY(timed);
        n->gradient += speed * (surrogates ? (double)own->count : 1);
    }
    TC_TRY(tc_new(&n->surrogates, (size_t)all, sizeof *n->surrogates, error));
    for (int k; n->surrogates_made < all; n->surrogates_made++) {
        tc_spec_surrogate(spec, n->surrogates_made, &k);
        n->surrogates[n->surrogates_made].model = n->architectures[k].model;
    }
done:
    return status;
}

/* Untrained: steps take the same time. */
static tc_status make_weights(networks *n, tc_error *error) {
    for (int i = 0; i < n->surrogates_made; i++) {
        tc_surrogate *s = &n->surrogates[i];
        const tc_status status = tc_weights_create(s->model, &s->weights, error);
        if (status != TC_OK) return status;
        tc_model_init(s->model, tc_stream_make((uint64_t)i), s->weights.theta, s->weights.state);
    }
    return TC_OK;
}

static void free_networks(networks *n) {
    for (int i = 0; i < n->surrogates_made; i++) tc_weights_free(&n->surrogates[i].weights);
    for (int k = 0; k < n->count; k++) tc_model_free((tc_model *)(uintptr_t)n->architectures[k].model);
    free(n->surrogates);
    free(n->architectures);
}

static tc_status craft_a_little(const tc_method_spec *method, tc_craft_job job, stopwatch *w, double *seconds,
                                tc_error *error) {
    tc_poison *poison = NULL;
    tc_craft_report report = {0};
    tc_error reason = {0};
    job.progress = crafted;
    job.stop = crafted_enough;
    job.context = w;
    const double began = tc_clock();
    tc_status status = method->attack->craft(&job, method->options, &poison, &report, &reason);
    const bool finished = status == TC_OK;
    tc_poison_free(poison);
    if (status == TC_INTERRUPTED && !w->interrupted) status = TC_OK;
    if (status != TC_OK) return tc_raise(error, status, "%s", reason.message);
    *seconds = whole(w, began, finished);
    return TC_OK;
}

static tc_status try_crafting(tc_bench *b, const tc_method_spec *method, networks *n, const tc_threat *threat,
                              tc_tried *tried, tc_error *error) {
    stopwatch w = {.b = b};
    tc_craft_work work = {0};
    tc_status status = TC_OK;
    const tc_craft_job job = {.device = b->device,
                              .dataset = b->dataset,
                              .threat = threat,
                              .surrogates = n->surrogates,
                              .surrogate_count = n->surrogates_made,
                              .architectures = n->architectures,
                              .architecture_count = n->count,
                              .stream = tc_spec_stream(b->spec, 0)};
    if (method->attack->work) work = method->attack->work(&job, method->options);
    tried->seconds = work.each * n->gradient;
    tried->measured = (LEAST_STEPS + 2) * fmin(work.grain, work.each) * n->gradient <= fmax(tc_bench_left(b), 0);
    if (!tried->measured) return TC_OK;
    TC_TRY(make_weights(n, error));
    TC_TRY(craft_a_little(method, job, &w, &tried->seconds, error));
done:
    return status;
}

tc_status tc_bench_crafting(tc_bench *b, int attack, tc_tried *tried, tc_error *error) {
    const tc_method_spec *method = &b->spec->attacks[attack];
    networks n = {0};
    tc_threat threat = {0};
    tc_status status = TC_OK;
    TC_TRY(make_networks(b, method->attack->needs_surrogate, &n, error));
    TC_TRY(tc_spec_draw(b->spec, b->dataset, 0, &threat, error));
    TC_TRY(try_crafting(b, method, &n, &threat, tried, error));
done:
    tc_threat_free(&threat);
    free_networks(&n);
    return status;
}
