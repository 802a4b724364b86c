#include "defence/algebra.h"

#include <dlfcn.h>
#include <flann/flann.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Both libraries count in int. */
static tc_status check_size(size_t count, int width, tc_error *error) {
    if (count <= INT_MAX && width > 0) return TC_OK;
    return tc_raise(error, TC_INVALID, "filter: %zu points in %d dimensions are too many; take fewer samples", count,
                    width);
}

/* ---- singular vectors ---- */

/* How LAPACK's implementations with threads of their own are told to use one. Which of them is there is decided when
 * the program is started (Debian's alternatives), so they are looked up rather than linked. They take it for the whole
 * process, and do not all bear two who tell them at once. */
static void keep_to_one_thread(void) {
    static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;
    static const char *const names[] = {"openblas_set_num_threads", "flexiblas_set_num_threads"};
    pthread_mutex_lock(&telling);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        union {
            void *found;
            void (*set)(int threads);
        } symbol = {.found = dlsym(RTLD_DEFAULT, names[i])};
        if (symbol.found) symbol.set(1);
    }
    pthread_mutex_unlock(&telling);
}

/* a [count][width] is a matrix of `count` columns to LAPACK, so its right singular vectors are the left ones here.
 * OpenBLAS on OpenMP sets the caller's own number of threads when it is told its: that is put back. */
static int decompose(double *a, size_t count, int width, double *value, double *directions, double *left) {
    const int least = (int)count < width ? (int)count : width, threads = omp_get_max_threads();
    omp_set_num_threads(1);
    keep_to_one_thread();
    const int info =
        LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', width, (int)count, a, width, value, directions, width, left, least);
    omp_set_num_threads(threads);
    return info;
}

static void centre_points(const float *points, size_t count, size_t width, double *centred) {
    for (size_t j = 0; j < width; j++) {
        double mean = 0;
        for (size_t i = 0; i < count; i++) mean += points[i * width + j];
        mean /= (double)count;
        for (size_t i = 0; i < count; i++) centred[i * width + j] = points[i * width + j] - mean;
    }
}

/* Features are floats, so what is a millionth of the largest singular value may be nothing but their rounding. */
static int count_meant(const double *value, int least, int wanted) {
    int rank = 0;
    while (rank < wanted && rank < least && value[rank] > 1e-6 * value[0]) rank++;
    return rank;
}

tc_status tc_principal_create(const float *points, size_t count, int width, int wanted, tc_principal *principal,
                              tc_error *error) {
    tc_status status = TC_OK;
    const size_t columns = (size_t)width, least = count < columns ? count : columns;
    double *centred = NULL, *value = NULL, *directions = NULL, *left = NULL;
    *principal = (tc_principal){.count = count};
    TC_TRY(check_size(count, width, error));
    TC_TRY(tc_new(&centred, count * columns, sizeof *centred, error));
    TC_TRY(tc_new(&value, least, sizeof *value, error));
    TC_TRY(tc_new(&directions, least * columns, sizeof *directions, error));
    TC_TRY(tc_new(&left, count * least, sizeof *left, error));
    centre_points(points, count, columns, centred);
    const int info = decompose(centred, count, width, value, directions, left);
    if (info != 0)
        TC_RAISE(TC_FAILED, "filter: LAPACK's dgesdd of %zu x %d features gave %d; are they finite?", count, width,
                 info);
    principal->rank = count_meant(value, (int)least, wanted);
    const size_t rank = (size_t)principal->rank;
    TC_TRY(tc_new(&principal->left, count * rank, sizeof *left, error));
    TC_TRY(tc_new(&principal->value, rank, sizeof *value, error));
    if (rank) memcpy(principal->value, value, rank * sizeof *value);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < rank; j++) principal->left[i * rank + j] = left[i * least + j];
done:
    free(centred);
    free(value);
    free(directions);
    free(left);
    return status;
}

void tc_principal_free(tc_principal *principal) {
    free(principal->left);
    free(principal->value);
    *principal = (tc_principal){0};
}

/* ---- clusters ---- */

