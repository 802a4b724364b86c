#include "data/image_file.h"

#include "helper.h"

#include <png.h>
#include <stdio.h>

#include <jpeglib.h>

static tc_error error;

static tc_image make_image(int height, int width, int channels) {
    tc_image image = {height, width, channels, malloc((size_t)height * (size_t)width * (size_t)channels)};
    for (int i = 0; i < height * width * channels; i++) image.pixels[i] = (uint8_t)(40 + 3 * i % 170 + i % 7);
    return image;
}

static void encode_jpeg(const tc_image *image, J_COLOR_SPACE space, uint8_t **bytes, size_t *size) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr manager;
    unsigned long length = 0;
    *bytes = NULL;
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, bytes, &length);
    jpeg.image_width = (JDIMENSION)image->width;
    jpeg.image_height = (JDIMENSION)image->height;
    jpeg.input_components = image->channels;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 95, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = image->pixels + jpeg.next_scanline * jpeg.image_width * (JDIMENSION)image->channels;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    *size = length;
}

static void png_returns_what_was_written(void **state) {
    (void)state;
    for (int channels = 1; channels <= 4; channels++) {
        tc_image image = make_image(7, 11, channels), again;
        uint8_t *bytes;
        size_t size;
        helper_ok(tc_png_encode(&image, &bytes, &size, &error), &error);
        assert_true(tc_image_is_png(bytes, size));
        helper_ok(tc_image_decode(bytes, size, channels, "x", &again, &error), &error);
        assert_int_equal(again.height, 7);
        assert_int_equal(again.width, 11);
        if (channels % 2) assert_memory_equal(again.pixels, image.pixels, (size_t)(7 * 11 * channels));
        free(bytes);
        free(again.pixels);
        free(image.pixels);
    }
}

/* Grey, colour and 16 bits, each asked for as it is, as grey's copy in three channels, and as 8 bits. */
static void converts_as_asked(void **state) {
    (void)state;
    tc_image grey = make_image(4, 4, 1), image;
    uint8_t *bytes;
    size_t size;
    helper_ok(tc_png_encode(&grey, &bytes, &size, &error), &error);
    helper_ok(tc_image_decode(bytes, size, 0, "x", &image, &error), &error);
    assert_int_equal(image.channels, 1);
    free(image.pixels);
    helper_ok(tc_image_decode(bytes, size, 3, "x", &image, &error), &error);
    for (int i = 0; i < 48; i++) assert_int_equal(image.pixels[i], grey.pixels[i / 3]);
    free(image.pixels);
    free(bytes);
    encode_jpeg(&grey, JCS_GRAYSCALE, &bytes, &size);
    helper_ok(tc_image_decode(bytes, size, 0, "x", &image, &error), &error);
    assert_int_equal(image.channels, 1);
    free(image.pixels);
    helper_ok(tc_image_decode(bytes, size, 3, "x", &image, &error), &error);
    for (int i = 0; i < 48; i++) assert_in_range(image.pixels[i] + 5, grey.pixels[i / 3], grey.pixels[i / 3] + 10);
    free(image.pixels);
    free(bytes);
    free(grey.pixels);
}

static void reads_sixteen_bits_as_eight(void **state) {
    (void)state;
    tc_image image;
    uint16_t deep[4] = {0, 0x8080, 0xffff, 0x4040};
    uint8_t *bytes = malloc(1000);
    png_alloc_size_t size = 1000;
    png_image png = {.version = PNG_IMAGE_VERSION, .width = 2, .height = 2, .format = PNG_FORMAT_LINEAR_Y};
    png.flags = PNG_IMAGE_FLAG_COLORSPACE_NOT_sRGB;
    assert_true(png_image_write_to_memory(&png, bytes, &size, 0, deep, 0, NULL));
    helper_ok(tc_image_decode(bytes, size, 0, "x", &image, &error), &error);
    assert_int_equal(image.pixels[0], 0);
    assert_int_equal(image.pixels[2], 255);
    assert_true(image.pixels[3] > 0x30 && image.pixels[3] < image.pixels[1]);
    free(image.pixels);
    free(bytes);
}

static void jpeg_comes_close(void **state) {
    (void)state;
    tc_image image = {16, 16, 3, malloc(768)}, again;
    uint8_t *bytes;
    size_t size;
    for (int i = 0; i < 768; i++) image.pixels[i] = (uint8_t)(i % 3 == 0 ? 200 : i % 3 == 1 ? 30 + i / 12 : 90);
    encode_jpeg(&image, JCS_RGB, &bytes, &size);
    assert_true(tc_image_is_jpeg(bytes, size));
    helper_ok(tc_image_decode(bytes, size, 0, "x", &again, &error), &error);
    assert_int_equal(again.channels, 3);
    for (int i = 0; i < 768; i++) assert_in_range(again.pixels[i] + 8, image.pixels[i], image.pixels[i] + 16);
    free(bytes);
    free(again.pixels);
    free(image.pixels);
}

static void refuses_what_is_no_picture(void **state) {
    (void)state;
    tc_image image;
    assert_int_equal(tc_image_decode((const uint8_t *)"GIF89a..", 8, 0, "a.png", &image, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "a.png: neither PNG nor JPEG"));
    assert_int_equal(tc_image_decode((const uint8_t *)"", 0, 0, "a.png", &image, &error), TC_INVALID);
    tc_image ink = make_image(8, 8, 4); /* the cyan, magenta, yellow and black of a printer */
    uint8_t *bytes;
    size_t size;
    encode_jpeg(&ink, JCS_CMYK, &bytes, &size);
    assert_int_equal(tc_image_decode(bytes, size, 0, "ink.jpg", &image, &error), TC_INVALID);
    free(bytes);
    free(ink.pixels);
}

