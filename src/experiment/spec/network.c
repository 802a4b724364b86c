/* network.c — the networks of a spec: one surrogate or a list of them, one victim or a list. */
#include "experiment/spec/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_SURROGATES = 64 };

#define MODEL_OF_SURROGATE                                                                                             \
    TC_TEXT(tc_network_spec, model, "resnet18", "the network that the attacker trains; `tocsin list models` names them")
#define COUNT_OF_SURROGATES                                                                                            \
    TC_INT(tc_network_spec, count, 1, 1, 64, "networks", "initialisations of it, averaged while crafting (SAPA: R)")

const tc_option tc_surrogate_table[] = {MODEL_OF_SURROGATE, COUNT_OF_SURROGATES, TC_OPTIONS_END};

const tc_option tc_surrogates_table[] = {
    MODEL_OF_SURROGATE,
    TC_TEXT(tc_network_spec, label, "", "what it is called in the results; empty: the model's name"),
    COUNT_OF_SURROGATES, TC_OPTIONS_END};

#define MODEL_OF_VICTIM                                                                                                \
    TC_TEXT(tc_network_spec, model, "resnet18", "the network that the victim trains; `tocsin list models` names them")

const tc_option tc_victim_table[] = {MODEL_OF_VICTIM, TC_OPTIONS_END};

const tc_option tc_victims_table[] = {
    MODEL_OF_VICTIM, TC_TEXT(tc_network_spec, label, "", "what it is called in the results; empty: the model's name"),
    TC_OPTIONS_END};

tc_status tc_spec_unknown_name(const tc_settings *settings, const char *path, const char *name,
                               const char *const *known, const char *kind, tc_error *error) {
    const char *near = tc_nearest(name, known);
    if (near) return tc_settings_raise(settings, error, path, "'%.64s' is not known; did you mean '%s'?", name, near);
    return tc_settings_raise(settings, error, path, "'%.64s' is not known; `tocsin list %s` names them all", name,
                             kind);
}

static tc_status resolve_model(const tc_settings *settings, tc_network_spec *network, tc_error *error) {
    const char *known[TC_MOST_NAMES + 1] = {NULL};
    const tc_zoo_entry *entries = tc_zoo_entries();
    network->entry = tc_zoo_find(network->model);
    if (network->entry) return TC_OK;
    for (int i = 0; i < TC_MOST_NAMES && entries[i].name; i++) known[i] = entries[i].name;
    char path[64];
    snprintf(path, sizeof path, "%s.model", network->section);
    return tc_spec_unknown_name(settings, path, network->model, known, "models", error);
}

/* The recipe first, so that single settings win over it. */
static tc_status resolve_training(const tc_settings *settings, const char *section, tc_train_options *train,
                                  tc_error *error) {
    char path[64];
    tc_status status = TC_OK;
    snprintf(path, sizeof path, "%s.train", section);
    tc_train_defaults(train);
    TC_TRY(tc_settings_apply(settings, path, tc_train_table, train, error));
    const char *recipe = tc_option_find(tc_train_table, "recipe")->choices[train->recipe];
    TC_TRY(tc_train_apply_recipe(train, recipe, error));
    TC_TRY(tc_settings_apply(settings, path, tc_train_table, train, error));
done:
    return status;
}

/* network->section says where it stands. */
static tc_status resolve_network(const tc_settings *settings, const tc_option *table, tc_network_spec *network,
                                 tc_error *error) {
    const char *section = network->section;
    tc_status status = TC_OK;
    network->count = 1; /* a victim's table has none */
    tc_options_default(table, network);
    TC_TRY(tc_settings_apply(settings, section, table, network, error));
    TC_TRY(resolve_model(settings, network, error));
    const tc_option *options = network->entry->options;
    tc_options_default(options, &network->zoo);
    TC_TRY(tc_settings_refuse_others(settings, section, network->model, table, options, error));
    TC_TRY(tc_settings_apply(settings, section, options, &network->zoo, error));
    TC_TRY(resolve_training(settings, section, &network->train, error));
    if (!*network->label) snprintf(network->label, sizeof network->label, "%s", network->model);
done:
    return status;
}

