/* dataset.h — labelled images in two splits. A dataset never changes once it is made. */
#ifndef TOCSIN_DATASET_H
#define TOCSIN_DATASET_H

#include "tocsin/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tocsin_dataset tocsin_dataset;

typedef enum tocsin_split { TOCSIN_TRAINING, TOCSIN_TEST } tocsin_split;

/* Height, width in pixels; channels: 1 (grey) to 4. */
typedef struct tocsin_shape {
    int height, width, channels;
} tocsin_shape;

/* Images of somebody's with their labels. */
typedef struct tocsin_samples {
    size_t count;
    const uint8_t *images; /* [count][height][width][channels] */
    const int32_t *labels; /* [count], 0 … classes − 1 */
} tocsin_samples;

/* source: "shapes10" or "glyphs" (generated), "idx:FOLDER", "cifar10:FOLDER", "cifar100:FOLDER", "svhn:FOLDER",
 * "images:FOLDER", "npz:FILE". Settings: train_per_class and test_per_class (a class-balanced subset, for generated
 * sets how many are made), size (of a folder's images), seed (of the subset). */
TOCSIN_API tocsin_status tocsin_dataset_open(const char *source, const char *const *settings, tocsin_dataset **dataset,
                                             tocsin_error *error);

/* From memory; everything is copied. name: for messages. class_names: [classes] texts, or NULL for numbers. Neither
 * split may be empty; classes is at least 2. */
TOCSIN_API tocsin_status tocsin_dataset_create(const char *name, tocsin_shape shape, int classes,
                                               const char *const *class_names, const tocsin_samples *training,
                                               const tocsin_samples *test, tocsin_dataset **dataset,
                                               tocsin_error *error);
TOCSIN_API void tocsin_dataset_free(tocsin_dataset *dataset);

TOCSIN_API const char *tocsin_dataset_name(const tocsin_dataset *dataset);
TOCSIN_API tocsin_shape tocsin_dataset_shape(const tocsin_dataset *dataset);
TOCSIN_API int tocsin_dataset_classes(const tocsin_dataset *dataset);
/* NULL outside 0 … classes − 1. */
TOCSIN_API const char *tocsin_dataset_class_name(const tocsin_dataset *dataset, int label);
/* A split's samples; the pointers belong to the dataset. Of no such split: none. */
TOCSIN_API tocsin_samples tocsin_dataset_samples(const tocsin_dataset *dataset, tocsin_split split);

/* What networks get: x = (pixel/255 − mean)/deviation, channel by channel, with mean and standard deviation of the
 * training split's pixel/255 (deviation 1 where a channel never changes). mean, deviation: [channels], at most 4. */
TOCSIN_API void tocsin_dataset_normalisation(const tocsin_dataset *dataset, float *mean, float *deviation);
/* x [count][height][width][channels] := that, of `count` images. */
TOCSIN_API tocsin_status tocsin_dataset_normalise(const tocsin_dataset *dataset, const uint8_t *images, size_t count,
                                                  float *x, tocsin_error *error);

/* Writes a set that tocsin_dataset_open reads back. format: "npz" (path is a file, replaced if it is there), "images",
 * "cifar10", "cifar100" or "idx" (path is a folder, new or empty). */
TOCSIN_API tocsin_status tocsin_dataset_write(const tocsin_dataset *dataset, const char *format, const char *path,
                                              tocsin_error *error);

#ifdef __cplusplus
}
#endif
#endif
