/* dataset.c — from a source's name to a dataset that is complete and consistent, whatever format it came from. */
#include "data/dataset.h"

#include "base/option.h"
#include "base/width.h"
#include "data/reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const tc_source sources[] = {
    {"shapes10", "shapes10", "generated: ten classes of shapes and textures, 32×32 RGB"},
    {"glyphs", "glyphs", "generated: ten classes of pen-drawn signs, 28×28 grey"},
    {"idx", "idx:FOLDER", "the four files of MNIST and its relatives, with or without .gz"},
    {"cifar10", "cifar10:FOLDER", "the binary version: data_batch_1.bin … data_batch_5.bin, test_batch.bin"},
    {"cifar100", "cifar100:FOLDER", "the binary version: train.bin, test.bin; fine labels"},
    {"svhn", "svhn:FOLDER", "the cropped digits: train_32x32.mat, test_32x32.mat; label 10 is the digit 0"},
    {"images", "images:FOLDER", "PNG and JPEG in train/CLASS/ and test/CLASS/, or in CLASS/ (20 % are held out)"},
    {"npz", "npz:FILE", "NumPy arrays x_train, y_train, x_test, y_test"},
    {NULL, NULL, NULL},
};
enum { SOURCES = sizeof sources / sizeof *sources - 1 };

static tc_reader *const readers[SOURCES] = {
    tc_make_shapes,   tc_make_glyphs, tc_read_idx,    tc_read_cifar10,
    tc_read_cifar100, tc_read_svhn,   tc_read_images, tc_read_npz,
};

const tc_source *tc_sources(void) {
    return sources;
}

size_t tc_dataset_image_bytes(const tc_dataset *dataset) {
    return (size_t)dataset->height * (size_t)dataset->width * (size_t)dataset->channels;
}

void tc_split_free(tc_split *split) {
    free(split->images);
    free(split->labels);
    *split = (tc_split){0};
}

void tc_dataset_free(tc_dataset *dataset) {
    if (!dataset) return;
    tc_split_free(&dataset->train);
    tc_split_free(&dataset->test);
    free(dataset->class_names);
    free(dataset);
}

tc_status tc_split_allocate(const tc_dataset *dataset, tc_split *split, size_t count, tc_error *error) {
    const size_t image = tc_dataset_image_bytes(dataset);
    if (!count || !image || count > INT32_MAX || count > TC_SPLIT_BYTES / image)
        return tc_raise(error, TC_INVALID,
                        "%s: %zu images of %d×%d×%d; give a split of at least one and at most %llu "
                        "bytes",
                        *dataset->name ? dataset->name : "dataset", count, dataset->height, dataset->width,
                        dataset->channels, (unsigned long long)TC_SPLIT_BYTES);
    tc_status status = tc_new(&split->images, count, image, error);
    if (status == TC_OK) status = tc_new(&split->labels, count, sizeof *split->labels, error);
    if (status == TC_OK) split->count = count;
    return status;
}

/* ---- what all formats have in common ---- */

static tc_status check_split(const tc_dataset *dataset, const tc_split *split, const char *name, tc_error *error) {
    if (!split->count)
        return tc_raise(error, TC_INVALID, "%s: the %s split is empty; give at least one image", dataset->name, name);
    for (size_t i = 0; i < split->count; i++)
        if (split->labels[i] < 0 || split->labels[i] >= dataset->classes)
            return tc_raise(error, TC_INVALID, "%s: label %d of %s image %zu is outside 0 … %d; mend the labels",
                            dataset->name, split->labels[i], name, i, dataset->classes - 1);
    return TC_OK;
}

static tc_status check(const tc_dataset *dataset, tc_error *error) {
    if (dataset->channels < 1 || dataset->channels > 4)
        return tc_raise(error, TC_INVALID, "%s: images of %d channels; 1 to 4 are understood, channels last",
                        dataset->name, dataset->channels);
    if (dataset->classes < 2)
        return tc_raise(error, TC_INVALID, "%s: %d class; a classifier needs two", dataset->name, dataset->classes);
    const tc_status status = check_split(dataset, &dataset->train, "training", error);
    return status != TC_OK ? status : check_split(dataset, &dataset->test, "test", error);
}

