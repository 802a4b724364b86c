/* options.c — what training can be told, and the named recipes.
 *
 * A recipe is a list of settings laid over the defaults; whatever is set afterwards wins. The defaults are the protocol
 * of the sharpness-aware paper (He et al.), so `custom` without settings and `sapa` train alike. */
#include "train/train.h"

#include <string.h>

static const char *const recipe_names[] = {"custom",      "sapa", "witches-brew", "sapa-adam", "sapa-500",
                                           "sapa-cyclic", NULL};
static const char *const optimiser_names[] = {"sgd", "adam", "adamw", NULL};
static const char *const schedule_names[] = {"constant", "step", "cosine", "linear", "cyclic", NULL};
static const char *const unit_names[] = {"example", "batch", NULL};

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
    TC_CHOICE(tc_train_options, schedule, "step", schedule_names,
              "how the rate falls during training; no schedule changes the momentum"),
    TC_TEXT(tc_train_options, milestones, "0.5, 0.75",
            "step: when the rate falls, as fractions of the epochs (SAPA: epochs 80 and 120 of 160)"),
    TC_REAL_ABOVE(tc_train_options, gamma, 0.1, 0, 1, "", "step: factor at each milestone (SAPA: 0.1)"),
    TC_REAL_ABOVE(tc_train_options, peak, 0.5, 0, 1, "",
                  "cyclic: when the rate is highest, as a fraction of the epochs (Witches' Brew's code: 0.5)"),
    TC_REAL(tc_train_options, floor, 0.01, 0, 1, "",
            "cyclic: share of the rate at which it begins and ends (Witches' Brew's code: 0.01)"),
    TC_REAL(tc_train_options, warmup, 0, 0, 1e6, "epochs", "the rate rises linearly from zero for so long"),
    TC_INT(tc_train_options, crop, 4, 0, 64, "pixels", "random crop after padding by so many pixels (SAPA: 4)"),
    TC_BOOL(tc_train_options, flip, "true", "random left-right flip (SAPA)"),
    TC_INT(tc_train_options, cutout, 0, 0, 65536, "pixels",
           "side of the square that Cut-Out blanks in each image; 0: off (DeVries and Taylor: 16 for CIFAR-10)"),
    TC_REAL(tc_train_options, mixup, 0, 0, 100, "",
            "Mix-Up's alpha: shares of two images from Beta(alpha, alpha); 0: off (Zhang et al.: 1 for CIFAR-10)"),
    TC_REAL(tc_train_options, cutmix, 0, 0, 100, "",
            "CutMix's alpha: the pasted share from Beta(alpha, alpha); 0: off (Yun et al.: 1)"),
    TC_REAL_ABOVE(tc_train_options, cutmix_probability, 0.5, 0, 1, "",
                  "share of the batches that CutMix changes; the others are Mix-Up's where that is on (Yun et al.'s "
                  "code: 0.5 for CIFAR)"),
    TC_REAL(tc_train_options, sam_rho, 0, 0, 1e3, "",
            "radius of sharpness-aware minimisation (SAM); 0: off (Foret et al.: 0.05 for CIFAR-10)"),
    TC_REAL(tc_train_options, adversarial_epsilon, 0, 0, 255, "1/255",
            "largest change of a pixel in adversarial training; 0: off (Madry et al.: 8 for CIFAR-10)"),
    TC_INT(tc_train_options, adversarial_steps, 7, 1, 1000, "steps", "its PGD steps for each batch (Madry et al.: 7)"),
    TC_REAL_ABOVE(tc_train_options, adversarial_step_size, 2, 0, 255, "1/255", "length of one (Madry et al.: 2)"),
    TC_REAL(tc_train_options, dp_clip, 0, 0, 1e6, "",
            "differentially private SGD: largest norm of a gradient; 0: off (Abadi et al.: 3 to 4 for CIFAR-10)"),
    TC_REAL(tc_train_options, dp_noise, 0, 0, 1e6, "",
            "its noise's standard deviation, in units of dp_clip (Abadi et al.: 2 to 8)"),
    TC_CHOICE(tc_train_options, dp_unit, "example", unit_names,
              "what is clipped: each example's gradient (private; Abadi et al.) or the batch's (gradient shaping; Hong "
              "et al.: allows batch normalisation, promises no privacy)"),
    TC_REAL_ABOVE(tc_train_options, dp_delta, 0.00001, 0, 1, "", "delta at which the privacy spent is told"),
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
    /* "Adam" of SAPA's Table 4: the paper gives no rate; 0.001 is Kingma and Ba's. */
    {"epochs=160", "batch=128", "optimiser=adam", "rate=0.001", "beta1=0.9", "beta2=0.999", "weight_decay=5e-4",
     "schedule=step", "milestones=0.5, 0.75", "gamma=0.1", "warmup=0", "crop=4", "flip=true", NULL},
    /* Its Figure 1: 500 epochs with steps, at the same fractions; and the cyclic rate, which is Witches' Brew's. */
    {"epochs=500", "batch=128", "optimiser=sgd", "rate=0.1", "momentum=0.9", "nesterov=true", "weight_decay=5e-4",
     "schedule=step", "milestones=0.5, 0.75", "gamma=0.1", "warmup=0", "crop=4", "flip=true", NULL},
    {"epochs=160", "batch=128", "optimiser=sgd", "rate=0.1", "momentum=0.9", "nesterov=true", "weight_decay=5e-4",
     "schedule=cyclic", "peak=0.5", "floor=0.01", "warmup=0", "crop=4", "flip=true", NULL},
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
