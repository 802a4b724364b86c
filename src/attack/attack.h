/* attack.h — what an attack is, and the registry of them.
 *
 * An attack is handed a job: the data, the threat model (who the targets are, which samples may be changed, by how
 * much) and trained surrogates. It returns a poison. A new attack is one file: a struct of options, a table that
 * describes them, a craft function, and one row in registry.c. */
#ifndef TC_ATTACK_ATTACK_H
#define TC_ATTACK_ATTACK_H

#include "attack/trigger.h"
#include "nn/weights.h"
#include "train/train.h"

/* What an attacker wants of the victim.
 *
 *     targeted    a few test images shall be taken for the intended class
 *     backdoor    any image of the target class shall be, once it carries the trigger
 *     untargeted  nothing shall be learnt: test accuracy shall fall */
typedef enum tc_goal { TC_GOAL_TARGETED, TC_GOAL_BACKDOOR, TC_GOAL_UNTARGETED, TC_GOALS } tc_goal;
extern const char *const tc_goal_names[TC_GOALS + 1]; /* "targeted", …, NULL */

/* A method's `goals`. */
enum {
    TC_FOR_TARGETED = 1 << TC_GOAL_TARGETED,
    TC_FOR_BACKDOOR = 1 << TC_GOAL_BACKDOOR,
    TC_FOR_UNTARGETED = 1 << TC_GOAL_UNTARGETED,
    TC_FOR_ANY = TC_FOR_TARGETED | TC_FOR_BACKDOOR | TC_FOR_UNTARGETED
};

/* The threat model, independent of the method. */
typedef struct tc_threat_options {
    int goal;               /* tc_goal */
    double epsilon;         /* largest change of a pixel, in 8-bit steps, 0 … 255 */
    double ratio;           /* share of the training set that may be changed, (0, 1] */
    int64_t targets;        /* targeted: how many test images are attacked at once */
    int64_t target_class;   /* the targets' true class; −1: drawn per trial */
    int64_t intended_class; /* what they shall be taken for, also the poisons' class; −1: drawn, ≠ target_class */
    tc_trigger_options trigger; /* of backdoors */
} tc_threat_options;
extern const tc_option tc_threat_table[];

/* One trial's draw from it. */
typedef struct tc_threat {
    tc_goal goal;
    double epsilon;
    int target_class, intended_class; /* untargeted: −1 */
    size_t targets;                   /* untargeted: 0 */
    uint32_t *target; /* [targets] places in the test split; of a backdoor, all images of target_class */
    size_t poisons;
    uint32_t *base; /* [poisons] places in the training split, increasing; of intended_class, or of any if untargeted */
    tc_trigger *trigger; /* NULL unless a backdoor */
} tc_threat;
/* Refuses what the data cannot give (more targets or poisons than the class has images), naming the numbers. */
tc_status tc_threat_draw(const tc_dataset *dataset, const tc_threat_options *options, tc_stream stream,
                         tc_threat *threat, tc_error *error);
void tc_threat_free(tc_threat *threat);
/* The targets as the victim will meet them, [targets][h][w][c]: a backdoor's carry the trigger. */
void tc_threat_targets(const tc_dataset *dataset, const tc_threat *threat, uint8_t *images);
/* Another choice of base images for the same threat: the method's own. `made` borrows everything from `threat` except
 * the places, which are copied and sorted; tc_threat_rebase_free gives those back. */
tc_status tc_threat_rebase(const tc_threat *threat, const uint32_t *base, size_t poisons, tc_threat *made,
                           tc_error *error);
void tc_threat_rebase_free(tc_threat *made);

/* A network of the attacker's and how the attacker trains it. */
typedef struct tc_architecture {
    const tc_model *model;
    const tc_train_options *train; /* NULL: nobody has said; a method that trains then refuses */
} tc_architecture;

typedef struct tc_surrogate {
    const tc_model *model;
    tc_weights weights;
} tc_surrogate;

