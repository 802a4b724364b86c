#include "train/passes.h"

#include "data/dataset.h"

tc_pass *tc_passes_find(const tc_passes *passes, int batch) {
    for (int i = 0; i < passes->count; i++)
        if (passes->size[i] == batch) return passes->pass[i];
    return NULL;
}

tc_status tc_passes_get(tc_passes *passes, int batch, tc_pass **pass, tc_error *error) {
    tc_status status = TC_OK;
    *pass = tc_passes_find(passes, batch);
    if (*pass) return TC_OK;
    if (passes->count == TC_MAX_PASSES)
        TC_RAISE(TC_FAILED, "passes: a walk with more than %d batch sizes", TC_MAX_PASSES);
    tc_pass_options options = passes->options;
    options.batch = batch;
    TC_TRY(tc_pass_create(passes->device, passes->model, &options, pass, error));
    passes->size[passes->count] = batch;
    passes->pass[passes->count++] = *pass;
done:
    return status;
}

tc_status tc_passes_for(tc_passes *passes, size_t count, int batch, tc_error *error) {
    tc_status status = TC_OK;
    tc_pass *pass;
    const size_t rest = count % (size_t)batch;
    if (count >= (size_t)batch) TC_TRY(tc_passes_get(passes, batch, &pass, error));
    if (rest) TC_TRY(tc_passes_get(passes, (int)rest, &pass, error));
done:
    return status;
}

static int eighth(int batch) {
    return (batch + 7) / 8;
}

tc_status tc_passes_for_lots(tc_passes *passes, int batch, tc_error *error) {
    tc_status status = TC_OK;
    tc_pass *pass;
    TC_TRY(tc_passes_get(passes, batch, &pass, error));
    TC_TRY(tc_passes_get(passes, eighth(batch), &pass, error));
done:
    return status;
}

int tc_passes_lot_part(int batch, size_t left) {
    return left > (size_t)batch / 2 ? batch : eighth(batch);
}

void tc_passes_free(tc_passes *passes) {
    for (int i = 0; i < passes->count; i++) tc_pass_free(passes->pass[i]);
    passes->count = 0;
}

tc_status tc_model_fits(const tc_model *model, const tc_dataset *dataset, tc_error *error) {
    const tc_shape input = tc_model_input(model);
    if (input.h != dataset->height || input.w != dataset->width || input.c != dataset->channels)
        return tc_raise(error, TC_INVALID,
                        "%s: made for %d x %d x %d images, %s has %d x %d x %d; build it for this data",
                        tc_model_name(model), input.h, input.w, input.c, dataset->name, dataset->height, dataset->width,
                        dataset->channels);
    if (tc_model_classes(model) != dataset->classes)
        return tc_raise(error, TC_INVALID, "%s: made for %d classes, %s has %d; build it for this data",
                        tc_model_name(model), tc_model_classes(model), dataset->name, dataset->classes);
    return TC_OK;
}
