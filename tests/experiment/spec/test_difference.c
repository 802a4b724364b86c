#include "experiment/spec/difference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static tc_difference found;

static bool differ(const char *before, const char *now) {
    json_t *a = json_loads(before, 0, NULL), *b = json_loads(now, 0, NULL);
    const bool made = tc_settings_differ(a, b, &found);
    json_decref(a);
    json_decref(b);
    return made;
}

static void tells_what_differs(void **state) {
    (void)state;
    assert_false(differ("{\"spec\": {\"seed\": 1}}", "{\"spec\": {\"seed\": 1}}"));
    assert_true(differ("{\"spec\": {\"attacks\": [{\"rho\": 0.1}, {\"rho\": 0.1}]}}",
                       "{\"spec\": {\"attacks\": [{\"rho\": 0.1}, {\"rho\": 0.25}]}}"));
    assert_string_equal(found.setting, "attacks.2.rho");
    assert_string_equal(found.is, "0.25");
    assert_true(differ("{\"spec\": {}, \"size\": 0}", "{\"spec\": {}, \"size\": 24}"));
    assert_string_equal(found.setting, "size");
}

static void passes_over_what_changes_no_result(void **state) {
    (void)state;
    assert_false(differ("{\"spec\": {\"gpu\": 0, \"victims\": [{\"train\": {\"checkpoint_minutes\": 10.0}}]}}",
                        "{\"spec\": {\"gpu\": 1, \"victims\": [{\"train\": {\"checkpoint_minutes\": 3.0}}]}}"));
    assert_true(differ("{\"spec\": {\"victims\": [{\"train\": {\"checkpoint_minutes\": 1.0, \"epochs\": 2}}]}}",
                       "{\"spec\": {\"victims\": [{\"train\": {\"checkpoint_minutes\": 3.0, \"epochs\": 3}}]}}"));
    assert_string_equal(found.setting, "victims.1.train.epochs");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_differs),
        cmocka_unit_test(passes_over_what_changes_no_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
