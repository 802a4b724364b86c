#include "data/export.h"
#include "data/npy.h"
#include "helper.h"

#include <signal.h>
#include <sys/resource.h>

static tc_error error;

enum { SIDE = 32, BYTES = SIDE * SIDE * 3, TRAIN = 20, TEST = 10 };

/* Two samples replaced, one of them with another label, and one added. */
static tc_poison *make_poison(const tc_dataset *d) {
    tc_poison *p;
    helper_ok(tc_poison_create(d, 2, 1, &p, &error), &error);
    for (int i = 0; i < 2; i++) {
        p->index[i] = i ? 17 : 4;
        memcpy(p->images + i * BYTES, d->train.images + p->index[i] * BYTES, BYTES);
        p->labels[i] = d->train.labels[p->index[i]];
    }
    p->images[100] ^= 7; /* of 0 … 7: the change is read off below */
    p->labels[1] = (p->labels[1] + 1) % d->classes;
    memset(p->images + 2 * BYTES, 200, BYTES);
    p->labels[2] = 3;
    return p;
}

static void write_triggered(const char *name, size_t count, int64_t place, int64_t class, size_t side) {
    static uint8_t images[4 * 40 * 40 * 3];
    int64_t places[4], classes[4];
    tc_npz *npz;
    memset(images, 77, sizeof images);
    for (int i = 0; i < 4; i++) {
        places[i] = place + i;
        classes[i] = class;
    }
    helper_ok(tc_new(&npz, 1, sizeof *npz, &error), &error);
    tc_npz_add(npz, "images", tc_npy_of(TC_NPY_U8, images, 4, (size_t[]){2, side, side, 3}));
    tc_npz_add(npz, "place", tc_npy_of(TC_NPY_I64, places, 1, &count));
    tc_npz_add(npz, "intended", tc_npy_of(TC_NPY_I64, classes, 1, (size_t[]){2}));
    helper_ok(tc_folder_make(helper_at("", "poison"), &error), &error);
    helper_ok(tc_npz_write(helper_at("", name), npz, &error), &error);
    free(npz);
}

static tc_attacked *make_attacked(const tc_dataset *d, bool triggered) {
    static const uint32_t targets[2] = {1, 9};
    tc_attacked *a;
    tc_folder_remove(helper_at("", "poison"), NULL);
    if (triggered) write_triggered("poison/triggered.npz", 2, 5, 8, SIDE);
    helper_ok(tc_attacked_create(d, targets, 2, 6, helper_at("", "poison"), &a, &error), &error);
    return a;
}

/* The export is itself a data set, and it is what the victim would have seen. */
static void expect_training_set(const tc_dataset *d, const tc_poison *p, const char *source, bool by_class) {
    tc_dataset *again;
    tc_view view;
    helper_ok(tc_dataset_open(source, NULL, &again, &error), &error);
    helper_ok(tc_view_create(d, p, &view, &error), &error);
    assert_int_equal(again->train.count, TRAIN + 1);
    assert_int_equal(again->test.count, TEST);
    for (size_t i = 0; i < view.count; i++) {
        size_t at = i;
        if (by_class) { /* behind those of lower classes, and earlier ones of its own */
            at = 0;
            for (size_t k = 0; k < view.count; k++) {
                const int32_t mine = tc_view_label(&view, i), other = tc_view_label(&view, k);
                at += other < mine || (other == mine && k < i);
            }
        }
        assert_int_equal(again->train.labels[at], tc_view_label(&view, i));
        assert_memory_equal(again->train.images + at * BYTES, tc_view_image(&view, i), BYTES);
    }
    tc_view_free(&view);
    tc_dataset_free(again);
}

static void expect_text(const char *name, const char *wanted) {
    uint8_t *text;
    size_t size;
    helper_ok(tc_file_read(helper_at("", name), 1 << 20, &text, &size, &error), &error);
    if (!strstr((const char *)text, wanted)) fail_msg("%s has not:\n%s\nbut:\n%s", name, wanted, (const char *)text);
    free(text);
}

