/* hidden_trigger.c — Hidden trigger: poisons that lie, in feature space, where marked images do.
 *
 * Paper: Saha et al., "Hidden trigger backdoor attacks", arXiv 1910.00033, Algorithm 1
 *
 *     z = x, images of y_obj, in batches of K
 *     for step = 1 … steps:
 *         s = K random training images of y_vic, the trigger at a random place of each
 *         a = one-to-one map from poisons to marked images: again and again the closest pair of what is left, by
 *             ‖f(z_k) − f(s_j)‖, f the values before the classifier
 *         z = projection of z − rate · ∇_z Σ_k ‖f(z_k) − f(s_{a(k)})‖²       onto ‖z − x‖_∞ ≤ ε
 *
 * A classifier trained on f(z) under label y_obj takes f(s) for y_obj. No poison shows the trigger. The method is made
 * for victims that keep f and train a new classifier; against training from scratch, which moves f, it is weak (SAPA
 * reports 3.5 % at ε = 16).
 *
 * `rate` is for pixels of 0 … 1, as in the paper. Where the released code differs: it draws the marked images once for
 * all steps, ends when the farthest pair of a batch is closer than 10, and halves the rate every 1000 steps; the
 * halving is taken over, the rest is the paper's. With several surrogates each has its pairs, and their gradients are
 * averaged. A class with fewer than K images to mark lends each several times. */
#include "attack/methods.h"
#include "attack/parts/lens.h"
#include "attack/parts/marked.h"
#include "attack/parts/perturbation.h"
#include "attack/parts/snapshot.h"
#include "attack/parts/viewer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct hidden_options {
    int64_t steps, batch, halve;
    double rate;
    char layer[TC_TEXT_SIZE];
} hidden_options;

static const tc_option options_table[] = {
    TC_INT(hidden_options, steps, 5000, 1, 1e7, "steps", "of gradient descent (Saha et al.: 5000)"),
    TC_REAL_ABOVE(hidden_options, rate, 0.01, 0, 1e6, "", "of the descent, for pixels of 0 ... 1 (Saha et al.: 0.01)"),
    TC_INT(hidden_options, halve, 1000, 0, 1e7, "steps",
           "how often the rate is halved; 0: never (released code: 1000)"),
    TC_INT(hidden_options, batch, 100, 1, 4096, "images", "poisons that are paired with as many (Saha et al.: 100)"),
    TC_TEXT(hidden_options, layer, "features", "the value that collides, by its name in the model"),
    TC_OPTIONS_END};

/* One surrogate's view of a batch of poisons and of the marked images. */
typedef struct collider {
    tc_viewer view;
    tc_node node;
    size_t features;     /* of one image */
    void *values;        /* device reals [batch][features], and the cotangents in their place */
    float *here, *there; /* host [batch][features]: of the poisons, of the marked images */
} collider;

typedef struct pair {
    double distance; /* squared */
    uint32_t here, there;
} pair;

typedef struct hidden {
    const tc_craft_job *job;
    const hidden_options *options;
    collider *surrogate; /* [job->surrogate_count] */
    tc_lens lens;        /* plain */
    tc_perturbation delta;
    size_t batch;
    void *gradient;    /* device reals [delta.values] */
    void *dx, *marked; /* device reals [batch] images */
    uint32_t *source;  /* [sources] places of y_vic in the training split, shuffled */
    uint32_t *drawn;   /* [sources] an order of them, then [batch] the places of a batch */
    uint32_t *partner; /* [batch] */
    bool *taken;       /* [batch] */
    pair *pairs;       /* [batch²] */
    uint8_t *images;   /* [poisons][h][w][c], and a batch of marked ones before */
    float *host;       /* [batch] images */
    size_t sources;
    int64_t steps, gradients; /* taken so far */
    tc_snapshot snapshot;
} hidden;

/* ---- the pairs ---- */

static int closer_first(const void *a, const void *b) {
    const pair *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    if (x->here != y->here) return x->here < y->here ? -1 : 1;
    return (x->there > y->there) - (x->there < y->there);
}

