/* defence.h — what a defence is, and the registry of them.
 *
 * A defence is what the victim does about data that it does not trust. There are two kinds:
 *
 *   filter     looks at the training set through a network that was trained on that very set, and says which samples
 *              to keep; the victim then trains again, from scratch, on those alone:
 *                  tc_defence_filter(…, &filtered, …)  →  tc_view_keep(view, filtered.keep, …)  →  tc_train
 *   training   trains differently. `adapt` sets what it needs in the victim's training options; one that drops samples
 *              on the way has a `filter` besides, which `due` tells when to ask (during.h does that in an epoch hook).
 *
 * A new filter is one file: a struct of options, a table that describes them, a filter function that clears what it
 * drops, and one row in registry.c. look.h gives it features, losses and gradients, algebra.h the library's singular
 * vectors, clusters and neighbours. */
#ifndef TC_DEFENCE_DEFENCE_H
#define TC_DEFENCE_DEFENCE_H

#include "base/option.h"
#include "data/dataset.h"
#include "nn/weights.h"
#include "train/train.h"

typedef struct tc_filter_job {
    tc_device *device;
    const tc_view *view; /* what is to be filtered: the dataset with the poison laid over it */
    const tc_model *model;
    const tc_weights *weights; /* trained on that view */
    tc_stream stream;
    void (*progress)(void *context, double fraction); /* NULL: none */
    bool (*stop)(void *context);                      /* NULL: never */
    void *context;
} tc_filter_job;

typedef struct tc_filtered {
    size_t count, kept;
    bool *keep;    /* [count] */
    double *score; /* [count]: the larger, the more suspect; NaN where the filter has no score */
    double seconds;
} tc_filtered;

/* What is known of a victim before it is trained. */
typedef struct tc_prospect {
    const tc_dataset *dataset; /* without a poison */
    const tc_model *model;
    const tc_train_options *train; /* as `adapt` leaves them */
} tc_prospect;

typedef struct tc_defence {
    const char *name;         /* "spectral-signatures" */
    const char *kind;         /* "none", "filter" or "training" */
    const char *paper;        /* authors, title, venue or arXiv number */
    const char *summary;      /* one line */
    const tc_option *options; /* of the options struct below */
    size_t options_size;
    /* Refuses what no option's own range can; called before anything is trained, the message begins with an option's
     * name. NULL: nothing to check. */
    tc_status (*check)(const void *options, tc_error *error);
    /* Refuses what does not go with this victim: more neighbours than samples, a first look after the last epoch.
     * Called before anything is trained; the message begins with an option's name where one is to blame. NULL: nothing.
     */
    tc_status (*check_victim)(const tc_prospect *victim, const void *options, tc_error *error);
    /* Clears `keep` (all set) where it drops and fills `score` (all NaN) where it has one. NULL: it drops nothing. */
    tc_status (*filter)(const tc_filter_job *job, const void *options, tc_filtered *filtered, tc_error *error);
    /* Sets what it needs in the training. NULL: nothing. */
    void (*adapt)(const void *options, tc_train_options *train);
    /* Of a training defence with a filter: is it asked before epoch `epoch`, counted from 0, of `epochs`? */
    bool (*due)(const void *options, int64_t epoch, int64_t epochs);
} tc_defence;

const tc_defence *tc_defences(void); /* ends with a NULL name; the first, "none", does nothing */
const tc_defence *tc_defence_find(const char *name);
tc_status tc_defence_check(const tc_defence *defence, const void *options, tc_error *error);
tc_status tc_defence_check_victim(const tc_defence *defence, const tc_prospect *victim, const void *options,
                                  tc_error *error);

/* Runs a filter. A defence without one keeps everything. Refuses a network that does not fit the data, and a filter
 * that keeps nothing. Free the result in any case. */
tc_status tc_defence_filter(const tc_defence *defence, const void *options, const tc_filter_job *job,
                            tc_filtered *filtered, tc_error *error);
void tc_filtered_free(tc_filtered *filtered);

/* How well a filter told poisons from the rest. Poisons are what the poison brought, whether it replaced or added. */
typedef struct tc_filter_verdict {
    size_t samples, poisons, kept;
    size_t caught;            /* poisons that were dropped */
    double precision, recall; /* caught/dropped, caught/poisons; NaN where nothing was dropped, nothing poisoned */
} tc_filter_verdict;
tc_filter_verdict tc_filter_judge(const tc_view *view, const bool *keep /* [view->count] */);

#endif
