#include "defence/rank.h"

#include <stdlib.h>

typedef struct ranked {
    double score;
    uint32_t place;
} ranked;

static int most_suspect_first(const void *a, const void *b) {
    const ranked *l = a, *r = b;
    if (l->score != r->score) return l->score > r->score ? -1 : 1;
    return l->place > r->place ? -1 : l->place < r->place;
}

static tc_status drop_largest(const double *score, const uint32_t *place, size_t count, double share, bool *keep,
                              tc_error *error) {
    tc_status status = TC_OK;
    ranked *order = NULL;
    const size_t drop = (size_t)(share * (double)count + 1e-9); /* 0.3 · 10 is 3 */
    TC_TRY(tc_new(&order, count, sizeof *order, error));
    for (size_t i = 0; i < count; i++) order[i] = (ranked){score[place[i]], place[i]};
    qsort(order, count, sizeof *order, most_suspect_first);
    for (size_t i = 0; i < drop && i < count; i++) keep[order[i].place] = false;
done:
    free(order);
    return status;
}

static void everybody(tc_members *members, size_t count) {
    members->count = count;
    for (size_t i = 0; i < count; i++) members->place[i] = (uint32_t)i;
}

tc_status tc_drop_share(const tc_look *look, const double *score, double share, bool per_class, bool *keep,
                        tc_error *error) {
    tc_status status = TC_OK;
    tc_members members;
    TC_TRY(tc_members_create(look, &members, error));
    for (int class = 0; class < (per_class ? look->classes : 1); class ++) {
        if (per_class)
            tc_members_of(look, class, &members);
        else
            everybody(&members, look->count);
        TC_TRY(drop_largest(score, members.place, members.count, share, keep, error));
    }
done:
    tc_members_free(&members);
    return status;
}
