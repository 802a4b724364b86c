/* check.c — all that spec, data and networks together do not allow, said before anything is trained or written. The
 * rules are those of the parts that would fail by them: each part is asked itself. */
#include "experiment/spec/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DRAWS = 256 };

/* Puts "WHERE: PATH: " in front of what a part has to say about the input; where that begins with an option of the
 * table, it points there. */
static tc_status at(const tc_spec *spec, const char *path, const tc_option *table, tc_status status,
                    const tc_error *reason, tc_error *error) {
    char name[64];
    if (status != TC_INVALID) return status == TC_OK ? TC_OK : tc_raise(error, status, "%s", reason->message);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(reason->message, " :"), reason->message);
    if (table && tc_option_find(table, name))
        return tc_spec_refuse_options(&spec->settings, path, status, reason, error);
    return tc_settings_raise(&spec->settings, error, path, "%s", reason->message);
}

/* ---- victims and their defences ---- */

/* The training as a defence changes it; as it is otherwise tc_spec_build has checked it. */
static tc_status check_adapted(const tc_spec *spec, const tc_network_spec *network, const tc_defence_spec *defence,
                               const tc_prospect *victim, tc_error *error) {
    char path[64];
    tc_error reason = {0};
    const tc_status status = tc_train_check(victim->train, victim->dataset, victim->model, &reason);
    snprintf(path, sizeof path, "%s.train", network->section);
    if (status != TC_INVALID) return at(spec, path, NULL, status, &reason, error);
    return tc_settings_raise(&spec->settings, error, path, "under the defence %s: %s", defence->label, reason.message);
}

static tc_status check_defence(const tc_spec *spec, const tc_network_spec *network, int d, const tc_dataset *dataset,
                               const tc_model *model, tc_error *error) {
    const tc_defence_spec *chosen = &spec->defences[d];
    const tc_train_options train = tc_spec_training(network, chosen);
    const tc_prospect victim = {.dataset = dataset, .model = model, .train = &train};
    tc_error reason = {0};
    tc_status status = chosen->defence->adapt ? check_adapted(spec, network, chosen, &victim, error) : TC_OK;
    if (status != TC_OK) return status;
    char path[64];
    snprintf(path, sizeof path, "defences.%d", d + 1);
    status = tc_defence_check_victim(chosen->defence, &victim, chosen->options, &reason);
    return at(spec, path, chosen->defence->options, status, &reason, error);
}

static tc_status check_victim(const tc_spec *spec, const tc_network_spec *network, const tc_dataset *dataset,
                              tc_error *error) {
    tc_model *model = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_spec_build(spec, network, dataset, &model, error));
    for (int d = 0; d < spec->defence_count; d++) TC_TRY(check_defence(spec, network, d, dataset, model, error));
done:
    tc_model_free(model);
    return status;
}

/* ---- attacks ---- */

/* The attacker's networks, without weights. */
typedef struct networks {
    tc_architecture *architecture; /* [count] */
    tc_surrogate *surrogate;       /* [surrogates] */
    int count, surrogates;
} networks;

static tc_status make_networks(const tc_spec *spec, const tc_dataset *dataset, networks *n, tc_error *error) {
    const int all = tc_spec_surrogates(spec);
    tc_status status = TC_OK;
    TC_TRY(tc_new(&n->architecture, (size_t)spec->surrogate_count, sizeof *n->architecture, error));
    TC_TRY(tc_new(&n->surrogate, (size_t)all, sizeof *n->surrogate, error));
    for (int k = 0; k < spec->surrogate_count; k++) {
        tc_model *model = NULL;
        TC_TRY(tc_spec_build(spec, &spec->surrogates[k], dataset, &model, error));
        n->architecture[n->count++] = (tc_architecture){model, &spec->surrogates[k].train};
    }
    for (int k; n->surrogates < all; n->surrogates++) {
        tc_spec_surrogate(spec, n->surrogates, &k);
        n->surrogate[n->surrogates].model = n->architecture[k].model;
    }
done:
    return status;
}

static void free_networks(networks *n) {
    for (int k = 0; k < n->count; k++) tc_model_free((tc_model *)(uintptr_t)n->architecture[k].model);
    free(n->architecture);
    free(n->surrogate);
}

/* One trial's draw, for every attack of the spec. */
static tc_status check_attacks(const tc_spec *spec, const tc_dataset *dataset, const tc_threat *threat,
                               const networks *n, tc_error *error) {
    for (int a = 0; a < spec->attack_count; a++) {
        const tc_method_spec *method = &spec->attacks[a];
        const bool trained = method->attack->needs_surrogate;
        const tc_craft_job job = {.dataset = dataset,
                                  .threat = threat,
                                  .surrogates = trained ? n->surrogate : NULL,
                                  .surrogate_count = trained ? n->surrogates : 0,
                                  .architectures = n->architecture,
                                  .architecture_count = n->count};
        tc_error reason = {0};
        char path[64];
        snprintf(path, sizeof path, "attacks.%d", a + 1 - spec->control_added);
        tc_status status = tc_attack_check_job(method->attack, &job, method->options, &reason);
        status = at(spec, path, method->attack->options, status, &reason, error);
        if (status != TC_OK) return status;
    }
    return TC_OK;
}

/* The draw itself knows best whether it can be made; of classes that are drawn, one may have too few images. n: NULL
 * where only the draws are wanted. */
static tc_status check_draws(const tc_spec *spec, const tc_dataset *dataset, const networks *n, tc_error *error) {
    const int64_t trials = spec->study.trials < MOST_DRAWS ? spec->study.trials : MOST_DRAWS;
    tc_status status = TC_OK;
    for (int64_t t = 0; t < trials && status == TC_OK; t++) {
        tc_threat threat = {0};
        tc_error reason = {0};
        status = tc_spec_draw(spec, dataset, t, &threat, &reason);
        status = at(spec, "threat", NULL, status, &reason, error);
        if (status == TC_OK && n) status = check_attacks(spec, dataset, &threat, n, error);
        tc_threat_free(&threat);
    }
    return status;
}

tc_status tc_spec_check_threat(const tc_spec *spec, const tc_dataset *dataset, tc_error *error) {
    return check_draws(spec, dataset, NULL, error);
}

/* ---- the whole ---- */

tc_status tc_spec_check(const tc_spec *spec, const tc_dataset *dataset, tc_error *error) {
    networks n = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_spec_check_data(spec, dataset, error));
    TC_TRY(make_networks(spec, dataset, &n, error));
    for (int v = 0; v < spec->victim_count; v++) TC_TRY(check_victim(spec, &spec->victims[v], dataset, error));
    TC_TRY(check_draws(spec, dataset, &n, error));
done:
    free_networks(&n);
    return status;
}
