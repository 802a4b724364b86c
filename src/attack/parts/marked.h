/* marked.h — training images with the trigger on them, and poisons that carry it.
 *
 * A trigger at a random place lies elsewhere on each image and, where an attack looks at an image several times, at
 * each look. The places that test images are judged with belong to the numbers below 2³² (tc_threat_targets); training
 * images take those above, a range for each look. */
#ifndef TC_ATTACK_PARTS_MARKED_H
#define TC_ATTACK_PARTS_MARKED_H

#include "attack/attack.h"

/* Look 0 is the poisons' own: where the trigger lies on what the victim gets. */
uint64_t tc_mark_id(uint64_t look, uint32_t place);

/* Refuses a threat whose target class has no training images: before anything is trained (attack.h, check_job). */
tc_status tc_marked_check(const tc_craft_job *job, tc_error *error);

/* All places of `class` in the training split, in random order. Refuses a class without images. */
tc_status tc_class_places(const tc_dataset *dataset, int class, tc_stream stream, uint32_t **places, size_t *count,
                          tc_error *error);
/* images [count][h][w][c] := the training images at `places` with the threat's trigger, as `look` has them. */
void tc_mark_images(const tc_dataset *dataset, const tc_threat *threat, uint64_t look, const uint32_t *places,
                    size_t count, uint8_t *images);

enum { TC_KEEP_LABELS = -1 };
/* tc_threat_poison (perturbation.h) for methods whose poisons carry the trigger. What is allowed where: `images` must
 * be within ε of the base images, as ever; then each gets the trigger, as far from its base as the trigger is, and
 * label `label` (TC_KEEP_LABELS: its own). So ε holds outside the trigger, and tc_poison_linf tells the largest change
 * of all, the trigger's included. */
tc_status tc_marked_poison(const tc_dataset *dataset, const tc_threat *threat, const uint8_t *images, int label,
                           tc_poison **poison, tc_error *error);

#endif
