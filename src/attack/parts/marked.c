#include "attack/parts/marked.h"

#include "attack/parts/perturbation.h"

#include <stdlib.h>

uint64_t tc_mark_id(uint64_t look, uint32_t place) {
    return (look + 1) << 32 | place;
}

static tc_status refuse_empty(const tc_dataset *dataset, int class, tc_error *error) {
    return tc_raise(error, TC_INVALID,
                    "target_class: class %d (%s) of %s has no training images to put a trigger on; name another", class,
                    dataset->class_names[class], dataset->name);
}

tc_status tc_marked_check(const tc_craft_job *job, tc_error *error) {
    const tc_split *train = &job->dataset->train;
    for (size_t i = 0; i < train->count; i++)
        if (train->labels[i] == job->threat->target_class) return TC_OK;
    return refuse_empty(job->dataset, job->threat->target_class, error);
}

tc_status tc_class_places(const tc_dataset *dataset, int class, tc_stream stream, uint32_t **places, size_t *count,
                          tc_error *error) {
    const tc_split *train = &dataset->train;
    uint32_t *member = NULL, *order = NULL;
    size_t n = 0;
    tc_status status = TC_OK;
    *places = NULL;
    TC_TRY(tc_new(&member, train->count, sizeof *member, error));
    for (size_t i = 0; i < train->count; i++)
        if (train->labels[i] == class) member[n++] = (uint32_t)i;
    if (!n) TC_TRY(refuse_empty(dataset, class, error));
    TC_TRY(tc_new(&order, n, sizeof *order, error));
    TC_TRY(tc_new(places, n, sizeof **places, error));
    tc_draw_permutation(&stream, order, n);
    for (size_t i = 0; i < n; i++) (*places)[i] = member[order[i]];
    *count = n;
done:
    free(member);
    free(order);
    return status;
}

void tc_mark_images(const tc_dataset *dataset, const tc_threat *threat, uint64_t look, const uint32_t *places,
                    size_t count, uint8_t *images) {
    const size_t bytes = tc_dataset_image_bytes(dataset);
    for (size_t i = 0; i < count; i++)
        tc_trigger_apply(threat->trigger, dataset->train.images + places[i] * bytes, tc_mark_id(look, places[i]),
                         images + i * bytes);
}

tc_status tc_marked_poison(const tc_dataset *dataset, const tc_threat *threat, const uint8_t *images, int label,
                           tc_poison **poison, tc_error *error) {
    const tc_status status = tc_threat_poison(dataset, threat, images, poison, error);
    if (status != TC_OK) return status;
    tc_poison *made = *poison;
    for (size_t i = 0; i < made->replaced; i++) {
        uint8_t *image = made->images + i * made->image_bytes;
        tc_trigger_apply(threat->trigger, image, tc_mark_id(0, made->index[i]), image);
        if (label != TC_KEEP_LABELS) made->labels[i] = label;
    }
    return TC_OK;
}
