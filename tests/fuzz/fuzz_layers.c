/* fuzz_layers.c — a network of one's own as YAML: it is built, or one line says why not. */
#include "fuzz.h"

#include "zoo/zoo.h"

#include <stdio.h>
#include <string.h>

static const char *const seeds[] = {
    "[conv 4, batch-norm, relu, {residual: [conv 4, relu6], shortcut: [conv 4 kernel=1]}, global-pool, linear]",
    "- conv 8 kernel=2 stride=2 padding=0\n- tokens\n- repeat 2:\n  - residual: [layer-norm, linear-each 24, attention "
    "2]\n"
    "- first-token\n- linear\n",
    "[&a {concat: [[conv 2], [average-pool 3 stride=1 padding=1]]}, *a, {scale: [global-pool, linear 4 name=x, "
    "sigmoid]}, "
    "dropout 0.1, conv-transposed 3, leaky-relu 0.2 value=features, flatten, linear 2 bias=false]",
};
enum { SEEDS = sizeof seeds / sizeof *seeds, SIDE = 8, CLASSES = 2 };

tc_status fuzz_prepare(tc_error *error) {
    (void)error;
    return TC_OK;
}

tc_status fuzz_seeds(tc_error *error) {
    return fuzz_seed_texts(seeds, SEEDS, error);
}

tc_status fuzz_one(const uint8_t *bytes, size_t size, tc_error *error) {
    tc_zoo_options options = {0};
    tc_model *model = NULL;
    if (size >= sizeof options.layers) return tc_raise(error, TC_INVALID, "longer than a spec's layers may be");
    memcpy(options.layers, bytes, size);
    const tc_status status =
        tc_zoo_build_entry(tc_zoo_find("sequential"), tc_nhwc(1, SIDE, SIDE, 1), CLASSES, &options, &model, error);
    tc_model_free(model);
    return status;
}
