/* subset.c — class-balanced subsets. */
#include "data/reader.h"

#include <stdlib.h>

tc_stream tc_subset_stream(const tc_dataset_options *options, bool test) {
    return tc_stream_child(tc_stream_make(options->seed), "subset", test);
}

/* `keep` collects in any order first; a pass over the marks puts it in order. */
tc_status tc_choose_subset(const int32_t *labels, size_t count, int classes, int64_t per_class, tc_stream stream,
                           uint32_t *keep, size_t *kept, tc_error *error) {
    tc_status status = TC_OK;
    uint32_t *order = NULL;
    int64_t *taken = NULL;
    bool *marked = NULL;
    TC_TRY(tc_new(&order, count, sizeof *order, error));
    TC_TRY(tc_new(&taken, (size_t)classes, sizeof *taken, error));
    TC_TRY(tc_new(&marked, count, sizeof *marked, error));
    tc_draw_permutation(&stream, order, count);
    for (size_t i = 0; i < count; i++) {
        const uint32_t place = order[i];
        if (taken[labels[place]] == per_class) continue;
        taken[labels[place]]++;
        marked[place] = true;
    }
    for (int c = 0; c < classes; c++)
        if (taken[c] && taken[c] < per_class) /* a class that never occurs (EMNIST's letter 0) stays so */
            TC_RAISE(TC_INVALID, "dataset: %lld images a class were asked for, class %d has %lld; ask for fewer",
                     (long long)per_class, c, (long long)taken[c]);
    *kept = 0;
    for (size_t i = 0; i < count; i++)
        if (marked[i]) keep[(*kept)++] = (uint32_t)i;
done:
    free(order);
    free(taken);
    free(marked);
    return status;
}
