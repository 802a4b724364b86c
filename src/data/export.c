/* export.c — writing an export (export.h). A format is a data set writer, a writer for the questions' images, and a
 * name for the file that a training sample is in. */
#include "data/export.h"

#include "base/file.h"
#include "base/option.h"
#include "data/image_file.h"
#include "data/npy.h"
#include "data/reader.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *const tc_question_names[TC_QUESTION_KINDS + 1] = {"test", "target", "triggered", NULL};

static const char mark[] = "export.json";

/* In every format. */
#define NUMBER "[0-9][0-9][0-9][0-9][0-9][0-9]"
static const char *const written[] = {mark,
                                      "index.csv",
                                      "judge.csv",
                                      "data.npz",
                                      "judge.npz",
                                      "data_batch_[1-5].bin",
                                      "test_batch.bin",
                                      "batches.meta.txt",
                                      "judge.bin",
                                      "judge/" NUMBER ".png",
                                      "judge/" NUMBER "[0-9].png",
                                      "train/*/" NUMBER ".png",
                                      "train/*/" NUMBER "[0-9].png",
                                      "test/*/" NUMBER ".png",
                                      "test/*/" NUMBER "[0-9].png",
                                      NULL};
static const tc_folder_kind export_folder = {mark, written, NULL};

/* What is written, put together: `poisoned` owns its training split only, `asked` its images and labels. */
typedef struct export {
    const tc_dataset *clean;
    const tc_poison *poison;
    const tc_attacked *attacked;
    tc_dataset poisoned;
    tc_split asked;
    char(*class_folder)[TC_CLASS_FOLDER]; /* [classes] */
}
export;

/* ---- the formats ---- */

static tc_status write_npz(const tc_dataset *dataset, const char *folder, tc_error *error) {
    char path[TC_PATH_SIZE];
    const tc_status status = tc_path_format(path, error, "%s/data.npz", folder);
    return status == TC_OK ? tc_write_npz(dataset, path, error) : status;
}

static tc_status ask_npz(const export *e, const char *folder, tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    tc_npz *npz = NULL;
    const tc_dataset *d = e->clean;
    const size_t shape[4] = {e->asked.count, (size_t)d->height, (size_t)d->width, (size_t)d->channels};
    TC_TRY(tc_new(&npz, 1, sizeof *npz, error));
    tc_npz_add(npz, "x", tc_npy_of(TC_NPY_U8, e->asked.images, 4, shape));
    tc_npz_add(npz, "y", tc_npy_of(TC_NPY_I32, e->asked.labels, 1, shape));
    TC_TRY(tc_path_format(path, error, "%s/judge.npz", folder));
    TC_TRY(tc_npz_write(path, npz, error));
done:
    free(npz); /* not the data, which it borrows */
    return status;
}

static tc_status ask_images(const export *e, const char *folder, tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    TC_TRY(tc_path_format(path, error, "%s/judge", folder));
    TC_TRY(tc_folder_make(path, error));
    for (size_t i = 0; i < e->asked.count; i++) {
        const tc_image image = {e->clean->height, e->clean->width, e->clean->channels,
                                e->asked.images + i * tc_dataset_image_bytes(e->clean)};
        TC_TRY(tc_path_format(path, error, "%s/judge/%06zu.png", folder, i));
        TC_TRY(tc_png_encode(&image, &bytes, &size, error));
        TC_TRY(tc_file_put(path, bytes, size, error));
        free(bytes);
        bytes = NULL;
    }
done:
    free(bytes);
    return status;
}

static tc_status ask_cifar10(const export *e, const char *folder, tc_error *error) {
    return tc_write_cifar10_batch(folder, "judge.bin", &e->asked, error);
}

static void in_npz(const export *e, size_t i, char name[TC_PATH_SIZE]) {
    (void)e, (void)i;
    strcpy(name, "data.npz");
}

static void in_images(const export *e, size_t i, char name[TC_PATH_SIZE]) {
    snprintf(name, TC_PATH_SIZE, "train/%s/%06zu.png", e->class_folder[e->poisoned.train.labels[i]], i);
}

