/* png_file.c — PNG through libpng's simplified interface, which keeps its own longjmp to itself. */
#include "data/image_file.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

static const png_uint_32 formats[] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};

bool tc_image_is_png(const uint8_t *bytes, size_t size) {
    return size >= 8 && !png_sig_cmp(bytes, 0, 8);
}

tc_status tc_png_decode(const uint8_t *bytes, size_t size, int channels, const char *where, tc_image *image,
                        tc_error *error) {
    tc_status status = TC_OK;
    png_image png = {.version = PNG_IMAGE_VERSION};
    const png_color black = {0, 0, 0};
    *image = (tc_image){0};
    if (!png_image_begin_read_from_memory(&png, bytes, size))
        TC_RAISE(TC_INVALID, "%s: not a whole PNG (%s); save the picture again", where, png.message);
    if ((uint64_t)png.width * png.height > TC_IMAGE_PIXELS)
        TC_RAISE(TC_INVALID, "%s: %u×%u pixels; at most %d in all are read", where, png.width, png.height,
                 TC_IMAGE_PIXELS);
    if (!channels) channels = png.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
    png.format = formats[channels];
    png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* 16 bits are taken as finer steps of the same curve */
    *image = (tc_image){(int)png.height, (int)png.width, channels, NULL};
    image->pixels = malloc(PNG_IMAGE_SIZE(png));
    if (!image->pixels) TC_RAISE(TC_FAILED, "%s: no memory for %u×%u pixels; free some", where, png.width, png.height);
    if (!png_image_finish_read(&png, &black, image->pixels, 0, NULL))
        TC_RAISE(TC_INVALID, "%s: the PNG is damaged (%s); save the picture again", where, png.message);
done:
    png_image_free(&png);
    if (status != TC_OK) {
        free(image->pixels);
        image->pixels = NULL;
    }
    return status;
}

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
