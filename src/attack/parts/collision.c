#include "attack/parts/collision.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- pieces of the poisons, the targets behind each ---- */

typedef struct piece {
    size_t from;
    int n;
    tc_pass *pass;
} piece;

static int pieces_of(const tc_collision *c) {
    return (int)((c->poisons + (size_t)c->piece - 1) / (size_t)c->piece);
}

static piece piece_at(const tc_collision *c, int i) {
    const size_t from = (size_t)i * (size_t)c->piece, left = c->poisons - from;
    const int n = left < (size_t)c->piece ? (int)left : c->piece;
    return (piece){from, n, tc_passes_find(&c->passes, n + (int)c->targets)};
}

static size_t image_of(const tc_collision *c) {
    return tc_dataset_image_bytes(c->lens->dataset);
}

/* c->row := the layer's features of the piece's poisons and, behind them, of the targets. */
static void features(tc_collision *c, const piece *part, int layer, const void *theta) {
    const tc_kernels *k = c->device->k;
    void *x = tc_pass_input(part->pass);
    tc_lens_see(c->lens, part->from, part->n, c->pixels, x);
    k->copy(c->device, c->targets * image_of(c), c->seen, tc_at(c->device, x, (size_t)part->n * image_of(c)));
    tc_pass_forward(part->pass, theta, c->state);
    tc_pass_features(part->pass, c->node[layer], c->rows);
    k->download_double(c->device, c->row, c->rows, ((size_t)part->n + c->targets) * c->width[layer]);
}

/* ---- cotangents: row := ∂F/∂row ---- */

/* What is asked of a look. */
typedef struct look {
    void *g;       /* device reals [p] := ∇_θ F; NULL: not wanted */
    double weight; /* of the gradient for the pixels and of `each` */
    void *dpixels; /* += weight · ∇; NULL: not wanted */
} look;

/* Returns the piece's part of F. The gradient of a distance is not divided by n where it goes to that poison alone. */
static double each_cotangents(tc_collision *c, const piece *part, int layer, const look *asked) {
    const size_t w = c->width[layer], targets = c->targets;
    const double share = 1 / ((double)c->layers * (double)c->poisons), own = 1 / (double)c->layers;
    double *target = c->row + (size_t)part->n * w, sum = 0;
    memset(c->aim, 0, targets * w * sizeof *c->aim); /* the targets' cotangents */
    for (int j = 0; j < part->n; j++) {
        const size_t t = (part->from + (size_t)j) % targets;
        double *p = c->row + (size_t)j * w, distance = 0;
        for (size_t i = 0; i < w; i++) {
            const double d = p[i] - target[t * w + i];
            distance += d * d;
            p[i] = 2 * (asked->g ? share : own) * d;
            c->aim[t * w + i] -= p[i];
        }
        c->each[part->from + (size_t)j] += asked->weight * own * distance;
        sum += share * distance;
    }
    memcpy(target, c->aim, targets * w * sizeof *target);
    return sum;
}

/* How many poisons are for aim t. */
static double followers(const tc_collision *c, size_t t) {
    return (double)(c->poisons / c->aims + (t < c->poisons % c->aims));
}

/* middle += the piece's share of the poisons' means; aim := the targets' features, or their mean. */
static void gather(tc_collision *c, const piece *part, int layer) {
    const size_t w = c->width[layer], per_aim = c->targets / c->aims;
    const double *target = c->row + (size_t)part->n * w;
    for (int j = 0; j < part->n; j++) {
        const size_t t = (part->from + (size_t)j) % c->aims;
        for (size_t i = 0; i < w; i++) c->middle[t * w + i] += c->row[(size_t)j * w + i] / followers(c, t);
    }
    memset(c->aim, 0, c->aims * w * sizeof *c->aim);
    for (size_t t = 0; t < c->targets; t++)
        for (size_t i = 0; i < w; i++) c->aim[t % c->aims * w + i] += target[t * w + i] / (double)per_aim;
}

static double squares(const double *x, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += x[i] * x[i];
    return sum;
}

