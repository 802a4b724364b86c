#include "report/gallery.h"

#include "base/file.h"
#include "data/image_file.h"
#include "data/npy.h"
#include "report/figures.h"
#include "report/html.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 6, GREY = 128, LARGEST_SIDE = 4096, LARGEST_PICTURE = 4 << 20 };

/* The 8-bit images of one array of poison.npz, [n][h][w][c]; NULL where it holds none that a picture can be made of. */
static const tc_npy *find_images(tc_npz *file, const char *name) {
    const tc_npy *array = tc_npz_find(file, name);
    if (!array || array->type != TC_NPY_U8 || array->rank != 4) return NULL;
    const size_t height = array->shape[1], width = array->shape[2], channels = array->shape[3];
    const bool fits = height && width && height <= LARGEST_SIDE && width <= LARGEST_SIDE;
    return fits && (channels == 1 || channels == 3) ? array : NULL;
}

static tc_status put_pixels(FILE *out, const tc_npy *like, uint8_t *pixels, const char *label, tc_error *error) {
    const tc_image image = {(int)like->shape[1], (int)like->shape[2], (int)like->shape[3], pixels};
    uint8_t *png = NULL;
    size_t size = 0;
    const tc_status status = tc_png_encode(&image, &png, &size, error);
    if (status != TC_OK) return status;
    fputs("<img alt=\"", out);
    tc_html_text(out, label);
    fputs("\" src=\"", out);
    tc_html_png(out, png, size);
    fputs("\">", out);
    free(png);
    return TC_OK;
}

