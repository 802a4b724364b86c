/* api.h — what the files of the public interface share.
 *
 * Each file here implements the header of the same name in include/tocsin/ by a few calls of the floors below. It
 * checks what a caller outside may get wrong, which the floors leave to their callers, and translates types; it
 * computes nothing. A handle of the public interface is a pointer to the struct below it under another name, so making
 * one costs nothing; only models (a network and its weights) and derivatives have structs of their own. */
#ifndef TC_API_API_H
#define TC_API_API_H

#include "tocsin/tocsin.h"

#include "attack/attack.h"
#include "base/option.h"
#include "compute/device.h"
#include "data/dataset.h"
#include "nn/weights.h"

#include <stdatomic.h>

/* A network shared by the models that are copies of each other. */
typedef struct tc_network {
    tc_model *model;
    atomic_size_t users;
} tc_network;

struct tocsin_model {
    tc_network *network;
    tc_weights weights;
};

/* The first line of a function: `error` may be NULL, but only outside. */
#define TC_ENTER                                                                                                       \
    tocsin_error unseen;                                                                                               \
    error = error ? error : &unseen

/* Leaves with TC_INVALID where the caller gave NULL. */
#define TC_NEED(pointer)                                                                                               \
    do {                                                                                                               \
        if (!(pointer)) return tc_raise(error, TC_INVALID, "%s: " #pointer " is NULL; give one", __func__);            \
    } while (0)

static inline const tc_dataset *tc_dataset_of(const tocsin_dataset *dataset) {
    return (const tc_dataset *)dataset;
}

/* Whoever calls is the thread that the device belongs to for the time being. */
static inline tc_device *tc_device_of(tocsin_device *device) {
    tc_device *own = (tc_device *)device;
    if (own) tc_device_enter(own);
    return own;
}

static inline const tc_threat *tc_threat_of(const tocsin_threat *threat) {
    return (const tc_threat *)threat;
}

static inline const tc_poison *tc_poison_of(const tocsin_poison *poison) {
    return (const tc_poison *)poison;
}

/* ---- settings (settings.c) ---- */

/* How many there are before the NULL; of NULL none. */
int tc_api_count(const char *const *settings);
/* Lays them over `object`; a message begins with `where`. */
tc_status tc_api_lay(const tc_option *table, void *object, const char *const *settings, const char *where,
                     tc_error *error);

/* ---- training (train.c) ---- */

/* tocsin_train's settings: the recipe first, wherever it stands, so that single settings win over it. */
tc_status tc_api_training(const char *const *settings, tc_train_options *options, tc_error *error);
/* What hooks hear of a training; hooks: a const tocsin_hooks *, or NULL. */
void tc_api_tell_training(void *hooks, const tc_epoch_report *report, double fraction);
tocsin_train_result tc_api_trained(const tc_train_result *result);

/* ---- hooks (settings.c) ---- */

/* Counters 0, numbers NaN. */
tocsin_progress tc_api_progress(const char *phase, double fraction);
void tc_api_tell(const tocsin_hooks *hooks, const tocsin_progress *progress);
/* A stop hook of the floors below; context: a const tocsin_hooks *, or NULL. */
bool tc_api_stopped(void *hooks);

/* ---- checks (threat.c) ---- */

/* Refuses a threat whose places are not those of this dataset's images of the right classes. */
tc_status tc_threat_check(const tc_threat *threat, const tc_dataset *dataset, tc_error *error);

#endif
