/* jpeg_file.c — JPEG through libjpeg, whose only way to report an error is to jump out of it.
 *
 * libjpeg shows a cut-off file with a grey bottom and a warning; to a training set that is damage, so warnings of that
 * kind count as errors. */
#include "data/image_file.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

typedef struct decoder {
    struct jpeg_decompress_struct jpeg; /* first, so that a pointer to it is one to the decoder */
    struct jpeg_error_mgr manager;
    jmp_buf escape;
    char message[JMSG_LENGTH_MAX];
    tc_image *image;
} decoder;

bool tc_image_is_jpeg(const uint8_t *bytes, size_t size) {
    return size >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

static void leave(j_common_ptr jpeg) {
    decoder *d = (decoder *)jpeg;
    d->manager.format_message(jpeg, d->message);
    longjmp(d->escape, 1);
}

/* level −1: a warning. Odd but whole files (bytes between markers, an unusual header) pass. */
static void weigh_message(j_common_ptr jpeg, int level) {
    if (level >= 0) return;
    const int code = jpeg->err->msg_code;
    if (code != JWRN_EXTRANEOUS_DATA && code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM) leave(jpeg);
}

static void read_rows(decoder *d, const uint8_t *bytes, size_t size, int channels) {
    jpeg_create_decompress(&d->jpeg);
    jpeg_mem_src(&d->jpeg, bytes, (unsigned long)size);
    jpeg_read_header(&d->jpeg, TRUE);
    if ((uint64_t)d->jpeg.image_width * d->jpeg.image_height > TC_IMAGE_PIXELS)
        ERREXIT1(&d->jpeg, JERR_IMAGE_TOO_BIG, TC_IMAGE_PIXELS);
    if (!channels) channels = d->jpeg.num_components == 1 ? 1 : 3;
    d->jpeg.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    d->jpeg.dct_method = JDCT_ISLOW; /* the same pixels on every machine */
    *d->image = (tc_image){(int)d->jpeg.image_height, (int)d->jpeg.image_width, channels, NULL};
    const size_t row = (size_t)d->jpeg.image_width * (size_t)channels;
    d->image->pixels = malloc(row * d->jpeg.image_height);
    if (!d->image->pixels) ERREXIT1(&d->jpeg, JERR_OUT_OF_MEMORY, 0);
    jpeg_start_decompress(&d->jpeg);
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        JSAMPROW line = d->image->pixels + d->jpeg.output_scanline * row;
        jpeg_read_scanlines(&d->jpeg, &line, 1);
    }
    jpeg_finish_decompress(&d->jpeg);
}

/* The frame that the jump lands in: it owns no variables, so none can be lost. */
static bool survive(decoder *d, const uint8_t *bytes, size_t size, int channels) {
    if (setjmp(d->escape)) return false;
    read_rows(d, bytes, size, channels);
    return true;
}

tc_status tc_jpeg_decode(const uint8_t *bytes, size_t size, int channels, const char *where, tc_image *image,
                         tc_error *error) {
    decoder d = {.image = image};
    *image = (tc_image){0};
    if (channels != 0 && channels != 1 && channels != 3)
        return tc_raise(error, TC_INVALID, "%s: a JPEG has 1 or 3 channels, not %d; save it as PNG", where, channels);
    d.jpeg.err = jpeg_std_error(&d.manager);
    d.manager.error_exit = leave;
    d.manager.emit_message = weigh_message;
    const bool read = survive(&d, bytes, size, channels), printed = d.jpeg.num_components == 4;
    jpeg_destroy_decompress(&d.jpeg);
    if (read) return TC_OK;
    free(image->pixels);
    image->pixels = NULL;
    if (d.manager.msg_code == JERR_OUT_OF_MEMORY)
        return tc_raise(error, TC_FAILED, "%s: no memory for its pixels; free some", where);
    if (d.manager.msg_code == JERR_CONVERSION_NOTIMPL && printed)
        return tc_raise(error, TC_INVALID, "%s: a CMYK JPEG, made for printing; save the picture as RGB", where);
    return tc_raise(error, TC_INVALID, "%s: the JPEG cannot be read (%s); save the picture again", where, d.message);
}
