/* plan.h — what a study comes to, worked out before anything runs.
 *
 *     spec ─ sweep ─→ variants ─ attacks × victims × defences ─→ cells ─ trials ─→ phases, each of them once
 *
 * A variant is a spec: the base with one combination of the sweep laid over it. A cell is one entry of the results'
 * table. A phase is the unit of work and a pure function of what its key is the hash of, so phases with the same key
 * are one phase: cells share surrogates and clean baselines, and one poison is judged by many victims and defences. */
#ifndef TC_EXPERIMENT_PLAN_PLAN_H
#define TC_EXPERIMENT_PLAN_PLAN_H

#include "experiment/spec/spec.h"
#include "experiment/spec/sweep.h"

typedef enum tc_phase_kind {
    TC_PHASE_SURROGATE, /* train one network of the attacker's */
    TC_PHASE_CLEAN,     /* train and judge the victim on clean data */
    TC_PHASE_CRAFT,     /* make the poison; needs the surrogates, in their order */
    TC_PHASE_VICTIM,    /* train and judge the victim on the poisoned data; needs[0] is the craft phase, needs[1],
                           where the defence is a filter, the same victim without defence */
    TC_PHASE_KINDS
} tc_phase_kind;
extern const char *const tc_phase_names[TC_PHASE_KINDS]; /* "surrogate", "clean", "craft", "victim" */

enum { TC_KEY_SIZE = 33 };

/* Of several variants that share a phase, `spec` is the first; the others agree with it in all that matters here. */
typedef struct tc_phase {
    char key[TC_KEY_SIZE]; /* 32 hexadecimal digits */
    tc_phase_kind kind;
    const tc_spec *spec;
    int attack, surrogate, victim, defence; /* places in the spec's lists; −1 where the phase has none */
    int64_t trial;                          /* from 0 */
    int index;                              /* of a surrogate: which initialisation, from 0 */
    bool inspected;                         /* of a victim: a filter will look through its weights */
    int *needs; /* [need_count] phases whose results it starts from: always smaller numbers */
    int need_count;
} tc_phase;

/* Where a cell stands in a variant. */
typedef struct tc_place {
    int variant, attack, victim, defence; /* places in the variant's lists */
} tc_place;

typedef struct tc_cell {
    int variant;
    const tc_spec *spec; /* the variant's */
    int attack, victim, defence;
    json_t *factors; /* flat: what this cell is, for whoever makes tables */
    /* The phases of each trial, [trials] each. Cells with the same clean phases share their draws and can be compared
     * trial by trial. */
    int *clean, *craft, *victim_phase;
    /* Every variant in which it stands, by number, this one first: what is swept for one attack leaves the others'
     * cells as they are. */
    tc_place *place; /* [places] */
    int places;
} tc_cell;

typedef struct tc_plan {
    tc_spec *base;     /* without the sweep */
    tc_sweep said;     /* the sweep; no grids: there is none, and the base is the only variant */
    tc_spec **variant; /* [variants] */
    json_t **resolved; /* [variants] the same as JSON */
    int variants;
    tc_cell *cell; /* [cells] */
    int cells;
    tc_phase *phase; /* [phases] in an order in which they can be run: trial by trial, what is needed first */
    int phases;
    int64_t trials;
    json_t *sweep;                     /* names of the factors that the sweep changes, in its order */
    int64_t asked_for[TC_PHASE_KINDS]; /* phases if nothing were shared */
} tc_plan;

/* Reads and checks a study as tc_spec_load does, for every variant of it. `threads` is 1 where nobody has said
 * otherwise: trials run side by side. */
tc_status tc_plan_make(const char *path, const char *const *changes, int change_count, tc_plan **plan, tc_error *error);
void tc_plan_free(tc_plan *plan);

/* Whether all its variants' devices are there, and what they are (look.c). Before a fork whose children shall compute
 * on a GPU, which must not have been touched, somebody else has to look: a process that is gone afterwards. */
tc_status tc_plan_look(const tc_plan *plan, tc_device_facts *facts, tc_error *error);
tc_status tc_plan_look_apart(const tc_plan *plan, tc_device_facts *facts, tc_error *error);
bool tc_plan_on_gpu(const tc_plan *plan);

/* The whole study with every default as JSON (a new reference), and as YAML that makes the same plan. */
json_t *tc_plan_json(const tc_plan *plan);
tc_status tc_plan_save_yaml(const tc_plan *plan, const char *path, tc_error *error);

#endif
