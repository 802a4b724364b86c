/* data.c — `tocsin data`: info and convert; fetch.c and export.c have the rest. */
#include "cli/data.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tc_flag flags[] = {
    {"set", "KEY=VALUE", "source, size, train_per_class, test_per_class or seed, as in a spec's dataset"},
    {"format", "NAME", "convert: npz, images, cifar10, cifar100 or idx; export: npz, images or cifar10"},
    {"out", "PATH", "the file (npz) or folder to write; fetch: the folder [~/.cache/tocsin/NAME]"},
    {"from", "URL", "fetch: take the files from here instead of their home"},
    {"attack", "LABEL", "export: which attack of a run, by label or name; needed where it has several"},
    {"trial", "N", "export: which trial of a run, from 0 [0]"},
    {"overwrite", NULL, "export: replace what an earlier one left in --out"},
    {"json", NULL, "info, fetch: print JSON"},
    TC_COMMON_FLAGS,
    TC_FLAGS_END};

static const tc_usage usage = {
    .command = "data",
    .operands = "info|convert|export|fetch NAME",
    .summary = "look at a dataset, fetch one, or write it for others, poisoned or not",
    .details =
        "data info SOURCE      what is in it; SOURCE is what a spec's dataset.source takes (`tocsin list datasets`)\n"
        "data convert SOURCE   write it to --out in another --format\n"
        "data export DIR       DIR is a run's folder or a poison's: the poisoned training set, the test set and the\n"
        "                      attacked images, to --out in a --format; `tocsin evaluate --predictions` judges by it\n"
        "data fetch NAME       mnist, fashion-mnist, cifar10, cifar100 or svhn; a broken transfer goes on when "
        "repeated\n",
    .least = 2,
    .most = 2,
    .flags = flags};

/* A source that was named as such, and not by --set, as a spec takes it to be. */
static tc_status blame_source(tc_status status, tc_error *error) {
    static const char said[] = "--set: dataset.source: ";
    if (status == TC_OK || !error || strncmp(error->message, said, sizeof said - 1)) return status;
    tc_error reason = *error;
    return tc_raise(error, status, "data: %s", reason.message + sizeof said - 1);
}

tc_status tc_cli_open_data(const tc_arguments *arguments, const json_t *options, tc_dataset **dataset,
                           tc_error *error) {
    enum { MOST = 16, TEXT = TC_TEXT_SIZE + 64 };
    char(*text)[TEXT] = NULL;
    const char *changes[TC_MOST_ARGUMENTS + MOST], *asked[TC_MOST_ARGUMENTS], *key;
    const int more = tc_arguments_values(arguments, "set", asked);
    int count = 0;
    json_t *value;
    tc_spec *spec = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&text, (size_t)more + MOST, sizeof *text, error));
    json_object_foreach((json_t *)(uintptr_t)options, key, value) {
        if (count == MOST) break;
        if (json_is_string(value))
            snprintf(text[count], TEXT, "dataset.%.30s=%s", key, json_string_value(value));
        else
            snprintf(text[count], TEXT, "dataset.%.30s=%lld", key, (long long)json_integer_value(value));
        count++;
    }
    for (int i = 0; i < more; i++) snprintf(text[count++], TEXT, "dataset.%s", asked[i]);
    for (int i = 0; i < count; i++) changes[i] = text[i];
    TC_TRY(tc_spec_load(NULL, changes, count, TC_SPEC_PHASE, &spec, error));
    TC_TRY(tc_spec_open_data(spec, dataset, error));
done:
    tc_spec_free(spec);
    free(text);
    return blame_source(status, error);
}

static tc_status open_source(const tc_arguments *arguments, tc_dataset **dataset, tc_error *error) {
    json_t *options = json_pack("{s:s}", "source", arguments->positional[1]);
    const tc_status status = options ? tc_cli_open_data(arguments, options, dataset, error)
                                     : tc_raise(error, TC_INVALID, "data: a source's name is UTF-8; rename it");
    json_decref(options);
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

static tc_status info(const tc_arguments *arguments, tc_error *error) {
    tc_dataset *dataset = NULL;
    tc_status status = open_source(arguments, &dataset, error);
    if (status == TC_OK && tc_arguments_has(arguments, "json"))
        status = tc_cli_print_json(describe(dataset), error);
    else if (status == TC_OK)
        tc_dataset_describe(dataset, stdout);
    tc_dataset_free(dataset);
    return status;
}

static tc_status convert(const tc_arguments *arguments, tc_error *error) {
    const char *out = tc_arguments_value(arguments, "out", ""), *format = tc_arguments_value(arguments, "format", "");
    tc_dataset *dataset = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_cli_check_output(out, error));
    TC_TRY(tc_cli_check_apart(out, arguments->positional[1], error));
    TC_TRY(open_source(arguments, &dataset, error));
    TC_TRY(tc_dataset_write(dataset, format, out, error));
    tc_log("%zu training and %zu test images in %s", dataset->train.count, dataset->test.count, out);
done:
    tc_dataset_free(dataset);
    return status;
}

static const struct {
    const char *name;
    tc_status (*work)(const tc_arguments *arguments, tc_error *error);
    bool formats;         /* needs --format and --out */
    const char *flags[8]; /* which it takes, beside those that all commands have */
} verbs[] = {
    {"info", info, false, {"set", "json"}},
    {"convert", convert, true, {"set", "format", "out"}},
    {"export", tc_cli_data_export, true, {"set", "format", "out", "attack", "trial", "overwrite"}},
    {"fetch", tc_cli_data_fetch, false, {"out", "from", "json"}},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static bool is_in(const char *name, const char *const *names) {
    while (*names && strcmp(*names, name)) names++;
    return *names != NULL;
}

/* No flag is passed over in silence. */
static tc_status check_flags(const tc_arguments *arguments, int verb, tc_error *error) {
    static const char *const common[] = {"quiet", "verbose", "help", NULL};
    for (int i = 0; i < arguments->given; i++) {
        const char *name = arguments->flag[i].flag->name;
        if (!is_in(name, verbs[verb].flags) && !is_in(name, common))
            return tc_raise(error, TC_INVALID, "data: %s takes no --%s; leave it away", verbs[verb].name, name);
    }
    return TC_OK;
}

static tc_status data(const tc_arguments *arguments, tc_error *error) {
    const char *wanted = arguments->positional[0];
    int verb = 0;
    while (verb < VERBS && strcmp(verbs[verb].name, wanted)) verb++;
    if (verb == VERBS)
        return tc_raise(error, TC_INVALID, "data: '%.64s' is not known; write info, convert, export or fetch", wanted);
    const tc_status status = check_flags(arguments, verb, error);
    if (status != TC_OK) return status;
    if (verbs[verb].formats && (!tc_arguments_has(arguments, "out") || !tc_arguments_has(arguments, "format")))
        return tc_raise(error, TC_INVALID, "data: %s needs --format and --out; see `tocsin data --help`", wanted);
    return verbs[verb].work(arguments, error);
}

int tc_cli_data(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = data(&arguments, &error);
    return tc_cli_finish(status, &error);
}
