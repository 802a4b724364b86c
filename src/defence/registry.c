/* registry.c — every defence the program knows: one row each. */
#include "defence/methods.h"

#include <string.h>
#include <threads.h>

static const tc_option no_options[] = {TC_OPTIONS_END};

static const tc_defence none = {.name = "none",
                                .kind = "none",
                                .paper = "none: what a defence has to beat",
                                .summary = "the victim trains on what it gets",
                                .options = no_options,
                                .options_size = 1};

static const tc_defence *const rows[] = {
    &none,
    /* filters */
    &tc_activation_clustering,
    &tc_spectral_signatures,
    &tc_deep_knn,
    &tc_loss_filter,
    &tc_gradient_norm,
    &tc_epic_after,
    /* training */
    &tc_epic,
    &tc_dp_sgd,
    &tc_mixup,
    &tc_cutout,
    &tc_cutmix,
    &tc_adversarial_training,
};

enum { DEFENCES = sizeof rows / sizeof *rows };

/* The rows side by side, as callers walk them; the last has no name. */
static tc_defence list[DEFENCES + 1];
static once_flag listed = ONCE_FLAG_INIT;

static void make_list(void) {
    for (int i = 0; i < DEFENCES; i++) list[i] = *rows[i];
}

const tc_defence *tc_defences(void) {
    call_once(&listed, make_list);
    return list;
}

const tc_defence *tc_defence_find(const char *name) {
    for (const tc_defence *defence = tc_defences(); defence->name; defence++)
        if (!strcmp(defence->name, name)) return defence;
    return NULL;
}

tc_status tc_defence_check(const tc_defence *defence, const void *options, tc_error *error) {
    return defence->check ? defence->check(options, error) : TC_OK;
}

tc_status tc_defence_check_victim(const tc_defence *defence, const tc_prospect *victim, const void *options,
                                  tc_error *error) {
    return defence->check_victim ? defence->check_victim(victim, options, error) : TC_OK;
}
