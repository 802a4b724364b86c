/* fuzz_image.c — one PNG or JPEG, as it comes, as grey and as colour. */
#include "fuzz.h"

#include "data/image_file.h"

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

static uint8_t pixels[16][16][3];

static tc_status png_seed(const char *name, int channels, tc_error *error) {
    const tc_image image = {16, 16 * 3 / channels, channels, &pixels[0][0][0]};
    uint8_t *bytes = NULL;
    size_t size = 0;
    tc_status status = tc_png_encode(&image, &bytes, &size, error);
    if (status == TC_OK) status = tc_file_put(fuzz_path(name), bytes, size, error);
    free(bytes);
    return status == TC_OK ? fuzz_seed(name, -1, fuzz_path(name), error) : status;
}

static tc_status jpeg_seed(const char *name, int progressive, tc_error *error) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr manager;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = jpeg.image_height = 16;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < 16) {
        JSAMPROW row = pixels[jpeg.next_scanline][0];
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    const tc_status status = tc_file_put(fuzz_path(name), bytes, size, error);
    free(bytes);
    return status == TC_OK ? fuzz_seed(name, -1, fuzz_path(name), error) : status;
}

tc_status fuzz_prepare(tc_error *error) {
    (void)error;
    return TC_OK;
}

tc_status fuzz_seeds(tc_error *error) {
    tc_status status = TC_OK;
    for (int i = 0; i < 16 * 16 * 3; i++) pixels[i / 48][i / 3 % 16][i % 3] = (uint8_t)(i * i / 7);
    TC_TRY(png_seed("grey.png", 1, error));
    TC_TRY(png_seed("colour.png", 3, error));
    TC_TRY(jpeg_seed("plain.jpg", 0, error));
    TC_TRY(jpeg_seed("progressive.jpg", 1, error));
done:
    return status;
}

tc_status fuzz_one(const uint8_t *bytes, size_t size, tc_error *error) {
    tc_status status = TC_OK;
    for (int channels = 0; channels <= 3 && status == TC_OK; channels += channels ? 2 : 1) {
        tc_image image = {0};
        status = tc_image_decode(bytes, size, channels, "picture", &image, error);
        if (status == TC_OK)
            fuzz_look(image.pixels, (size_t)image.height * (size_t)image.width * (size_t)image.channels);
        free(image.pixels);
    }
    return status;
}
