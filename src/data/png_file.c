/* png_file.c — PNG through libpng, whose only way to report an error is to jump out of it.
 *
 * What is read are the samples as they are stored: palettes and low depths expanded, 16 bits scaled to 8, and no colour
 * management (gAMA, sRGB, iCCP), which would move values that have to stay. Writing is the simplified interface's. */
#include "data/image_file.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const png_uint_32 formats[] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};

typedef struct decoder {
    jmp_buf escape;
    char message[128];
    const uint8_t *at, *end; /* of the file */
    png_structp png;
    png_infop info;
    int passes;     /* over the rows: of an interlaced picture several */
    tc_image image; /* grey or RGB as in the file, either with or without alpha */
} decoder;

bool tc_image_is_png(const uint8_t *bytes, size_t size) {
    return size >= 8 && !png_sig_cmp(bytes, 0, 8);
}

/* ---- reading ---- */

static void leave(png_structp png, png_const_charp message) {
    decoder *d = png_get_error_ptr(png);
    snprintf(d->message, sizeof d->message, "%s", message);
    longjmp(d->escape, 1);
}

/* Odd but whole files pass. */
static void let_pass(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void give(png_structp png, png_bytep to, size_t size) {
    decoder *d = png_get_io_ptr(png);
    if ((size_t)(d->end - d->at) < size) png_error(png, "cut off");
    memcpy(to, d->at, size);
    d->at += size;
}

/* A colour that stands for transparency becomes alpha, too. */
static void read_header(decoder *d) {
    png_set_read_fn(d->png, d, give);
    png_set_benign_errors(d->png, 1);
    png_read_info(d->png, d->info);
    png_set_expand(d->png);
    png_set_scale_16(d->png);
    d->passes = png_set_interlace_handling(d->png);
    d->image.height = (int)png_get_image_height(d->png, d->info);
    d->image.width = (int)png_get_image_width(d->png, d->info);
}

static void read_rows(decoder *d) {
    const size_t row = (size_t)d->image.width * (size_t)d->image.channels;
    for (int pass = 0; pass < d->passes; pass++)
        for (int y = 0; y < d->image.height; y++) png_read_row(d->png, d->image.pixels + (size_t)y * row, NULL);
}

static void settle(decoder *d) {
    png_read_update_info(d->png, d->info);
    d->image.channels = png_get_channels(d->png, d->info);
}

/* The frame that the jump lands in: it owns no variables, so none can be lost. */
static bool survive(decoder *d, void (*step)(decoder *)) {
    if (setjmp(d->escape)) return false;
    step(d);
    return true;
}

static tc_status begin(decoder *d, const uint8_t *bytes, size_t size, const char *where, tc_error *error) {
    tc_status status = TC_OK;
    *d = (decoder){.at = bytes, .end = bytes + size};
    d->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, d, leave, let_pass);
    d->info = d->png ? png_create_info_struct(d->png) : NULL;
    if (!d->info) TC_RAISE(TC_FAILED, "%s: no memory for reading it; free some", where);
    if (!survive(d, read_header))
        TC_RAISE(TC_INVALID, "%s: not a whole PNG (%s); save the picture again", where, d->message);
    if ((uint64_t)d->image.width * (uint64_t)d->image.height > TC_IMAGE_PIXELS)
        TC_RAISE(TC_INVALID, "%s: %d×%d pixels; at most %d in all are read", where, d->image.width, d->image.height,
                 TC_IMAGE_PIXELS);
    if (!survive(d, settle))
        TC_RAISE(TC_INVALID, "%s: not a whole PNG (%s); save the picture again", where, d->message);
done:
    return status;
}

static tc_status finish(decoder *d, const char *where, tc_error *error) {
    const size_t pixels = (size_t)d->image.width * (size_t)d->image.height;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&d->image.pixels, pixels, (size_t)d->image.channels, error));
    if (!survive(d, read_rows))
        TC_RAISE(TC_INVALID, "%s: the PNG is damaged (%s); save the picture again", where, d->message);