static void in_cifar10(const export *e, size_t i, char name[TC_PATH_SIZE]) {
    snprintf(name, TC_PATH_SIZE, "data_batch_%d.bin", tc_cifar10_batch_of(e->poisoned.train.count, i));
}

typedef struct format {
    const char *name;
    tc_writer *write;
    tc_status (*ask)(const export *e, const char *folder, tc_error *error);
    void (*locate)(const export *e, size_t i, char name[TC_PATH_SIZE]); /* of training sample i */
    const char *asked; /* the file with the questions' images, or the folder */
    bool folder;
} format;

static const format formats[] = {
    {"npz", write_npz, ask_npz, in_npz, "judge.npz", false},
    {"images", tc_write_images, ask_images, in_images, "judge", true},
    {"cifar10", tc_write_cifar10, ask_cifar10, in_cifar10, "judge.bin", false},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static tc_status find_format(const char *name, const format **found, tc_error *error) {
    const char *names[FORMATS + 1] = {NULL};
    for (int i = 0; i < FORMATS; i++) {
        names[i] = formats[i].name;
        *found = &formats[i];
        if (!strcmp(name, formats[i].name)) return TC_OK;
    }
    const char *near = tc_nearest(name, names);
    if (near) return tc_raise(error, TC_INVALID, "format '%.64s': not known; did you mean %s?", name, near);
    return tc_raise(error, TC_INVALID, "format '%.64s': not known; use npz, images or cifar10", name);
}

/* ---- putting it together ---- */

static tc_status lay_poison(export *e, tc_error *error) {
    const size_t bytes = tc_dataset_image_bytes(e->clean);
    tc_view view = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_view_create(e->clean, e->poison, &view, error));
    e->poisoned = *e->clean;
    e->poisoned.train = (tc_split){0};
    TC_TRY(tc_split_allocate(e->clean, &e->poisoned.train, view.count, error));
    for (size_t i = 0; i < view.count; i++) {
        memcpy(e->poisoned.train.images + i * bytes, tc_view_image(&view, i), bytes);
        e->poisoned.train.labels[i] = tc_view_label(&view, i);
    }
done:
    tc_view_free(&view);
    return status;
}

static tc_status line_up_questions(export *e, tc_error *error) {
    const size_t bytes = tc_dataset_image_bytes(e->clean), tests = e->clean->test.count;
    const tc_status status = tc_split_allocate(e->clean, &e->asked, tests + e->attacked->count, error);
    if (status != TC_OK) return status;
    memcpy(e->asked.images, e->clean->test.images, tests * bytes);
    memcpy(e->asked.labels, e->clean->test.labels, tests * sizeof *e->asked.labels);
    if (e->attacked->count) memcpy(e->asked.images + tests * bytes, e->attacked->images, e->attacked->count * bytes);
    for (size_t i = 0; i < e->attacked->count; i++)
        e->asked.labels[tests + i] = e->clean->test.labels[e->attacked->place[i]];
    return TC_OK;
}

/* ---- the tables ---- */

static bool put_changes(const export *e, const format *f, FILE *out) {
    const size_t bytes = tc_dataset_image_bytes(e->clean), count = e->clean->train.count;
    char name[TC_PATH_SIZE];
    fputs("index,kind,original_class,label,max_delta,file\n", out);
    for (size_t i = 0; i < e->poison->replaced; i++) {
        const size_t place = e->poison->index[i];
        f->locate(e, place, name);
        fprintf(out, "%zu,replaced,%d,%d,%d,%s\n", place, e->clean->train.labels[place], e->poison->labels[i],
                tc_largest_change(e->poison->images + i * bytes, e->clean->train.images + place * bytes, bytes), name);
    }
    for (size_t i = 0; i < e->poison->added; i++) {
        f->locate(e, count + i, name);
        fprintf(out, "%zu,added,,%d,,%s\n", count + i, e->poison->labels[e->poison->replaced + i], name);
    }
    return true;
}

