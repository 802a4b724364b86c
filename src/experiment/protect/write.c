/* write.c — a protected album on the disk.
 *
 * Where a picture has another size than the images that were crafted on, its change δ is resized, not the picture: as
 * an 8-bit image around 128, by the filter that brought the picture to the common size, so that no value grows. What
 * is written lies within ε of the picture's own pixels, measured on the 8-bit values. */
#include "experiment/protect/protect.h"

#include "attack/parts/perturbation.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/folder.h"
#include "evaluate/evaluate.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const tc_protect_files[] = {"protect.json", "index.csv", "REPORT.md", NULL};
static const tc_folder_kind protect_folder = {"protect.json", tc_protect_files, "index.csv"};
enum { MIDDLE = 128 };

typedef struct writer {
    const tc_protection *made;
    const char *folder;
    FILE *index;
    size_t next;    /* of the poison's images */
    int largest;    /* change of any pixel so far */
    double changes; /* Σ of the pictures' mean |change| */
} writer;

/* ---- one picture ---- */

/* Hours may lie between the first look at a picture and this one, and its change is for what was looked at. */
static tc_status check_same(const writer *w, size_t i, const tc_image *picture, tc_error *error) {
    const tc_album *album = &w->made->album;
    const tc_dataset *d = album->dataset;
    const size_t bytes = tc_dataset_image_bytes(d);
    tc_image small = {d->height, d->width, d->channels, NULL};
    tc_status status = TC_OK;
    TC_TRY(tc_new(&small.pixels, bytes, 1, error));
    TC_TRY(tc_image_resize(picture, &small, error));
    if (memcmp(small.pixels, d->train.images + i * bytes, bytes))
        TC_RAISE(TC_FAILED,
                 "%s/%s: has changed since its noise was begun; put it back and go on with --resume, or --overwrite",
                 album->root, album->file[i]);
done:
    free(small.pixels);
    return status;
}

/* at->pixels := 128 + δ at the picture's size. */
static tc_status change_of(const writer *w, size_t i, const tc_image *at, tc_error *error) {
    const tc_dataset *d = w->made->album.dataset;
    const size_t bytes = tc_dataset_image_bytes(d);
    const uint8_t *original = d->train.images + i * bytes, *poison = w->made->poison->images + w->next * bytes;
    tc_image delta = {d->height, d->width, d->channels, NULL};
    tc_status status = tc_new(&delta.pixels, bytes, 1, error);
    for (size_t j = 0; j < bytes && status == TC_OK; j++) delta.pixels[j] = (uint8_t)(MIDDLE + poison[j] - original[j]);
    if (status == TC_OK) status = tc_image_resize(&delta, at, error);
    free(delta.pixels);
    return status;
}

/* Adds the change; returns the largest of it. */
static int apply(writer *w, const tc_image *picture, const tc_image *change) {
    const size_t values = (size_t)picture->height * (size_t)picture->width * (size_t)picture->channels;
    const double epsilon = w->made->spec->threat.epsilon;
    int largest = 0;
    double sum = 0;
    for (size_t j = 0; j < values; j++) {
        const uint8_t before = picture->pixels[j];
        picture->pixels[j] = tc_round_pixel(before, change->pixels[j] - MIDDLE, epsilon);
        const int moved = abs(picture->pixels[j] - before);
        if (moved > largest) largest = moved;
        sum += moved;
    }
    w->changes += sum / (double)values;
    if (largest > w->largest) w->largest = largest;
    return largest;
}