/* For one aim: its value; poison := the cotangent of one of its poisons; target += that of one of its targets. */
static double aim_cotangents(const tc_collision *c, int layer, size_t t, double *poison, double *target) {
    const size_t w = c->width[layer];
    const double share = 1 / ((double)c->layers * (double)c->aims), per_aim = (double)(c->targets / c->aims);
    const double *m = c->middle + t * w, *a = c->aim + t * w;
    const double length = squares(a, w), scale = length > 0 ? share / length : share;
    double gap = 0;
    if (!(followers(c, t) > 0)) return 0; /* fewer poisons than targets */
    for (size_t i = 0; i < w; i++) gap += (m[i] - a[i]) * (m[i] - a[i]);
    for (size_t i = 0; i < w; i++) {
        poison[i] = scale * (m[i] - a[i]) / followers(c, t);
        target[i] = -scale * (m[i] - a[i] + (length > 0 ? gap / length * a[i] : 0)) / per_aim;
    }
    return 0.5 * scale * gap;
}

/* The whole of F, at the first piece; the same cotangents serve all. */
static double mean_cotangents(tc_collision *c, const piece *part, int layer, const look *asked) {
    const size_t w = c->width[layer];
    double *target = c->row + (size_t)part->n * w, *poison = c->middle + c->aims * w, *one = poison + w, sum = 0;
    (void)asked;
    memset(target, 0, c->targets * w * sizeof *target);
    for (size_t t = 0; t < c->aims; t++) {
        const double value = aim_cotangents(c, layer, t, poison, one);
        for (size_t j = 0; j < (size_t)part->n; j++)
            if ((part->from + j) % c->aims == t) memcpy(c->row + j * w, poison, w * sizeof *poison);
        if (part->from) continue; /* the targets count once */
        sum += value;
        for (size_t j = t; j < c->targets && followers(c, t) > 0; j += c->aims)
            memcpy(target + j * w, one, w * sizeof *one);
    }
    return sum;
}

/* In the order of tc_collision_kind. */
static double (*const cotangents[])(tc_collision *c, const piece *part, int layer,
                                    const look *asked) = {each_cotangents, mean_cotangents};

/* ---- a look ---- */

static void backward(tc_collision *c, const piece *part, int layer, const void *theta, const look *asked) {
    const tc_kernels *k = c->device->k;
    if (!asked->g && !asked->dpixels) return;
    c->q.gradients++;
    k->upload_double(c->device, c->rows, c->row, ((size_t)part->n + c->targets) * c->width[layer]);
    tc_pass_vjp(part->pass, theta, c->node[layer], c->rows, asked->g ? c->part : NULL, asked->dpixels ? c->dx : NULL);
    if (asked->g) k->axpby(c->device, c->q.parameters, 1, c->part, 1, asked->g);
    if (asked->dpixels) tc_lens_adjoint(c->lens, part->from, part->n, asked->weight, c->dx, asked->dpixels);
}

static void gather_all(tc_collision *c, int layer, const void *theta) {
    memset(c->middle, 0, c->aims * c->width[layer] * sizeof *c->middle);
    for (int i = 0; i < pieces_of(c); i++) {
        const piece part = piece_at(c, i);
        features(c, &part, layer, theta);
        gather(c, &part, layer);
    }
}

/* Returns F(θ). A pass keeps no more than one way back needs, so every layer has a forward pass of its own. */
static double collide(tc_collision *c, const void *theta, const look *asked) {
    const bool means = c->options.kind == TC_COLLIDE_MEAN;
    double sum = 0;
    if (asked->g) c->device->k->fill(c->device, c->q.parameters, 0, asked->g);
    for (int layer = 0; layer < c->layers; layer++) {
        if (means) gather_all(c, layer, theta);
        for (int i = 0; i < pieces_of(c); i++) {
            const piece part = piece_at(c, i);
            if (!means || pieces_of(c) > 1) features(c, &part, layer, theta);
            sum += cotangents[c->options.kind](c, &part, layer, asked);
            backward(c, &part, layer, theta, asked);
        }
    }
    return sum;
}

static double objective_gradient(tc_objective *objective, const void *theta, void *g) {
    tc_collision *c = (tc_collision *)objective;
    return collide(c, theta, &(look){.g = g});
}