static double squared_distance(const float *a, const float *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

/* partner[k] := the marked image of poison k. Returns Σ ‖f(z_k) − f(s_{a(k)})‖². */
static double match(const hidden *h, const collider *c, size_t n) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            h->pairs[i * n + j] =
                (pair){squared_distance(c->here + i * c->features, c->there + j * c->features, c->features), i, j};
    qsort(h->pairs, n * n, sizeof *h->pairs, closer_first);
    memset(h->taken, 0, n * sizeof *h->taken);
    for (size_t i = 0; i < n; i++) h->partner[i] = UINT32_MAX;
    for (size_t p = 0; p < n * n; p++) {
        const pair *at = &h->pairs[p];
        if (h->taken[at->there] || h->partner[at->here] != UINT32_MAX) continue;
        h->taken[at->there] = true;
        h->partner[at->here] = at->there;
        sum += at->distance;
    }
    return sum;
}

/* ---- one step ---- */

/* Draws n of the sources and marks them; h->marked := them as reals. */
static void draw_marked(hidden *h, size_t n, uint64_t step, size_t from) {
    const tc_craft_job *job = h->job;
    const size_t bytes = tc_dataset_image_bytes(job->dataset);
    tc_stream stream = tc_stream_child(tc_stream_child(job->stream, "draw", step), "batch", from);
    uint32_t *place = h->drawn + h->sources;
    tc_draw_permutation(&stream, h->drawn, h->sources);
    for (size_t i = 0; i < n; i++) place[i] = h->source[h->drawn[i % h->sources]];
    tc_mark_images(job->dataset, job->threat, step + 1, place, n, h->images);
    for (size_t i = 0; i < n * bytes; i++) h->host[i] = h->images[i];
    job->device->k->upload_float(job->device, h->marked, h->host, n * bytes);
}

/* host := the features of images [from, from + n) of pixels; returns the pass that has seen them. */
static tc_pass *features(const hidden *h, const collider *c, const void *pixels, size_t from, size_t n, float *host) {
    tc_pass *pass = tc_passes_find(&c->view.passes, (int)n);
    tc_lens_see(&h->lens, from, (int)n, pixels, tc_pass_input(pass));
    tc_pass_forward(pass, c->view.theta, c->view.state);
    tc_pass_features(pass, c->node, c->values);
    c->view.device->k->download_float(c->view.device, host, c->values, n * c->features);
    return pass;
}

/* ∂/∂f(z_k) of the sum, brought back to the pixels. */
static void descend(hidden *h, collider *c, tc_pass *pass, size_t from, size_t n) {
    tc_device *device = h->job->device;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < c->features; j++)
            c->here[i * c->features + j] =
                2 * (c->here[i * c->features + j] - c->there[h->partner[i] * c->features + j]);
    device->k->upload_float(device, c->values, c->here, n * c->features);
    tc_pass_vjp(pass, c->view.theta, c->node, c->values, NULL, h->dx);
    tc_lens_adjoint(&h->lens, from, (int)n, 1.0 / h->job->surrogate_count, h->dx, h->gradient);
    h->gradients++;
}

/* The mean squared distance of delta.pixels from their marked images; gradient := its ∇_pixels, where `along`. */
static double collide(hidden *h, uint64_t step, bool along) {
    const size_t poisons = h->job->threat->poisons;
    double sum = 0;
    if (along) h->job->device->k->fill(h->job->device, h->delta.values, 0, h->gradient);
    for (size_t from = 0; from < poisons; from += h->batch) {
        const size_t n = poisons - from < h->batch ? poisons - from : h->batch;
        draw_marked(h, n, step, from);
        for (int i = 0; i < h->job->surrogate_count; i++) {
            collider *c = &h->surrogate[i];
            features(h, c, h->marked, 0, n, c->there);
            tc_pass *pass = features(h, c, h->delta.pixels, from, n, c->here);
            sum += match(h, c, n);
            if (along) descend(h, c, pass, from, n);
        }
    }
    return sum / (double)poisons / h->job->surrogate_count;
}

/* ---- the algorithm ---- */

