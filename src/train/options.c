/* options.c — what training can be told, and the named recipes.
 *
 * A recipe is a list of settings laid over the defaults; whatever is set afterwards wins. The defaults are the protocol
 * of the sharpness-aware paper (He et al.), so `custom` without settings and `sapa` train alike. */
#include "train/train.h"

#include <string.h>

static const char *const recipe_names[] = {"custom", "sapa", "witches-brew", NULL};
static const char *const optimiser_names[] = {"sgd", "adam", "adamw", NULL};
static const char *const schedule_names[] = {"constant", "step", "cosine", "linear", NULL};

const tc_option tc_train_table[] = {
    TC_CHOICE(tc_train_options, recipe, "custom", recipe_names,
              "named protocol whose values are taken before any other setting"),
    TC_INT(tc_train_options, epochs, 160, 1, 1e6, "epochs", "passes over the training set (SAPA: 160)"),
    TC_INT(tc_train_options, batch, 128, 1, 65536, "images", "images per step (SAPA: 128)"),
    TC_CHOICE(tc_train_options, optimiser, "sgd", optimiser_names, "how a gradient becomes a step"),
    TC_REAL_ABOVE(tc_train_options, rate, 0.1, 0, 1e3, "", "learning rate before the schedule (SAPA: 0.1)"),
    TC_REAL(tc_train_options, momentum, 0.9, 0, 1, "", "momentum of sgd (SAPA: 0.9)"),
    TC_REAL(tc_train_options, weight_decay, 0.0005, 0, 1e3, "", "pull of all parameters towards zero (SAPA: 5e-4)"),
    TC_BOOL(tc_train_options, nesterov, "true", "Nesterov's form of the momentum (SAPA)"),
    TC_REAL(tc_train_options, beta1, 0.9, 0, 1, "", "adam: decay of the first moment (Kingma and Ba)"),
    TC_REAL(tc_train_options, beta2, 0.999, 0, 1, "", "adam: decay of the second moment (Kingma and Ba)"),
    TC_REAL_ABOVE(tc_train_options, adam_epsilon, 1e-8, 0, 1, "", "adam: added to the root (Kingma and Ba)"),
    TC_CHOICE(tc_train_options, schedule, "step", schedule_names, "how the rate falls during training"),
    TC_TEXT(tc_train_options, milestones, "0.5, 0.75",
            "step: when the rate falls, as fractions of the epochs (SAPA: epochs 80 and 120 of 160)"),
    TC_REAL_ABOVE(tc_train_options, gamma, 0.1, 0, 1, "", "step: factor at each milestone (SAPA: 0.1)"),
    TC_REAL(tc_train_options, warmup, 0, 0, 1e6, "epochs", "the rate rises linearly from zero for so long"),
    TC_INT(tc_train_options, crop, 4, 0, 64, "pixels", "random crop after padding by so many pixels (SAPA: 4)"),
    TC_BOOL(tc_train_options, flip, "true", "random left-right flip (SAPA)"),
    TC_REAL(tc_train_options, checkpoint_minutes, 10, 0, 1e6, "minutes",
            "time between checkpoints, where a file for them is named; 0: only when interrupted"),
    TC_OPTIONS_END};

enum { MOST_SETTINGS = 16 };

/* In the order of recipe_names. */
static const char *const recipes[][MOST_SETTINGS] = {
    {NULL},
    {"epochs=160", "batch=128", "optimiser=sgd", "rate=0.1", "momentum=0.9", "nesterov=true", "weight_decay=5e-4",
     "schedule=step", "milestones=0.5, 0.75", "gamma=0.1", "warmup=0", "crop=4", "flip=true", NULL},
    {"epochs=40", "batch=128", "optimiser=sgd", "rate=0.1", "momentum=0.9", "nesterov=true", "weight_decay=5e-4",
     "schedule=step", "milestones=0.375, 0.625, 0.875", "gamma=0.1", "warmup=0", "crop=4", "flip=true", NULL},
};

void tc_train_defaults(tc_train_options *options) {
    tc_options_default(tc_train_table, options);
}

tc_status tc_train_apply_recipe(tc_train_options *options, const char *recipe, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_options_set(tc_train_table, options, "recipe", recipe, error));
    for (const char *const *setting = recipes[options->recipe]; *setting; setting++)
        TC_TRY(tc_options_assign(tc_train_table, options, *setting, error));
done:
    return status;
}
