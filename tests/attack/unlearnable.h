/* unlearnable.h — what un-targeted poisons are for, at tiny scale: networks that are trained from scratch on shapes10
 * carrying them know clearly less of the untouched test images than ones that are trained on random noise of the same
 * size; pairs of the same initialisation and order. */
#ifndef TC_TESTS_ATTACK_UNLEARNABLE_H
#define TC_TESTS_ATTACK_UNLEARNABLE_H

#include "shapes10.h"

enum { PAIRS = 3 };

/* By whole training sets, 16 steps a pixel; random noise of that size in the same images. */
static const char *const threat[] = {"goal=untargeted", "ratio=1", "epsilon=16", NULL};
static double control[PAIRS];

static inline double accuracy(shapes10 *f, const tc_poison *poison, int pair) {
    tc_error error;
    tc_accuracy measured;
    tc_weights weights = tiny_weights(f->model, 200 + (uint64_t)pair);
    shapes10_train(f, poison, &f->train, 200 + (uint64_t)pair, &weights);
    must(tc_evaluate(f->device, f->model, &weights, f->data, &f->data->test, &measured, &error));
    tc_weights_free(&weights);
    return measured.accuracy;
}

static inline void judge_control(shapes10 *f) {
    for (int i = 0; i < PAIRS; i++) {
        tc_poison *noise = shapes10_noise(f, "distribution=sign", (uint64_t)i);
        control[i] = accuracy(f, noise, i);
        assert_true(control[i] > 0.18); /* of ten classes: there is something to lose */
        tc_poison_free(noise);
    }
}

static inline int unlearnable_begin(void **state) {
    shapes10_begin(state);
    shapes10 *f = *state;
    shapes10_draw(f, threat, 1);
    f->train.epochs = 12;
    judge_control(f);
    return 0;
}

/* A poison of its own for every pair. */
static inline void loses(shapes10 *f, const tc_attack *attack, const char *const *settings) {
    double left[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        tc_poison *poison = shapes10_craft(f, attack, settings, 10 + (uint64_t)i);
        left[i] = accuracy(f, poison, i);
        tc_poison_free(poison);
    }
    const lead l = shapes10_lead(left, control, PAIRS);
    print_message("%s %s: accuracy %+.3f ± %.3f over noise\n", attack->name, *settings, l.mean, l.error);
    assert_true(l.mean < -0.05 && l.mean < -2 * l.error);
}

#endif