/* pixels := grey where nothing changed, brighter or darker by `times` the change elsewhere. */
static void difference(size_t count, const uint8_t *poison, const uint8_t *original, int times, uint8_t *pixels) {
    for (size_t i = 0; i < count; i++) {
        const int value = GREY + times * ((int)poison[i] - (int)original[i]);
        pixels[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

static int largest_change(size_t count, const uint8_t *poison, const uint8_t *original) {
    int largest = 0;
    for (size_t i = 0; i < count; i++) {
        const int change = abs((int)poison[i] - (int)original[i]);
        if (change > largest) largest = change;
    }
    return largest;
}

static tc_status put_row(FILE *out, const char *title, const tc_npy *like, uint8_t *pixels, size_t shown,
                         const char *label, tc_error *error) {
    const size_t bytes = like->shape[1] * like->shape[2] * like->shape[3];
    tc_status status = TC_OK;
    fprintf(out, "<div class=\"strip\"><span>%s</span><div>", title);
    for (size_t i = 0; i < shown && status == TC_OK; i++)
        status = put_pixels(out, like, pixels + i * bytes, label, error);
    fputs("</div></div>\n", out);
    return status;
}

static tc_status put_poisons(FILE *out, const tc_npy *images, const tc_npy *originals, tc_error *error) {
    const size_t pairs = images->shape[0] < originals->shape[0] ? images->shape[0] : originals->shape[0];
    const size_t shown = pairs < SHOWN ? pairs : SHOWN, bytes = images->shape[1] * images->shape[2] * images->shape[3];
    uint8_t *poison = images->data, *original = originals->data, *change = NULL;
    char title[128];
    tc_status status = TC_OK;
    TC_TRY(tc_new(&change, shown, bytes, error));
    const int largest = largest_change(shown * bytes, poison, original), times = largest ? (GREY - 1) / largest : 1;
    difference(shown * bytes, poison, original, times > 0 ? times : 1, change);
    TC_TRY(put_row(out, "original", images, original, shown, "original", error));
    TC_TRY(put_row(out, "poison", images, poison, shown, "poison", error));
    snprintf(title, sizeof title, "difference <em>× %d, grey: unchanged</em>", times > 0 ? times : 1);
    TC_TRY(put_row(out, title, images, change, shown, "difference", error));
done:
    free(change);
    return status;
}

static tc_status put_cell(FILE *out, const char *folder, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_npz *file = NULL;
    tc_error reason = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_new(&file, 1, sizeof *file, error));
    TC_TRY(tc_path_format(path, error, "%s/poison.npz", folder));
    if (tc_npz_read(path, file, &reason) != TC_OK) {
        fputs("<p class=\"quiet\">No pictures: ", out);
        tc_html_text(out, reason.message);
        fputs("</p>\n", out);
        goto done;
    }
    const tc_npy *images = find_images(file, "images"), *originals = find_images(file, "originals");
    if (images && originals && !memcmp(images->shape + 1, originals->shape + 1, 3 * sizeof *images->shape))
        TC_TRY(put_poisons(out, images, originals, error));
    else
        fputs("<p class=\"quiet\">No pictures: poison.npz holds no 8-bit images beside their originals.</p>\n", out);
done:
    tc_npz_free(file);
    return status;
}

/* ---- the targets ---- */

static void put_class(FILE *out, const json_t *results, double class) {
    const json_t *names = json_object_get(json_object_get(results, "data"), "classes");
    const char *name = isfinite(class) && class >= 0 ? json_string_value(json_array_get(names, (size_t) class)) : NULL;
    if (name && *name)
        tc_html_text(out, name);
    else
        fprintf(out, "class %.0f", class);
}

static void put_target(FILE *out, const char *folder, size_t number) {
    char path[TC_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (tc_path_format(path, NULL, "%s/target-%zu.png", folder, number) != TC_OK) return;
    if (tc_file_read(path, LARGEST_PICTURE, &bytes, &size, NULL) == TC_OK && tc_image_is_png(bytes, size)) {
        fputs("<img alt=\"target\" src=\"", out);
        tc_html_png(out, bytes, size);
        fputs("\">", out);
    }
    free(bytes);
}

static void put_targets(FILE *out, const char *folder, const json_t *results, const json_t *row) {
    const size_t targets = json_array_size(json_object_get(row, "targets"));
    fprintf(out, "<div class=\"strip target\"><span>target%s</span><div>", targets == 1 ? "" : "s");
    for (size_t i = 0; i < targets && i < SHOWN; i++) put_target(out, folder, i);
    fputs("</div></div>\n<p>True class: <b>", out);
    put_class(out, results, tc_figure(row, "target_class", NULL));
    fputs("</b>. The attacker wants: <b>", out);
    put_class(out, results, tc_figure(row, "intended_class", NULL));
    fputs("</b>.</p>\n", out);
}

static void put_verdict(FILE *out, const json_t *results, const json_t *row) {
    const json_t *predicted = json_object_get(row, "predicted");
    fputs("<p class=\"quiet\">The victim trained on these takes the target for ", out);
    for (size_t i = 0; i < json_array_size(predicted) && i < SHOWN; i++) {
        if (i) fputs(", ", out);
        fputs("<b>", out);
        put_class(out, results, json_number_value(json_array_get(predicted, i)));
        fputs("</b>", out);
    }
    fputs(".</p>\n", out);
}

/* ---- all of it ---- */

/* The row of `cell` in `trial`, or NULL. */
static const json_t *row_of(const json_t *results, size_t cell, double trial) {
    const json_t *rows = json_object_get(results, "trials");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (tc_figure(row, "cell", NULL) == (double)cell && tc_figure(row, "trial", NULL) == trial) return row;
    }
    return NULL;
}

static tc_status put_attack(FILE *out, const char *folder, const json_t *results, size_t cell, double trial,
                            tc_error *error) {
    char path[TC_PATH_SIZE];
    const json_t *row = row_of(results, cell, trial);
    const char *poison = tc_figure_text(row, "poison", NULL);
    if (!row || !*poison || strstr(poison, "..") || *poison == '/')
        return TC_OK; /* a report reads only below its folder */
    tc_status status = tc_path_format(path, error, "%s/%s", folder, poison);
    if (status != TC_OK) return status;
    fputs("<h3>", out);
    tc_html_text(out,
                 tc_figure_text(json_array_get(json_object_get(results, "cells"), cell), "factors", "label", NULL));
    fputs("</h3>\n", out);
    status = put_cell(out, path, error);
    put_verdict(out, results, row);
    return status;
}

tc_status tc_gallery_write(const char *folder, const json_t *results, FILE *out, tc_error *error) {
    const json_t *first = json_array_get(json_object_get(results, "trials"), 0);
    const size_t cells = json_array_size(json_object_get(results, "cells"));
    const double trial = tc_figure(first, "trial", NULL);
    const char *poison = tc_figure_text(first, "poison", NULL);
    char path[TC_PATH_SIZE];
    tc_status status = TC_OK;
    if (!first) return TC_OK;
    fprintf(out, "<h2>What the victim was shown</h2>\n<p>Trial %.0f, up to %d of its poisons for each attack.</p>\n",
            trial + 1, SHOWN);
    if (!strstr(poison, "..") && *poison && *poison != '/') {
        TC_TRY(tc_path_format(path, error, "%s/%s", folder, poison));
        put_targets(out, path, results, first);
    }
    for (size_t i = 0; i < cells; i++) TC_TRY(put_attack(out, folder, results, i, trial, error));
done:
    return status;
}
