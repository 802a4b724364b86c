/* drive.h — moving a crowd (crowd.h) batch by batch under the eyes of networks (onlooker.h): what error-min, which goes
 * down the loss, and error-max, which goes up, have in common.
 *
 *     v̂ of every network, from all of x + δ                                                  (with worst-case
 * sharpness) for every batch: the method's move, mostly `steps` times: δ_i := Π(δ_i + length · sign ∇_δ mean over the
 * networks of l(f(T(x_i + δ_i)), y_i))
 *
 * Work is counted in forward passes of one image, so that the share that is told says what is left. After each step,
 * and after each batch of v̂ and of judging, the job is asked whether to go on; if not, or when it is time, where the
 * drive stands is saved (snapshot.h), and the same job goes on from there. A batch under way is begun again then, as is
 * a v̂. */
#ifndef TC_ATTACK_PARTS_DRIVE_H
#define TC_ATTACK_PARTS_DRIVE_H

#include "attack/parts/onlooker.h"
#include "attack/parts/snapshot.h"

/* Where it stands, as it is saved. */
typedef struct tc_drive_place {
    int64_t from;  /* the first poison that is still to be moved in this round */
    int64_t aimed; /* v̂ of this round is found */
    int64_t steps; /* of δ, so far */
    double done;   /* work */
} tc_drive_place;

typedef struct tc_drive_count {
    int64_t gradients;
    uint64_t drawn; /* see tc_sharpness */
} tc_drive_count;

typedef struct tc_drive {
    const tc_craft_job *job;
    const tc_attack *method;
    tc_crowd crowd;
    tc_onlooker *eyes; /* [count] */
    int count;
    tc_drive_place at;
    double all;  /* work */
    double loss; /* of the last step that was looked at */
    /* What a snapshot says: `at` and the eyes' counters as they were at the last mark, for what was done since is done
     * again. */
    tc_drive_place mark;
    tc_drive_count *counted; /* [count] */
    tc_snapshot snapshot;
    tc_status looking; /* what came of the last question while all were looked at … */
    tc_error why;      /* … and why */
} tc_drive;

/* δ is zero; the eyes are still to be seated. more: how many pieces beside the drive's own the snapshot gets. */
tc_status tc_drive_create(const tc_craft_job *job, const tc_attack *method, const void *options, bool class_wise,
                          size_t batch, double shift, bool flip, int count, int more, tc_drive *drive, tc_error *error);
void tc_drive_free(tc_drive *drive);
/* Network i, of `count`. towards: see tc_onlooker. */
tc_status tc_drive_seat(tc_drive *drive, int i, const tc_model *model, const tc_weights *weights,
                        const tc_sharpness_options *sharpness, const int32_t *towards, tc_stream stream,
                        tc_error *error);
/* What one round costs: v̂, `steps` steps of every batch. */
double tc_drive_work(const tc_drive *drive, double steps);

/* When the method has added its own pieces: goes on from a snapshot where there is one. A damaged one or one of another
 * crafting is TC_INVALID. */
tc_status tc_drive_resume(tc_drive *drive, bool *found, tc_error *error);
/* Here it may be gone on from: what was kept of δ and the networks are as a new start would need them. */
void tc_drive_mark(tc_drive *drive);
/* So much work more is done, the objective is such (NaN: not known). Whether to go on: TC_INTERRUPTED, and saved. */
tc_status tc_drive_tell(tc_drive *drive, double work, double objective, tc_error *error);

/* A new round is to begin. */
void tc_drive_turn(tc_drive *drive);
/* One round, or what is left of it: v̂, then `move` for every batch, which is loaded; it is to keep what it wants to. */
tc_status tc_drive_round(tc_drive *drive, tc_status (*move)(void *context, int64_t batch, tc_error *error),
                         void *context, tc_error *error);
/* The loaded batch, with augmentation from the stream's children. */
tc_status tc_drive_move(tc_drive *drive, int64_t steps, double length, tc_stream stream, tc_error *error);
/* All of it, the mean over the networks. */
tc_status tc_drive_judge(tc_drive *drive, tc_sight *sight, tc_error *error);
/* Rounds to 8 bits; *poison, what it is worth and what it took. */
tc_status tc_drive_end(tc_drive *drive, tc_poison **poison, tc_craft_report *report, tc_error *error);

#endif
