#include "data/image_file.h"
#include "data/npy.h"

#include "helper.h"

#include <unistd.h>

static tc_error error;

/* Samples 2, 5 and 11 of 20 replaced by images changed by up to 9, and two added. */
static tc_poison *make_poison(const tc_dataset *d) {
    static const uint32_t index[3] = {2, 5, 11};
    const size_t bytes = tc_dataset_image_bytes(d);
    tc_poison *p;
    helper_ok(tc_poison_create(d, 3, 2, &p, &error), &error);
    for (size_t i = 0; i < 5; i++) {
        if (i < 3) p->index[i] = index[i];
        p->labels[i] = (int32_t)(i % (size_t)d->classes);
        for (size_t b = 0; b < bytes; b++) {
            const uint8_t original = i < 3 ? d->train.images[index[i] * bytes + b] : 100;
            p->images[i * bytes + b] = (uint8_t)(original < 128 ? original + 3 * (i + 1) : original - 3 * (i + 1));
        }
    }
    return p;
}

static void view_lays_it_over(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 3, 4, 20, 4);
    tc_poison *p = make_poison(d);
    tc_view view;
    const size_t bytes = tc_dataset_image_bytes(d);
    helper_ok(tc_view_create(d, p, &view, &error), &error);
    assert_int_equal(view.count, 22);
    assert_ptr_equal(tc_view_image(&view, 0), d->train.images);
    assert_ptr_equal(tc_view_image(&view, 5), p->images + bytes);
    assert_ptr_equal(tc_view_image(&view, 21), p->images + 4 * bytes);
    assert_int_equal(tc_view_label(&view, 4), d->train.labels[4]);
    assert_int_equal(tc_view_label(&view, 11), p->labels[2]);
    assert_int_equal(tc_view_label(&view, 20), p->labels[3]);
    tc_view_free(&view);
    helper_ok(tc_view_create(d, NULL, &view, &error), &error);
    assert_int_equal(view.count, 20);
    assert_ptr_equal(tc_view_image(&view, 19), d->train.images + 19 * bytes);
    tc_view_free(&view);
    assert_int_equal(tc_poison_linf(p, d), 9);
    tc_poison_free(p);
    tc_dataset_free(d);
}

static void view_refuses_what_does_not_fit(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 3, 4, 20, 4), *other = helper_dataset(5, 3, 4, 20, 4);
    tc_poison *p = make_poison(d), *none;
    tc_view view;
    assert_int_equal(tc_view_create(other, p, &view, &error), TC_INVALID);
    p->index[2] = 20;
    assert_int_equal(tc_view_create(d, p, &view, &error), TC_INVALID);
    p->index[2] = 5;
    assert_int_equal(tc_view_create(d, p, &view, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "place 5 after 5"));
    p->index[2] = 6;
    p->labels[4] = 4;
    assert_int_equal(tc_view_create(d, p, &view, &error), TC_INVALID);
    assert_int_equal(tc_poison_create(d, 21, 0, &none, &error), TC_INVALID);
    assert_null(none);
    tc_poison_free(p);
    tc_dataset_free(d);
    tc_dataset_free(other);
}

static void view_of_what_is_kept(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 3, 4, 20, 4);
    tc_poison *p = make_poison(d);
    tc_view whole, some, fewer, none;
    bool keep[22];
    const size_t bytes = tc_dataset_image_bytes(d);
    helper_ok(tc_view_create(d, p, &whole, &error), &error);
    for (size_t i = 0; i < 22; i++) keep[i] = i % 3 != 0; /* left: 1 2 4 5 7 8 10 11 13 14 16 17 19 20 */
    helper_ok(tc_view_keep(&whole, keep, &some, &error), &error);
    assert_int_equal(some.count, 14);
    assert_ptr_equal(tc_view_image(&some, 0), d->train.images + bytes);
    assert_ptr_equal(tc_view_image(&some, 3), p->images + bytes);      /* 5, replaced */
    assert_ptr_equal(tc_view_image(&some, 13), p->images + 3 * bytes); /* 20, the first that was added */
    assert_int_equal(tc_view_label(&some, 7), p->labels[2]);           /* 11 */
    assert_int_equal(tc_view_label(&some, 12), d->train.labels[19]);
    assert_true(tc_view_poisoned(&some, 1) && tc_view_poisoned(&some, 13) && !tc_view_poisoned(&some, 12));
    for (size_t i = 0; i < 14; i++) keep[i] = i >= 12;
    helper_ok(tc_view_keep(&some, keep, &fewer, &error), &error);
    assert_int_equal(fewer.count, 2);
    assert_ptr_equal(tc_view_image(&fewer, 0), d->train.images + 19 * bytes);
    assert_ptr_equal(tc_view_image(&fewer, 1), p->images + 3 * bytes);
    memset(keep, 0, sizeof keep);
    assert_int_equal(tc_view_keep(&whole, keep, &none, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "none of the 22 samples"));
    tc_view_free(&fewer);
    tc_view_free(&some);
    tc_view_free(&whole);
    tc_poison_free(p);
    tc_dataset_free(d);
}

