#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "evaluate/evaluate.h"
#include "experiment/trial/threat_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tc_flag flags[] = {
    {"weights", "FILE", "W.safetensors (required)"},
    TC_NETWORK_FLAGS,
    {"poison", "DIR", "a poison folder; also tells where the targets it was made against land"},
    {"predictions", "FILE", "instead of --weights: what a model from outside says, CSV or NPZ"},
    {"export", "DIR", "what it was asked, as `tocsin data export` wrote it; goes with --predictions"},
    TC_SPEC_FLAGS,
    {"json", NULL, "print the result as JSON"},
    TC_COMMON_FLAGS,
    TC_FLAGS_END};

static const tc_usage usage = {
    .command = "evaluate",
    .operands = "[SPEC.yaml]",
    .summary = "accuracy of given weights, and where the targets land",
    .details = "The weights are of the network that --network and --index name, as with `tocsin train`.\n"
               "With --predictions and --export no spec is needed: docs/data.md tells how to have a\n"
               "model from elsewhere judged.\n",
    .most = 1,
    .flags = flags};

/* What the poison in `folder` is about, held against the data that the spec names: test images and training images. */
static tc_status read_attacked(const char *folder, const tc_dataset *dataset, tc_attacked **attacked, tc_error *error) {
    tc_threat_file file;
    tc_poison *poison = NULL;
    tc_status status = tc_threat_file_read(folder, &file, error);
    if (status == TC_OK) status = tc_threat_file_check(&file, dataset, error);
    if (status == TC_OK) status = tc_poison_load(dataset, folder, &poison, error);
    if (status == TC_OK) status = tc_threat_file_attacked(&file, folder, dataset, attacked, error);
    tc_poison_free(poison);
    tc_threat_file_free(&file);
    return status;
}

static tc_status tell_json(const tc_accuracy *test, const tc_opinion *opinion, size_t count, size_t hits,
                           tc_error *error) {
    json_t *made =
        json_pack("{s:f, s:f, s:I}", "accuracy", test->accuracy, "loss", test->loss, "images", (json_int_t)test->count);
    json_t *landed = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(landed, json_integer(opinion->prediction[i]));
    if (count) json_object_set_new(made, "confidence", json_real(opinion->confidence));
    if (count) json_object_set_new(made, "success", json_real((double)hits / (double)count));
    if (count) json_object_set(made, "predicted", landed);
    json_decref(landed);
    return tc_cli_print_json(made, error);
}

/* attacked: NULL where no poison was named. */
static tc_status tell(const tc_arguments *arguments, const tc_dataset *dataset, const tc_accuracy *test,
                      const tc_attacked *attacked, const tc_opinion *opinion, tc_error *error) {
    const size_t count = attacked ? attacked->count : 0;
    size_t hits = 0;
    for (size_t i = 0; i < count; i++) hits += opinion->prediction[i] == attacked->intended[i];
    if (tc_arguments_has(arguments, "json")) return tell_json(test, opinion, count, hits, error);
    printf("test accuracy %.2f %% of %zu images, loss %.4g\n", 100 * test->accuracy, test->count, test->loss);
    if (count)
        printf("%zu of %zu %s taken for class %d (%s)\n", hits, count,
               attacked->kind[0] == TC_QUESTION_TRIGGERED ? "images with the trigger" : "targets",
               attacked->intended[0], dataset->class_names[attacked->intended[0]]);
    return TC_OK;
}

static tc_status measure(const tc_arguments *arguments, const tc_lab *lab, const tc_model *model, tc_error *error) {
    const char *poison = tc_arguments_value(arguments, "poison", NULL);
    tc_attacked *attacked = NULL;
    tc_weights weights = {0};
    tc_accuracy test = {0};
    tc_opinion opinion = {0};
    tc_status status = TC_OK;
    if (poison) TC_TRY(read_attacked(poison, lab->dataset, &attacked, error));
    TC_TRY(tc_weights_create(model, &weights, error));
    TC_TRY(tc_weights_load(model, tc_arguments_value(arguments, "weights", ""), &weights, error));
    TC_TRY(tc_evaluate(lab->device, model, &weights, lab->dataset, &lab->dataset->test, &test, error));
    if (attacked) {
        TC_TRY(tc_new(&opinion.prediction, attacked->count, sizeof *opinion.prediction, error));
        TC_TRY(tc_lab_predict(lab, model, &weights, attacked->images, attacked->count, attacked->intended[0], &opinion,
                              error));
    }
    TC_TRY(tell(arguments, lab->dataset, &test, attacked, &opinion, error));
done:
    free(opinion.prediction);
    tc_weights_free(&weights);
    tc_attacked_free(attacked);
    return status;
}

static tc_status evaluate(const tc_arguments *arguments, tc_error *error) {
    tc_spec *spec = NULL;
    tc_lab lab = {0};
    tc_cli_network network = {0};
    tc_status status = TC_OK;
    if (tc_arguments_has(arguments, "predictions") || tc_arguments_has(arguments, "export"))
        return tc_cli_judge(arguments, error);
    if (!tc_arguments_has(arguments, "weights"))
        TC_RAISE(TC_INVALID, "evaluate: --weights is missing; write --weights W.safetensors");
    TC_TRY(tc_cli_spec(arguments, arguments->count ? arguments->positional[0] : NULL, TC_SPEC_PHASE, &spec, error));
    TC_TRY(tc_cli_network_of(arguments, spec, &network, error));
    TC_TRY(tc_lab_open(spec, network.victim, NULL, &lab, error));
    TC_TRY(measure(arguments, &lab, tc_cli_model(&lab, &network), error));
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
