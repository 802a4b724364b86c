/* deep_knn.c — dropping what lies among samples of another class.
 *
 * Paper: Peri et al., "Deep k-NN defense against clean-label data poisoning attacks", arXiv 1909.13374
 *
 * A clean-label poison keeps its label and moves, in feature space, to where the target's class lies. For each sample,
 * by Euclidean distance between features φ over the whole training set:
 *
 *     N_i = the k samples nearest to i, without i;   i goes unless no label is more frequent in N_i than its own
 *
 * Its score is the share of N_i that is labelled otherwise. A crowd of m poisons vouch for each other unless k > 2m, so
 * k is to be larger than twice the poisons that may lie together; beyond the size of a class, the smaller classes are
 * outvoted everywhere. The search is exact (FLANN's linear index): its time is count² · width. */
#include "defence/algebra.h"
#include "defence/look.h"
#include "defence/methods.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct knn_options {
    int64_t k;
} knn_options;

static const tc_option options_table[] = {
    TC_INT(knn_options, k, 50, 1, 1e6, "samples",
           "neighbours that vote; more than twice the poisons that may lie together"),
    TC_OPTIONS_END};

static tc_status tell(const void *context, double fraction, tc_error *error) {
    return tc_filter_tell(context, "deep-knn", 0.2 + 0.8 * fraction, error);
}

/* Whether no label has more votes than the sample's own; *foreign := the share of votes for others. */
static bool vote(const tc_look *look, const int32_t *nearest, int k, int32_t own, size_t *votes, double *foreign) {
    bool kept = true;
    memset(votes, 0, (size_t)look->classes * sizeof *votes);
    for (int j = 0; j < k; j++) votes[look->label[nearest[j]]]++;
    for (int c = 0; c < look->classes; c++) kept &= votes[c] <= votes[own];
    *foreign = 1 - (double)votes[own] / k;
    return kept;
}

static tc_status check_count(const knn_options *o, size_t count, tc_error *error) {
    if ((size_t)o->k < count) return TC_OK;
    return tc_raise(error, TC_INVALID, "k: %" PRId64 " neighbours of %zu samples; ask for fewer", o->k, count);
}

static tc_status check_victim(const tc_prospect *victim, const void *options, tc_error *error) {
    return check_count(options, victim->dataset->train.count, error);
}

static tc_status filter(const tc_filter_job *job, const void *options, tc_filtered *filtered, tc_error *error) {
    tc_status status = TC_OK;
    const knn_options *o = options;
    const size_t count = job->view->count, k = (size_t)o->k;
    int32_t *nearest = NULL;
    size_t *votes = NULL;
    tc_look look = {0};
    TC_TRY(check_count(o, count, error));
    TC_TRY(tc_look_create(job, true, 0.2, &look, error));
    TC_TRY(tc_new(&nearest, count * k, sizeof *nearest, error));
    TC_TRY(tc_new(&votes, (size_t)look.classes, sizeof *votes, error));
    TC_TRY(tc_neighbours(look.features, count, look.width, (int)k, tell, job, nearest, error));
    for (size_t i = 0; i < count; i++)
        filtered->keep[i] = vote(&look, nearest + i * k, (int)k, look.label[i], votes, &filtered->score[i]);
done:
    free(nearest);
    free(votes);
    tc_look_free(&look);
    return status;
}

const tc_defence tc_deep_knn = {
    .name = "deep-knn",
    .kind = "filter",
    .paper = "Peri et al., Deep k-NN defense against clean-label data poisoning attacks, arXiv 1909.13374",
    .summary = "drops what lies among samples of another class",
    .options = options_table,
    .options_size = sizeof(knn_options),
    .check_victim = check_victim,
    .filter = filter,
};
