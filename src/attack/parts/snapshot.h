/* snapshot.h — where a long crafting stands, in one file, so that one that was stopped or killed goes on to the very
 * same poison.
 *
 * A method names the pieces of memory that make up its state, in a fixed order, and what is written are those bytes.
 * They are read back only by the run that wrote them: the file begins with a digest of everything that determines a
 * poison (method, options, threat, data, surrogates, trainings, stream, kind of device). Written beside the path and
 * renamed: there is always one whole snapshot. It stays when the poison is made, until its owner has put that away
 * (tc_craft_forget).
 *
 * A method creates one, names its pieces, loads it, and calls tc_craft_tell between its steps: whatever is in the
 * pieces then must be what the next step begins with. */
#ifndef TC_ATTACK_PARTS_SNAPSHOT_H
#define TC_ATTACK_PARTS_SNAPSHOT_H

#include "attack/attack.h"
#include "base/digest.h"
#include "base/path.h"

typedef struct tc_piece {
    void *at;
    size_t bytes;
    bool on_device;
} tc_piece;

typedef struct tc_snapshot {
    const tc_craft_job *job;
    const char *method;
    tc_device *device;
    const char *path; /* NULL: nothing is kept, and all calls do nothing */
    double minutes;   /* between two savings; 0: only when asked */
    double saved;     /* clock reading */
    double started;   /* clock reading */
    double looked;    /* clock reading: when an objective was last waited for */
    double before;    /* seconds spent by those who were stopped before */
    double seconds;   /* all of them, as they are saved: the first piece */
    char run[TC_DIGEST_TEXT];
    tc_piece *piece; /* [most + 1] */
    int pieces, most;
} tc_snapshot;

/* By job->checkpoint and job->checkpoint_minutes; room for `most` pieces. */
tc_status tc_snapshot_create(const tc_craft_job *job, const tc_attack *method, const void *options, int most,
                             tc_snapshot *snapshot, tc_error *error);
void tc_snapshot_free(tc_snapshot *snapshot);

void tc_snapshot_host(tc_snapshot *snapshot, void *at, size_t bytes);
void tc_snapshot_device(tc_snapshot *snapshot, void *at, size_t bytes);

bool tc_snapshot_due(const tc_snapshot *snapshot);
tc_status tc_snapshot_save(tc_snapshot *snapshot, tc_error *error);
/* *found is false, and nothing is changed, where there is no file. A file of another run or a damaged one is refused,
 * TC_INVALID, before any piece is touched. */
tc_status tc_snapshot_load(tc_snapshot *snapshot, bool *found, tc_error *error);
/* Seconds spent so far, with those of whoever was stopped before. */
double tc_snapshot_seconds(const tc_snapshot *snapshot);

/* Whether a step's objective is to be looked at, for tc_craft_tell. Where the host runs ahead of the device, looking
 * means waiting: at most twice a second, and where nobody listens never. */
bool tc_craft_looks(tc_snapshot *snapshot);
/* Tells how far the method has come, a share of its work, with what objective (NaN: not known). Saves when it is time,
 * asks whether to go on, and stops if not. */
tc_status tc_craft_tell(tc_snapshot *snapshot, double share, double objective, tc_error *error);
/* Saves, and says with TC_INTERRUPTED how to go on: for who has been told to stop elsewhere, in a training. */
tc_status tc_craft_stop(tc_snapshot *snapshot, double share, tc_error *error);

/* Where a training within the crafting keeps its own checkpoint: path := "" where nothing is kept. */
tc_status tc_snapshot_training(const tc_snapshot *snapshot, char path[TC_PATH_SIZE], tc_error *error);

#endif
