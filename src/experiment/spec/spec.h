/* spec.h — one study as it was asked for: the YAML file, what the command line changed in it, and every default.
 *
 * The keys, their types, ranges and defaults come from the option tables of the parts that use them (base/option.h);
 * this floor adds only the tables of the keys that belong to no part: the study's own, the data's, and which network or
 * method a section is about. docs/spec.md shows a whole file. */
#ifndef TC_EXPERIMENT_SPEC_SPEC_H
#define TC_EXPERIMENT_SPEC_SPEC_H

#include "attack/attack.h"
#include "defence/defence.h"
#include "experiment/spec/settings.h"
#include "train/train.h"
#include "zoo/zoo.h"

#include <jansson.h>

typedef struct tc_study_options {
    char name[TC_TEXT_SIZE]; /* "" until known: the spec file's own name */
    int64_t seed, trials, threads;
    int64_t ensemble;   /* of a list of surrogates: how many are used, the first ones; 0: all */
    int device;         /* choice: cpu, reference, cuda */
    int64_t gpu;        /* of cuda: which one; −1: the workers take turns */
    int precision;      /* of cuda: tc_precision */
    bool deterministic; /* of cuda */
    bool keep_models;   /* write models/…safetensors */
} tc_study_options;
extern const tc_option tc_study_table[];
extern const char *const tc_device_names[], *const tc_precision_names[];

typedef struct tc_data_options {
    char source[TC_TEXT_SIZE];
    int64_t size, train_per_class, test_per_class, seed;
} tc_data_options;
extern const tc_option tc_data_table[];

/* The attacker's loss around the networks trained on poisons (evaluate/landscape.h); part of judging them. */
typedef struct tc_landscape_spec {
    int64_t size;   /* values a side; 0: none is drawn */
    int64_t trials; /* the first ones */
    int64_t images; /* of D_T, at most */
    double extent;
} tc_landscape_spec;
extern const tc_option tc_landscape_table[];

/* A network and how it is trained. */
typedef struct tc_network_spec {
    char section[32]; /* where it stands in the spec: "surrogate", "surrogates.1", "victim", "victims.2" */
    char model[TC_TEXT_SIZE];
    char label[TC_TEXT_SIZE]; /* what it is called in the results */
    int64_t count;            /* of surrogates: how many, from different initialisations */
    const tc_zoo_entry *entry;
    tc_zoo_options zoo;
    tc_train_options train;
} tc_network_spec;
extern const tc_option tc_surrogate_table[];  /* of the section `surrogate`, the only one */
extern const tc_option tc_surrogates_table[]; /* of an entry of the list `surrogates` */
extern const tc_option tc_victim_table[], tc_victims_table[];

/* One attack of the study: a method and its options. */
typedef struct tc_method_spec {
    char name[TC_TEXT_SIZE], label[TC_TEXT_SIZE];
    const tc_attack *attack;
    void *options; /* [attack->options_size] */
} tc_method_spec;
extern const tc_option tc_method_table[];

/* One defence of the study. */
typedef struct tc_defence_spec {
    char name[TC_TEXT_SIZE], label[TC_TEXT_SIZE];
    const tc_defence *defence;
    void *options; /* [defence->options_size] */
} tc_defence_spec;
extern const tc_option tc_defence_table[];

/* How a network is trained under a defence (NULL: none). */
tc_train_options tc_spec_training(const tc_network_spec *network, const tc_defence_spec *defence);

typedef struct tc_spec {
    tc_settings settings; /* what was said, and where */
    tc_study_options study;
    tc_data_options data;
    tc_threat_options threat;
    tc_landscape_spec landscape;
    tc_network_spec *surrogates; /* [surrogates_listed], of which the first surrogate_count are used */
    int surrogates_listed, surrogate_count;
    tc_network_spec *victims; /* [victim_count], at least one */
    int victim_count;
    tc_method_spec *attacks; /* [attack_count]; the control, random-noise, is always among them */
    int attack_count;
    bool control_added;        /* as attacks[0], because nobody asked for it */
    tc_defence_spec *defences; /* [defence_count], at least one: `none` */
    int defence_count;
} tc_spec;

/* A whole study needs an attack and gets its control; a phase on its own (train, craft) takes what is there. */
typedef enum tc_spec_need { TC_SPEC_STUDY, TC_SPEC_PHASE } tc_spec_need;

/* Reads `path` (NULL: defaults only), lays the `changes` ("threat.epsilon=8", "attacks.SAPA.rho=0.1") over it and
 * checks everything that can be checked without the data. Errors are TC_INVALID and name file and line. */
tc_status tc_spec_load(const char *path, const char *const *changes, int change_count, tc_spec_need need,
                       tc_spec **spec, tc_error *error);
/* Its second half (read.h is the first): from settings, which it takes over and leaves empty, to their meaning. */
tc_status tc_spec_resolve(tc_settings *settings, const char *path, tc_spec_need need, tc_spec **spec, tc_error *error);
void tc_spec_free(tc_spec *spec);

/* Opens the data; checks against it the classes and the training; and whether the threat can be drawn from it, in the
 * study's first trials at least: enough targets, enough poisons. */
tc_status tc_spec_open_data(const tc_spec *spec, tc_dataset **dataset, tc_error *error);
tc_status tc_spec_check_data(const tc_spec *spec, const tc_dataset *dataset, tc_error *error);
tc_status tc_spec_check_threat(const tc_spec *spec, const tc_dataset *dataset, tc_error *error);
/* All of that, and what the parts would say of each other once they meet: the networks, their training under each
 * defence, each attack with its surrogates and the draws, each defence with each victim. Trains and writes nothing. */
tc_status tc_spec_check(const tc_spec *spec, const tc_dataset *dataset, tc_error *error);
/* Networks over all architectures (K × R), and which of them number `i` is: *architecture, and which initialisation.
 * Beyond the last it goes on with initialisations of the last architecture. */
int tc_spec_surrogates(const tc_spec *spec);
int tc_spec_surrogate(const tc_spec *spec, int i, int *architecture);
/* The stream from which all random numbers of a trial come, and the trial's draw of the threat. */
tc_stream tc_spec_stream(const tc_spec *spec, int64_t trial);
tc_status tc_spec_draw(const tc_spec *spec, const tc_dataset *dataset, int64_t trial, tc_threat *threat,
                       tc_error *error);
/* One of the spec's networks for the images of `dataset`. */
tc_status tc_spec_build(const tc_spec *spec, const tc_network_spec *network, const tc_dataset *dataset,
                        tc_model **model, tc_error *error);
/* The device that the spec asks for. `turn`: the number of the worker on its machine, which says whose GPU it takes
 * where there are several and the spec names none. */
tc_device_options tc_spec_device(const tc_spec *spec, int turn);
tc_status tc_spec_open_device(const tc_spec *spec, tc_device **device, tc_error *error); /* turn 0 */

/* Everything resolved, defaults included, as JSON: a new reference. */
json_t *tc_spec_json(const tc_spec *spec);
/* Such JSON, whose reference is taken, as YAML that tc_spec_load takes. */
tc_status tc_json_save_yaml(json_t *root, const char *path, tc_error *error);
/* All options of a table as a JSON object of numbers, booleans and texts. */
json_t *tc_options_json(const tc_option *table, const void *object);

#endif
