/* line.h — messages between the coordinator of a study and the workers in other processes.
 *
 * The coordinator holds one end with many peers, each worker one with a single peer, number 0. What the messages are
 * carried by differs (sockets: line_socket.c, MPI: line_mpi.c); what they say is remote.c's affair. */
#ifndef TC_EXPERIMENT_CREW_LINE_H
#define TC_EXPERIMENT_CREW_LINE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum tc_word {
    TC_SAY_TASK,     /* to a worker: run this phase; the body holds its inputs */
    TC_SAY_STOP,     /* to a worker: what you are at shall end soon */
    TC_SAY_END,      /* to a worker: there is nothing more to do */
    TC_SAY_PROGRESS, /* from a worker */
    TC_SAY_RESULT,   /* from a worker: the phase is done; the body holds payload and blob */
    TC_SAY_FAILED,   /* from a worker: it is not; the body says why */
    TC_SAY_BARREN,   /* the same of one that came to nothing by itself */
    TC_SAY_LOST,     /* from a worker: nor can it do another; the body says why */
    TC_SAY_GONE,     /* made here: the peer is not there any more */
} tc_word;

typedef struct tc_message {
    int32_t word, phase;
    uint64_t size;
    uint8_t *body; /* [size] */
} tc_message;

typedef struct tc_line tc_line;
struct tc_line {
    int peers;
    int processes; /* of them all: peer number w lives in process w mod processes, and dies with it */
    bool leave;    /* a worker may go before it is told to: the coordinator notices */
    /* False: the peer is gone; that is no error here, `receive` will say so as well. */
    bool (*send)(tc_line *line, int to, const tc_message *message);
    /* Waits for at most `seconds` (negative: as long as it takes). *from is −1 where nothing came; otherwise the body
     * is the caller's to free. That a peer is gone is said once. */
    tc_status (*receive)(tc_line *line, double seconds, int *from, tc_message *message, tc_error *error);
    void (*close)(tc_line *line);
};

/* ---- bodies: values one after the other, blocks with their length in front ---- */

typedef struct tc_packer {
    uint8_t *bytes;
    size_t size, room;
    bool failed; /* memory ran out */
} tc_packer;
void tc_put(tc_packer *packer, const void *bytes, size_t size);
void tc_put_block(tc_packer *packer, const void *bytes, size_t size);

typedef struct tc_unpacker {
    const uint8_t *bytes;
    size_t size, at;
    bool failed; /* more was asked for than there is */
} tc_unpacker;
void tc_take(tc_unpacker *from, void *bytes, size_t size);
/* A block, borrowed from the body; NULL and 0 where there is none. */
const uint8_t *tc_take_block(tc_unpacker *from, size_t *size);

/* ---- sockets: workers that are forked from the coordinator ---- */

/* Forks `processes` processes, in which `count` workers live: number w in process w mod processes. In the coordinator
 * *line is its end, with a peer for each worker, and *ends NULL. In a forked process *line is NULL and (*ends)[w] the
 * end of worker w, or NULL where that lives elsewhere: it must serve them, each from a thread of its own, and _exit,
 * nothing else. To be called before anything has started threads: those do not survive a fork. */
tc_status tc_line_fork(int count, int processes, tc_line **line, tc_line ***ends, tc_error *error);

/* ---- MPI (line_mpi.c, or line_mpi_missing.c where Tocsin was built without it) ---- */

typedef struct tc_ranks {
    int rank, size; /* size 1: not started by mpirun, or alone */
    int turn;       /* of a worker: its number among the workers on its machine */
} tc_ranks;

/* Finds out whether mpirun (or srun) started this process among others, and joins them. To be called first thing. */
tc_status tc_mpi_begin(tc_ranks *ranks, tc_error *error);
void tc_mpi_end(void);
/* All ranks tell whether they are ready and what `digest` they have, a text of at most 63 bytes that must be the same
 * everywhere. All ranks return the same status; the coordinator's, rank 0, `error` says which rank is in the way. */
tc_status tc_mpi_agree(const tc_ranks *ranks, tc_status status, const char *digest, tc_error *error);
/* Rank 0: the other ranks are the peers, rank r is peer r − 1. Other ranks: the coordinator is peer 0. */
tc_status tc_line_mpi(const tc_ranks *ranks, tc_line **line, tc_error *error);

#endif