static void writes_every_format(void **state) {
    (void)state;
    static const struct {
        const char *format, *scheme, *files[3], *question;
    } cases[] = {
        {"npz", "npz:", {"data.npz", "data.npz", "data.npz"}, "judge.npz"},
        {"images",
         "images:",
         {"train/00004-class_e/000004.png", "train/00008-class_i/000017.png", "train/00003-class_d/000020.png"},
         "judge/000010.png"},
        {"cifar10", "cifar10:", {"data_batch_2.bin", "data_batch_5.bin", "data_batch_5.bin"}, "judge.bin"},
    };
    tc_dataset *d = helper_dataset(SIDE, 3, 10, TRAIN, TEST);
    snprintf(d->class_names[0], TC_CLASS_NAME, "zebra"); /* not in alphabetical order: folders are numbered */
    tc_poison *p = make_poison(d);
    tc_attacked *a = make_attacked(d, true);
    char text[512];
    for (int i = 0; i < 3; i++) {
        helper_ok(tc_export_write(d, p, a, cases[i].format, helper_at("", "out"), &error), &error);
        expect_training_set(d, p, helper_at(cases[i].scheme, i ? "out" : "out/data.npz"), i == 1);
        const int change = abs(p->images[100] - d->train.images[4 * BYTES + 100]);
        assert_true(change > 0);
        snprintf(text, sizeof text,
                 "index,kind,original_class,label,max_delta,file\n"
                 "4,replaced,4,4,%d,%s\n17,replaced,7,8,0,%s\n20,added,,3,,%s\n",
                 change, cases[i].files[0], cases[i].files[1], cases[i].files[2]);
        expect_text("out/index.csv", text);
        snprintf(text, sizeof text, "\n10,target,1,1,6,%s\n11,target,9,9,6,", cases[i].question);
        expect_text("out/judge.csv", text);
        expect_text("out/judge.csv", "id,kind,place,class,intended,file\n0,test,0,0,,");
        expect_text("out/judge.csv", "\n12,triggered,5,5,8,");
        expect_text("out/judge.csv", "\n13,triggered,6,6,8,");
        expect_text("out/export.json", "\"replaced\": 2");
    }
    tc_attacked_free(a);
    tc_poison_free(p);
    tc_dataset_free(d);
}

/* The images asked about are those that the rows of judge.csv speak of, in each format. */
static void asks_about_the_right_images(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(SIDE, 3, 10, TRAIN, TEST);
    tc_poison *p = make_poison(d);
    tc_attacked *a = make_attacked(d, true);
    tc_npz *npz;
    uint8_t *records;
    size_t size;
    helper_ok(tc_export_write(d, p, a, "npz", helper_at("", "out"), &error), &error);
    helper_ok(tc_new(&npz, 1, sizeof *npz, &error), &error);
    helper_ok(tc_npz_read(helper_at("", "out/judge.npz"), npz, &error), &error);
    const tc_npy *x = tc_npz_find(npz, "x"), *y = tc_npz_find(npz, "y");
    assert_int_equal(x->shape[0], TEST + 4);
    assert_memory_equal(x->data, d->test.images, TEST * BYTES);
    assert_memory_equal((uint8_t *)x->data + 11 * BYTES, d->test.images + 9 * BYTES, BYTES);
    assert_int_equal(((uint8_t *)x->data)[12 * BYTES + 5], 77);
    assert_int_equal(((int32_t *)y->data)[13], 6);
    helper_ok(tc_export_write(d, p, a, "cifar10", helper_at("", "out"), &error), &error);
    helper_ok(tc_file_read(helper_at("", "out/judge.bin"), 1 << 20, &records, &size, &error), &error);
    assert_int_equal(size, (TEST + 4) * (1 + BYTES));
    for (size_t i = 0; i < TEST + 4; i++) {
        assert_int_equal(records[i * (1 + BYTES)], ((int32_t *)y->data)[i]);
        for (size_t k = 0; k < BYTES; k++)
            assert_int_equal(records[i * (1 + BYTES) + 1 + k],
                             ((uint8_t *)x->data)[i * BYTES + k % (SIDE * SIDE) * 3 + k / (SIDE * SIDE)]);
    }
    free(records);
    tc_npz_free(npz);
    tc_attacked_free(a);
    tc_poison_free(p);
    tc_dataset_free(d);
}

static void questions_come_back(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(SIDE, 3, 10, TRAIN, TEST);
    tc_poison *p = make_poison(d);
    for (int triggered = 0; triggered < 2; triggered++) {
        tc_attacked *a = make_attacked(d, triggered);
        tc_questions q;
        helper_ok(tc_export_write(d, p, a, "npz", helper_at("", "out"), &error), &error);
        helper_ok(tc_questions_read(helper_at("", "out"), &q, &error), &error);
        assert_int_equal(q.count, TEST + 2 + 2 * triggered);
        assert_int_equal(q.classes, 10);
        assert_string_equal(q.class_names[2], "class c");
        for (size_t i = 0; i < TEST; i++) {
            assert_int_equal(q.kind[i], TC_QUESTION_TEST);
            assert_int_equal(q.class[i], d -> test.labels[i]);
            assert_int_equal(q.intended[i], -1);
        }
        assert_int_equal(q.kind[11], TC_QUESTION_TARGET);
        assert_int_equal(q.class[11], 9);
        assert_int_equal(q.intended[11], 6);
        if (triggered) assert_int_equal(q.kind[13], TC_QUESTION_TRIGGERED);
        tc_questions_free(&q);
        tc_attacked_free(a);
    }
    tc_poison_free(p);
    tc_dataset_free(d);
}

static bool questions_survive(void) {
    tc_questions q;
    error.message[0] = 0;
    const tc_status status = tc_questions_read(helper_at("", "out"), &q, &error);
    if (status == TC_OK) {
        tc_questions_free(&q);
        return true;
    }
    assert_int_equal(status, TC_INVALID);
    assert_true(strlen(error.message) > 10);
    assert_null(strchr(error.message, '\n'));
    return false;
}

