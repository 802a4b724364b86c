/* passes.h — the passes of one model that a walk over N samples needs: one of the batch size, one of the remainder.
 *
 * A pass is made for one batch size and holds all the memory it will ever use, so whoever walks asks for the sizes
 * once, before the first step. */
#ifndef TC_TRAIN_PASSES_H
#define TC_TRAIN_PASSES_H

#include "nn/pass.h"

enum { TC_MAX_PASSES = 4 };

typedef struct tc_passes {
    tc_device *device;
    const tc_model *model;
    tc_pass_options options; /* batch is ignored */
    int count;
    int size[TC_MAX_PASSES];
    tc_pass *pass[TC_MAX_PASSES];
} tc_passes;

/* The pass for `batch` images, made at the first request. */
tc_status tc_passes_get(tc_passes *passes, int batch, tc_pass **pass, tc_error *error);
/* Makes those for walking `count` samples in steps of `batch`. */
tc_status tc_passes_for(tc_passes *passes, size_t count, int batch, tc_error *error);
/* A lot has any size: some `batch`, as a rule. Its images go through passes of a batch and of an eighth of one, the
 * last of which is filled up. */
tc_status tc_passes_for_lots(tc_passes *passes, int batch, tc_error *error);
/* The size of the pass for the next of a lot of which so many are left. */
int tc_passes_lot_part(int batch, size_t left);
/* One that was made before; NULL: none of that size. */
tc_pass *tc_passes_find(const tc_passes *passes, int batch);
void tc_passes_free(tc_passes *passes);

/* Mean and standard deviation are the dataset's own; a model fits it when image size and classes agree. */
struct tc_dataset;
tc_status tc_model_fits(const tc_model *model, const struct tc_dataset *dataset, tc_error *error);

#endif
