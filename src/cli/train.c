#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/progress.h"
#include "evaluate/evaluate.h"
#include "experiment/trial/trial.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const tc_flag flags[] = {{"out", "FILE", "W.safetensors: where the weights go (required)"},
                                TC_NETWORK_FLAGS,
                                {"poison", "DIR", "a poison to lay over the training data"},
                                {"trial", "N", "the trial whose start and order are taken, from 0 [0]"},
                                TC_SPEC_FLAGS,
                                {"json", NULL, "print the result as JSON"},
                                TC_COMMON_FLAGS,
                                TC_FLAGS_END};

static const tc_usage usage = {
    .command = "train",
    .operands = "[SPEC.yaml]",
    .summary = "train one model and write its weights",
    .details =
        "Without a spec all values are the defaults; --set changes them. The network is the one that `tocsin run`\n"
        "would train in that trial, to the last bit: --network and --index say which of them.\n",
    .most = 1,
    .flags = flags};

/* The arguments, read. */
typedef struct order {
    const char *out;
    int64_t trial;
} order;

static tc_status read_order(const tc_arguments *arguments, order *o, tc_error *error) {
    tc_status status = TC_OK;
    o->out = tc_arguments_value(arguments, "out", "");
    if (!*o->out) TC_RAISE(TC_INVALID, "train: --out is missing; write --out W.safetensors");
    TC_TRY(tc_arguments_int(arguments, "trial", 0, 1000000, 0, &o->trial, error));
done:
    return status;
}

static tc_status tell(const tc_arguments *arguments, const order *o, const tc_train_result *result,
                      const tc_accuracy *test, tc_error *error) {
    const bool private = isfinite(result->epsilon);
    if (tc_arguments_has(arguments, "json")) {
        json_t *told = json_pack("{s:s, s:f, s:f, s:f, s:f, s:I, s:f}", "weights", o->out, "accuracy", test->accuracy,
                                 "loss", test->loss, "train_accuracy", result->accuracy, "train_loss", result->loss,
                                 "steps", (json_int_t)result->steps, "seconds", result->seconds);
        if (private) json_object_set_new(told, "privacy_epsilon", json_real(result->epsilon));
        return tc_cli_print_json(told, error);
    }
    if (tc_log_verbosity() == TC_QUIET) return TC_OK;
    if (private) printf("privacy spent: epsilon %.3g\n", result->epsilon);
    printf("test accuracy %.2f %% of %zu images, training loss %.4g, %.1f s; weights in %s\n", 100 * test->accuracy,
           test->count, result->loss, result->seconds, o->out);
    return TC_OK;
}

/* The files that the spec was read from: itself, and those that it extends. */
static tc_status check_apart_from_spec(const char *out, const tc_settings *settings, tc_error *error) {
    tc_status status = settings->origin ? tc_cli_check_apart(out, settings->origin, error) : TC_OK;
    for (size_t i = 0; i < settings->count && status == TC_OK; i++) {
        char file[TC_PATH_SIZE];
        const char *where = settings->item[i].where, *line = strrchr(where, ':');
        status = tc_path_format(file, error, "%.*s", line ? (int)(line - where) : (int)strlen(where), where);
        if (status == TC_OK) status = tc_cli_check_apart(out, file, error);
    }
    return status;
}

static tc_status train(const tc_arguments *arguments, tc_error *error) {
    tc_meter meter = tc_meter_begin();
    const tc_trial_hooks hooks = {.progress = tc_meter_show, .stop = tc_cli_stopped, .context = &meter};
    tc_spec *spec = NULL;
    tc_lab lab = {0};
    tc_trial trial = {0};
    tc_poison *poison = NULL;
    tc_weights weights = {0};
    tc_train_result result = {0};
    tc_accuracy test = {0};
    order o = {0};
    tc_cli_network network = {0};
    tc_status status = TC_OK;
    TC_TRY(read_order(arguments, &o, error));
    TC_TRY(tc_cli_spec(arguments, arguments->count ? arguments->positional[0] : NULL, TC_SPEC_PHASE, &spec, error));
    TC_TRY(tc_cli_network_of(arguments, spec, &network, error));
    TC_TRY(tc_cli_check_file("--out", o.out, error));
    TC_TRY(check_apart_from_spec(o.out, &spec->settings, error));
    TC_TRY(tc_cli_check_apart(o.out, spec->data.source, error));
    TC_TRY(tc_lab_open(spec, network.victim, &hooks, &lab, error));
    const char *folder = tc_arguments_value(arguments, "poison", NULL);
    if (folder) TC_TRY(tc_poison_load(lab.dataset, folder, &poison, error));
    tc_cli_catch_signals();
    tc_trial_open(&lab, o.trial, &trial);
    const tc_training training = {.role = network.role,
                                  .architecture = network.architecture,
                                  .index = network.index,
                                  .label = "",
                                  .poison = poison};
    const tc_model *model = tc_cli_model(&lab, &network);
    TC_TRY(tc_trial_train(&trial, &training, &weights, &result, error));
    tc_meter_clear(&meter);
    TC_TRY(tc_evaluate(lab.device, model, &weights, lab.dataset, &lab.dataset->test, &test, error));
    TC_TRY(tc_weights_save(model, o.out, &weights, error));
    TC_TRY(tell(arguments, &o, &result, &test, error));
done:
    tc_meter_clear(&meter);
    tc_weights_free(&weights);
    tc_poison_free(poison);
    tc_lab_close(&lab);
    tc_spec_free(spec);
    return status;
}

int tc_cli_train(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = train(&arguments, &error);
    return tc_cli_finish(status, &error);
}
