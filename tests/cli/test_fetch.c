/* `tocsin data fetch` as its users run it, from a server on this machine that has not what was published. */
#define _GNU_SOURCE /* strcasestr */
#include "../data/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

extern char **environ;
static const char *program;
static char folder[] = "/tmp/tocsin-test-fetch-XXXXXX";
static uint8_t body[4542]; /* as large as MNIST's smallest file, and not it */
static char said[4096];

static pid_t start(const char *url, const char *out) {
    char place[256], errors[256];
    pid_t child;
    posix_spawn_file_actions_t actions;
    snprintf(place, sizeof place, "%s/%s", folder, out);
    snprintf(errors, sizeof errors, "%s/err.txt", folder);
    const char *argv[] = {program, "data", "fetch", "mnist", "--from", url, "--out", place, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(posix_spawn(&child, program, &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static int finish(pid_t child) {
    char path[256];
    int status = 0;
    while (waitpid(child, &status, 0) < 0) assert_int_equal(errno, EINTR);
    snprintf(path, sizeof path, "%s/err.txt", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    said[fread(said, 1, sizeof said - 1, file)] = 0;
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(http_server *s, int status, const char *part) {
    char url[64];
    assert_true(http_start(s, url));
    const int got = finish(start(url, "out"));
    http_stop(s);
    if (got != status || strncmp(said, "tocsin: ", 8) || !strstr(said, part)) fail_msg("status %d: %s", got, said);
    assert_ptr_equal(strchr(said, '\n'), strrchr(said, '\n')); /* one line */
}

static bool is_there(const char *name) {
    char path[256];
    struct stat facts;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &facts) == 0;
}

static void refuses_what_is_not_published(void **state) {
    (void)state;
    http_server s = {.file = {{"train-images-idx3-ubyte.gz", body, sizeof body}}};
    expect(&s, 1, "/some/where/train-images-idx3-ubyte.gz: ends after 4542 of 9912422 bytes");
    assert_false(is_there("out/train-images-idx3-ubyte.gz"));
    s = (http_server){.file = {{"else", body, sizeof body}}};
    expect(&s, 1, "the server answers 404; give another place with --from");
}

static void says_that_nobody_answers(void **state) {
    (void)state;
    assert_int_equal(finish(start("http://127.0.0.1:1", "none")), 1);
    assert_non_null(strstr(said, "http://127.0.0.1:1/train-images-idx3-ubyte.gz: cannot be reached"));
    assert_false(is_there("none"));
}

/* A server that sends a little and then nothing: Ctrl-C ends it with 130, and the part stays. */
static void stops_when_interrupted(void **state) {
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    char url[64], request[2048];
    const int listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &length), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    const pid_t child = start(url, "stopped");
    const int to = accept(listening, NULL, NULL);
    assert_true(recv(to, request, sizeof request, 0) > 0);
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 9912422\r\n\r\n";
    http_send(to, head, sizeof head - 1);
    http_send(to, body, sizeof body);
    char part[256];
    struct stat facts = {0};
    snprintf(part, sizeof part, "%s/stopped/train-images-idx3-ubyte.gz.part", folder);
    for (int i = 0; i < 500 && facts.st_size < (off_t)sizeof body; i++) {
        usleep(10000);
        if (stat(part, &facts)) facts.st_size = 0;
    }
    assert_int_equal(facts.st_size, sizeof body);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(finish(child), 130);
    assert_non_null(strstr(said, "interrupted at 4542 of 9912422 bytes; run it again to go on"));
    assert_true(is_there("stopped/train-images-idx3-ubyte.gz.part"));
    close(to);
    close(listening);
}

int main(int argc, char **argv) {
    if (argc != 2 || !mkdtemp(folder)) return 1;
    program = argv[1];
    setenv("no_proxy", "127.0.0.1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_published),
        cmocka_unit_test(says_that_nobody_answers),
        cmocka_unit_test(stops_when_interrupted),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) ? 1 : failed;
}
