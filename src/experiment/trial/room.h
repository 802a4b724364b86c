/* room.h — OUT.checkpoint/, where `tocsin craft` and `tocsin protect` keep what they have done until OUT is written, so
 * that a killed one goes on with --resume.
 *
 * begun.json says what it was begun with: settings and the SHA-256 of the data, without which nothing in it is worth
 * anything. Beside it lie the checkpoints of what is under way (train/checkpoint.h, attack/parts/snapshot.h) and what
 * is finished, each as one file with its SHA-256 behind it. Everything is written whole or not at all. The folder is
 * there from the start of the work to its end; one process at a time is in it (base/lock.h).
 *
 * A room that is not open keeps nothing, and every call says so: found is false, paths are "". */
#ifndef TC_EXPERIMENT_TRIAL_ROOM_H
#define TC_EXPERIMENT_TRIAL_ROOM_H

#include "base/path.h"
#include "experiment/trial/trial.h"

#include <jansson.h>

/* The words of `tocsin run`. */
typedef enum tc_room_mode {
    TC_ROOM_NEW,       /* refused where there is one */
    TC_ROOM_OVERWRITE, /* one that is there goes */
    TC_ROOM_RESUME     /* gone on with, if there is one; refused where it was begun with other settings or data */
} tc_room_mode;

typedef struct tc_room {
    char out[TC_PATH_SIZE], path[TC_PATH_SIZE]; /* OUT, OUT.checkpoint */
    tc_room_mode mode;
    int lock;
    bool open;
} tc_room;

/* Says where it will be, and refuses what can be refused by that alone; makes nothing. */
tc_status tc_room_name(const char *out, tc_room_mode mode, tc_room *room, tc_error *error);
/* An earlier OUT may be replaced: that was said, or there is work to go on with, which was begun in spite of it. */
bool tc_room_replaces(const tc_room *room);
/* Before the work. asked: {"command": …, "spec": {…}, …}, the reference is taken; every dataset and every network that
 * is given goes into `data` as {NAME: SHA-256}, taken too. Refusals are TC_INVALID and leave everything as it was. */
tc_status tc_room_open(tc_room *room, json_t *asked, json_t *data, tc_error *error);
/* After it, with what it came to, in any case. All is well: the room goes. Otherwise it stays, unless nothing is in it
 * that is worth keeping, and a message of an interruption says how to go on. Returns the status. */
tc_status tc_room_close(tc_room *room, tc_status status, tc_error *error);

/* path := the file of that name in it. */
tc_status tc_room_file(const tc_room *room, const char *name, char path[TC_PATH_SIZE], tc_error *error);
/* Finished things. One that is damaged, or larger than `limit`, is TC_INVALID. */
tc_status tc_room_put(const tc_room *room, const char *name, const void *bytes, size_t size, tc_error *error);
tc_status tc_room_get(const tc_room *room, const char *name, size_t limit, uint8_t **bytes, size_t *size, bool *found,
                      tc_error *error);

/* tc_trial_train, going on from NAME.checkpoint, or what it once came to: NAME.weights. The weights are the caller's in
 * any case. */
tc_status tc_room_train(const tc_room *room, const char *name, const tc_trial *trial, const tc_training *training,
                        tc_weights *weights, tc_error *error);
/* tc_trial_craft in the same way. Once made it is kept, if `kept`: for those who have long work to do before they can
 * write it. */
tc_status tc_room_craft(const tc_room *room, const tc_trial *trial, const tc_method_spec *method, bool kept,
                        tc_outcome *outcome, tc_error *error);

/* data[name] := the SHA-256 of the file. */
tc_status tc_room_digest_file(json_t *data, const char *name, const char *path, tc_error *error);
void tc_room_digest_data(json_t *data, const char *name, const tc_dataset *dataset);

#endif
