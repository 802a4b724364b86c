/* data.c — a spec meets its data: what can only be checked once the images are there. All of it happens before
 * anything is written. */
#include "experiment/spec/spec.h"

#include "base/file.h"
#include "train/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Puts "WHERE: PATH: " in front of what a part below has to say about the input. */
static tc_status at(const tc_spec *spec, const char *path, tc_status status, const tc_error *reason, tc_error *error) {
    if (status == TC_OK) return TC_OK;
    if (status != TC_INVALID) return tc_raise(error, status, "%s", reason->message);
    return tc_settings_raise(&spec->settings, error, path, "%s", reason->message);
}

tc_status tc_spec_open_data(const tc_spec *spec, tc_dataset **dataset, tc_error *error) {
    const tc_data_options *data = &spec->data;
    const tc_dataset_options options = {.size = data->size,
                                        .train_per_class = data->train_per_class,
                                        .test_per_class = data->test_per_class,
                                        .seed = (uint64_t)data->seed};
    char source[TC_PATH_SIZE];
    tc_error reason = {0};
    tc_status status = tc_path_expand_home(source, data->source, &reason);
    if (status == TC_OK) status = tc_dataset_open(source, &options, dataset, &reason);
    return at(spec, "dataset.source", status, &reason, error);
}

static tc_status check_class(const tc_spec *spec, const tc_dataset *dataset, const char *path, int64_t class,
                             tc_error *error) {
    if (class < dataset->classes) return TC_OK;
    return tc_settings_raise(&spec->settings, error, path, "is %lld; %s has the classes 0 … %d, or -1 to draw one",
                             (long long)class, dataset->name, dataset->classes - 1);
}

tc_stream tc_spec_stream(const tc_spec *spec, int64_t trial) {
    return tc_stream_child(tc_stream_make((uint64_t)spec->study.seed), "trial", (uint64_t)trial);
}

tc_status tc_spec_draw(const tc_spec *spec, const tc_dataset *dataset, int64_t trial, tc_threat *threat,
                       tc_error *error) {
    const tc_stream stream = tc_stream_child(tc_spec_stream(spec, trial), "threat", 0);
    return tc_threat_draw(dataset, &spec->threat, stream, threat, error);
}

/* What training itself would refuse, but only after the surrogates have been trained for hours. model: NULL where it is
 * not built yet. */
static tc_status check_training(const tc_spec *spec, const tc_network_spec *network, const tc_dataset *dataset,
                                const tc_model *model, tc_error *error) {
    const tc_train_options *train = &network->train;
    tc_error reason = {0};
    const int64_t side = dataset->height < dataset->width ? dataset->height : dataset->width;
    char path[64];
    snprintf(path, sizeof path, "%s.train", network->section);
    if (train->crop < side) return at(spec, path, tc_train_check(train, dataset, model, &reason), &reason, error);
    snprintf(path, sizeof path, "%s.train.crop", network->section);
    return tc_settings_raise(&spec->settings, error, path, "is %lld pixels, the images are %lld wide; take fewer",
                             (long long)train->crop, (long long)side);
}

tc_status tc_spec_check_data(const tc_spec *spec, const tc_dataset *dataset, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(check_class(spec, dataset, "threat.target_class", spec->threat.target_class, error));
    TC_TRY(check_class(spec, dataset, "threat.intended_class", spec->threat.intended_class, error));
    for (int k = 0; k < spec->surrogate_count; k++)
        TC_TRY(check_training(spec, &spec->surrogates[k], dataset, NULL, error));
    for (int v = 0; v < spec->victim_count; v++) TC_TRY(check_training(spec, &spec->victims[v], dataset, NULL, error));
done:
    return status;
}

tc_status tc_spec_build(const tc_spec *spec, const tc_network_spec *network, const tc_dataset *dataset,
                        tc_model **model, tc_error *error) {
    char path[64];
    tc_error reason = {0};
    const tc_shape input = tc_nhwc(1, dataset->height, dataset->width, dataset->channels);
    tc_status status = tc_zoo_build_entry(network->entry, input, dataset->classes, &network->zoo, model, &reason);
    snprintf(path, sizeof path, "%s.%s", network->section, *network->zoo.layers ? "layers" : "model");
    if (status != TC_OK) return at(spec, path, status, &reason, error);
    status = check_training(spec, network, dataset, *model, error);
    if (status == TC_OK) return TC_OK;
    tc_model_free(*model);
    *model = NULL;
    return status;
}

tc_device_options tc_spec_device(const tc_spec *spec, int turn) {
    const tc_study_options *study = &spec->study;
    return (tc_device_options){.name = tc_device_names[study->device],
                               .threads = (int)study->threads,
                               .index = (int)study->gpu,
                               .turn = turn,
                               .precision = (tc_precision)study->precision,
                               .fastest = !study->deterministic};
}

tc_status tc_spec_open_device(const tc_spec *spec, tc_device **device, tc_error *error) {
    const tc_device_options options = tc_spec_device(spec, 0);
    return tc_device_open_with(&options, device, error);
}
