/* craft.c — include/tocsin/attack.h, but for the threat (threat.c). */
#include "api/api.h"

#include "experiment/trial/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ATTACKS = 255 };

static tc_status find_attack(const char *name, const tc_attack **found, tc_error *error) {
    const char *known[MOST_ATTACKS + 1] = {NULL};
    const tc_attack *all = tc_attacks();
    *found = tc_attack_find(name);
    if (*found) return TC_OK;
    for (int i = 0; i < MOST_ATTACKS && all[i].name; i++) known[i] = all[i].name;
    const char *near = tc_nearest(name, known);
    if (near) return tc_raise(error, TC_INVALID, "attack: '%.64s' is not known; did you mean %s?", name, near);
    return tc_raise(error, TC_INVALID, "attack: '%.64s' is not known; tocsin_list names them all", name);
}

/* *list := [count], borrowing models and weights. */
static tc_status list_surrogates(tocsin_model *const *surrogates, size_t count, tc_surrogate **list, tc_error *error) {
    if (count > INT16_MAX) return tc_raise(error, TC_INVALID, "attack: %zu surrogates are too many", count);
    const tc_status status = tc_new(list, count, sizeof **list, error);
    if (status != TC_OK) return status;
    for (size_t i = 0; i < count; i++) {
        if (!surrogates || !surrogates[i])
            return tc_raise(error, TC_INVALID, "attack: surrogate %zu of %zu is NULL; give one", i, count);
        (*list)[i] = (tc_surrogate){surrogates[i]->network->model, surrogates[i]->weights};
    }
    return TC_OK;
}

static void tell(void *hooks, double fraction, double objective) {
    tocsin_progress told = tc_api_progress("craft", fraction);
    told.loss = objective;
    tc_api_tell(hooks, &told);
}

/* What every crafting has, whatever the attack. */
typedef struct keeping {
    double checkpoint_minutes;
} keeping;

static const tc_option keeping_table[] = {
    TC_REAL(keeping, checkpoint_minutes, 10, 0, 1e6, "minutes",
            "time between checkpoints, where a file for them is named; 0: only when stopped"),
    TC_OPTIONS_END};

/* A caller's settings by whose they are; the lists end with NULL and borrow the texts. */
typedef struct divided {
    const char **own;      /* the attack's: "steps=60" */
    const char **training; /* how it trains networks of its own: "train.epochs=3", from behind the point on */
    const char **keeping;
} divided;

static void free_divided(divided *settings) {
    free(settings->own);
    free(settings->training);
    free(settings->keeping);
}

static tc_status divide_settings(const char *const *settings, divided *made, tc_error *error) {
    static const char training[] = "train.", minutes[] = "checkpoint_minutes=";
    const size_t room = (size_t)tc_api_count(settings) + 1;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&made->own, room, sizeof *made->own, error));
    TC_TRY(tc_new(&made->training, room, sizeof *made->training, error));
    TC_TRY(tc_new(&made->keeping, room, sizeof *made->keeping, error));
    for (size_t i = 0, a = 0, t = 0, k = 0; i + 1 < room; i++) {
        if (strncmp(settings[i], training, sizeof training - 1) == 0)
            made->training[t++] = settings[i] + sizeof training - 1;
        else if (strncmp(settings[i], minutes, sizeof minutes - 1) == 0)
            made->keeping[k++] = settings[i];
        else
            made->own[a++] = settings[i];
    }
done:
    return status;
}

/* A setting that plays no part is a mistake, as one that is not known would be. */
static tc_status read_training(const tc_attack *method, const char *const *settings, tc_train_options *training,
                               tc_error *error) {
    if (*settings && !method->trains)
        return tc_raise(error, TC_INVALID, "%s: train.%.64s: it trains no network; leave that out", method->name,
                        *settings);
    return tc_api_training(settings, training, error);
}

/* Each network of the surrogates once, with the training of those that a method makes itself. */
static tc_status list_architectures(const tc_surrogate *surrogates, size_t count, const tc_train_options *training,
                                    tc_architecture **list, int *architectures, tc_error *error) {
    const tc_status status = tc_new(list, count, sizeof **list, error);
    if (status != TC_OK) return status;
    for (size_t i = 0; i < count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++) seen = surrogates[j].model == surrogates[i].model;
        if (!seen) (*list)[(*architectures)++] = (tc_architecture){surrogates[i].model, training};
    }
    return TC_OK;
}