static void assert_picture(const char *name, const uint8_t *pixels, size_t count) {
    uint8_t *bytes;
    size_t size;
    tc_image image;
    helper_ok(tc_file_read(helper_at("", name), 1 << 20, &bytes, &size, &error), &error);
    helper_ok(tc_image_decode(bytes, size, 3, name, &image, &error), &error);
    assert_memory_equal(image.pixels, pixels, count);
    free(image.pixels);
    free(bytes);
}

enum { MANY = 1002 };

static void draws_no_more_than_a_thousand(void) {
    uint8_t *table;
    size_t size;
    assert_int_equal(access(helper_at("", "many/000999-original.png"), F_OK), 0);
    assert_int_not_equal(access(helper_at("", "many/001000-poison.png"), F_OK), 0);
    helper_ok(tc_file_read(helper_at("", "many/index.csv"), 1 << 20, &table, &size, &error), &error);
    assert_non_null(strstr((char *)table, ",,,0\n")); /* a row without pictures */
    free(table);
}

/* The first thousand originals are there and fingerprints of all, which tell other data as well. */
static void keeps_fingerprints(tc_dataset *d, tc_npz *npz) {
    const size_t bytes = tc_dataset_image_bytes(d);
    tc_poison *again;
    assert_int_equal(tc_npz_find(npz, "originals")->shape[0], 1000);
    assert_int_equal(tc_npz_find(npz, "images")->shape[0], MANY);
    assert_int_equal(tc_npz_find(npz, "fingerprints")->shape[0], MANY);
    for (size_t place = 5; place < MANY; place += MANY - 6) { /* with its original there, and without */
        d->train.images[place * bytes + 1] ^= 4;
        assert_int_equal(tc_poison_load(d, helper_at("", "many"), &again, &error), TC_INVALID);
        assert_non_null(strstr(error.message, "is not the one that was poisoned"));
        d->train.images[place * bytes + 1] ^= 4;
    }
}

static void refuses_too_few_fingerprints(const tc_dataset *d, tc_npz *npz) {
    tc_npy *prints = tc_npz_find(npz, "fingerprints");
    tc_poison *again;
    prints->shape[0]--;
    prints->count -= 8;
    helper_ok(tc_npz_write(helper_at("", "many/poison.npz"), npz, &error), &error);
    assert_int_equal(tc_poison_load(d, helper_at("", "many"), &again, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "fingerprints"));
    snprintf(npz->entry[npz->count - 1].name, TC_NPZ_NAME, "others"); /* none at all */
    helper_ok(tc_npz_write(helper_at("", "many/poison.npz"), npz, &error), &error);
    assert_int_equal(tc_poison_load(d, helper_at("", "many"), &again, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "1000 originals"));
}

static void many_are_kept_in_short(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 3, 4, MANY, 4);
    tc_npz *npz = calloc(1, sizeof *npz);
    tc_poison *p, *again;
    helper_ok(tc_poison_create(d, MANY, 0, &p, &error), &error);
    for (size_t i = 0; i < p->replaced; i++) {
        p->index[i] = (uint32_t)i;
        p->labels[i] = d->train.labels[i];
    }
    memcpy(p->images, d->train.images, MANY * tc_dataset_image_bytes(d));
    helper_ok(tc_poison_save(p, d, helper_at("", "many"), &error), &error);
    draws_no_more_than_a_thousand();
    helper_ok(tc_poison_load(d, helper_at("", "many"), &again, &error), &error);
    assert_int_equal(again->replaced, MANY);
    assert_memory_equal(again->images, p->images, MANY * tc_dataset_image_bytes(d));
    helper_ok(tc_npz_read(helper_at("", "many/poison.npz"), npz, &error), &error);
    keeps_fingerprints(d, npz);
    refuses_too_few_fingerprints(d, npz);
    tc_npz_free(npz);
    tc_poison_free(again);
    tc_poison_free(p);
    tc_dataset_free(d);
}

