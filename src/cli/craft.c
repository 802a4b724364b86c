#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/progress.h"
#include "experiment/run/study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const tc_flag flags[] = {
    {"out", "DIR", "the poison's folder (required)"},
    {"surrogate", "FILE", "W.safetensors of a trained surrogate; may be repeated"},
    {"attack", "LABEL", "which attack of the spec, by label or name; needed where it has several"},
    {"trial", "N", "the trial whose targets and random numbers are taken, from 0 [0]"},
    TC_ROOM_FLAGS,
    TC_SPEC_FLAGS,
    {"json", NULL, "print the result as JSON"},
    TC_COMMON_FLAGS,
    TC_FLAGS_END};

static const tc_usage usage = {
    .command = "craft",
    .operands = "[SPEC.yaml]",
    .summary = "craft one poison against given surrogates",
    .details =
        "Without a spec: tocsin craft --set attacks.1.name=gradient-matching --surrogate W.safetensors --out DIR\n"
        "While at work it keeps what it has done in DIR.checkpoint; interrupted (Ctrl-C) or killed, it goes on with "
        "--resume.\n",
    .most = 1,
    .flags = flags};

static tc_status choose(const tc_arguments *arguments, const tc_spec *spec, const tc_method_spec **method,
                        tc_error *error) {
    const char *wanted = tc_arguments_value(arguments, "attack", NULL), *labels[TC_MOST_ARGUMENTS] = {NULL};
    *method = spec->attacks;
    if (!spec->attack_count)
        return tc_raise(error, TC_INVALID, "craft: no attack is given; add --set attacks.1.name=NAME");
    if (!wanted && spec->attack_count > 1)
        return tc_raise(error, TC_INVALID, "craft: the spec has %d attacks; choose one with --attack LABEL",
                        spec->attack_count);
    if (!wanted) return TC_OK;
    for (int i = 0; i < spec->attack_count; i++) {
        *method = &spec->attacks[i];
        if (!strcmp((*method)->label, wanted)) return TC_OK;
        if (i < TC_MOST_ARGUMENTS - 1) labels[i] = (*method)->label;
    }
    const char *near = tc_nearest(wanted, labels);
    return tc_raise(error, TC_INVALID, "craft: --attack '%.64s' is not in the spec; %s%s%s", wanted,
                    near ? "did you mean '" : "it begins with '", near ? near : spec->attacks[0].label, "'?");
}

static tc_status load_surrogates(const tc_arguments *arguments, const tc_method_spec *method, tc_trial *trial,
                                 tc_error *error) {
    const char *files[TC_MOST_ARGUMENTS];
    const int count = tc_arguments_values(arguments, "surrogate", files);
    tc_status status = TC_OK;
    if (!count && method->attack->needs_surrogate)
        TC_RAISE(TC_INVALID,
                 "craft: %s needs a surrogate; train one with `tocsin train --network surrogate` and give it "
                 "with --surrogate",
                 method->name);
    const tc_spec *spec = trial->lab->spec;
    if (count && spec->surrogate_count > 1 && count != tc_spec_surrogates(spec))
        TC_RAISE(TC_INVALID,
                 "craft: --surrogate is given %d times; the spec's list has %d networks, give all in its order", count,
                 tc_spec_surrogates(spec));
    TC_TRY(tc_new(&trial->surrogates, (size_t)count, sizeof *trial->surrogates, error));
    for (int k = 0; k < count; k++) {
        int architecture;
        tc_spec_surrogate(spec, k, &architecture);
        tc_model *model = trial->lab->surrogates[architecture];
        trial->surrogates[k].model = model;
        trial->surrogate_count = k + 1;
        TC_TRY(tc_weights_create(model, &trial->surrogates[k].weights, error));
        TC_TRY(tc_weights_load(model, files[k], &trial->surrogates[k].weights, error));
    }
done:
    return status;
}

