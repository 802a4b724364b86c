/* defence.c — the defences of a spec: a list like the attacks'; where there is none, the registry's first, `none`. */
#include "experiment/spec/parts.h"

#include <stdio.h>
#include <string.h>

const tc_option tc_defence_table[] = {
    TC_TEXT(tc_defence_spec, name, "", "the defence; `tocsin list defenses` names them"),
    TC_TEXT(tc_defence_spec, label, "", "what it is called in the results; empty: the name"), TC_OPTIONS_END};

static tc_status find(const tc_settings *settings, const char *path, tc_defence_spec *made, tc_error *error) {
    const char *known[TC_MOST_NAMES + 1] = {NULL};
    char key[64];
    if (!*made->name)
        return tc_settings_raise(settings, error, path, "has no name; give it one of `tocsin list defenses`");
    made->defence = tc_defence_find(made->name);
    if (made->defence) return TC_OK;
    const tc_defence *all = tc_defences();
    for (int i = 0; i < TC_MOST_NAMES && all[i].name; i++) known[i] = all[i].name;
    snprintf(key, sizeof key, "%s.name", path);
    return tc_spec_unknown_name(settings, key, made->name, known, "defenses", error);
}

/* path == NULL: nothing was asked for. */
static tc_status resolve_defence(const tc_settings *settings, const char *path, tc_defence_spec *made,
                                 tc_error *error) {
    tc_status status = TC_OK;
    tc_error reason = {0};
    tc_options_default(tc_defence_table, made);
    if (path) TC_TRY(tc_settings_apply(settings, path, tc_defence_table, made, error));
    if (!path) snprintf(made->name, sizeof made->name, "%s", tc_defences()->name);
    TC_TRY(find(settings, path ? path : "defences", made, error));
    const tc_option *options = made->defence->options;
    if (path) TC_TRY(tc_settings_refuse_others(settings, path, made->name, tc_defence_table, options, error));
    TC_TRY(tc_new(&made->options, 1, made->defence->options_size, error));
    tc_options_default(options, made->options);
    if (path) TC_TRY(tc_settings_apply(settings, path, options, made->options, error));
    if (path)
        TC_TRY(tc_spec_refuse_options(settings, path, tc_defence_check(made->defence, made->options, &reason), &reason,
                                      error));
    if (!*made->label) snprintf(made->label, sizeof made->label, "%s", made->name);
done:
    return status;
}

static tc_status check_label(const tc_spec *spec, int place, const char *path, tc_error *error) {
    const char *label = spec->defences[place].label;
    const tc_status status = tc_spec_check_label(&spec->settings, path, label, error);
    if (status != TC_OK) return status;
    for (int d = 0; d < place; d++)
        if (!strcmp(spec->defences[d].label, label))
            return tc_settings_raise(&spec->settings, error, path,
                                     "is called '%.64s' like another defence; give each a label of its own", label);
    return TC_OK;
}

tc_status tc_spec_resolve_defences(tc_spec *spec, tc_error *error) {
    const int listed = tc_settings_entries(&spec->settings, "defences");
    tc_status status = TC_OK;
    TC_TRY(tc_new(&spec->defences, listed ? (size_t)listed : 1, sizeof *spec->defences, error));
    spec->defence_count = listed ? listed : 1;
    for (int d = 0; d < spec->defence_count; d++) {
        char path[64];
        snprintf(path, sizeof path, "defences.%d", d + 1);
        TC_TRY(resolve_defence(&spec->settings, listed ? path : NULL, &spec->defences[d], error));
        TC_TRY(check_label(spec, d, path, error));
    }
done:
    return status;
}

tc_train_options tc_spec_training(const tc_network_spec *network, const tc_defence_spec *defence) {
    tc_train_options train = network->train;
    if (defence && defence->defence->adapt) defence->defence->adapt(defence->options, &train);
    return train;
}