double tc_collider_look(tc_collider *collider, void *dpixels) {
    const tc_craft_job *job = collider->job;
    const int surrogates = job->surrogate_count;
    const size_t poisons = job->threat->poisons;
    double sum = 0;
    memset(collider->each, 0, poisons * sizeof *collider->each);
    if (dpixels) job->device->k->fill(job->device, poisons * tc_dataset_image_bytes(job->dataset), 0, dpixels);
    for (int s = 0; s < surrogates; s++) {
        tc_collision *c = &collider->at[s];
        tc_sharpness_aim(&c->sharpness, &c->q, c->theta, c->g);
        const int points = tc_sharpness_points(&c->sharpness);
        const look asked = {.weight = 1.0 / (surrogates * points), .dpixels = dpixels};
        for (int i = 0; i < points; i++)
            sum += asked.weight * collide(c, tc_sharpness_point(&c->sharpness, c->theta), &asked);
    }
    return sum;
}

double tc_collider_value(tc_collider *collider) {
    const int surrogates = collider->job->surrogate_count;
    double sum = 0;
    memset(collider->each, 0, collider->job->threat->poisons * sizeof *collider->each);
    for (int s = 0; s < surrogates; s++)
        sum += collide(&collider->at[s], collider->at[s].theta, &(look){.weight = 1.0 / surrogates}) / surrogates;
    return sum;
}

void tc_collider_keep(tc_collider *collider, tc_snapshot *snapshot) {
    for (int s = 0; s < collider->job->surrogate_count; s++) {
        tc_collision *c = &collider->at[s];
        tc_snapshot_host(snapshot, &c->q.gradients, sizeof c->q.gradients);
        tc_snapshot_host(snapshot, &c->sharpness.drawn, sizeof c->sharpness.drawn);
    }
}

void tc_collider_spent(const tc_collider *collider, tc_craft_report *report) {
    for (int s = 0; s < collider->job->surrogate_count; s++) report->gradients += collider->at[s].q.gradients;
}

/* ---- which layers ---- */

/* The values of one network that collide. */
typedef struct layer_list {
    tc_node node[TC_MAX_LAYERS]; /* [count] */
    int count;
} layer_list;

static tc_status add_layer(const tc_model *model, const char *name, layer_list *found, tc_error *error) {
    const char *known[TC_MAX_LAYERS + 1] = {NULL};
    const tc_node node = tc_model_find(model, name);
    if (node < 0) {
        const int count = tc_model_names(model, known, TC_MAX_LAYERS);
        const char *near = tc_nearest(name, known);
        return tc_raise(error, TC_INVALID, "layers: %s has no value named '%.48s'; name one of its %d, such as %s",
                        tc_model_name(model), name, count,
                        near    ? near
                        : count ? known[(count < TC_MAX_LAYERS ? count : TC_MAX_LAYERS) - 1]
                                : "none");
    }
    if (found->count == TC_MAX_LAYERS)
        return tc_raise(error, TC_INVALID, "layers: more than %d; name fewer", TC_MAX_LAYERS);
    found->node[found->count++] = node;
    return TC_OK;
}

static tc_status find_layers(const tc_model *model, const char *text, layer_list *found, tc_error *error) {
    tc_status status = TC_OK;
    const char *all[TC_MAX_LAYERS];
    found->count = 0;
    if (!strcmp(text, "all")) {
        const int count = tc_model_names(model, all, TC_MAX_LAYERS);
        for (int i = 0; i < count && i < TC_MAX_LAYERS; i++) TC_TRY(add_layer(model, all[i], found, error));
    } else {
        for (text += strspn(text, " ,"); *text; text += strspn(text, " ,")) {
            char name[TC_NAME_SIZE] = "";
            const size_t length = strcspn(text, " ,");
            memcpy(name, text, length < sizeof name ? length : sizeof name - 1);
            TC_TRY(add_layer(model, name, found, error));
            text += length;
        }
    }
    if (!found->count) TC_RAISE(TC_INVALID, "layers: none is named; take features");
done:
    return status;
}

