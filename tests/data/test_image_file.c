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
        assert_memory_equal(again.pixels, image.pixels, (size_t)(7 * 11 * channels));
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

/* ---- samples as they are stored ---- */

typedef struct stored {
    int colour, depth; /* PNG's colour type, bits a sample */
    bool interlaced;
    int width, height;
    const uint8_t *rows;       /* packed, one row behind the other */
    const png_color *palette;  /* [4], NULL: none */
    const uint8_t *alphas;     /* [3] of the palette, NULL: none */
    const png_color_16 *clear; /* the colour that is transparent, NULL: none */
    bool profiled;             /* with a gamma of 1: a viewer would change the values */
} stored;

typedef struct sink {
    uint8_t bytes[8192];
    size_t size;
} sink;

static void put(png_structp png, png_bytep bytes, size_t size) {
    sink *to = png_get_io_ptr(png);
    assert_true(to->size + size <= sizeof to->bytes);
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void store(const stored *s, sink *to) {
    static const int channels[] = {1, 0, 3, 1, 2, 0, 4};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    const int row = (s->width * s->depth * channels[s->colour] + 7) / 8;
    to->size = 0;
    png_set_write_fn(png, to, put, NULL);
    png_set_IHDR(png, info, (png_uint_32)s->width, (png_uint_32)s->height, s->depth, s->colour,
                 s->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (s->profiled) png_set_gAMA(png, info, 1.0);
    if (s->palette) png_set_PLTE(png, info, s->palette, 4);
    if (s->alphas || s->clear) png_set_tRNS(png, info, s->alphas, s->alphas ? 3 : 0, s->clear);
    png_write_info(png, info);
    for (int pass = s->interlaced ? png_set_interlace_handling(png) : 1; pass; pass--)
        for (int y = 0; y < s->height; y++) png_write_row(png, s->rows + y * row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

static void expect_pixels(const stored *s, int asked, int channels, const uint8_t *pixels) {
    static sink file;
    tc_image image;
    store(s, &file);
    helper_ok(tc_image_decode(file.bytes, file.size, asked, "x", &image, &error), &error);
    assert_int_equal(image.height, s->height);
    assert_int_equal(image.width, s->width);
    assert_int_equal(image.channels, channels);
    assert_memory_equal(image.pixels, pixels, (size_t)(s->height * s->width * channels));
    free(image.pixels);
}

static const uint8_t seen_through[] = {71, 81, 71, 128, 10, 20, 30, 0}, grey_through[] = {71, 128, 9, 0};
static const png_color four[] = {{1, 2, 3}, {40, 50, 60}, {255, 0, 7}, {90, 91, 92}};
static const uint8_t alphas[] = {0, 100, 255}, indices[] = {0x1b}; /* 0, 1, 2, 3 in two bits each */
static const uint8_t deep[] = {0, 127, 0x12, 0x34, 0xff, 0xff};    /* 127/65535 is less than half a step of 255 */
static const png_color_16 key = {.red = 71, .green = 81, .blue = 71, .gray = 71};

/* As PIL's convert("RGB") and its plain open see them. */
static void reads_samples_as_they_are_stored(void **state) {
    (void)state;
    static const struct {
        stored file;
        int asked, channels;
        uint8_t pixels[16];
    } cases[] = {
        {{6, 8, false, 2, 1, seen_through, NULL, NULL, NULL, false}, 0, 3, {71, 81, 71, 10, 20, 30}},
        {{6, 8, false, 2, 1, seen_through, NULL, NULL, NULL, true}, 3, 3, {71, 81, 71, 10, 20, 30}},
        {{6, 8, false, 2, 1, seen_through, NULL, NULL, NULL, true}, 4, 4, {71, 81, 71, 128, 10, 20, 30, 0}},
        {{2, 8, false, 2, 1, seen_through, NULL, NULL, &key, true}, 0, 3, {71, 81, 71, 128, 10, 20}},
        {{4, 8, false, 2, 1, grey_through, NULL, NULL, NULL, true}, 0, 1, {71, 9}},
        {{4, 8, false, 2, 1, grey_through, NULL, NULL, NULL, false}, 3, 3, {71, 71, 71, 9, 9, 9}},
        {{0, 8, false, 4, 1, grey_through, NULL, NULL, &key, true}, 0, 1, {71, 128, 9, 0}},
        {{3, 2, false, 4, 1, indices, four, NULL, NULL, true}, 0, 3, {1, 2, 3, 40, 50, 60, 255, 0, 7, 90, 91, 92}},
        {{3, 2, false, 4, 1, indices, four, alphas, NULL, false}, 0, 3, {1, 2, 3, 40, 50, 60, 255, 0, 7, 90, 91, 92}},
        {{3, 2, false, 4, 1, indices, four, alphas, NULL, false},
         4,
         4,
         {1, 2, 3, 0, 40, 50, 60, 100, 255, 0, 7, 255, 90, 91, 92, 255}},
        {{0, 1, false, 8, 1, indices, NULL, NULL, NULL, true}, 0, 1, {0, 0, 0, 255, 255, 0, 255, 255}},
        {{0, 2, false, 4, 1, indices, NULL, NULL, NULL, true}, 0, 1, {0, 85, 170, 255}},
        {{0, 4, false, 2, 1, indices, NULL, NULL, NULL, true}, 0, 1, {17, 187}},
        {{0, 16, false, 3, 1, deep, NULL, NULL, NULL, true}, 0, 1, {0, 18, 255}},
        {{2, 16, false, 1, 1, deep, NULL, NULL, NULL, false}, 0, 3, {0, 18, 255}},
        {{2, 8, false, 1, 1, seen_through, NULL, NULL, NULL, true}, 1, 1, {77}}, /* 0.299 R + 0.587 G + 0.114 B */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_pixels(&cases[i].file, cases[i].asked, cases[i].channels, cases[i].pixels);
    tc_image image = make_image(9, 13, 3);
    const stored laced = {2, 8, true, 13, 9, image.pixels, NULL, NULL, NULL, true};
    expect_pixels(&laced, 0, 3, image.pixels);
    free(image.pixels);
}

static void tells_transparent_pictures(void **state) {
    (void)state;
    static const uint8_t opaque[] = {1, 2, 3, 255, 4, 5, 6, 255};
    static const png_color_16 absent = {.red = 1, .green = 1, .blue = 1};
    static const struct {
        stored file;
        bool opaque;
    } cases[] = {
        {{6, 8, false, 2, 1, seen_through, NULL, NULL, NULL, false}, false},
        {{6, 8, false, 2, 1, opaque, NULL, NULL, NULL, false}, true},
        {{6, 8, true, 2, 1, opaque, NULL, NULL, NULL, false}, true},
        {{4, 8, false, 2, 1, grey_through, NULL, NULL, NULL, false}, false},
        {{2, 8, false, 2, 1, seen_through, NULL, NULL, &key, false}, false},
        {{2, 8, false, 2, 1, seen_through, NULL, NULL, &absent, false}, true},
        {{3, 2, false, 4, 1, indices, four, alphas, NULL, false}, false},
        {{3, 2, false, 4, 1, indices, four, NULL, NULL, false}, true},
    };
    static sink file;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        store(&cases[i].file, &file);
        assert_int_equal(tc_image_check_opaque(file.bytes, file.size, "a.png", &error),
                         cases[i].opaque ? TC_OK : TC_INVALID);
        if (!cases[i].opaque) assert_non_null(strstr(error.message, "a.png: is transparent in places"));
    }
    store(&cases[0].file, &file);
    for (size_t length = 0; length + 16 < file.size; length++)
        assert_int_equal(tc_image_check_opaque(file.bytes, length, "a.png", &error), length < 8 ? TC_OK : TC_INVALID);
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
    assert_string_equal(error.message, "ink.jpg: a CMYK JPEG, made for printing; save the picture as RGB");
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
    const stored kinds[] = {{2, 8, true, 12, 12, image.pixels, NULL, NULL, &key, true},
                            {3, 2, true, 12, 12, image.pixels, four, alphas, NULL, true},
                            {4, 16, false, 9, 12, image.pixels, NULL, NULL, NULL, true},
                            {0, 1, true, 12, 12, image.pixels, NULL, NULL, NULL, false}};
    static sink file;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        store(&kinds[i], &file);
        bytes = malloc(file.size);
        memcpy(bytes, file.bytes, file.size);
        torture(bytes, file.size, file.size - 12 - 4);
    }
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
        cmocka_unit_test(reads_samples_as_they_are_stored),
        cmocka_unit_test(tells_transparent_pictures),
        cmocka_unit_test(jpeg_comes_close),
        cmocka_unit_test(refuses_what_is_no_picture),
        cmocka_unit_test(refuses_absurd_sizes_at_once),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(resizes_by_area_and_bilinearly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
