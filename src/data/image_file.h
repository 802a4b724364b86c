/* image_file.h — one PNG or JPEG in memory, to pixels and back. */
#ifndef TC_DATA_IMAGE_FILE_H
#define TC_DATA_IMAGE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { TC_IMAGE_PIXELS = 1 << 26 }; /* more are no training image, but a few bytes of PNG may claim to be one */

typedef struct tc_image {
    int height, width, channels; /* 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA */
    uint8_t *pixels;             /* [height][width][channels] */
} tc_image;

/* By the first bytes, not by the name. channels 0: 1 or 3, as the file has it; else converted to that many. 16 bits
 * become 8; alpha that is not asked for is dropped, and colour profiles and gamma are not applied. `where` names it in
 * messages. A damaged or cut-off picture is refused even where its upper part could be shown. Free pixels with free().
 */
tc_status tc_image_decode(const uint8_t *bytes, size_t size, int channels, const char *where, tc_image *image,
                          tc_error *error);
/* Refuses a picture of which any pixel is transparent, wholly or in part. */
tc_status tc_image_check_opaque(const uint8_t *bytes, size_t size, const char *where, tc_error *error);
bool tc_image_is_png(const uint8_t *bytes, size_t size);
bool tc_image_is_jpeg(const uint8_t *bytes, size_t size);
/* The two behind tc_image_decode. */
tc_status tc_png_decode(const uint8_t *bytes, size_t size, int channels, const char *where, tc_image *image,
                        tc_error *error);
tc_status tc_jpeg_decode(const uint8_t *bytes, size_t size, int channels, const char *where, tc_image *image,
                         tc_error *error);

/* *bytes: free() it. The same pixels give the same bytes. */
tc_status tc_png_encode(const tc_image *image, uint8_t **bytes, size_t *size, tc_error *error);

/* Into to->pixels, which has to->height × to->width pixels and image->channels already: a triangle filter, as wide as
 * a target pixel where it shrinks (area average) and bilinear where it enlarges. */
tc_status tc_image_resize(const tc_image *image, const tc_image *to, tc_error *error);

#endif
