#include "cli/cli.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

static const tc_flag flags[] = {
    {"set", "KEY=VALUE", "size, train_per_class, test_per_class or seed, as in a spec's dataset; may be repeated"},
    {"format", "NAME", "convert: npz, images, cifar10 or idx"},
    {"out", "PATH", "convert: the file (npz) or folder to write"},
    {"json", NULL, "info: print JSON"},
    TC_COMMON_FLAGS,
    TC_FLAGS_END};

static const tc_usage usage = {.command = "data",
                               .operands = "info|convert SOURCE",
                               .summary = "look at a dataset, or write it in another format",
                               .details =
                                   "SOURCE is what a spec's dataset.source takes; `tocsin list datasets` names them.\n",
                               .least = 2,
                               .most = 2,
                               .flags = flags};

static tc_status open_source(const tc_arguments *arguments, tc_dataset **dataset, tc_error *error) {
    const char *changes[TC_MOST_ARGUMENTS + 1];
    char text[TC_MOST_ARGUMENTS][256], source[TC_TEXT_SIZE + 32];
    const int count = tc_arguments_values(arguments, "set", changes);
    for (int i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "dataset.%.200s", changes[i]);
        changes[i] = text[i];
    }
    snprintf(source, sizeof source, "dataset.source=%s", arguments->positional[1]);
    changes[count] = source;
    tc_spec *spec = NULL;
    tc_status status = tc_spec_load(NULL, changes, count + 1, TC_SPEC_PHASE, &spec, error);
    if (status == TC_OK) status = tc_spec_open_data(spec, dataset, error);
    tc_spec_free(spec);
    return status;
}

static json_t *describe(const tc_dataset *d) {
    json_t *classes = json_array(), *mean = json_array(), *std = json_array();
    for (int c = 0; c < d->classes; c++) json_array_append_new(classes, json_string(d->class_names[c]));
    for (int c = 0; c < d->channels; c++) {
        json_array_append_new(mean, json_real((double)d->mean[c]));
        json_array_append_new(std, json_real((double)d->std[c]));
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:I, s:I, s:o, s:o, s:o}", "name", d->name, "height", d->height, "width",
                     d->width, "channels", d->channels, "train", (json_int_t)d->train.count, "test",
                     (json_int_t)d->test.count, "classes", classes, "mean", mean, "std", std);
}

static tc_status info(const tc_arguments *arguments, const tc_dataset *dataset, tc_error *error) {
    if (tc_arguments_has(arguments, "json")) return tc_cli_print_json(describe(dataset), error);
    tc_dataset_describe(dataset, stdout);
    return TC_OK;
}

static tc_status convert(const tc_arguments *arguments, const tc_dataset *dataset, tc_error *error) {
    const char *out = tc_arguments_value(arguments, "out", ""), *format = tc_arguments_value(arguments, "format", "");
    const tc_status status = tc_dataset_write(dataset, format, out, error);
    if (status == TC_OK)
        tc_log("%zu training and %zu test images in %s", dataset->train.count, dataset->test.count, out);
    return status;
}

static const struct {
    const char *name;
    tc_status (*work)(const tc_arguments *arguments, const tc_dataset *dataset, tc_error *error);
    bool writes;
} verbs[] = {{"info", info, false}, {"convert", convert, true}};
enum { VERBS = sizeof verbs / sizeof *verbs };

static tc_status data(const tc_arguments *arguments, tc_error *error) {
    tc_dataset *dataset = NULL;
    tc_status status = TC_OK;
    int verb = 0;
    while (verb < VERBS && strcmp(verbs[verb].name, arguments->positional[0])) verb++;
    if (verb == VERBS)
        TC_RAISE(TC_INVALID, "data: '%.64s' is not known; write info or convert", arguments->positional[0]);
    if (verbs[verb].writes && (!tc_arguments_has(arguments, "out") || !tc_arguments_has(arguments, "format")))
        TC_RAISE(TC_INVALID, "data: convert needs --format and --out; see `tocsin data --help`");
    if (verbs[verb].writes) TC_TRY(tc_cli_check_output(tc_arguments_value(arguments, "out", ""), error));
    TC_TRY(open_source(arguments, &dataset, error));
    TC_TRY(verbs[verb].work(arguments, dataset, error));
done:
    tc_dataset_free(dataset);
    return status;
}

int tc_cli_data(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = data(&arguments, &error);
    return tc_cli_finish(status, &error);
}
