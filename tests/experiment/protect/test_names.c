#include "experiment/protect/protect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static tc_error error;

enum { MOST = 8 };

/* Names the files, in this order and backwards; both must give `names`. */
static void gives(const char *const *files, const char *const *names) {
    size_t count = 0;
    while (files[count]) count++;
    for (int backwards = 0; backwards < 2; backwards++) {
        char *file[MOST], **made;
        for (size_t i = 0; i < count; i++) file[i] = (char *)(uintptr_t)files[backwards ? count - 1 - i : i];
        const tc_album album = {.count = count, .file = file};
        assert_int_equal(tc_protect_name(&album, &made, &error), TC_OK);
        for (size_t i = 0; i < count; i++) assert_string_equal(made[i], names[backwards ? count - 1 - i : i]);
        tc_protect_free_names(&album, &made);
        assert_null(made);
    }
}

static void refuses(const char *first, const char *second, const char *part) {
    char *file[] = {(char *)(uintptr_t)first, (char *)(uintptr_t)second}, **made = NULL;
    const tc_album album = {.count = 2, .file = file};
    assert_int_equal(tc_protect_name(&album, &made, &error), TC_INVALID);
    assert_null(made);
    if (!strstr(error.message, part)) fail_msg("'%s' is not in: %s", part, error.message);
}

static void png_and_jpeg_do_not_meet(void **state) {
    (void)state;
    gives((const char *const[]){"cat/0.jpg", "cat/0.png", "cat/1.jpg", "dog/1.JPEG", "dog/2.PNG", NULL},
          (const char *const[]){"cat/0.jpg.png", "cat/0.png", "cat/1.png", "dog/1.png", "dog/2.png"});
    gives((const char *const[]){"cat/0.jpeg", "cat/0.jpg", "dog/0.jpg", NULL},
          (const char *const[]){"cat/0.jpeg.png", "cat/0.jpg.png", "dog/0.png"});
    gives((const char *const[]){"cat/0.jpg", "cat/0.jpg.PNG", "cat/0.jpg.png", "cat/0.png", NULL},
          (const char *const[]){"cat/0.jpg.png.png", "cat/0.jpg.PNG.png", "cat/0.jpg.png", "cat/0.png"});
    gives((const char *const[]){"train/c.d/0.jpg", "train/c.d/0..png", "train/c.d/0..jpg", NULL},
          (const char *const[]){"train/c.d/0.png", "train/c.d/0..png", "train/c.d/0..jpg.png"});
}

static void refuses_names_that_cannot_be(void **state) {
    (void)state;
    char jpg[300], png[300];
    snprintf(jpg, sizeof jpg, "cat/%0251d.jpg", 0); /* as long as a name can be */
    snprintf(png, sizeof png, "cat/%0251d.png", 0);
    refuses(jpg, png, "too long a name for its protected copy");
    gives((const char *const[]){jpg, "cat/1.png", NULL}, (const char *const[]){png, "cat/1.png"});
    refuses("index.csv/1.png", "cat/1.png", "a class that is called like the index.csv that is written");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_and_jpeg_do_not_meet),
        cmocka_unit_test(refuses_names_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
