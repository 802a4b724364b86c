#include "../train/tiny.h"

#include "attack/attack.h"

static tc_threat_options options_of(const char *const *settings) {
    tc_error error;
    tc_threat_options options;
    tc_options_default(tc_threat_table, &options);
    for (; *settings; settings++) must(tc_options_assign(tc_threat_table, &options, *settings, &error));
    return options;
}

static void a_draw_is_what_was_asked_for(void **state) {
    (void)state;
    tc_error error;
    const char *settings[] = {"ratio=0.05", "targets=3", "epsilon=8", NULL};
    const tc_threat_options options = options_of(settings);
    tc_dataset *data = tiny_dataset(4, 1, 4, 400, 80);
    bool seen[4] = {false};
    for (uint64_t seed = 0; seed < 40; seed++) {
        tc_threat t;
        must(tc_threat_draw(data, &options, tc_stream_make(seed), &t, &error));
        assert_int_equal(t.poisons, 20);
        assert_int_equal(t.targets, 3);
        assert_float_equal(t.epsilon, 8, 0);
        assert_int_not_equal(t.target_class, t.intended_class);
        seen[t.target_class] = true;
        for (size_t i = 0; i < t.targets; i++) {
            assert_int_equal(data->test.labels[t.target[i]], t.target_class);
            if (i) assert_true(t.target[i] > t.target[i - 1]);
        }
        for (size_t i = 0; i < t.poisons; i++) {
            assert_int_equal(data->train.labels[t.base[i]], t.intended_class);
            if (i) assert_true(t.base[i] > t.base[i - 1]);
        }
        tc_threat_free(&t);
    }
    assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
    tiny_dataset_free(data);
}

static void same_stream_same_draw_and_named_classes_hold(void **state) {
    (void)state;
    tc_error error;
    const char *settings[] = {"ratio=1e-9", "target_class=2", "intended_class=1", NULL};
    const tc_threat_options options = options_of(settings);
    tc_dataset *data = tiny_dataset(4, 1, 4, 400, 80);
    tc_threat a, b, c;
    must(tc_threat_draw(data, &options, tc_stream_make(3), &a, &error));
    must(tc_threat_draw(data, &options, tc_stream_make(3), &b, &error));
    must(tc_threat_draw(data, &options, tc_stream_make(4), &c, &error));
    assert_int_equal(a.poisons, 1); /* at least one */
    assert_int_equal(a.target_class, 2);
    assert_int_equal(a.intended_class, 1);
    assert_true(a.base[0] == b.base[0] && a.target[0] == b.target[0]);
    assert_true(a.base[0] != c.base[0] || a.target[0] != c.target[0]);
    tc_threat_free(&a);
    tc_threat_free(&b);
    tc_threat_free(&c);
    tiny_dataset_free(data);
}

typedef struct refusal {
    const char *settings[4];
    const char *says[3]; /* what the message must contain */
} refusal;

static const refusal refusals[] = {
    {{"ratio=0.3", "intended_class=1", NULL}, {"ratio: 0.3 of 400", "120", "has 100; take at most 0.25"}},
    {{"targets=21", "target_class=0", NULL}, {"targets: 21", "class 0 (a)", "20 test images"}},
    {{"target_class=4", NULL}, {"target_class: 4", "0 ... 3", ""}},
    {{"intended_class=9", NULL}, {"intended_class: 9", "", ""}},
    {{"target_class=2", "intended_class=2", NULL}, {"intended_class: 2", "own class", ""}},
};

static void what_the_data_cannot_give_is_refused(void **state) {
    (void)state;
    tc_error error;
    tc_dataset *data = tiny_dataset(4, 1, 4, 400, 80);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const tc_threat_options options = options_of(refusals[i].settings);
        tc_threat t;
        assert_int_equal(tc_threat_draw(data, &options, tc_stream_make(1), &t, &error), TC_INVALID);
        for (int j = 0; j < 3; j++)
            if (!strstr(error.message, refusals[i].says[j])) fail_msg("%s", error.message);
        assert_null(t.base);
        assert_null(t.target);
    }
    tiny_dataset_free(data);
}

/* Not "take at most 0". */
static void an_empty_class_is_named(void **state) {
    (void)state;
    static const char *const settings[] = {"target_class=1", "intended_class=2", NULL};
    const tc_threat_options options = options_of(settings);
    tc_dataset *data = tiny_dataset(4, 1, 4, 400, 80);
    tc_split *const split[] = {&data->test, &data->train};
    static const char *const says[] = {"target_class: class 1 (b) of ", "intended_class: class 2 (c) of "};
    for (int s = 0; s < 2; s++) {
        int32_t *kept = malloc(split[s]->count * sizeof *kept);
        tc_error error = {0};
        tc_threat t;
        memcpy(kept, split[s]->labels, split[s]->count * sizeof *kept);
        for (size_t i = 0; i < split[s]->count; i++)
            if (kept[i] == s + 1) split[s]->labels[i] = 0;
        assert_int_equal(tc_threat_draw(data, &options, tc_stream_make(1), &t, &error), TC_INVALID);
        if (strncmp(error.message, says[s], strlen(says[s]))) fail_msg("%s", error.message);
        memcpy(split[s]->labels, kept, split[s]->count * sizeof *kept);
        free(kept);
    }
    tiny_dataset_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draw_is_what_was_asked_for),
        cmocka_unit_test(same_stream_same_draw_and_named_classes_hold),
        cmocka_unit_test(what_the_data_cannot_give_is_refused),
        cmocka_unit_test(an_empty_class_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
