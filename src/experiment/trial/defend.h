/* defend.h — a defence at work in one training of a victim: what it filters before, sets in the training's options, or
 * drops on the way, and how well it told poisons from the rest. */
#ifndef TC_EXPERIMENT_TRIAL_DEFEND_H
#define TC_EXPERIMENT_TRIAL_DEFEND_H

#include "defence/during.h"
#include "experiment/trial/trial.h"

typedef struct tc_defending {
    const tc_trial *trial;
    const tc_defence_spec *chosen; /* NULL: none */
    tc_view whole, rest;           /* all that the victim got; what the filter left of it */
    tc_view *view;                 /* what is trained on: one of the two */
    bool *kept;                    /* [whole.count], of a filter before or during the training; NULL: nothing filters */
    tc_during during;
    double seconds; /* of filtering before; NaN: nothing was */
} tc_defending;

/* Before the training: filters through training->inspected, which a filter needs. tc_defend_end in any case. */
tc_status tc_defend_begin(const tc_trial *trial, const tc_training *training, tc_defending *defending, tc_error *error);
/* Whether it has a say in every epoch, and then a tc_train_hooks.keep for it, whose context is the tc_defending. */
bool tc_defend_watches(const tc_defending *defending);
tc_status tc_defend_keep(void *defending, const tc_train_moment *moment, uint8_t *keep, tc_error *error);
/* After it: what became of the poisons. */
tc_defence_verdict tc_defend_judge(const tc_defending *defending);
void tc_defend_end(tc_defending *defending);

#endif