typedef struct tc_craft_job {
    tc_device *device;
    const tc_dataset *dataset;
    const tc_threat *threat;
    const tc_surrogate *surrogates; /* [surrogate_count], trained: K architectures × R initialisations, averaged */
    int surrogate_count;
    const tc_architecture *architectures; /* [architecture_count] K: for methods that train networks themselves */
    int architecture_count;
    tc_stream stream;
    void (*progress)(void *context, double fraction, double objective); /* objective: of a step not long ago; NaN: not
                                                                           known. NULL: none */
    bool (*stop)(void *context);                                        /* NULL: never */
    void *context;
    /* A file in which a method that takes longer than seconds keeps where it stands, when it is stopped and every so
     * many minutes (0: only then), and from which the same job goes on to the same poison. It is the caller's to remove
     * (tc_craft_forget) once the poison is in safety; one of another job, or damaged, is TC_INVALID. NULL: none. */
    const char *checkpoint;
    double checkpoint_minutes;
} tc_craft_job;

/* Removes a job's checkpoint and what lies beside it. NULL: nothing. */
void tc_craft_forget(const char *checkpoint);

typedef struct tc_craft_report {
    double objective; /* of the returned poison, after 8-bit rounding where the method can say; NaN: none */
    double seconds;
    int64_t steps;
    int64_t gradients, jvps; /* how many grad and grad_jvp passes were spent, trainings aside */
    int64_t trainings;       /* of networks, while crafting */
} tc_craft_report;

/* What crafting will come to, in gradients of one image: a forward and a backward pass, θ's share and the image's. A
 * forward pass alone is a third of one, a gradient for the image alone two thirds, a directional derivative of a
 * gradient four thirds. */
enum { TC_MATCHING_THIRDS = 7 }; /* a gradient and its directional derivative */
typedef struct tc_craft_work {
    double each;  /* on every one of the job's networks: its surrogates or, where it needs none, its architectures */
    double grain; /* of that, the most between two calls of progress */
} tc_craft_work;

typedef struct tc_attack {
    const char *name;     /* "gradient-matching" */
    const char *kind;     /* "targeted", "control", … */
    unsigned goals;       /* TC_FOR_…: which threats it serves */
    const char *paper;    /* authors, title, venue or arXiv number */
    const char *summary;  /* one line */
    const char *equation; /* what is solved for, one line; the file's head says how */
    const char *departs;  /* where this is neither the paper nor its code, or where those two differ; NULL: nowhere */
    const tc_option *options; /* of the options struct below */
    size_t options_size;
    bool needs_surrogate; /* job->surrogates */
    bool trains;          /* job->architectures: how these are trained has a part in the poison */
    /* Refuses what no option's own range can: a text that says nothing, options that do not go together. Called before
     * anything is trained; the message begins with an option's name. NULL: nothing to check. */
    tc_status (*check)(const void *options, tc_error *error);
    /* Refuses what this job does not allow: a layer that a network does not have, patches that the images are too small
     * for. Called with a job as `work` gets it, before any surrogate is trained for it, and by `craft` once more; the
     * message begins with an option's name where one is to blame. NULL: nothing to check. */
    tc_status (*check_job)(const tc_craft_job *job, const void *options, tc_error *error);
    tc_status (*craft)(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error);
    /* For plans, which cannot try a step that takes minutes: the job has no weights and may have no device. Where a
     * method may be done sooner, the most that it can take. NULL: crafting takes seconds, whatever the networks. */
    tc_craft_work (*work)(const tc_craft_job *job, const void *options);
} tc_attack;

const tc_attack *tc_attacks(void); /* ends with a NULL name */
const tc_attack *tc_attack_find(const char *name);
tc_status tc_attack_check(const tc_attack *attack, const void *options, tc_error *error);
tc_status tc_attack_check_job(const tc_attack *attack, const tc_craft_job *job, const void *options, tc_error *error);

#endif
