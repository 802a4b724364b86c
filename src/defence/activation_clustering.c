/* activation_clustering.c — dropping the smaller of two crowds under one label.
 *
 * Paper: Chen et al., "Detecting backdoor attacks on deep neural networks by activation clustering", SafeAI at
 *        AAAI 2019, arXiv 1811.03728
 *
 * Poisons of a backdoor get their label for another reason than the rest, and the last hidden layer shows it. For
 * each label, over the samples that carry it:
 *
 *     z_i = the features' first `dimensions` independent components;   two clusters of the z by k-means
 *     the smaller cluster is taken for poisons
 *         smaller         always
 *         relative-size   where it has less than size_threshold of the samples: a clean class splits near its middle
 *         silhouette      where, besides, the mean silhouette says that two clusters describe the class well
 *
 * Independent components are a rotation of the principal components at unit variance (that is how FastICA ends), and
 * neither k-means nor the silhouette sees a rotation. So whitening is all of the paper's ICA that matters here
 * (`whiten: true`); without it (`whiten: false`) they are plain principal components.
 *
 * The score is how much nearer a sample lies to the smaller cluster's centre than to the larger's. Exclusionary
 * reclassification, the paper's third way of judging a cluster, trains a further network for each class and is left
 * out. Thresholds are those of IBM's Adversarial Robustness Toolbox, whose default is `smaller` on principal
 * components. */
#include "defence/algebra.h"
#include "defence/look.h"
#include "defence/methods.h"

#include <math.h>
#include <stdlib.h>

typedef struct clustering_options {
    int64_t dimensions, starts;
    bool whiten;
    int flag;
    double size_threshold, silhouette_threshold;
} clustering_options;

enum { SMALLER, RELATIVE_SIZE, SILHOUETTE };
static const char *const flag_names[] = {"smaller", "relative-size", "silhouette", NULL};

static const tc_option options_table[] = {
    TC_INT(clustering_options, dimensions, 10, 1, 1000, "", "components that are clustered (Chen et al.: 10)"),
    TC_BOOL(clustering_options, whiten, "true", "at unit variance, as independent components are (Chen et al.)"),
    TC_INT(clustering_options, starts, 10, 1, 1000, "", "beginnings of k-means, the tightest is kept"),
    TC_CHOICE(clustering_options, flag, "relative-size", flag_names, "when the smaller cluster is taken for poisons"),
    TC_REAL(clustering_options, size_threshold, 0.35, 0, 0.5, "",
            "relative-size, silhouette: it has less than this share of its class (ART: 0.35)"),
    TC_REAL(clustering_options, silhouette_threshold, 0.1, -1, 1, "",
            "silhouette: the mean silhouette is above this (ART: 0.1)"),
    TC_OPTIONS_END};

/* One class at hand. */
typedef struct crowd {
    const clustering_options *options;
    size_t count;
    int width;
    double *point; /* [count][width] */
    tc_clusters clusters;
} crowd;

/* Mean over the points of (b − a)/max(a, b), where a is the mean distance to the others of a point's own cluster and b
 * that to the other cluster; 0 for a point alone (Rousseeuw 1987). */
static double silhouette(const crowd *c) {
    double sum = 0;
    for (size_t i = 0; i < c->count; i++) {
        double distance[2] = {0};
        size_t others[2] = {0};
        for (size_t j = 0; j < c->count; j++) {
            if (i == j) continue;
            const double *a = c->point + i * (size_t)c->width, *b = c->point + j * (size_t)c->width;
            distance[c->clusters.of[j]] += sqrt(tc_squared_distance(a, b, c->width));
            others[c->clusters.of[j]]++;
        }
        const int own = c->clusters.of[i];
        if (!others[own] || !others[1 - own]) continue;
        const double near = distance[own] / (double)others[own], far = distance[1 - own] / (double)others[1 - own];
        if (fmax(near, far) > 0) sum += (far - near) / fmax(near, far);
    }
    return sum / (double)c->count;
}

