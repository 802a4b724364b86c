/* attack.h — who is attacked, and making the poison. */
#ifndef TOCSIN_ATTACK_H
#define TOCSIN_ATTACK_H

#include "tocsin/dataset.h"
#include "tocsin/device.h"
#include "tocsin/hooks.h"
#include "tocsin/model.h"
#include "tocsin/poison.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tocsin_threat tocsin_threat;

/* Draws a threat. Targeted, as in Witches' Brew (Geiping et al., arXiv 2009.02276): some test images of one class shall
 * be taken for another, by changing some training images of that other class. Settings: goal (targeted, backdoor,
 * untargeted), epsilon (largest change of a pixel, in 8-bit steps), ratio (share of the training set that may be
 * changed), targets (how many), target_class and intended_class (−1: drawn), and of a backdoor trigger, trigger_size,
 * trigger_place, trigger_opacity and trigger_file. A backdoor's targets are all test images of the class, which
 * tocsin_success shows to the model with the trigger on them. */
TOCSIN_API tocsin_status tocsin_threat_draw(const tocsin_dataset *dataset, const char *const *settings, uint64_t seed,
                                            tocsin_threat **threat, tocsin_error *error);
/* The same, chosen: target: [targets] places of test images, all of one class other than intended_class; base:
 * [poisons] strictly increasing places of training images, all of intended_class; epsilon: 0 … 255. */
TOCSIN_API tocsin_status tocsin_threat_create(const tocsin_dataset *dataset, double epsilon, const uint32_t *target,
                                              size_t targets, int intended_class, const uint32_t *base, size_t poisons,
                                              tocsin_threat **threat, tocsin_error *error);
TOCSIN_API void tocsin_threat_free(tocsin_threat *threat);

TOCSIN_API double tocsin_threat_epsilon(const tocsin_threat *threat);
TOCSIN_API int tocsin_threat_target_class(const tocsin_threat *threat);
TOCSIN_API int tocsin_threat_intended_class(const tocsin_threat *threat);
/* *places := [result] places in the test split; places may be NULL. */
TOCSIN_API size_t tocsin_threat_targets(const tocsin_threat *threat, const uint32_t **places);
/* *places := [result] places in the training split: the images that may be changed. */
TOCSIN_API size_t tocsin_threat_base(const tocsin_threat *threat, const uint32_t **places);

typedef struct tocsin_craft_result {
    double objective; /* the attack's own, of the poison as it is returned; NaN where it has none */
    double seconds;
    int64_t steps;
    int64_t gradients, jvps; /* how many gradients and directional derivatives of gradients it took */
} tocsin_craft_result;

/* Makes a poison by the attack of that name (tocsin_list, TOCSIN_ATTACKS, where the papers are named too), with its
 * settings: "gradient-matching" with sharpness=worst-case is SAPA (He et al., Eq. 10 to 12). surrogates:
 * [surrogate_count] trained models, only read, averaged; an attack that needs none ignores them. Every replaced image
 * stays within the threat's epsilon and keeps its label, but for backdoors whose poisons carry the trigger:
 * clean-label-backdoor keeps to epsilon outside it, badnets changes nothing outside it and gives the intended label.
 *
 * Attacks that train networks themselves (sleeper-agent re-trains the surrogates, error-min and meta-poison train fresh
 * networks of the surrogates' architectures) are told how by settings that begin with "train.": "train.epochs=40",
 * "train.recipe=sapa", … of tocsin_train's, for all networks alike. Without them they train by tocsin_train's defaults,
 * which is hardly what the surrogates were trained by: say it. Other attacks refuse them.
 *
 * The dataset is the one that the threat was drawn from. hooks, result: may be NULL.
 *
 * checkpoint: NULL, or a file, the caller's to name, to which an attack that takes longer than seconds saves where it
 * stands every so many minutes (setting checkpoint_minutes=10 of every attack; 0: not) and when stopped. The same call
 * then goes on from there, in this process or in another, and makes the same poison to the last bit. Written whole or
 * not at all; beside it may lie CHECKPOINT.training, of a network that an attack trains. Both are gone when the poison
 * is made. A checkpoint that is damaged, or of another crafting (attack, settings, seed, threat, surrogates or what the
 * dataset holds differ), is TOCSIN_INVALID and left as it is; one that cannot be written is TOCSIN_FAILED. On anything
 * but TOCSIN_OK *poison is NULL. */
TOCSIN_API tocsin_status tocsin_craft(tocsin_device *device, const tocsin_dataset *dataset, const tocsin_threat *threat,
                                      const char *attack, const char *const *settings, tocsin_model *const *surrogates,
                                      size_t surrogate_count, uint64_t seed, const tocsin_hooks *hooks,
                                      const char *checkpoint, tocsin_poison **poison, tocsin_craft_result *result,
                                      tocsin_error *error);

/* *success := the share, 0 … 1, of the threat's targets that the model takes for the intended class. predicted: NULL or
 * [targets], the class that it takes each for. */
TOCSIN_API tocsin_status tocsin_success(tocsin_device *device, const tocsin_model *model, const tocsin_dataset *dataset,
                                        const tocsin_threat *threat, double *success, int32_t *predicted,
                                        tocsin_error *error);

#ifdef __cplusplus
}
#endif
#endif
