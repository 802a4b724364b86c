/* stagger.h — networks of different ages that a method trains itself, so that its poison is made against a whole
 * training and not against its end (MetaPoison, Huang et al., arXiv 2004.00225).
 *
 * Of M networks, network m begins with 1 + m·stagger epochs of clean training behind it; each time it is called on it
 * grows older by one epoch, and when it is past the oldest, M·stagger epochs, it is re-initialised. The job's
 * architectures take turns. An epoch is one of the architecture's own training: its optimiser (from rest: moments are
 * not carried from one epoch to the next), its augmentation, the rate that its schedule has at that age.
 *
 * The paper counts from age 0. A network that has seen no batch has no running statistics, and in evaluation mode, in
 * which the targets are looked at here, it would be another function than the one that is trained. */
#ifndef TC_ATTACK_PARTS_STAGGER_H
#define TC_ATTACK_PARTS_STAGGER_H

#include "attack/parts/snapshot.h"
#include "train/schedule.h"

typedef struct tc_apprentice {
    int architecture; /* of the job's */
    tc_weights weights;
    int64_t age; /* epochs behind it */
    uint64_t generation;
} tc_apprentice;

typedef struct tc_stagger {
    const tc_craft_job *job;
    tc_view view;          /* the clean training set */
    tc_schedule *schedule; /* [architecture_count] */
    int count;             /* M */
    tc_apprentice *model;  /* [M] */
    int64_t apart, life;   /* epochs between two networks, of a generation */
} tc_stagger;

/* Refuses a job that names no network, or not how one is trained. */
tc_status tc_stagger_check(const tc_craft_job *job, tc_error *error);
/* Trains nothing yet. Refuses what tc_stagger_check does. */
tc_status tc_stagger_create(const tc_craft_job *job, int models, int64_t apart, tc_stagger *stagger, tc_error *error);
void tc_stagger_free(tc_stagger *stagger);

/* How many networks have been begun, one after the other in the same places. */
int64_t tc_stagger_generations(const tc_stagger *stagger);
/* All networks as pieces of a snapshot, so many for each: between two epochs, or in one that was stopped, what is there
 * is what tc_stagger_begin and tc_stagger_advance go on from. */
enum { TC_STAGGER_PIECES = 4 };
void tc_stagger_keep(tc_stagger *stagger, tc_snapshot *snapshot);

/* One epoch more of those before network m is of the age it begins with; how many there are. */
tc_status tc_stagger_begin(tc_stagger *stagger, int m, tc_error *error);
int64_t tc_stagger_first_age(const tc_stagger *stagger, int m);
/* One more epoch, the first of a new network if the old one is at its end. */
tc_status tc_stagger_advance(tc_stagger *stagger, int m, tc_error *error);
/* The learning rate at network m's age. */
double tc_stagger_rate(const tc_stagger *stagger, int m);

#endif
