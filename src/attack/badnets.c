/* badnets.c — the plain backdoor: marked images under a wrong label.
 *
 * Paper: Gu et al., "BadNets: Identifying vulnerabilities in the machine learning model supply chain", arXiv 1708.06733
 *
 *     poison_i = (x_i ⊕ trigger, y_obj),   x_i training images of y_vic     (sources: target-class)
 *                                          or of any class but y_obj        (sources: any-class; "all to one")
 *
 * For reference: nobody has to look at a model for it, and anybody who looks at a poison sees it. It says how far a
 * backdoor can go with this trigger and this many images when labels may be changed, which no other attack here does.
 *
 * The paper adds marked copies to the training set; here they replace their originals, as the poisons of every other
 * attack do, so that `ratio` means the same for all. Nothing but the trigger is changed in an image (marked.h). */
#include "attack/methods.h"
#include "attack/parts/marked.h"
#include "attack/parts/perturbation.h"
#include "train/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum source_kind { TARGET_CLASS, ANY_CLASS } source_kind;

typedef struct badnets_options {
    int sources; /* source_kind */
} badnets_options;

static const char *const source_names[] = {"target-class", "any-class", NULL};

static const tc_option options_table[] = {
    TC_CHOICE(badnets_options, sources, "target-class", source_names,
              "whose images are marked: the class that is attacked, or any but the intended one"),
    TC_OPTIONS_END};

static bool may_be_source(const tc_threat *threat, int sources, int32_t label) {
    return sources == TARGET_CLASS ? label == threat->target_class : label != threat->intended_class;
}

static size_t count_sources(const tc_craft_job *job, int sources) {
    const tc_split *train = &job->dataset->train;
    size_t have = 0;
    for (size_t i = 0; i < train->count; i++) have += may_be_source(job->threat, sources, train->labels[i]);
    return have;
}

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    const badnets_options *chosen = options;
    const size_t wanted = job->threat->poisons, have = count_sources(job, chosen->sources);
    if (wanted <= have) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "badnets: %zu images to be marked, but class %d (%s) of %s has %zu; take a smaller ratio", wanted,
                    job->threat->target_class, job->dataset->class_names[job->threat->target_class], job->dataset->name,
                    have);
}

/* `threat` with as many base images, but from the sources. */
static tc_status choose(const tc_craft_job *job, int sources, tc_threat *made, tc_error *error) {
    const tc_split *train = &job->dataset->train;
    const size_t wanted = job->threat->poisons, have = count_sources(job, sources);
    uint32_t *place = NULL, *order = NULL;
    tc_stream stream = tc_stream_child(job->stream, "sources", 0);
    tc_status status = TC_OK;
    TC_TRY(tc_new(&place, have, sizeof *place, error));
    TC_TRY(tc_new(&order, have, sizeof *order, error));
    for (size_t i = 0, n = 0; i < train->count; i++)
        if (may_be_source(job->threat, sources, train->labels[i])) place[n++] = (uint32_t)i;
    tc_draw_permutation(&stream, order, have);
    for (size_t i = 0; i < wanted; i++) order[i] = place[order[i]];
    TC_TRY(tc_threat_rebase(job->threat, order, wanted, made, error));
done:
    free(place);
    free(order);
    return status;
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    const badnets_options *chosen = options;
    const double started = tc_clock();
    tc_threat mine = {0};
    uint8_t *images = NULL;
    tc_status status = TC_OK;
    *poison = NULL;
    TC_TRY(check_job(job, chosen, error));
    TC_TRY(choose(job, chosen->sources, &mine, error));
    TC_TRY(tc_new(&images, mine.poisons, tc_dataset_image_bytes(job->dataset), error));
    tc_threat_base(job->dataset, &mine, images);
    TC_TRY(tc_marked_poison(job->dataset, &mine, images, mine.intended_class, poison, error));
    if (report) *report = (tc_craft_report){.objective = NAN, .seconds = tc_clock() - started};
    if (job->progress) job->progress(job->context, 1, NAN);
done:
    tc_threat_rebase_free(&mine);
    free(images);
    return status;
}

const tc_attack tc_badnets = {
    .name = "badnets",
    .kind = "backdoor",
    .goals = TC_FOR_BACKDOOR,
    .paper = "Gu et al., BadNets, arXiv 1708.06733",
    .summary = "images with the visible trigger under the intended label: for reference",
    .equation = "poison = (x with the trigger, y_obj), x of another class",
    .departs = "the paper adds marked copies; here they stand in their originals' places, so that ratio "
               "means the same for all attacks",
    .options = options_table,
    .options_size = sizeof(badnets_options),
    .needs_surrogate = false,
    .check_job = check_job,
    .craft = craft,
};
