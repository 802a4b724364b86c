/* train.h — training one model on one (poisoned) dataset: the loop that makes clean models, surrogates and victims. */
#ifndef TC_TRAIN_TRAIN_H
#define TC_TRAIN_TRAIN_H

#include "base/option.h"
#include "data/dataset.h"
#include "nn/weights.h"

/* The table tc_train_table describes each field; recipes ("sapa", "witches-brew") are named sets of values. */
typedef struct tc_train_options {
    int recipe; /* choice: custom, sapa, witches-brew, … */
    int64_t epochs, batch;
    int optimiser; /* choice: sgd, adam, adamw */
    double rate, momentum, weight_decay;
    bool nesterov;
    double beta1, beta2, adam_epsilon;
    int schedule;                  /* choice: constant, step, cosine, linear, cyclic */
    char milestones[TC_TEXT_SIZE]; /* of step: fractions of the epochs, "0.5, 0.75" */
    double gamma;                  /* factor at each milestone */
    double peak, floor;            /* of cyclic: when the rate is highest; its share at both ends */
    double warmup;                 /* epochs of linear warm-up */
    int64_t crop;                  /* random crop after zero-padding by so many pixels; 0: off */
    bool flip;                     /* random left-right flip */
    /* Variants of a step (variant.h), each off at 0. */
    int64_t cutout;
    double mixup, cutmix, cutmix_probability;
    double sam_rho;
    double adversarial_epsilon, adversarial_step_size; /* 8-bit steps */
    int64_t adversarial_steps;
    double dp_clip, dp_noise, dp_delta;
    int dp_unit;               /* choice: example, batch */
    double checkpoint_minutes; /* 0: no checkpoints */
} tc_train_options;

extern const tc_option tc_train_table[];
/* Defaults, then the recipe's values, so that later single settings win. */
void tc_train_defaults(tc_train_options *options);
tc_status tc_train_apply_recipe(tc_train_options *options, const char *recipe, tc_error *error);

/* Refuses what tc_train would: values that do not go together, with this data or with this model (NULL: not known
 * yet). */
tc_status tc_train_check(const tc_train_options *options, const tc_dataset *data, const tc_model *model,
                         tc_error *error);
/* Of a training whose hooks drop samples on the way. */
tc_status tc_train_check_keep(const tc_train_options *options, tc_error *error);

/* Gradients of an image that one image of an epoch takes: 1, and more with what is different in a step (variant.h). */
double tc_train_work(const tc_train_options *options);

typedef struct tc_epoch_report {
    int64_t epoch, epochs; /* 1-based, of how many */
    double loss, accuracy; /* on the training samples as they were seen */
    double rate;
    double images_per_second, seconds_left;
} tc_epoch_report;

/* What whoever decides about samples may look at, before an epoch. */
typedef struct tc_train_moment {
    tc_device *device;
    const tc_model *model;
    const tc_view *view;
    const void *theta;     /* device reals [p] */
    void *state;           /* device reals: running statistics, for passes in evaluation mode, which leave them alone */
    int64_t epoch, epochs; /* whole epochs done (0 before the first), of how many */
    tc_stream stream;      /* of this moment alone */
} tc_train_moment;

typedef struct tc_train_hooks {
    void (*progress)(void *context, const tc_epoch_report *report,
                     double fraction); /* within and after each epoch; NULL: none */
    bool (*stop)(
        void *context); /* asked between steps; true ends with TC_INTERRUPTED after a checkpoint; NULL: never */
    /* Asked before each epoch which samples it is trained on: keep [view count] holds what was decided last, at first 1
     * everywhere, and may be changed either way. To be a function of the moment and the mask alone, for resuming. NULL:
     * all, always. Not with private training (dp_unit=example). */
    tc_status (*keep)(void *context, const tc_train_moment *moment, uint8_t *keep, tc_error *error);
    void *context;
    const char *checkpoint; /* file to save to and resume from; NULL: none */
    double *curve;          /* [epochs][2] := loss and accuracy of each epoch, as in the reports; NULL: not wanted */
} tc_train_hooks;

typedef struct tc_train_result {
    double loss, accuracy; /* of the last epoch */
    double seconds;
    int64_t steps;
    size_t kept;    /* samples trained on in the last epoch */
    double epsilon; /* privacy spent at dp_delta by private training; INFINITY: none was promised */
} tc_train_result;

/* Trains `weights` in place from what they hold (tc_model_init for from scratch). Order, augmentation and dropout come
 * from `stream`. Images are normalised by the dataset's own mean and std. hooks may be NULL. */
tc_status tc_train(tc_device *device, const tc_model *model, const tc_view *view, const tc_train_options *options,
                   tc_stream stream, const tc_train_hooks *hooks, tc_weights *weights, tc_train_result *result,
                   tc_error *error);

#endif
