/* epic.c — EPIC: dropping what lies alone in gradient space.
 *
 * Paper: Yang, Liu and Mirzasoleiman, "Not all poisons are created equal: robust training against data poisoning",
 *        ICML 2022, arXiv 2210.09671, Algorithm 1
 *
 * A poison that is to do something must have a gradient that its class does not have, so it ends up far from the others
 * of its class. For each label, with g_i the gradient that look.h describes, over n samples:
 *
 *     S = the ⌈fraction · n⌉ medoids of the g_i, greedily (medoids.h);   each sample joins its nearest medoid
 *     medoids that nobody else joined are dropped
 *
 * `epic` does so while the victim trains, before every `every`-th epoch from `warmup` to `until`: what it dropped stays
 * out. `epic-after` does it once, with the finished network, and the victim trains again on the rest.
 *
 * Gradients are by the logits, p − e_y, as the released code takes them (`gradient: logits`), or by the whole last
 * layer, (p − e_y) ⊗ (φ, 1) (`gradient: last-layer`). Where that code and this one differ: it looks for medoids among
 * all samples each time and then lets back in none that was dropped; here those dropped are no longer looked at, as in
 * the paper. It leaves similarity to a library, here it is the paper's C − d. Its medoids that coincide with one
 * chosen before count as clusters of one, of which the first of equals is the only member; here a cluster that is empty
 * drops nothing either, and no more are chosen. It drops no more after the last milestone of the rate, which is
 * `until` here. */
#include "defence/look.h"
#include "defence/medoids.h"
#include "defence/methods.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

typedef struct epic_options {
    double fraction;
    int64_t isolated;
    int gradient;
    int64_t warmup, every;
    double until;
} epic_options;

enum { BY_LOGITS, BY_LAST_LAYER };
static const char *const gradient_names[] = {"logits", "last-layer", NULL};

#define MEDOID_OPTIONS                                                                                                 \
    TC_REAL_ABOVE(epic_options, fraction, 0.2, 0, 1, "",                                                               \
                  "medoids as a share of the samples (the paper's EPIC-0.1, EPIC-0.2 and EPIC-0.3)"),                  \
        TC_INT(epic_options, isolated, 1, 1, 1e6, "samples", "clusters of at most so many are dropped (paper: 1)"),    \
        TC_CHOICE(epic_options, gradient, "logits", gradient_names,                                                    \
                  "by the logits, as the released code, or by the last layer's weights")

static const tc_option during_table[] = {
    MEDOID_OPTIONS,
    TC_INT(epic_options, warmup, 10, 0, 1e6, "epochs",
           "nothing is dropped before (EPIC-0.1: 10, EPIC-0.2: 20, EPIC-0.3: 30 of 200; released example of 40: 10)"),
    TC_INT(epic_options, every, 2, 1, 1e6, "epochs", "between two looks (released examples: 10 of 200, 2 or 5 of 40)"),
    TC_REAL(epic_options, until, 0.875, 0, 1, "",
            "share of the epochs after which nothing is dropped any more (released code: the rate's last milestone)"),
    TC_OPTIONS_END};
static const tc_option after_table[] = {MEDOID_OPTIONS, TC_OPTIONS_END};

static size_t medoids_of(const epic_options *o, size_t count) {
    return (size_t)ceil(o->fraction * (double)count);
}

/* What a pair of samples of one class is apart. */
typedef struct gradients {
    const epic_options *options;
    tc_filtered *filtered;
    const tc_members *members; /* of the class at hand */
    int classes, width;        /* width 0: by the logits */
    float *residual;           /* [all samples][classes] */
    const float *features;
    double *squares; /* [all samples]: ‖g‖² */
} gradients;

/* Nearly all the time of `gradient: last-layer` goes by here. */
static double product(const float *a, const float *b, int count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < count; i++) sum += (double)a[i] * b[i];
    return sum;
}

static double inner(const gradients *g, size_t i, size_t j) {
    const size_t classes = (size_t)g->classes, width = (size_t)g->width;
    const double residuals = product(g->residual + i * classes, g->residual + j * classes, g->classes);
    if (!g->width) return residuals;
    return residuals * (1 + product(g->features + i * width, g->features + j * width, g->width));
}

static double distance(const void *context, size_t a, size_t b) {
    const gradients *g = context;
    const size_t i = g->members->place[a], j = g->members->place[b];
    if (i == j) return 0;
    return sqrt(fmax(0, g->squares[i] + g->squares[j] - 2 * inner(g, i, j)));
}

static tc_status make_gradients(const tc_look *look, gradients *g, tc_error *error) {
    tc_status status = TC_OK;
    g->classes = look->classes;
    g->width = look->width;
    g->features = look->features;
    TC_TRY(tc_new(&g->residual, look->count * (size_t)look->classes, sizeof *g->residual, error));
    TC_TRY(tc_new(&g->squares, look->count, sizeof *g->squares, error));
    for (size_t i = 0; i < look->count; i++) tc_look_residual(look, i, g->residual + i * (size_t)look->classes);
    for (size_t i = 0; i < look->count; i++) g->squares[i] = inner(g, i, i);
done:
    return status;
}

