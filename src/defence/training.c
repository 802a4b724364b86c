/* training.c — the defences that are nothing but another way to train: each sets what it needs in the victim's training
 * options, where the methods themselves are described (train/variant.h), and leaves the rest as the victim has it.
 *
 * Papers: Abadi et al., "Deep learning with differential privacy", arXiv 1607.00133: no example moves the weights by
 *         more than the clipped norm, so a few poisons cannot steer them. Against poisons: Hong et al., "On the
 *         effectiveness of mitigating data poisoning attacks with gradient shaping", arXiv 2002.11497
 *         Zhang et al., "mixup: beyond empirical risk minimization", arXiv 1710.09412; DeVries and Taylor, "Improved
 *         regularization of convolutional neural networks with cutout", arXiv 1708.04552; Yun et al., "CutMix",
 *         arXiv 1905.04899: what is blended or blanked no longer carries the poison whole. Against poisons: Borgnia et
 *         al., "Strong data augmentation sanitizes poisoning and backdoor attacks without an accuracy tradeoff",
 *         arXiv 2011.09527
 *         Madry et al., "Towards deep learning models resistant to adversarial attacks", arXiv 1706.06083: what is
 *         small enough to be hidden in an image is small enough to be trained away. Against poisons: Tao et al.,
 *         "Better safe than sorry: preventing delusive adversaries with adversarial training", arXiv 2102.04716 */
#include "defence/methods.h"

/* What all of them share: the options of NAME_table fill a NAME_options, which adapt_NAME translates. */
#define TRAINS_BY(NAME)                                                                                                \
    .kind = "training", .options = NAME##_table, .options_size = sizeof(NAME##_options), .adapt = adapt_##NAME

/* ---- differentially private SGD ---- */

typedef struct private_options {
    double clip, noise, delta;
    int unit;
} private_options;

/* In the order of the training option dp_unit. */
static const char *const unit_names[] = {"example", "batch", NULL};

static const tc_option private_table[] = {
    TC_REAL_ABOVE(private_options, clip, 1, 0, 1e6, "",
                  "largest norm of a gradient (Abadi et al.: 3 to 4 for CIFAR-10)"),
    TC_REAL(
        private_options, noise, 0.1, 0, 1e6, "",
        "standard deviation of the noise, in units of clip; privacy worth the name takes more (Abadi et al.: 2 to 8, "
        "in far larger batches), and costs accuracy"),
    TC_CHOICE(private_options, unit, "example", unit_names,
              "what is clipped: each example's gradient, or the batch's, which allows batch normalisation"),
    TC_REAL_ABOVE(private_options, delta, 0.00001, 0, 1, "", "delta at which the privacy spent is told"),
    TC_OPTIONS_END};

static void adapt_private(const void *options, tc_train_options *train) {
    const private_options *o = options;
    train->dp_clip = o->clip;
    train->dp_noise = o->noise;
    train->dp_delta = o->delta;
    train->dp_unit = o->unit;
}

const tc_defence tc_dp_sgd = {
    .name = "dp-sgd",
    TRAINS_BY(private),
    .paper = "Abadi et al., Deep learning with differential privacy, arXiv 1607.00133; against poisons: Hong et al., "
             "arXiv 2002.11497",
    .summary = "clips gradients and adds noise to them",
};

/* ---- strong augmentation ---- */

#define BORGNIA "; against poisons: Borgnia et al., arXiv 2011.09527"

typedef struct mixup_options {
    double alpha;
} mixup_options;

static const tc_option mixup_table[] = {TC_REAL_ABOVE(mixup_options, alpha, 1, 0, 100, "",
                                                      "shares of two images from Beta(alpha, alpha) (Zhang et al.: 1)"),
                                        TC_OPTIONS_END};

static void adapt_mixup(const void *options, tc_train_options *train) {
    train->mixup = ((const mixup_options *)options)->alpha;
}

const tc_defence tc_mixup = {
    .name = "mixup",
    TRAINS_BY(mixup),
    .paper = "Zhang et al., mixup: beyond empirical risk minimization, arXiv 1710.09412" BORGNIA,
    .summary = "trains on blends of two images and of their labels",
};

typedef struct cutout_options {
    int64_t side;
} cutout_options;

static const tc_option cutout_table[] = {TC_INT(cutout_options, side, 16, 1, 65536, "pixels",
                                                "of the square that is blanked (DeVries and Taylor: 16 for CIFAR-10)"),
                                         TC_OPTIONS_END};

static void adapt_cutout(const void *options, tc_train_options *train) {
    train->cutout = ((const cutout_options *)options)->side;
}

const tc_defence tc_cutout = {
    .name = "cutout",
    TRAINS_BY(cutout),
    .paper = "DeVries and Taylor, Improved regularization of convolutional neural networks with cutout, arXiv "
             "1708.04552" BORGNIA,
    .summary = "blanks a square of each image",
};

typedef struct cutmix_options {
    double alpha, probability;
} cutmix_options;

static const tc_option cutmix_table[] = {
    TC_REAL_ABOVE(cutmix_options, alpha, 1, 0, 100, "", "pasted share from Beta(alpha, alpha) (Yun et al.: 1)"),
    TC_REAL_ABOVE(cutmix_options, probability, 0.5, 0, 1, "",
                  "share of the batches (Yun et al.'s code: 0.5 for CIFAR)"),
    TC_OPTIONS_END};

static void adapt_cutmix(const void *options, tc_train_options *train) {
    const cutmix_options *o = options;
    train->cutmix = o->alpha;
    train->cutmix_probability = o->probability;
}

const tc_defence tc_cutmix = {
    .name = "cutmix",
    TRAINS_BY(cutmix),
    .paper = "Yun et al., CutMix: regularization strategy to train strong classifiers with localizable features, arXiv "
             "1905.04899" BORGNIA,
    .summary = "pastes a rectangle of another image, and its share of the label",
};

/* ---- adversarial training ---- */

typedef struct adversarial_options {
    double epsilon, step_size;
    int64_t steps;
} adversarial_options;

static const tc_option adversarial_table[] = {
    TC_REAL_ABOVE(adversarial_options, epsilon, 8, 0, 255, "1/255",
                  "largest change of a pixel (Madry et al.: 8 for CIFAR-10)"),
    TC_INT(adversarial_options, steps, 7, 1, 1000, "steps", "of PGD for each batch (Madry et al.: 7)"),
    TC_REAL_ABOVE(adversarial_options, step_size, 2, 0, 255, "1/255", "length of one (Madry et al.: 2)"),
    TC_OPTIONS_END};

static void adapt_adversarial(const void *options, tc_train_options *train) {
    const adversarial_options *o = options;
    train->adversarial_epsilon = o->epsilon;
    train->adversarial_steps = o->steps;
    train->adversarial_step_size = o->step_size;
}

const tc_defence tc_adversarial_training = {
    .name = "adversarial-training",
    TRAINS_BY(adversarial),
    .paper = "Madry et al., Towards deep learning models resistant to adversarial attacks, arXiv 1706.06083; against "
             "poisons: Tao et al., arXiv 2102.04716",
    .summary = "trains on the worst small change of each image",
};
