/* The catalogue: everything it lists can be used under the name and with the defaults that it gives. */
#include "outside.h"

static bool find(tocsin_kind kind, const char *name, size_t *at) {
    tocsin_entry entry;
    for (size_t i = 0; tocsin_list(kind, i, &entry); i++) {
        *at = i;
        if (!strcmp(entry.name, name)) return true;
    }
    return false;
}

static void lists_what_there_is(void **state) {
    (void)state;
    size_t at = 0;
    assert_true(find(TOCSIN_ATTACKS, "gradient-matching", &at));
    assert_true(find(TOCSIN_ATTACKS, "random-noise", &at));
    assert_true(find(TOCSIN_DEFENCES, "deep-knn", &at));
    assert_true(find(TOCSIN_MODELS, "resnet18", &at));
    assert_true(find(TOCSIN_DATASETS, "shapes10", &at));
    assert_int_equal(tocsin_list_count(TOCSIN_TRAIN_SETTINGS), 1);
    assert_int_equal(tocsin_list_count(TOCSIN_THREAT_SETTINGS), 1);
    assert_false(find(TOCSIN_MODELS, "gradient-matching", &at));
    for (int kind = TOCSIN_ATTACKS; kind <= TOCSIN_DEFENCES; kind++) {
        const size_t count = tocsin_list_count((tocsin_kind)kind);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++) {
            tocsin_entry entry;
            assert_true(tocsin_list((tocsin_kind)kind, i, &entry));
            assert_true(*entry.name && *entry.form && *entry.summary && entry.source);
            if (kind == TOCSIN_ATTACKS) assert_true(*entry.source);
        }
    }
}

/* A listed network is built with every listed setting at its listed default, and refuses an unlisted one. Layers have
 * no default: whose network would that be? */
static void defaults_are_accepted(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_entry entry;
    for (size_t i = 0; tocsin_list(TOCSIN_MODELS, i, &entry); i++) {
        const size_t count = tocsin_option_count(TOCSIN_MODELS, i);
        char text[16][128];
        const char *list[17] = {NULL};
        assert_true(count < 16);
        for (size_t j = 0; j < count; j++) {
            tocsin_option option;
            assert_true(tocsin_option_list(TOCSIN_MODELS, i, j, &option));
            assert_true(*option.help != '\0');
            const bool layers = option.type == TOCSIN_OPTION_LIST;
            if (layers) assert_string_equal(option.fallback, "");
            snprintf(text[j], sizeof text[j], "%s=%s", option.name, layers ? "[flatten, linear]" : option.fallback);
            list[j] = text[j];
        }
        tocsin_model *model = NULL;
        must(tocsin_model_create(entry.name, (tocsin_shape){32, 32, 3}, 10, list, &model, &error));
        assert_string_equal(tocsin_model_name(model), entry.name);
        tocsin_model_free(model);
        refused(entry.name,
                tocsin_model_create(entry.name, (tocsin_shape){32, 32, 3}, 10, (settings){"x1=1", NULL}, &model, e));
    }
}

static void options_say_their_range(void **state) {
    (void)state;
    tocsin_option option;
    size_t at = 0;
    bool rho = false, sharpness = false;
    assert_true(find(TOCSIN_ATTACKS, "gradient-matching", &at));
    for (size_t j = 0; tocsin_option_list(TOCSIN_ATTACKS, at, j, &option); j++) {
        if (!strcmp(option.name, "rho"))
            rho = option.type == TOCSIN_OPTION_REAL && option.low == 0 && option.open_low && atof(option.fallback) > 0;
        if (!strcmp(option.name, "sharpness"))
            sharpness = option.type == TOCSIN_OPTION_CHOICE && !strcmp(option.choices[1], "worst-case");
    }
    assert_true(rho && sharpness);
    for (size_t i = 0; i < tocsin_list_count(TOCSIN_DATASETS); i++)
        for (size_t j = 0; tocsin_option_list(TOCSIN_DATASETS, i, j, &option); j++)
            assert_string_not_equal(option.name, "source"); /* an argument */
}

static void ends_quietly(void **state) {
    (void)state;
    tocsin_entry entry = {.name = "untouched"};
    tocsin_option option;
    assert_false(tocsin_list(TOCSIN_ATTACKS, 10000, &entry));
    assert_false(tocsin_list((tocsin_kind)99, 0, &entry));
    assert_string_equal(entry.name, "untouched");
    assert_false(tocsin_list(TOCSIN_ATTACKS, 0, NULL));
    assert_false(tocsin_option_list(TOCSIN_ATTACKS, 0, 10000, &option));
    assert_false(tocsin_option_list(TOCSIN_ATTACKS, 0, 0, NULL));
    assert_int_equal(tocsin_list_count((tocsin_kind)99), 0);
    assert_int_equal(tocsin_option_count((tocsin_kind)99, 0), 0);
    assert_true(strchr(tocsin_version(), '.') != NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_there_is),
        cmocka_unit_test(defaults_are_accepted),
        cmocka_unit_test(options_say_their_range),
        cmocka_unit_test(ends_quietly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
