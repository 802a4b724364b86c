/* fuzz_spec.c — a spec as YAML; what is taken must come back unchanged from the spec that is written of it. */
#include "fuzz.h"

#include "experiment/spec/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const seeds[] = {
    "attacks: [{name: random-noise}]\n",
    "name: a\nseed: 3\ntrials: 2\ndevice: reference\nthreads: 1\nkeep_models: true\n"
    "dataset: {source: glyphs, size: 8, train_per_class: 4, test_per_class: 2, seed: 1}\n"
    "threat: {epsilon: 8, ratio: 0.05, targets: 2, target_class: 1, intended_class: -1}\n"
    "surrogate: {model: lenet, count: 2, train: &t {recipe: witches-brew, epochs: 2, milestones: '0.5, 0.75'}}\n"
    "victim:\n  model: resnet18\n  width: 16\n  train: *t\n"
    "attacks:\n  - name: gradient-matching\n    sharpness: worst-case\n    rho: 0.1\n    p: inf\n"
    "  - {name: gradient-matching, label: \"SAPA <worst>\", steps: 3, step_size: 1e-1}\n",
    "victim: {model: sequential, layers: [conv 4, &a {scale: [relu]}, *a]}\nattacks: [{name: random-noise}]\n",
    "surrogate: {model: sequential, layers: \"[relu]\"}\nattacks: [{name: random-noise}]\n",
    "# all\n? attacks\n: - {name: !!str random-noise, distribution: uniform}\n",
};
enum { SEEDS = sizeof seeds / sizeof *seeds };

tc_status fuzz_prepare(tc_error *error) {
    (void)error;
    return TC_OK;
}

tc_status fuzz_seeds(tc_error *error) {
    return fuzz_seed_texts(seeds, SEEDS, error);
}

/* The resolved spec as JSON, without the study's name, which may be the file's. */
static char *resolved(const tc_spec *spec) {
    json_t *json = tc_spec_json(spec);
    char *text = json_dumps(json, JSON_SORT_KEYS);
    json_decref(json);
    return text;
}

static tc_status comes_back(const tc_spec *spec, tc_error *error) {
    tc_spec *again = NULL;
    tc_status status = tc_json_save_yaml(tc_spec_json(spec), fuzz_path("again.yaml"), error);
    if (status == TC_OK) status = tc_spec_load(fuzz_path("again.yaml"), NULL, 0, TC_SPEC_STUDY, &again, error);
    if (status != TC_OK) { /* it has been taken before: now it is the writer's fault */
        fprintf(stderr, "fuzz: the spec that was written is refused: %s\n", error->message);
        abort();
    }
    char *first = resolved(spec), *second = resolved(again);
    if (!first || !second || strcmp(first, second)) {
        fprintf(stderr, "fuzz: the spec comes back as another one:\n%s\n%s\n", first, second);
        abort();
    }
    free(first);
    free(second);
    tc_spec_free(again);
    return TC_OK;
}

tc_status fuzz_one(const uint8_t *bytes, size_t size, tc_error *error) {
    tc_status status = TC_OK;
    tc_spec *spec = NULL;
    TC_TRY(tc_file_put(fuzz_path("in.yaml"), bytes, size, error));
    TC_TRY(tc_spec_load(fuzz_path("in.yaml"), NULL, 0, TC_SPEC_STUDY, &spec, error));
    TC_TRY(comes_back(spec, error));
done:
    tc_spec_free(spec);
    return status;
}