static tc_status filter_class(const tc_look *look, const tc_members *members, int class, void *context,
                              tc_error *error) {
    (void)look, (void)class;
    tc_status status = TC_OK;
    gradients *g = context;
    tc_filtered *filtered = g->filtered;
    const size_t wanted = medoids_of(g->options, members->count);
    uint32_t *medoid = NULL;
    int32_t *of = NULL;
    size_t *size = NULL, chosen;
    g->members = members;
    TC_TRY(tc_new(&medoid, wanted, sizeof *medoid, error));
    TC_TRY(tc_new(&size, wanted, sizeof *size, error));
    TC_TRY(tc_new(&of, members->count, sizeof *of, error));
    TC_TRY(tc_medoids(distance, g, g->classes + g->width, members->count, wanted, medoid, &chosen, of, error));
    for (size_t i = 0; i < members->count; i++) size[of[i]]++;
    for (size_t i = 0; i < members->count; i++) {
        filtered->score[members->place[i]] = 1 / (double)size[of[i]];
        if (size[of[i]] <= (size_t)g->options->isolated) filtered->keep[members->place[i]] = false;
    }
done:
    free(medoid);
    free(size);
    free(of);
    return status;
}

static tc_status filter(const tc_filter_job *job, const void *options, tc_filtered *filtered, tc_error *error) {
    tc_status status = TC_OK;
    const epic_options *o = options;
    gradients g = {.options = o, .filtered = filtered};
    tc_look look;
    TC_TRY(tc_look_create(job, o->gradient == BY_LAST_LAYER, 0.3, &look, error));
    TC_TRY(make_gradients(&look, &g, error));
    TC_TRY(tc_look_by_class(job, &look, "epic", 0.3, filter_class, &g, error));
done:
    free(g.residual);
    free(g.squares);
    tc_look_free(&look);
    return status;
}

#define EPIC_PAPER                                                                                                     \
    "Yang, Liu and Mirzasoleiman, Not all poisons are created equal: robust training against data poisoning, ICML "    \
    "2022, arXiv 2210.09671"

static bool due(const void *options, int64_t epoch, int64_t epochs) {
    const epic_options *o = options;
    return epoch >= o->warmup && epoch % o->every == 0 && (double)epoch <= o->until * (double)epochs;
}

/* ---- what a victim does not allow ---- */

static size_t samples_of(const tc_dataset *data, int class) {
    size_t count = 0;
    for (size_t i = 0; i < data->train.count; i++) count += data->train.labels[i] == class;
    return count;
}

/* Every medoid is in a cluster of its own, so a cluster has at most what the others leave. */
static tc_status check_clusters(const tc_dataset *data, const epic_options *o, tc_error *error) {
    size_t largest = 0;
    for (int class = 0; class < data->classes; class ++) {
        const size_t count = samples_of(data, class), medoids = medoids_of(o, count);
        if (count && count - medoids + 1 > largest) largest = count - medoids + 1;
    }
    if (largest > (size_t)o->isolated) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "fraction: %g leaves no cluster more than %zu %s, and isolated drops those of up to %" PRId64
                    ": nothing is kept; lower one of them",
                    o->fraction, largest, largest == 1 ? "sample" : "samples", o->isolated);
}

static tc_status check_after(const tc_prospect *victim, const void *options, tc_error *error) {
    return check_clusters(victim->dataset, options, error);
}

/* A defence that never looks is none, and its rows would be those of none. */
static tc_status check_during(const tc_prospect *victim, const void *options, tc_error *error) {
    const epic_options *o = options;
    tc_status status = TC_OK;
    int64_t epoch = 0;
    TC_TRY(tc_train_check_keep(victim->train, error));
    TC_TRY(check_clusters(victim->dataset, o, error));
    while (epoch < victim->train->epochs && !due(o, epoch, victim->train->epochs)) epoch++;
    if (epoch == victim->train->epochs)
        TC_RAISE(TC_INVALID,
                 "warmup: of the %" PRId64 " epochs that %s is trained none is looked at (from %" PRId64
                 ", every %" PRId64 ", until %g of them); lower it, or train for longer",
                 epoch, tc_model_name(victim->model), o->warmup, o->every, o->until);
done:
    return status;
}

const tc_defence tc_epic = {
    .name = "epic",
    .kind = "training",
    .paper = EPIC_PAPER,
    .summary = "drops what lies alone in gradient space, again and again while training",
    .options = during_table,
    .options_size = sizeof(epic_options),
    .check_victim = check_during,
    .filter = filter,
    .due = due,
};

const tc_defence tc_epic_after = {
    .name = "epic-after",
    .kind = "filter",
    .paper = EPIC_PAPER,
    .summary = "drops what lies alone in the finished network's gradient space",
    .options = after_table,
    .options_size = sizeof(epic_options),
    .check_victim = check_after,
    .filter = filter,
};
