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

/* ---- what those that are on keep ---- */

static tc_status make_rows(const tc_trainer *t, size_t row, tc_rows *rows, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_new(&rows->host, t->samples.count, row, error));
    TC_TRY(tc_device_bytes(t->device, t->samples.count * row, &rows->all, error));
    TC_TRY(tc_device_bytes(t->device, (size_t)t->batch * row, &rows->now, error));
done:
    return status;
}

tc_status tc_variants_make(tc_trainer *trainer, tc_error *error) {
    tc_status status = TC_OK;
    for (int i = 0; i < VARIANTS; i++) {
        if (!table[i]->on(trainer->options)) continue;
        TC_TRY(tc_new(&trainer->own[i], 1, table[i]->size, error));
        if (table[i]->row) TC_TRY(make_rows(trainer, table[i]->row, &trainer->rows[i], error));
        if (table[i]->make) TC_TRY(table[i]->make(trainer, trainer->own[i], error));
    }
done:
    return status;
}

void tc_variants_free(tc_trainer *trainer) {
    const tc_kernels *k = trainer->device->k;
    for (int i = 0; i < VARIANTS; i++) {
        tc_rows *rows = &trainer->rows[i];
        if (trainer->own[i] && table[i]->release) table[i]->release(trainer, trainer->own[i]);
        if (rows->all) k->release(trainer->device, rows->all);
        if (rows->now) k->release(trainer->device, rows->now);
        free(rows->host);
        free(trainer->own[i]);
        *rows = (tc_rows){0};
        trainer->own[i] = NULL;
    }
}

/* ---- a step ---- */

bool tc_variants_resident(const tc_trainer *trainer) {
    for (int i = 0; i < VARIANTS; i++)
        if (trainer->own[i] && table[i]->gradient) return false;
    return true;
}

void tc_variants_draw(const tc_trainer *trainer, tc_stream stream, int64_t step, size_t place, int n, int32_t *labels) {
    const tc_drawing drawing = {n, labels, tc_stream_child(stream, "variant", (uint64_t)step)};
    for (int i = 0; i < VARIANTS; i++)
        if (trainer->own[i] && table[i]->draw)
            table[i]->draw(trainer, trainer->own[i], &drawing, trainer->rows[i].host + place * table[i]->row);
}

void tc_variants_bring_epoch(const tc_trainer *trainer, size_t n) {
    for (int i = 0; i < VARIANTS; i++)
        if (trainer->rows[i].all)
            trainer->device->k->upload_bytes(trainer->device, trainer->rows[i].all, trainer->rows[i].host,
                                             n * table[i]->row);
}

void tc_variants_fetch(const tc_trainer *trainer, const tc_walk *walk, int n) {
    for (int i = 0; i < VARIANTS; i++)
        if (trainer->rows[i].all)
            trainer->device->k->next_rows(trainer->device, walk, n, table[i]->row, trainer->rows[i].all,
                                          trainer->rows[i].now);
}

void tc_variants_bring(const tc_trainer *trainer, int n) {
    for (int i = 0; i < VARIANTS; i++)
        if (trainer->rows[i].now)
            trainer->device->k->upload_bytes(trainer->device, trainer->rows[i].now, trainer->rows[i].host,
                                             (size_t)n * table[i]->row);
}

void tc_variants_change(const tc_trainer *trainer, tc_pass *pass, int n) {
    for (int i = 0; i < VARIANTS; i++)
        if (trainer->own[i] && table[i]->change)
            table[i]->change(trainer, trainer->own[i], &(tc_batch){pass, n, trainer->rows[i].now});
}

bool tc_variants_climb(const tc_trainer *trainer, tc_pass *pass) {
    for (int i = 0; i < VARIANTS; i++) {
        if (!trainer->own[i] || !table[i]->climb) continue;
        table[i]->climb(trainer, trainer->own[i], pass);
        return true;
    }
    return false;
}

bool tc_variants_gradient(tc_trainer *trainer, int n, tc_tally *tally) {
    for (int i = 0; i < VARIANTS; i++) {
        if (!trainer->own[i] || !table[i]->gradient) continue;
        *tally = table[i]->gradient(trainer, trainer->own[i], n);
        return true;
    }
    return false;
}