static tc_status craft(const tc_craft_job *job, const tc_attack *method, const char *const *settings,
                       tocsin_poison **poison, tocsin_craft_result *result, tc_error *error) {
    void *options = NULL;
    tc_poison *made = NULL;
    tc_craft_report report = {.objective = NAN};
    tc_status status = TC_OK;
    TC_TRY(tc_new(&options, 1, method->options_size, error));
    tc_options_default(method->options, options);
    TC_TRY(tc_api_lay(method->options, options, settings, method->name, error));
    if (tc_attack_check(method, options, error) != TC_OK) TC_TRY(tc_error_at(error, method->name));
    TC_TRY(method->craft(job, options, &made, &report, error));
    TC_TRY(tc_device_health(job->device, error));
    tc_craft_forget(job->checkpoint);
    *poison = (tocsin_poison *)made;
    made = NULL;
    if (result)
        *result = (tocsin_craft_result){report.objective, report.seconds, report.steps, report.gradients, report.jvps};
done:
    tc_poison_free(made);
    free(options);
    return status;
}

tocsin_status tocsin_craft(tocsin_device *device, const tocsin_dataset *dataset, const tocsin_threat *threat,
                           const char *attack, const char *const *settings, tocsin_model *const *surrogates,
                           size_t surrogate_count, uint64_t seed, const tocsin_hooks *hooks, const char *checkpoint,
                           tocsin_poison **poison, tocsin_craft_result *result, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(poison);
    *poison = NULL;
    TC_NEED(device);
    TC_NEED(dataset);
    TC_NEED(threat);
    TC_NEED(attack);
    const tc_attack *method = NULL;
    tc_surrogate *list = NULL;
    tc_architecture *architectures = NULL;
    int architecture_count = 0;
    divided by = {0};
    keeping kept;
    tc_train_options training;
    tc_status status = TC_OK;
    TC_TRY(find_attack(attack, &method, error));
    TC_TRY(tc_threat_check(tc_threat_of(threat), tc_dataset_of(dataset), error));
    if (!(method->goals >> tc_threat_of(threat)->goal & 1))
        TC_RAISE(TC_INVALID, "%s: is no attack for a threat whose goal is %s; draw another threat", attack,
                 tc_goal_names[tc_threat_of(threat)->goal]);
    TC_TRY(list_surrogates(surrogates, surrogate_count, &list, error));
    TC_TRY(divide_settings(settings, &by, error));
    TC_TRY(read_training(method, by.training, &training, error));
    tc_options_default(keeping_table, &kept);
    TC_TRY(tc_api_lay(keeping_table, &kept, by.keeping, method->name, error));
    training.checkpoint_minutes = kept.checkpoint_minutes;
    TC_TRY(list_architectures(list, surrogate_count, &training, &architectures, &architecture_count, error));
    const tc_craft_job job = {.device = tc_device_of(device),
                              .dataset = tc_dataset_of(dataset),
                              .threat = tc_threat_of(threat),
                              .surrogates = list,
                              .surrogate_count = (int)surrogate_count,
                              .architectures = architectures,
                              .architecture_count = architecture_count,
                              .stream = tc_stream_child(tc_stream_make(seed), "craft", 0),
                              .progress = tell,
                              .stop = tc_api_stopped,
                              .context = (void *)(uintptr_t)hooks,
                              .checkpoint = checkpoint,
                              .checkpoint_minutes = kept.checkpoint_minutes};
    TC_TRY(craft(&job, method, by.own, poison, result, error));
done:
    free_divided(&by);
    free(architectures);
    free(list);
    return status;
}

tocsin_status tocsin_success(tocsin_device *device, const tocsin_model *model, const tocsin_dataset *dataset,
                             const tocsin_threat *threat, double *success, int32_t *predicted, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(device);
    TC_NEED(model);
    TC_NEED(dataset);
    TC_NEED(threat);
    TC_NEED(success);
    const tc_lab lab = {.device = tc_device_of(device), .dataset = (tc_dataset *)(uintptr_t)dataset};
    const tc_trial trial = {.lab = &lab, .threat = *tc_threat_of(threat)}; /* as much of one as predicting reads */
    tc_opinion opinion = {0};
    size_t hits = 0;
    tc_status status = TC_OK;
    TC_TRY(tc_threat_check(&trial.threat, lab.dataset, error));
    TC_TRY(tc_new(&opinion.prediction, trial.threat.targets, sizeof *opinion.prediction, error));
    TC_TRY(tc_trial_predict(&trial, model->network->model, &model->weights, &opinion, error));
    for (size_t i = 0; i < trial.threat.targets; i++) {
        hits += opinion.prediction[i] == trial.threat.intended_class;
        if (predicted) predicted[i] = opinion.prediction[i];
    }
    *success = (double)hits / (double)trial.threat.targets;
done:
    free(opinion.prediction);
    return status;
}
