/* check.c — what a training refuses before its first step. A spec is held against it before anything runs. */
#include "train/optimiser.h"
#include "train/passes.h"
#include "train/schedule.h"
#include "train/variant.h"

static tc_status check_model(const tc_train_options *options, const tc_dataset *data, const tc_model *model,
                             tc_error *error) {
    tc_status status = TC_OK;
    if (options->batch == 1 && tc_model_state(model) > 0)
        TC_RAISE(TC_INVALID, "batch: batch normalisation in %s needs 2 images or more; take a larger batch",
                 tc_model_name(model));
    TC_TRY(tc_model_fits(model, data, error));
done:
    return status;
}

tc_status tc_train_check_keep(const tc_train_options *options, tc_error *error) {
    if (options->dp_clip == 0 || options->dp_unit != 0) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "dp_clip: a filter that drops samples while training is not private; leave one out");
}

tc_status tc_train_check(const tc_train_options *options, const tc_dataset *data, const tc_model *model,
                         tc_error *error) {
    const int side = data->height < data->width ? data->height : data->width;
    tc_schedule schedule;
    tc_status status = TC_OK;
    if (options->crop >= side)
        TC_RAISE(TC_INVALID, "crop: %lld pixels of images %d wide; take fewer", (long long)options->crop, side);
    TC_TRY(tc_optimiser_check(options, error));
    TC_TRY(tc_schedule_make(options, &schedule, error));
    TC_TRY(tc_variants_check(options, data, model, error));
    if (model) TC_TRY(check_model(options, data, model, error));
done:
    return status;
}