done:
    return status;
}

static void end(decoder *d) {
    free(d->image.pixels);
    if (d->png) png_destroy_read_struct(&d->png, &d->info, NULL);
}

/* ---- channels ---- */

static bool has_alpha(int channels) {
    return channels % 2 == 0;
}

/* Alpha goes where none is wanted; the colours under it are left as they are. Grey is JPEG's. */
static void convert_pixel(const uint8_t *from, int have, uint8_t *to, int want) {
    const int r = from[0], g = from[have > 2 ? 1 : 0], b = from[have > 2 ? 2 : 0];
    const uint8_t colours[3] = {(uint8_t)r, (uint8_t)g, (uint8_t)b};
    if (want > 2)
        memcpy(to, colours, sizeof colours);
    else
        to[0] = (uint8_t)((299 * r + 587 * g + 114 * b + 500) / 1000);
    if (has_alpha(want)) to[want - 1] = has_alpha(have) ? from[have - 1] : 255;
}

static tc_status convert(const tc_image *from, int channels, tc_image *to, tc_error *error) {
    const size_t pixels = (size_t)from->width * (size_t)from->height, have = (size_t)from->channels;
    const size_t want = (size_t)(channels ? channels : from->channels > 2 ? 3 : 1);
    *to = (tc_image){from->height, from->width, (int)want, NULL};
    const tc_status status = tc_new(&to->pixels, pixels, want, error);
    for (size_t i = 0; i < pixels && status == TC_OK; i++)
        convert_pixel(from->pixels + i * have, (int)have, to->pixels + i * want, (int)want);
    return status;
}

tc_status tc_png_decode(const uint8_t *bytes, size_t size, int channels, const char *where, tc_image *image,
                        tc_error *error) {
    tc_status status = TC_OK;
    decoder d;
    *image = (tc_image){0};
    TC_TRY(begin(&d, bytes, size, where, error));
    TC_TRY(finish(&d, where, error));
    if (channels == d.image.channels) { /* nothing to convert */
        *image = d.image;
        d.image.pixels = NULL;
        goto done;
    }
    TC_TRY(convert(&d.image, channels, image, error));
done:
    end(&d);
    return status;
}

tc_status tc_image_check_opaque(const uint8_t *bytes, size_t size, const char *where, tc_error *error) {
    tc_status status = TC_OK;
    decoder d;
    if (!tc_image_is_png(bytes, size)) return TC_OK;
    TC_TRY(begin(&d, bytes, size, where, error));
    if (!has_alpha(d.image.channels)) goto done;
    TC_TRY(finish(&d, where, error));
    const size_t step = (size_t)d.image.channels, values = step * (size_t)d.image.width * (size_t)d.image.height;
    for (size_t i = step - 1; i < values; i += step)
        if (d.image.pixels[i] < 255)
            TC_RAISE(TC_INVALID, "%s: is transparent in places; save the picture without transparency", where);
done:
    end(&d);
    return status;
}

/* ---- writing ---- */

tc_status tc_png_encode(const tc_image *image, uint8_t **bytes, size_t *size, tc_error *error) {
    *bytes = NULL;
    *size = 0;
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)image->width,
                     .height = (png_uint_32)image->height,
                     .format = formats[image->channels]};
    png_alloc_size_t room = PNG_IMAGE_PNG_SIZE_MAX(png); /* one pass, instead of compressing once to learn the size */
    uint8_t *buffer = malloc(room);
    if (!buffer) return tc_raise(error, TC_FAILED, "PNG: no memory for %zu bytes; free some", (size_t)room);
    if (!png_image_write_to_memory(&png, buffer, &room, 0, image->pixels, 0, NULL)) {
        free(buffer);
        return tc_raise(error, TC_FAILED, "PNG: cannot be written (%s); free memory", png.message);
    }
    uint8_t *exact = realloc(buffer, room);
    *bytes = exact ? exact : buffer;
    *size = room;
    return TC_OK;
}
