/* look.c — whether the devices that a study asks for are there, said before anything is trained. */
#include "experiment/plan/plan.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool tc_plan_on_gpu(const tc_plan *plan) {
    return !strcmp(tc_device_names[plan->base->study.device], "cuda");
}

tc_status tc_plan_look(const tc_plan *plan, tc_device_facts *facts, tc_error *error) {
    for (int v = plan->variants; v-- > 0;) { /* the facts left are the first one's; they differ in the precision */
        const tc_device_options options = tc_spec_device(plan->variant[v], 0);
        const tc_status status = tc_device_look(&options, facts, error);
        if (status != TC_OK) return status;
    }
    return TC_OK;
}

/* ---- in a process of its own ---- */

typedef struct answer {
    tc_status status;
    tc_device_facts facts;
    tc_error error;
} answer;

static void look_and_tell(const tc_plan *plan, int to) {
    answer a = {0};
    a.status = tc_plan_look(plan, &a.facts, &a.error);
    const ssize_t wrote = write(to, &a, sizeof a); /* less than a pipe holds: whole or not at all */
    _exit(wrote == (ssize_t)sizeof a ? 0 : 1);
}

static bool hear(int from, answer *a) {
    size_t got = 0;
    while (got < sizeof *a) {
        const ssize_t more = read(from, (char *)a + got, sizeof *a - got);
        if (more < 0 && errno == EINTR) continue;
        if (more <= 0) return false;
        got += (size_t)more;
    }
    return true;
}

tc_status tc_plan_look_apart(const tc_plan *plan, tc_device_facts *facts, tc_error *error) {
    answer a;
    int ends[2];
    if (!tc_plan_on_gpu(plan)) return tc_plan_look(plan, facts, error);
    if (pipe(ends)) return tc_raise(error, TC_FAILED, "device cuda: no pipe to ask for it: %s", strerror(errno));
    const pid_t child = fork();
    if (child == 0) look_and_tell(plan, ends[1]);
    close(ends[1]);
    const bool heard = child > 0 && hear(ends[0], &a);
    close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    if (!heard)
        return tc_raise(error, TC_FAILED, "device cuda: looking for it ended in a crash; look at the driver's own log");
    *facts = a.facts;
    if (a.status != TC_OK) return tc_raise(error, a.status, "%s", a.error.message);
    return TC_OK;
}