/* Sums are of integers, so they do not depend on who adds what. */
static void measure(tc_dataset *dataset) {
    const size_t pixels = dataset->train.count * (size_t)dataset->height * (size_t)dataset->width;
    for (int c = 0; c < dataset->channels; c++) {
        const uint8_t *images = dataset->train.images + c;
        const size_t step = (size_t)dataset->channels;
        uint64_t sum = 0, squares = 0;
#pragma omp parallel for reduction(+ : sum, squares) schedule(static) if (pixels > 1 << 18)
        for (size_t i = 0; i < pixels; i++) {
            const uint32_t value = images[i * step];
            sum += value;
            squares += value * value;
        }
        const double mean = (double)sum / (double)pixels, square = (double)squares / (double)pixels;
        const double deviation = sqrt(fmax(0, square - mean * mean));
        dataset->mean[c] = (float)(mean / 255);
        dataset->std[c] = deviation > 0 ? (float)(deviation / 255) : 1;
    }
}

/* ---- opening ---- */

/* "SCHEME:PATH" → its row; the path is behind the colon, or NULL. */
static tc_status find_source(const char *source, int *row, const char **path, tc_error *error) {
    char scheme[64];
    const char *colon = strchr(source, ':');
    const size_t length = colon ? (size_t)(colon - source) : strlen(source);
    snprintf(scheme, sizeof scheme, "%.*s", (int)(length < 63 ? length : 63), source);
    const char *names[SOURCES + 1] = {NULL};
    for (*row = 0; *row < SOURCES; ++*row) {
        names[*row] = sources[*row].name;
        if (strcmp(scheme, names[*row])) continue;
        const bool wants_path = strchr(sources[*row].form, ':');
        *path = colon ? colon + 1 : NULL;
        if (wants_path && (!*path || !**path))
            return tc_raise(error, TC_INVALID, "dataset '%s': no path; write %s", source, sources[*row].form);
        if (!wants_path && colon)
            return tc_raise(error, TC_INVALID, "dataset '%s': is generated and takes no path; write %s", source,
                            scheme);
        return TC_OK;
    }
    const char *near = tc_nearest(scheme, names);
    if (near)
        return tc_raise(error, TC_INVALID, "dataset '%s': '%s' is not known; did you mean %s?", source, scheme, near);
    return tc_raise(error, TC_INVALID, "dataset '%s': '%s' is not known; `tocsin list datasets` names them", source,
                    scheme);
}

static tc_status check_options(const char *source, const tc_dataset_options *o, tc_error *error) {
    if (o->size >= 0 && o->size <= 4096 && o->train_per_class >= 0 && o->test_per_class >= 0) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "dataset '%s': size %lld, train_per_class %lld, test_per_class %lld; use 0 or "
                    "more, a size of at most 4096",
                    source, (long long)o->size, (long long)o->train_per_class, (long long)o->test_per_class);
}

/* Only a folder's images are resized; of every other source the size is what it is. */
static tc_status check_resized(const tc_dataset *dataset, int64_t size, tc_error *error) {
    if (!size || (dataset->height == size && dataset->width == size)) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "dataset '%.200s': its images are %d×%d, not %lld×%lld, and only those of a folder are resized "
                    "(images:FOLDER); leave size away",
                    dataset->name, dataset->height, dataset->width, (long long)size, (long long)size);
}

static tc_status keep_subset(tc_dataset *dataset, tc_split *split, int64_t per_class, tc_stream stream,
                             tc_error *error) {
    if (!per_class) return TC_OK;
    tc_status status = TC_OK;
    uint32_t *keep = NULL;
    size_t kept;
    const size_t bytes = tc_dataset_image_bytes(dataset);
    TC_TRY(tc_new(&keep, split->count, sizeof *keep, error));
    TC_TRY(tc_choose_subset(split->labels, split->count, dataset->classes, per_class, stream, keep, &kept, error));
    for (size_t i = 0; i < kept; i++) { /* keep[i] ≥ i: nothing is overwritten before it has moved */
        split->labels[i] = split->labels[keep[i]];
        memmove(split->images + i * bytes, split->images + keep[i] * bytes, bytes);
    }
    if (kept && kept < split->count) { /* give the rest back; a realloc that fails to shrink changes nothing */
        void *smaller = realloc(split->images, kept * bytes);
        if (smaller) split->images = smaller;
    }
    split->count = kept;
done:
    free(keep);
    return status;
}

