/* http_server.h — a web server on 127.0.0.1 for tests: one thread, one file at most per name, and whatever misbehaviour
 * is asked for. */
#ifndef TC_TESTS_DATA_HTTP_SERVER_H
#define TC_TESTS_DATA_HTTP_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVED_FILES = 8, SERVED_REQUESTS = 64 };

typedef struct served_file {
    const char *name;
    const uint8_t *bytes;
    size_t size;
} served_file;

typedef struct http_server {
    served_file file[SERVED_FILES]; /* ends with a NULL name */
    bool no_ranges;                 /* answers every request with the whole file */
    size_t break_after;             /* body bytes after which the line breaks; 0: never */
    int breaks;                     /* for so many answers */
    int status;                     /* instead of 200 and 206; 0: none */
    bool other_range;               /* says that it sends from 0, whatever was asked for */
    bool endless;                   /* no length, and more bytes than there are */
    int requests;                   /* what was asked for: */
    size_t from[SERVED_REQUESTS];   /* its range's first byte, 0 for no range */
    int socket, port;
    pthread_t thread;
} http_server;

static inline void http_send(int to, const void *bytes, size_t size) {
    const char *at = bytes;
    while (size) {
        const ssize_t sent = send(to, at, size, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += sent;
        size -= (size_t)sent;
    }
}

static inline const served_file *http_find(const http_server *s, const char *request) {
    for (const served_file *f = s->file; f->name; f++) {
        const size_t length = strlen(f->name);
        const char *slash = strchr(request, ' ');
        while (slash && slash[1] != ' ' && strncmp(slash + 1, f->name, length)) slash = strchr(slash + 1, '/');
        if (slash && !strncmp(slash + 1, f->name, length) && slash[1 + length] == ' ') return f;
    }
    return NULL;
}

static inline void http_answer(http_server *s, int to, const char *request) {
    char head[512];
    const served_file *f = http_find(s, request);
    const char *range = strcasestr(request, "\nRange: bytes=");
    const size_t asked = range ? strtoull(range + 14, NULL, 10) : 0;
    if (s->requests < SERVED_REQUESTS) s->from[s->requests++] = asked;
    const int status = s->status ? s->status : !f ? 404 : 0;
    if (status || asked >= f->size) {
        snprintf(head, sizeof head, "HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                 status ? status : 416);
        http_send(to, head, strlen(head));
        return;
    }
    const size_t from = s->no_ranges ? 0 : asked, size = f->size - from;
    int length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nConnection: close\r\n", from ? "206 Part" : "200 OK");
    if (from)
        length += snprintf(head + length, sizeof head - (size_t)length, "Content-Range: bytes %zu-%zu/%zu\r\n",
                           s->other_range ? 0 : from, f->size - 1, f->size);
    if (!s->endless) length += snprintf(head + length, sizeof head - (size_t)length, "Content-Length: %zu\r\n", size);
    snprintf(head + length, sizeof head - (size_t)length, "\r\n");
    http_send(to, head, strlen(head));
    const bool breaks = s->break_after && s->breaks > 0 && s->breaks--;
    http_send(to, f->bytes + from, breaks && s->break_after < size ? s->break_after : size);
    if (s->endless) http_send(to, f->bytes, f->size);
}

static inline void *http_serve(void *context) {
    http_server *s = context;
    for (;;) {
        const int to = accept(s->socket, NULL, NULL);
        if (to < 0) return NULL;
        char request[4096];
        size_t got = 0;
        while (got < sizeof request - 1) {
            const ssize_t n = recv(to, request + got, sizeof request - 1 - got, 0);
            if (n <= 0) break;
            got += (size_t)n;
            request[got] = 0;
            if (strstr(request, "\r\n\r\n")) break;
        }
        if (got) http_answer(s, to, request);
        close(to);
    }
}

/* url := "http://127.0.0.1:PORT/some/where" */
static inline bool http_start(http_server *s, char url[64]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    s->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (s->socket < 0 || bind(s->socket, (struct sockaddr *)&address, sizeof address) || listen(s->socket, 8) ||
        getsockname(s->socket, (struct sockaddr *)&address, &length))
        return false;
    s->port = ntohs(address.sin_port);
    snprintf(url, 64, "http://127.0.0.1:%d/some/where", s->port);
    return pthread_create(&s->thread, NULL, http_serve, s) == 0;
}

static inline void http_stop(http_server *s) {
    shutdown(s->socket, SHUT_RDWR); /* accept returns */
    pthread_join(s->thread, NULL);
    close(s->socket);
}

#endif
