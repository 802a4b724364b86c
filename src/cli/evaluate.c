#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "evaluate/evaluate.h"
#include "experiment/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tc_flag flags[] = {
    {"weights", "FILE", "W.safetensors (required)"},
    {"network", "NAME", "which section of the spec the weights belong to: surrogate or victim [victim]"},
    {"poison", "DIR", "a poison folder; also tells where the targets it was made against land"},
    TC_SPEC_FLAGS,
    {"json", NULL, "print the result as JSON"},
    TC_COMMON_FLAGS,
    TC_FLAGS_END};

static const tc_usage usage = {.command = "evaluate",
                               .operands = "[SPEC.yaml]",
                               .summary = "accuracy of given weights, and where the targets land",
                               .details = "",
                               .most = 1,
                               .flags = flags};

enum { LARGEST_THREAT = 1 << 20 };

/* threat.json of a poison folder, held against the data that the spec names. */
static tc_status read_threat(const char *folder, tc_trial *trial, tc_error *error) {
    char path[TC_PATH_SIZE];
    uint8_t *text = NULL;
    size_t size = 0;
    json_t *root = NULL;
    json_error_t reason;
    const tc_dataset *dataset = trial->lab->dataset;
    tc_threat *threat = &trial->threat;
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/threat.json", folder));
    TC_TRY(tc_file_read(path, LARGEST_THREAT, &text, &size, error));
    root = json_loadb((const char *)text, size, 0, &reason);
    if (!root)
        TC_RAISE(TC_INVALID, "%s:%d: not valid JSON: %s; craft the poison again", path, reason.line, reason.text);
    const json_t *targets = json_object_get(root, "targets"), *intended = json_object_get(root, "intended_class");
    if (!json_array_size(targets) || !json_is_integer(intended) || json_integer_value(intended) < 0 ||
        json_integer_value(intended) >= dataset->classes)
        TC_RAISE(TC_INVALID, "%s: names no targets, or a class that %s has not; craft the poison again", path,
                 dataset->name);
    threat->targets = json_array_size(targets);
    threat->intended_class = (int)json_integer_value(intended);
    TC_TRY(tc_new(&threat->target, threat->targets, sizeof *threat->target, error));
    for (size_t i = 0; i < threat->targets; i++) {
        const json_int_t place =
            json_is_integer(json_array_get(targets, i)) ? json_integer_value(json_array_get(targets, i)) : -1;
        if (place < 0 || (size_t)place >= dataset->test.count)
            TC_RAISE(TC_INVALID,
                     "%s: target %zu is not one of the %zu test images of %s; name the poison's own dataset", path,
                     i + 1, dataset->test.count, dataset->name);
        threat->target[i] = (uint32_t)place;
    }
done:
    json_decref(root);
    free(text);
    return status;
}

static tc_status tell(const tc_arguments *arguments, const tc_trial *trial, const tc_accuracy *test,
                      const int32_t *prediction, tc_error *error) {
    const size_t targets = trial->threat.targets;
    size_t hits = 0;
    json_t *landed = json_array();
    for (size_t i = 0; i < targets; i++) {
        hits += prediction[i] == trial->threat.intended_class;
        json_array_append_new(landed, json_integer(prediction[i]));
    }
    if (tc_arguments_has(arguments, "json")) {
        json_t *made = json_pack("{s:f, s:f, s:I}", "accuracy", test->accuracy, "loss", test->loss, "images",
                                 (json_int_t)test->count);
        if (targets) {
            json_object_set_new(made, "success", json_real((double)hits / (double)targets));
            json_object_set(made, "predicted", landed);
        }
        json_decref(landed);
        return tc_cli_print_json(made, error);
    }
    json_decref(landed);
    printf("test accuracy %.2f %% of %zu images, loss %.4g\n", 100 * test->accuracy, test->count, test->loss);
    if (targets)
        printf("%zu of %zu targets taken for class %d (%s)\n", hits, targets, trial->threat.intended_class,
               trial->lab->dataset->class_names[trial->threat.intended_class]);
    return TC_OK;
}

static tc_status measure(const tc_arguments *arguments, const tc_lab *lab, const tc_model *model, tc_error *error) {
    const char *poison = tc_arguments_value(arguments, "poison", NULL);
    tc_trial trial = {0};
    tc_weights weights = {0};
    tc_accuracy test = {0};
    int32_t *prediction = NULL;
    tc_status status = TC_OK;
    tc_trial_open(lab, 0, &trial);
    if (poison) TC_TRY(read_threat(poison, &trial, error));
    TC_TRY(tc_weights_create(model, &weights, error));
    TC_TRY(tc_weights_load(model, tc_arguments_value(arguments, "weights", ""), &weights, error));
    TC_TRY(tc_evaluate(lab->device, model, &weights, lab->dataset, &lab->dataset->test, &test, error));
    TC_TRY(tc_new(&prediction, trial.threat.targets, sizeof *prediction, error));
    TC_TRY(tc_trial_predict(&trial, model, &weights, prediction, error));
    TC_TRY(tell(arguments, &trial, &test, prediction, error));
done:
    free(prediction);
    tc_weights_free(&weights);
    tc_trial_end(&trial);
    return status;
}

static tc_status evaluate(const tc_arguments *arguments, tc_error *error) {
    const char *network = tc_arguments_value(arguments, "network", "victim");
    tc_spec *spec = NULL;
    tc_lab lab = {0};
    tc_status status = TC_OK;
    if (strcmp(network, "surrogate") && strcmp(network, "victim"))
        TC_RAISE(TC_INVALID, "evaluate: --network is '%.64s'; must be surrogate or victim", network);
    if (!tc_arguments_has(arguments, "weights"))
        TC_RAISE(TC_INVALID, "evaluate: --weights is missing; write --weights W.safetensors");
    TC_TRY(tc_cli_spec(arguments, arguments->count ? arguments->positional[0] : NULL, TC_SPEC_PHASE, &spec, error));
    TC_TRY(tc_lab_open(spec, NULL, &lab, error));
    TC_TRY(measure(arguments, &lab, strcmp(network, "victim") ? lab.surrogate : lab.victim, error));
done:
    tc_lab_close(&lab);
    tc_spec_free(spec);
    return status;
}

int tc_cli_evaluate(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = evaluate(&arguments, &error);
    return tc_cli_finish(status, &error);
}