static bool small_enough(const crowd *c, size_t small) {
    return (double)small < c->options->size_threshold * (double)c->count;
}

static bool is_poison(const crowd *c, size_t small) {
    if (c->options->flag == SMALLER) return true;
    if (!small_enough(c, small)) return false;
    return c->options->flag == RELATIVE_SIZE || silhouette(c) > c->options->silhouette_threshold;
}

static tc_status make_points(const tc_look *look, const tc_members *members, crowd *c, tc_error *error) {
    tc_status status = TC_OK;
    float *features = NULL;
    tc_principal principal = {0};
    TC_TRY(tc_members_features(look, members, &features, error));
    TC_TRY(tc_principal_create(features, members->count, look->width, (int)c->options->dimensions, &principal, error));
    c->width = principal.rank;
    TC_TRY(tc_new(&c->point, c->count * (size_t)c->width, sizeof *c->point, error));
    for (size_t i = 0; i < c->count * (size_t)c->width; i++) {
        const double scale = c->options->whiten ? sqrt((double)c->count) : principal.value[i % (size_t)c->width];
        c->point[i] = scale * principal.left[i];
    }
done:
    tc_principal_free(&principal);
    free(features);
    return status;
}

static void judge(const crowd *c, const tc_members *members, tc_filtered *filtered) {
    const size_t width = (size_t)c->width;
    size_t size[2] = {0};
    for (size_t i = 0; i < c->count; i++) size[c->clusters.of[i]]++;
    const int small = size[1] < size[0];
    const bool poison = is_poison(c, size[small]);
    const double *centre[2] = {c->clusters.centre + (size_t)small * width,
                               c->clusters.centre + (size_t)(1 - small) * width};
    for (size_t i = 0; i < c->count; i++) {
        const double *point = c->point + i * width;
        const double to_small = sqrt(tc_squared_distance(point, centre[0], c->width));
        const double to_large = sqrt(tc_squared_distance(point, centre[1], c->width));
        filtered->score[members->place[i]] = to_large - to_small;
        if (poison && c->clusters.of[i] == small) filtered->keep[members->place[i]] = false;
    }
}

typedef struct asked {
    const clustering_options *options;
    tc_stream stream;
    tc_filtered *filtered;
} asked;

static tc_status filter_class(const tc_look *look, const tc_members *members, int class, void *context,
                              tc_error *error) {
    tc_status status = TC_OK;
    const asked *a = context;
    const tc_stream stream = tc_stream_child(a->stream, "clusters", (uint64_t) class);
    crowd c = {.options = a->options, .count = members->count};
    if (c.count < 3) goto done; /* no smaller of two */
    TC_TRY(make_points(look, members, &c, error));
    if (c.width == 0) goto done; /* all alike */
    TC_TRY(tc_clusters_create(c.point, c.count, c.width, 2, (int)a->options->starts, stream, &c.clusters, error));
    judge(&c, members, a->filtered);
done:
    tc_clusters_free(&c.clusters);
    free(c.point);
    return status;
}

static tc_status filter(const tc_filter_job *job, const void *options, tc_filtered *filtered, tc_error *error) {
    tc_status status = TC_OK;
    asked a = {.options = options, .stream = job->stream, .filtered = filtered};
    tc_look look;
    TC_TRY(tc_look_create(job, true, 0.3, &look, error));
    TC_TRY(tc_look_by_class(job, &look, "activation-clustering", 0.3, filter_class, &a, error));
done:
    tc_look_free(&look);
    return status;
}

const tc_defence tc_activation_clustering = {
    .name = "activation-clustering",
    .kind = "filter",
    .paper =
        "Chen et al., Detecting backdoor attacks on deep neural networks by activation clustering, arXiv 1811.03728",
    .summary = "drops the smaller of two crowds under one label",
    .options = options_table,
    .options_size = sizeof(clustering_options),
    .filter = filter,
};