static bool put_questions(const export *e, const format *f, FILE *out) {
    const size_t tests = e->clean->test.count;
    char name[64];
    fputs("id,kind,place,class,intended,file\n", out);
    for (size_t i = 0; i < e->asked.count; i++) {
        snprintf(name, sizeof name, f->folder ? "%s/%06zu.png" : "%s", f->asked, i);
        if (i < tests)
            fprintf(out, "%zu,%s,%zu,%d,,%s\n", i, tc_question_names[TC_QUESTION_TEST], i, e->asked.labels[i], name);
        else
            fprintf(out, "%zu,%s,%u,%d,%d,%s\n", i, tc_question_names[e->attacked->kind[i - tests]],
                    e->attacked->place[i - tests], e->asked.labels[i], e->attacked->intended[i - tests], name);
    }
    return true;
}

static bool put_summary(const export *e, const format *f, FILE *out) {
    const tc_dataset *d = e->clean;
    json_t *classes = json_array(), *mean = json_array(), *std = json_array();
    for (int c = 0; c < d->classes; c++) json_array_append_new(classes, json_string(d->class_names[c]));
    for (int c = 0; c < d->channels; c++) {
        json_array_append_new(mean, json_real((double)d->mean[c]));
        json_array_append_new(std, json_real((double)d->std[c]));
    }
    json_t *root =
        json_pack("{s:i, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "schema", 1, "dataset",
                  d->name, "format", f->name, "height", d->height, "width", d->width, "channels", d->channels, "train",
                  (json_int_t)e->poisoned.train.count, "replaced", (json_int_t)e->poison->replaced, "added",
                  (json_int_t)e->poison->added, "test", (json_int_t)d->test.count, "questions",
                  (json_int_t)e->asked.count, "classes", classes, "mean", mean, "std", std);
    const bool made = root && json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0;
    fputc('\n', out);
    json_decref(root);
    return made;
}

static tc_status write_tables(const export *e, const format *f, const char *folder, tc_error *error) {
    static const struct {
        const char *name;
        bool (*put)(const export *e, const format *f, FILE *out);
    } tables[] = {{"index.csv", put_changes}, {"judge.csv", put_questions}, {mark, put_summary}};
    char path[TC_PATH_SIZE];
    tc_output output;
    tc_status status = TC_OK;
    for (int i = 0; i < 3; i++) {
        TC_TRY(tc_path_format(path, error, "%s/%s", folder, tables[i].name));
        TC_TRY(tc_output_open(path, &output, error));
        if (!tables[i].put(e, f, output.file)) {
            tc_output_abandon(&output);
            TC_RAISE(TC_FAILED, "%s: cannot be written: a name is not UTF-8, or the disk is full", tables[i].name);
        }
        TC_TRY(tc_output_commit(&output, error));
    }
done:
    return status;
}

tc_status tc_export_check_folder(const char *folder, bool replace, tc_error *error) {
    return tc_folder_output_check(folder, &export_folder, replace, error);
}

tc_status tc_export_write(const tc_dataset *dataset, const tc_poison *poison, const tc_attacked *attacked,
                          const char *format_name, const char *folder, tc_error *error) {
    export e = {.clean = dataset, .poison = poison, .attacked = attacked};
    const format *f = NULL;
    tc_folder_output output = {.temporary = ""};
    tc_status status = TC_OK;
    TC_TRY(find_format(format_name, &f, error));
    TC_TRY(tc_folder_output_open(folder, &export_folder, &output, error));
    TC_TRY(lay_poison(&e, error));
    TC_TRY(line_up_questions(&e, error));
    TC_TRY(tc_name_class_folders(dataset, &e.class_folder, error));
    TC_TRY(f->write(&e.poisoned, output.temporary, error));
    TC_TRY(f->ask(&e, output.temporary, error));
    TC_TRY(write_tables(&e, f, output.temporary, error));
    TC_TRY(tc_folder_output_commit(&output, error));
done:
    tc_folder_output_abandon(&output);
    tc_split_free(&e.poisoned.train);
    tc_split_free(&e.asked);
    free(e.class_folder);
    return status;
}