/* Dimensions of 2³¹ − 1 in a PNG and of 65,500 in a JPEG, with the PNG's checksum made right. */
static void refuses_absurd_sizes_at_once(void **state) {
    (void)state;
    tc_image small = make_image(8, 8, 1), image;
    uint8_t *bytes;
    size_t size;
    const clock_t start = clock();
    helper_ok(tc_png_encode(&small, &bytes, &size, &error), &error);
    static const uint8_t sides[2][8] = {{0x7f, 255, 255, 255, 0x7f, 255, 255, 255}, {0, 0, 64, 0, 0, 0, 64, 1}};
    for (int k = 0; k < 2; k++) {
        memcpy(bytes + 16, sides[k], 8);
        uint32_t crc = 0xffffffff;
        for (int i = 12; i < 29; i++) {
            crc ^= bytes[i];
            for (int b = 0; b < 8; b++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        for (int i = 0; i < 4; i++) bytes[29 + i] = (uint8_t)(~crc >> (24 - 8 * i));
        assert_int_equal(tc_image_decode(bytes, size, 0, "x", &image, &error), TC_INVALID);
        assert_null(image.pixels);
    }
    assert_non_null(strstr(error.message, "16384×16385 pixels"));
    free(bytes);
    encode_jpeg(&small, JCS_GRAYSCALE, &bytes, &size);
    for (size_t i = 0; i + 9 < size; i++)
        if (bytes[i] == 0xff && bytes[i + 1] == 0xc0) memcpy(bytes + i + 5, "\xff\xdc\xff\xdc", 4);
    assert_int_equal(tc_image_decode(bytes, size, 0, "x", &image, &error), TC_INVALID);
    assert_null(image.pixels);
    assert_true(clock() - start < CLOCKS_PER_SEC);
    free(bytes);
    free(small.pixels);
}

/* In blocks of exactly their size, so that the sanitizer sees the first byte read too far. */
static tc_status decode_copy(const uint8_t *bytes, size_t size) {
    tc_image image;
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    const tc_status status = tc_image_decode(copy, size, 3, "x", &image, &error);
    assert_true(status == TC_OK || status == TC_INVALID);
    assert_true((status == TC_OK) == (image.pixels != NULL));
    free(image.pixels);
    free(copy);
    return status;
}

static void torture(uint8_t *bytes, size_t size, size_t needed) {
    for (size_t length = 0; length < size; length++)
        if (decode_copy(bytes, length) == TC_OK && length < needed)
            fail_msg("read although cut to %zu of %zu bytes", length, size);
    assert_int_equal(decode_copy(bytes, size), TC_OK);
    uint8_t *damaged = malloc(size);
    tc_stream stream = tc_stream_make(9);
    for (int round = 0; round < 600; round++) {
        memcpy(damaged, bytes, size);
        for (uint64_t changes = 1 + tc_draw_below(&stream, 3); changes; changes--)
            damaged[tc_draw_below(&stream, size)] ^= (uint8_t)(1 << tc_draw_below(&stream, 8));
        decode_copy(damaged, size);
    }
    free(damaged);
    free(bytes);
}

static void survives_damage(void **state) {
    (void)state;
    tc_image image = make_image(12, 12, 3);
    uint8_t *bytes;
    size_t size;
    helper_ok(tc_png_encode(&image, &bytes, &size, &error), &error);
    torture(bytes, size, size - 12 - 4); /* without its last chunk, or that of the pixels its checksum */
    encode_jpeg(&image, JCS_RGB, &bytes, &size);
    torture(bytes, size, size - 2); /* without the mark at its end */
    free(image.pixels);
}

static void resizes_by_area_and_bilinearly(void **state) {
    (void)state;
    uint8_t checks[16 * 16], small[4 * 4], large[5 * 5], corners[4] = {0, 100, 100, 200};
    for (int i = 0; i < 256; i++) checks[i] = (i + i / 16) & 1 ? 200 : 100;
    tc_image from = {16, 16, 1, checks}, to = {4, 4, 1, small};
    helper_ok(tc_image_resize(&from, &to, &error), &error);
    for (int i = 0; i < 16; i++) assert_in_range(small[i], 148, 152); /* no pixel is skipped: no moiré */
    from = (tc_image){2, 2, 1, corners};
    to = (tc_image){5, 5, 1, large};
    helper_ok(tc_image_resize(&from, &to, &error), &error);
    assert_int_equal(large[0], 0);
    assert_int_equal(large[12], 100);
    assert_int_equal(large[24], 200);
    for (int i = 1; i < 5; i++) assert_true(large[i] >= large[i - 1]);
    uint8_t colours[2 * 3] = {10, 20, 30, 10, 20, 30}, one[3];
    from = (tc_image){1, 2, 3, colours};
    to = (tc_image){1, 1, 3, one};
    helper_ok(tc_image_resize(&from, &to, &error), &error);
    assert_memory_equal(one, colours, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_returns_what_was_written),
        cmocka_unit_test(converts_as_asked),
        cmocka_unit_test(reads_sixteen_bits_as_eight),
        cmocka_unit_test(jpeg_comes_close),
        cmocka_unit_test(refuses_what_is_no_picture),
        cmocka_unit_test(refuses_absurd_sizes_at_once),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(resizes_by_area_and_bilinearly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
