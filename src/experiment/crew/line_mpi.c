/* line_mpi.c — workers that are the other ranks of an MPI job.
 *
 * Most MPI libraries wait by spinning, which would take a core away from the workers beside the coordinator: here a
 * rank looks whether something has come, and sleeps a little longer each time that nothing has. Whether the death of a
 * rank is noticed is the library's affair: Open MPI's mpirun ends the whole job, which `--resume` goes on with. */
#include "experiment/crew/line.h"

#include "experiment/crew/launch.h"
#include "train/clock.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HEAD, BODY, CHUNK = 1 << 30, DIGEST = 64, HOST = 64, REASON = 512 };

typedef struct mpi_line {
    tc_line line;
    bool coordinator;
    bool *gone; /* [peers] and told */
} mpi_line;

static int rank_of(const mpi_line *m, int peer) {
    return m->coordinator ? peer + 1 : 0;
}

/* ---- messages ---- */

static bool mpi_send(tc_line *line, int to, const tc_message *message) {
    mpi_line *m = (mpi_line *)line;
    const tc_message head = {.word = message->word, .phase = message->phase, .size = message->size};
    const int rank = rank_of(m, to);
    if (m->gone[to] || MPI_Send(&head, (int)sizeof head, MPI_BYTE, rank, HEAD, MPI_COMM_WORLD)) return false;
    for (uint64_t at = 0; at < message->size;) {
        const uint64_t left = message->size - at, count = left < CHUNK ? left : CHUNK;
        if (MPI_Send(message->body + at, (int)count, MPI_BYTE, rank, BODY, MPI_COMM_WORLD)) return false;
        at += count;
    }
    return true;
}

static bool receive_body(int rank, tc_message *message) {
    for (uint64_t at = 0; at < message->size;) {
        const uint64_t left = message->size - at, count = left < CHUNK ? left : CHUNK;
        if (MPI_Recv(message->body + at, (int)count, MPI_BYTE, rank, BODY, MPI_COMM_WORLD, MPI_STATUS_IGNORE))
            return false;
        at += count;
    }
    return true;
}

/* The rank that has something to say; −1: none in time, −2: the library has failed. */
static int wait_for_any(double seconds) {
    const double end = tc_clock() + seconds;
    for (long pause = 20000;; pause = pause < 2000000 ? 2 * pause : pause) { /* nanoseconds */
        int there = 0;
        MPI_Status status;
        if (MPI_Iprobe(MPI_ANY_SOURCE, HEAD, MPI_COMM_WORLD, &there, &status)) return -2;
        if (there) return status.MPI_SOURCE;
        if (seconds >= 0 && tc_clock() >= end) return -1;
        nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
    }
}

static tc_status mpi_receive(tc_line *line, double seconds, int *from, tc_message *message, tc_error *error) {
    mpi_line *m = (mpi_line *)line;
    tc_message head;
    *message = (tc_message){.word = TC_SAY_GONE};
    const int rank = wait_for_any(seconds);
    if (rank == -2) return tc_raise(error, TC_FAILED, "mpi: a message cannot be received; look at mpirun's own words");
    *from = rank < 0 ? -1 : m->coordinator ? rank - 1 : 0;
    if (*from < 0) return TC_OK;
    if (MPI_Recv(&head, (int)sizeof head, MPI_BYTE, rank, HEAD, MPI_COMM_WORLD, MPI_STATUS_IGNORE)) {
        m->gone[*from] = true;
        return TC_OK;
    }
    const tc_status status = tc_new(&head.body, (size_t)head.size, 1, error);
    if (status != TC_OK) return status;
    if (receive_body(rank, &head)) {
        *message = head;
        return TC_OK;
    }
    free(head.body);
    m->gone[*from] = true;
    return TC_OK;
}

static void mpi_close(tc_line *line) {
    free(((mpi_line *)line)->gone);
    free(line);
}

