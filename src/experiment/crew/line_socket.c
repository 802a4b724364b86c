/* line_socket.c — forked workers, each at the other end of a pair of sockets. A process that dies closes the ends of
 * all workers that live in it, and a worker that leaves closes its own, which is how the coordinator notices. */
#include "experiment/crew/line.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_PEERS = 4096 };

typedef struct socket_line {
    tc_line line;
    struct pollfd *peer; /* [peers]; fd −1: gone and told */
    pid_t *child;        /* [processes] of the coordinator; NULL in a worker */
    int next;            /* whose turn it is, so that nobody starves */
} socket_line;

static bool write_all(int socket, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    while (size) {
        const ssize_t wrote = send(socket, at, size, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        at += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

static bool read_all(int socket, void *bytes, size_t size) {
    uint8_t *at = bytes;
    while (size) {
        const ssize_t got = recv(socket, at, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static bool socket_send(tc_line *line, int to, const tc_message *message) {
    const int socket = ((socket_line *)line)->peer[to].fd;
    const tc_message head = {.word = message->word, .phase = message->phase, .size = message->size};
    return socket >= 0 && write_all(socket, &head, sizeof head) && write_all(socket, message->body, message->size);
}

/* Waits until one of the peers has something to say; −1: none in time. */
static int wait_for_any(socket_line *s, double seconds) {
    const int timeout = seconds < 0 ? -1 : (int)(1e3 * seconds);
    if (poll(s->peer, (nfds_t)s->line.peers, timeout) <= 0) return -1; /* a signal is a reason to look around, too */
    for (int i = 0; i < s->line.peers; i++) {
        const int peer = (s->next + i) % s->line.peers;
        if (s->peer[peer].fd < 0 || !s->peer[peer].revents) continue;
        s->next = peer + 1;
        return peer;
    }
    return -1;
}

/* The child is waited for, so that it is no zombie; not before the last of those who live in it has gone. */
static void bury(socket_line *s, int peer) {
    close(s->peer[peer].fd);
    s->peer[peer].fd = -1;
    if (!s->child) return;
    const int home = peer % s->line.processes;
    for (int mate = home; mate < s->line.peers; mate += s->line.processes)
        if (s->peer[mate].fd >= 0) return;
    while (s->child[home] > 0 && waitpid(s->child[home], NULL, 0) < 0 && errno == EINTR) {}
}

static tc_status socket_receive(tc_line *line, double seconds, int *from, tc_message *message, tc_error *error) {
    socket_line *s = (socket_line *)line;
    tc_message head;
    *message = (tc_message){.word = TC_SAY_GONE};
    *from = wait_for_any(s, seconds);
    if (*from < 0) return TC_OK;
    if (!read_all(s->peer[*from].fd, &head, sizeof head)) {
        bury(s, *from);
        return TC_OK;
    }
    const tc_status status = tc_new(&head.body, (size_t)head.size, 1, error);
    if (status != TC_OK) return status;
    if (read_all(s->peer[*from].fd, head.body, (size_t)head.size)) {
        *message = head;
        return TC_OK;
    }
    free(head.body);
    bury(s, *from);
    return TC_OK;
}

static void socket_close(tc_line *line) {
    socket_line *s = (socket_line *)line;
    for (int i = 0; s->peer && i < line->peers; i++)
        if (s->peer[i].fd >= 0) bury(s, i);
    free(s->peer);
    free(s->child);
    free(s);
}

static tc_status create(int peers, int processes, socket_line **made, tc_error *error) {
    tc_status status = tc_new(made, 1, sizeof **made, error);
    if (status != TC_OK) return status;
    (*made)->line = (tc_line){
        .processes = processes, .leave = true, .send = socket_send, .receive = socket_receive, .close = socket_close};
    status = tc_new(&(*made)->peer, (size_t)peers, sizeof *(*made)->peer, error);
    for (int i = 0; i < peers && status == TC_OK; i++) (*made)->peer[i].fd = -1;
    (*made)->line.peers = peers;
    if (status == TC_OK) return TC_OK;
    free(*made);
    *made = NULL;
    return status;
}

/* ---- forking ---- */

/* A pair of sockets for each worker that will live in process `home`. */
static tc_status open_pairs(socket_line *s, int home, tc_line **ends, tc_error *error) {
    tc_status status = TC_OK;
    for (int w = home; w < s->line.peers; w += s->line.processes) {
        socket_line *end = NULL;
        int pair[2];
        TC_TRY(create(1, 1, &end, error));
        ends[w] = &end->line;
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            TC_RAISE(TC_FAILED, "--jobs: no more sockets: %s; take fewer jobs", strerror(errno));
        s->peer[w] = (struct pollfd){.fd = pair[0], .events = POLLIN};
        end->peer[0] = (struct pollfd){.fd = pair[1], .events = POLLIN};
    }
done:
    return status;
}

static tc_status fork_one(socket_line *s, int home, tc_line **ends, bool *in_child, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(open_pairs(s, home, ends, error));
    const pid_t child = fork();
    if (child < 0) TC_RAISE(TC_FAILED, "--jobs: no more processes: %s; take fewer jobs", strerror(errno));
    s->child[home] = child;
    *in_child = child == 0;
done:
    for (int w = 0; w < s->line.peers && !*in_child; w++) {
        if (ends[w]) ends[w]->close(ends[w]);
        ends[w] = NULL;
    }
    return status;
}

/* In the child: only its workers' own ends stay open, or it would keep its brothers from noticing that the coordinator
 * died. It is the coordinator that is interrupted, and that tells its workers. */
static void leave_coordinator(socket_line *coordinator) {
    free(coordinator->child);
    coordinator->child = NULL;
    socket_close(&coordinator->line);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
}

tc_status tc_line_fork(int count, int processes, tc_line **line, tc_line ***ends, tc_error *error) {
    socket_line *s = NULL;
    tc_line **own = NULL;
    bool in_child = false;
    tc_status status = TC_OK;
    *line = NULL;
    *ends = NULL;
    if (count < 1 || count > MOST_PEERS) TC_RAISE(TC_INVALID, "--jobs: must be 1 … %d", MOST_PEERS);
    if (processes > count) processes = count;
    TC_TRY(create(count, processes, &s, error));
    TC_TRY(tc_new(&s->child, (size_t)processes, sizeof *s->child, error));
    TC_TRY(tc_new(&own, (size_t)count, sizeof *own, error));
    for (int home = 0; home < processes && !in_child; home++) TC_TRY(fork_one(s, home, own, &in_child, error));
    if (in_child) {
        leave_coordinator(s);
        *ends = own;
        own = NULL;
    } else {
        *line = &s->line;
    }
    s = NULL;
done:
    free(own);
    if (s) socket_close(&s->line);
    return status;
}
