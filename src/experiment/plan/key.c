#include "experiment/plan/key.h"

#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

static tc_status no_memory(tc_error *error) {
    return tc_raise(error, TC_FAILED, "memory: none left to plan the study; free some");
}

tc_status tc_key_of(json_t *value, char key[TC_KEY_SIZE], tc_error *error) {
    struct sha256_ctx context;
    char digest[TC_DIGEST_TEXT];
    char *text = value ? json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(value);
    if (!text) return no_memory(error);
    sha256_init(&context);
    sha256_update(&context, strlen(text), (const uint8_t *)text);
    tc_digest_text(&context, digest);
    memcpy(key, digest, TC_KEY_SIZE - 1);
    key[TC_KEY_SIZE - 1] = '\0';
    free(text);
    return TC_OK;
}

/* Which GPU it is says nothing about the results, but how it multiplies does. */
static json_t *device_json(const tc_study_options *study) {
    const char *name = tc_device_names[study->device];
    if (strcmp(name, "cuda") != 0) return json_string(name);
    return json_pack("{s:s, s:s, s:b}", "name", name, "precision", tc_precision_names[study->precision],
                     "deterministic", study->deterministic);
}

tc_status tc_key_surroundings(const tc_spec *spec, char key[TC_KEY_SIZE], tc_error *error) {
    json_t *made = json_pack("{s:s, s:o, s:I, s:I, s:o}", "version", TOCSIN_VERSION, "device",
                             device_json(&spec->study), "threads", (json_int_t)spec->study.threads, "seed",
                             (json_int_t)spec->study.seed, "data", tc_options_json(tc_data_table, &spec->data));
    return tc_key_of(made, key, error);
}

/* The recipe has become the other values; when checkpoints are written changes nothing in the weights. */
static json_t *training_json(const tc_train_options *options) {
    static const char *const irrelevant[] = {"recipe", "checkpoint_minutes"};
    json_t *made = tc_options_json(tc_train_table, options);
    for (int i = 0; i < 2; i++) json_object_del(made, irrelevant[i]);
    return made;
}

tc_status tc_key_network(const tc_network_spec *network, char key[TC_KEY_SIZE], tc_error *error) {
    json_t *made =
        json_pack("{s:s, s:o, s:o}", "model", network->model, "options",
                  tc_options_json(network->entry->options, &network->zoo), "train", training_json(&network->train));
    return tc_key_of(made, key, error);
}

/* Neither the size of the changes nor their number plays a part in who is attacked (tc_threat_draw). */
tc_status tc_key_draw(const tc_spec *spec, char key[TC_KEY_SIZE], tc_error *error) {
    json_t *made = tc_options_json(tc_threat_table, &spec->threat);
    json_object_del(made, "epsilon");
    json_object_del(made, "ratio");
    return tc_key_of(made, key, error);
}

tc_status tc_key_landscape(const tc_spec *spec, char key[TC_KEY_SIZE], tc_error *error) {
    key[0] = '\0';
    if (!spec->landscape.size) return TC_OK;
    json_t *made = tc_options_json(tc_landscape_table, &spec->landscape);
    json_object_del(made, "trials");
    return tc_key_of(made, key, error);
}

tc_status tc_key_attack(const tc_spec *spec, int attack, char key[TC_KEY_SIZE], tc_error *error) {
    const tc_method_spec *method = &spec->attacks[attack];
    json_t *made = json_pack("{s:s, s:o, s:o}", "name", method->name, "options",
                             tc_options_json(method->attack->options, method->options), "threat",
                             tc_options_json(tc_threat_table, &spec->threat));
    return tc_key_of(made, key, error);
}

tc_status tc_key_defence(const tc_defence_spec *chosen, char key[TC_KEY_SIZE], tc_error *error) {
    if (!chosen) return tc_key_of(json_pack("{s:s}", "name", "none"), key, error);
    json_t *made = json_pack("{s:s, s:o}", "name", chosen->name, "options",
                             tc_options_json(chosen->defence->options, chosen->options));
    return tc_key_of(made, key, error);
}