tc_status tc_line_mpi(const tc_ranks *ranks, tc_line **line, tc_error *error) {
    mpi_line *m = NULL;
    tc_status status = tc_new(&m, 1, sizeof *m, error);
    if (status != TC_OK) return status;
    m->coordinator = ranks->rank == 0;
    const int peers = m->coordinator ? ranks->size - 1 : 1;
    m->line =
        (tc_line){.peers = peers, .processes = peers, .send = mpi_send, .receive = mpi_receive, .close = mpi_close};
    status = tc_new(&m->gone, (size_t)m->line.peers, sizeof *m->gone, error);
    if (status != TC_OK) {
        free(m);
        return status;
    }
    *line = &m->line;
    return TC_OK;
}

/* ---- joining and leaving ---- */

static bool joined = false; /* MPI itself is one for the whole process */

/* Ranks on one machine share memory, which is how MPI tells. The coordinator computes nothing and is not counted. */
static int turn_of(int rank) {
    MPI_Comm machine = MPI_COMM_NULL;
    int turn = 0, first = rank;
    if (MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine)) return 0;
    MPI_Comm_rank(machine, &turn);
    MPI_Bcast(&first, 1, MPI_INT, 0, machine);
    MPI_Comm_free(&machine);
    return first == 0 && turn > 0 ? turn - 1 : turn;
}

tc_status tc_mpi_begin(tc_ranks *ranks, tc_error *error) {
    *ranks = tc_launch_ranks();
    if (ranks->size == 1) return TC_OK; /* nobody waits for us; MPI_Init would cost half a second */
    if (MPI_Init(NULL, NULL)) return tc_raise(error, TC_FAILED, "mpi: cannot be started; look at mpirun's own words");
    joined = true;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &ranks->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks->size);
    ranks->turn = turn_of(ranks->rank);
    return TC_OK;
}

void tc_mpi_end(void) {
    if (joined) MPI_Finalize();
    joined = false;
}

typedef struct card {
    int32_t status;
    char digest[DIGEST], host[HOST], reason[REASON];
} card;

static card write_card(tc_status status, const char *digest, const tc_error *error) {
    card made = {.status = status};
    int length = 0;
    char host[MPI_MAX_PROCESSOR_NAME] = "";
    MPI_Get_processor_name(host, &length);
    snprintf(made.host, sizeof made.host, "%.63s", host);
    snprintf(made.digest, sizeof made.digest, "%.63s", status == TC_OK ? digest : "");
    snprintf(made.reason, sizeof made.reason, "%.511s", status == TC_OK ? "" : error->message);
    return made;
}

/* Rank 0's own trouble goes first: it is most likely everybody's. */
static tc_status judge(const card *cards, int count, tc_error *error) {
    if (cards[0].status != TC_OK) return tc_raise(error, (tc_status)cards[0].status, "%s", cards[0].reason);
    for (int i = 1; i < count; i++)
        if (cards[i].status != TC_OK)
            return tc_raise(error, (tc_status)cards[i].status, "mpi: rank %d on %s: %s", i, cards[i].host,
                            cards[i].reason);
    for (int i = 1; i < count; i++)
        if (strcmp(cards[i].digest, cards[0].digest))
            return tc_raise(error, TC_INVALID,
                            "mpi: rank %d on %s has another spec or another Tocsin than rank 0 on %s; start the same "
                            "program on the same file everywhere",
                            i, cards[i].host, cards[0].host);
    return TC_OK;
}

tc_status tc_mpi_agree(const tc_ranks *ranks, tc_status status, const char *digest, tc_error *error) {
    if (ranks->size == 1) return status;
    const card own = write_card(status, digest, error);
    card *all = NULL;
    int32_t verdict = TC_FAILED;
    const tc_status memory = tc_new(&all, (size_t)ranks->size, sizeof *all, error);
    if (memory != TC_OK) MPI_Abort(MPI_COMM_WORLD, memory); /* the others would wait for ever */
    if (MPI_Gather(&own, (int)sizeof own, MPI_BYTE, all, (int)sizeof own, MPI_BYTE, 0, MPI_COMM_WORLD) == MPI_SUCCESS) {
        if (ranks->rank == 0) verdict = (int32_t)judge(all, ranks->size, error);
        MPI_Bcast(&verdict, 1, MPI_INT32_T, 0, MPI_COMM_WORLD);
    }
    free(all);
    return (tc_status)verdict;
}
