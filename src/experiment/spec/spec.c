/* spec.c — from settings to meaning: every section through its tables, then the checks that need more than one value.
 */
#include "experiment/spec/spec.h"

#include "experiment/spec/change.h"
#include "experiment/spec/parts.h"
#include "experiment/spec/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const tc_device_names[] = {"cpu", "reference", "cuda", NULL};
const char *const tc_precision_names[] = {
    [TC_F32_MATHS] = "f32", [TC_TF32_MATHS] = "tf32", [TC_BF16_MATHS] = "bf16", NULL};

const tc_option tc_study_table[] = {
    TC_TEXT(tc_study_options, name, "", "what the study is called; empty: the spec file's own name"),
    TC_INT(tc_study_options, seed, 1, 0, 999999999999999, "", "all random numbers of the study come from it"),
    TC_INT(tc_study_options, trials, 8, 1, 1000000, "trials",
           "repetitions, each with its own targets and initialisations"),
    TC_CHOICE(tc_study_options, device, "cpu", tc_device_names,
              "what computes: the processor; the processor in double precision, slowly; an NVIDIA GPU"),
    TC_INT(tc_study_options, gpu, -1, -1, 1023, "",
           "of several GPUs, which one, from 0; -1: jobs take turns on all of them; no result depends on it"),
    TC_CHOICE(tc_study_options, precision, "f32", tc_precision_names,
              "what a GPU's convolutions and matrix products round their factors to; sums, weights and all else stay "
              "f32, and other devices know nothing else"),
    TC_BOOL(tc_study_options, deterministic, "true",
            "a GPU gives the same bits each time; false: also takes algorithms that do not, where they are faster"),
    TC_INT(tc_study_options, threads, 0, 0, 4096, "threads", "0: all cores"),
    TC_INT(tc_study_options, ensemble, 0, 0, 64, "networks",
           "of a list of surrogates, how many are used, the first ones; 0: all (SAPA: K)"),
    TC_BOOL(tc_study_options, keep_models, "false", "write surrogates and victims to models/ as safetensors"),
    TC_OPTIONS_END};

const tc_option tc_data_table[] = {
    TC_TEXT(tc_data_options, source, "shapes10",
            "shapes10, glyphs, or KIND:PATH; `tocsin list datasets` names the kinds"),
    TC_INT(tc_data_options, size, 0, 0, 4096, "pixels", "resize the images of a folder to size x size; 0: leave them"),
    TC_INT(tc_data_options, train_per_class, 0, 0, 1e9, "images", "training images of each class; 0: all"),
    TC_INT(tc_data_options, test_per_class, 0, 0, 1e9, "images", "test images of each class; 0: all"),
    TC_INT(tc_data_options, seed, 0, 0, 999999999999999, "",
           "of the subset, and of the test images taken out of a folder that has none; generated images are always the "
           "same"),
    TC_OPTIONS_END};

const tc_option tc_landscape_table[] = {
    TC_INT(tc_landscape_spec, size, 0, 0, 201, "values",
           "a side of the map of the attacker's loss around each poisoned network, odd; 0: none"),
    TC_REAL_ABOVE(tc_landscape_spec, extent, 0.5, 0, 100, "",
                  "how far it goes, as a part of the length of each filter"),
    TC_INT(tc_landscape_spec, images, 64, 1, 10000, "images", "of those the attack is about, at most"),
    TC_INT(tc_landscape_spec, trials, 1, 1, 1000000, "trials", "the first ones, of each cell"), TC_OPTIONS_END};

const tc_option tc_method_table[] = {
    TC_TEXT(tc_method_spec, name, "", "the method; `tocsin list attacks` names them"),
    TC_TEXT(tc_method_spec, label, "", "what it is called in the results; empty: the name, and the sharpness if any"),
    TC_OPTIONS_END};

/* ---- attacks ---- */

/* The sharpness belongs to the default label: it is what most often tells two attacks of one study apart. */
static void label_by_default(tc_method_spec *method) {
    const tc_option *sharpness = tc_option_find(method->attack->options, "sharpness");
    char value[64] = "none";
    if (*method->label) return;
    if (sharpness) tc_option_format(sharpness, method->options, value, sizeof value);
    const bool plain = !strcmp(value, "none");
    snprintf(method->label, sizeof method->label, "%.400s%s%s", method->name, plain ? "" : " + ", plain ? "" : value);
}

tc_status tc_spec_refuse_options(const tc_settings *settings, const char *path, tc_status said, const tc_error *reason,
                                 tc_error *error) {
    char key[128];
    if (said != TC_INVALID) return said == TC_OK ? TC_OK : tc_raise(error, said, "%s", reason->message);
    snprintf(key, sizeof key, "%.60s.%.*s", path, (int)strcspn(reason->message, " :"), reason->message);
    return tc_raise(error, said, "%s: %s.%s", tc_settings_where(settings, key), path, reason->message);
}