static tc_status run(hidden *h, tc_error *error) {
    tc_device *device = h->job->device;
    const hidden_options *o = h->options;
    tc_status status = TC_OK;
    while (h->steps < o->steps) {
        const int64_t step = h->steps;
        const double rate = o->rate * pow(0.5, o->halve ? (double)(step / o->halve) : 0);
        tc_perturbation_apply(&h->delta);
        const double distance = collide(h, (uint64_t)step, true);
        device->k->axpby(device, h->delta.values, -rate * 255 * 255, h->gradient, 1, h->delta.delta);
        tc_perturbation_project(&h->delta);
        h->steps++;
        TC_TRY(tc_craft_tell(&h->snapshot, (double)h->steps / (double)o->steps, distance, error));
    }
done:
    return status;
}

/* ---- preparing ---- */

static tc_status find_layer(const tc_model *model, const char *layer, tc_node *node, tc_error *error) {
    enum { ROOM = 16 };
    const char *names[ROOM + 1] = {NULL};
    *node = tc_model_find(model, layer);
    if (*node >= 0) return TC_OK;
    const int count = tc_model_names(model, names, ROOM);
    names[count < ROOM ? count : ROOM] = NULL;
    const char *near = tc_nearest(layer, names);
    return tc_raise(error, TC_INVALID, "layer: %s has no value named '%.64s'; take '%s'", tc_model_name(model), layer,
                    near    ? near
                    : count ? names[count - 1]
                            : "another model");
}

static tc_status make_collider(const hidden *h, int i, collider *c, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = h->job;
    tc_pass *pass = NULL;
    TC_TRY(find_layer(job->surrogates[i].model, h->options->layer, &c->node, error));
    TC_TRY(tc_viewer_create(job->device, job->dataset, &job->surrogates[i], TC_WANT_FEATURES | TC_WANT_GRAD_X, &c->view,
                            error));
    TC_TRY(tc_passes_for(&c->view.passes, job->threat->poisons, (int)h->batch, error));
    TC_TRY(tc_passes_get(&c->view.passes, (int)h->batch, &pass, error));
    c->features = tc_shape_count(tc_pass_feature_shape(pass, c->node)) / h->batch;
    TC_TRY(tc_device_reals(job->device, h->batch * c->features, &c->values, error));
    TC_TRY(tc_new(&c->here, h->batch * c->features, sizeof *c->here, error));
    TC_TRY(tc_new(&c->there, h->batch * c->features, sizeof *c->there, error));
done:
    return status;
}

static void free_collider(collider *c) {
    if (c->values) c->view.device->k->release(c->view.device, c->values);
    tc_viewer_free(&c->view);
    free(c->here);
    free(c->there);
}

static tc_status make_pairing(hidden *h, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = h->job;
    const size_t bytes = tc_dataset_image_bytes(job->dataset), poisons = job->threat->poisons;
    TC_TRY(tc_class_places(job->dataset, job->threat->target_class, tc_stream_child(job->stream, "sources", 0),
                           &h->source, &h->sources, error));
    TC_TRY(tc_new(&h->drawn, h->sources + h->batch, sizeof *h->drawn, error));
    TC_TRY(tc_new(&h->partner, h->batch, sizeof *h->partner, error));
    TC_TRY(tc_new(&h->taken, h->batch, sizeof *h->taken, error));
    TC_TRY(tc_new(&h->pairs, h->batch * h->batch, sizeof *h->pairs, error));
    TC_TRY(tc_new(&h->images, poisons > h->batch ? poisons : h->batch, bytes, error));
    TC_TRY(tc_new(&h->host, h->batch * bytes, sizeof *h->host, error));
done:
    return status;
}

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    const hidden_options *o = options;
    tc_status status = TC_OK;
    tc_node node;
    if (job->surrogate_count < 1) TC_RAISE(TC_INVALID, "hidden-trigger: no surrogate is given; train one first");
    for (int i = 0; i < job->surrogate_count; i++) TC_TRY(find_layer(job->surrogates[i].model, o->layer, &node, error));
    TC_TRY(tc_marked_check(job, error));
done:
    return status;
}

