/* attack.h — what an attack is, and the registry of them.
 *
 * An attack is handed a job: the data, the threat model (who the targets are, which samples may be changed, by how
 * much) and trained surrogates. It returns a poison. A new attack is one file: a struct of options, a table that
 * describes them, a craft function, and one row in registry.c. */
#ifndef TC_ATTACK_ATTACK_H
#define TC_ATTACK_ATTACK_H

#include "base/option.h"
#include "data/dataset.h"
#include "nn/weights.h"

/* The threat model of a targeted attack, independent of the method. */
typedef struct tc_threat_options {
    double epsilon;         /* largest change of a pixel, in 8-bit steps, 0 … 255 */
    double ratio;           /* share of the training set that may be changed, (0, 1] */
    int64_t targets;        /* how many test images are attacked at once */
    int64_t target_class;   /* the targets' true class; −1: drawn per trial */
    int64_t intended_class; /* what they shall be taken for, also the poisons' class; −1: drawn, ≠ target_class */
} tc_threat_options;
extern const tc_option tc_threat_table[];

/* One trial's draw from it. */
typedef struct tc_threat {
    double epsilon;
    int target_class, intended_class;
    size_t targets;
    uint32_t *target; /* [targets] places in the test split */
    size_t poisons;
    uint32_t *base; /* [poisons] places in the training split, increasing, all of intended_class */
} tc_threat;
/* Refuses what the data cannot give (more targets or poisons than the class has images), naming the numbers. */
tc_status tc_threat_draw(const tc_dataset *dataset, const tc_threat_options *options, tc_stream stream,
                         tc_threat *threat, tc_error *error);
void tc_threat_free(tc_threat *threat);

typedef struct tc_surrogate {
    const tc_model *model;
    tc_weights weights;
} tc_surrogate;

typedef struct tc_craft_job {
    tc_device *device;
    const tc_dataset *dataset;
    const tc_threat *threat;
    const tc_surrogate *surrogates; /* [surrogate_count]: K architectures × R initialisations, averaged */
    int surrogate_count;
    tc_stream stream;
    void (*progress)(void *context, double fraction, double objective); /* NULL: none */
    bool (*stop)(void *context);                                        /* NULL: never */
    void *context;
} tc_craft_job;

typedef struct tc_craft_report {
    double objective; /* of the returned poison, after 8-bit rounding where the method can say; NaN: none */
    double seconds;
    int64_t steps;
    int64_t gradients, jvps; /* how many grad and grad_jvp passes were spent */
} tc_craft_report;

typedef struct tc_attack {
    const char *name;         /* "gradient-matching" */
    const char *kind;         /* "targeted", "control", … */
    const char *paper;        /* authors, title, venue or arXiv number */
    const char *summary;      /* one line */
    const tc_option *options; /* of the options struct below */
    size_t options_size;
    bool needs_surrogate;
    /* Refuses what no option's own range can: a text that says nothing, options that do not go together. Called before
     * anything is trained; the message begins with an option's name. NULL: nothing to check. */
    tc_status (*check)(const void *options, tc_error *error);
    tc_status (*craft)(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error);
} tc_attack;

const tc_attack *tc_attacks(void); /* ends with a NULL name */
const tc_attack *tc_attack_find(const char *name);
tc_status tc_attack_check(const tc_attack *attack, const void *options, tc_error *error);

#endif