tc_status tc_spec_check_label(const tc_settings *settings, const char *path, const char *label, tc_error *error) {
    if (!*label || label[strspn(label, "0123456789")]) return TC_OK;
    return tc_settings_raise(settings, error, path,
                             "is called '%.64s', which in keys is a place in the list; give it a label with a letter",
                             label);
}

static tc_status resolve_method(const tc_settings *settings, const char *path, tc_method_spec *method,
                                tc_error *error) {
    tc_status status = TC_OK;
    tc_error reason = {0};
    char key[64];
    tc_options_default(tc_method_table, method);
    TC_TRY(tc_settings_apply(settings, path, tc_method_table, method, error));
    snprintf(key, sizeof key, "%s.name", path);
    if (!*method->name)
        TC_TRY(tc_settings_raise(settings, error, path, "has no name; give it one of `tocsin list attacks`"));
    method->attack = tc_attack_find(method->name);
    if (!method->attack) {
        const char *known[TC_MOST_NAMES + 1] = {NULL};
        for (int i = 0; i < TC_MOST_NAMES && tc_attacks()[i].name; i++) known[i] = tc_attacks()[i].name;
        status = tc_spec_unknown_name(settings, key, method->name, known, "attacks", error);
        goto done;
    }
    TC_TRY(tc_settings_refuse_others(settings, path, method->name, tc_method_table, method->attack->options, error));
    TC_TRY(tc_new(&method->options, 1, method->attack->options_size, error));
    tc_options_default(method->attack->options, method->options);
    TC_TRY(tc_settings_apply(settings, path, method->attack->options, method->options, error));
    TC_TRY(tc_spec_refuse_options(settings, path, tc_attack_check(method->attack, method->options, &reason), &reason,
                                  error));
    label_by_default(method);
    TC_TRY(tc_spec_check_label(settings, path, method->label, error));
done:
    return status;
}

/* A study without its control would take the victims' ordinary mistakes for the attack's doing. */
static tc_status add_control(tc_method_spec *method, tc_error *error) {
    tc_options_default(tc_method_table, method);
    snprintf(method->name, sizeof method->name, "%s", TC_CONTROL);
    snprintf(method->label, sizeof method->label, "%s", TC_CONTROL);
    method->attack = tc_attack_find(TC_CONTROL);
    if (!method->attack)
        return tc_raise(error, TC_FAILED, "attacks: %s is not built in; build all of src/attack", TC_CONTROL);
    const tc_status status = tc_new(&method->options, 1, method->attack->options_size, error);
    if (status == TC_OK) tc_options_default(method->attack->options, method->options);
    return status;
}

static bool has_control(const tc_settings *settings, int entries) {
    for (int i = 1; i <= entries; i++) {
        char key[64];
        snprintf(key, sizeof key, "attacks.%d.name", i);
        const char *name = tc_settings_text(settings, key);
        if (name && !strcmp(name, TC_CONTROL)) return true;
    }
    return false;
}

static tc_status check_labels(const tc_spec *spec, int first, tc_error *error) {
    for (int i = 0; i < spec->attack_count; i++) {
        for (int j = 0; j < i; j++) {
            if (strcmp(spec->attacks[i].label, spec->attacks[j].label)) continue;
            char path[64];
            snprintf(path, sizeof path, "attacks.%d", i - first + 1);
            return tc_settings_raise(&spec->settings, error, path,
                                     "is called '%.64s' like another attack; give each a label of its own",
                                     spec->attacks[i].label);
        }
    }
    return TC_OK;
}

static tc_status resolve_attacks(tc_spec *spec, tc_spec_need need, tc_error *error) {
    tc_status status = TC_OK;
    const int entries = tc_settings_entries(&spec->settings, "attacks");
    if (need == TC_SPEC_STUDY && !entries) {
        TC_TRY(tc_settings_raise(&spec->settings, error, "attacks",
                                 "none is given; add a list of them, `tocsin list attacks` names them"));
    }
    const int first = need == TC_SPEC_STUDY && !has_control(&spec->settings, entries); /* 1: the control is added */
    TC_TRY(tc_new(&spec->attacks, (size_t)(entries + first), sizeof *spec->attacks, error));
    spec->attack_count = entries + first;
    spec->control_added = first;
    if (first) TC_TRY(add_control(&spec->attacks[0], error));
    for (int i = 0; i < entries; i++) {
        char path[64];
        snprintf(path, sizeof path, "attacks.%d", i + 1);
        TC_TRY(resolve_method(&spec->settings, path, &spec->attacks[first + i], error));
    }
    TC_TRY(check_labels(spec, first, error));
done:
    return status;
}

/* ---- the whole ---- */

static void name_by_default(tc_spec *spec, const char *path) {
    if (*spec->study.name || !path) {
        if (!*spec->study.name) snprintf(spec->study.name, sizeof spec->study.name, "study");
        return;
    }
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    const int length = dot && dot > base ? (int)(dot - base) : (int)strlen(base);
    snprintf(spec->study.name, sizeof spec->study.name, "%.*s", length, base);
}

