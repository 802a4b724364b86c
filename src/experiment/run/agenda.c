#include "experiment/run/agenda.h"

#include <stdlib.h>
#include <string.h>

/* ---- the heap ---- */

static void swap(int *a, int *b) {
    const int keep = *a;
    *a = *b;
    *b = keep;
}

static void push(tc_agenda *agenda, int phase) {
    int *heap = agenda->ready, at = agenda->ready_count++;
    heap[at] = phase;
    for (; at > 0 && heap[at] < heap[(at - 1) / 2]; at = (at - 1) / 2) swap(&heap[at], &heap[(at - 1) / 2]);
}

static int pop(tc_agenda *agenda) {
    int *heap = agenda->ready, at = 0;
    const int first = heap[0], count = --agenda->ready_count;
    heap[0] = heap[count];
    for (;;) {
        int least = at;
        for (int child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (heap[child] < heap[least]) least = child;
        if (least == at) return first;
        swap(&heap[at], &heap[least]);
        at = least;
    }
}

/* ---- making ---- */

static tc_status list_users(tc_agenda *agenda, tc_error *error) {
    const tc_plan *plan = agenda->plan;
    const size_t phases = (size_t)plan->phases;
    tc_status status = TC_OK;
    TC_TRY(tc_new(&agenda->user_of, phases + 1, sizeof *agenda->user_of, error));
    for (int p = 0; p < plan->phases; p++)
        for (int i = 0; i < plan->phase[p].need_count; i++) agenda->user_of[plan->phase[p].needs[i] + 1]++;
    for (int p = 0; p < plan->phases; p++) agenda->user_of[p + 1] += agenda->user_of[p];
    const int total = agenda->user_of[plan->phases];
    TC_TRY(tc_new(&agenda->user, (size_t)total, sizeof *agenda->user, error));
    for (int p = plan->phases - 1; p >= 0; p--) /* from behind: user_of[n + 1] counts down to where n begins */
        for (int i = 0; i < plan->phase[p].need_count; i++)
            agenda->user[--agenda->user_of[plan->phase[p].needs[i] + 1]] = p;
    memmove(agenda->user_of, agenda->user_of + 1, phases * sizeof *agenda->user_of);
    agenda->user_of[phases] = total;
done:
    return status;
}

static void count(tc_agenda *agenda) {
    for (int p = 0; p < agenda->plan->phases; p++) {
        const tc_phase *phase = &agenda->plan->phase[p];
        if (agenda->done[p]) continue;
        agenda->left++;
        for (int i = 0; i < phase->need_count; i++) {
            agenda->wanted[phase->needs[i]]++;
            agenda->missing[p] += !agenda->done[phase->needs[i]];
        }
        if (!agenda->missing[p]) push(agenda, p);
    }
}

tc_status tc_agenda_create(const tc_plan *plan, const bool *done, tc_agenda *agenda, tc_error *error) {
    const size_t phases = (size_t)plan->phases;
    tc_status status = TC_OK;
    *agenda = (tc_agenda){.plan = plan};
    TC_TRY(tc_new(&agenda->done, phases, sizeof *agenda->done, error));
    TC_TRY(tc_new(&agenda->given_up, phases, sizeof *agenda->given_up, error));
    TC_TRY(tc_new(&agenda->missing, phases, sizeof *agenda->missing, error));
    TC_TRY(tc_new(&agenda->wanted, phases, sizeof *agenda->wanted, error));
    TC_TRY(tc_new(&agenda->ready, phases, sizeof *agenda->ready, error));
    TC_TRY(list_users(agenda, error));
    if (done) memcpy(agenda->done, done, phases * sizeof *done);
    count(agenda);
done:
    if (status != TC_OK) tc_agenda_free(agenda);
    return status;
}

void tc_agenda_free(tc_agenda *agenda) {
    free(agenda->done);
    free(agenda->given_up);
    free(agenda->missing);
    free(agenda->wanted);
    free(agenda->user_of);
    free(agenda->user);
    free(agenda->ready);
    *agenda = (tc_agenda){0};
}

/* ---- using ---- */

int tc_agenda_take(tc_agenda *agenda) {
    while (agenda->ready_count) {
        const int phase = pop(agenda);
        if (!agenda->given_up[phase]) return phase;
    }
    return -1;
}

void tc_agenda_return(tc_agenda *agenda, int phase) {
    push(agenda, phase);
}

void tc_agenda_finish(tc_agenda *agenda, int phase) {
    const tc_phase *finished = &agenda->plan->phase[phase];
    agenda->done[phase] = true;
    agenda->left--;
    for (int i = 0; i < finished->need_count; i++) agenda->wanted[finished->needs[i]]--;
    for (int i = agenda->user_of[phase]; i < agenda->user_of[phase + 1]; i++) {
        const int user = agenda->user[i];
        if (--agenda->missing[user] == 0 && !agenda->done[user]) push(agenda, user);
    }
}

/* Needs come before their users in a plan, so that one walk finds them all. */
int tc_agenda_give_up(tc_agenda *agenda, int phase) {
    const tc_plan *plan = agenda->plan;
    int count = 0;
    for (int p = phase; p < plan->phases; p++) {
        bool concerned = p == phase;
        for (int i = 0; i < plan->phase[p].need_count; i++) concerned |= agenda->given_up[plan->phase[p].needs[i]];
        if (!concerned || agenda->given_up[p] || agenda->done[p]) continue;
        agenda->given_up[p] = true;
        agenda->left--;
        count++;
    }
    return count;
}
