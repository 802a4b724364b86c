/* reader.h — what a data format is to the rest of this folder: one function that fills in a dataset.
 *
 * A reader gets the path behind "SCHEME:" and sets height, width, channels, classes and both splits, and class_names
 * where the format has them. It need not clean up after a failure, nor choose the subset that was asked for, nor
 * check what all formats have in common: tc_dataset_open does (dataset.c). A new format is one file with such a
 * function and one row in the table there. */
#ifndef TC_DATA_READER_H
#define TC_DATA_READER_H

#include "base/folder.h"
#include "data/dataset.h"

#include <stdbool.h>

/* No split may be larger, whatever a header claims. */
static const uint64_t TC_SPLIT_BYTES = (uint64_t)1 << 36;

typedef tc_status tc_reader(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error);
tc_reader tc_read_idx, tc_read_cifar10, tc_read_cifar100, tc_read_svhn, tc_read_images, tc_read_npz, tc_make_shapes,
    tc_make_glyphs;

/* And a writer one that writes it under `path`, which the caller has made sure of and renames afterwards. */
typedef tc_status tc_writer(const tc_dataset *dataset, const char *path, tc_error *error);
tc_writer tc_write_idx, tc_write_cifar10, tc_write_cifar100, tc_write_images, tc_write_npz;

/* Of a folder of pictures: does the name end as a file does that is read; and a refusal where `folder`, test/, has a
 * class that is not among those of training. */
bool tc_is_picture_name(const char *name);
tc_status tc_check_test_classes(const char *folder, const tc_names *classes, tc_error *error);
/* The folders that tc_write_images gives the classes: [classes], free it. */
enum { TC_CLASS_FOLDER = TC_CLASS_NAME + 16 };
tc_status tc_name_class_folders(const tc_dataset *dataset, char (**result)[TC_CLASS_FOLDER], tc_error *error);
/* One file of CIFAR-10 records; and in which of the five, from 1, tc_write_cifar10 puts sample i of `count`. */
tc_status tc_write_cifar10_batch(const char *folder, const char *name, const tc_split *split, tc_error *error);
int tc_cifar10_batch_of(size_t count, size_t i);

/* split := room for `count` images of the dataset's size; refused where that is absurd. */
tc_status tc_split_allocate(const tc_dataset *dataset, tc_split *split, size_t count, tc_error *error);
void tc_split_free(tc_split *split);
/* class_names := [classes], all empty; then one; then, for those still empty, their numbers. */
tc_status tc_name_classes(tc_dataset *dataset, tc_error *error);
void tc_set_class_name(tc_dataset *dataset, int class, const char *name);
tc_status tc_complete_class_names(tc_dataset *dataset, tc_error *error);
/* From and to a text with one name a line; reading does nothing where the file is not there. */
tc_status tc_read_class_names(const char *path, tc_dataset *dataset, tc_error *error);
tc_status tc_write_class_names(const tc_dataset *dataset, const char *folder, const char *name, tc_error *error);

/* keep[0 … kept−1] := the places of a class-balanced subset of `labels`, increasing: of every class the first
 * `per_class` of a seeded shuffle, so that a smaller subset lies within a larger one. */
tc_status tc_choose_subset(const int32_t *labels, size_t count, int classes, int64_t per_class, tc_stream stream,
                           uint32_t *keep /* [count] */, size_t *kept, tc_error *error);
/* The streams of both splits' subsets. */
tc_stream tc_subset_stream(const tc_dataset_options *options, bool test);

#endif
