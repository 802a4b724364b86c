/* cost.c — work of one kind takes the same time whatever the trial, so each kind is tried once.
 *
 * Two trainings are of one kind where data, network and training agree; two craftings, where besides the attack's
 * options and the number of poisons do. What is known of a kind is kept under the hash of that. */
#include "experiment/plan/bench.h"

#include "experiment/plan/key.h"
#include "train/clock.h"

#include <math.h>
#include <stdio.h>
#include <sys/resource.h>

typedef struct survey {
    tc_bench bench;
    json_t *kinds; /* key of a kind → [seconds of a phase, measured]; null: not yet looked at */
} survey;

/* ---- kinds ---- */

static tc_status training_kind(const tc_spec *spec, const tc_network_spec *network, bool judged, char key[TC_KEY_SIZE],
                               tc_error *error) {
    char how[TC_KEY_SIZE];
    const tc_status status = tc_key_network(network, how, error);
    if (status != TC_OK) return status;
    return tc_key_of(json_pack("{s:o, s:s, s:b}", "data", tc_options_json(tc_data_table, &spec->data), "network", how,
                               "judged", judged),
                     key, error);
}

static tc_status crafting_kind(const tc_spec *spec, int attack, char key[TC_KEY_SIZE], tc_error *error) {
    const tc_method_spec *method = &spec->attacks[attack];
    json_t *networks = json_array();
    for (int k = 0; k < spec->surrogate_count; k++) {
        char network[TC_KEY_SIZE];
        const tc_status status = tc_key_network(&spec->surrogates[k], network, error);
        if (status != TC_OK) {
            json_decref(networks);
            return status;
        }
        json_array_append_new(networks, json_pack("[s, I]", network, (json_int_t)spec->surrogates[k].count));
    }
    json_t *threat = tc_options_json(tc_threat_table, &spec->threat);
    json_object_del(threat, "epsilon"); /* how far a pixel may go takes no time */
    return tc_key_of(json_pack("{s:o, s:o, s:o, s:s, s:o}", "data", tc_options_json(tc_data_table, &spec->data),
                               "threat", threat, "networks", networks, "name", method->name, "options",
                               tc_options_json(method->attack->options, method->options)),
                     key, error);
}

/* A victim as it is trained under a defence (−1: none). What a filter itself takes is left out: it is an evaluation or
 * two, beside a training. */
static tc_network_spec defended(const tc_spec *spec, int victim, int defence) {
    tc_network_spec made = spec->victims[victim];
    made.train = tc_spec_training(&made, defence < 0 ? NULL : &spec->defences[defence]);
    return made;
}

static tc_status kind_of(const tc_phase *phase, char key[TC_KEY_SIZE], tc_error *error) {
    const tc_spec *spec = phase->spec;
    if (phase->kind == TC_PHASE_SURROGATE)
        return training_kind(spec, &spec->surrogates[phase->surrogate], false, key, error);
    if (phase->kind == TC_PHASE_CRAFT) return crafting_kind(spec, phase->attack, key, error);
    const tc_network_spec network = defended(spec, phase->victim, phase->defence);
    return training_kind(spec, &network, true, key, error);
}

/* ---- every kind once ---- */

/* Is this kind still to be tried? */
static bool wanted(const survey *s, const char *key) {
    return json_is_null(json_object_get(s->kinds, key));
}

static tc_status note(survey *s, const char *key, tc_tried tried, tc_error *error) {
    if (!isfinite(tried.seconds)) tried.seconds = 0;
    if (!json_object_set_new(s->kinds, key, json_pack("[f, b]", tried.seconds, tried.measured))) return TC_OK;
    return tc_raise(error, TC_FAILED, "memory: none left to measure the study; free some");
}

static tc_status visit_network(survey *s, const tc_network_spec *network, bool judged, tc_error *error) {
    char key[TC_KEY_SIZE];
    tc_tried tried = {0};
    tc_status status = TC_OK;
    TC_TRY(training_kind(s->bench.spec, network, judged, key, error));
    if (!wanted(s, key)) goto done;
    TC_TRY(tc_bench_training(&s->bench, network, judged, &tried, error));
    TC_TRY(note(s, key, tried, error));
done:
    return status;
}

static tc_status visit_attack(survey *s, int attack, tc_error *error) {
    char key[TC_KEY_SIZE];
    tc_tried tried = {0};
    tc_status status = TC_OK;
    TC_TRY(crafting_kind(s->bench.spec, attack, key, error));
    if (!wanted(s, key)) goto done;
    TC_TRY(tc_bench_crafting(&s->bench, attack, &tried, error));
    TC_TRY(note(s, key, tried, error));
done:
    return status;
}