/* ---- one network, or a list of them ---- */

typedef struct room {
    const char *single, *list; /* the section, and the list that may stand in its place */
    const tc_option *single_table, *list_table;
} room;

static tc_status check_label(const tc_spec *spec, const tc_network_spec *networks, int place, const char *what,
                             tc_error *error) {
    const tc_status status =
        tc_spec_check_label(&spec->settings, networks[place].section, networks[place].label, error);
    if (status != TC_OK) return status;
    for (int v = 0; v < place; v++)
        if (!strcmp(networks[v].label, networks[place].label))
            return tc_settings_raise(&spec->settings, error, networks[place].section,
                                     "is called '%.64s' like another %s; give each a label of its own",
                                     networks[place].label, what);
    return TC_OK;
}

static tc_status resolve_room(const tc_spec *spec, const room *r, tc_network_spec **networks, int *count,
                              tc_error *error) {
    const tc_settings *settings = &spec->settings;
    const int listed = tc_settings_entries(settings, r->list);
    tc_status status = TC_OK;
    if (listed && tc_settings_has(settings, r->single))
        TC_TRY(tc_settings_raise(settings, error, r->single, "is given beside %s; put it into that list", r->list));
    *count = listed ? listed : 1;
    TC_TRY(tc_new(networks, (size_t)*count, sizeof **networks, error));
    for (int v = 0; v < *count; v++) {
        tc_network_spec *network = &(*networks)[v];
        snprintf(network->section, sizeof network->section, "%s", r->single);
        if (listed) snprintf(network->section, sizeof network->section, "%s.%d", r->list, v + 1);
        TC_TRY(resolve_network(settings, listed ? r->list_table : r->single_table, network, error));
        TC_TRY(check_label(spec, *networks, v, r->single, error));
    }
done:
    return status;
}

tc_status tc_spec_resolve_surrogates(tc_spec *spec, tc_error *error) {
    static const room surrogates = {"surrogate", "surrogates", tc_surrogate_table, tc_surrogates_table};
    const int64_t wanted = spec->study.ensemble;
    tc_status status = TC_OK;
    TC_TRY(resolve_room(spec, &surrogates, &spec->surrogates, &spec->surrogates_listed, error));
    spec->surrogate_count = wanted ? (int)wanted : spec->surrogates_listed;
    if (wanted > spec->surrogates_listed)
        TC_TRY(tc_settings_raise(&spec->settings, error, "ensemble",
                                 "is %" PRId64 ", but %d %s given; list more surrogates or use fewer", wanted,
                                 spec->surrogates_listed, spec->surrogates_listed > 1 ? "are" : "is"));
    if (tc_spec_surrogates(spec) > MOST_SURROGATES)
        TC_TRY(tc_settings_raise(&spec->settings, error, spec->surrogates[0].section,
                                 "with the others makes %d networks in all; take at most %d", tc_spec_surrogates(spec),
                                 MOST_SURROGATES));
done:
    return status;
}

tc_status tc_spec_resolve_victims(tc_spec *spec, tc_error *error) {
    static const room victims = {"victim", "victims", tc_victim_table, tc_victims_table};
    return resolve_room(spec, &victims, &spec->victims, &spec->victim_count, error);
}

int tc_spec_surrogates(const tc_spec *spec) {
    int all = 0;
    for (int k = 0; k < spec->surrogate_count; k++) all += (int)spec->surrogates[k].count;
    return all;
}

int tc_spec_surrogate(const tc_spec *spec, int i, int *architecture) {
    int k = 0;
    while (k + 1 < spec->surrogate_count && i >= spec->surrogates[k].count) i -= (int)spec->surrogates[k++].count;
    *architecture = k;
    return i;
}