/* What a checkpoint is worth nothing without. */
static tc_status open_room(tc_room *room, const tc_arguments *arguments, const tc_trial *trial,
                           const tc_method_spec *method, tc_error *error) {
    const tc_spec *spec = trial->lab->spec;
    const char *files[TC_MOST_ARGUMENTS];
    const int count = tc_arguments_values(arguments, "surrogate", files);
    json_t *data = json_object();
    tc_status status = TC_OK;
    tc_room_digest_data(data, spec->data.source, trial->lab->dataset);
    for (int k = 0; k < count && status == TC_OK; k++) {
        char name[32];
        snprintf(name, sizeof name, "surrogate %d", k + 1);
        status = tc_room_digest_file(data, name, files[k], error);
    }
    if (status != TC_OK) {
        json_decref(data);
        return status;
    }
    json_t *asked = json_pack("{s:s, s:o, s:s, s:I}", "command", "craft", "spec", tc_spec_json(spec), "attack",
                              method->label, "trial", (json_int_t)trial->number);
    return tc_room_open(room, asked, data, error);
}

static tc_status tell(const tc_arguments *arguments, const char *folder, const tc_outcome *outcome, tc_error *error) {
    const size_t images = outcome->poison->replaced + outcome->poison->added;
    if (tc_arguments_has(arguments, "json")) {
        json_t *made =
            json_pack("{s:s, s:I, s:i, s:f, s:I, s:I, s:I}", "poison", folder, "images", (json_int_t)images, "linf",
                      outcome->linf, "seconds", outcome->craft_seconds, "steps", (json_int_t)outcome->steps,
                      "gradients", (json_int_t)outcome->gradients, "jvps", (json_int_t)outcome->jvps);
        const bool told = isfinite(outcome->objective);
        json_object_set_new(made, "objective", told ? json_real(outcome->objective) : json_null());
        return tc_cli_print_json(made, error);
    }
    if (tc_log_verbosity() == TC_QUIET) return TC_OK;
    printf("%zu poisons, changed by at most %d/255, ", images, outcome->linf);
    if (isfinite(outcome->objective)) printf("objective %.4g, ", outcome->objective);
    printf("%.1f s; in %s\n", outcome->craft_seconds, folder);
    return TC_OK;
}

static tc_status craft(const tc_arguments *arguments, tc_error *error) {
    tc_meter meter = tc_meter_begin();
    const tc_trial_hooks hooks = {.progress = tc_meter_show, .stop = tc_cli_stopped, .context = &meter};
    const tc_method_spec *method = NULL;
    const char *out = tc_arguments_value(arguments, "out", "");
    tc_spec *spec = NULL;
    tc_lab lab = {0};
    tc_trial trial = {0};
    tc_outcome outcome = {0};
    tc_room room = {0};
    int64_t number = 0;
    tc_status status = TC_OK;
    if (!*out) TC_RAISE(TC_INVALID, "craft: --out is missing; write --out DIR");
    TC_TRY(tc_arguments_int(arguments, "trial", 0, 1000000, 0, &number, error));
    TC_TRY(tc_cli_spec(arguments, arguments->count ? arguments->positional[0] : NULL, TC_SPEC_PHASE, &spec, error));
    TC_TRY(choose(arguments, spec, &method, error));
    TC_TRY(tc_cli_check_output(out, error));
    TC_TRY(tc_cli_room(arguments, out, &room, error));
    TC_TRY(tc_poison_check_folder(out, tc_room_replaces(&room), error));
    TC_TRY(tc_lab_open(spec, 0, &hooks, &lab, error));
    TC_TRY(tc_spec_check_threat(spec, lab.dataset, error));
    tc_trial_open(&lab, number, &trial);
    TC_TRY(tc_trial_draw(&trial, error));
    TC_TRY(load_surrogates(arguments, method, &trial, error));
    TC_TRY(open_room(&room, arguments, &trial, method, error));
    tc_cli_catch_signals();
    TC_TRY(tc_room_craft(&room, &trial, method, false, &outcome, error));
    tc_meter_clear(&meter);
    TC_TRY(tc_study_save_poison(&trial, method, &outcome, NULL, out, error));
    TC_TRY(tell(arguments, out, &outcome, error));
done:
    tc_meter_clear(&meter);
    status = tc_room_close(&room, status, error);
    tc_outcome_free(&outcome);
    tc_trial_end(&trial);
    tc_lab_close(&lab);
    tc_spec_free(spec);
    return status;
}

int tc_cli_craft(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = craft(&arguments, &error);
    return tc_cli_finish(status, &error);
}
