#include "data/reader.h"

#include "helper.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

static tc_error error;

static void an_empty_split_has_a_name(void **state) {
    (void)state;
    const tc_dataset nameless = {.height = 32, .width = 32, .channels = 3, .classes = 2};
    tc_split split = {0};
    assert_int_equal(tc_split_allocate(&nameless, &split, 0, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "dataset: 0 images of 32×32×3; give a split of at least one"));
    assert_true(strstr(error.message, "dataset: ") == error.message);
}

static void names_the_nearest_source(void **state) {
    (void)state;
    helper_refuses("shape10", "did you mean shapes10?");
    helper_refuses("cifr10:/data", "did you mean cifar10?");
    helper_refuses("idx", "no path; write idx:FOLDER");
    helper_refuses("idx:", "no path; write idx:FOLDER");
    helper_refuses("glyphs:/data", "takes no path");
    helper_refuses("", "is not known");
    helper_refuses(":", "is not known");
    char *name = malloc(5000);
    memset(name, 'i', 4999);
    memcpy(name, "idx:", 4);
    name[4999] = 0;
    helper_refuses(name, "shorter path");
    free(name);
    for (const tc_source *s = tc_sources(); s->name; s++) assert_memory_equal(s->form, s->name, strlen(s->name));
}

static void refuses_options_out_of_range(void **state) {
    (void)state;
    static const tc_dataset_options wrong[] = {
        {.size = -1}, {.size = 5000}, {.train_per_class = -1}, {.test_per_class = -5}, {.train_per_class = 2000000}};
    tc_dataset *d;
    for (int i = 0; i < 5; i++) assert_int_equal(tc_dataset_open("glyphs", &wrong[i], &d, &error), TC_INVALID);
}

static void refuses_a_size_that_would_do_nothing(void **state) {
    (void)state;
    const tc_dataset_options small = {.size = 16}, own = {.size = 28, .train_per_class = 1, .test_per_class = 1};
    tc_dataset *d = helper_dataset(8, 3, 2, 6, 4);
    helper_ok(tc_dataset_write(d, "npz", helper_at("", "sized.npz"), &error), &error);
    tc_dataset_free(d);
    assert_int_equal(tc_dataset_open(helper_at("npz:", "sized.npz"), &small, &d, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "its images are 8×8, not 16×16, and only those of a folder are resized"));
    assert_int_equal(tc_dataset_open("glyphs", &small, &d, &error), TC_INVALID);
    helper_ok(tc_dataset_open("glyphs", &own, &d, &error), &error);
    tc_dataset_free(d);
}

static void measures_mean_and_deviation(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(8, 3, 2, 50, 4), *again;
    for (size_t i = 0; i < 50 * 192; i += 3) d->train.images[i + 1] = 51; /* a channel that never changes */
    helper_ok(tc_dataset_write(d, "npz", helper_at("", "m.npz"), &error), &error);
    helper_ok(tc_dataset_open(helper_at("npz:", "m.npz"), NULL, &again, &error), &error);
    double sum = 0, square = 0;
    for (size_t i = 0; i < 50 * 192; i += 3) {
        const double x = d->train.images[i] / 255.0;
        sum += x;
        square += x * x;
    }
    const double mean = sum / 3200;
    assert_true(fabs(again->mean[0] - mean) < 1e-6);
    assert_true(fabs(again->std[0] - sqrt(square / 3200 - mean * mean)) < 1e-6);
    assert_true(fabs(again->mean[1] - 0.2) < 1e-6);
    assert_true(again->std[1] == 1);
    tc_dataset_free(d);
    tc_dataset_free(again);
}

static tc_dataset *open_subset(int64_t train, int64_t test, uint64_t seed) {
    const tc_dataset_options options = {.train_per_class = train, .test_per_class = test, .seed = seed};
    tc_dataset *d;
    helper_ok(tc_dataset_open(helper_at("npz:", "s.npz"), &options, &d, &error), &error);
    return d;
}

/* The place in `whole` of every image of `part`, which must increase; returns their sum. */
static size_t find_in(const tc_dataset *whole, const tc_dataset *part, bool *taken) {
    const size_t bytes = tc_dataset_image_bytes(whole);
    size_t at = 0, sum = 0;
    for (size_t i = 0; i < part->train.count; i++, at++) {
        while (at < whole->train.count &&
               memcmp(whole->train.images + at * bytes, part->train.images + i * bytes, bytes))
            at++;
        assert_true(at < whole->train.count);
        assert_int_equal(whole->train.labels[at], part->train.labels[i]);
        taken[at] = true;
        sum += at;
    }
    return sum;
}

