/* threat.c — who is attacked and which samples may be changed, drawn for one trial.
 *
 * As in Witches' Brew (Geiping et al., arXiv 2009.02276): the targets are test images of one class, the attacker wants
 * them taken for another class, and may change images of that other class only, keeping their labels. */
#include "attack/attack.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

const tc_option tc_threat_table[] = {
    TC_REAL(tc_threat_options, epsilon, 16, 0, 255, "1/255",
            "largest change of a pixel, in 8-bit steps (SAPA: 16, 8 and 4)"),
    TC_REAL_ABOVE(tc_threat_options, ratio, 0.01, 0, 1, "",
                  "share of the training set that may be changed (SAPA: 0.01 and 0.002)"),
    TC_INT(tc_threat_options, targets, 1, 1, 1e6, "images", "test images attacked at once (SAPA: 1, 4 and 8)"),
    TC_INT(tc_threat_options, target_class, -1, -1, 1e6, "", "true class of the targets; -1: drawn for each trial"),
    TC_INT(tc_threat_options, intended_class, -1, -1, 1e6, "",
           "what they shall be taken for, also the poisons' class; -1: drawn for each trial"),
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

static size_t count_of_class(const tc_split *split, int class) {
    size_t count = 0;
    for (size_t i = 0; i < split->count; i++) count += split->labels[i] == class;
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
        if (split->labels[i] == class) member[n++] = (uint32_t)i;
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
    threat->targets = (size_t)options->targets;
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
    if (threat->poisons > have)
        return tc_raise(error, TC_INVALID,
                        "ratio: %g of %zu training images is %zu, but class %d (%s) of %s has %zu; take at most %.4g",
                        options->ratio, all, threat->poisons, class, dataset->class_names[class], dataset->name, have,
                        floor(1e4 * (double)have / (double)all) / 1e4);
    return draw_images(&dataset->train, class, have, threat->poisons, tc_stream_child(stream, "base", 0), &threat->base,
                       error);
}

tc_status tc_threat_draw(const tc_dataset *dataset, const tc_threat_options *options, tc_stream stream,
                         tc_threat *threat, tc_error *error) {
    tc_status status = TC_OK;
    *threat = (tc_threat){.epsilon = options->epsilon};
    TC_TRY(draw_classes(dataset, options, stream, threat, error));
    TC_TRY(draw_targets(dataset, options, stream, threat, error));
    TC_TRY(draw_base(dataset, options, stream, threat, error));
done:
    if (status != TC_OK) tc_threat_free(threat);
    return status;
}

void tc_threat_free(tc_threat *threat) {
    free(threat->target);
    free(threat->base);
    *threat = (tc_threat){0};
}