static tc_status put_png(const writer *w, const tc_image *picture, const char *name, tc_error *error) {
    char path[TC_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/%s", w->folder, name));
    char *slash = strrchr(path, '/');
    *slash = '\0';
    TC_TRY(tc_folder_make(path, error));
    *slash = '/';
    TC_TRY(tc_png_encode(picture, &bytes, &size, error));
    TC_TRY(tc_file_put(path, bytes, size, error));
done:
    free(bytes);
    return status;
}

static void put_row(FILE *index, const char *const cell[3], int largest) {
    for (int i = 0; i < 3; i++) {
        tc_csv_put(index, cell[i]);
        fputc(',', index);
    }
    fprintf(index, "%d\n", largest);
}

static tc_status put_picture(writer *w, size_t i, tc_error *error) {
    const tc_album *album = &w->made->album;
    const tc_poison *poison = w->made->poison;
    tc_image picture = {0}, change = {0};
    char class[TC_PATH_SIZE];
    int largest = 0;
    tc_status status = TC_OK;
    TC_TRY(tc_album_picture(album, i, &picture, error));
    TC_TRY(check_same(w, i, &picture, error));
    if (w->next < poison->replaced && poison->index[w->next] == i) {
        change = picture;
        change.pixels = NULL;
        TC_TRY(tc_new(&change.pixels, (size_t)picture.height * (size_t)picture.width, (size_t)picture.channels, error));
        TC_TRY(change_of(w, i, &change, error));
        largest = apply(w, &picture, &change);
        w->next++;
    }
    TC_TRY(put_png(w, &picture, w->made->name[i], error));
    put_row(w->index, (const char *const[]){w->made->name[i], album->file[i], tc_album_class(album, i, class)},
            largest);
done:
    free(picture.pixels);
    free(change.pixels);
    return status;
}

/* ---- what is said ---- */

static const char limits[] =
    "What this does and does not do. A network that is trained on these pictures in the usual way learns their noise\n"
    "instead of what they show. Somebody who knows that, or trains otherwise, gets most of it back:\n"
    "\n"
    "- All of a class's pictures must be protected. On CIFAR-10 with all of them changed, ResNet-18 gets 10.9 to 21.2 "
    "%\n"
    "  (error-min with and without SAPA); with 80 % changed it gets 83.7 to 87.1 %, with 50 % 90.0 to 93.4 %, where\n"
    "  clean data give 94.8 % (He et al., SAPA, Table 3). One unprotected source of the same pictures is enough.\n"
    "- Adversarial training reaches 72.5 to 82.0 % (He et al., SAPA, Table 5).\n"
    "- Compressing the pictures or taking their colours away before training: 81.7 % on average over twelve such\n"
    "  methods (Liu et al., Image Shortcut Squeezing, arXiv 2301.13838). Somebody's JPEG upload does it unasked.\n"
    "- Pictures that are already copied elsewhere, and networks that are already trained, are out of reach.\n"
    "- The figures are of small pictures of ten classes and an epsilon of 8/255; it is the measurement on your own\n"
    "  pictures that counts, and that, too, is of one network, trained in one way.\n";

void tc_protect_tell(const tc_protection *p, FILE *out) {
    const tc_threat_options *threat = &p->spec->threat;
    fprintf(out, "%zu of %zu pictures in %zu classes changed with %s, each value by at most %g of 255.\n",
            p->poison->replaced, p->album.count, p->classes, p->method->name, floor(threat->epsilon));
    if (p->album.resized)
        fprintf(out, "Crafted at %d x %d pixels, the change resized to each picture.\n", p->album.dataset->width,
                p->album.dataset->height);
    if (!p->measured) {
        fprintf(out, "Nothing was measured: %s.\n",
                p->album.dataset->test.count ? "it was not asked for" : "there are no pictures to test on");
        return;
    }
    const double n = (double)p->asked;
    const tc_interval own = tc_wilson((size_t)llround(p->original * n), p->asked);
    const tc_interval left = tc_wilson((size_t)llround(p->guarded * n), p->asked);
    fprintf(out,
            "%s (%s) trained on the originals knows %.1f %% of %zu test pictures (95 %% interval %.1f to %.1f);\n"
            "trained on the protected ones %.1f %% (%.1f to %.1f). Guessing gets %.1f %%.\n",
            p->spec->victims[0].model, "one training", 100 * p->original, p->asked, 100 * own.low, 100 * own.high,
            100 * p->guarded, 100 * left.low, 100 * left.high, 100 / (double)p->classes);
    if (left.high >= own.low)
        fprintf(out, "The two intervals overlap: these pictures are not shown to be protected from this network.\n");
}

static void put_left(const tc_leftovers *left, FILE *out) {
    char text[TC_LEFT_TEXT];
    if (!left->count) return;
    tc_leftovers_tell(left, text);
    fprintf(out, "%s.\n\n", text);
}

static tc_status put_report(const writer *w, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_output output = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/REPORT.md", w->folder));
    TC_TRY(tc_output_open(path, &output, error));
    fputs("# Protected pictures\n\n", output.file);
    tc_protect_tell(w->made, output.file);
    fprintf(output.file, "A changed picture's values move by %.2f of 255 on average, by %d at most.\n\n",
            w->next ? w->changes / (double)w->next : 0, w->largest);
    put_left(&w->made->album.left, output.file);
    fprintf(output.file, "Method: %s\n\n%s", w->made->method->attack->paper, limits);
    TC_TRY(tc_output_commit(&output, error));
done:
    tc_output_abandon(&output);
    return status;
}

static json_t *json_of(const writer *w) {
    const tc_protection *p = w->made;
    json_t *measured =
        p->measured ? json_pack("{s:s, s:f, s:f, s:I}", "network", p->spec->victims[0].model, "accuracy_on_originals",
                                p->original, "accuracy_on_protected", p->guarded, "test_images", (json_int_t)p->asked)
                    : json_null();
    return json_pack("{s:i, s:s, s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:i, s:[i, i], s:b, s:f, s:o, s:o}", "schema", 1,
                     "version", TOCSIN_VERSION, "method", p->method->name, "epsilon", p->spec->threat.epsilon, "ratio",
                     p->spec->threat.ratio, "seed", (json_int_t)p->spec->study.seed, "images",
                     (json_int_t)p->album.count, "left", (json_int_t)p->album.left.count, "changed",
                     (json_int_t)p->poison->replaced, "largest_change", w->largest, "crafted_at",
                     p->album.dataset->width, p->album.dataset->height, "resized", p->album.resized, "craft_seconds",
                     p->craft_seconds, "options", tc_options_json(p->method->attack->options, p->method->options),
                     "measured", measured);
}

static tc_status put_json(const writer *w, tc_error *error) {
    char path[TC_PATH_SIZE];
    json_t *root = json_of(w);
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    tc_status status = TC_OK;
    if (!text) TC_RAISE(TC_FAILED, "memory: none left for %s; free some", tc_protect_files[0]);
    TC_TRY(tc_path_format(path, error, "%s/%s", w->folder, tc_protect_files[0]));
    TC_TRY(tc_file_put(path, text, strlen(text), error));
done:
    json_decref(root);
    free(text);
    return status;
}

/* ---- all of it ---- */

static tc_status put_all(writer *w, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_output index = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/index.csv", w->folder));
    TC_TRY(tc_output_open(path, &index, error));
    w->index = index.file;
    fputs("file,original,class,max_change\n", index.file);
    for (size_t i = 0; i < w->made->album.count; i++) TC_TRY(put_picture(w, i, error));
    TC_TRY(tc_output_commit(&index, error));
    TC_TRY(put_report(w, error));
    TC_TRY(put_json(w, error));
done:
    tc_output_abandon(&index);
    return status;
}

tc_status tc_protect_check_folder(const char *folder, bool replace, tc_error *error) {
    return tc_folder_output_check(folder, &protect_folder, replace, error);
}

tc_status tc_protect_write(const tc_protection *made, const char *folder, tc_error *error) {
    tc_folder_output output = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_folder_output_open(folder, &protect_folder, &output, error));
    writer w = {.made = made, .folder = output.temporary};
    TC_TRY(put_all(&w, error));
    TC_TRY(tc_folder_output_commit(&output, error));
done:
    tc_folder_output_abandon(&output);
    return status;
}