double tc_squared_distance(const double *a, const double *b, int width) {
    double sum = 0;
    for (int j = 0; j < width; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

static double assign(const double *points, size_t count, int width, const double *centre, int clusters, int32_t *of) {
    double inertia = 0;
    for (size_t i = 0; i < count; i++) {
        double nearest = INFINITY;
        for (int c = 0; c < clusters; c++) {
            const double d = tc_squared_distance(points + i * (size_t)width, centre + (size_t)(c * width), width);
            if (!(d < nearest)) continue;
            nearest = d;
            of[i] = c;
        }
        inertia += nearest;
    }
    return inertia;
}

/* FLANN's k-means builds a tree; with as many branches as clusters, its first level is plain k-means. */
static struct FLANNParameters k_means_parameters(int clusters, uint64_t seed) {
    struct FLANNParameters p = DEFAULT_FLANN_PARAMETERS;
    p.algorithm = FLANN_INDEX_KMEANS;
    p.branching = clusters;
    p.iterations = 300;
    p.centers_init = FLANN_CENTERS_KMEANSPP;
    p.cores = 1;
    p.random_seed = (long)(1 + seed % (INT_MAX - 1)); /* 0 would leave the generator as it is */
    return p;
}

static void take_better(tc_clusters *best, const tc_clusters *now, size_t count, size_t values) {
    if (!(now->inertia < best->inertia)) return;
    best->inertia = now->inertia;
    memcpy(best->of, now->of, count * sizeof *now->of);
    memcpy(best->centre, now->centre, values * sizeof *now->centre);
}

static tc_status make_clusters(size_t count, int width, int clusters, tc_clusters *c, tc_error *error) {
    tc_status status = TC_OK;
    *c = (tc_clusters){.clusters = clusters, .inertia = INFINITY};
    TC_TRY(tc_new(&c->of, count, sizeof *c->of, error));
    TC_TRY(tc_new(&c->centre, (size_t)clusters * (size_t)width, sizeof *c->centre, error));
done:
    return status;
}

tc_status tc_clusters_create(const double *points, size_t count, int width, int clusters, int starts, tc_stream stream,
                             tc_clusters *result, tc_error *error) {
    tc_status status = TC_OK;
    tc_clusters now = {0};
    double *copy = NULL;
    *result = (tc_clusters){0};
    TC_TRY(check_size(count, width, error));
    if (clusters < 2 || count < (size_t)clusters)
        TC_RAISE(TC_INVALID, "filter: %d clusters of %zu points; ask for 2 or more, and no more than points", clusters,
                 count);
    TC_TRY(make_clusters(count, width, clusters, result, error));
    TC_TRY(make_clusters(count, width, clusters, &now, error));
    TC_TRY(tc_new(&copy, count * (size_t)width, sizeof *copy, error)); /* FLANN does not promise not to write */
    memcpy(copy, points, count * (size_t)width * sizeof *copy);
    for (int start = 0; start < starts; start++) {
        struct FLANNParameters p = k_means_parameters(clusters, tc_bits_at(stream, (uint64_t)start));
        const int made = flann_compute_cluster_centers_double(copy, (int)count, width, clusters, now.centre, &p);
        if (made != clusters) TC_RAISE(TC_FAILED, "filter: FLANN made %d clusters instead of %d", made, clusters);
        now.inertia = assign(points, count, width, now.centre, clusters, now.of);
        take_better(result, &now, count, (size_t)clusters * (size_t)width);
    }
done:
    tc_clusters_free(&now);
    free(copy);
    return status;
}

void tc_clusters_free(tc_clusters *clusters) {
    free(clusters->of);
    free(clusters->centre);
    *clusters = (tc_clusters){0};
}

/* ---- neighbours ---- */

enum { PIECE = 256 };

/* FLANN was asked for one more, because a point is its own neighbour — unless so many others lie on the same spot that
 * it does not come up; then the last goes. */
static void leave_out_self(const int *found, int k, int32_t self, int32_t *nearest) {
    int at = 0;
    while (at < k && found[at] != self) at++;
    for (int j = 0; j < k; j++) nearest[j] = found[j < at ? j : j + 1];
}

typedef struct search {
    flann_index_t index;
    struct FLANNParameters parameters;
    float *points; /* a copy: FLANN does not promise not to write */
    int *found;    /* [PIECE][k + 1] */
    float *distance;
} search;

static tc_status open_search(search *s, const float *points, size_t count, int width, int k, tc_error *error) {
    tc_status status = TC_OK;
    const size_t values = count * (size_t)width, room = PIECE * ((size_t)k + 1);
    float speedup;
    *s = (search){.parameters = DEFAULT_FLANN_PARAMETERS};
    s->parameters.algorithm = FLANN_INDEX_LINEAR;
    s->parameters.cores = omp_get_max_threads();
    TC_TRY(tc_new(&s->points, values, sizeof *s->points, error));
    TC_TRY(tc_new(&s->found, room, sizeof *s->found, error));
    TC_TRY(tc_new(&s->distance, room, sizeof *s->distance, error));
    memcpy(s->points, points, values * sizeof *points);
    s->index = flann_build_index_float(s->points, (int)count, width, &speedup, &s->parameters);
    if (!s->index) TC_RAISE(TC_FAILED, "filter: FLANN could not index %zu x %d features", count, width);
done:
    return status;
}

static void close_search(search *s) {
    if (s->index) flann_free_index_float(s->index, &s->parameters);
    free(s->points);
    free(s->found);
    free(s->distance);
}

tc_status tc_neighbours(const float *points, size_t count, int width, int k, tc_tell *tell, const void *context,
                        int32_t *nearest, tc_error *error) {
    tc_status status = TC_OK;
    search s = {0};
    TC_TRY(check_size(count, width, error));
    if (k < 1 || (size_t)k >= count)
        TC_RAISE(TC_INVALID, "filter: %d neighbours of %zu samples; ask for 1 or more, and fewer than there are", k,
                 count);
    TC_TRY(open_search(&s, points, count, width, k, error));
    for (size_t from = 0; from < count; from += PIECE) {
        const int n = count - from < PIECE ? (int)(count - from) : PIECE;
        if (flann_find_nearest_neighbors_index_float(s.index, s.points + from * (size_t)width, n, s.found, s.distance,
                                                     k + 1, &s.parameters) != 0)
            TC_RAISE(TC_FAILED, "filter: FLANN could not find the neighbours of %zu samples", count);
        for (int i = 0; i < n; i++)
            leave_out_self(s.found + (size_t)i * ((size_t)k + 1), k, (int32_t)from + i,
                           nearest + (from + (size_t)i) * (size_t)k);
        if (tell) TC_TRY(tell(context, (double)(from + (size_t)n) / (double)count, error));
    }
done:
    close_search(&s);
    return status;
}
