/* Messages arrive whole and in order, large ones as well; a peer that dies is noticed once. */
#include "experiment/crew/line.h"

#include "../plans.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PEERS = 3, LARGE = 3000000, LEAVE = -7 };

/* A worker that sends back what it gets, with the word that it was told; dies of a STOP without a word, and takes its
 * process along; leaves, and nobody else, where the phase is LEAVE. */
static void *echo(void *context) {
    tc_line *line = context;
    tc_message message;
    int from;
    while (line->receive(line, -1, &from, &message, NULL) == TC_OK) {
        if (message.word == TC_SAY_STOP) raise(SIGKILL);
        const bool ends = message.word == TC_SAY_END || message.word == TC_SAY_GONE || message.phase == LEAVE;
        message.word = TC_SAY_RESULT;
        if (!ends) line->send(line, 0, &message);
        free(message.body);
        if (ends) break;
    }
    line->close(line);
    return NULL;
}

static tc_line *fork_line(int processes) {
    tc_line *line = NULL, **ends = NULL;
    pthread_t thread[PEERS];
    MUST(tc_line_fork(PEERS, processes, &line, &ends, error));
    if (!ends) {
        assert_int_equal(line->peers, PEERS);
        assert_int_equal(line->processes, processes);
        return line;
    }
    for (int i = 0; i < PEERS; i++)
        if (ends[i]) pthread_create(&thread[i], NULL, echo, ends[i]);
    for (int i = 0; i < PEERS; i++)
        if (ends[i]) pthread_join(thread[i], NULL);
    _exit(0);
}

static void end(tc_line *line) {
    for (int i = 0; i < PEERS; i++) line->send(line, i, &(tc_message){.word = TC_SAY_END});
    line->close(line);
}

static void come_back(int processes) {
    tc_line *line = fork_line(processes);
    tc_message got;
    int from, seen[PEERS] = {0};
    uint8_t *body = malloc(LARGE);
    for (int i = 0; i < LARGE; i++) body[i] = (uint8_t)(i * 7 + i / 255);
    MUST(line->receive(line, 0.01, &from, &got, error));
    assert_int_equal(from, -1); /* nobody has anything to say */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PEERS; i++) {
            const size_t size = (size_t)(round == 0 ? 0 : round == 1 ? 5 : LARGE - i);
            assert_true(line->send(line, i, &(tc_message){TC_SAY_TASK, 100 * round + i, size, body}));
        }
        for (int i = 0; i < PEERS; i++) {
            MUST(line->receive(line, 10, &from, &got, error));
            assert_int_equal(got.word, TC_SAY_RESULT);
            assert_int_equal(got.phase, 100 * round + from);
            assert_int_equal(got.size, round == 0 ? 0 : round == 1 ? 5 : LARGE - from);
            if (got.size) assert_memory_equal(got.body, body, got.size);
            seen[from]++;
            free(got.body);
        }
    }
    for (int i = 0; i < PEERS; i++) assert_int_equal(seen[i], 3);
    free(body);
    end(line);
}

static void messages_come_back(void **state) {
    (void)state;
    for (int processes = 1; processes <= PEERS; processes++) come_back(processes);
}

static void the_dead_are_noticed(void **state) {
    (void)state;
    tc_line *line = fork_line(PEERS);
    tc_message got;
    int from;
    line->send(line, 1, &(tc_message){.word = TC_SAY_STOP});
    MUST(line->receive(line, 10, &from, &got, error));
    assert_int_equal(from, 1);
    assert_int_equal(got.word, TC_SAY_GONE);
    MUST(line->receive(line, 0.05, &from, &got, error));
    assert_int_equal(from, -1); /* said once */
    assert_false(line->send(line, 1, &(tc_message){.word = TC_SAY_TASK}));
    assert_true(line->send(line, 2, &(tc_message){.word = TC_SAY_TASK, .phase = 9})); /* the others live */
    MUST(line->receive(line, 10, &from, &got, error));
    assert_int_equal(from, 2);
    assert_int_equal(got.phase, 9);
    free(got.body);
    end(line);
}

static void answers(tc_line *line, int worker) {
    tc_message got;
    int from;
    assert_true(line->send(line, worker, &(tc_message){.word = TC_SAY_TASK, .phase = 9}));
    MUST(line->receive(line, 10, &from, &got, error));
    assert_int_equal(from, worker);
    assert_int_equal(got.phase, 9);
    free(got.body);
}

static void is_gone(tc_line *line, int worker) {
    tc_message got;
    int from;
    MUST(line->receive(line, 10, &from, &got, error));
    assert_int_equal(from, worker);
    assert_int_equal(got.word, TC_SAY_GONE);
}

/* Workers 0 and 2 live in one process, 1 in another. One that leaves is noticed while its process goes on; a process
 * that dies takes all with it, and is no zombie. */
static void mates_are_told_apart(void **state) {
    (void)state;
    tc_message got;
    int from, seen = 0;
    tc_line *line = fork_line(2);
    line->send(line, 0, &(tc_message){.word = TC_SAY_TASK, .phase = LEAVE});
    is_gone(line, 0);
    answers(line, 2);
    answers(line, 1);
    end(line);
    line = fork_line(2);
    line->send(line, 2, &(tc_message){.word = TC_SAY_STOP});
    for (int i = 0; i < 2; i++) {
        MUST(line->receive(line, 10, &from, &got, error));
        assert_int_equal(got.word, TC_SAY_GONE);
        seen += from;
    }
    assert_int_equal(seen, 0 + 2);
    assert_true(waitpid(-1, NULL, WNOHANG) == 0); /* of two children one is left, and that lives */
    answers(line, 1);
    end(line);
    assert_true(waitpid(-1, NULL, WNOHANG) < 0);
}

static void bodies_are_checked(void **state) {
    (void)state;
    tc_packer packer = {0};
    const double number = 0.1;
    tc_put(&packer, &number, sizeof number);
    tc_put_block(&packer, "text", 5);
    tc_put_block(&packer, NULL, 0);
    assert_false(packer.failed);
    for (size_t size = 0; size <= packer.size; size++) { /* every cut, and the whole */
        tc_unpacker from = {.bytes = packer.bytes, .size = size};
        double read = -1;
        size_t length, none;
        tc_take(&from, &read, sizeof read);
        const char *text = (const char *)tc_take_block(&from, &length);
        assert_null(tc_take_block(&from, &none));
        assert_int_equal(from.failed, size < packer.size);
        if (from.failed) continue;
        assert_true(read == number && none == 0 && length == 5);
        assert_string_equal(text, "text");
    }
    free(packer.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_back),
        cmocka_unit_test(the_dead_are_noticed),
        cmocka_unit_test(mates_are_told_apart),
        cmocka_unit_test(bodies_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
