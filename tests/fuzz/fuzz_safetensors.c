/* fuzz_safetensors.c — the weights of a small network, read tensor by tensor and as that network's. */
#include "fuzz.h"

#include "nn/safetensors.h"
#include "nn/weights.h"
#include "zoo/zoo.h"

#include <stdlib.h>

static tc_model *model;

static void free_model(void) {
    tc_model_free(model);
}

tc_status fuzz_prepare(tc_error *error) {
    atexit(free_model);
    return tc_zoo_build("resnet18", tc_nhwc(1, 8, 8, 1), 2, (const char *const[]){"width=1"}, 1, &model, error);
}

tc_status fuzz_seeds(tc_error *error) {
    static const int64_t whole[2] = {1, 2};
    static const uint16_t half[4] = {0x3c00, 0, 0x4000, 0xbc00};
    const tc_safetensor mixed[] = {{.name = "steps", .dtype = TC_I64, .rank = 1, .size = {2}, .data = whole},
                                   {.name = "half", .dtype = TC_F16, .rank = 2, .size = {2, 2}, .data = half}};
    tc_status status = TC_OK;
    tc_weights weights = {0};
    TC_TRY(fuzz_prepare(error));
    TC_TRY(tc_weights_create(model, &weights, error));
    tc_model_init(model, tc_stream_make(1), weights.theta, weights.state);
    TC_TRY(tc_weights_save(model, fuzz_path("model"), &weights, error));
    TC_TRY(tc_safetensors_write(fuzz_path("mixed"), mixed, 2, error));
    TC_TRY(fuzz_seed("model", -1, fuzz_path("model"), error));
    TC_TRY(fuzz_seed("mixed", -1, fuzz_path("mixed"), error));
done:
    tc_weights_free(&weights);
    return status;
}

static tc_status read_tensors(const char *path, tc_error *error) {
    tc_status status = TC_OK;
    tc_safetensors *file = NULL;
    const tc_safetensor *tensor = NULL;
    double *values = NULL;
    TC_TRY(tc_safetensors_open(path, &file, error));
    const size_t count = tc_safetensors_list(file, &tensor);
    for (size_t i = 0; i < count; i++) {
        if (tensor[i].dtype == TC_OTHER || tensor[i].dtype == TC_I64) continue;
        TC_TRY(tc_new(&values, tensor[i].count, sizeof *values, error));
        TC_TRY(tc_safetensors_read(file, &tensor[i], values, error));
        free(values);
        values = NULL;
    }
done:
    free(values);
    tc_safetensors_close(file);
    return status;
}

tc_status fuzz_one(const uint8_t *bytes, size_t size, tc_error *error) {
    tc_status status = TC_OK;
    tc_weights weights = {0};
    const char *path = fuzz_path("in");
    TC_TRY(tc_file_put(path, bytes, size, error));
    TC_TRY(read_tensors(path, error));
    TC_TRY(tc_weights_create(model, &weights, error));
    TC_TRY(tc_weights_load(model, path, &weights, error));
done:
    tc_weights_free(&weights);
    return status;
}
