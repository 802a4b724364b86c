/* home.c — workers that live in one process, each in a thread of its own. One process has one CUDA context for a GPU,
 * so their kernels run side by side there, where those of several processes take turns.
 *
 * Each opens, uses and closes its labs and its device in its own thread: CUDA's current GPU is a thread's. */
#include "experiment/crew/crew.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct resident {
    const tc_plan *plan;
    const char *work;
    int turn;
    tc_line *line;
    pthread_t thread;
} resident;

static void *live(void *context) {
    const resident *r = context;
    tc_crew_serve(r->plan, r->work, r->turn, r->line);
    return NULL;
}

/* The first takes the thread that is there; one that gets none leaves, which the coordinator notices. */
void tc_crew_serve_all(const tc_plan *plan, const char *work, tc_line *const *ends, int count) {
    resident *all = NULL;
    int residents = 0, started = 1;
    if (tc_new(&all, (size_t)count, sizeof *all, NULL) != TC_OK) return;
    for (int w = 0; w < count; w++)
        if (ends[w]) all[residents++] = (resident){.plan = plan, .work = work, .turn = w, .line = ends[w]};
    while (started < residents && pthread_create(&all[started].thread, NULL, live, &all[started]) == 0) started++;
    for (int i = started; i < residents; i++) all[i].line->close(all[i].line);
    if (residents) live(&all[0]);
    for (int i = 1; i < started; i++) pthread_join(all[i].thread, NULL);
    free(all);
}
