/* defence.h — what a victim does about data that it does not trust: filters, and other ways of training.
 *
 *     filter     model = train(data + poison);  keep = filter(model, data + poison);  victim = train(what is kept)
 *     training   victim = train(data + poison) in another way: dp-sgd, adversarial-training, epic, …
 *
 * Sample i of a poisoned training set is the dataset's training image i or what the poison has put in its place; then
 * come the samples that the poison adds. So there are as many as tocsin_dataset_samples(TOCSIN_TRAINING) and
 * tocsin_poison_added together; every mask and score here is of that length, [samples]. */
#ifndef TOCSIN_DEFENCE_H
#define TOCSIN_DEFENCE_H

#include "tocsin/dataset.h"
#include "tocsin/device.h"
#include "tocsin/hooks.h"
#include "tocsin/model.h"
#include "tocsin/poison.h"
#include "tocsin/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How well poisons were told from the rest, by the poison that was laid: what a study knows and a victim does not. */
typedef struct tocsin_verdict {
    size_t samples, poisons; /* in all; of these, put there by the poison */
    size_t kept, caught;     /* kept in the end; poisons that were not */
    double precision;        /* caught/(samples − kept), 0 … 1; NaN where nothing was dropped */
    double recall;           /* caught/poisons, 0 … 1; NaN where nothing is poisoned */
    double seconds;          /* the filter alone; of a defence in training NaN */
} tocsin_verdict;

/* Looks at the dataset with `poison` (NULL: clean) laid over it through `model`, which is only read and should have
 * been trained on just that. defence: by its name, one that tocsin_list (TOCSIN_DEFENCES) gives the form "filter", or
 * "none", which keeps everything; its settings are listed there, the papers too.
 * keep: [samples] := 1 kept, 0 dropped. score: NULL or [samples] := the larger, the more suspect, NaN where the filter
 * has none. verdict, hooks: may be NULL; progress has the phase "filter". The seed is for filters that draw. A filter
 * that would keep nothing is refused; after a failure keep and score are what they were. */
TOCSIN_API tocsin_status tocsin_filter(tocsin_device *device, const tocsin_model *model, const tocsin_dataset *dataset,
                                       const tocsin_poison *poison, const char *defence, const char *const *settings,
                                       uint64_t seed, const tocsin_hooks *hooks, uint8_t *keep, double *score,
                                       tocsin_verdict *verdict, tocsin_error *error);

/* Trains as tocsin_train does, and from the same random numbers, under a defence.
 * keep: NULL, or [samples]: in, which samples to train on (not 0), for instance what tocsin_filter has left; out, which
 * of those were still trained on in the last epoch, where the defence drops some while training (epic).
 * defence: NULL for none, or one of the form "training"; what it sets wins over `settings`, which are tocsin_train's.
 * defence_settings: its own. verdict, result, hooks, checkpoint: NULL, or as of tocsin_filter and tocsin_train. After a
 * failure, and when stopped, the model and keep are what they were. */
TOCSIN_API tocsin_status tocsin_train_defended(tocsin_device *device, tocsin_model *model,
                                               const tocsin_dataset *dataset, const tocsin_poison *poison,
                                               const char *defence, const char *const *defence_settings,
                                               const char *const *settings, uint64_t seed, const tocsin_hooks *hooks,
                                               const char *checkpoint, uint8_t *keep, tocsin_train_result *result,
                                               tocsin_verdict *verdict, tocsin_error *error);

#ifdef __cplusplus
}
#endif
#endif
