/* Attacks on shapes10 against random noise of the same size in the same images: several threats, and for each a pair of
 * victims that go on from the same network over the same order of samples, which leaves chance little to say. Poison
 * Frogs, Bullseye Polytope and MetaPoison have this in their own tests, the un-targeted ones in test_unlearnable.c. */
#include "shapes10.h"

enum { MOST_THREATS = 6 };

typedef struct verdict {
    double success[MOST_THREATS], margin[MOST_THREATS]; /* share of the targets that are taken for the intended class;
                                                           by how much they are, on average */
} verdict;

static void judge(shapes10 *f, const tc_poison *poison, int i, verdict *v) {
    tc_error error;
    tc_weights weights;
    const size_t targets = f->threat.targets;
    const int wanted = f->threat.intended_class;
    uint8_t *images = malloc(targets * tc_dataset_image_bytes(f->data));
    float *logits = malloc(targets * CLASSES * sizeof *logits);
    shapes10_go_on(f, poison, 100 + (uint64_t)i, &weights);
    tc_threat_targets(f->data, &f->threat, images);
    must(tc_predict(f->device, f->model, &weights, f->data, images, targets, logits, &error));
    v->success[i] = v->margin[i] = 0;
    for (size_t t = 0; t < targets; t++) {
        const float *z = logits + t * CLASSES;
        double rival = -INFINITY;
        for (int c = 0; c < CLASSES; c++)
            if (c != wanted) rival = fmax(rival, z[c]);
        v->success[i] += (double)(z[wanted] > rival) / (double)targets;
        v->margin[i] += (z[wanted] - rival) / (double)targets;
    }
    tc_weights_free(&weights);
    free(logits);
    free(images);
}

/* One of a few sets of threats and what the control reaches on each, which is the same for every method. */
typedef struct arena {
    const char *settings[8];
    int known; /* threats on which the control was judged */
    verdict control;
} arena;

static arena targeted = {.settings = {"ratio=0.1", "epsilon=32", "targets=4", NULL}};
static arena backdoor = {.settings = {"goal=backdoor", "ratio=0.1", "epsilon=32", "trigger=checkerboard",
                                      "trigger_size=10", "trigger_place=bottom-right", NULL}};

typedef struct leads {
    lead success, margin;
} leads;

static leads compare(shapes10 *f, const tc_attack *attack, const char *const *settings, arena *where, int threats) {
    verdict method;
    for (int i = 0; i < threats; i++) {
        shapes10_draw(f, where->settings, 50 + (uint64_t)i);
        tc_poison *poison = shapes10_craft(f, attack, settings, (uint64_t)i);
        judge(f, poison, i, &method);
        tc_poison_free(poison);
        if (i < where->known) continue;
        tc_poison *noise = shapes10_noise(f, "distribution=sign", (uint64_t)i);
        judge(f, noise, where->known++, &where->control);
        tc_poison_free(noise);
    }
    const leads l = {shapes10_lead(method.success, where->control.success, threats),
                     shapes10_lead(method.margin, where->control.margin, threats)};
    print_message("%s: success %+.2f ± %.2f, margin %+.2f ± %.2f, over noise\n", attack->name, l.success.mean,
                  l.success.error, l.margin.mean, l.margin.error);
    return l;
}

static void gradient_matching_wins(void **state) {
    static const char *const kinds[] = {"sharpness=none", "sharpness=worst-case"};
    for (int kind = 0; kind < 2; kind++) {
        const char *settings[] = {"steps=60", "restarts=1", "shift=0", "flip=false", kinds[kind], NULL};
        const leads l = compare(*state, &tc_gradient_matching, settings, &targeted, 3);
        assert_true(l.success.mean > 0.4 && l.success.mean > 3 * l.success.error);
        assert_true(l.margin.mean > 2 * l.margin.error);
    }
}

static void sleeper_agent_wins(void **state) {
    static const char *const settings[] = {"steps=60", "retrainings=1", "shift=0", "flip=false", NULL};
    const leads l = compare(*state, &tc_sleeper_agent, settings, &backdoor, 4);
    assert_true(l.success.mean > 0.25 && l.success.mean > 2 * l.success.error);
    assert_true(l.margin.mean > 2 * l.margin.error);
}

/* It is made for victims that keep their features and train a new classifier (its own test has one where that is
 * nearly so). Where features move, as here, the targets come nearer to the intended class but do not reach it; nor do
 * they in SAPA's table, 3.5 % at ε = 16. So what is held here is the margin. */
static void hidden_trigger_comes_nearer(void **state) {
    static const char *const settings[] = {"steps=100", NULL};
    const leads l = compare(*state, &tc_hidden_trigger, settings, &backdoor, 6);
    assert_true(l.margin.mean > 0 && l.margin.mean > l.margin.error);
}

static void clean_label_wins(void **state) {
    static const char *const settings[] = {"steps=20", NULL};
    const leads l = compare(*state, &tc_clean_label, settings, &backdoor, 4);
    assert_true(l.success.mean > 0.25 && l.success.mean > 2 * l.success.error);
    assert_true(l.margin.mean > 2 * l.margin.error);
}

static void badnets_wins(void **state) {
    static const char *const settings[] = {NULL};
    const leads l = compare(*state, &tc_badnets, settings, &backdoor, 3);
    assert_true(l.success.mean > 0.6 && l.success.mean > 3 * l.success.error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_matching_wins),
        cmocka_unit_test(sleeper_agent_wins),
        cmocka_unit_test(hidden_trigger_comes_nearer),
        cmocka_unit_test(clean_label_wins),
        cmocka_unit_test(badnets_wins),
    };
    return cmocka_run_group_tests(tests, shapes10_begin, shapes10_end);
}
