#include "data/album.h"

#include "helper.h"

#include <unistd.h>

static tc_error error;

/* ROOT/NAME := a grey picture of one shade, in a folder that is made. */
static void put(const char *name, int side, uint8_t value) {
    char folder[TC_PATH_SIZE];
    uint8_t *bytes;
    size_t size;
    const tc_image image = {side, side, 1, malloc((size_t)(side * side))};
    memset(image.pixels, value, (size_t)(side * side));
    snprintf(folder, sizeof folder, "%s", helper_at("", name));
    *strrchr(folder, '/') = 0;
    helper_ok(tc_folder_make(folder, &error), &error);
    helper_ok(tc_png_encode(&image, &bytes, &size, &error), &error);
    helper_ok(tc_file_put(helper_at("", name), bytes, size, &error), &error);
    free(bytes);
    free(image.pixels);
}

/* ROOT/NAME := two classes of five pictures. */
static void put_album(const char *name) {
    char path[64];
    tc_folder_remove(helper_at("", name), NULL);
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "%s/%s/%d.png", name, i < 5 ? "ant" : "cat", i);
        put(path, 8, (uint8_t)(20 * i));
    }
}

static void refuses(const char *source, const char *part) {
    tc_album album;
    assert_int_equal(tc_album_open(source, 0, 64, 1, &album, &error), TC_INVALID);
    assert_null(album.dataset);
    if (!strstr(error.message, part)) fail_msg("'%s' is not in: %s", part, error.message);
}

static void holds_a_fifth_that_it_keeps(void **state) {
    (void)state;
    tc_album album;
    size_t held = 0;
    put_album("five");
    helper_ok(tc_album_open(helper_at("", "five"), 0, 64, 1, &album, &error), &error);
    assert_int_equal(album.count, 10);
    assert_int_equal(album.dataset->train.count, 10);
    assert_int_equal(album.dataset->test.count, 2);
    assert_false(album.resized);
    for (size_t i = 0; i < 10; i++) held += album.held[i];
    assert_int_equal(held, 2);
    assert_string_equal(album.file[7], "cat/7.png");
    tc_album_free(&album);
}

static void a_data_set_of_images_is_its_folder(void **state) {
    (void)state;
    tc_album album;
    put_album("named");
    helper_ok(tc_album_open(helper_at("images:", "named"), 0, 64, 1, &album, &error), &error);
    assert_int_equal(album.count, 10); /* none of them is held out and left as it is */
    assert_string_equal(album.file[7], "cat/7.png");
    tc_album_free(&album);
    assert_int_equal(tc_album_open("glyphs", 24, 64, 1, &album, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "only those of a folder are resized"));
}

static void refuses_folders_that_make_no_album(void **state) {
    (void)state;
    put_album("album");
    tc_folder_make(helper_at("", "album/empty"), &error);
    refuses(helper_at("", "album"), "album/empty: no .png or .jpg in it; fill the class or remove the folder");
    put_album("parts/train");
    refuses(helper_at("", "parts"), "parts: train/ without test/");
    put("parts/test/dog/1.png", 8, 9);
    refuses(helper_at("", "parts"), "test/dog: no such class in the training folder");
    tc_folder_remove(helper_at("", "parts/test/dog"), NULL);
    refuses(helper_at("", "parts"), "parts/test: no .png or .jpg in its classes");
    put("parts/test/cat/1.png", 8, 9);
    tc_album album;
    helper_ok(tc_album_open(helper_at("", "parts"), 0, 64, 1, &album, &error), &error);
    assert_int_equal(album.dataset->test.count, 1);
    assert_string_equal(album.file[0], "train/ant/0.png");
    tc_album_free(&album);
    put("one/cat/1.png", 8, 9);
    put("two/ant/1.png", 8, 9);
    put("two/cat/1.png", 8, 9);
    refuses(helper_at("", "two"),
            "two: one picture a class, too few to hold any out to test on; give at least one class two");
    refuses("/no/such/folder", "/no/such/folder: no such folder; name a folder of pictures");
    refuses("no:such", "no:such: no such folder");
    refuses(helper_at("images:", "none"), "/none: no such folder");
    refuses(helper_at("", "one/cat/1.png"), "one/cat/1.png: is a file; name a folder of pictures");
    refuses("glyfs", "did you mean glyphs?");
    refuses(helper_at("", "one"), "one: 1 folder in it; a folder a class and at least two are needed");
}

static void trains_are_a_class_like_any_other(void **state) {
    (void)state;
    tc_album album;
    put_album("wheels");
    for (int i = 0; i < 2; i++) put(i ? "wheels/train/1.png" : "wheels/train/0.png", 8, (uint8_t)i);
    helper_ok(tc_album_open(helper_at("", "wheels"), 0, 64, 1, &album, &error), &error);
    assert_int_equal(album.dataset->classes, 3);
    tc_album_free(&album);
}

static void knows_what_it_leaves(void **state) {
    (void)state;
    static const char *const others[] = {"left/cat/a.GIF",      "left/cat/b.webp",     "left/ant/c.gif",
                                         "left/cat/deep/d.png", "left/ant/in/e.bmp",   "left/top.jpg",
                                         "left/notes",          "left/cat/.hidden.png"};
    char text[TC_LEFT_TEXT];
    tc_album album;
    put_album("left");
    helper_ok(tc_folder_make(helper_at("", "left/cat/deep"), &error), &error);
    helper_ok(tc_folder_make(helper_at("", "left/ant/in"), &error), &error);
    for (size_t i = 0; i < 8; i++) tc_file_put(helper_at("", others[i]), "?", 1, &error);
    assert_int_equal(symlink("..", helper_at("", "left/ant/round")), 0); /* in circles */
    assert_int_equal(symlink("ant", helper_at("", "left/bee")), 0);      /* a class of its own */
    helper_ok(tc_album_open(helper_at("", "left"), 0, 64, 1, &album, &error), &error);
    assert_int_equal(album.count, 15);
    assert_int_equal(album.left.count, 8 + 3); /* and what bee shows again */
    tc_leftovers_tell(&album.left, text);
    assert_string_equal(text,
                        "11 files are left as they are, unprotected: 1 without an ending, 1 beside the folders of the "
                        "classes, 3 .gif, 2 .bmp, 2 links to folders, 1 .webp, 1 in folders within a class "
                        "(notes, top.jpg, ant/c.gif, …)");
    tc_album_free(&album);
    put_album("parts/train");
    put("parts/test/cat/1.png", 8, 9);
    put("parts/val/cat/1.png", 8, 9);
    helper_ok(tc_album_open(helper_at("", "parts"), 0, 64, 1, &album, &error), &error);
    tc_leftovers_tell(&album.left, text);
    assert_string_equal(text,
                        "2 files are left as they are, unprotected: 1 in test/, 1 outside train/ (test/cat/1.png, "
                        "val/cat/1.png)");
    tc_album_free(&album);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_a_fifth_that_it_keeps),
        cmocka_unit_test(a_data_set_of_images_is_its_folder),
        cmocka_unit_test(refuses_folders_that_make_no_album),
        cmocka_unit_test(trains_are_a_class_like_any_other),
        cmocka_unit_test(knows_what_it_leaves),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