static tc_status prepare(hidden *h, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = h->job;
    const size_t bytes = tc_dataset_image_bytes(job->dataset), poisons = job->threat->poisons;
    h->batch = poisons < (size_t)h->options->batch ? poisons : (size_t)h->options->batch;
    TC_TRY(check_job(job, h->options, error));
    TC_TRY(tc_new(&h->surrogate, (size_t)job->surrogate_count, sizeof *h->surrogate, error));
    for (int i = 0; i < job->surrogate_count; i++) TC_TRY(make_collider(h, i, &h->surrogate[i], error));
    TC_TRY(make_pairing(h, error));
    TC_TRY(tc_lens_create(job->device, job->dataset, poisons, (int)h->batch, 0, false, &h->lens, error));
    TC_TRY(tc_perturbation_create(job->device, job->dataset, job->threat, &h->delta, error));
    TC_TRY(tc_device_reals(job->device, h->delta.values, &h->gradient, error));
    TC_TRY(tc_device_reals(job->device, h->batch * bytes, &h->dx, error));
    TC_TRY(tc_device_reals(job->device, h->batch * bytes, &h->marked, error));
done:
    return status;
}

static tc_status resume(hidden *h, tc_error *error) {
    tc_snapshot *s = &h->snapshot;
    tc_status status = TC_OK;
    bool found;
    TC_TRY(tc_snapshot_create(h->job, &tc_hidden_trigger, h->options, 3, s, error));
    tc_snapshot_host(s, &h->steps, sizeof h->steps);
    tc_snapshot_host(s, &h->gradients, sizeof h->gradients);
    tc_snapshot_device(s, h->delta.delta, h->delta.values * h->job->device->element);
    TC_TRY(tc_snapshot_load(s, &found, error));
done:
    return status;
}

static void clean_up(hidden *h) {
    tc_snapshot_free(&h->snapshot);
    void *const device_memory[] = {h->gradient, h->dx, h->marked};
    void *const memory[] = {h->surrogate, h->source, h->drawn, h->partner, h->taken, h->pairs, h->images, h->host};
    for (int i = 0; i < 3; i++)
        if (device_memory[i]) h->job->device->k->release(h->job->device, device_memory[i]);
    for (int i = 0; h->surrogate && i < h->job->surrogate_count; i++) free_collider(&h->surrogate[i]);
    if (h->lens.device) tc_lens_free(&h->lens);
    if (h->delta.device) tc_perturbation_free(&h->delta);
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) free(memory[i]);
}

/* The objective is looked at under one more draw of marked images, which no step has seen. */
static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    hidden h = {.job = job, .options = options};
    *poison = NULL;
    TC_TRY(prepare(&h, error));
    TC_TRY(resume(&h, error));
    TC_TRY(run(&h, error));
    tc_perturbation_round(&h.delta, h.images);
    TC_TRY(tc_threat_poison(job->dataset, job->threat, h.images, poison, error));
    const double distance = collide(&h, (uint64_t)h.options->steps, false);
    if (!isfinite(distance))
        TC_RAISE_FRUITLESS(TC_FAILED,
                           "hidden-trigger: the distance is not a number; take a lower rate or train the surrogate "
                           "again");
    if (report)
        *report = (tc_craft_report){.objective = distance,
                                    .seconds = tc_snapshot_seconds(&h.snapshot),
                                    .steps = h.options->steps,
                                    .gradients = h.gradients};
done:
    if (status != TC_OK) {
        tc_poison_free(*poison);
        *poison = NULL;
    }
    clean_up(&h);
    return status;
}

/* A forward pass of the marked images, one of the poisons and back to their pixels: a third and two of a gradient. */
static tc_craft_work work(const tc_craft_job *job, const void *options) {
    const hidden_options *o = options;
    const double step = (double)job->threat->poisons;
    return (tc_craft_work){.each = ((double)o->steps + 2.0 / 3) * step, .grain = step};
}

const tc_attack tc_hidden_trigger = {
    .name = "hidden-trigger",
    .kind = "backdoor",
    .goals = TC_FOR_BACKDOOR,
    .paper = "Saha et al., Hidden trigger backdoor attacks, arXiv 1910.00033",
    .summary = "poisons without the trigger whose features lie where those of marked images do",
    .equation = "min over |δ| ≤ ε of Σ ‖f(x_k + δ_k) − f(marked image a(k))‖², a the greedy one-to-one "
                "map by distance",
    .departs = "the code draws the marked images once, ends below a distance of 10 and halves the rate "
               "every 1000 steps; only the halving is taken over",
    .options = options_table,
    .options_size = sizeof(hidden_options),
    .needs_surrogate = true,
    .check_job = check_job,
    .craft = craft,
    .work = work,
};