tc_status tc_collision_check(const tc_craft_job *job, const char *layers, tc_error *error) {
    layer_list found;
    tc_status status = TC_OK;
    if (job->surrogate_count < 1) TC_RAISE(TC_INVALID, "attack: no surrogate is given; train one first");
    for (int s = 0; s < job->surrogate_count; s++) TC_TRY(find_layers(job->surrogates[s].model, layers, &found, error));
done:
    return status;
}

static double count_layers(const tc_craft_job *job, const char *text) {
    const char *all[TC_MAX_LAYERS];
    int count = 0;
    if (!strcmp(text, "all")) return job->surrogate_count ? tc_model_names(job->surrogates[0].model, all, 0) : 1;
    for (text += strspn(text, " ,"); *text; text += strspn(text, " ,"), count++) text += strcspn(text, " ,");
    return count;
}

double tc_collision_work(const tc_craft_job *job, const char *layers, int batch,
                         const tc_sharpness_options *sharpness) {
    const double poisons = (double)job->threat->poisons;
    const double seen = poisons + ceil(poisons / batch) * (double)job->threat->targets;
    const double passes = sharpness->kind == TC_SHARPNESS_NONE ? 2.0 / 3 : tc_sharpness_gradients(sharpness);
    return count_layers(job, layers) * passes * seen; /* without sharpness for the images alone */
}

/* ---- making ---- */

static tc_status load_targets(tc_collision *c, const tc_craft_job *job, tc_error *error) {
    tc_status status = TC_OK;
    const tc_dataset *data = job->dataset;
    const tc_kernels *k = c->device->k;
    const size_t values = c->targets * image_of(c);
    uint8_t *images = NULL;
    float *pixels = NULL;
    void *on_device = NULL;
    TC_TRY(tc_new(&images, values, 1, error));
    TC_TRY(tc_new(&pixels, values, sizeof *pixels, error));
    TC_TRY(tc_device_reals(c->device, values, &on_device, error));
    TC_TRY(tc_device_reals(c->device, values, &c->seen, error));
    tc_threat_targets(data, job->threat, images);
    for (size_t i = 0; i < values; i++) pixels[i] = images[i];
    k->upload_float(c->device, on_device, pixels, values);
    k->normalise(c->device, tc_nhwc((int)c->targets, data->height, data->width, data->channels), data->mean, data->std,
                 on_device, c->seen);
done:
    if (on_device) k->release(c->device, on_device);
    free(pixels);
    free(images);
    return status;
}

static tc_status make_passes(tc_collision *c, bool for_theta, tc_error *error) {
    tc_status status = TC_OK;
    tc_pass *pass;
    const int targets = (int)c->targets, rest = (int)(c->poisons % (size_t)c->piece);
    c->passes.options = (tc_pass_options){
        .mode = TC_EVALUATE,
        .want = TC_WANT_FEATURES | TC_WANT_GRAD_X | (for_theta ? TC_WANT_GRAD_THETA : 0),
        .loss = TC_CROSS_ENTROPY,
    };
    TC_TRY(tc_passes_get(&c->passes, c->piece + targets, &pass, error));
    if (rest) TC_TRY(tc_passes_get(&c->passes, rest + targets, &pass, error));
    for (int i = 0; i < c->layers; i++) {
        const tc_shape shape = tc_pass_feature_shape(pass, c->node[i]);
        c->width[i] = tc_shape_count(shape) / (size_t)shape.n;
    }
done:
    return status;
}