static tc_status visit(void *context, const tc_spec *spec, const tc_dataset *dataset, tc_error *error) {
    survey *s = context;
    tc_status status = TC_OK;
    s->bench.spec = spec;
    s->bench.dataset = dataset;
    TC_TRY(tc_spec_open_device(spec, &s->bench.device, error));
    for (int k = 0; k < spec->surrogate_count; k++) TC_TRY(visit_network(s, &spec->surrogates[k], false, error));
    for (int v = 0; v < spec->victim_count; v++) {
        for (int d = -1; d < spec->defence_count; d++) {
            const tc_network_spec network = defended(spec, v, d);
            TC_TRY(visit_network(s, &network, true, error));
        }
    }
    for (int a = 0; a < spec->attack_count; a++) TC_TRY(visit_attack(s, a, error));
done:
    tc_device_close(s->bench.device);
    s->bench.device = NULL;
    return status;
}

/* For how many phases one stands. Trials are alike where nothing is done: the first one's phases tell which kinds there
 * are, and what they all come to. */
static int64_t stands_for(const tc_plan *plan, const bool *done, int phase) {
    if (done) return !done[phase];
    return plan->phase[phase].trial ? 0 : plan->trials;
}

static tc_status note_kinds(const tc_plan *plan, const bool *done, survey *s, tc_error *error) {
    char key[TC_KEY_SIZE];
    for (int p = 0; p < plan->phases; p++) {
        if (!stands_for(plan, done, p)) continue;
        const tc_status status = kind_of(&plan->phase[p], key, error);
        if (status != TC_OK) return status;
        if (json_object_set_new(s->kinds, key, json_null()))
            return tc_raise(error, TC_FAILED, "memory: none left to measure the study; free some");
    }
    return TC_OK;
}

/* Counts a kind where a phase of it is met first; `met` holds its key once for each sort of phase. */
static tc_status count_kind(json_t *met, tc_phase_kind sort, const char *key, bool measured, tc_cost *cost,
                            tc_error *error) {
    char name[TC_KEY_SIZE + 16];
    snprintf(name, sizeof name, "%s %s", tc_phase_names[sort], key);
    if (json_object_get(met, name)) return TC_OK;
    cost->kinds[sort]++;
    cost->measured[sort] += measured;
    if (!json_object_set_new(met, name, json_true())) return TC_OK;
    return tc_raise(error, TC_FAILED, "memory: none left to measure the study; free some");
}

static tc_status add_up(const tc_plan *plan, const bool *done, const survey *s, tc_cost *cost, tc_error *error) {
    char key[TC_KEY_SIZE];
    json_t *met = json_object();
    tc_status status = TC_OK;
    for (int p = 0; p < plan->phases; p++) {
        const tc_phase *phase = &plan->phase[p];
        const int64_t count = stands_for(plan, done, p);
        if (!count) continue;
        TC_TRY(kind_of(phase, key, error));
        const json_t *kind = json_object_get(s->kinds, key);
        cost->phases[phase->kind] += count;
        cost->seconds[phase->kind] += (double)count * json_number_value(json_array_get(kind, 0));
        TC_TRY(count_kind(met, phase->kind, key, json_is_true(json_array_get(kind, 1)), cost, error));
    }
done:
    json_decref(met);
    return status;
}

void tc_plan_count(const tc_plan *plan, const bool *done, tc_cost *cost) {
    *cost = (tc_cost){0};
    for (int k = 0; k < TC_PHASE_KINDS; k++) cost->seconds[k] = NAN;
    for (int p = 0; p < plan->phases; p++) cost->phases[plan->phase[p].kind] += stands_for(plan, done, p);
}

static int64_t peak_bytes(void) {
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
    return usage.ru_maxrss;
#else
    return (int64_t)usage.ru_maxrss * 1024;
#endif
}

tc_status tc_plan_measure(const tc_plan *plan, const bool *done, double budget, bool (*stop)(void *context),
                          void *context, tc_cost *cost, tc_error *error) {
    survey s = {.kinds = json_object(),
                .bench = {.speeds = json_object(), .stop = stop, .context = context, .deadline = tc_clock() + budget}};
    const int64_t before = peak_bytes();
    tc_status status = TC_OK;
    *cost = (tc_cost){0};
    TC_TRY(note_kinds(plan, done, &s, error));
    s.bench.share = budget / (double)(json_object_size(s.kinds) + 1);
    TC_TRY(tc_plan_each_data(plan, visit, &s, error));
    TC_TRY(add_up(plan, done, &s, cost, error));
    cost->networks = s.bench.networks;
    cost->networks_measured = s.bench.measured;
    cost->peak_bytes = before + (int64_t)s.bench.pass_bytes;
    if (cost->peak_bytes < peak_bytes()) cost->peak_bytes = peak_bytes();
done:
    json_decref(s.bench.speeds);
    json_decref(s.kinds);
    return status;
}