static tc_status check_name(const tc_spec *spec, tc_error *error) {
    if (!tc_is_text(spec->study.name))
        return tc_settings_raise(&spec->settings, error, "name", "is no UTF-8; give the study a name of its own");
    if (!strchr(spec->study.name, '/') && spec->study.name[0] != '.' && strlen(spec->study.name) <= 200) return TC_OK;
    return tc_settings_raise(&spec->settings, error, "name",
                             "'%.64s' cannot name a folder; leave out '/', a leading '.' and all beyond 200 bytes",
                             spec->study.name);
}

/* A method that cannot serve the threat's goal. */
static tc_status check_goals(const tc_spec *spec, tc_error *error) {
    const int first = spec->control_added;
    for (int i = first; i < spec->attack_count; i++) {
        const tc_attack *attack = spec->attacks[i].attack;
        char path[64];
        if (attack->goals >> spec->threat.goal & 1) continue;
        snprintf(path, sizeof path, "attacks.%d", i - first + 1);
        return tc_settings_raise(&spec->settings, error, path,
                                 "%s is no attack for threat.goal %s; it is %s, `tocsin list attacks` shows which fit",
                                 attack->name, tc_goal_names[spec->threat.goal], attack->kind);
    }
    return TC_OK;
}

static tc_status check_landscape(const tc_spec *spec, tc_error *error) {
    const int64_t size = spec->landscape.size;
    if (!size || (size % 2 && size > 1)) return TC_OK;
    return tc_settings_raise(&spec->settings, error, "landscape.size",
                             "is %lld; take an odd number from 3, so that the trained weights are in the middle",
                             (long long)size);
}

static tc_status check_threat(const tc_spec *spec, tc_error *error) {
    const tc_threat_options *threat = &spec->threat;
    if (threat->intended_class < 0 || threat->intended_class != threat->target_class) return TC_OK;
    return tc_settings_raise(&spec->settings, error, "threat.intended_class",
                             "is %lld, the targets' own class; choose another, or -1 to draw one",
                             (long long)threat->intended_class);
}

static tc_status resolve(tc_spec *spec, const char *path, tc_spec_need need, tc_error *error) {
    const tc_settings *settings = &spec->settings;
    tc_status status = TC_OK;
    tc_options_default(tc_study_table, &spec->study);
    tc_options_default(tc_data_table, &spec->data);
    tc_options_default(tc_threat_table, &spec->threat);
    tc_options_default(tc_landscape_table, &spec->landscape);
    TC_TRY(tc_settings_apply(settings, "", tc_study_table, &spec->study, error));
    TC_TRY(tc_settings_apply(settings, "dataset", tc_data_table, &spec->data, error));
    TC_TRY(tc_settings_apply(settings, "threat", tc_threat_table, &spec->threat, error));
    TC_TRY(tc_settings_apply(settings, "landscape", tc_landscape_table, &spec->landscape, error));
    TC_TRY(tc_spec_resolve_surrogates(spec, error));
    TC_TRY(tc_spec_resolve_victims(spec, error));
    TC_TRY(resolve_attacks(spec, need, error));
    TC_TRY(tc_spec_resolve_defences(spec, error));
    name_by_default(spec, path);
    TC_TRY(check_name(spec, error));
    TC_TRY(check_threat(spec, error));
    TC_TRY(check_landscape(spec, error));
    TC_TRY(check_goals(spec, error));
done:
    return status;
}

tc_status tc_spec_resolve(tc_settings *settings, const char *path, tc_spec_need need, tc_spec **spec, tc_error *error) {
    tc_status status = TC_OK;
    tc_spec *made = NULL;
    *spec = NULL;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    made->settings = *settings;
    *settings = (tc_settings){0};
    TC_TRY(resolve(made, path, need, error));
    *spec = made;
    made = NULL;
done:
    tc_spec_free(made);
    return status;
}

tc_status tc_spec_load(const char *path, const char *const *changes, int change_count, tc_spec_need need,
                       tc_spec **spec, tc_error *error) {
    tc_settings settings = {0};
    *spec = NULL;
    tc_status status = tc_spec_read(path, changes, change_count, &settings, NULL, error);
    if (status == TC_OK) status = tc_spec_resolve(&settings, path, need, spec, error);
    tc_settings_free(&settings);
    return status;
}

void tc_spec_free(tc_spec *spec) {
    if (!spec) return;
    for (int i = 0; i < spec->attack_count; i++) free(spec->attacks[i].options);
    for (int i = 0; i < spec->defence_count; i++) free(spec->defences[i].options);
    free(spec->attacks);
    free(spec->defences);
    free(spec->victims);
    free(spec->surrogates);
    tc_settings_free(&spec->settings);
    free(spec);
}