static tc_status make_vectors(tc_collision *c, const tc_weights *weights, bool for_theta, tc_error *error) {
    tc_status status = TC_OK;
    const tc_kernels *k = c->device->k;
    const size_t p = c->q.parameters, statistics = tc_model_state(c->passes.model);
    const size_t images = (size_t)c->piece + c->targets;
    size_t widest = 0;
    for (int i = 0; i < c->layers; i++) widest = c->width[i] > widest ? c->width[i] : widest;
    TC_TRY(tc_device_reals(c->device, p, &c->theta, error));
    TC_TRY(tc_device_reals(c->device, statistics + 1, &c->state, error)); /* never empty */
    TC_TRY(tc_device_reals(c->device, images * widest, &c->rows, error));
    TC_TRY(tc_device_reals(c->device, images * image_of(c), &c->dx, error));
    if (for_theta) TC_TRY(tc_device_reals(c->device, p, &c->part, error));
    if (for_theta) TC_TRY(tc_device_reals(c->device, p, &c->g, error));
    TC_TRY(tc_new(&c->row, images * widest, sizeof *c->row, error));
    TC_TRY(tc_new(&c->middle, (c->aims + 2) * widest, sizeof *c->middle, error)); /* two rows of scratch */
    TC_TRY(tc_new(&c->aim, c->targets * widest, sizeof *c->aim, error));
    k->upload_float(c->device, c->theta, weights->theta, p);
    k->upload_float(c->device, c->state, weights->state, statistics);
done:
    return status;
}

static tc_status make_collision(tc_collider *collider, int s, const tc_collision_options *options,
                                const tc_sharpness_options *sharpness, const void *pixels, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = collider->job;
    const tc_surrogate *surrogate = &job->surrogates[s];
    const bool for_theta = sharpness->kind == TC_SHARPNESS_WORST_CASE;
    tc_collision *c = &collider->at[s];
    layer_list found;
    *c = (tc_collision){.q = {.parameters = tc_model_parameters(surrogate->model), .gradient = objective_gradient},
                        .device = job->device,
                        .options = *options,
                        .lens = &collider->lens,
                        .pixels = pixels,
                        .poisons = job->threat->poisons,
                        .targets = job->threat->targets,
                        .aims = options->merged ? 1 : job->threat->targets,
                        .piece = options->piece,
                        .passes = {.device = job->device, .model = surrogate->model},
                        .each = collider->each};
    if (c->poisons < (size_t)c->piece) c->piece = (int)c->poisons;
    TC_TRY(tc_model_fits(surrogate->model, job->dataset, error));
    TC_TRY(find_layers(surrogate->model, options->layers, &found, error));
    c->layers = found.count;
    memcpy(c->node, found.node, sizeof c->node);
    TC_TRY(load_targets(c, job, error));
    TC_TRY(make_passes(c, for_theta, error));
    TC_TRY(make_vectors(c, &surrogate->weights, for_theta, error));
    TC_TRY(tc_sharpness_create(job->device, sharpness, c->q.parameters,
                               tc_stream_child(job->stream, "sharpness", (uint64_t)s), &c->sharpness, error));
done:
    return status;
}

tc_status tc_collider_create(const tc_craft_job *job, const tc_collision_options *options,
                             const tc_sharpness_options *sharpness, double shift, bool flip, const void *pixels,
                             tc_collider *collider, tc_error *error) {
    tc_status status = TC_OK;
    *collider = (tc_collider){.job = job};
    TC_TRY(tc_collision_check(job, options->layers, error));
    TC_TRY(tc_new(&collider->each, job->threat->poisons, sizeof *collider->each, error));
    TC_TRY(tc_new(&collider->at, (size_t)job->surrogate_count, sizeof *collider->at, error));
    TC_TRY(tc_lens_create(job->device, job->dataset, job->threat->poisons, options->piece, shift, flip, &collider->lens,
                          error));
    for (int s = 0; s < job->surrogate_count; s++)
        TC_TRY(make_collision(collider, s, options, sharpness, pixels, error));
done:
    if (status != TC_OK) tc_collider_free(collider);
    return status;
}

static void free_collision(tc_collision *c) {
    void *const memory[] = {c->theta, c->state, c->seen, c->rows, c->part, c->g, c->dx};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i]) c->device->k->release(c->device, memory[i]);
    tc_passes_free(&c->passes);
    if (c->sharpness.device) tc_sharpness_free(&c->sharpness);
    free(c->row);
    free(c->middle);
    free(c->aim);
}

void tc_collider_free(tc_collider *collider) {
    for (int s = 0; collider->at && s < collider->job->surrogate_count; s++)
        if (collider->at[s].device) free_collision(&collider->at[s]);
    if (collider->lens.device) tc_lens_free(&collider->lens);
    free(collider->at);
    free(collider->each);
    *collider = (tc_collider){0};
}