static void returns_from_its_folder(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 3, 4, 20, 4);
    tc_poison *p = make_poison(d), *again;
    const size_t bytes = tc_dataset_image_bytes(d);
    uint8_t *table;
    size_t size;
    for (int round = 0; round < 2; round++) helper_ok(tc_poison_save(p, d, helper_at("", "deep/p"), &error), &error);
    helper_ok(tc_poison_load(d, helper_at("", "deep/p"), &again, &error), &error);
    assert_int_equal(again->replaced, 3);
    assert_int_equal(again->added, 2);
    assert_memory_equal(again->index, p->index, 3 * sizeof *p->index);
    assert_memory_equal(again->labels, p->labels, 5 * sizeof *p->labels);
    assert_memory_equal(again->images, p->images, 5 * bytes);
    tc_poison_free(again);
    assert_picture("deep/p/000001-poison.png", p->images + bytes, bytes);
    assert_picture("deep/p/000001-original.png", d->train.images + 5 * bytes, bytes);
    assert_picture("deep/p/000004-poison.png", p->images + 4 * bytes, bytes);
    helper_ok(tc_file_read(helper_at("", "deep/p/index.csv"), 4096, &table, &size, &error), &error);
    assert_string_equal((char *)table, "place,label,file_poison,file_original,max_change\n"
                                       "2,0,000000-poison.png,000000-original.png,3\n"
                                       "5,1,000001-poison.png,000001-original.png,6\n"
                                       "11,2,000002-poison.png,000002-original.png,9\n"
                                       "-1,3,000003-poison.png,,\n"
                                       "-1,0,000004-poison.png,,\n");
    free(table);
    tc_poison_free(p);
    tc_dataset_free(d);
}

/* Only additions, as label flips and BadNets make them, and nothing at all. */
static void returns_without_replacements(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 1, 4, 20, 4);
    for (size_t added = 0; added < 2; added++) {
        tc_poison *p, *again;
        helper_ok(tc_poison_create(d, 0, added, &p, &error), &error);
        helper_ok(tc_poison_save(p, d, helper_at("", "few"), &error), &error);
        helper_ok(tc_poison_load(d, helper_at("", "few/poison.npz"), &again, &error), &error);
        assert_int_equal(again->replaced, 0);
        assert_int_equal(again->added, added);
        assert_int_equal(tc_poison_linf(again, d), 0);
        tc_poison_free(p);
        tc_poison_free(again);
    }
    tc_dataset_free(d);
}

static void refuses_a_poison_for_other_data(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 3, 4, 20, 4), *shape = helper_dataset(5, 3, 4, 20, 4);
    tc_dataset *fewer = helper_dataset(4, 3, 4, 10, 4), *classes = helper_dataset(4, 3, 2, 20, 4);
    tc_poison *p = make_poison(d), *again;
    const char *folder = helper_at("", "p");
    helper_ok(tc_poison_save(p, d, folder, &error), &error);
    assert_int_equal(tc_poison_load(shape, folder, &again, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "is uint8 of 4×4×3"));
    assert_int_equal(tc_poison_load(fewer, folder, &again, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "replaces sample 11 of 10"));
    assert_int_equal(tc_poison_load(classes, folder, &again, &error), TC_INVALID);
    d->train.images[5 * tc_dataset_image_bytes(d)] ^= 1;
    assert_int_equal(tc_poison_load(d, folder, &again, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "training image 5 of noise is not the one that was poisoned"));
    assert_null(again);
    assert_int_equal(tc_poison_load(d, helper_at("", "nowhere"), &again, &error), TC_INVALID);
    tc_folder_make(helper_at("", "occupied"), &error);
    tc_file_put(helper_at("", "occupied/thesis.txt"), "dear", 4, &error);
    assert_int_equal(tc_poison_save(p, d, helper_at("", "occupied"), &error), TC_INVALID);
    assert_true(tc_file_exists(helper_at("", "occupied/thesis.txt")));
    tc_poison_free(p);
    tc_dataset_free(d);
    tc_dataset_free(shape);
    tc_dataset_free(fewer);
    tc_dataset_free(classes);
}

static void survives_damage(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 3, 4, 20, 4);
    tc_poison *p = make_poison(d), *again;
    const char *path = helper_at("", "q/poison.npz");
    uint8_t *bytes;
    size_t size;
    helper_ok(tc_poison_save(p, d, helper_at("", "q"), &error), &error);
    helper_ok(tc_file_read(path, 1 << 20, &bytes, &size, &error), &error);
    uint8_t *damaged = malloc(size);
    tc_stream stream = tc_stream_make(5);
    for (int round = 0; round < 600; round++) {
        memcpy(damaged, bytes, size);
        for (int i = 0; i < 3; i++) damaged[tc_draw_below(&stream, size)] ^= (uint8_t)(1 << tc_draw_below(&stream, 8));
        tc_file_put(path, damaged, round & 1 ? size : (size_t)tc_draw_below(&stream, size), &error);
        const tc_status status = tc_poison_load(d, path, &again, &error);
        assert_true(status == TC_OK || (status == TC_INVALID && !again));
        tc_poison_free(again);
    }
    free(damaged);
    free(bytes);
    tc_poison_free(p);
    tc_dataset_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_lays_it_over),
        cmocka_unit_test(view_of_what_is_kept),
        cmocka_unit_test(view_refuses_what_does_not_fit),
        cmocka_unit_test(many_are_kept_in_short),
        cmocka_unit_test(returns_from_its_folder),
        cmocka_unit_test(returns_without_replacements),
        cmocka_unit_test(refuses_a_poison_for_other_data),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