static void takes_balanced_nested_subsets(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 1, 5, 100, 25);
    helper_ok(tc_dataset_write(d, "npz", helper_at("", "s.npz"), &error), &error);
    tc_dataset *small = open_subset(4, 2, 1), *large = open_subset(9, 0, 1), *other = open_subset(4, 0, 2);
    assert_int_equal(small->train.count, 20);
    assert_int_equal(small->test.count, 10);
    assert_int_equal(large->train.count, 45);
    assert_int_equal(large->test.count, 25);
    int counts[5] = {0};
    for (size_t i = 0; i < 20; i++) counts[small->train.labels[i]]++;
    for (int c = 0; c < 5; c++) assert_int_equal(counts[c], 4);
    bool in_small[100] = {false}, in_large[100] = {false}, in_other[100] = {false};
    find_in(d, small, in_small);
    find_in(d, large, in_large);
    find_in(d, other, in_other);
    for (int i = 0; i < 100; i++) assert_true(!in_small[i] || in_large[i]);
    assert_memory_not_equal(in_small, in_other, sizeof in_small);
    const tc_dataset_options greedy = {.test_per_class = 6};
    tc_dataset *none;
    assert_int_equal(tc_dataset_open(helper_at("npz:", "s.npz"), &greedy, &none, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "6 images a class were asked for, class 0 has 5"));
    tc_dataset_free(d);
    tc_dataset_free(small);
    tc_dataset_free(large);
    tc_dataset_free(other);
}

/* Opening a subset of a folder of pictures decodes it only, and gives what a subset of everything would. */
static void subsets_before_or_after_decoding_agree(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 3, 5, 100, 25), *all, *images, *npz;
    const tc_dataset_options options = {.train_per_class = 7, .test_per_class = 3, .seed = 11};
    helper_ok(tc_dataset_write(d, "images", helper_at("", "pictures"), &error), &error);
    helper_ok(tc_dataset_open(helper_at("images:", "pictures"), NULL, &all, &error), &error);
    helper_ok(tc_dataset_write(all, "npz", helper_at("", "pictures.npz"), &error), &error);
    helper_ok(tc_dataset_open(helper_at("images:", "pictures"), &options, &images, &error), &error);
    helper_ok(tc_dataset_open(helper_at("npz:", "pictures.npz"), &options, &npz, &error), &error);
    helper_assert_same(images, npz);
    tc_dataset_free(d);
    tc_dataset_free(all);
    tc_dataset_free(images);
    tc_dataset_free(npz);
}

static void refuses_labels_that_training_never_shows(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 1, 3, 9, 3);
    for (size_t i = 0; i < 9; i++) d->train.labels[i] = (int32_t)(i % 2);
    helper_ok(tc_dataset_write(d, "idx", helper_at("", "labels"), &error), &error);
    helper_refuses(helper_at("idx:", "labels"), "label 2 of test image 2 is outside 0 … 1");
    for (size_t i = 0; i < 9; i++) d->train.labels[i] = 0;
    for (size_t i = 0; i < 3; i++) d->test.labels[i] = 0;
    helper_ok(tc_dataset_write(d, "idx", helper_at("", "single"), &error), &error);
    helper_refuses(helper_at("idx:", "single"), "1 class; a classifier needs two");
    tc_dataset_free(d);
}

static void describes_itself(void **state) {
    (void)state;
    tc_dataset *d;
    const tc_dataset_options options = {.train_per_class = 12, .test_per_class = 7};
    char text[4096] = "";
    helper_ok(tc_dataset_open("shapes10", &options, &d, &error), &error);
    FILE *out = fmemopen(text, sizeof text, "w");
    tc_dataset_describe(d, out);
    fclose(out);
    assert_non_null(strstr(text, "32×32, 3 channels, 8-bit"));
    assert_non_null(strstr(text, "training    120"));
    assert_non_null(strstr(text, "test        70"));
    assert_non_null(strstr(text, "crescent                   12        7"));
    tc_dataset_free(d);
}

