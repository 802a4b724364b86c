/* snapshot.h — where a long crafting stands, in one file, so that one that was stopped or killed goes on to the very
 * same poison.
 *
 * A method names the pieces of memory that make up its state, in a fixed order, and what is written are those bytes.
 * They are read back only by the run that wrote them: the file begins with a digest of everything that determines a
 * poison (method, options, threat, base images, surrogates, trainings, stream, kind of device). Written beside the path
 * and renamed: there is always one whole snapshot. */
#ifndef TC_ATTACK_PARTS_SNAPSHOT_H
#define TC_ATTACK_PARTS_SNAPSHOT_H

#include "attack/attack.h"
#include "base/digest.h"

typedef struct tc_piece {
    void *at;
    size_t bytes;
    bool on_device;
} tc_piece;

typedef struct tc_snapshot {
    tc_device *device;
    const char *path; /* NULL: nothing is kept, and all calls do nothing */
    double minutes;   /* between two savings; 0: only when asked */
    double saved;     /* clock reading */
    char run[TC_DIGEST_TEXT];
    tc_piece *piece; /* [most] */
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
/* Removes the file: its run is over. */
void tc_snapshot_remove(const tc_snapshot *snapshot);

#endif
