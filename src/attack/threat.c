/* threat.c — who is attacked and which samples may be changed, drawn for one trial.
 *
 * Targeted, as in Witches' Brew (Geiping et al., arXiv 2009.02276): the targets are test images of one class, the
 * attacker wants them taken for another class, and may change images of that other class only, keeping their labels.
 * Backdoors, as in Sleeper Agent (Souri et al., arXiv 2106.08970): the same with all test images of the class, which
 * carry the trigger. Untargeted: there is no class, and any image of the training set may be among the poisons. */
#include "attack/attack.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const tc_goal_names[TC_GOALS + 1] = {"targeted", "backdoor", "untargeted", NULL};

const tc_option tc_threat_table[] = {
    TC_CHOICE(tc_threat_options, goal, "targeted", tc_goal_names,
              "targeted: some test images; backdoor: whatever carries the trigger; untargeted: the accuracy"),
    TC_REAL(tc_threat_options, epsilon, 16, 0, 255, "1/255",
            "largest change of a pixel, in 8-bit steps (SAPA: 16, 8 and 4)"),
    TC_REAL_ABOVE(tc_threat_options, ratio, 0.01, 0, 1, "",
                  "share of the training set that may be changed (SAPA: 0.01 and 0.002)"),
    TC_INT(tc_threat_options, targets, 1, 1, 1e6, "images",
           "targeted: test images attacked at once (SAPA: 1, 4 and 8)"),
    TC_INT(tc_threat_options, target_class, -1, -1, 1e6, "", "true class of the targets; -1: drawn for each trial"),
    TC_INT(tc_threat_options, intended_class, -1, -1, 1e6, "",
           "what they shall be taken for, also the poisons' class; -1: drawn for each trial"),
    TC_TRIGGER_OPTIONS(tc_threat_options, trigger),
    TC_OPTIONS_END};

/* ---- classes ---- */

static tc_status check_class(const tc_dataset *dataset, const char *option, int64_t class, tc_error *error) {
    if (class < dataset->classes) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: %" PRId64 " where %s has classes 0 ... %d; name one of them", option, class,
                    dataset->name, dataset->classes - 1);
}

/* Uniform on the classes other than `other` (−1: on all). */
static int draw_class(tc_stream *stream, int classes, int other) {
    if (other < 0) return (int)tc_draw_below(stream, (uint64_t)classes);
    const int drawn = (int)tc_draw_below(stream, (uint64_t)classes - 1);
    return drawn < other ? drawn : drawn + 1;
}

static tc_status draw_classes(const tc_dataset *dataset, const tc_threat_options *options, tc_stream stream,
                              tc_threat *threat, tc_error *error) {
    tc_status status = TC_OK;
    tc_stream classes = tc_stream_child(stream, "classes", 0);
    TC_TRY(check_class(dataset, "target_class", options->target_class, error));
    TC_TRY(check_class(dataset, "intended_class", options->intended_class, error));
    if (dataset->classes < 2) TC_RAISE(TC_INVALID, "%s: one class only; an attack needs two", dataset->name);
    if (options->target_class >= 0 && options->target_class == options->intended_class)
        TC_RAISE(TC_INVALID, "intended_class: %" PRId64 " is the targets' own class; name another",
                 options->intended_class);
    threat->target_class = (int)options->target_class;
    threat->intended_class = (int)options->intended_class;
    if (threat->target_class < 0) threat->target_class = draw_class(&classes, dataset->classes, threat->intended_class);
    if (threat->intended_class < 0)
        threat->intended_class = draw_class(&classes, dataset->classes, threat->target_class);
done:
    return status;
}

/* ---- images ---- */

enum { ANY_CLASS = -1 };

static bool is_of(int32_t label, int class) {
    return class == ANY_CLASS || label == class;
}

static size_t count_of_class(const tc_split *split, int class) {
    size_t count = 0;
    for (size_t i = 0; i < split->count; i++) count += is_of(split->labels[i], class);
    return count;
}

