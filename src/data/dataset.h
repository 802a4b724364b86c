/* dataset.h — images as everybody else in the program sees them: 8-bit, NHWC, with a label each. */
#ifndef TC_DATA_DATASET_H
#define TC_DATA_DATASET_H

#include "base/digest.h"
#include "base/error.h"
#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TC_CLASS_NAME = 64 };

/* One split. Images and labels are owned by the dataset that holds the split. */
typedef struct tc_split {
    size_t count;
    uint8_t *images; /* [count][height][width][channels] */
    int32_t *labels; /* [count], 0 … classes−1 */
} tc_split;

typedef struct tc_dataset {
    char name[1024]; /* as it was asked for: "cifar10:/data/cifar" */
    int height, width, channels, classes;
    char (*class_names)[TC_CLASS_NAME]; /* [classes] */
    tc_split train, test;
    float mean[4], std[4]; /* per channel of train pixels/255; std is 1 where a channel never changes */
} tc_dataset;

typedef struct tc_dataset_options {
    int64_t size; /* resize images of a folder to size × size; 0: all must already agree. Of other
                     sources nothing is resized: 0, or what they have */
    int64_t train_per_class, test_per_class; /* a class-balanced subset (the first of a seeded shuffle); 0: all.
                                                A generated set makes as many as asked for */
    uint64_t seed;
} tc_dataset_options;

/* source: "shapes10", "glyphs", "idx:PATH", "cifar10:PATH", "cifar100:PATH", "svhn:PATH", "images:PATH", "npz:PATH".
 * options may be NULL. */
tc_status tc_dataset_open(const char *source, const tc_dataset_options *options, tc_dataset **dataset, tc_error *error);
/* From memory: size, classes and samples are copied from `like`, which needs nothing else, and checked. class_names
 * [classes] may be NULL. */
tc_status tc_dataset_create(const char *name, const tc_dataset *like, const char *const *class_names,
                            tc_dataset **dataset, tc_error *error);
void tc_dataset_free(tc_dataset *dataset);
size_t tc_dataset_image_bytes(const tc_dataset *dataset); /* height · width · channels */

/* What tc_dataset_open knows, for lists and help; ends with a NULL name. */
typedef struct tc_source {
    const char *name;    /* "idx" */
    const char *form;    /* "idx:PATH" */
    const char *summary; /* what PATH is, or what is generated */
} tc_source;
const tc_source *tc_sources(void);

/* text := a hash of shape, labels and images: equal for equal contents, whatever the name and the format. */
void tc_dataset_digest(const tc_dataset *dataset, char text[TC_DIGEST_TEXT]);
/* The same of `count` test images, in the order of `place`, and their labels. */
void tc_dataset_digest_tests(const tc_dataset *dataset, const uint32_t *place, size_t count, char text[TC_DIGEST_TEXT]);

/* Some lines for a person: shape, splits, mean and std, images a class. */
void tc_dataset_describe(const tc_dataset *dataset, FILE *out);

/* Writes the set in a format that tc_dataset_open reads back, bit for bit: "npz" (a file), "images", "cifar10",
 * "cifar100" or "idx" (a folder).
 * What is at `path` already is refused unless it is an empty folder or, for npz, a file, which is replaced. */
tc_status tc_dataset_write(const tc_dataset *dataset, const char *format, const char *path, tc_error *error);

/* A poison: samples of the training split replaced and samples added, laid over a dataset that it never changes.
 * The images are what the victim sees: 8-bit. */
typedef struct tc_poison {
    size_t replaced; /* how many training samples are replaced */
    uint32_t *index; /* [replaced], strictly increasing places in the training split */
    size_t added;    /* how many samples are added */
    size_t image_bytes;
    uint8_t *images; /* [replaced + added][height][width][channels] */
    int32_t *labels; /* [replaced + added] */
} tc_poison;

tc_status tc_poison_create(const tc_dataset *dataset, size_t replaced, size_t added, tc_poison **poison,
                           tc_error *error);
void tc_poison_free(tc_poison *poison);
/* Refuses a poison that does not fit the dataset: image size, places, labels. */
tc_status tc_poison_check(const tc_poison *poison, const tc_dataset *dataset, tc_error *error);
/* Largest |a − b| of `count` bytes. */
int tc_largest_change(const uint8_t *a, const uint8_t *b, size_t count);
/* Largest |poison − original| over the replaced samples, in 8-bit steps. */
int tc_poison_linf(const tc_poison *poison, const tc_dataset *dataset);

/* To a folder: poison.npz (index, images, labels, originals), index.csv and a PNG of each of the first 1,000 poisons
 * and of its original. An earlier poison there is replaced; where anything else lies it is refused. */
tc_status tc_poison_save(const tc_poison *poison, const tc_dataset *dataset, const char *folder, tc_error *error);
/* What of that folder saving would refuse and, unless it may be replaced, an earlier poison; makes nothing. */
tc_status tc_poison_check_folder(const char *folder, bool replace, tc_error *error);
/* Back from such a folder (or from a poison.npz), held against the dataset that it was made for. */
tc_status tc_poison_load(const tc_dataset *dataset, const char *folder, tc_poison **poison, tc_error *error);

/* The training set that a victim sees: `dataset` with `poison` (may be NULL) laid over it. Sample i < train.count is
 * the original or its replacement; the added samples follow. Copies nothing but pointers. */
typedef struct tc_view {
    const tc_dataset *dataset;
    const tc_poison *poison;
    size_t count;
    int32_t *place; /* [train.count]: index into the poison, or −1 */
    uint32_t *kept; /* [count]: where a filter has dropped samples, those that are left, increasing; NULL: all */
} tc_view;

tc_status tc_view_create(const tc_dataset *dataset, const tc_poison *poison, tc_view *view, tc_error *error);
/* The samples of `whole` whose keep[i] is set, in the same order: sample i of the new view is the i-th of those that
 * were kept. `whole` may itself have been made so. Refused where nothing is kept. */
tc_status tc_view_keep(const tc_view *whole, const bool *keep /* [whole->count] */, tc_view *view, tc_error *error);
void tc_view_free(tc_view *view);
const uint8_t *tc_view_image(const tc_view *view, size_t i);
int32_t tc_view_label(const tc_view *view, size_t i);
bool tc_view_poisoned(const tc_view *view, size_t i); /* does sample i come from the poison? */

#endif
