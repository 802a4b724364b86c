#include "api/api.h"

#include "train/train.h"

tc_status tc_api_training(const char *const *settings, tc_train_options *options, tc_error *error) {
    tc_status status = TC_OK;
    tc_train_defaults(options);
    TC_TRY(tc_api_lay(tc_train_table, options, settings, "train", error));
    const char *recipe = tc_option_find(tc_train_table, "recipe")->choices[options->recipe];
    TC_TRY(tc_train_apply_recipe(options, recipe, error));
    TC_TRY(tc_api_lay(tc_train_table, options, settings, "train", error));
done:
    return status;
}

void tc_api_tell_training(void *hooks, const tc_epoch_report *report, double fraction) {
    tocsin_progress told = tc_api_progress("train", fraction);
    told.loss = report->loss;
    told.accuracy = report->accuracy;
    told.images_per_second = report->images_per_second;
    told.seconds_left = report->seconds_left;
    told.epoch = report->epoch;
    told.epochs = report->epochs;
    tc_api_tell(hooks, &told);
}

tocsin_train_result tc_api_trained(const tc_train_result *result) {
    return (tocsin_train_result){result->loss, result->accuracy, result->seconds, result->steps, result->epsilon};
}

tocsin_status tocsin_train(tocsin_device *device, tocsin_model *model, const tocsin_dataset *dataset,
                           const tocsin_poison *poison, const char *const *settings, uint64_t seed,
                           const tocsin_hooks *hooks, const char *checkpoint, tocsin_train_result *result,
                           tocsin_error *error) {
    TC_ENTER;
    TC_NEED(device);
    TC_NEED(model);
    TC_NEED(dataset);
    const tc_train_hooks inner = {.progress = tc_api_tell_training,
                                  .stop = tc_api_stopped,
                                  .context = (void *)(uintptr_t)hooks,
                                  .checkpoint = checkpoint};
    tc_train_options options;
    tc_train_result done_so = {0};
    tc_view view = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_api_training(settings, &options, error));
    TC_TRY(tc_view_create(tc_dataset_of(dataset), tc_poison_of(poison), &view, error));
    TC_TRY(tc_train(tc_device_of(device), model->network->model, &view, &options,
                    tc_stream_child(tc_stream_make(seed), "train", 0), &inner, &model->weights, &done_so, error));
    if (result) *result = tc_api_trained(&done_so);
done:
    tc_view_free(&view);
    return status;
}
