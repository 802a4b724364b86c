/* Crafting where the host runs ahead of the device: however many steps there are, it waits as often, and what comes out
 * is what a host gets that looks at the loss of each. On `cpu`, or what TOCSIN_TEST_DEVICE says. */
#include "untargeted.h"
#include "waits.h"

/* always: as a device that the host does not run ahead of. */
static void watch_table(tc_device *device, bool always) {
    watch_waits(device);
    if (always) table.record_begin = NULL;
}

/* ---- methods ---- */

typedef struct variety {
    const tc_attack *attack;
    const char *settings[4];
} variety;

static const variety varieties[] = {
    {&tc_gradient_matching, {"restarts=2", "batch=5"}}, /* several batches, each with a cosine of its own */
    {&tc_gradient_matching, {"restarts=1", "sharpness=worst-case"}},
    {&tc_error_max, {"batch=12", "sharpness=worst-case"}},
};
enum { VARIETIES = sizeof varieties / sizeof *varieties, FEW = 3, MANY = 9 };

static void begin(untargeted *s, const variety *v) {
    const char *device = getenv("TOCSIN_TEST_DEVICE");
    tc_error error;
    untargeted_begin(s, 8, 0.15);
    tc_device_close(s->device); /* the network was trained on it */
    s->device = tiny_device(device ? device : "cpu");
    if (v->attack == &tc_error_max) return;
    tc_threat_options options;
    tc_options_default(tc_threat_table, &options);
    options.ratio = 0.15;
    tc_threat_free(&s->threat);
    must(tc_threat_draw(s->data, &options, tc_stream_make(5), &s->threat, &error));
}

/* Nobody is told of progress, so nobody asks. Returns how often the host waited. */
static int craft(untargeted *s, const variety *v, int steps, bool always, tc_poison **poison, tc_craft_report *report) {
    tc_error error;
    char text[32];
    void *options = untargeted_options(v->attack, v->settings);
    tc_craft_job job = untargeted_job(s);
    job.progress = NULL;
    snprintf(text, sizeof text, "steps=%d", steps);
    must(tc_options_assign(v->attack->options, options, text, &error));
    must(tc_attack_check(v->attack, options, &error));
    watch_table(s->device, always);
    must(v->attack->craft(&job, options, poison, report, &error));
    s->device->k = real_table;
    free(options);
    return waits;
}

static void steps_are_not_waited_for(void **state) {
    (void)state;
    for (int i = 0; i < VARIETIES; i++) {
        untargeted s;
        tc_poison *few, *many, *looked;
        tc_craft_report report, other;
        begin(&s, &varieties[i]);
        const int least = craft(&s, &varieties[i], FEW, false, &few, &report);
        const int more = craft(&s, &varieties[i], MANY, false, &many, &report);
        const int most = craft(&s, &varieties[i], MANY, true, &looked, &other);
        const size_t bytes = many->replaced * many->image_bytes;
        if (s.device->k->record_begin) {
            assert_int_equal(least, more);
            assert_true(most >= more + MANY - 1);
        }
        assert_memory_equal(many->images, looked->images, bytes);
        assert_true(memcmp(few->images, many->images, bytes) != 0);
        assert_float_equal(report.objective, other.objective, 0);
        tc_poison_free(few);
        tc_poison_free(many);
        tc_poison_free(looked);
        untargeted_end(&s);
    }
}

/* Who is told of progress hears of numbers, at the latest when the crafting is over. */
static void progress_is_told_now_and_then(void **state) {
    (void)state;
    for (int i = 0; i < VARIETIES; i++) {
        untargeted s;
        begin(&s, &varieties[i]);
        tc_poison *poison = untargeted_craft(&s, varieties[i].attack, (const char *const[]){"steps=4", NULL}, NULL);
        assert_true(s.calls >= 4);
        assert_true(isfinite(s.last));
        tc_poison_free(poison);
        untargeted_end(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_not_waited_for),
        cmocka_unit_test(progress_is_told_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
