/* poison.h — what an attacker did to a training set: samples replaced and samples added, 8-bit, as the victim sees
 * them. */
#ifndef TOCSIN_POISON_H
#define TOCSIN_POISON_H

#include "tocsin/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tocsin_poison tocsin_poison;

/* From memory; everything is copied. samples: first those that replace, then those that are added, `replaced` +
 * `added` in all. index: [replaced] strictly increasing places in the training split. */
TOCSIN_API tocsin_status tocsin_poison_create(const tocsin_dataset *dataset, size_t replaced, const uint32_t *index,
                                              size_t added, const tocsin_samples *samples, tocsin_poison **poison,
                                              tocsin_error *error);
TOCSIN_API void tocsin_poison_free(tocsin_poison *poison);

TOCSIN_API size_t tocsin_poison_replaced(const tocsin_poison *poison);
TOCSIN_API size_t tocsin_poison_added(const tocsin_poison *poison);
/* [replaced] places in the training split, increasing. */
TOCSIN_API const uint32_t *tocsin_poison_index(const tocsin_poison *poison);
/* All images and labels, [replaced + added]. */
TOCSIN_API tocsin_samples tocsin_poison_samples(const tocsin_poison *poison);
/* The largest change of any pixel of a replaced image, in 8-bit steps. Refused where the poison does not fit the
 * dataset. */
TOCSIN_API tocsin_status tocsin_poison_distance(const tocsin_poison *poison, const tocsin_dataset *dataset,
                                                int *distance, tocsin_error *error);

/* To and from a folder: poison.npz (docs/spec.md), index.csv and pictures of the first 1,000 poisons and their
 * originals. Saving replaces an earlier poison there and refuses a folder in which anything else lies. */
TOCSIN_API tocsin_status tocsin_poison_save(const tocsin_poison *poison, const tocsin_dataset *dataset,
                                            const char *folder, tocsin_error *error);
TOCSIN_API tocsin_status tocsin_poison_load(const tocsin_dataset *dataset, const char *folder, tocsin_poison **poison,
                                            tocsin_error *error);

#ifdef __cplusplus
}
#endif
#endif
