/* variants.c — the table of variants, and going through it. */
#include "train/trainer.h"

#include <stdlib.h>

/* Adversarial training comes last of the changes: the attack is on what the network is trained with. */
static const tc_variant *const table[] = {&tc_cut_out, &tc_mix, &tc_adversarial, &tc_sam, &tc_private, &tc_shaping};
enum { VARIANTS = sizeof table / sizeof *table };
_Static_assert((int)VARIANTS <= (int)TC_MOST_VARIANTS, "room in tc_trainer");

tc_status tc_variants_check(const tc_train_options *options, const tc_dataset *dataset, const tc_model *model,
                            tc_error *error) {
    tc_status status = TC_OK;
    if (options->dp_noise > 0 && options->dp_clip == 0)
        TC_RAISE(TC_INVALID, "dp_noise: noise without a bound on the gradients; set dp_clip as well");
    for (int i = 0; i < VARIANTS; i++)
        if (table[i]->check && table[i]->on(options)) TC_TRY(table[i]->check(options, dataset, model, error));
done:
    return status;
}

void tc_variants_want(const tc_train_options *options, tc_pass_options *pass) {
    for (int i = 0; i < VARIANTS; i++) {
        if (!table[i]->on(options)) continue;
        pass->want |= table[i]->want;
        pass->soft_targets = pass->soft_targets || table[i]->soft;
    }
}

bool tc_variants_lots(const tc_train_options *options) {
    for (int i = 0; i < VARIANTS; i++)
        if (table[i]->lots && table[i]->on(options)) return true;
    return false;
}

double tc_train_work(const tc_train_options *options) {
    double work = 1;
    for (int i = 0; i < VARIANTS; i++)
        if (table[i]->work && table[i]->on(options)) work *= table[i]->work(options);
    return work;
}

tc_status tc_variants_make(tc_trainer *trainer, tc_error *error) {
    tc_status status = TC_OK;
    for (int i = 0; i < VARIANTS; i++) {
        if (!table[i]->on(trainer->options)) continue;
        TC_TRY(tc_new(&trainer->own[i], 1, table[i]->size, error));
        if (table[i]->make) TC_TRY(table[i]->make(trainer, trainer->own[i], error));
    }
done:
    return status;
}

void tc_variants_free(tc_trainer *trainer) {
    for (int i = 0; i < VARIANTS; i++) {
        if (trainer->own[i] && table[i]->release) table[i]->release(trainer, trainer->own[i]);
        free(trainer->own[i]);
        trainer->own[i] = NULL;
    }
}

bool tc_variants_any(const tc_trainer *trainer) {
    for (int i = 0; i < VARIANTS; i++)
        if (trainer->own[i]) return true;
    return false;
}

void tc_variants_change(const tc_trainer *trainer, const tc_batch *batch) {
    for (int i = 0; i < VARIANTS; i++)
        if (trainer->own[i] && table[i]->change) table[i]->change(trainer, trainer->own[i], batch);
}

bool tc_variants_gradient(tc_trainer *trainer, int n, tc_tally *tally) {
    for (int i = 0; i < VARIANTS; i++) {
        if (!trainer->own[i] || !table[i]->gradient) continue;
        *tally = table[i]->gradient(trainer, trainer->own[i], n);
        return true;
    }
    return false;
}