tc_status tc_dataset_open(const char *source, const tc_dataset_options *options, tc_dataset **dataset,
                          tc_error *error) {
    static const tc_dataset_options none = {0};
    tc_status status = TC_OK;
    tc_dataset *made = NULL;
    const char *path = NULL;
    int row;
    *dataset = NULL;
    if (!options) options = &none;
    TC_TRY(find_source(source, &row, &path, error));
    TC_TRY(check_options(source, options, error));
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    if (strlen(source) >= sizeof made->name)
        TC_RAISE(TC_INVALID, "dataset '%.60s…': a name of more than 1023 bytes; use a shorter path", source);
    strcpy(made->name, source);
    TC_TRY(readers[row](path, options, made, error));
    TC_TRY(check_resized(made, options->size, error));
    TC_TRY(check(made, error));
    TC_TRY(tc_complete_class_names(made, error));
    TC_TRY(keep_subset(made, &made->train, options->train_per_class, tc_subset_stream(options, false), error));
    TC_TRY(keep_subset(made, &made->test, options->test_per_class, tc_subset_stream(options, true), error));
    measure(made);
    *dataset = made;
    made = NULL;
done:
    tc_dataset_free(made);
    return status;
}

/* ---- from memory ---- */

static tc_status copy_split(const tc_split *from, const tc_dataset *dataset, tc_split *to, tc_error *error) {
    const tc_status status = tc_split_allocate(dataset, to, from->count, error);
    if (status != TC_OK) return status;
    memcpy(to->images, from->images, from->count * tc_dataset_image_bytes(dataset));
    memcpy(to->labels, from->labels, from->count * sizeof *to->labels);
    return TC_OK;
}

/* Before anything is allocated by it. */
static tc_status check_size(const char *name, const tc_dataset *d, tc_error *error) {
    enum { SIDE = 65536, CLASSES = 1 << 20 };
    if (d->height < 1 || d->width < 1 || d->height > SIDE || d->width > SIDE)
        return tc_raise(error, TC_INVALID, "%.60s: images of %d×%d pixels; give 1 … %d a side", name, d->height,
                        d->width, SIDE);
    if (d->channels < 1 || d->channels > 4)
        return tc_raise(error, TC_INVALID, "%.60s: images of %d channels; give 1 to 4", name, d->channels);
    if (d->classes < 2 || d->classes > CLASSES)
        return tc_raise(error, TC_INVALID, "%.60s: %d classes; give 2 … %d", name, d->classes, CLASSES);
    return TC_OK;
}

tc_status tc_dataset_create(const char *name, const tc_dataset *like, const char *const *class_names,
                            tc_dataset **dataset, tc_error *error) {
    tc_status status = TC_OK;
    tc_dataset *made = NULL;
    *dataset = NULL;
    TC_TRY(check_size(name, like, error));
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    snprintf(made->name, sizeof made->name, "%s", name);
    made->height = like->height;
    made->width = like->width;
    made->channels = like->channels;
    made->classes = like->classes;
    TC_TRY(copy_split(&like->train, made, &made->train, error));
    TC_TRY(copy_split(&like->test, made, &made->test, error));
    TC_TRY(check(made, error));
    if (class_names) TC_TRY(tc_name_classes(made, error));
    for (int i = 0; class_names && i < made->classes; i++)
        if (class_names[i]) tc_set_class_name(made, i, class_names[i]);
    TC_TRY(tc_complete_class_names(made, error));
    measure(made);
    *dataset = made;
    made = NULL;
done:
    tc_dataset_free(made);
    return status;
}

/* ---- describing ---- */

static void count_classes(const tc_split *split, size_t *counts /* [classes] */) {
    for (size_t i = 0; i < split->count; i++) counts[split->labels[i]]++;
}

void tc_dataset_describe(const tc_dataset *dataset, FILE *out) {
    size_t *counts = NULL; /* [2][classes] */
    fprintf(out, "%s\n", dataset->name);
    fprintf(out, "  images      %d×%d, %d channel%s, 8-bit\n", dataset->height, dataset->width, dataset->channels,
            dataset->channels > 1 ? "s" : "");
    fprintf(out, "  training    %zu\n  test        %zu\n", dataset->train.count, dataset->test.count);
    fprintf(out, "  mean, std  ");
    for (int c = 0; c < dataset->channels; c++) fprintf(out, " %.4f ± %.4f", dataset->mean[c], dataset->std[c]);
    fprintf(out, "\n  classes     %d\n", dataset->classes);
    if (tc_new(&counts, 2 * (size_t)dataset->classes, sizeof *counts, NULL) != TC_OK) return;
    count_classes(&dataset->train, counts);
    count_classes(&dataset->test, counts + dataset->classes);
    fprintf(out, "    %-20s %8s %8s\n", "class", "training", "test");
    for (int i = 0; i < dataset->classes; i++) {
        fputs("    ", out);
        tc_width_put(out, dataset->class_names[i], -20);
        fprintf(out, " %8zu %8zu\n", counts[i], counts[dataset->classes + i]);
    }
    free(counts);
}