static void writes_only_known_formats_to_free_places(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(4, 2, 3, 9, 3);
    assert_int_equal(tc_dataset_write(d, "image", helper_at("", "w"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "did you mean images?"));
    assert_int_equal(tc_dataset_write(d, "zzzzzzzz", helper_at("", "w"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "use npz, images, cifar10, cifar100 or idx"));
    assert_int_equal(tc_dataset_write(d, "images", helper_at("", "w"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "2 channels"));
    assert_false(tc_folder_exists(helper_at("", "w")));
    tc_names left; /* no temporary folder stays behind a refusal */
    helper_ok(tc_folder_list(helper_root, true, &left, &error), &error);
    for (size_t i = 0; i < left.count; i++) assert_null(strstr(left.name[i], ".tmp"));
    tc_names_free(&left);
    tc_dataset_free(d);
}

/* A full disk, played by a limit on the size of files. */
static void leaves_nothing_on_a_full_disk(void **state) {
    (void)state;
    static const char *const formats[] = {"npz", "images", "cifar10", "idx"};
    tc_dataset *d = helper_dataset(32, 3, 10, 20, 10);
    tc_poison *p;
    struct rlimit before, small;
    helper_ok(tc_poison_create(d, 1, 1, &p, &error), &error);
    helper_ok(tc_folder_make(helper_at("", "full"), &error), &error);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 2000;
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 5; i++) {
        const char *path = helper_at("", "full/out");
        setrlimit(RLIMIT_FSIZE, &small);
        const tc_status status =
            i < 4 ? tc_dataset_write(d, formats[i], path, &error) : tc_poison_save(p, d, path, &error);
        setrlimit(RLIMIT_FSIZE, &before);
        if (status != TC_FAILED) fail_msg("%s: status %d", i < 4 ? formats[i] : "poison", (int)status);
        assert_non_null(strstr(error.message, "full/out"));
        for (int folders = 0; folders < 2; folders++) {
            tc_names left;
            helper_ok(tc_folder_list(helper_at("", "full"), folders, &left, &error), &error);
            assert_int_equal(left.count, 0);
            tc_names_free(&left);
        }
    }
    tc_poison_free(p);
    tc_dataset_free(d);
}

/* Whatever of shape, labels and images changes, so does the digest; name and format are not among it. */
static void digests_tell_contents(void **state) {
    (void)state;
    tc_dataset *d = helper_dataset(6, 3, 4, 24, 8), *again;
    char before[TC_DIGEST_TEXT], after[TC_DIGEST_TEXT];
    tc_dataset_digest(d, before);
    assert_int_equal(strlen(before), 64);
    helper_ok(tc_dataset_write(d, "npz", helper_at("", "digest.npz"), &error), &error);
    helper_ok(tc_dataset_open(helper_at("npz:", "digest.npz"), NULL, &again, &error), &error);
    tc_dataset_digest(again, after);
    assert_string_equal(before, after);
    tc_dataset_free(again);
    uint8_t *const bytes[] = {&d->train.images[24 * 108 - 1], &d->train.images[0], &d->test.images[5],
                              (uint8_t *)&d->train.labels[23], (uint8_t *)&d->test.labels[0]};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        *bytes[i] ^= 1;
        tc_dataset_digest(d, after);
        assert_string_not_equal(before, after);
        *bytes[i] ^= 1;
    }
    int *const shape[] = {&d->height, &d->width, &d->channels}, was[] = {d->height, d->width, d->channels};
    const int other[] = {4, 9, 3}; /* as many bytes */
    for (int i = 0; i < 3; i++) *shape[i] = other[i];
    tc_dataset_digest(d, after);
    assert_string_not_equal(before, after);
    for (int i = 0; i < 3; i++) *shape[i] = was[i];
    d->classes++;
    tc_dataset_digest(d, after);
    assert_string_not_equal(before, after);
    d->classes--;
    tc_dataset_digest(d, after);
    assert_string_equal(before, after);
    tc_dataset_free(d);
}

/* The numbers of all classes stand in one column, whatever letters the names are of. */
static void describes_in_columns(void **state) {
    (void)state;
    static const char *const names[] = {"cat", "Äpfel", "猫"};
    char text[4096] = "", row[128];
    tc_dataset *d = helper_dataset(4, 1, 3, 30, 6);
    for (int i = 0; i < 3; i++) snprintf(d->class_names[i], TC_CLASS_NAME, "%s", names[i]);
    FILE *out = fmemopen(text, sizeof text, "w");
    tc_dataset_describe(d, out);
    fclose(out);
    static const int spaces[] = {17, 15, 18}; /* behind each name, to column 20 */
    for (int i = 0; i < 3; i++) {
        snprintf(row, sizeof row, "\n    %s%*s %8d %8d\n", names[i], spaces[i], "", 10, 2);
        if (!strstr(text, row)) fail_msg("'%s' is not in: %s", row, text);
    }
    tc_dataset_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_nearest_source),
        cmocka_unit_test(an_empty_split_has_a_name),
        cmocka_unit_test(refuses_options_out_of_range),
        cmocka_unit_test(refuses_a_size_that_would_do_nothing),
        cmocka_unit_test(measures_mean_and_deviation),
        cmocka_unit_test(takes_balanced_nested_subsets),
        cmocka_unit_test(subsets_before_or_after_decoding_agree),
        cmocka_unit_test(refuses_labels_that_training_never_shows),
        cmocka_unit_test(describes_itself),
        cmocka_unit_test(writes_only_known_formats_to_free_places),
        cmocka_unit_test(leaves_nothing_on_a_full_disk),
        cmocka_unit_test(digests_tell_contents),
        cmocka_unit_test(describes_in_columns),
    };
    return cmocka_run_group_tests(tests, helper_make_root, helper_remove_root);
}