static int increasing(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* `wanted` places of the class's `have` images in the split, without repetition, increasing. */
static tc_status draw_images(const tc_split *split, int class, size_t have, size_t wanted, tc_stream stream,
                             uint32_t **places, tc_error *error) {
    tc_status status = TC_OK;
    uint32_t *member = NULL, *order = NULL;
    TC_TRY(tc_new(&member, have, sizeof *member, error));
    TC_TRY(tc_new(&order, have, sizeof *order, error));
    TC_TRY(tc_new(places, wanted, sizeof **places, error));
    for (size_t i = 0, n = 0; i < split->count; i++)
        if (is_of(split->labels[i], class)) member[n++] = (uint32_t)i;
    tc_draw_permutation(&stream, order, have);
    for (size_t i = 0; i < wanted; i++) (*places)[i] = member[order[i]];
    qsort(*places, wanted, sizeof **places, increasing);
done:
    free(member);
    free(order);
    return status;
}

static tc_status draw_targets(const tc_dataset *dataset, const tc_threat_options *options, tc_stream stream,
                              tc_threat *threat, tc_error *error) {
    const int class = threat->target_class;
    const size_t have = count_of_class(&dataset->test, class);
    threat->targets = threat->goal == TC_GOAL_BACKDOOR ? have : (size_t)options->targets;
    if (!have)
        return tc_raise(error, TC_INVALID,
                        "target_class: class %d (%s) of %s has no test images to be attacked; name another, or give it "
                        "some",
                        class, dataset->class_names[class], dataset->name);
    if (threat->targets > have)
        return tc_raise(error, TC_INVALID,
                        "targets: %zu wanted, but class %d (%s) of %s has %zu test images; take fewer", threat->targets,
                        class, dataset->class_names[class], dataset->name, have);
    return draw_images(&dataset->test, class, have, threat->targets, tc_stream_child(stream, "targets", 0),
                       &threat->target, error);
}

static tc_status draw_base(const tc_dataset *dataset, const tc_threat_options *options, tc_stream stream,
                           tc_threat *threat, tc_error *error) {
    const int class = threat->intended_class;
    const size_t have = count_of_class(&dataset->train, class), all = dataset->train.count;
    const size_t wanted = (size_t)llround(options->ratio * (double)all);
    threat->poisons = wanted ? wanted : 1;
    if (!have && class != ANY_CLASS)
        return tc_raise(error, TC_INVALID,
                        "intended_class: class %d (%s) of %s has no training images to be changed; name another, or "
                        "give it some",
                        class, dataset->class_names[class], dataset->name);
    if (threat->poisons > have)
        return tc_raise(error, TC_INVALID,
                        "ratio: %g of %zu training images is %zu, but class %d (%s) of %s has %zu; take at most %.4g",
                        options->ratio, all, threat->poisons, class, dataset->class_names[class], dataset->name, have,
                        floor(1e4 * (double)have / (double)all) / 1e4);
    return draw_images(&dataset->train, class, have, threat->poisons, tc_stream_child(stream, "base", 0), &threat->base,
                       error);
}

/* Classes, then targets, then bases, each from a stream of its own: a study's trials attack the same images whatever
 * the budget is. */
static tc_status draw_attacked(const tc_dataset *dataset, const tc_threat_options *options, tc_stream stream,
                               tc_threat *threat, tc_error *error) {
    tc_status status = TC_OK;
    if (threat->goal == TC_GOAL_UNTARGETED) return TC_OK;
    TC_TRY(draw_classes(dataset, options, stream, threat, error));
    TC_TRY(draw_targets(dataset, options, stream, threat, error));
    if (threat->goal == TC_GOAL_BACKDOOR)
        TC_TRY(tc_trigger_create(dataset, &options->trigger, tc_stream_child(stream, "trigger", 0), &threat->trigger,
                                 error));
done:
    return status;
}

tc_status tc_threat_draw(const tc_dataset *dataset, const tc_threat_options *options, tc_stream stream,
                         tc_threat *threat, tc_error *error) {
    tc_status status = TC_OK;
    *threat = (tc_threat){.goal = (tc_goal)options->goal,
                          .epsilon = options->epsilon,
                          .target_class = ANY_CLASS,
                          .intended_class = ANY_CLASS};
    TC_TRY(draw_attacked(dataset, options, stream, threat, error));
    TC_TRY(draw_base(dataset, options, stream, threat, error));
done:
    if (status != TC_OK) tc_threat_free(threat);
    return status;
}

void tc_threat_free(tc_threat *threat) {
    free(threat->target);
    free(threat->base);
    tc_trigger_free(threat->trigger);
    *threat = (tc_threat){0};
}

void tc_threat_targets(const tc_dataset *dataset, const tc_threat *threat, uint8_t *images) {
    const size_t bytes = tc_dataset_image_bytes(dataset);
    for (size_t i = 0; i < threat->targets; i++) {
        const uint8_t *original = dataset->test.images + threat->target[i] * bytes;
        if (threat->trigger)
            tc_trigger_apply(threat->trigger, original, threat->target[i], images + i * bytes);
        else
            memcpy(images + i * bytes, original, bytes);
    }
}

tc_status tc_threat_rebase(const tc_threat *threat, const uint32_t *base, size_t poisons, tc_threat *made,
                           tc_error *error) {
    *made = *threat;
    made->poisons = poisons;
    made->base = NULL;
    const tc_status status = tc_new(&made->base, poisons, sizeof *base, error);
    if (status != TC_OK) return status;
    memcpy(made->base, base, poisons * sizeof *base);
    qsort(made->base, poisons, sizeof *base, increasing);
    return TC_OK;
}

void tc_threat_rebase_free(tc_threat *made) {
    free(made->base);
    *made = (tc_threat){0};
}
