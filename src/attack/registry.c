/* registry.c — every attack the program knows: one row each. */
#include "attack/methods.h"

#include <string.h>
#include <threads.h>

static const tc_attack *const rows[] = {
    /* targeted */
    &tc_gradient_matching,
    &tc_poison_frogs,
    &tc_bullseye_polytope,
    &tc_meta_poison,
    /* backdoor */
    &tc_sleeper_agent,
    &tc_hidden_trigger,
    &tc_clean_label,
    &tc_badnets,
    /* untargeted */
    &tc_error_min,
    &tc_error_max,
    &tc_separable,
    &tc_autoregressive,
    /* control */
    &tc_random_noise,
};

enum { ATTACKS = sizeof rows / sizeof *rows };

/* The rows side by side, as callers walk them; the last has no name. */
static tc_attack list[ATTACKS + 1];
static once_flag listed = ONCE_FLAG_INIT;

static void make_list(void) {
    for (int i = 0; i < ATTACKS; i++) list[i] = *rows[i];
}

const tc_attack *tc_attacks(void) {
    call_once(&listed, make_list);
    return list;
}

const tc_attack *tc_attack_find(const char *name) {
    for (const tc_attack *attack = tc_attacks(); attack->name; attack++)
        if (!strcmp(attack->name, name)) return attack;
    return NULL;
}

tc_status tc_attack_check(const tc_attack *attack, const void *options, tc_error *error) {
    return attack->check ? attack->check(options, error) : TC_OK;
}

tc_status tc_attack_check_job(const tc_attack *attack, const tc_craft_job *job, const void *options, tc_error *error) {
    return attack->check_job ? attack->check_job(job, options, error) : TC_OK;
}