static void damaged_questions_are_refused_or_read(void **state) {
    (void)state;
    static const char *const files[] = {"out/judge.csv", "out/export.json"};
    for (int f = 0; f < 2; f++) {
        uint8_t *bytes, *copy;
        size_t size;
        tc_stream stream = tc_stream_make(9);
        helper_ok(tc_file_read(helper_at("", files[f]), 1 << 20, &bytes, &size, &error), &error);
        copy = malloc(size);
        for (size_t cut = 0; cut + 20 < size; cut += 7) {
            helper_ok(tc_file_put(helper_at("", files[f]), bytes, cut, &error), &error);
            assert_false(questions_survive());
        }
        for (int round = 0; round < 300; round++) {
            memcpy(copy, bytes, size);
            copy[tc_draw_below(&stream, size)] = (uint8_t)tc_draw_bits(&stream);
            helper_ok(tc_file_put(helper_at("", files[f]), copy, size, &error), &error);
            questions_survive();
        }
        helper_ok(tc_file_put(helper_at("", files[f]), bytes, size, &error), &error);
        assert_true(questions_survive());
        free(copy);
        free(bytes);
    }
    const char lie[] = "{\"classes\": [\"a\", \"b\"], \"questions\": 2147483647}";
    helper_ok(tc_file_put(helper_at("", "out/export.json"), lie, sizeof lie - 1, &error), &error);
    assert_false(questions_survive());
    assert_non_null(strstr(error.message, "fewer rows than export.json has"));
}

static void refuses_what_does_not_fit(void **state) {
    (void)state;
    static const uint32_t targets[1] = {TEST};
    static const struct {
        size_t count, side;
        int64_t place, class;
        const char *part;
    } cases[] = {
        {2, SIDE, 9, 8, "image 10 is not one of the 10 test images"},
        {2, SIDE, -1, 8, "image -1 is not one of"},
        {2, SIDE, 0, 10, "class 10 is not one of the 10"},
        {3, SIDE, 0, 1, "2 images, 3 places, 2 classes"},
        {2, 40, 0, 1, "images that are not those of noise"},
    };
    tc_dataset *d = helper_dataset(SIDE, 3, 10, TRAIN, TEST), *grey = helper_dataset(28, 1, 10, TRAIN, TEST);
    tc_attacked *a;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_triggered("poison/triggered.npz", cases[i].count, cases[i].place, cases[i].class, cases[i].side);
        assert_int_equal(tc_attacked_create(d, NULL, 0, 1, helper_at("", "poison"), &a, &error), TC_INVALID);
        if (!strstr(error.message, cases[i].part)) fail_msg("'%s' is not in: %s", cases[i].part, error.message);
        assert_null(a);
    }
    assert_int_equal(tc_attacked_create(d, targets, 1, 1, "/nowhere", &a, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "image 10 is not one of the 10 test images"));
    tc_poison *p = make_poison(d), *none;
    helper_ok(tc_poison_create(grey, 0, 0, &none, &error), &error);
    a = make_attacked(d, false);
    assert_int_equal(tc_export_write(d, p, a, "nzp", helper_at("", "new"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "did you mean npz?"));
    assert_int_equal(tc_export_write(d, p, a, "idx", helper_at("", "new"), &error), TC_INVALID);
    assert_int_equal(tc_export_write(grey, none, &(tc_attacked){0}, "cifar10", helper_at("", "new"), &error),
                     TC_INVALID);
    assert_non_null(strstr(error.message, "28×28×1"));
    assert_int_equal(tc_export_write(grey, p, a, "npz", helper_at("", "new"), &error), TC_INVALID);
    assert_int_equal(tc_export_write(d, p, a, "npz", helper_root, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "holds other files already"));
    assert_false(tc_folder_exists(helper_at("", "new")));
    tc_attacked_free(a);
    tc_poison_free(p);
    tc_poison_free(none);
    tc_dataset_free(d);
    tc_dataset_free(grey);
}

static void leaves_nothing_on_a_full_disk(void **state) {
    (void)state;
    static const char *const formats[] = {"npz", "images", "cifar10"};
    tc_dataset *d = helper_dataset(SIDE, 3, 10, TRAIN, TEST);
    tc_poison *p = make_poison(d);
    tc_attacked *a = make_attacked(d, false);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 3; i++) {
        small.rlim_cur = 2000;
        setrlimit(RLIMIT_FSIZE, &small);
        const tc_status status = tc_export_write(d, p, a, formats[i], helper_at("", "full"), &error);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(status, TC_FAILED);
        assert_false(tc_folder_exists(helper_at("", "full")));
    }
    tc_names left;
    helper_ok(tc_folder_list(helper_root, true, &left, &error), &error);
    for (size_t i = 0; i < left.count; i++) assert_null(strstr(left.name[i], ".tmp"));
    tc_names_free(&left);
    tc_attacked_free(a);
    tc_poison_free(p);
    tc_dataset_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_every_format),       cmocka_unit_test(asks_about_the_right_images),
        cmocka_unit_test(questions_come_back),       cmocka_unit_test(damaged_questions_are_refused_or_read),
        cmocka_unit_test(refuses_what_does_not_fit), cmocka_unit_test(leaves_nothing_on_a_full_disk),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
